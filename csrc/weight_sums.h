// Sums of the weight gradients: one for each part of the batch, and their total in the layout of PyTorch.
#pragma once

#include "bf16.h"
#include "gemm.h"
#include "pack.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

INLINE void fill_zero(float* to, int64_t count) {
  for (int64_t k = 0; k < count; k++) to[k] = 0.0f;
}

// Wide blocks: BLOCK_GATES hidden units next to each other.
INLINE int64_t wide_blocks(const Layer& p) { return ceil_div(p.hidden, BLOCK_GATES); }

// The sums of one part of the batch. `weights` is [block][input + output + 1][BLOCK_GATES], `projection` is
// [wide block][output][BLOCK_GATES]. The others are summed row by row and lie one after another in `small`.
struct Sums {
  int64_t depth, units, slots, small_floats, projection_floats;
  float *weights, *projection, *small, *peephole, *norm_c;  // [slot i, f, o][units], [gain, bias][units]
  float *norm_x, *norm_h, *bias;                            // [block][BLOCK_GATES], where gates are normalised

  Sums(Arena& arena, const Backward& p)
      : depth(BF16_TILES ? round_up(p.input + p.output + 1, TILE_ROWS) : p.input + p.output + 1),
        units(blocks_of(p.hidden) * LANES),
        slots(blocks_of(p.hidden) * BLOCK_GATES),
        small_floats(5 * units + (p.normed() ? 3 * slots : 0)),
        projection_floats(p.w_proj ? wide_blocks(p) * p.output * BLOCK_GATES : 0),
        weights(arena.take(depth * slots)),
        projection(arena.take(projection_floats)),
        small(arena.take(small_floats)),
        peephole(small),
        norm_c(small ? small + 3 * units : nullptr),
        norm_x(small ? small + 5 * units : nullptr),
        norm_h(small ? norm_x + slots : nullptr),
        bias(small ? norm_h + slots : nullptr) {}

  // `empty`: the part has no rows or steps, so that nothing else writes the products.
  void start(bool empty) const {
    fill_zero(small, small_floats);
    if (!empty) return;
    fill_zero(weights, depth * slots);
    fill_zero(projection, projection_floats);
  }
};

constexpr int64_t COLUMNS = 144;  // of [x | h | 1] at a time: CHUNK rows of them stay in L2 for all blocks

// to[m] += sum over k of rows[k][m] gates[k] for one block.
struct WeightProduct {
  const float* rows;
  int64_t depth;
  const float* gates;
  int64_t count;
  float* to;
  bool add;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    Vec sum[M][N] = {};
    float* out = to + first * BLOCK_GATES;
    if (add) {
      for (int64_t k = 0; k < M * BLOCK_GATES; k += 16) __builtin_prefetch(out + k, 1);
    }
    add_product<M, N>(sum, rows + first, 1, depth, gates, count);
    if (add) {
      UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int n = 0; n < N; n++) sum[m][n] += load(out + m * BLOCK_GATES + n * LANES);
      }
    }
    store_tile<M, N>(sum, out, BLOCK_GATES);
  }
};

// Adds the sums of `parts` parts in a fixed order; they lie `part` floats apart.
struct Gather {
  const Backward& p;
  const Sums& sums;
  int64_t parts, part;

  Vec total(const float* at) const {
    Vec sum = load(at);
    for (int64_t n = 1; n < parts; n++) sum += load(at + n * part);
    return sum;
  }

  // All gradients of one block of hidden units.
  void block(int64_t b) const {
    const float* from = sums.weights + b * sums.depth * BLOCK_GATES;
    unpack_block(p, from, parts, part, p.input, b, p.grad_w_ih);
    unpack_block(p, from + p.input * BLOCK_GATES, parts, part, p.output, b, p.grad_w_hh);
    gates(p.normed() ? sums.bias + b * BLOCK_GATES : from + (p.input + p.output) * BLOCK_GATES, b, p.grad_bias);
    if (p.grad_norm_x) gates(sums.norm_x + b * BLOCK_GATES, b, p.grad_norm_x);
    if (p.grad_norm_h) gates(sums.norm_h + b * BLOCK_GATES, b, p.grad_norm_h);
    if (p.grad_peephole) {
      units(sums.peephole + p.options.coupled * sums.units, 3 - p.options.coupled, b, p.grad_peephole);
    }
    if (p.grad_norm_c) units(sums.norm_c, 2, b, p.grad_norm_c);
    if (p.grad_w_proj) projection(b);
  }

  void gates(const float* from, int64_t b, float* to) const {
    for (int64_t slot = 4 - p.gates(); slot < 4; slot++) {
      store(to + first_row(p, slot) + b * LANES, total(from + slot * LANES), p.hidden - b * LANES);
    }
  }

  void units(const float* from, int64_t rows, int64_t b, float* to) const {
    for (int64_t k = 0; k < rows; k++) {
      store(to + k * p.hidden + b * LANES, total(from + k * sums.units + b * LANES), p.hidden - b * LANES);
    }
  }

  void projection(int64_t b) const {
    const float* from = sums.projection + b / 4 * p.output * BLOCK_GATES + b % 4 * LANES;
    for (int64_t k = 0; k < p.output; k++) {
      store(p.grad_w_proj + k * p.hidden + b * LANES, total(from + k * BLOCK_GATES), p.hidden - b * LANES);
    }
  }
};

}  // namespace gatecast::GATECAST_ISA
