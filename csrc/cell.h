// One step of the cell for LANES hidden units of one row, forward and backward; everything is in registers.
//
// The equations are those of gatecast/ops/reference.py. `plain` is the path without options.
#pragma once

#include "activations.h"
#include "lstm.h"

namespace gatecast::GATECAST_ISA {

struct Gates {
  Vec i, f, g, o;
};

INLINE Gates no_gates() { return {Vec{}, Vec{}, Vec{}, Vec{}}; }

INLINE Gates load_gates(const float* p) {
  return {load(p), load(p + LANES), load(p + 2 * LANES), load(p + 3 * LANES)};
}

INLINE void store_gates(float* p, const Gates& gates) {
  store(p, gates.i);
  store(p + LANES, gates.f);
  store(p + 2 * LANES, gates.g);
  store(p + 3 * LANES, gates.o);
}

// Peephole weights of a block; zeros where there are none.
INLINE Gates load_peephole(const Layer& p, int64_t unit, int64_t count) {
  if (!p.peephole) return no_gates();
  const float* first = p.peephole + unit;
  const int64_t f = p.options.coupled ? 0 : p.hidden;
  const Vec i = p.options.coupled ? Vec{} : load(first, count);
  return {i, load(first + f, count), Vec{}, load(first + f + p.hidden, count)};
}

// The gates after activation, in place; gives h, and c in `cell`.
template <bool plain>
INLINE Vec step(const Options& options, Gates& gates, const Gates& peephole, Vec before, Vec& cell) {
  if constexpr (plain) {
    gates = {sigmoid(gates.i), sigmoid(gates.f), tanh(gates.g), sigmoid(gates.o)};
    cell = gates.f * before + gates.i * gates.g;
    return gates.o * tanh(cell);
  } else {
    const Activation gate = options.recurrent_activation;
    gates.f = activate(gate, gates.f + peephole.f * before);
    gates.i = options.coupled ? 1.0f - gates.f : activate(gate, gates.i + peephole.i * before);
    gates.g = activate(options.activation, gates.g);
    cell = gates.f * before + gates.i * gates.g;
    if (options.cell_clip > 0) cell = clamp(cell, all(-options.cell_clip), all(options.cell_clip));
    gates.o = activate(gate, gates.o + peephole.o * cell);
    return gates.o * activate(options.activation, cell);
  }
}

struct CellGradients {
  Gates gates;         // before activation
  Vec before, cell;    // gradient to the cell state before the step; the cell state of the step itself
};

// Gradients from those of h and c of the step (before zoneout and masks).
template <bool plain>
INLINE CellGradients step_back(
    const Options& options, const Gates& v, const Gates& peephole, Vec before, Vec grad_h, Vec grad_c) {
  CellGradients out;
  out.cell = v.f * before + v.i * v.g;
  if constexpr (plain) {
    const Vec squashed = tanh(out.cell);
    const Vec grad_o = grad_h * v.o;
    out.gates.o = grad_h * squashed * (v.o - v.o * v.o);
    grad_c += grad_o - grad_o * squashed * squashed;
    out.gates.f = grad_c * before * (v.f - v.f * v.f);
    out.gates.i = grad_c * v.g * (v.i - v.i * v.i);
    out.gates.g = grad_c * (v.i - v.i * v.g * v.g);
    out.before = grad_c * v.f;
  } else {
    const Activation gate = options.recurrent_activation, activation = options.activation;
    const Vec unclipped = out.cell;
    if (options.cell_clip > 0) out.cell = clamp(unclipped, all(-options.cell_clip), all(options.cell_clip));
    const Vec squashed = activate(activation, out.cell);
    out.gates.o = grad_h * squashed * slope(gate, v.o);
    grad_c += grad_h * v.o * slope(activation, squashed) + out.gates.o * peephole.o;
    if (options.cell_clip > 0) grad_c = magnitude(unclipped) <= all(options.cell_clip) ? grad_c : Vec{};
    out.gates.f = (options.coupled ? grad_c * (before - v.g) : grad_c * before) * slope(gate, v.f);
    out.gates.i = options.coupled ? Vec{} : grad_c * v.g * slope(gate, v.i);
    out.gates.g = grad_c * v.i * slope(activation, v.g);
    out.before = grad_c * v.f + out.gates.f * peephole.f + out.gates.i * peephole.i;
  }
  return out;
}

// The values of a mask for one row and block.
INLINE Vec mask_values(const Mask<float>& mask, int64_t t, int64_t row, int64_t unit, int64_t count) {
  const float* at = mask.at + t * mask.time + row * mask.batch;
  return mask.unit ? load(at + unit, count) : all(*at);
}

INLINE bool masked(const Mask<bool>& steps, int64_t t, int64_t row) {
  return steps.at && !steps.at[t * steps.time + row * steps.batch];
}

}  // namespace gatecast::GATECAST_ISA
