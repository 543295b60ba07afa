// The products of a chunk of the backward pass from halves (half.h): see ChunkProducts, of which it is a part.
#pragma once

#include "chunk.h"
#include "half_pack.h"
#include "sums.h"

namespace gatecast::GATECAST_ISA {

struct HalfChunkProducts {
  const Backward& p;
  const Weights& weights;
  const Sums& sums;
  const Buffers& buffers;
  int64_t rows;
  int64_t begin_block, end_block;  // hidden units of this thread

  // The gradients of the gates of a step, for the products to come.
  void round_gates(int64_t row) const {
    for (int64_t block = begin_block; block < end_block; block++) {
      const float* from = buffers.gates + block * buffers.block + row * SLOTS;
      Half* to = buffers.halves.gates + row * buffers.halves.gates_row + block * SLOTS;
      for (int64_t k = 0; k < rows; k++, from += SLOTS, to += buffers.halves.gates_row) round_row(to, from, SLOTS);
    }
  }

  void state_gradient(int64_t row) const {
    gradient(row, weights.hh, buffers.grad_h, buffers.width).run(rows, buffers.width / PANEL_COLUMNS);
  }

  // Gradients of the gates @ packed weights, from `row` of the chunk on.
  HalfProduct gradient(int64_t row, const float* panels, float* to, int64_t width) const {
    const HalfBuffers& all = buffers.halves;
    const int64_t depth = blocks_of(p.hidden) * SLOTS;
    return {all.gates + row * all.gates_row, all.gates_row, depth, as_halves(panels), depth * PANEL_COLUMNS,
            all.zeros, 0, to, width};
  }

  void weight_gradients(int64_t count, bool add) const {
    const HalfBuffers& all = buffers.halves;
    const int64_t columns = p.input + p.output + 1, panel = all.depth * PANEL_COLUMNS;
    turn_operands(count);
    for (int64_t block = begin_block; block < end_block; block++) {
      const float* gates = buffers.gates + block * buffers.block;
      for (int64_t k = 0; k < all.depth; k += 2, gates += 2 * SLOTS) {
        for (int64_t slot = 0; slot < 4; slot++) {
          const float* from = gates + slot * LANES;
          const Vec pairs = pairs_of(k < count ? load(from) : Vec{}, k + 1 < count ? load(from + SLOTS) : Vec{});
          store_halves(all.pairs + slot / 2 * panel + pair_at(k, slot % 2), pairs);
        }
      }
      float* to = sums.weights + block * sums.depth * SLOTS;
      HalfProduct work{all.turned, all.turned_row, all.depth, all.pairs, panel, all.zeros, 0, to, SLOTS};
      if (add) work.init = to, work.init_row = SLOTS;
      work.run(columns, PANELS);
    }
  }

  // The operands with a row for each column, and zeros after the rows of the chunk.
  void turn_operands(int64_t count) const {
    const HalfBuffers& all = buffers.halves;
    for (int64_t column = 0; column < p.input + p.output + 1; column += LANES) {
      for (int64_t row = 0; row < all.depth; row += 2 * LANES) {
        Vec low[LANES], high[LANES];
        for (int64_t k = 0; k < LANES; k++) {
          const float* from = buffers.rows + (row + k) * buffers.depth + column;
          low[k] = row + k < count ? load(from) : Vec{};
          high[k] = row + LANES + k < count ? load(from + LANES * buffers.depth) : Vec{};
        }
        transpose(low);
        transpose(high);
        Half* to = all.turned + column * all.turned_row + row;
        for (int64_t k = 0; k < LANES; k++) store_halves(to + k * all.turned_row, halves_of(low[k], high[k]));
      }
    }
  }

  // The gates of a block before activation, of `count` rows of the chunk, from their rounded operands.
  void gates(int64_t block, int64_t count, float* to) const {
    const GateHalves shape(p);
    const float* panels = weights.panels + block * Weights::block_floats(p);
    HalfProduct work = shape.product(buffers.halves.operands, as_halves(panels), to);
    work.init = weights.bias + block * SLOTS;
    work.run(count, PANELS);
  }

  // The operands of as many rows of the chunk.
  void round_operands(int64_t count) const {
    const GateHalves shape(p);
    for (int64_t row = 0; row < count; row++) {
      const float* from = buffers.rows + row * buffers.depth;
      shape.round(buffers.halves.operands + row * shape.row, p, from, from + p.input);
    }
  }
};

}  // namespace gatecast::GATECAST_ISA
