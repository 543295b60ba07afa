// sigmoid, tanh and the other activations of a vector, and their derivatives as functions of their values.
//
// The polynomials are minimax fits (least squares with Lawson's weights). csrc/tests/driver.cpp measures the largest
// error over all floats.
#pragma once

#include "lstm.h"
#include "simd.h"

namespace gatecast::GATECAST_ISA {

const float MAGIC = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer, in the low bits of the sum

// N vectors at a time, operation by operation: with one vector every operation would wait for the one before.
#define EACH UNROLL for (int n = 0; n < N; n++)

// 1 / (1 + exp(-x)); -x = k ln 2 + r, exp(-x) = 2^k exp(r). Beyond the bounds it is 0 or 1 in float32.
template <int N>
INLINE void sigmoid(Vec (&x)[N]) {
  Vec shifted[N], k[N], p[N];
  EACH x[n] = clamp(x[n], broadcast(-87.0f), broadcast(87.0f));
  EACH shifted[n] = x[n] * -1.44269504088896341f + MAGIC;
  EACH k[n] = shifted[n] - MAGIC;
  EACH x[n] = k[n] * -0.693145751953125f - x[n];  // ln 2 in two parts, the first of few bits
  EACH x[n] = x[n] - k[n] * 1.42860682030941723212e-6f;
  EACH p[n] = x[n] * 8.3124800641e-3f + 4.1890554677e-2f;
  EACH p[n] = p[n] * x[n] + 1.6667116303e-1f;
  EACH p[n] = p[n] * x[n] + 4.9999228785e-1f;
  EACH p[n] = p[n] * x[n] + 1.0f;
  EACH p[n] = p[n] * x[n] + 1.0f;
  EACH p[n] = (Vec)((Bits)p[n] + ((Bits)shifted[n] << 23));
  EACH x[n] = 1.0f / (1.0f + p[n]);
}

// With e = exp(2x) - 1: tanh(x) = e / (e + 2). As 2x = k ln 2 + r, e = 2^k (exp(r) - 1) + (2^k - 1): no digits are lost
// near 0, where k = 0. Beyond the bound tanh is 1 in float32.
template <int N>
INLINE void tanh(Vec (&x)[N]) {
  Vec shifted[N], k[N], p[N];
  EACH x[n] = clamp(x[n], broadcast(-9.1f), broadcast(9.1f));
  EACH shifted[n] = x[n] * 2.88539008177792681f + MAGIC;
  EACH k[n] = shifted[n] - MAGIC;
  EACH x[n] = x[n] - k[n] * 0.3465728759765625f;
  EACH x[n] = x[n] - k[n] * 7.1430341015470860e-7f;
  EACH x[n] = x[n] + x[n];
  EACH p[n] = x[n] * 1.3882510187e-3f + 8.3665804389e-3f;
  EACH p[n] = p[n] * x[n] + 4.1667201782e-2f;
  EACH p[n] = p[n] * x[n] + 1.6666543177e-1f;
  EACH p[n] = p[n] * x[n] + 4.9999998144e-1f;
  EACH k[n] = x[n] * x[n];
  EACH p[n] = p[n] * k[n] + x[n];
  EACH k[n] = (Vec)(((Bits)shifted[n] << 23) + 0x3f800000);
  EACH p[n] = p[n] * k[n] + (k[n] - 1.0f);
  EACH x[n] = p[n] / (p[n] + 2.0f);
}

template <int N>
INLINE void activate(Activation kind, Vec (&x)[N]) {
  switch (kind) {
    case Activation::tanh: return tanh(x);
    case Activation::sigmoid: return sigmoid(x);
    case Activation::relu: EACH x[n] = at_least(x[n], Vec{}); return;
    case Activation::hard_sigmoid: EACH x[n] = clamp(x[n] * (1.0f / 6) + 0.5f, Vec{}, broadcast(1)); return;
    case Activation::softsign: EACH x[n] = x[n] / (1.0f + magnitude(x[n])); return;
    case Activation::hard_tanh: EACH x[n] = clamp(x[n], broadcast(-1), broadcast(1)); return;
    case Activation::linear: return;
  }
}

// grad[n] *= derivative of the activation where its value is y[n].
template <int N>
INLINE void times_derivative(Activation kind, Vec (&grad)[N], const Vec (&y)[N]) {
  const Vec one = broadcast(1), zero = Vec{};
  switch (kind) {
    case Activation::tanh: EACH grad[n] *= 1.0f - y[n] * y[n]; return;
    case Activation::sigmoid: EACH grad[n] *= y[n] - y[n] * y[n]; return;
    case Activation::relu: EACH grad[n] = y[n] > zero ? grad[n] : zero; return;
    case Activation::hard_sigmoid:
      EACH grad[n] = y[n] > zero ? (y[n] < one ? grad[n] * (1.0f / 6) : zero) : zero;
      return;
    case Activation::softsign: EACH grad[n] *= (1.0f - magnitude(y[n])) * (1.0f - magnitude(y[n])); return;
    case Activation::hard_tanh: EACH grad[n] = magnitude(y[n]) < one ? grad[n] : zero; return;
    case Activation::linear: return;
  }
}

}  // namespace gatecast::GATECAST_ISA
