// What a slice of the backward pass works with: packed weights, and the buffers of one chunk of steps.
#pragma once

#include "bf16_pack.h"
#include "gemm.h"
#include "norm.h"
#include "pack.h"
#include "weight_sums.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

constexpr int64_t CHUNK = 128;  // rows: the gradients of a block, CHUNK * BLOCK_GATES floats, stay in L1

INLINE int64_t chunk_steps(int64_t rows, int64_t time) {
  return max(1, min(time, (CHUNK + rows / 2) / max(1, rows)));
}

INLINE bool narrow(const Layer& p) { return p.input <= NARROW; }

// Whether the gradients of x and of the weights are products of bfloat16. Not with layer normalisation, where the terms
// of x and h have separate gradients.
INLINE bool bf16_input(const Layer& p) { return BF16_TILES && !narrow(p) && !p.normed(); }
INLINE bool bf16_weights(const Layer& p) { return BF16_TILES && !p.normed(); }

// Columns of a product with w_hh or w_ih, padded.
INLINE int64_t padded(int64_t columns) { return round_up(columns, BF16_TILES ? PANEL_COLUMNS : LANES); }
INLINE int64_t padded_rows(int64_t rows) { return BF16_TILES ? round_up(rows, TILE_ROWS) : rows; }

struct Weights {
  float *hh, *ih, *projection;  // panels for gradients @ w_hh, @ w_ih (its columns where x is narrow) and @ w_proj
  float *panels, *bias;         // as in the forward pass, where the gates are computed again
  Gains gains;

  Weights(Arena& arena, const Backward& p)
      : hh(arena.take(blocks_of(p.hidden) * BLOCK_GATES * padded(p.output) / (BF16_TILES ? 2 : 1))),
        ih(arena.take(input_floats(p))),
        projection(arena.take(p.w_proj ? p.output * blocks_of(p.hidden) * LANES : 0)),
        panels(arena.take(p.recompute() ? blocks_of(p.hidden) * block_floats(p) : 0)),
        bias(arena.take(p.recompute() ? blocks_of(p.hidden) * BLOCK_GATES : 0)),
        gains(arena, p) {}

  static int64_t input_floats(const Backward& p) {
    const int64_t depth = blocks_of(p.hidden) * BLOCK_GATES;
    return bf16_input(p) ? depth * padded(p.input) / 2 : depth * (narrow(p) ? p.input : padded(p.input));
  }

  static int64_t block_floats(const Backward& p) { return gate_panel_floats(p.input) + gate_panel_floats(p.output); }

  void pack(const Backward& p) const {
    BF16_TILES ? pack_bf16_rows(p, p.w_hh, p.output, as_bf16(hh)) : pack_rows(p, p.w_hh, p.output, hh);
    if (p.grad_x) pack_input(p);
    if (p.w_proj) pack_projection(p, false, projection);
    gains.pack(p);
    for (int64_t block = 0; p.recompute() && block < blocks_of(p.hidden); block++) {
      float* panel = panels + block * block_floats(p);
      pack_bias(p, p.bias, nullptr, block, bias + block * BLOCK_GATES);
      if constexpr (BF16_TILES) {
        pack_gate_panels(p, block, as_bf16(panel));
      } else {
        pack_block(p, p.w_ih, p.input, block, panel);
        pack_block(p, p.w_hh, p.output, block, panel + p.input * BLOCK_GATES);
      }
    }
  }

  void pack_input(const Backward& p) const {
    if (narrow(p)) return pack_columns(p, p.w_ih, p.input, ih);
    bf16_input(p) ? pack_bf16_rows(p, p.w_ih, p.input, as_bf16(ih)) : pack_rows(p, p.w_ih, p.input, ih);
  }
};

// What the products of a chunk read as bfloat16.
struct Bf16Buffers {
  Bf16 *gates, *gates_panels;      // gradients of the gates by rows, and those of one block as panels
  Bf16 *operands_t, *operands;     // [x | h | 1]^T; [x | h]
  float* zeros;                    // as many as the widest product has columns
  int64_t zero_floats;
  int64_t gates_row, operands_t_row;  // values from row to row
  int64_t depth;                      // rows of the chunk, rounded up to a multiple of 32

