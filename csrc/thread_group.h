// Groups of threads that share one slice of the batch: each computes some of the hidden units, and all of them meet at
// a barrier at every step.
//
// On a busy processor the system may suspend one thread of a group, and then all others wait for it. After a run that
// lost most of what its groups gain, the next runs do without groups for a while (Backoff).
//
// A group never waits for a thread that may not come. The first thread to arrive keeps the group open for a short time;
// threads that arrive in that time belong to it. Later ones find it closed and leave. The atomic operations are
// compiler builtins, because std::atomic is made of templates (see simd.h).
#pragma once

#include <sched.h>
#include <time.h>

#include "lstm.h"
#include "simd.h"
#include "slices.h"

namespace gatecast::GATECAST_ISA {

struct ThreadGroup;

INLINE int64_t nanoseconds() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{1000000000} * now.tv_sec + now.tv_nsec;
}

// One thread of a group. A thread that works alone has no group, and its barriers return at once.
struct GroupThread {
  ThreadGroup* group = nullptr;
  int64_t rank = 0, size = 1;  // size 0: it arrived after the group was closed

  // Returns when all threads of the group have called it with the same `round`; rounds are 0, 1, 2, ...
  INLINE void barrier(int64_t round) const;
};

struct ThreadGroup {
  alignas(64) int64_t joined = 0;   // number of threads, plus CLOSED
  alignas(64) int64_t arrived = 0;  // calls of barrier()
  alignas(64) int64_t lost = 0;     // nanoseconds that all threads spent in long waits

  static constexpr int64_t CLOSED = int64_t{1} << 32;
  static constexpr int64_t PATIENCE = 10000;  // turns of a spin loop in which a pool wakes or starts a thread
  static constexpr int64_t BUSY = 4000;       // turns before the processor is offered to other threads

  // `work`: operations of the run; the first thread waits longer where there is more to gain.
  GroupThread join(int64_t most, double work) {
    const int64_t patience = PATIENCE + static_cast<int64_t>(work / 100000);
    int64_t rank = seen(joined);
    do {
      if (rank & CLOSED) return {this, 0, 0};
    } while (!__atomic_compare_exchange_n(&joined, &rank, rank + 1, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    if (rank == 0) {
      spin([&](int64_t turn) { return turn == patience || seen(joined) == most; });
      return {this, 0, __atomic_fetch_or(&joined, CLOSED, __ATOMIC_ACQ_REL)};
    }
    spin([&](int64_t) { return (seen(joined) & CLOSED) != 0; });
    return {this, rank, seen(joined) & ~CLOSED};
  }

  // Returns when barriers have been called `calls` times in all.
  void barrier(int64_t calls) {
    __atomic_add_fetch(&arrived, 1, __ATOMIC_ACQ_REL);
    const int64_t waited = spin([&](int64_t) { return seen(arrived) >= calls; });
    if (waited > 0) __atomic_add_fetch(&lost, waited, __ATOMIC_RELAXED);
  }

 private:
  static INLINE int64_t seen(const int64_t& value) { return __atomic_load_n(&value, __ATOMIC_ACQUIRE); }

  // Waits until done(turn); returns the nanoseconds after the first BUSY turns.
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

// Whether groups pay off at the moment; shared by all calls of the process.
class Backoff {
 public:
  // True for a while after a run that one thread alone would have finished as fast.
  bool active() const { return nanoseconds() < __atomic_load_n(&until_, __ATOMIC_RELAXED); }

  // Judges one group of a run that began at `began`.
  void note(const ThreadGroup& group, int64_t most, int64_t began) {
    const int64_t now = nanoseconds(), took = now - began;
    const bool complete = (group.joined & ~ThreadGroup::CLOSED) == most;
    const double gain = (most - 1) * static_cast<double>(took);  // of all threads, had none waited
    if (complete && group.lost < 0.7 * gain) return;
    __atomic_store_n(&until_, now + max(SECOND, 20 * took), __ATOMIC_RELAXED);
  }

 private:
  static constexpr int64_t SECOND = 1000000000;
  int64_t until_ = 0;
};

constexpr int64_t GROUP_FLOATS = sizeof(ThreadGroup) / sizeof(float);

// Calls work(part, thread) for all threads of all groups, each on a thread. `groups`: memory for one group per part.
template <class Work>
inline void in_groups(
    const Layer& p, const Threads& threads, const Partition& partition, ThreadGroup* groups, Backoff& backoff,
    const Work& work) {
  const int64_t parts = partition.parts, size = partition.group_size;
  if (size == 1) return parallel_for(threads, parts, [&](int64_t part) { work(part, GroupThread{}); });
  for (int64_t part = 0; part < parts; part++) groups[part] = ThreadGroup{};
  const int64_t began = nanoseconds();
  parallel_for(threads, parts * size, [&](int64_t k) {
    const GroupThread thread = groups[k % parts].join(size, p.work());
    if (thread.size > 0) work(k % parts, thread);
  });
  for (int64_t part = 0; part < parts; part++) backoff.note(groups[part], size, began);
}

INLINE void GroupThread::barrier(int64_t round) const {
  if (size > 1) group->barrier((round + 1) * size);
}

}  // namespace gatecast::GATECAST_ISA
