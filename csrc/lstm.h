// What one LSTM layer computes, as pointers and sizes; the kernels of every instruction set share these types.
//
// Layout: float32; the last axis of every array is contiguous, and so are the others except where a stride is given.
// Arrays of a sequence are (time, batch, ...). `lanes` is the number of floats in a vector. Hidden units are processed
// in blocks of `lanes` units; the kernels pad the last block with zeros inside their own buffers.
#pragma once

#include <cstdint>

namespace gatecast {

enum class Activation : int64_t { tanh, sigmoid, relu, hard_sigmoid, softsign, linear, hard_tanh };

struct Options {
  Activation activation = Activation::tanh;
  Activation recurrent_activation = Activation::sigmoid;
  bool coupled = false;      // the weights hold f, g, o, and i = 1 - f
  bool reverse = false;      // read the time axis from its end
  bool zero_output = true;   // outputs of masked steps are 0
  bool bf16 = false;         // products may round their factors to bfloat16
  bool normed_cell = false;  // the cell state is normalised before its activation
  float cell_clip = 0;       // bound of |c|; 0: no bound
  float gradient_clip = 0;   // bound of the gradient of h from step to step; 0: no bound
};

// An optional array (time, batch, unit) with strides; an axis may be expanded (stride 0).
template <class T>
struct Mask {
  const T* at = nullptr;
  int64_t time = 0, batch = 0, unit = 0;
};

// What the forward and the backward pass both read. Missing arrays are null.
struct Layer {
  int64_t time, batch, input, hidden, output;         // output: width of h
  const float *x, *w_ih, *w_hh;                       // w_ih (gates * hidden, input), w_hh (gates * hidden, output)
  int64_t x_time, x_batch;                            // strides of x
  const float *h0 = nullptr, *c0 = nullptr;           // (batch, output), (batch, hidden)
  const float* peephole = nullptr;                    // (3, hidden) i, f, o; coupled: (2, hidden) f, o
  const float *norm_x = nullptr, *norm_h = nullptr;   // (gates * hidden): gains of the terms of x and h in the gates
  const float* norm_c = nullptr;                      // (2, hidden): gain and bias
  const float* w_proj = nullptr;                      // (output, hidden)
  Mask<bool> steps;                                   // false: the step is padding
  Mask<float> recurrent, zone_h, zone_c;              // factors of dropout on h, and of zoneout
  Options options;

  // The index on the time axis of step 0, 1, 2, ... of the recurrence.
  int64_t time_of(int64_t step) const { return options.reverse ? time - 1 - step : step; }

  // Gates with weights.
  int64_t gates() const { return options.coupled ? 3 : 4; }

  // Multiplications of a forward pass.
  double work() const { return 4.0 * time * batch * hidden * (input + output); }

  // Whether there is enough work to wake another thread.
  bool large() const { return work() >= 2e5; }

  // True for the cell with tanh, sigmoid and four gates and without options: the kernels have a shorter path for it.
  bool plain() const {
    return options.activation == Activation::tanh && options.recurrent_activation == Activation::sigmoid &&
           !options.coupled && options.cell_clip == 0 && !peephole && !steps.at && !recurrent.at && !zone_h.at &&
           !zone_c.at && !normed() && !deferred_h();
  }

  // True where a gate needs sums over all units of its row: layer normalisation of the terms of x or h.
  bool normed() const { return norm_x || norm_h; }

  // True where h can be computed only after the cells of all units: a normalised cell, or a projection.
  bool deferred_h() const { return norm_c || w_proj; }
};

struct Forward : Layer {
  const float *bias = nullptr, *bias_hh = nullptr;    // (gates * hidden); their sum is used
  float *y, *h, *c;                                   // (time, batch, output), (batch, output), (batch, hidden)
  int64_t y_time, y_batch;                            // strides of y
  float* cells = nullptr;                             // (time, batch, hidden)
  float* gates_out = nullptr;                         // (time, blocks, batch, 4 * lanes): i, f, g, o after activation
  float* states = nullptr;                            // (time, batch, output): h, where y does not hold it
  float* norms = nullptr;                             // twice the layout of gates_out: normalised terms of x and of h
  float* moments = nullptr;                           // (time, batch, 4): scales of x and h; mean and scale of c
};

struct Backward : Layer {
  const float *states, *cells;                        // what the forward pass kept
  const float *gates_in = nullptr, *norms = nullptr, *moments = nullptr;
  const float* bias = nullptr;                        // read where no gates were kept and they are computed again
  const float *grad_y = nullptr, *grad_h = nullptr, *grad_c = nullptr, *grad_cells = nullptr;
  int64_t grad_y_time = 0, grad_y_batch = 0;          // strides of grad_y
  float *grad_x = nullptr, *grad_h0 = nullptr, *grad_c0 = nullptr;  // null: not wanted
  float *grad_w_ih, *grad_w_hh, *grad_bias;
  float *grad_peephole = nullptr, *grad_norm_x = nullptr, *grad_norm_h = nullptr, *grad_norm_c = nullptr;
  float* grad_w_proj = nullptr;

  bool recompute() const { return !gates_in; }
};

// Access to other threads: `run` calls task(context, k) for each k below count, in any order, and returns when all
// calls have ended.
struct Threads {
  int64_t count = 1;
  void (*run)(int64_t count, void (*task)(void* context, int64_t k), void* context) = nullptr;
};

// The kernels of one instruction set.
struct Kernels {
  const char* name;
  int64_t lanes;
  bool (*supported)();  // by the processor and the system
  bool (*allowed)();    // requests permission from the system where it is needed; to be called before the kernels
  void (*forward)(const Forward&, const Threads&);
  void (*backward)(const Backward&, const Threads&);
};

// The kernels with this name; for a null name, the best that this processor runs. Null where it runs none.
const Kernels* kernels_named(const char* name);

}  // namespace gatecast
