// Threads that share one slice of the batch, each with hidden units of its own, and wait for each other at every step.
//
// On a processor that others use as well, a member can be kept from its work, and then all wait. After a run that lost
// most of what a crew gains, the next ones do without crews (Crowd).
//
// Nobody waits for a thread that may not come: who arrives while the first one waits, which is not for long, belongs to
// the crew; who comes later finds it closed and leaves. The atomic operations are the compiler's own, since std::atomic
// is made of templates (see simd.h).
#pragma once

#include <sched.h>
#include <time.h>

#include "lstm.h"
#include "simd.h"
#include "slices.h"

namespace gatecast::GATECAST_ISA {

struct Crew;

INLINE int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1000000000} * now.tv_sec + now.tv_nsec;
}

// A thread's place in a crew. One that works alone has no crew, and does not wait.
struct Member {
  Crew* crew = nullptr;
  int64_t place = 0, count = 1;  // count 0: came too late

  // Returns when all members have called it with the same `round`; rounds are 0, 1, 2, ...
  INLINE void wait(int64_t round) const;
};

struct Crew {
  alignas(64) int64_t joined = 0;  // threads, and CLOSED
  alignas(64) int64_t calls = 0;   // of wait
  alignas(64) int64_t lost = 0;    // nanoseconds of all members in long waits

  static constexpr int64_t CLOSED = int64_t{1} << 32;
  static constexpr int64_t PATIENCE = 10000;  // turns, in which a thread of a pool wakes or is made
  static constexpr int64_t BUSY = 4000;       // turns before the processor is offered to others

  // `work`: operations of the run; the first waits longer where there is more to gain.
  Member join(int64_t most, double work) {
    const int64_t patience = PATIENCE + static_cast<int64_t>(work / 100000);
    int64_t place = seen(joined);
    do {
      if (place & CLOSED) return {this, 0, 0};
    } while (!__atomic_compare_exchange_n(&joined, &place, place + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    if (place == 0) {
      spin([&](int64_t turn) { return turn == patience || seen(joined) == most; });
      return {this, 0, __atomic_fetch_or(&joined, CLOSED, __ATOMIC_ACQ_REL)};
    }
    spin([&](int64_t) { return (seen(joined) & CLOSED) != 0; });
    return {this, place, seen(joined) & ~CLOSED};
  }

  void wait(int64_t all) {
    __atomic_add_fetch(&calls, 1, __ATOMIC_ACQ_REL);
    const int64_t waited = spin([&](int64_t) { return seen(calls) >= all; });
    if (waited > 0) __atomic_add_fetch(&lost, waited, __ATOMIC_RELAXED);
  }

 private:
  static INLINE int64_t seen(const int64_t& value) { return __atomic_load_n(&value, __ATOMIC_ACQUIRE); }

  // Nanoseconds after the first BUSY turns.
  template <class Done>
  static INLINE int64_t spin(const Done& done) {
    int64_t since = 0;
    for (int64_t turn = 0; !done(turn); turn++) {
      if (turn == BUSY) since = nanoseconds();
#if defined(__x86_64__)
      __builtin_ia32_pause();
#elif defined(__aarch64__)
      asm volatile("yield");
#endif
      if (turn >= BUSY) sched_yield();
    }
    return since ? nanoseconds() - since : 0;
  }
};

// Whether crews are worth while just now; shared by all calls of the process.
class Crowd {
 public:
  // True for a while after a run with which one thread alone would have kept up.
  bool avoids_crews() const { return nanoseconds() < __atomic_load_n(&until_, __ATOMIC_RELAXED); }

  // After a run that began at `began`, about one of its crews.
  void note(const Crew& crew, int64_t most, int64_t began) {
    const int64_t now = nanoseconds(), took = now - began;
    const bool complete = (crew.joined & ~Crew::CLOSED) == most;
    const double gain = (most - 1) * static_cast<double>(took);  // of all members, had none waited
    if (complete && crew.lost < 0.7 * gain) return;
    __atomic_store_n(&until_, now + larger(SECOND, 20 * took), __ATOMIC_RELAXED);
  }

 private:
  static constexpr int64_t SECOND = 1000000000;
  int64_t until_ = 0;
};

constexpr int64_t CREW_FLOATS = sizeof(Crew) / sizeof(float);

// Calls work(part, member) for all members of the teams, on as many threads. `crews`: memory for one of each part.
template <class Work>
inline void in_teams(
    const Layer& p, const Threads& threads, const Teams& teams, Crew* crews, Crowd& crowd, const Work& work) {
  if (teams.members == 1) {
    return in_parallel(threads, teams.parts, [&](int64_t part) { work(part, Member{}); });
  }
  for (int64_t part = 0; part < teams.parts; part++) crews[part] = Crew{};
  const int64_t began = nanoseconds();
  in_parallel(threads, teams.parts * teams.members, [&](int64_t k) {
    const Member member = crews[k % teams.parts].join(teams.members, p.work());
    if (member.count > 0) work(k % teams.parts, member);
  });
  for (int64_t part = 0; part < teams.parts; part++) crowd.note(crews[part], teams.members, began);
}

INLINE void Member::wait(int64_t round) const {
  if (count > 1) crew->wait((round + 1) * count);
}

}  // namespace gatecast::GATECAST_ISA
