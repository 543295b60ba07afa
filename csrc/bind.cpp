// The only file that knows PyTorch: tensors in, pointers and sizes to the kernels, tensors out.
//
// Written against the stable ABI of libtorch, so that one library serves every PyTorch >= 2.10 and every Python. The
// schemas are declared in gatecast/ops/kernel.py, which has checked types, sizes and devices before these run.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <initializer_list>
#include <optional>
#include <tuple>
#include <vector>

#include "lstm.h"
#include "workspace.h"

namespace {

using torch::stable::Tensor;
using Optional = std::optional<Tensor>;

const gatecast::Kernels* chosen = nullptr;

const float* values(const Tensor& t) { return static_cast<const float*>(t.data_ptr()); }
const float* values(const Optional& t) { return t ? values(*t) : nullptr; }
float* target(const Tensor& t) { return static_cast<float*>(t.data_ptr()); }

constexpr int64_t LARGE_FLOATS = 1 << 20;  // from 4 MB on, memory is often fresh from the system

// Straight to the allocator: an empty tensor through the dispatcher costs as much as a step of a small layer.
Tensor empty(std::initializer_list<int64_t> sizes) {
  int64_t strides[4], stride = 1;
  for (int64_t k = static_cast<int64_t>(sizes.size()) - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= sizes.begin()[k] > 0 ? sizes.begin()[k] : 1;
  }
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(
      static_cast<int64_t>(sizes.size()), sizes.begin(), strides, aoti_torch_dtype_float32(),
      aoti_torch_device_type_cpu(), 0, &made));
  Tensor tensor(made);
  if (stride >= LARGE_FLOATS) gatecast::prefer_huge_pages(tensor.data_ptr(), stride * 4);
  return tensor;
}

gatecast::Mask<float> mask(const Optional& t) {
  if (!t) return {};
  return {values(*t), t->stride(0), t->stride(1), t->stride(2)};
}

gatecast::Mask<bool> step_mask(const Optional& t) {
  if (!t) return {};
  return {static_cast<const bool*>(t->data_ptr()), t->stride(0), t->stride(1), 0};
}

gatecast::Threads torch_threads() {
  gatecast::Threads threads;
  threads.count = torch::stable::get_num_threads();
  threads.run = [](int64_t count, void (*task)(void*, int64_t), void* context) {
    torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k++) task(context, k);
    });
  };
  return threads;
}

struct Arguments {
  const Tensor &x, &w_ih, &w_hh;
  const Optional &h0, &c0, &peephole, &norm_x, &norm_h, &norm_c, &w_proj, &steps, &recurrent, &zone_h, &zone_c;
  const std::vector<int64_t>& choices;  // activation, recurrent activation, coupled, reverse, zero_output
  double cell_clip, gradient_clip;
};

void fill(gatecast::Layer& p, const Arguments& a) {
  p.options.activation = static_cast<gatecast::Activation>(a.choices[0]);
  p.options.recurrent_activation = static_cast<gatecast::Activation>(a.choices[1]);
  p.options.coupled = a.choices[2];
  p.options.reverse = a.choices[3];
  p.options.zero_output = a.choices[4];
  p.options.cell_clip = static_cast<float>(a.cell_clip);
  p.options.gradient_clip = static_cast<float>(a.gradient_clip);
  p.options.normed_cell = a.norm_c.has_value();
  p.time = a.x.size(0);
  p.batch = a.x.size(1);
  p.input = a.x.size(2);
  p.hidden = a.w_hh.size(0) / p.gates();
  p.output = a.w_hh.size(1);
  p.x = values(a.x);
  p.x_time = a.x.stride(0);
  p.x_batch = a.x.stride(1);
  p.w_ih = values(a.w_ih);
  p.w_hh = values(a.w_hh);
  p.h0 = values(a.h0);
  p.c0 = values(a.c0);
  p.peephole = values(a.peephole);
  p.norm_x = values(a.norm_x);
  p.norm_h = values(a.norm_h);
  p.norm_c = values(a.norm_c);
  p.w_proj = values(a.w_proj);
  p.steps = step_mask(a.steps);
  p.recurrent = mask(a.recurrent);
  p.zone_h = mask(a.zone_h);
  p.zone_c = mask(a.zone_c);
}

