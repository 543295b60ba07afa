// Vectors of `LANES` floats through the vector extensions of GCC and Clang: loads, stores, tails, transposition.
//
// Everything is compiled once per instruction set, in a separate namespace. No standard containers here: of a template
// that several instruction sets compile, the linker keeps one copy, which could be the one for AVX-512.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__AVX__)
#include <immintrin.h>
#endif

#define INLINE inline __attribute__((always_inline))
#if defined(__clang__)
#define UNROLL _Pragma("unroll")
#define UNROLL4 _Pragma("unroll 4")
#else
#define UNROLL _Pragma("GCC unroll 16")
#define UNROLL4 _Pragma("GCC unroll 4")
#endif

namespace gatecast::GATECAST_ISA {

constexpr int64_t LANES = GATECAST_LANES;
typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef int32_t Bits __attribute__((vector_size(4 * LANES)));
typedef float Unaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

INLINE Vec load(const float* p) { return *reinterpret_cast<const Unaligned*>(p); }
INLINE void store(float* p, Vec v) { *reinterpret_cast<Unaligned*>(p) = v; }
INLINE bool aligned(const float* p) { return reinterpret_cast<uintptr_t>(p) % (4 * LANES) == 0; }
INLINE Vec broadcast(float value) { return value - Vec{}; }

// The first n values; zeros after them.
INLINE Vec load(const float* p, int64_t n) {
  if (n >= LANES) return load(p);
  float buffer[LANES] = {};
  for (int64_t k = 0; k < n; k++) buffer[k] = p[k];
  return load(buffer);
}

INLINE void store(float* p, Vec v, int64_t n) {
  if (n >= LANES) return store(p, v);
  float buffer[LANES];
  store(buffer, v);
  for (int64_t k = 0; k < n; k++) p[k] = buffer[k];
}

INLINE void copy(float* to, const float* from, int64_t count) {
  for (int64_t k = 0; k < count; k += LANES) store(to + k, load(from + k, count - k), count - k);
}

// Stores past the caches, for values that are read long after. `p` is aligned to a vector.
INLINE void stream(float* p, Vec v) {
#if defined(__AVX512F__) && GATECAST_LANES == 16
  _mm512_stream_ps(p, (__m512)v);
#elif defined(__AVX__) && GATECAST_LANES == 8
  _mm256_stream_ps(p, (__m256)v);
#else
  store(p, v);
#endif
}

// Makes streamed values visible to other threads that synchronise with this one.
INLINE void end_stream() {
#if defined(__AVX__)
  _mm_sfence();
#endif
}

// Both keep NaN in `v`: they are written so that a comparison with NaN selects v.
INLINE Vec at_most(Vec v, Vec bound) {
#if defined(__AVX512F__) && GATECAST_LANES == 16
  return (Vec)_mm512_min_ps((__m512)bound, (__m512)v);
#elif defined(__AVX__) && GATECAST_LANES == 8
  return (Vec)_mm256_min_ps((__m256)bound, (__m256)v);
#else
  return v > bound ? bound : v;
#endif
}

INLINE Vec at_least(Vec v, Vec bound) {
#if defined(__AVX512F__) && GATECAST_LANES == 16
  return (Vec)_mm512_max_ps((__m512)bound, (__m512)v);
#elif defined(__AVX__) && GATECAST_LANES == 8
  return (Vec)_mm256_max_ps((__m256)bound, (__m256)v);
#else
  return v < bound ? bound : v;
#endif
}

// a * b + c as one fused operation, where c is a product too. The compiler could fuse either product, and decide
// differently for another number of rows; with this the bits of a row do not depend on the other rows.
INLINE Vec fused(Vec a, Vec b, Vec c) {
#if defined(__AVX512F__) && GATECAST_LANES == 16
  return (Vec)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined(__FMA__) && GATECAST_LANES == 8
  return (Vec)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#else
  UNROLL for (int n = 0; n < LANES; n++) c[n] = __builtin_fmaf(a[n], b[n], c[n]);
  return c;
#endif
}

INLINE Vec clamp(Vec v, Vec low, Vec high) { return at_least(at_most(v, high), low); }
INLINE Vec magnitude(Vec v) { return (Vec)((Bits)v & 0x7fffffff); }

INLINE int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }
INLINE int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rounds up to an odd number of cache lines: rows of this length do not compete for the same sets of a cache.
INLINE int64_t odd_cache_lines(int64_t floats) {
  const int64_t lines = ceil_div(floats, 16);
  return (lines + (lines % 2 == 0)) * 16;
}

// rows[k][lane] -> rows[lane][k], in place, in log2(LANES) rounds: each swaps the off-diagonal quarters of blocks of
// size 2 * half.
template <int64_t half>
INLINE void swap_quarters(Vec (&rows)[LANES]) {
  Bits low{}, high{};
  UNROLL for (int k = 0; k < LANES; k++) {
    low[k] = (k & half) ? LANES + k - half : k;
    high[k] = (k & half) ? LANES + k : k + half;
  }
  UNROLL for (int k = 0; k < LANES; k++) {
    if (k & half) continue;
    Vec a = rows[k], b = rows[k + half];
    rows[k] = __builtin_shuffle(a, b, low);
    rows[k + half] = __builtin_shuffle(a, b, high);
  }
}

INLINE void transpose(Vec (&rows)[LANES]) {
  swap_quarters<1>(rows);
  swap_quarters<2>(rows);
  if constexpr (LANES > 4) swap_quarters<4>(rows);
  if constexpr (LANES > 8) swap_quarters<8>(rows);
}

}  // namespace gatecast::GATECAST_ISA
