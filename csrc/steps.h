// What a slice of the forward pass works with: packed weights, and buffers of a step and of those computed ahead.
#pragma once

#include "crew.h"
#include "direct.h"
#include "half_pack.h"
#include "norm.h"
#include "pack.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

// Rows whose shares of x are computed at once, and the most of a slice for which that is done.
constexpr int64_t AHEAD_ROWS = 64, FEW_AHEAD = 16, LEAST_AHEAD = 16;
static_assert(FEW_AHEAD < FETCH_ROWS, "of what is fetched ahead, the share of x would have to be left out");

// What is done before the steps.
struct Plan {
  bool ahead;               // the shares of x, for several steps
  bool packed_x, packed_h;  // weights are read from panels

  // `rows` of the largest slice.
  Plan(const Forward& p, int64_t rows)
      : ahead(!HALF && !p.normed() && rows <= FEW_AHEAD && p.time * rows >= LEAST_AHEAD) {
    const bool direct = !HALF && !p.normed() && read_directly(rows, p.time, weight_floats(p));
    packed_x = ahead || !direct;
    packed_h = !direct;
  }

  int64_t steps(const Forward& p, int64_t rows) const {
    return ahead ? smaller(p.time, AHEAD_ROWS / larger(1, rows)) : 0;
  }

  static int64_t weight_floats(const Forward& p) { return blocks_of(p.hidden) * (p.input + p.output) * SLOTS; }
};

struct ForwardWeights {
  int64_t x_floats, h_floats;  // of a block's panel, or of its panels of halves
  float *panels, *bias;        // [block][input, then output][SLOTS], without what is not packed; [block][SLOTS]
  float* projection;           // panels
  Gains gains;

  ForwardWeights(Pieces& pieces, const Forward& p, const Plan& plan)
      : x_floats(plan.packed_x * gate_panel_floats(p.input)),
        h_floats(plan.packed_h * gate_panel_floats(p.output)),
        panels(pieces.take(blocks_of(p.hidden) * (x_floats + h_floats))),
        bias(pieces.take((blocks_of(p.hidden) + 1) * SLOTS)),  // and a block of zeros
        projection(pieces.take(p.w_proj ? p.hidden * blocks_of(p.output) * LANES : 0)),
        gains(pieces, p) {}

  float* panel(int64_t block) const { return panels + block * (x_floats + h_floats); }

  void pack(const Forward& p, int64_t block) const {
    pack_bias(p, p.bias, p.bias_hh, block, bias + block * SLOTS);
    if constexpr (HALF) return pack_gate_panels(p, block, as_halves(panel(block)));
    if (x_floats) pack_block(p, p.w_ih, p.input, block, panel(block));
    if (h_floats) pack_block(p, p.w_hh, p.output, block, panel(block) + x_floats);
  }

  void pack_rest(const Forward& p) const {
    pack_bias(p, nullptr, nullptr, 0, bias + blocks_of(p.hidden) * SLOTS);
    if (p.w_proj) pack_projection(p, true, projection);
    gains.pack(p);
  }
};

// Buffers of one slice. `operand` is what is multiplied by w_hh: h, or h times the recurrent mask; two, since every
// block of a step needs all of the step before.
struct ForwardBuffers {
  float *operand[2], *state, *cell, *gates;
  float *gates_h, *late, *fresh, *projected;  // share of h; o or o tanh(c), and c of the step, where h has to wait
  float *input, *shares;  // x, and its shares of the gates, [block][step][row][SLOTS], of the steps computed at once
  int64_t ahead;          // so many steps; 0: none
  Half* halves;           // [x | h], each with zeros up to a multiple of 32
  int64_t gate_rows;      // of the buffers of gates: whole tiles of halves
  int64_t row;            // floats from row to row of all but the gates
  int64_t group;          // blocks whose gates come before their cells: with few rows, cells of several blocks overlap

  // Members of a crew have gates of their own, and share the rest.
  ForwardBuffers(Pieces& pieces, const Forward& p, const Plan& plan, int64_t rows, Member member)
      : row(blocks_of(larger(p.hidden, p.output)) * LANES + 16),
        group(p.normed() ? blocks_of(p.hidden) : smaller(blocks_of(p.hidden), ceil_div(16, larger(1, rows)))) {
    gate_rows = HALF ? round_up(rows, TILE_ROWS) : rows;
    for (float*& one : operand) one = pieces.take(rows * row);
    state = p.recurrent.at ? pieces.take(rows * row) : nullptr;
    cell = pieces.take(rows * row);
    gates = pieces.take(member.count * group * gate_rows * SLOTS);
    if (gates) gates += member.place * group * gate_rows * SLOTS;
    gates_h = pieces.take(p.normed() ? group * gate_rows * SLOTS : 0);
    late = pieces.take(p.late() ? rows * row : 0);
    fresh = pieces.take(p.norm_c ? rows * row : 0);
    projected = pieces.take(p.w_proj ? rows * row : 0);
    ahead = plan.steps(p, rows);
    const int64_t floats = ahead * rows * p.input;
    input = pieces.take(member.count * floats);
    if (input) input += member.place * floats;
    shares = pieces.take(ahead * rows * blocks_of(p.hidden) * SLOTS);
    const int64_t half_size = HALF ? gate_rows * GateHalves(p).row / 2 : 0;
    halves = as_halves(pieces.take(member.count * half_size));
    if (halves) halves += 2 * member.place * half_size;
  }
};

}  // namespace gatecast::GATECAST_ISA
