// Layer normalisation (Ba, Kiros & Hinton 2016) of the rows of a slice: y = (x - mean) scale, scale = 1 / deviation.
//
// A row is divided into blocks of S vectors, `block` floats from block to block. `mask` has the same S vectors for
// every block, BLOCK_GATES floats from block to block: 1 for a unit, 0 for padding, which must not count.
#pragma once

#include "pack.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {

constexpr float NORM_EPSILON = 1e-5f;  // as in gatecast/ops/reference.py

INLINE float sum_of(Vec v) {
  float sum = 0;
  UNROLL for (int n = 0; n < LANES; n++) sum += v[n];
  return sum;
}

template <int S>
INLINE float sum_of(const Vec (&v)[S]) {
  Vec sum = v[0];
  UNROLL for (int s = 1; s < S; s++) sum += v[s];
  return sum_of(sum);
}

struct Moments {
  float mean = 0, scale = 1;  // these values leave a row as it is
};

template <int S>
inline Moments moments(const float* row, int64_t block, int64_t blocks, const float* mask, int64_t count) {
  Vec sum[S] = {}, squares[S] = {};
  for (int64_t b = 0; b < blocks; b++) {
    UNROLL for (int s = 0; s < S; s++) {
      sum[s] += load(row + b * block + s * LANES) * load(mask + b * BLOCK_GATES + s * LANES);
    }
  }
  Moments found;
  found.mean = sum_of(sum) / count;
  for (int64_t b = 0; b < blocks; b++) {
    UNROLL for (int s = 0; s < S; s++) {
      const Vec off = (load(row + b * block + s * LANES) - found.mean) * load(mask + b * BLOCK_GATES + s * LANES);
      squares[s] += off * off;
    }
  }
  found.scale = 1.0f / __builtin_sqrtf(sum_of(squares) / count + NORM_EPSILON);
  return found;
}

// Gains of the terms of x and h, packed once per call, [block][BLOCK_GATES] each. A term without a gain is not
// normalised; its gain is 1.
struct Gains {
  float *x = nullptr, *h = nullptr, *mask = nullptr;

  Gains(Arena& arena, const Layer& p) {
    if (!p.norm_x && !p.norm_h && !p.norm_c) return;
    const int64_t floats = blocks_of(p.hidden) * BLOCK_GATES;
    x = arena.take(floats);
    h = arena.take(floats);
    mask = arena.take(floats);
  }

  void pack(const Layer& p) const {
    if (!mask) return;
    for (int64_t block = 0; block < blocks_of(p.hidden); block++) {
      float* one = mask + block * BLOCK_GATES;
      for (int64_t k = 0; k < BLOCK_GATES; k++) {
        one[k] = first_row(p, k / LANES) >= 0 && block * LANES + k % LANES < p.hidden ? 1.0f : 0.0f;
      }
      pack_bias(p, p.norm_x, nullptr, block, x + block * BLOCK_GATES);
      pack_bias(p, p.norm_h, nullptr, block, h + block * BLOCK_GATES);
      if (!p.norm_x) std::memcpy(x + block * BLOCK_GATES, one, BLOCK_GATES * sizeof(float));
      if (!p.norm_h) std::memcpy(h + block * BLOCK_GATES, one, BLOCK_GATES * sizeof(float));
    }
  }
};

// The backward pass of normalisation for one row of one term of the gates: from the gradient of gain * y that of x.
//
//   grad_x = scale (g - mean(g) - y mean(g y)),  g = gain * grad
struct NormBackward {
  const float *y, *gain;
  int64_t y_block;
  float scale, mean = 0, slope = 0;

  Vec scaled(Vec grad, int64_t at) const { return grad * load(gain + at); }
  Vec gradient(Vec grad, int64_t b, int64_t s, Vec mask) const {
    const Vec values = load(y + b * y_block + s * LANES);
    return (scaled(grad, b * BLOCK_GATES + s * LANES) - mean - values * slope) * scale * mask;
  }

  // The two means over the row; `gains` += grad * y.
  void sum_up(const float* grads, int64_t block, int64_t blocks, int64_t count, float* gains) {
    Vec sum[4] = {}, product[4] = {};
    for (int64_t b = 0; b < blocks; b++) {
      UNROLL for (int s = 0; s < 4; s++) {
        const int64_t at = b * BLOCK_GATES + s * LANES;
        const Vec grad = load(grads + b * block + s * LANES), values = load(y + b * y_block + s * LANES);
        const Vec g = scaled(grad, at);
        sum[s] += g;
        product[s] += g * values;
        store(gains + at, load(gains + at) + grad * values);
      }
    }
    mean = sum_of(sum) / count;
    slope = sum_of(product) / count;
  }
};

}  // namespace gatecast::GATECAST_ISA
