// sigmoid, tanh and the other activations of a vector, and their derivatives from the value they gave.
//
// Polynomials fitted for this file (least squares with Lawson's weights, i.e. minimax). Largest error over all floats:
// see csrc/tests/driver.cpp, which measures it.
#pragma once

#include "lstm.h"
#include "simd.h"

namespace gatecast::GATECAST_ISA {

const float MAGIC = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, which is left in the low bits

// 1 / (1 + exp(-x)); -x = n ln 2 + r, exp(-x) = 2^n exp(r). Beyond the bounds it is 0 or 1 to every digit.
INLINE Vec sigmoid(Vec x) {
  x = clamp(x, all(-87.0f), all(87.0f));
  Vec shifted = x * -1.44269504088896341f + MAGIC;
  Vec n = shifted - MAGIC;
  Vec r = n * -0.693145751953125f - x;  // ln 2 in two parts, the first of few bits
  r = r - n * 1.42860682030941723212e-6f;
  Vec p = r * 8.3124800641e-3f + 4.1890554677e-2f;
  p = p * r + 1.6667116303e-1f;
  p = p * r + 4.9999228785e-1f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  Vec e = (Vec)((Bits)p + ((Bits)shifted << 23));
  return 1.0f / (1.0f + e);
}

// With e = exp(2x) - 1: tanh(x) = e / (e + 2). As 2x = n ln 2 + r, e = 2^n (exp(r) - 1) + (2^n - 1): no digits are lost
// near 0, where n = 0. Beyond the bound tanh is 1 in float32.
INLINE Vec tanh(Vec x) {
  x = clamp(x, all(-9.1f), all(9.1f));
  Vec shifted = x * 2.88539008177792681f + MAGIC;
  Vec n = shifted - MAGIC;
  Vec r = x - n * 0.3465728759765625f;
  r = r - n * 7.1430341015470860e-7f;
  r = r + r;
  Vec p = all(1.3882510187e-3f);
  p = p * r + 8.3665804389e-3f;
  p = p * r + 4.1667201782e-2f;
  p = p * r + 1.6666543177e-1f;
  p = p * r + 4.9999998144e-1f;
  p = p * (r * r) + r;
  Vec scale = (Vec)(((Bits)shifted << 23) + 0x3f800000);
  Vec e = p * scale + (scale - 1.0f);
  return e / (e + 2.0f);
}

INLINE Vec activate(Activation kind, Vec x) {
  switch (kind) {
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::relu: return at_least(x, Vec{});
    case Activation::hard_sigmoid: return clamp(x * (1.0f / 6) + 0.5f, Vec{}, all(1));
    case Activation::softsign: return x / (1.0f + magnitude(x));
    case Activation::hard_tanh: return clamp(x, all(-1), all(1));
    default: return x;
  }
}

// Derivative of the activation where its value is y.
INLINE Vec slope(Activation kind, Vec y) {
  const Vec one = all(1), none = Vec{};
  switch (kind) {
    case Activation::tanh: return 1.0f - y * y;
    case Activation::sigmoid: return y * (1.0f - y);
    case Activation::relu: return y > none ? one : none;
    case Activation::hard_sigmoid: return y > none ? (y < one ? all(1.0f / 6) : none) : none;
    case Activation::softsign: return (1.0f - magnitude(y)) * (1.0f - magnitude(y));
    case Activation::hard_tanh: return magnitude(y) < one ? one : none;
    default: return one;
  }
}

}  // namespace gatecast::GATECAST_ISA