// An empty tensor where it is not wanted.
Tensor empty_if(bool wanted, std::initializer_list<int64_t> sizes) { return wanted ? empty(sizes) : empty({0}); }
float* target_if(bool wanted, const Tensor& t) { return wanted ? target(t) : nullptr; }

using Eight = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

enum Keep : int64_t { NOTHING, CELLS, GRADIENT, RECOMPUTE };

// y, h, c; what `keep` asks for: the cells, and for the gradient the states where y does not hold them, what layer
// normalisation found, and the gates, unless they are to be computed again.
Eight lstm_forward(
    Tensor x, Tensor w_ih, Tensor w_hh, Optional bias, Optional h0, Optional c0, Optional peephole, Optional norm_x,
    Optional norm_h, Optional norm_c, Optional w_proj, Optional steps, Optional recurrent, Optional zone_h,
    Optional zone_c, std::vector<int64_t> choices, double cell_clip, double gradient_clip, int64_t keep) {
  gatecast::Forward p{};
  fill(p, {x, w_ih, w_hh, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj, steps, recurrent, zone_h, zone_c, choices,
           cell_clip, gradient_clip});
  p.bias = values(bias);
  const int64_t lanes = chosen->lanes, blocks = (p.hidden + lanes - 1) / lanes;
  const bool all = keep >= GRADIENT, states = all && steps && p.options.zero_output;
  Tensor y = empty({p.time, p.batch, p.output});
  Tensor h = empty({p.batch, p.output}), c = empty({p.batch, p.hidden});
  Tensor cells = empty_if(keep, {p.time, p.batch, p.hidden});
  const bool with_gates = keep == GRADIENT;
  Tensor gates = empty_if(with_gates, {p.time, blocks, p.batch, 4 * lanes});
  Tensor kept = empty_if(states, {p.time, p.batch, p.output});
  Tensor norms = empty_if(all && p.normed(), {2 * p.time, blocks, p.batch, 4 * lanes});
  Tensor moments = empty_if(all && (p.normed() || p.norm_c), {p.time, p.batch, 4});
  p.y = target(y);
  p.y_time = y.stride(0);
  p.y_batch = y.stride(1);
  p.h = target(h);
  p.c = target(c);
  p.cells = target_if(keep, cells);
  p.gates_out = target_if(with_gates, gates);
  p.states = target_if(states, kept);
  p.norms = target_if(all, norms);
  p.moments = target_if(all, moments);
  chosen->forward(p, torch_threads());
  return {y, h, c, cells, gates, kept, norms, moments};
}

