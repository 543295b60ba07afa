// Products of a few rows with packed panels of weights: the inner loop of all kernels.
//
// A panel is [k][count * LANES]: the columns of one block for every k, so that the loop over k reads it from end to
// end. A tile is M rows times N vectors of columns, all in registers: for each k, one load per column vector and one
// broadcast per row. Its size uses every register: 3 x 4 accumulators, 3 broadcasts and 1 load fill the 16 registers of
// AVX2; AVX-512 and NEON have 32 registers and take 6 x 4. Tails: a panel may have fewer columns (N = 1..3) and a tile
// fewer rows; both are instances of the same template, without masks.
#pragma once

#include "simd.h"

namespace gatecast::GATECAST_ISA {

// Floats of a panel that are used at a time: they stay in L1 while all rows are multiplied by them.
constexpr int64_t PANEL_FLOATS = 4608;

// Weights of more floats than this may not stay in L2 from step to step. Then the panel that is read next is
// prefetched, unless there are so few rows that the prefetch instructions take longer than they save.
constexpr int64_t NEAR_FLOATS = 64 << 10;
constexpr int64_t PREFETCH_ROWS = 32;

INLINE bool prefetch_pays(int64_t floats, int64_t rows) { return floats > NEAR_FLOATS && rows >= PREFETCH_ROWS; }

// Rows of a tile with `count` column vectors.
constexpr int tile_rows(int count) { return LANES == 8 ? (count == 4 ? 3 : count == 3 ? 4 : 6) : 6; }

// Rows of the next tile, so that the remaining tiles are about equal.
INLINE int64_t next_rows(int64_t left, int64_t most) { return ceil_div(left, ceil_div(left, most)); }

// sum[m][n] += a[m * row + k * step] * b[k][n] over k < count.
template <int M, int N>
INLINE void multiply(Vec (&sum)[M][N], const float* a, int64_t row, int64_t step, const float* b, int64_t count) {
  UNROLL4 for (int64_t k = 0; k < count; k++, a += step, b += N * LANES) {
    Vec left[M];
    UNROLL for (int m = 0; m < M; m++) left[m] = broadcast(a[m * row]);
    UNROLL for (int n = 0; n < N; n++) {
      Vec right = load(b + n * LANES);
      UNROLL for (int m = 0; m < M; m++) sum[m][n] += left[m] * right;
    }
  }
}

// One row has too few accumulators to hide the latency of the sum: every other k goes to a second set of them.
template <int N>
INLINE void multiply_row(Vec (&sum)[1][N], const float* a, int64_t step, const float* b, int64_t count) {
  Vec other[1][N] = {};
  int64_t k = 0;
  for (; k + 1 < count; k += 2, a += 2 * step, b += 2 * N * LANES) {
    Vec even = broadcast(a[0]), odd = broadcast(a[step]);
    UNROLL for (int n = 0; n < N; n++) {
      sum[0][n] += even * load(b + n * LANES);
      other[0][n] += odd * load(b + (N + n) * LANES);
    }
  }
  multiply<1, N>(sum, a, 0, step, b, count - k);
  UNROLL for (int n = 0; n < N; n++) sum[0][n] += other[0][n];
}

template <int M, int N>
INLINE void add_product(Vec (&sum)[M][N], const float* a, int64_t row, int64_t step, const float* b, int64_t count) {
  if constexpr (M == 1) {
    multiply_row<N>(sum, a, step, b, count);
  } else {
    multiply<M, N>(sum, a, row, step, b, count);
  }
}

template <int M, int N>
INLINE void load_tile(Vec (&sum)[M][N], const float* from, int64_t row) {
  UNROLL for (int m = 0; m < M; m++) {
    UNROLL for (int n = 0; n < N; n++) sum[m][n] = load(from + m * row + n * LANES);
  }
}

template <int M, int N>
INLINE void store_tile(const Vec (&sum)[M][N], float* to, int64_t row) {
  UNROLL for (int m = 0; m < M; m++) {
    UNROLL for (int n = 0; n < N; n++) store(to + m * row + n * LANES, sum[m][n]);
  }
}

// Calls work.tile<M, N>(first) for the tiles of `rows` rows.
template <int M, int N, class Work>
INLINE void call_tile(int64_t rows, int64_t first, const Work& work) {
  if (rows == M) {
    work.template tile<M, N>(first);
  } else if constexpr (M > 1) {
    call_tile<M - 1, N>(rows, first, work);
  }
}

// The weights that are read next: they are fetched to L2 while the tiles of the panel before are computed.
struct Prefetch {
  const float* at = nullptr;
  int64_t floats = 0;

  INLINE void fetch(int64_t begin, int64_t end) const {
    for (int64_t k = begin / 16 * 16; k < min(end, floats); k += 16) __builtin_prefetch(at + k, 0, 2);
  }
};

template <int N, class Work>
INLINE void for_tiles(int64_t rows, const Work& work, const Prefetch& prefetch = {}) {
  const int64_t floats_per_tile = prefetch.floats / max(1, rows / tile_rows(N)) + 16;
  for (int64_t first = 0, begin = 0; first < rows; begin += floats_per_tile) {
    if (prefetch.floats) prefetch.fetch(begin, begin + floats_per_tile);
    const int64_t count = next_rows(rows - first, tile_rows(N));
    call_tile<tile_rows(N), N>(count, first, work);
    first += count;
  }
}

// to[m][n] = sum over k of from(m, k) panel(k, n). `from` has the layout of the gradients of the gates: blocks of
// 4 * LANES values of k, `block` floats apart, with rows 4 * LANES floats apart.
struct BlockedProduct {
  const float* from;
  int64_t block, blocks;
  const float* panel;
  float* to;
  int64_t to_row;
  bool add;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    constexpr int64_t K = 4 * LANES;
    Vec sum[M][N] = {};
    if (add) load_tile<M, N>(sum, to + first * to_row, to_row);
    for (int64_t k = 0; k < blocks; k++) {
      add_product<M, N>(sum, from + k * block + first * K, K, 1, panel + k * K * N * LANES, K);
    }
    store_tile<M, N>(sum, to + first * to_row, to_row);
  }
};

