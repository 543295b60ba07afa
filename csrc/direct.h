// Gates of a few rows from weights that are not packed.
//
// One gate of LANES units is LANES rows of the matrices. Each row is read along k into a separate sum; at the end the
// sums are transposed, so that the units lie next to each other.
#pragma once

#include "gemm.h"
#include "pack.h"

namespace gatecast::GATECAST_ISA {

// Rows times steps up to which packing takes longer than it saves.
constexpr int64_t DIRECT_PRODUCTS = 8;

// With one row, weights of more floats than this come from beyond L2 in either order, and packing gains nothing.
constexpr int64_t DIRECT_FLOATS = 256 << 10;

INLINE bool read_directly(int64_t rows, int64_t time, int64_t weight_floats) {
  return rows * time <= DIRECT_PRODUCTS || (rows == 1 && weight_floats >= DIRECT_FLOATS);
}

// LANES gates of one row during their summation.
struct RowSums {
  Vec along[LANES] = {};  // partial sums along k, a vector for each unit
  Vec across{};           // a value for each unit

  // Adds the first `units` rows of w, of `columns` values each, times x.
  INLINE void add(const float* w, int64_t columns, int64_t units, const float* x) {
    int64_t k = 0;
    if (units == LANES) {
      for (; k + LANES <= columns; k += LANES) {
        const Vec right = load(x + k);
        UNROLL for (int u = 0; u < LANES; u++) along[u] += load(w + u * columns + k) * right;
      }
    }
    for (; k < columns; k++) {
      Vec column{};
      for (int64_t u = 0; u < units; u++) column[u] = w[u * columns + k];
      across += column * x[k];
    }
  }

  INLINE Vec total() {
    transpose(along);
    UNROLL for (int u = 0; u < LANES; u++) across += along[u];
    return across;
  }
};

}  // namespace gatecast::GATECAST_ISA