using Eleven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Gradients of x, w_ih, w_hh, bias, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj; those not wanted are empty.
Eleven lstm_backward(
    Optional grad_y, Optional grad_h, Optional grad_c, Optional grad_cells, Tensor x, Tensor w_ih, Tensor w_hh,
    Optional bias, Optional h0, Optional c0, Optional peephole, Optional norm_x, Optional norm_h, Optional norm_c, Optional w_proj,
    Optional steps, Optional recurrent, Optional zone_h, Optional zone_c, Tensor states, Tensor cells, Tensor gates,
    Tensor norms, Tensor moments, std::vector<int64_t> choices, double cell_clip, double gradient_clip, bool want_x,
    bool want_h0, bool want_c0) {
  gatecast::Backward p{};
  fill(p, {x, w_ih, w_hh, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj, steps, recurrent, zone_h, zone_c, choices,
           cell_clip, gradient_clip});
  p.states = values(states);
  p.cells = values(cells);
  p.gates_in = gates.numel() ? values(gates) : nullptr;
  p.bias = values(bias);
  p.norms = values(norms);
  p.moments = values(moments);
  p.grad_y = values(grad_y);
  p.grad_h = values(grad_h);
  p.grad_c = values(grad_c);
  p.grad_cells = values(grad_cells);
  if (grad_y) {
    p.grad_y_time = grad_y->stride(0);
    p.grad_y_batch = grad_y->stride(1);
  }
  const int64_t rows = p.gates() * p.hidden;
  Tensor grad_x = empty_if(want_x, {p.time, p.batch, p.input});
  Tensor grad_w_ih = empty({rows, p.input}), grad_w_hh = empty({rows, p.output}), grad_bias = empty({rows});
  Tensor grad_h0 = empty_if(want_h0, {p.batch, p.output}), grad_c0 = empty_if(want_c0, {p.batch, p.hidden});
  Tensor grad_peephole = empty_if(p.peephole, {p.gates() - 1, p.hidden});
  Tensor grad_norm_x = empty_if(p.norm_x, {rows}), grad_norm_h = empty_if(p.norm_h, {rows});
  Tensor grad_norm_c = empty_if(p.norm_c, {2, p.hidden}), grad_w_proj = empty_if(p.w_proj, {p.output, p.hidden});
  p.grad_x = target_if(want_x, grad_x);
  p.grad_w_ih = target(grad_w_ih);
  p.grad_w_hh = target(grad_w_hh);
  p.grad_bias = target(grad_bias);
  p.grad_h0 = target_if(want_h0, grad_h0);
  p.grad_c0 = target_if(want_c0, grad_c0);
  p.grad_peephole = target_if(p.peephole, grad_peephole);
  p.grad_norm_x = target_if(p.norm_x, grad_norm_x);
  p.grad_norm_h = target_if(p.norm_h, grad_norm_h);
  p.grad_norm_c = target_if(p.norm_c, grad_norm_c);
  p.grad_w_proj = target_if(p.w_proj, grad_w_proj);
  chosen->backward(p, torch_threads());
  return {grad_x,        grad_w_ih,   grad_w_hh,   grad_bias,   grad_h0,    grad_c0,
          grad_peephole, grad_norm_x, grad_norm_h, grad_norm_c, grad_w_proj};
}

// Layers of one direction or two, one on the other, without gradients. `weights` holds as many tensors for each run of
// a cell, an empty one for each that is missing; those behind are left out, since each costs. The runs of a layer stand
// side by side in y. x may be one step alone, (batch, input); y is then (batch, width).
enum Place { W_IH, W_HH, BIAS, BIAS_HH, PEEPHOLE, NORM_X, NORM_H, NORM_C, W_PROJ, PER_RUN };

struct Runs {
  std::vector<Tensor>& weights;
  const Optional &h0, &c0;
  int64_t directions, each;  // tensors of a run
  Tensor h, c;

  void fill(gatecast::Forward& p, int64_t run, const Tensor& y) {
    const int64_t rows = p.gates() * p.hidden;
    p.w_ih = weight(run, W_IH, {rows, p.input});
    p.w_hh = weight(run, W_HH, {rows, p.output});
    p.bias = weight(run, BIAS, {rows});
    p.bias_hh = weight(run, BIAS_HH, {rows});
    p.peephole = weight(run, PEEPHOLE, {p.gates() - 1, p.hidden});
    p.norm_x = weight(run, NORM_X, {rows});
    p.norm_h = weight(run, NORM_H, {rows});
    p.norm_c = weight(run, NORM_C, {2, p.hidden});
    p.w_proj = weight(run, W_PROJ, {p.output, p.hidden});
    STD_TORCH_CHECK(p.w_proj || p.output == p.hidden, "w_hh of run ", run, " does not fit");
    p.options.normed_cell = p.norm_c;
    p.h0 = h0 ? values(*h0) + run * h0->stride(0) : nullptr;
    p.c0 = c0 ? values(*c0) + run * c0->stride(0) : nullptr;
    p.h = target(h) + run * h.stride(0);
    p.c = target(c) + run * c.stride(0);
    p.y_time = p.batch * directions * p.output;
    p.y_batch = directions * p.output;
    p.y = target(y) + run % directions * p.output;
    p.options.reverse = run % directions;
  }

