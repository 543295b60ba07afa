// What a slice of the forward pass works with: packed weights, and the buffers of its steps.
#pragma once

#include "bf16_pack.h"
#include "direct.h"
#include "norm.h"
#include "pack.h"
#include "thread_group.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

// The terms of x are computed for several steps at once, about PRECOMPUTED_ROWS rows, where a slice has at most
// PRECOMPUTE_MAX_ROWS rows and the call at least PRECOMPUTE_MIN_ROWS rows of steps.
constexpr int64_t PRECOMPUTED_ROWS = 64, PRECOMPUTE_MAX_ROWS = 16, PRECOMPUTE_MIN_ROWS = 16;
static_assert(PRECOMPUTE_MAX_ROWS < PREFETCH_ROWS, "otherwise the prefetch would have to leave out the weights of x");

// How the gates of a call are computed.
struct Plan {
  bool precompute_x;        // the terms of x, for several steps at once
  bool packed_x, packed_h;  // weights are read from packed panels

  // `rows` of the largest slice.
  Plan(const Forward& p, int64_t rows)
      : precompute_x(
            !BF16_TILES && !p.normed() && rows <= PRECOMPUTE_MAX_ROWS && p.time * rows >= PRECOMPUTE_MIN_ROWS) {
    const bool direct = !BF16_TILES && !p.normed() && read_directly(rows, p.time, weight_floats(p));
    packed_x = precompute_x || !direct;
    packed_h = !direct;
  }

  // Steps whose terms of x are computed at once; 0: none.
  int64_t x_steps(const Forward& p, int64_t rows) const {
    return precompute_x ? min(p.time, PRECOMPUTED_ROWS / max(1, rows)) : 0;
  }

  static int64_t weight_floats(const Forward& p) { return blocks_of(p.hidden) * (p.input + p.output) * BLOCK_GATES; }
};

struct ForwardWeights {
  int64_t x_floats, h_floats;  // of a block's panel of w_ih and of w_hh; 0: it is not packed
  float* panels;               // [block][rows of x, then of h][BLOCK_GATES]; or panels of bfloat16
  float* bias;                 // [block][BLOCK_GATES], and a block of zeros
  float* projection;           // panels of w_proj
  Gains gains;

  ForwardWeights(Arena& arena, const Forward& p, const Plan& plan)
      : x_floats(plan.packed_x * gate_panel_floats(p.input)),
        h_floats(plan.packed_h * gate_panel_floats(p.output)),
        panels(arena.take(blocks_of(p.hidden) * (x_floats + h_floats))),
        bias(arena.take((blocks_of(p.hidden) + 1) * BLOCK_GATES)),
        projection(arena.take(p.w_proj ? p.hidden * blocks_of(p.output) * LANES : 0)),
        gains(arena, p) {}

  float* panel(int64_t block) const { return panels + block * (x_floats + h_floats); }

  // The weights of one block of hidden units.
  void pack(const Forward& p, int64_t block) const {
    pack_bias(p, p.bias, p.bias_hh, block, bias + block * BLOCK_GATES);
    if constexpr (BF16_TILES) return pack_gate_panels(p, block, as_bf16(panel(block)));
    if (x_floats) pack_block(p, p.w_ih, p.input, block, panel(block));
    if (h_floats) pack_block(p, p.w_hh, p.output, block, panel(block) + x_floats);
  }

  // What does not belong to a block.
  void pack_rest(const Forward& p) const {
    pack_bias(p, nullptr, nullptr, 0, bias + blocks_of(p.hidden) * BLOCK_GATES);
    if (p.w_proj) pack_projection(p, true, projection);
    gains.pack(p);
  }
};

// Buffers of one slice. `operand` is what is multiplied by w_hh: h, or h times the recurrent mask. There are two of
// them, because every block of a step reads all of the step before.
struct ForwardBuffers {
  int64_t row;             // floats from row to row, of all buffers but those of gates
  int64_t gate_rows;       // rows of the buffers of gates; for bfloat16 a whole number of tiles
  int64_t blocks_at_once;  // blocks whose gates are computed before their cells; several where rows are few
  int64_t x_steps;         // steps whose terms of x are computed at once; 0: none
  float *operand[2], *state, *cell;
  float *gates, *gates_h;  // of the blocks at once, [block][row][BLOCK_GATES]; gates_h: the term of h to be normalised
  float *input, *gates_x;  // of the steps at once: x, and its terms of the gates, [block][step][row][BLOCK_GATES]
  float *deferred, *new_c, *projected;  // where h is deferred: o or o tanh(c); c before masks; h
  Bf16* xh;                // [x | h], each padded with zeros to a multiple of 32

  // The threads of a group have separate gates, input and xh, and share the other buffers.
  ForwardBuffers(Arena& arena, const Forward& p, const Plan& plan, int64_t rows, GroupThread thread)
      : row(blocks_of(max(p.hidden, p.output)) * LANES + 16),
        gate_rows(BF16_TILES ? round_up(rows, TILE_ROWS) : rows),
        blocks_at_once(p.normed() ? blocks_of(p.hidden) : min(blocks_of(p.hidden), ceil_div(16, max(1, rows)))),
        x_steps(plan.x_steps(p, rows)) {
    for (float*& one : operand) one = arena.take(rows * row);
    state = p.recurrent.at ? arena.take(rows * row) : nullptr;
    cell = arena.take(rows * row);
    gates = take_own(arena, thread, blocks_at_once * gate_rows * BLOCK_GATES);
    gates_h = arena.take(p.normed() ? blocks_at_once * gate_rows * BLOCK_GATES : 0);
    deferred = arena.take(p.deferred_h() ? rows * row : 0);
    new_c = arena.take(p.norm_c ? rows * row : 0);
    projected = arena.take(p.w_proj ? rows * row : 0);
    input = take_own(arena, thread, x_steps * rows * p.input);
    gates_x = arena.take(x_steps * rows * blocks_of(p.hidden) * BLOCK_GATES);
    xh = as_bf16(take_own(arena, thread, BF16_TILES ? gate_rows * Bf16Gates(p).row / 2 : 0));
  }

 private:
  // A buffer for each thread of the group, one after the other; that of this thread.
  static float* take_own(Arena& arena, const GroupThread& thread, int64_t floats) {
    float* all = arena.take(thread.size * floats);
    return all ? all + thread.rank * floats : nullptr;
  }
};

}  // namespace gatecast::GATECAST_ISA
