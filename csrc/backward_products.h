// The products of a chunk of the backward pass: gradients of the weights, of x, and of h before a step.
#pragma once

#include "backward_buffers.h"
#include "bf16_products.h"
#include "cell.h"
#include "gate_product.h"
#include "gemm.h"
#include "weight_sums.h"

namespace gatecast::GATECAST_ISA {

struct ChunkProducts : Chunk {
  Bf16ChunkProducts bf16() const { return {*this}; }

  // The gradient of h before the step whose rows begin at `row` of the chunk.
  void state_gradient(int64_t row) const {
    if constexpr (BF16_TILES) return bf16().state_gradient(row);
    const float* gates = buffers.gates + row * BLOCK_GATES;
    const int64_t blocks = blocks_of(p.hidden), vectors = blocks_of(p.output);
    const BlockedProduct work{gates, buffers.block, blocks, weights.hh, buffers.grad_h, buffers.width, false};
    const bool whole = end_block - begin_block == blocks;  // with a projection h has another width, and one thread
    blocked_product(work, rows, blocks, vectors, whole ? 0 : begin_block, whole ? vectors : end_block);
  }

  // The gradient of x for the steps begin .. end; the rows of the first one begin at `row` of the chunk.
  void input_gradient(int64_t begin, int64_t end, int64_t row) const {
    const int64_t vectors = blocks_of(p.input), blocks = blocks_of(p.hidden);
    const float* gates = (p.normed() ? buffers.gates_x : buffers.gates) + row * BLOCK_GATES;
    if (narrow(p)) {
      for (int64_t step = begin; step < end; step++, gates += rows * BLOCK_GATES) {
        float* to = p.grad_x + (p.time_of(step) * p.batch + first) * p.input;
        narrow_product<NARROW>(NarrowProduct{gates, buffers.block, blocks, weights.ih, to}, rows, p.input);
      }
      return;
    }
    const int64_t width = bf16_input(p) ? padded(p.input) : vectors * LANES;
    float* from = buffers.grad_x + row * width;
    if (bf16_input(p)) {
      bf16().gradient(row, weights.ih, from, width).run((end - begin) * rows, width / PANEL_COLUMNS);
    } else {
      const BlockedProduct work{gates, buffers.block, blocks, weights.ih, from, width, false};
      blocked_product(work, (end - begin) * rows, blocks, vectors, 0, vectors);
    }
    for (int64_t step = begin; step < end; step++) {
      float* to = p.grad_x + (p.time_of(step) * p.batch + first) * p.input;
      for (int64_t k = 0; k < rows; k++, from += width, to += p.input) copy(to, from, p.input);
    }
  }

  void weight_gradients(int64_t steps, bool add) const {
    const WeightProduct work{buffers.operands, buffers.operand_row, buffers.gates, steps * rows, sums.weights, add};
    if (bf16_weights(p)) {
      bf16().weight_gradients(steps * rows, add);
    } else if (p.normed()) {
      WeightProduct of_x = work;
      of_x.gates = buffers.gates_x;
      products(of_x, 0, blocks_of(p.hidden), sums.depth, 0, p.input);
      products(work, 0, blocks_of(p.hidden), sums.depth, p.input, p.output);
    } else {
      products(work, begin_block, end_block, sums.depth, 0, sums.depth);
    }
    if (p.w_proj) {
      const int64_t across = buffers.projected_row;
      const WeightProduct last{buffers.projected, across, buffers.unprojected, steps * rows, sums.projection, add};
      products(last, 0, wide_blocks(p), p.output, 0, p.output);
    }
  }

  // Products with the columns first .. first + count of [x | h | 1], for the blocks begin .. end. The sums have `depth`
  // columns from block to block.
  void products(
      const WeightProduct& all, int64_t begin, int64_t end, int64_t depth, int64_t first, int64_t count) const {
    for (int64_t done = 0; done < count; done += COLUMNS) {
      for (int64_t block = begin; block < end; block++) {
        WeightProduct work = all;
        work.rows += first + done;
        work.gates += block * buffers.block;
        work.to += (block * depth + first + done) * BLOCK_GATES;
        for_tiles<4>(min(COLUMNS, count - done), work);
      }
    }
  }

  // Copies the operands of the steps begin .. end; the rows of the first one begin at `row` of the chunk.
  void gather_operands(int64_t begin, int64_t end, int64_t row) const {
    float* to = buffers.operands + row * buffers.operand_row;
    for (int64_t step = begin; step < end; step++, to += rows * buffers.operand_row) gather_operands_of(step, to);
  }

  // Gates of a block before activation, for `count` rows of the chunk, from their operands.
  void gates(int64_t block, int64_t count, float* to) const {
    if constexpr (BF16_TILES) return bf16().gates(block, count, to);
    GateProduct work{};
    work.init = weights.bias + block * BLOCK_GATES;
    work.x = work.h = buffers.operands;
    work.x_row = work.h_row = buffers.operand_row;
    work.x_count = p.input + p.output;
    work.panel = weights.panels + block * (p.input + p.output) * BLOCK_GATES;
    work.to = to;
    gate_product(work, count, nullptr);
  }

  // [x | h before the step, times its mask | 1] of one step. Masked rows are zeros, because their x may hold NaN.
  void gather_operands_of(int64_t step, float* to) const {
    const int64_t t = p.time_of(step);
    const float* h = step ? p.states + (p.time_of(step - 1) * p.batch + first) * p.output
                          : (p.h0 ? p.h0 + first * p.output : nullptr);
    for (int64_t row = 0; row < rows; row++, to += buffers.operand_row) {
      float* end = to + p.input + p.output;
      if (masked(p.steps, t, first + row)) {
        fill_zero(to, p.input + p.output + 1);
        continue;
      }
      copy(to, p.x + t * p.x_time + (first + row) * p.x_batch, p.input);
      if (!h) {
        fill_zero(to + p.input, p.output);
      } else if (!p.recurrent.at) {
        copy(to + p.input, h + row * p.output, p.output);
      } else {
        for (int64_t unit = 0; unit < p.output; unit += LANES) {
          const int64_t count = p.output - unit;
          const Vec mask = mask_values(p.recurrent, t, first + row, unit, count);
          store(to + p.input + unit, load(h + row * p.output + unit, count) * mask, count);
        }
      }
      *end = 1.0f;
    }
  }
};

}  // namespace gatecast::GATECAST_ISA
