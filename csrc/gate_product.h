// The gates of one block of hidden units before activation: a product of [x | h] with a packed panel of weights.
#pragma once

#include "gemm.h"
#include "pack.h"

namespace gatecast::GATECAST_ISA {

// to[r] = init[r] + [x | h][r] @ panel for one block.
struct GateProduct {
  const float* init;
  int64_t init_row;
  const float* x;
  int64_t x_row, x_count;
  const float* h;
  int64_t h_row, h_count;
  const float* panel;
  float* to;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    Vec sum[M][N];
    load_tile<M, N>(sum, init + first * init_row, init_row);
    add_product<M, N>(sum, x + first * x_row, x_row, 1, panel, x_count);
    add_product<M, N>(sum, h + first * h_row, h_row, 1, panel + x_count * BLOCK_GATES, h_count);
    store_tile<M, N>(sum, to + first * BLOCK_GATES, BLOCK_GATES);
  }
};

// The same, with k in pieces whose panel stays in L1 while all rows are multiplied by it. `next_panel`: what is read
// after the last piece and is prefetched; null where the weights stay in L2.
inline void gate_product(GateProduct work, int64_t rows, const float* next_panel) {
  int64_t x_left = work.x_count, h_left = work.h_count;
  do {
    const int64_t piece = next_rows(max(1, x_left + h_left), PANEL_FLOATS / BLOCK_GATES);
    work.x_count = min(piece, x_left);
    work.h_count = min(piece - work.x_count, h_left);
    x_left -= work.x_count;
    h_left -= work.h_count;
    const float* next = x_left + h_left > 0 ? work.panel + piece * BLOCK_GATES : next_panel;
    for_tiles<4>(rows, work, next_panel ? Prefetch{next, piece * BLOCK_GATES} : Prefetch{});
    work.x += work.x_count;
    work.h += work.h_count;
    work.panel += (work.x_count + work.h_count) * BLOCK_GATES;
    work.init = work.to;
    work.init_row = BLOCK_GATES;
  } while (x_left + h_left > 0);
}

}  // namespace gatecast::GATECAST_ISA
