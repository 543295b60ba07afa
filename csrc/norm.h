// Layer normalisation (Ba, Kiros & Hinton 2016) of the rows of a slice: y = (x - mean) scale, scale = 1 / deviation.
//
// A row lies in blocks: S vectors side by side, `block` floats from block to block. `there` has the same S vectors for
// every block, SLOTS floats from block to block: 1 where a unit is, 0 in the padding, which must not count.
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
  float mean = 0, scale = 1;  // as they are, nothing is normalised
};

template <int S>
inline Moments moments(const float* row, int64_t block, int64_t blocks, const float* there, int64_t count) {
  Vec sum[S] = {}, squares[S] = {};
  for (int64_t b = 0; b < blocks; b++) {
    UNROLL for (int s = 0; s < S; s++) {
      sum[s] += load(row + b * block + s * LANES) * load(there + b * SLOTS + s * LANES);
    }
  }
  Moments found;
  found.mean = sum_of(sum) / count;
  for (int64_t b = 0; b < blocks; b++) {
    UNROLL for (int s = 0; s < S; s++) {
      const Vec off = (load(row + b * block + s * LANES) - found.mean) * load(there + b * SLOTS + s * LANES);
      squares[s] += off * off;
    }
  }
  found.scale = 1.0f / __builtin_sqrtf(sum_of(squares) / count + NORM_EPSILON);
  return found;
}

// Packed once per call, [block][SLOTS] each. Without a gain a share of the gates is not normalised: its gain is 1.
struct Gains {
  float *x = nullptr, *h = nullptr, *there = nullptr;

  Gains(Pieces& pieces, const Layer& p) {
    if (!p.norm_x && !p.norm_h && !p.norm_c) return;
    const int64_t floats = blocks_of(p.hidden) * SLOTS;
    x = pieces.take(floats);
    h = pieces.take(floats);
    there = pieces.take(floats);
  }

  void pack(const Layer& p) const {
    if (!there) return;
    for (int64_t block = 0; block < blocks_of(p.hidden); block++) {
      float* one = there + block * SLOTS;
      for (int64_t k = 0; k < SLOTS; k++) {
        one[k] = first_row(p, k / LANES) >= 0 && block * LANES + k % LANES < p.hidden ? 1.0f : 0.0f;
      }
      pack_bias(p, p.norm_x, nullptr, block, x + block * SLOTS);
      pack_bias(p, p.norm_h, nullptr, block, h + block * SLOTS);
      if (!p.norm_x) std::memcpy(x + block * SLOTS, one, SLOTS * sizeof(float));
      if (!p.norm_h) std::memcpy(h + block * SLOTS, one, SLOTS * sizeof(float));
    }
  }
};

// One row of one share of the gates on its way back: the gradient of x from that of gain * y.
//
//   grad_x = scale (g - mean(g) - y mean(g y)),  g = gain * grad
struct ShareBack {
  const float *y, *gain;
  int64_t y_block;
  float scale, mean = 0, slope = 0;

  Vec scaled(Vec grad, int64_t at) const { return grad * load(gain + at); }
  Vec back(Vec grad, int64_t b, int64_t s, Vec there) const {
    const Vec values = load(y + b * y_block + s * LANES);
    return (scaled(grad, b * SLOTS + s * LANES) - mean - values * slope) * scale * there;
  }

  // The two means over the row; `gains` += grad * y.
  void sum_up(const float* grads, int64_t block, int64_t blocks, int64_t count, float* gains) {
    Vec sum[4] = {}, product[4] = {};
    for (int64_t b = 0; b < blocks; b++) {
      UNROLL for (int s = 0; s < 4; s++) {
        const int64_t at = b * SLOTS + s * LANES;
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