  Bf16Buffers() = default;

  Bf16Buffers(Arena& arena, const Backward& p, int64_t chunk) {
    const int64_t gates_depth = blocks_of(p.hidden) * BLOCK_GATES;
    const int64_t rows = chunk + TILE_ROWS;  // a tile may read beyond the last row
    depth = round_up(chunk, TILE_DEPTH);
    gates_row = bf16_row(gates_depth);
    operands_t_row = bf16_row(depth);
    gates = take(arena, rows * gates_row);
    gates_panels = take(arena, depth * BLOCK_GATES);
    operands_t = take(arena, round_up(p.input + p.output + 1, TILE_ROWS) * operands_t_row);
    operands = take(arena, p.recompute() ? rows * Bf16Gates(p).row : 0);
    zero_floats = max(BLOCK_GATES, max(padded(p.input), padded(p.output)));
    zeros = arena.take(zero_floats);
  }

 private:
  static Bf16* take(Arena& arena, int64_t values) { return as_bf16(arena.take(values / 2)); }
};

struct Buffers {
  int64_t units, width;                // hidden units and units of h, padded
  int64_t steps, chunk, block;         // steps and rows of a chunk; floats of a block of gates
  int64_t operand_row, projected_row;  // floats of a row of operands, of a row of gradients of projected h

  // Of a chunk.
  float *gates, *gates_x;        // gradients of the gates, [block][row][BLOCK_GATES]; gates_x: of the normalised x term
  float* recomputed;             // gates, where none were kept
  float* operands;               // [x | h before the step | 1], a row for each row and step
  float* grad_x;                 // gradients of x, where they are not written to the result at once
  float *projected, *unprojected;  // gradients of projected h; o tanh(c), [wide block][row][BLOCK_GATES]

  // Of one step.
  float *grad_h, *grad_c;        // gradients of h and c before the step
  float *bypass_h, *bypass_c;    // the part of them that goes around the step: zoneout and masks
  float* grad_deferred;          // gradients of o tanh(c), where h is deferred
  float *squashed, *through;     // of a normalised cell: its activation, and the gradient of c through normalisation
  Bf16Buffers bf16;

  Buffers(Arena& arena, const Backward& p, int64_t count) {
    units = blocks_of(p.hidden) * LANES;
    width = padded(p.output);
    steps = chunk_steps(count, p.time);
    chunk = steps * count;
    block = (padded_rows(chunk) + 1) * BLOCK_GATES;
    operand_row = odd_cache_lines(p.input + p.output + 1 + LANES);
    projected_row = odd_cache_lines(width);
    const bool normed_cell = p.norm_c;
    gates = arena.take(blocks_of(p.hidden) * block);
    gates_x = arena.take(p.normed() ? blocks_of(p.hidden) * block : 0);
    operands = arena.take(chunk * operand_row);
    grad_h = arena.take(padded_rows(count) * width);
    grad_c = arena.take(count * units);
    bypass_h = arena.take(count * width);
    bypass_c = arena.take(count * units);
    grad_x = p.grad_x && !narrow(p) ? arena.take(padded_rows(chunk) * padded(p.input)) : nullptr;
    recomputed = arena.take(p.recompute() ? blocks_of(p.hidden) * block : 0);
    grad_deferred = arena.take(p.deferred_h() ? count * units : 0);
    squashed = arena.take(normed_cell ? count * units : 0);
    through = arena.take(normed_cell ? count * units : 0);
    projected = arena.take(p.w_proj ? chunk * projected_row : 0);
    unprojected = arena.take(p.w_proj ? wide_blocks(p) * block : 0);
    if constexpr (BF16_TILES) bf16 = Bf16Buffers(arena, p, chunk);
  }
};

}  // namespace gatecast::GATECAST_ISA
