// What a slice of the forward pass works with: packed weights, and buffers of a step and of those computed ahead.
#pragma once

#include "thread_group.h"
#include "direct.h"
#include "bf16_pack.h"
#include "norm.h"
#include "pack.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

// Rows whose shares of x are computed at once, and the most of a slice for which that is done.
constexpr int64_t PRECOMPUTED_ROWS = 64, PRECOMPUTE_MAX_ROWS = 16, PRECOMPUTE_MIN_ROWS = 16;
static_assert(PRECOMPUTE_MAX_ROWS < PREFETCH_ROWS, "of what is fetched ahead, the share of x would have to be left out");

// What is done before the steps.
struct Plan {
  bool precompute_x;               // the shares of x, for several steps
  bool packed_x, packed_h;  // weights are read from panels

  // `rows` of the largest slice.
  Plan(const Forward& p, int64_t rows)
      : precompute_x(!BF16_TILES && !p.normed() && rows <= PRECOMPUTE_MAX_ROWS && p.time * rows >= PRECOMPUTE_MIN_ROWS) {
    const bool direct = !BF16_TILES && !p.normed() && read_directly(rows, p.time, weight_floats(p));
    packed_x = precompute_x || !direct;
    packed_h = !direct;
  }

  int64_t steps(const Forward& p, int64_t rows) const {
    return precompute_x ? min(p.time, PRECOMPUTED_ROWS / max(1, rows)) : 0;
  }

  static int64_t weight_floats(const Forward& p) { return blocks_of(p.hidden) * (p.input + p.output) * BLOCK_GATES; }
};

struct ForwardWeights {
  int64_t x_floats, h_floats;  // of a block's panel, or of its panels of halves
  float *panels, *bias;        // [block][input, then output][SLOTS], without what is not packed; [block][SLOTS]
  float* projection;           // panels
  Gains gains;

  ForwardWeights(Arena& arena, const Forward& p, const Plan& plan)
      : x_floats(plan.packed_x * gate_panel_floats(p.input)),
        h_floats(plan.packed_h * gate_panel_floats(p.output)),
        panels(arena.take(blocks_of(p.hidden) * (x_floats + h_floats))),
        bias(arena.take((blocks_of(p.hidden) + 1) * BLOCK_GATES)),  // and a block of zeros
        projection(arena.take(p.w_proj ? p.hidden * blocks_of(p.output) * LANES : 0)),
        gains(arena, p) {}

  float* panel(int64_t block) const { return panels + block * (x_floats + h_floats); }

  void pack(const Forward& p, int64_t block) const {
    pack_bias(p, p.bias, p.bias_hh, block, bias + block * BLOCK_GATES);
    if constexpr (BF16_TILES) return pack_gate_panels(p, block, as_bf16(panel(block)));
    if (x_floats) pack_block(p, p.w_ih, p.input, block, panel(block));
    if (h_floats) pack_block(p, p.w_hh, p.output, block, panel(block) + x_floats);
  }

  void pack_rest(const Forward& p) const {
    pack_bias(p, nullptr, nullptr, 0, bias + blocks_of(p.hidden) * BLOCK_GATES);
    if (p.w_proj) pack_projection(p, true, projection);
    gains.pack(p);
  }
};

// Buffers of one slice. `operand` is what is multiplied by w_hh: h, or h times the recurrent mask; two, since every
// block of a step needs all of the step before.
struct ForwardBuffers {
  float *operand[2], *state, *cell, *gates;
  float *gates_h, *deferred, *new_c, *projected;  // share of h; o or o tanh(c), and c of the step, where h has to wait
  float *input, *gates_x;  // x, and its shares of the gates, [block][step][row][SLOTS], of the steps computed at once
  int64_t x_steps;          // so many steps; 0: none
  Bf16* xh;           // [x | h], each with zeros up to a multiple of 32
  int64_t gate_rows;      // of the buffers of gates: whole tiles of halves
  int64_t row;            // floats from row to row of all but the gates
  int64_t blocks_at_once;          // blocks whose gates come before their cells: with few rows, cells of several blocks overlap

  // Members of a crew have gates of their own, and share the rest.
  ForwardBuffers(Arena& arena, const Forward& p, const Plan& plan, int64_t rows, GroupThread thread)
      : row(blocks_of(max(p.hidden, p.output)) * LANES + 16),
        blocks_at_once(p.normed() ? blocks_of(p.hidden) : min(blocks_of(p.hidden), ceil_div(16, max(1, rows)))) {
    gate_rows = BF16_TILES ? round_up(rows, TILE_ROWS) : rows;
    for (float*& one : operand) one = arena.take(rows * row);
    state = p.recurrent.at ? arena.take(rows * row) : nullptr;
    cell = arena.take(rows * row);
    gates = arena.take(thread.size * blocks_at_once * gate_rows * BLOCK_GATES);
    if (gates) gates += thread.rank * blocks_at_once * gate_rows * BLOCK_GATES;
    gates_h = arena.take(p.normed() ? blocks_at_once * gate_rows * BLOCK_GATES : 0);
    deferred = arena.take(p.deferred_h() ? rows * row : 0);
    new_c = arena.take(p.norm_c ? rows * row : 0);
    projected = arena.take(p.w_proj ? rows * row : 0);
    x_steps = plan.steps(p, rows);
    const int64_t floats = x_steps * rows * p.input;
    input = arena.take(thread.size * floats);
    if (input) input += thread.rank * floats;
    gates_x = arena.take(x_steps * rows * blocks_of(p.hidden) * BLOCK_GATES);
    const int64_t bf16_floats = BF16_TILES ? gate_rows * Bf16Gates(p).row / 2 : 0;
    xh = as_bf16(arena.take(thread.size * bf16_floats));
    if (xh) xh += 2 * thread.rank * bf16_floats;
  }
};

}  // namespace gatecast::GATECAST_ISA
