// The products of a slice of the forward pass: gates before activation, [x | h] @ W + bias, one block of hidden units
// at a time.
#pragma once

#include "bf16_pack.h"
#include "direct.h"
#include "forward_buffers.h"
#include "gate_product.h"
#include "gemm.h"
#include "pack.h"

namespace gatecast::GATECAST_ISA {

struct GateProducts {
  const Forward& p;
  const Plan& plan;
  const ForwardWeights& weights;
  const ForwardBuffers& buffers;
  int64_t first, rows;
  int64_t begin_block, end_block;  // hidden units of this thread

  const float* x_of(int64_t step) const { return p.x + p.time_of(step) * p.x_time + first * p.x_batch; }
  float* operand(int64_t step) const { return buffers.operand[step % 2]; }

  // The gates of the block that is number `place` of those computed at once.
  float* gates_at(int64_t place) const { return buffers.gates + place * buffers.gate_rows * BLOCK_GATES; }
  float* gates_h_at(int64_t place) const { return buffers.gates_h + place * buffers.gate_rows * BLOCK_GATES; }

  // The precomputed terms of x and the bias.
  float* gates_x(int64_t block, int64_t step) const {
    return buffers.gates_x + (block * buffers.x_steps + step % buffers.x_steps) * rows * BLOCK_GATES;
  }

  // x @ w_ih + bias for all rows of the steps begin .. end at once, so that they share what is read of w_ih.
  void precompute_x(int64_t begin, int64_t end) const {
    float* to = buffers.input;
    for (int64_t step = begin; step < end; step++) {
      const float* x = x_of(step);
      for (int64_t row = 0; row < rows; row++, x += p.x_batch, to += p.input) copy(to, x, p.input);
    }
    for (int64_t block = begin_block; block < end_block; block++) {
      GateProduct work{};
      work.init = weights.bias + block * BLOCK_GATES;
      work.x = work.h = buffers.input;
      work.x_row = work.x_count = p.input;
      work.panel = weights.panel(block);
      work.to = gates_x(block, 0);
      gate_product(work, (end - begin) * rows, nullptr);
    }
  }

  // The gates of a block into gates_at(place); where they are normalised, the term of x there and that of h into
  // gates_h_at(place), both without the bias. `next_block`: the block that is computed after it; -1: none.
  template <bool plain>
  void gates(int64_t step, int64_t block, int64_t next_block, int64_t place) const {
    if constexpr (BF16_TILES) return bf16_gates<plain>(block, place);
    if (!plan.packed_h) return direct_gates(step, block, place);
    const int64_t blocks = blocks_of(p.hidden);
    const bool prefetch = prefetch_pays(blocks * (weights.x_floats + weights.h_floats), rows);
    const float* next = prefetch && next_block >= 0 ? weights.panel(next_block) : nullptr;
    GateProduct work;
    work.init = weights.bias + block * BLOCK_GATES;
    work.init_row = 0;
    work.x = x_of(step);
    work.x_row = p.x_batch;
    work.x_count = p.input;
    work.h = operand(step);
    work.h_row = buffers.row;
    work.h_count = step || p.h0 ? p.output : 0;
    work.panel = weights.panel(block);
    work.to = gates_at(place);
    if (buffers.x_steps) {
      work.init = gates_x(block, step);
      work.init_row = BLOCK_GATES;
      work.x_count = 0;
      work.panel += weights.x_floats;
    }
    if (plain || !p.normed()) return gate_product(work, rows, next);
    GateProduct of_h = work;
    work.init = of_h.init = weights.bias + blocks * BLOCK_GATES;  // zeros
    work.h_count = of_h.x_count = 0;
    of_h.panel += p.input * BLOCK_GATES;
    of_h.to = gates_h_at(place);
    gate_product(work, rows, nullptr);
    gate_product(of_h, rows, next);
  }

  // [x | h] of a step, rounded to bfloat16.
  void round_operands(int64_t step) const {
    const Bf16Gates shape(p);
    const float *x = x_of(step), *h = operand(step);
    for (int64_t row = 0; row < rows; row++, x += p.x_batch, h += buffers.row) {
      shape.round(buffers.xh + row * shape.row, p, x, h);
    }
  }

 private:
  template <bool plain>
  void bf16_gates(int64_t block, int64_t place) const {
    const Bf16Gates shape(p);
    Bf16Product work = shape.product(buffers.xh, as_bf16(weights.panel(block)), gates_at(place));
    work.init = weights.bias + block * BLOCK_GATES;
    if (plain || !p.normed()) return work.run(rows, BLOCK_PANELS);
    work.init = weights.bias + blocks_of(p.hidden) * BLOCK_GATES;  // zeros
    work.depth = shape.x;
    work.run(rows, BLOCK_PANELS);
    work.from += shape.x;
    work.panel += shape.x * PANEL_COLUMNS;
    work.depth = shape.h;
    work.to = gates_h_at(place);
    work.run(rows, BLOCK_PANELS);
  }

  // From weights that are not packed.
  void direct_gates(int64_t step, int64_t block, int64_t place) const {
    const int64_t unit = block * LANES, units = min(LANES, p.hidden - unit);
    const float* init = buffers.x_steps ? gates_x(block, step) : weights.bias + block * BLOCK_GATES;
    float* to = gates_at(place);
    for (int64_t slot = 0; slot < 4; slot++) {
      const int64_t w_row = first_row(p, slot) + unit;
      for (int64_t row = 0; row < rows; row++) {
        RowSums sums;
        sums.across = load(init + (buffers.x_steps ? row * BLOCK_GATES : 0) + slot * LANES);
        if (first_row(p, slot) >= 0) {
          if (!buffers.x_steps) sums.add(p.w_ih + w_row * p.input, p.input, units, x_of(step) + row * p.x_batch);
          const float* h = operand(step) + row * buffers.row;
          if (step || p.h0) sums.add(p.w_hh + w_row * p.output, p.output, units, h);
        }
        store(to + row * BLOCK_GATES + slot * LANES, sums.total());
      }
    }
  }
};

}  // namespace gatecast::GATECAST_ISA
