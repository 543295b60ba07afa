// What a slice of the backward pass works with: packed weights, and buffers of a chunk of steps and of one step.
#pragma once

#include "gemm.h"
#include "half_pack.h"
#include "norm.h"
#include "pack.h"
#include "sums.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

constexpr int64_t CHUNK = 128;  // rows: SLOTS * CHUNK floats of a block stay in L1

INLINE int64_t chunk_steps(int64_t rows, int64_t time) {
  return larger(1, smaller(time, (CHUNK + rows / 2) / larger(1, rows)));
}

INLINE bool narrow(const Layer& p) { return p.input <= NARROW; }

// Gradients of x, and those of the weights, from halves: normalised gates have two kinds of gradients, and go without.
INLINE bool half_input(const Layer& p) { return HALF && !narrow(p) && !p.normed(); }
INLINE bool half_weights(const Layer& p) { return HALF && !p.normed(); }

// Columns of a product with w_hh or w_ih, padded.
INLINE int64_t padded(int64_t columns) { return round_up(columns, HALF ? PANEL_COLUMNS : LANES); }
INLINE int64_t padded_rows(int64_t rows) { return HALF ? round_up(rows, TILE_ROWS) : rows; }

struct Weights {
  float *hh, *ih, *projection;  // panels for gradients @ w_hh, @ w_ih (its columns where it is narrow) and @ w_proj
  float *panels, *bias;         // as in the forward pass, to compute the gates again
  Gains gains;

  Weights(Pieces& pieces, const Backward& p)
      : hh(pieces.take(blocks_of(p.hidden) * SLOTS * padded(p.output) / (HALF ? 2 : 1))),
        ih(pieces.take(input_floats(p))),
        projection(pieces.take(p.w_proj ? p.output * blocks_of(p.hidden) * LANES : 0)),
        panels(pieces.take(p.recompute() ? blocks_of(p.hidden) * block_floats(p) : 0)),
        bias(pieces.take(p.recompute() ? blocks_of(p.hidden) * SLOTS : 0)),
        gains(pieces, p) {}

  static int64_t input_floats(const Backward& p) {
    const int64_t depth = blocks_of(p.hidden) * SLOTS;
    return half_input(p) ? depth * padded(p.input) / 2 : depth * (narrow(p) ? p.input : padded(p.input));
  }

  static int64_t block_floats(const Backward& p) { return gate_panel_floats(p.input) + gate_panel_floats(p.output); }

  void pack(const Backward& p) const {
    HALF ? pack_half_rows(p, p.w_hh, p.output, as_halves(hh)) : pack_rows(p, p.w_hh, p.output, hh);
    if (p.grad_x) pack_input(p);
    if (p.w_proj) pack_projection(p, false, projection);
    gains.pack(p);
    for (int64_t block = 0; p.recompute() && block < blocks_of(p.hidden); block++) {
      float* panel = panels + block * block_floats(p);
      pack_bias(p, p.bias, nullptr, block, bias + block * SLOTS);
      if constexpr (HALF) {
        pack_gate_panels(p, block, as_halves(panel));
      } else {
        pack_block(p, p.w_ih, p.input, block, panel);
        pack_block(p, p.w_hh, p.output, block, panel + p.input * SLOTS);
      }
    }
  }

  void pack_input(const Backward& p) const {
    if (narrow(p)) return pack_columns(p, p.w_ih, p.input, ih);
    half_input(p) ? pack_half_rows(p, p.w_ih, p.input, as_halves(ih)) : pack_rows(p, p.w_ih, p.input, ih);
  }
};

// What the products of a chunk round to bfloat16.
struct HalfBuffers {
  Half *gates, *pairs;                   // gradients of the gates, [row]; those of one block, as panels
  Half *turned, *operands;               // [x | h | 1]^T; [x | h]
  float* zeros;                          // of the widest product
  int64_t zero_floats;
  int64_t gates_row, turned_row, depth;  // halves from row to row; rows of the chunk up to a multiple of 32

  HalfBuffers() = default;

  HalfBuffers(Pieces& pieces, const Backward& p, int64_t chunk) {
    const int64_t gates_depth = blocks_of(p.hidden) * SLOTS, rows = chunk + TILE_ROWS;  // a tile reads beyond the last
    depth = round_up(chunk, TILE_DEPTH);
    gates_row = half_row(gates_depth);
    turned_row = half_row(depth);
    gates = take(pieces, rows * gates_row);
    pairs = take(pieces, depth * SLOTS);
    turned = take(pieces, round_up(p.input + p.output + 1, TILE_ROWS) * turned_row);
    operands = take(pieces, p.recompute() ? rows * GateHalves(p).row : 0);
    zero_floats = larger(SLOTS, larger(padded(p.input), padded(p.output)));
    zeros = pieces.take(zero_floats);
  }

 private:
  static Half* take(Pieces& pieces, int64_t halves) { return as_halves(pieces.take(halves / 2)); }
};

struct Buffers {
  int64_t units, width;                 // hidden units and units of h, padded
  int64_t steps, chunk, block;          // steps and rows of a chunk; floats of a block
  int64_t depth, projected_depth;       // floats of a row of operands, of gradients of projected h
  float *gates, *gates_x, *rows, *grad_h, *grad_c, *kept_h, *kept_c, *grad_x;
  float* again;                         // gates of a chunk, where none were kept
  float *late, *squashed, *through;     // gradients of h before its projection; a normed cell, and what goes through it
  float *projected, *unprojected;       // of a chunk: gradients of h, and o tanh(c), [wide block][row][SLOTS]
  HalfBuffers halves;

  Buffers(Pieces& pieces, const Backward& p, int64_t count) {
    units = blocks_of(p.hidden) * LANES;
    width = padded(p.output);
    steps = chunk_steps(count, p.time);
    chunk = steps * count;
    block = (padded_rows(chunk) + 1) * SLOTS;
    depth = odd_lines(p.input + p.output + 1 + LANES);
    projected_depth = odd_lines(width);
    const bool normed_cell = p.norm_c;
    gates = pieces.take(blocks_of(p.hidden) * block);
    gates_x = pieces.take(p.normed() ? blocks_of(p.hidden) * block : 0);
    rows = pieces.take(chunk * depth);
    grad_h = pieces.take(padded_rows(count) * width);
    grad_c = pieces.take(count * units);
    kept_h = pieces.take(count * width);  // gradients that pass by a step
    kept_c = pieces.take(count * units);
    grad_x = p.grad_x && !narrow(p) ? pieces.take(padded_rows(chunk) * padded(p.input)) : nullptr;
    again = pieces.take(p.recompute() ? blocks_of(p.hidden) * block : 0);
    late = pieces.take(p.late() ? count * units : 0);
    squashed = pieces.take(normed_cell ? count * units : 0);
    through = pieces.take(normed_cell ? count * units : 0);
    projected = pieces.take(p.w_proj ? chunk * projected_depth : 0);
    unprojected = pieces.take(p.w_proj ? wide_blocks(p) * block : 0);
    if constexpr (HALF) halves = HalfBuffers(pieces, p, chunk);
  }
};

}  // namespace gatecast::GATECAST_ISA
