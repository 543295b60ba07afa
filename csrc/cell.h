// One step of the cell for LANES hidden units of N rows, forward and backward, with all values in registers.
//
// The equations are those of gatecast/ops/reference.py. `plain` is the path without options. Four rows at a time keep
// the arithmetic units busy: c and h need one activation after another, each a long chain of dependent operations.
#pragma once

#include "activations.h"
#include "lstm.h"

namespace gatecast::GATECAST_ISA {

constexpr int64_t ROWS = 4;  // rows that are computed together

template <int N>
struct Gates {
  Vec i[N], f[N], g[N], o[N];
};

template <int N>
INLINE void load_gates(Gates<N>& gates, const float* p) {
  EACH {
    const float* row = p + n * 4 * LANES;
    gates.i[n] = load(row);
    gates.f[n] = load(row + LANES);
    gates.g[n] = load(row + 2 * LANES);
    gates.o[n] = load(row + 3 * LANES);
  }
}

template <int N, class Put>
INLINE void put_gates(float* p, const Gates<N>& gates, const Put& put) {
  EACH {
    float* row = p + n * 4 * LANES;
    put(row, gates.i[n]);
    put(row + LANES, gates.f[n]);
    put(row + 2 * LANES, gates.g[n]);
    put(row + 3 * LANES, gates.o[n]);
  }
}

template <int N>
INLINE void store_gates(float* p, const Gates<N>& gates) {
  put_gates(p, gates, [](float* at, Vec v) __attribute__((always_inline)) { store(at, v); });
}

template <int N>
INLINE void stream_gates(float* p, const Gates<N>& gates) {
  put_gates(p, gates, [](float* at, Vec v) __attribute__((always_inline)) { stream(at, v); });
}

// Peephole weights of one block: from the cell to the gates. Zeros where the layer has none.
struct Peephole {
  Vec i, f, o;
};

INLINE Peephole load_peephole(const Layer& p, int64_t unit, int64_t count) {
  if (!p.peephole) return {Vec{}, Vec{}, Vec{}};
  const float* first = p.peephole + unit;
  const int64_t f = p.options.coupled ? 0 : p.hidden;
  const Vec i = p.options.coupled ? Vec{} : load(first, count);
  return {i, load(first + f, count), load(first + f + p.hidden, count)};
}

template <int N>
INLINE void clip(Vec (&x)[N], float bound) {
  if (bound > 0) EACH x[n] = clamp(x[n], broadcast(-bound), broadcast(bound));
}

INLINE Vec next_cell(Vec f, Vec before, Vec i, Vec g) { return fused(f, before, i * g); }

// From the gates before activation and the cell state before the step: the gates after activation, the cell state and
// h. With a normalised cell `h` is the output gate, because the activation of the cell comes later.
template <bool plain, int N>
INLINE void cell_forward(const Options& options, const Peephole& peephole, Gates<N>& gates, const Vec (&before)[N],
                 Vec (&cell)[N], Vec (&h)[N]) {
  if constexpr (plain) {
    tanh(gates.g);
    sigmoid(gates.i);
    sigmoid(gates.f);
    EACH h[n] = cell[n] = next_cell(gates.f[n], before[n], gates.i[n], gates.g[n]);
    sigmoid(gates.o);
    tanh(h);
  } else {
    const Activation gate = options.recurrent_activation;
    EACH gates.f[n] += peephole.f * before[n];
    activate(gate, gates.f);
    EACH gates.i[n] = options.coupled ? 1.0f - gates.f[n] : gates.i[n] + peephole.i * before[n];
    if (!options.coupled) activate(gate, gates.i);
    activate(options.activation, gates.g);
    EACH cell[n] = next_cell(gates.f[n], before[n], gates.i[n], gates.g[n]);
    clip(cell, options.cell_clip);
    EACH gates.o[n] += peephole.o * cell[n];
    activate(gate, gates.o);
    EACH h[n] = options.normed_cell ? broadcast(1) : cell[n];
    if (!options.normed_cell) activate(options.activation, h);
  }
  EACH h[n] *= gates.o[n];
}

// Computes the cell state of a step again, from its gates after activation.
template <int N>
INLINE void recompute_cell(const Options& options, const Gates<N>& v, const Vec (&before)[N], Vec (&cell)[N]) {
  EACH cell[n] = next_cell(v.f[n], before[n], v.i[n], v.g[n]);
  clip(cell, options.cell_clip);
}

// From the gradients of h and c of a step (inside zoneout and masks): those of the gates before activation, and in
// grad_c that of the cell state before the step. `cell` and `squashed`, the activation of the cell, are computed again.
// With a normalised cell the caller gives `squashed`, and in `through_h` the gradient of c that comes from h.
template <bool plain, int N>
INLINE void cell_backward(const Options& options, const Peephole& peephole, const Gates<N>& v, const Vec (&before)[N],
                      const Vec (&grad_h)[N], Vec (&grad_c)[N], Gates<N>& grad, Vec (&cell)[N], Vec (&squashed)[N],
                      Vec (&through_h)[N]) {
  const Activation gate = plain ? Activation::sigmoid : options.recurrent_activation;
  const Activation activation = plain ? Activation::tanh : options.activation;
  const bool given = !plain && options.normed_cell;
  if constexpr (plain) {
    EACH cell[n] = next_cell(v.f[n], before[n], v.i[n], v.g[n]);
  } else {
    recompute_cell(options, v, before, cell);
  }
  if (!given) {
    EACH squashed[n] = cell[n];
    activate(activation, squashed);
  }
  EACH grad.o[n] = grad_h[n] * squashed[n];
  times_derivative(gate, grad.o, v.o);
  if (!given) {
    EACH through_h[n] = grad_h[n] * v.o[n];
    times_derivative(activation, through_h, squashed);
  }
  EACH grad_c[n] += through_h[n];
  if constexpr (!plain) {
    EACH grad_c[n] += grad.o[n] * peephole.o;
    if (options.cell_clip > 0) {
      EACH {
        const Vec unclipped = next_cell(v.f[n], before[n], v.i[n], v.g[n]);
        grad_c[n] = magnitude(unclipped) <= broadcast(options.cell_clip) ? grad_c[n] : Vec{};
      }
    }
  }
  EACH grad.f[n] = grad_c[n] * (!plain && options.coupled ? before[n] - v.g[n] : before[n]);
  EACH grad.i[n] = !plain && options.coupled ? Vec{} : grad_c[n] * v.g[n];
  EACH grad.g[n] = grad_c[n] * v.i[n];
  EACH grad_c[n] *= v.f[n];
  times_derivative(gate, grad.f, v.f);
  times_derivative(gate, grad.i, v.i);
  times_derivative(activation, grad.g, v.g);
  if constexpr (!plain) EACH grad_c[n] = fused(grad.f[n], peephole.f, fused(grad.i[n], peephole.i, grad_c[n]));
}

// The values of a mask for one row and block.
INLINE Vec mask_values(const Mask<float>& mask, int64_t t, int64_t row, int64_t unit, int64_t count) {
  const float* at = mask.at + t * mask.time + row * mask.batch;
  return mask.unit ? load(at + unit, count) : broadcast(*at);
}

INLINE bool masked(const Mask<bool>& steps, int64_t t, int64_t row) {
  return steps.at && !steps.at[t * steps.time + row * steps.batch];
}

}  // namespace gatecast::GATECAST_ISA
