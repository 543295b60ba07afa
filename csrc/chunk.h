// What a slice of the backward pass works with: packed weights, and buffers of a chunk of steps and of one step.
#pragma once

#include "gemm.h"
#include "norm.h"
#include "pack.h"
#include "sums.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

constexpr int64_t CHUNK = 128;    // rows: SLOTS * CHUNK floats of a block stay in L1

INLINE int64_t chunk_steps(int64_t rows, int64_t time) {
  return larger(1, smaller(time, (CHUNK + rows / 2) / larger(1, rows)));
}

INLINE int64_t odd_lines(int64_t floats) {  // odd number of cache lines: rows do not fall on the same ones
  const int64_t lines = ceil_div(floats, 16);
  return (lines + (lines % 2 == 0)) * 16;
}

INLINE bool narrow(const Layer& p) { return p.input <= NARROW; }

struct Weights {
  float *hh, *ih, *projection;  // panels for gradients @ w_hh, @ w_ih (its columns where it is narrow) and @ w_proj
  float *panels, *bias;         // as in the forward pass, to compute the gates again
  Gains gains;

  Weights(Pieces& pieces, const Backward& p)
      : hh(pieces.take(blocks_of(p.hidden) * SLOTS * blocks_of(p.output) * LANES)),
        ih(pieces.take(blocks_of(p.hidden) * SLOTS * (narrow(p) ? p.input : blocks_of(p.input) * LANES))),
        projection(pieces.take(p.w_proj ? p.output * blocks_of(p.hidden) * LANES : 0)),
        panels(pieces.take(p.recompute() ? blocks_of(p.hidden) * (p.input + p.output) * SLOTS : 0)),
        bias(pieces.take(p.recompute() ? blocks_of(p.hidden) * SLOTS : 0)),
        gains(pieces, p) {}

  void pack(const Backward& p) const {
    pack_rows(p, p.w_hh, p.output, hh);
    if (p.grad_x) narrow(p) ? pack_columns(p, p.w_ih, p.input, ih) : pack_rows(p, p.w_ih, p.input, ih);
    if (p.w_proj) pack_projection(p, false, projection);
    gains.pack(p);
    for (int64_t block = 0; p.recompute() && block < blocks_of(p.hidden); block++) {
      float* panel = panels + block * (p.input + p.output) * SLOTS;
      pack_block(p, p.w_ih, p.input, block, panel);
      pack_block(p, p.w_hh, p.output, block, panel + p.input * SLOTS);
      pack_bias(p, p.bias, nullptr, block, bias + block * SLOTS);
    }
  }
};

struct Buffers {
  int64_t units, width;                 // hidden units and units of h, padded
  int64_t steps, chunk, block;          // steps and rows of a chunk; floats of a block
  int64_t depth, projected_depth;       // floats of a row of operands, of gradients of projected h
  float *gates, *gates_x, *rows, *grad_h, *grad_c, *kept_h, *kept_c, *grad_x;
  float* again;                         // gates of a chunk, where none were kept
  float *late, *squashed, *through;     // gradients of h before its projection; a normed cell, and what goes through it
  float *projected, *unprojected;       // of a chunk: gradients of h, and o tanh(c), [wide block][row][SLOTS]

  Buffers(Pieces& pieces, const Backward& p, int64_t count) {
    units = blocks_of(p.hidden) * LANES;
    width = blocks_of(p.output) * LANES;
    steps = chunk_steps(count, p.time);
    chunk = steps * count;
    block = (chunk + 1) * SLOTS;
    depth = odd_lines(p.input + p.output + 1 + LANES);
    projected_depth = odd_lines(width);
    const bool normed_cell = p.norm_c;
    gates = pieces.take(blocks_of(p.hidden) * block);
    gates_x = pieces.take(p.normed() ? blocks_of(p.hidden) * block : 0);
    rows = pieces.take(chunk * depth);
    grad_h = pieces.take(count * width);
    grad_c = pieces.take(count * units);
    kept_h = pieces.take(count * width);  // gradients that pass by a step
    kept_c = pieces.take(count * units);
    grad_x = p.grad_x && !narrow(p) ? pieces.take(chunk * blocks_of(p.input) * LANES) : nullptr;
    again = pieces.take(p.recompute() ? blocks_of(p.hidden) * block : 0);
    late = pieces.take(p.late() ? count * units : 0);
    squashed = pieces.take(normed_cell ? count * units : 0);
    through = pieces.take(normed_cell ? count * units : 0);
    projected = pieces.take(p.w_proj ? chunk * projected_depth : 0);
    unprojected = pieces.take(p.w_proj ? wide_blocks(p) * block : 0);
  }
};

}  // namespace gatecast::GATECAST_ISA
