// How the batch is shared out: each thread gets a run of rows and takes them in slices of at most SLICE_ROWS, each of
// which runs through all steps alone. No thread waits for another, except where there are few rows (Teams).
#pragma once

#include "lstm.h"
#include "pack.h"
#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gatecast::GATECAST_ISA {

constexpr int64_t SLICE_ROWS = 64;

constexpr int64_t FEW_ROWS = 8;             // for a thread
constexpr int64_t FEW_ROWS_FAR = 32;        // the same, where the weights do not fit in L2
constexpr int64_t FAR_WEIGHTS = 128 << 10;  // of a gate, from which on they do not
constexpr int64_t SHARED_WEIGHTS = 2048;    // of a gate, from which on it is worth while to wait at every step
static_assert(2 * FEW_ROWS_FAR <= SLICE_ROWS, "a crew counts its waits over one slice: its part may not have two");

// Denormal numbers count as zero inside a slice; the caller's mode comes back at its end.
class FlushDenormals {
 public:
#if defined(__x86_64__)
  FlushDenormals() : mode_(_mm_getcsr()) { _mm_setcsr(mode_ | 0x8040); }
  ~FlushDenormals() { _mm_setcsr(mode_); }

 private:
  unsigned mode_;
#elif defined(__aarch64__)
  FlushDenormals() {
    asm volatile("mrs %0, fpcr" : "=r"(mode_));
    asm volatile("msr fpcr, %0" : : "r"(mode_ | (1ull << 24)));
  }
  ~FlushDenormals() { asm volatile("msr fpcr, %0" : : "r"(mode_)); }

 private:
  unsigned long long mode_;
#endif
};

// Parts of the batch for the threads: one where the work is too small to wake others.
INLINE int64_t parts_of(const Layer& p, const Threads& threads) {
  if (!p.large() || !threads.run) return 1;
  return larger(1, smaller(threads.count, p.batch));
}

// How the threads of a pass are set to work: `parts` of the batch, each with a crew of `members` (crew.h).
struct Teams {
  int64_t parts, members;
};

// With few rows for a thread, weights are read for hardly any products: threads then share rows and divide the hidden
// units, in shares of `share` blocks. Not where a unit needs all others of its row within a step.
INLINE Teams teams_of(const Layer& p, const Threads& threads, int64_t share) {
  const Teams alone{parts_of(p, threads), 1};
  if (!p.large() || !threads.run || p.normed() || p.late()) return alone;
  const int64_t weights = p.hidden * (p.input + p.output);
  if (weights < SHARED_WEIGHTS) return alone;
  const int64_t few = weights >= FAR_WEIGHTS ? FEW_ROWS_FAR : FEW_ROWS;
  const int64_t parts = larger(1, smaller(threads.count, p.batch / few));
  const int64_t members = smaller(threads.count / parts, ceil_div(blocks_of(p.hidden), share));
  return members > 1 ? Teams{parts, members} : alone;
}

INLINE int64_t first_of_part(int64_t total, int64_t part, int64_t parts) { return total * part / parts; }

// Calls work(part) for every part, on as many threads.
template <class Work>
inline void in_parallel(const Threads& threads, int64_t parts, const Work& work) {
  auto task = [](void* context, int64_t part) { (*static_cast<const Work*>(context))(part); };
  if (parts == 1) return work(0);
  threads.run(parts, task, const_cast<Work*>(&work));
}

// The most that floats(count) gives for slices of a run whose largest has `rows` rows: none has less than half as many,
// and a smaller one may need more.
template <class Floats>
inline int64_t most_floats(int64_t rows, const Floats& floats) {
  int64_t most = 0;
  for (int64_t count = rows; count >= 1 && count >= rows / 2; count--) most = larger(most, floats(count));
  return most;
}

// Calls work(first, rows) for the slices of a part of the batch.
template <class Work>
inline void for_slices(int64_t batch, int64_t part, int64_t parts, const Work& work) {
  const FlushDenormals mode;
  const int64_t begin = first_of_part(batch, part, parts), end = first_of_part(batch, part + 1, parts);
  const int64_t slices = ceil_div(end - begin, SLICE_ROWS);
  for (int64_t k = 0; k < slices; k++) {
    const int64_t first = begin + first_of_part(end - begin, k, slices);
    work(first, begin + first_of_part(end - begin, k + 1, slices) - first);
  }
}

}  // namespace gatecast::GATECAST_ISA