template <int N>
inline void blocked_columns(BlockedProduct work, int64_t rows, int64_t blocks, bool prefetch) {
  const int64_t most = max(1, PANEL_FLOATS / (4 * LANES * N * LANES));
  for (int64_t done = 0; done < blocks; done += work.blocks) {
    work.blocks = next_rows(blocks - done, most);
    work.add = done > 0;
    const int64_t floats = work.blocks * 4 * LANES * N * LANES;
    for_tiles<N>(rows, work, prefetch ? Prefetch{work.panel + floats, floats} : Prefetch{});
    work.from += work.blocks * work.block;
    work.panel += work.blocks * 4 * LANES * N * LANES;
  }
}

constexpr int64_t PANEL_VECTORS = 4;  // column vectors next to each other in a panel

// The same for the column vectors begin .. end of `vectors`. Panels have four column vectors, the last one may have
// fewer; `begin` is the first of a panel.
inline void blocked_product(
    BlockedProduct work, int64_t rows, int64_t blocks, int64_t vectors, int64_t begin, int64_t end) {
  const bool prefetch = prefetch_pays(blocks * 4 * LANES * vectors * LANES, rows);
  work.panel += blocks * 4 * LANES * begin * LANES;
  work.to += begin * LANES;
  for (int64_t v = begin; v < end; v += PANEL_VECTORS) {
    int64_t count = min(PANEL_VECTORS, vectors - v);
    switch (count) {
      case 4: blocked_columns<4>(work, rows, blocks, prefetch); break;
      case 3: blocked_columns<3>(work, rows, blocks, prefetch); break;
      case 2: blocked_columns<2>(work, rows, blocks, prefetch); break;
      default: blocked_columns<1>(work, rows, blocks, prefetch);
    }
    work.panel += blocks * 4 * LANES * count * LANES;
    work.to += count * LANES;
  }
}

// With this many columns or fewer, a vector of columns would be at most half full.
constexpr int64_t NARROW = LANES / 2;

// The same for N <= NARROW columns, with vectors along k: the panel is [column][blocks * 4 * LANES], and `to` has
// contiguous rows of N values. A tile has as many rows as make LANES sums; transposed, they add up to one vector.
struct NarrowProduct {
  const float* from;
  int64_t block, blocks;
  const float* panel;
  float* to;

  // The rows first .. first + count. A tile with fewer rows repeats the last one, and does not store the copies.
  template <int N>
  INLINE void tile(int64_t first, int64_t count) const {
    constexpr int M = LANES / N;
    constexpr int64_t K = 4 * LANES;
    const float* rows[M];
    UNROLL for (int m = 0; m < M; m++) rows[m] = from + (first + min(m, count - 1)) * K;
    Vec sum[LANES] = {};
    for (int64_t b = 0; b < blocks; b++) {
      for (int64_t k = 0; k < K; k += LANES) {
        Vec left[M];
        UNROLL for (int m = 0; m < M; m++) left[m] = load(rows[m] + b * block + k);
        UNROLL for (int n = 0; n < N; n++) {
          const Vec right = load(panel + (n * blocks + b) * K + k);
          UNROLL for (int m = 0; m < M; m++) sum[m * N + n] += left[m] * right;
        }
      }
    }
    transpose(sum);
    Vec total = sum[0];
    UNROLL for (int k = 1; k < LANES; k++) total += sum[k];
    store(to + first * N, total, count * N);
  }
};

template <int N>
inline void narrow_product(const NarrowProduct& work, int64_t rows, int64_t columns) {
  if (columns == N) {
    constexpr int64_t M = LANES / N;
    for (int64_t first = 0; first < rows; first += M) work.tile<N>(first, min(M, rows - first));
  } else if constexpr (N > 1) {
    narrow_product<N - 1>(work, rows, columns);
  }
}

// to[m][n] = sum over k of from[m][k] panel(k, n), from plain rows.
struct RowProduct {
  const float* from;
  int64_t from_row, count;
  const float* panel;
  float* to;
  int64_t to_row;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    Vec sum[M][N] = {};
    add_product<M, N>(sum, from + first * from_row, from_row, 1, panel, count);
    store_tile<M, N>(sum, to + first * to_row, to_row);
  }
};

inline void row_product(RowProduct work, int64_t rows, int64_t vectors) {
  for (int64_t v = 0; v < vectors; v += 4) {
    const int64_t count = min(4, vectors - v);
    switch (count) {
      case 4: for_tiles<4>(rows, work); break;
      case 3: for_tiles<3>(rows, work); break;
      case 2: for_tiles<2>(rows, work); break;
      default: for_tiles<1>(rows, work);
    }
    work.panel += work.count * count * LANES;
    work.to += count * LANES;
  }
}

}  // namespace gatecast::GATECAST_ISA
