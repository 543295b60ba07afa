// Packs weights in the order in which the kernels read them, and unpacks gradients into the order of PyTorch.
//
// Every hidden unit has four gate slots, i, f, g, o; a block holds the slots of LANES units: [block][k][slot][LANES].
// With coupled gates slot i is zero. Units beyond `hidden` and columns beyond the matrix are zero.
#pragma once

#include "lstm.h"
#include "simd.h"

namespace gatecast::GATECAST_ISA {

constexpr int64_t BLOCK_GATES = 4 * LANES;  // gates of a block, of one row

INLINE int64_t blocks_of(int64_t units) { return ceil_div(units, LANES); }

// First row of a gate slot in w_ih and w_hh; -1 where the slot has no weights.
INLINE int64_t first_row(const Layer& p, int64_t slot) {
  return slot < 4 - p.gates() ? -1 : (slot - 4 + p.gates()) * p.hidden;
}

// to[k][slot][lane] = w[row of (slot, lane)][k] for one block.
inline void pack_block(const Layer& p, const float* w, int64_t columns, int64_t block, float* to) {
  const int64_t units = min(LANES, p.hidden - block * LANES);
  for (int64_t slot = 0; slot < 4; slot++, to += LANES) {
    const int64_t row = first_row(p, slot) < 0 ? -1 : first_row(p, slot) + block * LANES;
    int64_t k = 0;
    if (row >= 0 && units == LANES) {
      for (; k + LANES <= columns; k += LANES) {
        Vec rows[LANES];
        UNROLL for (int u = 0; u < LANES; u++) rows[u] = load(w + (row + u) * columns + k);
        transpose(rows);
        UNROLL for (int u = 0; u < LANES; u++) store(to + (k + u) * BLOCK_GATES, rows[u]);
      }
    }
    for (; k < columns; k++) {
      for (int64_t u = 0; u < LANES; u++) {
        to[k * BLOCK_GATES + u] = row >= 0 && u < units ? w[(row + u) * columns + k] : 0.0f;
      }
    }
  }
}

// The sum of the given biases, for one block.
inline void pack_bias(const Layer& p, const float* bias, const float* second, int64_t block, float* to) {
  const int64_t units = min(LANES, p.hidden - block * LANES);
  for (int64_t slot = 0; slot < 4; slot++) {
    const int64_t row = first_row(p, slot), at = row + block * LANES;
    Vec sum = bias && row >= 0 ? load(bias + at, units) : Vec{};
    if (second && row >= 0) sum += load(second + at, units);
    store(to + slot * LANES, sum);
  }
}

// Panels for gradients @ w: [panel of up to 4 column vectors][block][slot][lane][columns].
inline void pack_rows(const Layer& p, const float* w, int64_t columns, float* to) {
  const int64_t vectors = blocks_of(columns), blocks = blocks_of(p.hidden);
  for (int64_t v = 0; v < vectors; v += 4) {
    const int64_t count = min(4, vectors - v);
    for (int64_t block = 0; block < blocks; block++) {
      for (int64_t slot = 0; slot < 4; slot++) {
        for (int64_t unit = block * LANES; unit < (block + 1) * LANES; unit++) {
          const int64_t row = unit < p.hidden ? first_row(p, slot) + unit : -1;
          const bool valid = unit < p.hidden && first_row(p, slot) >= 0;
          for (int64_t n = v; n < v + count; n++, to += LANES) {
            store(to, valid ? load(w + row * columns + n * LANES, columns - n * LANES) : Vec{});
          }
        }
      }
    }
  }
}

// The columns of w one after another, each along the gates: [column][block][slot][lane].
inline void pack_columns(const Layer& p, const float* w, int64_t columns, float* to) {
  for (int64_t column = 0; column < columns; column++) {
    for (int64_t block = 0; block < blocks_of(p.hidden); block++) {
      for (int64_t slot = 0; slot < 4; slot++) {
        for (int64_t unit = block * LANES; unit < (block + 1) * LANES; unit++) {
          const bool valid = unit < p.hidden && first_row(p, slot) >= 0;
          *to++ = valid ? w[(first_row(p, slot) + unit) * columns + column] : 0.0f;
        }
      }
    }
  }
}

// Panels of w_proj for row_product: for o tanh(c) @ w_proj^T (`transposed`), or for gradients @ w_proj.
inline void pack_projection(const Layer& p, bool transposed, float* to) {
  const int64_t columns = transposed ? p.output : p.hidden, depth = transposed ? p.hidden : p.output;
  for (int64_t first = 0; first < columns; first += 4 * LANES) {
    const int64_t width = min(4 * LANES, blocks_of(columns - first) * LANES);
    for (int64_t k = 0; k < depth; k++, to += width) {
      for (int64_t n = 0; n < width; n += LANES) {
        const int64_t column = first + n;
        if (!transposed) {
          store(to + n, load(p.w_proj + k * p.hidden + column, p.hidden - column));
          continue;
        }
        for (int64_t lane = 0; lane < LANES; lane++) {
          to[n + lane] = column + lane < columns ? p.w_proj[(column + lane) * p.hidden + k] : 0.0f;
        }
      }
    }
  }
}

// w[row of (slot, lane)][k] = sum over parts of from[k][slot][lane], for one block: the reverse of pack_block.
// `parts` copies lie `part` floats apart and are added in their order.
inline void unpack_block(
    const Layer& p, const float* from, int64_t parts, int64_t part, int64_t columns, int64_t block, float* w) {
  const int64_t units = min(LANES, p.hidden - block * LANES);
  for (int64_t slot = 4 - p.gates(); slot < 4; slot++) {
    float* rows = w + (first_row(p, slot) + block * LANES) * columns;
    for (int64_t k = 0; k < columns; k += LANES) {
      Vec sums[LANES];
      for (int64_t u = 0; u < LANES; u++) {
        sums[u] = Vec{};
        if (k + u >= columns) continue;
        const float* at = from + (k + u) * BLOCK_GATES + slot * LANES;
        sums[u] = load(at);
        for (int64_t n = 1; n < parts; n++) sums[u] += load(at + n * part);
      }
      transpose(sums);
      for (int64_t u = 0; u < units; u++) store(rows + u * columns + k, sums[u], columns - k);
    }
  }
}

}  // namespace gatecast::GATECAST_ISA