  // The caller gives the words: gatecast.ops.checks.check_layers.
  const float* weight(int64_t run, Place place, std::initializer_list<int64_t> sizes) {
    if (place >= each) return nullptr;
    Tensor& t = weights[run * each + place];
    if (place > W_HH && t.numel() == 0) return nullptr;
    bool fits = t.dim() == static_cast<int64_t>(sizes.size()) && t.is_cpu() &&
                t.scalar_type() == torch::headeronly::ScalarType::Float;
    for (int64_t k = 0; fits && k < t.dim(); k++) fits = t.size(k) == sizes.begin()[k];
    STD_TORCH_CHECK(fits, "weight ", static_cast<int64_t>(place), " of run ", run, " does not fit");
    if (!t.is_contiguous()) t = torch::stable::contiguous(t);
    return values(t);
  }
};

// One layer: both directions at the same time where the batch leaves a thread for each.
void run_layer(const gatecast::Forward* runs, int64_t directions) {
  const gatecast::Threads threads = torch_threads();
  const auto task = [](void* context, int64_t k) {
    chosen->forward(static_cast<const gatecast::Forward*>(context)[k], gatecast::Threads{});
  };
  if (directions == 2 && threads.count > 1 && runs->batch == 1 && runs->large()) {
    threads.run(2, task, const_cast<gatecast::Forward*>(runs));
  } else {
    for (int64_t k = 0; k < directions; k++) chosen->forward(runs[k], threads);
  }
}

// A step alone with an axis of time, on the same memory; not through the dispatcher, as `empty`.
Tensor with_time(const Tensor& x) {
  const int64_t sizes[3] = {1, x.size(0), x.size(1)}, strides[3] = {0, x.stride(0), x.stride(1)};
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(
      aoti_torch__reinterpret_tensor(x.get(), 3, sizes, strides, x.storage_offset(), &made));
  return Tensor(made);
}

using Three = std::tuple<Tensor, Tensor, Tensor>;

Three lstm_layers(
    Tensor x, std::vector<Tensor> weights, Optional h0, Optional c0, Optional steps, int64_t layers,
    int64_t directions, std::vector<int64_t> choices, double cell_clip, double gradient_clip) {
  const int64_t count = layers * directions, tensors = static_cast<int64_t>(weights.size());
  STD_TORCH_CHECK(count > 0 && tensors % count == 0, "weights must be of whole layers, got ", tensors);
  const int64_t each = tensors / count;
  const bool one = x.dim() == 2;
  Tensor below = one ? with_time(x) : x;
  const int64_t time = below.size(0), batch = below.size(1);
  STD_TORCH_CHECK(each > W_HH && each <= PER_RUN && weights[W_HH].dim() == 2, "w_hh does not fit");
  const int64_t hidden = weights[W_HH].size(0) / (choices[2] ? 3 : 4), output = weights[W_HH].size(1);
  Runs runs{weights, h0, c0, directions, each, empty({count, batch, output}), empty({count, batch, hidden})};
  const Optional none;
  for (int64_t layer = 0; layer < layers; layer++) {
    const int64_t width = directions * output;
    Tensor y = one && layer == layers - 1 ? empty({batch, width}) : empty({time, batch, width});
    gatecast::Forward both[2] = {};
    for (int64_t k = 0; k < directions; k++) {
      fill(both[k], {below, weights[W_IH], weights[W_HH], none, none, none, none, none, none, none, steps, none, none,
                     none, choices, cell_clip, gradient_clip});
      runs.fill(both[k], layer * directions + k, y);
    }
    run_layer(both, directions);
    below = y;
  }
  return {below, runs.h, runs.c};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(gatecast, CPU, library) {
  library.impl("lstm_forward", TORCH_BOX(&lstm_forward));
  library.impl("lstm_backward", TORCH_BOX(&lstm_backward));
  library.impl("lstm_layers", TORCH_BOX(&lstm_layers));
}

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Name and vector width of the kernels asked for by name (null: the best); null and 0 where they cannot run here.
EXPORTED const char* gatecast_isa(const char* name) {
  const gatecast::Kernels* kernels = gatecast::kernels_named(name);
  return kernels ? kernels->name : nullptr;
}

EXPORTED int64_t gatecast_lanes(const char* name) {
  const gatecast::Kernels* kernels = gatecast::kernels_named(name);
  return kernels ? kernels->lanes : 0;
}

// To be called once, before the first operator: gates kept by one instruction set cannot be read by another.
EXPORTED void gatecast_choose(const char* name) { chosen = gatecast::kernels_named(name); }
