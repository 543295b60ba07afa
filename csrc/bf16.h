// Products on the tiles of AMX: the factors are rounded to bfloat16, the sums are float32.
//
// A tile is 16 rows of 64 bytes. One tile instruction multiplies 16 rows and 32 values of k of the left factor, in
// plain rows, by 32 values of k and 16 columns of the right factor, in panels: there two values of k form a pair and
// lie next to each other. Padding: rows to 16, columns to 32, k with zeros to 32.
//
// Only the kernels of the instruction set `amx` use them. In the others BF16_TILES is false, and the functions here are
// never called.
#pragma once

#include "lstm.h"
#include "pack.h"
#include "simd.h"

namespace gatecast::GATECAST_ISA {

typedef uint16_t Bf16;

constexpr int64_t TILE_ROWS = 16, TILE_DEPTH = 32, TILE = TILE_ROWS * TILE_DEPTH;
constexpr int64_t PANEL_COLUMNS = 32;                          // two tiles next to each other
constexpr int64_t BLOCK_PANELS = BLOCK_GATES / PANEL_COLUMNS;  // panels of a block of gates

INLINE int64_t round_up(int64_t count, int64_t unit) { return ceil_div(count, unit) * unit; }

// Values from row to row of a matrix with `depth` columns.
INLINE int64_t bf16_row(int64_t depth) { return 2 * odd_cache_lines(ceil_div(depth, 2)); }

#if defined(__AMX_BF16__)
constexpr bool BF16_TILES = true;

struct alignas(64) TileShapes {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

constexpr TileShapes TILE_SHAPES;  // not on the stack: GCC 12 thinks that only its first bytes are read

// Configures the tiles of this thread for as long as it lives.
class Tiles {
 public:
  Tiles() { _tile_loadconfig(&TILE_SHAPES); }
  ~Tiles() { _tile_release(); }
  Tiles(const Tiles&) = delete;
  Tiles& operator=(const Tiles&) = delete;
};

// 32 values, rounded to nearest.
INLINE Vec to_bf16(Vec low, Vec high) { return (Vec)_mm512_cvtne2ps_pbh((__m512)high, (__m512)low); }

// 16 pairs: each value of `first` with that of `second`.
INLINE Vec bf16_pairs(Vec first, Vec second) {
  const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)first));
  const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh((__m512)second));
  return (Vec)_mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}
#else
constexpr bool BF16_TILES = false;

class Tiles {
 public:
  ~Tiles() {}
};

INLINE Vec to_bf16(Vec low, Vec) { return low; }
INLINE Vec bf16_pairs(Vec first, Vec) { return first; }
#endif

INLINE Bf16* as_bf16(float* memory) { return reinterpret_cast<Bf16*>(memory); }
INLINE const Bf16* as_bf16(const float* memory) { return reinterpret_cast<const Bf16*>(memory); }

INLINE void store_bf16(Bf16* to, Vec values) { store(reinterpret_cast<float*>(to), values); }

// A row of values, and zeros up to a multiple of 32.
INLINE void round_row(Bf16* to, const float* from, int64_t count) {
  for (int64_t k = 0; k < count; k += 2 * LANES) {
    store_bf16(to + k, to_bf16(load(from + k, count - k), load(from + k + LANES, count - k - LANES)));
  }
}

// to[m][n] = init[m][n] + sum over k of from[m][k] panel(k, n). A panel has 32 columns:
// [k / 32][tile of 16 columns][16 pairs of k][16 columns][2].
struct Bf16Product {
  const Bf16* from;
  int64_t from_row, depth;
  const Bf16* panel;
  int64_t panel_stride;  // values from panel to panel
  const float* init;
  int64_t init_row;  // 0: all rows start with the same values
  float* to;
  int64_t to_row;

  void run(int64_t rows, int64_t panels) const {
    const int64_t tiles = ceil_div(rows, TILE_ROWS);
    for (int64_t p = 0; p < panels; p++) {
      int64_t tile = 0;
      for (; tile + 2 <= tiles; tile += 2) rows_of<2>(tile * TILE_ROWS, p);
      if (tile < tiles) rows_of<1>(tile * TILE_ROWS, p);
    }
  }

 private:
#if defined(__AMX_BF16__)
  // 16 or 32 rows; with 32, each tile of the panel is used twice.
  template <int tiles>
  void rows_of(int64_t row, int64_t p) const {
    const int64_t bytes = from_row * 2, in = init_row * 4, out = to_row * 4;
    const float *start = init + row * init_row + p * PANEL_COLUMNS, *later = start + TILE_ROWS * init_row;
    float *end = to + row * to_row + p * PANEL_COLUMNS, *last = end + TILE_ROWS * to_row;
    const Bf16 *a = from + row * from_row, *b = panel + p * panel_stride;
    asm volatile("" ::: "memory");  // stores come first: not every compiler knows what a tile load reads
    _tile_loadd(0, start, in);
    _tile_loadd(1, start + LANES, in);
    if constexpr (tiles == 2) {
      _tile_loadd(2, later, in);
      _tile_loadd(3, later + LANES, in);
    }
    for (int64_t k = 0; k < depth; k += TILE_DEPTH, a += TILE_DEPTH, b += 2 * TILE) {
      _tile_loadd(4, a, bytes);
      _tile_loadd(6, b, 64);
      _tile_loadd(7, b + TILE, 64);
      _tile_dpbf16ps(0, 4, 6);
      _tile_dpbf16ps(1, 4, 7);
      if constexpr (tiles == 2) {
        _tile_loadd(5, a + TILE_ROWS * from_row, bytes);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
      }
    }
    _tile_stored(0, end, out);
    _tile_stored(1, end + LANES, out);
    if constexpr (tiles == 2) {
      _tile_stored(2, last, out);
      _tile_stored(3, last + LANES, out);
    }
    asm volatile("" ::: "memory");
  }
#else
  template <int tiles>
  void rows_of(int64_t, int64_t) const {}
#endif
};

}  // namespace gatecast::GATECAST_ISA
