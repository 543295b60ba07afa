// The products of a chunk of the backward pass in bfloat16 (bf16.h). ChunkProducts calls them.
#pragma once

#include "backward_buffers.h"
#include "bf16_pack.h"
#include "weight_sums.h"

namespace gatecast::GATECAST_ISA {

// What the products of a chunk read and write.
struct Chunk {
  const Backward& p;
  const Weights& weights;
  const Sums& sums;
  const Buffers& buffers;
  int64_t first, rows;
  int64_t begin_block, end_block;  // hidden units of this thread
};

struct Bf16ChunkProducts : Chunk {
  // Rounds the gradients of the gates of a step.
  void round_gates(int64_t row) const {
    for (int64_t block = begin_block; block < end_block; block++) {
      const float* from = buffers.gates + block * buffers.block + row * BLOCK_GATES;
      Bf16* to = buffers.bf16.gates + row * buffers.bf16.gates_row + block * BLOCK_GATES;
      for (int64_t k = 0; k < rows; k++, from += BLOCK_GATES, to += buffers.bf16.gates_row) {
        round_row(to, from, BLOCK_GATES);
      }
    }
  }

  void state_gradient(int64_t row) const {
    gradient(row, weights.hh, buffers.grad_h, buffers.width).run(rows, buffers.width / PANEL_COLUMNS);
  }

  // Gradients of the gates @ packed weights, from `row` of the chunk on.
  Bf16Product gradient(int64_t row, const float* panels, float* to, int64_t width) const {
    const Bf16Buffers& all = buffers.bf16;
    const int64_t depth = blocks_of(p.hidden) * BLOCK_GATES;
    return {all.gates + row * all.gates_row, all.gates_row, depth, as_bf16(panels), depth * PANEL_COLUMNS,
            all.zeros, 0, to, width};
  }

  void weight_gradients(int64_t count, bool add) const {
    const Bf16Buffers& all = buffers.bf16;
    const int64_t columns = p.input + p.output + 1, panel = all.depth * PANEL_COLUMNS;
    transpose_operands(count);
    for (int64_t block = begin_block; block < end_block; block++) {
      const float* gates = buffers.gates + block * buffers.block;
      for (int64_t k = 0; k < all.depth; k += 2, gates += 2 * BLOCK_GATES) {
        for (int64_t slot = 0; slot < 4; slot++) {
          const float* from = gates + slot * LANES;
          const Vec even = k < count ? load(from) : Vec{}, odd = k + 1 < count ? load(from + BLOCK_GATES) : Vec{};
          store_bf16(all.gates_panels + slot / 2 * panel + pair_at(k, slot % 2), bf16_pairs(even, odd));
        }
      }
      float* to = sums.weights + block * sums.depth * BLOCK_GATES;
      Bf16Product work{all.operands_t, all.operands_t_row, all.depth, all.gates_panels, panel, all.zeros, 0, to,
                       BLOCK_GATES};
      if (add) work.init = to, work.init_row = BLOCK_GATES;
      work.run(columns, BLOCK_PANELS);
    }
  }

  // Transposes the operands: a row for each column, with zeros after the rows of the chunk.
  void transpose_operands(int64_t count) const {
    const Bf16Buffers& all = buffers.bf16;
    for (int64_t column = 0; column < p.input + p.output + 1; column += LANES) {
      for (int64_t row = 0; row < all.depth; row += 2 * LANES) {
        Vec low[LANES], high[LANES];
        for (int64_t k = 0; k < LANES; k++) {
          const float* from = buffers.operands + (row + k) * buffers.operand_row + column;
          low[k] = row + k < count ? load(from) : Vec{};
          high[k] = row + LANES + k < count ? load(from + LANES * buffers.operand_row) : Vec{};
        }
        transpose(low);
        transpose(high);
        Bf16* to = all.operands_t + column * all.operands_t_row + row;
        for (int64_t k = 0; k < LANES; k++) store_bf16(to + k * all.operands_t_row, to_bf16(low[k], high[k]));
      }
    }
  }

  // Gates of a block before activation, for `count` rows of the chunk, from their rounded operands.
  void gates(int64_t block, int64_t count, float* to) const {
    const Bf16Gates shape(p);
    const float* panels = weights.panels + block * Weights::block_floats(p);
    Bf16Product work = shape.product(buffers.bf16.operands, as_bf16(panels), to);
    work.init = weights.bias + block * BLOCK_GATES;
    work.run(count, BLOCK_PANELS);
  }

  // Rounds the operands of `count` rows of the chunk.
  void round_operands(int64_t count) const {
    const Bf16Gates shape(p);
    for (int64_t row = 0; row < count; row++) {
      const float* from = buffers.operands + row * buffers.operand_row;
      shape.round(buffers.bf16.operands + row * shape.row, p, from, from + p.input);
    }
  }
};

}  // namespace gatecast::GATECAST_ISA
