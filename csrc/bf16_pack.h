// Weights as panels of bfloat16 (bf16.h).
#pragma once

#include "bf16.h"
#include "pack.h"

namespace gatecast::GATECAST_ISA {

// Where the pair that begins with k lies in a panel.
INLINE int64_t pair_at(int64_t k, int64_t tile) {
  return k / TILE_DEPTH * 2 * TILE + tile * TILE + k % TILE_DEPTH / 2 * 2 * LANES;
}

// The panels of one block for x @ w^T or h @ w^T, `panel_stride` values apart.
inline void pack_bf16_block(
    const Layer& p, const float* w, int64_t columns, int64_t block, Bf16* to, int64_t panel_stride) {
  const int64_t units = min(LANES, p.hidden - block * LANES);
  for (int64_t slot = 0; slot < 4; slot++) {
    const float* rows = w + (first_row(p, slot) + block * LANES) * columns;
    for (int64_t k = 0; k < columns; k += TILE_DEPTH) {
      Vec words[LANES] = {};  // one row: its values in pairs
      for (int64_t u = 0; u < units && first_row(p, slot) >= 0; u++) {
        const float* from = rows + u * columns + k;
        words[u] = to_bf16(load(from, columns - k), load(from + LANES, columns - k - LANES));
      }
      transpose(words);
      Bf16* tile = to + slot / 2 * panel_stride + pair_at(k, slot % 2);
      for (int64_t n = 0; n < LANES; n++) store_bf16(tile + n * 2 * LANES, words[n]);
    }
  }
}

// The product of [x | h] with w_ih and w_hh. x and h are padded separately.
struct Bf16Gates {
  int64_t x, h, row;

  explicit Bf16Gates(const Layer& p)
      : x(round_up(p.input, TILE_DEPTH)), h(round_up(p.output, TILE_DEPTH)), row(bf16_row(x + h)) {}

  int64_t panel() const { return (x + h) * PANEL_COLUMNS; }

  // Rounds one row of the left factor.
  void round(Bf16* to, const Layer& p, const float* from_x, const float* from_h) const {
    round_row(to, from_x, p.input);
    round_row(to + x, from_h, p.output);
  }

  // The caller sets `init`.
  Bf16Product product(const Bf16* from, const Bf16* panels, float* to) const {
    return {from, row, x + h, panels, panel(), nullptr, 0, to, BLOCK_GATES};
  }
};

// Floats of a block's panel of w_ih or w_hh, which has this many columns.
INLINE int64_t gate_panel_floats(int64_t columns) {
  return BF16_TILES ? round_up(columns, TILE_DEPTH) * BLOCK_GATES / 2 : columns * BLOCK_GATES;
}

inline void pack_gate_panels(const Layer& p, int64_t block, Bf16* to) {
  const Bf16Gates shape(p);
  pack_bf16_block(p, p.w_ih, p.input, block, to, shape.panel());
  pack_bf16_block(p, p.w_hh, p.output, block, to + shape.x * PANEL_COLUMNS, shape.panel());
}

// Panels for the gradients of the gates @ w, with k in the order of the blocks.
inline void pack_bf16_rows(const Layer& p, const float* w, int64_t columns, Bf16* to) {
  const int64_t depth = blocks_of(p.hidden) * BLOCK_GATES;
  for (int64_t column = 0; column < columns; column += PANEL_COLUMNS, to += depth * PANEL_COLUMNS) {
    for (int64_t k = 0; k < depth; k += 2) {
      const int64_t row = first_row(p, k % BLOCK_GATES / LANES), unit = k / BLOCK_GATES * LANES + k % LANES;
      for (int64_t tile = 0; tile < 2; tile++) {
        const int64_t first = column + tile * LANES;
        Vec rows[2] = {};
        for (int64_t n = 0; n < 2 && row >= 0 && unit + n < p.hidden; n++) {
          rows[n] = load(w + (row + unit + n) * columns + first, columns - first);
        }
        store_bf16(to + pair_at(k, tile), bf16_pairs(rows[0], rows[1]));
      }
    }
  }
}

}  // namespace gatecast::GATECAST_ISA
