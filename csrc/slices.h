// How the batch is divided: each thread gets a part, a range of rows, and works through it in slices of at most
// SLICE_ROWS rows. A slice runs through all time steps before the next one starts, so its states stay in the caches.
//
// Threads never wait for each other, except where a part has few rows and a group of threads shares it
// (thread_group.h).
#pragma once

#include "lstm.h"
#include "pack.h"
#include "simd.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace gatecast::GATECAST_ISA {

constexpr int64_t SLICE_ROWS = 64;

// With fewer rows per thread than this, threads share rows.
constexpr int64_t FEW_ROWS = 8;
constexpr int64_t FEW_ROWS_FAR = 32;        // where the weights do not fit in L2
constexpr int64_t FAR_WEIGHTS = 128 << 10;  // weights of one gate from which on they do not
constexpr int64_t SHARED_WEIGHTS = 2048;    // weights of one gate from which on a barrier at every step pays off
static_assert(2 * FEW_ROWS_FAR <= SLICE_ROWS, "a group counts its barriers over one slice, so its part has only one");

// Treats denormal numbers as zero for as long as it lives, then restores the caller's floating-point mode.
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

// The number of parts of the batch: one where the work is too small to wake other threads.
INLINE int64_t part_count(const Layer& p, const Threads& threads) {
  if (!p.large() || !threads.run) return 1;
  return max(1, min(threads.count, p.batch));
}

// `parts` of the batch, each computed by a group of `group_size` threads (thread_group.h).
struct Partition {
  int64_t parts, group_size;
};

// With few rows per thread, weights are read for hardly any products: then threads share rows and divide the hidden
// units, in multiples of `unit_blocks` blocks. Not where a unit needs all other units of its row within a step.
INLINE Partition partition_of(const Layer& p, const Threads& threads, int64_t unit_blocks) {
  const Partition alone{part_count(p, threads), 1};
  if (!p.large() || !threads.run || p.normed() || p.deferred_h()) return alone;
  const int64_t weights = p.hidden * (p.input + p.output);
  if (weights < SHARED_WEIGHTS) return alone;
  const int64_t few = weights >= FAR_WEIGHTS ? FEW_ROWS_FAR : FEW_ROWS;
  const int64_t parts = max(1, min(threads.count, p.batch / few));
  const int64_t group_size = min(threads.count / parts, ceil_div(blocks_of(p.hidden), unit_blocks));
  return group_size > 1 ? Partition{parts, group_size} : alone;
}

// Where part number `part` of `parts` equal parts of 0 .. total begins.
INLINE int64_t part_begin(int64_t total, int64_t part, int64_t parts) { return total * part / parts; }

// Calls work(part) for every part, each on a thread.
template <class Work>
inline void parallel_for(const Threads& threads, int64_t parts, const Work& work) {
  auto task = [](void* context, int64_t part) { (*static_cast<const Work*>(context))(part); };
  if (parts == 1) return work(0);
  threads.run(parts, task, const_cast<Work*>(&work));
}

// The largest floats(rows) among the slices of a part whose largest slice has `rows` rows. No slice has fewer than half
// as many, but a smaller one may need more memory.
template <class Floats>
inline int64_t most_floats(int64_t rows, const Floats& floats) {
  int64_t most = 0;
  for (int64_t count = rows; count >= 1 && count >= rows / 2; count--) most = max(most, floats(count));
  return most;
}

// Calls work(first, rows) for the slices of a part of the batch.
template <class Work>
inline void for_slices(int64_t batch, int64_t part, int64_t parts, const Work& work) {
  const FlushDenormals mode;
  const int64_t begin = part_begin(batch, part, parts), end = part_begin(batch, part + 1, parts);
  const int64_t slices = ceil_div(end - begin, SLICE_ROWS);
  for (int64_t k = 0; k < slices; k++) {
    const int64_t first = begin + part_begin(end - begin, k, slices);
    work(first, begin + part_begin(end - begin, k + 1, slices) - first);
  }
}

}  // namespace gatecast::GATECAST_ISA
