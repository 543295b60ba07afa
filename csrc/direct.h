// Gates of a few rows from the weights as they lie, without packing them first.
//
// A gate of LANES units is LANES rows of the matrices; each is read along k with a sum of its own, and the sums are
// turned at the end, so that units lie side by side.
#pragma once

#include "gemm.h"
#include "pack.h"

namespace gatecast::GATECAST_ISA {

// Products of a row and step up to which packing takes longer than it saves.
constexpr int64_t DIRECT_PRODUCTS = 8;

// Weights that come from beyond L2 anyway are read as well in their own order, where no other row shares them.
constexpr int64_t DIRECT_FLOATS = 256 << 10;

INLINE bool read_directly(int64_t rows, int64_t time, int64_t weight_floats) {
  return rows * time <= DIRECT_PRODUCTS || (rows == 1 && weight_floats >= DIRECT_FLOATS);
}

// LANES gates of one row while they are summed up.
struct RowSums {
  Vec along[LANES] = {};  // one for each unit
  Vec across{};           // what is already side by side

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
