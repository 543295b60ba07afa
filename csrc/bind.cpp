// The operators: tensors in, pointers and sizes to the kernels, tensors out. With arguments.h and tensors.h the only
// code that knows PyTorch.
//
// Written against the stable ABI of libtorch, so that one library serves every PyTorch >= 2.10 and every Python. The
// schemas are declared in gatecast/ops/lstm_cell/operators.py. gatecast.ops checks the arguments and explains what does not fit;
// the checks here only make sure that no call of an operator reads memory outside its tensors.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <vector>

#include "arguments.h"
#include "lstm.h"
#include "tensors.h"

namespace gatecast {
namespace {

const Kernels *float_kernels = nullptr, *bf16_kernels = nullptr;

// Whether products of bfloat16 are faster: with few rows the tiles are mostly empty, with few units there are few
// products, and with few steps packing takes longer than it saves. Measured on Emerald Rapids.
bool takes_bf16(int64_t time, int64_t batch, int64_t hidden) {
  const bool enough = time >= 4 && batch >= 4 && hidden >= 32 && batch * hidden >= 256;
  return bf16_kernels && enough && bf16_kernels->allowed();
}

const Kernels& kernels_for(const Layer& p) {
  return p.options.bf16 && takes_bf16(p.time, p.batch, p.hidden) ? *bf16_kernels : *float_kernels;
}

Threads torch_threads() {
  Threads threads;
  threads.count = torch::stable::get_num_threads();
  threads.run = [](int64_t count, void (*task)(void*, int64_t), void* context) {
    torch::stable::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
      for (int64_t k = begin; k < end; k++) task(context, k);
    });
  };
  return threads;
}

// Runs the members of an ensemble. Each thread computes whole members, as long as there is one for every thread; the
// remaining members are computed one after the other, each by all threads.
template <class Call>
void run(const std::vector<Call>& members, void (*kernel)(const Call&, const Threads&)) {
  const Threads threads = torch_threads();
  const int64_t count = static_cast<int64_t>(members.size());
  int64_t alone = 0;
  if (count > 1 && threads.count > 1) {
    Call all = members[0];
    all.batch *= count;
    if (all.large()) alone = count - count % threads.count;
  }
  struct Work {
    const Call* members;
    void (*kernel)(const Call&, const Threads&);
  } work{members.data(), kernel};
  const auto task = [](void* context, int64_t k) {
    const Work& all = *static_cast<const Work*>(context);
    all.kernel(all.members[k], Threads{});
  };
  if (alone) threads.run(alone, task, &work);
  for (int64_t k = alone; k < count; k++) kernel(members[k], threads);
}

// What `flags` holds, in this order.
enum Flag { ACTIVATION, RECURRENT_ACTIVATION, COUPLED, REVERSE, ZERO_OUTPUT, BF16, FLAGS };

template <class Arguments>
Options options_from(const Arguments& a) {
  const Integers& flags = a.flags;
  constexpr int64_t last = static_cast<int64_t>(Activation::hard_tanh);
  const auto known = [](int64_t kind) { return kind >= 0 && kind <= last; };
  STD_TORCH_CHECK(
      flags.size() == FLAGS && known(flags[ACTIVATION]) && known(flags[RECURRENT_ACTIVATION]),
      "flags must be ", static_cast<int64_t>(FLAGS), " integers, the first two of them known activations");
  Options options;
  options.activation = static_cast<Activation>(flags[ACTIVATION]);
  options.recurrent_activation = static_cast<Activation>(flags[RECURRENT_ACTIVATION]);
  options.coupled = flags[COUPLED];
  options.reverse = flags[REVERSE];
  options.zero_output = flags[ZERO_OUTPUT];
  options.bf16 = flags[BF16];
  options.cell_clip = static_cast<float>(a.cell_clip);
  options.gradient_clip = static_cast<float>(a.gradient_clip);
  return options;
}

// Options and sizes, which all members of an ensemble share.
template <class Call, class Arguments>
Call describe(const Arguments& a, const Tensor& x, const Tensor& w_hh, bool ensemble) {
  STD_TORCH_CHECK(float_kernels, "no kernel runs on this processor");
  Call p{};
  p.options = options_from(a);
  STD_TORCH_CHECK(x.dim() == 3 + ensemble, "x must be (time, batch, input), for each member of an ensemble");
  STD_TORCH_CHECK(
      w_hh.dim() == 2 + ensemble && w_hh.size(ensemble) > 0 && w_hh.size(ensemble) % p.gates() == 0,
      "w_hh must be (", p.gates(), " * hidden, output), got ", shape_text(w_hh.sizes().data(), w_hh.dim()));
  p.time = x.size(ensemble);
  p.batch = x.size(ensemble + 1);
  p.input = x.size(ensemble + 2);
  p.hidden = w_hh.size(ensemble) / p.gates();
  p.output = w_hh.size(ensemble + 1);
  return p;
}

void bind_input(Layer& p, const Tensor& x, const OptionalTensor& steps, const Member& member) {
  const auto found = member.packed("x", x, {p.time, p.batch, p.input}, 2);
  p.x = found.at;
  p.x_time = found.strides[0];
  p.x_batch = found.strides[1];
  p.steps = member.mask<bool>("steps", steps, {p.time, p.batch});
}

// The tensors of one member, whose options and sizes are set already.
template <class Call, class Arguments>
void bind(Call& p, const Arguments& a, const Member& member) {
  const int64_t rows = p.gates() * p.hidden;
  bind_input(p, a.x, a.steps, member);
  p.w_ih = member.packed("w_ih", a.w_ih, {rows, p.input}).at;
  p.w_hh = member.packed("w_hh", a.w_hh, {rows, p.output}).at;
  p.bias = member.packed("bias", a.bias, {rows});
  p.h0 = member.packed("h0", a.h0, {p.batch, p.output});
  p.c0 = member.packed("c0", a.c0, {p.batch, p.hidden});
  p.peephole = member.packed("peephole", a.peephole, {p.gates() - 1, p.hidden});
  p.norm_x = member.packed("norm_x", a.norm_x, {rows});
  p.norm_h = member.packed("norm_h", a.norm_h, {rows});
  p.norm_c = member.packed("norm_c", a.norm_c, {2, p.hidden});
  p.w_proj = member.packed("w_proj", a.w_proj, {p.output, p.hidden});
  p.options.normed_cell = p.norm_c;
  STD_TORCH_CHECK(p.w_proj || p.output == p.hidden, "w_hh must be (", rows, ", ", p.hidden, ") without a projection");
  p.recurrent = member.mask<float>("recurrent", a.recurrent, {p.time, p.batch, p.output});
  p.zone_h = member.mask<float>("zone_h", a.zone_h, {p.time, p.batch, p.output});
  p.zone_c = member.mask<float>("zone_c", a.zone_c, {p.time, p.batch, p.hidden});
}

// The calls for all members of an ensemble: their tensors, and what `more` binds besides.
template <class Call, class Arguments, class More>
std::vector<Call> calls_for(const Call& shared, const Arguments& a, const Member& ensemble, const More& more) {
  std::vector<Call> calls(ensemble.count, shared);
  for (int64_t k = 0; k < ensemble.count; k++) {
    const Member member = ensemble.at(k);
    bind(calls[k], a, member);
    more(calls[k], member);
  }
  return calls;
}

// What the forward operator keeps besides y, h and c: nothing, the cell states, or what the gradient reads. With
// RECOMPUTE that is everything but the gates, which the backward pass computes again.
enum Keep : int64_t { NOTHING, CELLS, GRADIENT, RECOMPUTE };

ForwardResults lstm_forward(ForwardArguments& a) {
  const Member ensemble(a.x);
  const auto p = describe<Forward>(a, a.x, a.w_hh, ensemble.ensemble);
  const int64_t lanes = float_kernels->lanes, blocks = (p.hidden + lanes - 1) / lanes;
  const bool gradient = a.keep >= GRADIENT, normed = a.norm_x || a.norm_h;
  const bool with_gates = a.keep == GRADIENT, with_norms = gradient && normed;
  const bool with_states = gradient && a.steps && p.options.zero_output;  // then y does not hold h
  const bool with_moments = gradient && (normed || a.norm_c);
  ForwardResults out{
      /*y=*/empty(ensemble, {p.time, p.batch, p.output}),
      /*h=*/empty(ensemble, {p.batch, p.output}),
      /*c=*/empty(ensemble, {p.batch, p.hidden}),
      /*cells=*/empty_if(a.keep, ensemble, {p.time, p.batch, p.hidden}),
      /*gates=*/empty_if(with_gates, ensemble, {p.time, blocks, p.batch, 4 * lanes}),
      /*states=*/empty_if(with_states, ensemble, {p.time, p.batch, p.output}),
      /*norms=*/empty_if(with_norms, ensemble, {2 * p.time, blocks, p.batch, 4 * lanes}),
      /*moments=*/empty_if(with_moments, ensemble, {p.time, p.batch, 4})};
  const auto calls = calls_for(p, a, ensemble, [&](Forward& one, const Member& member) {
    one.y = member.target(out.y);
    one.y_time = p.batch * p.output;
    one.y_batch = p.output;
    one.h = member.target(out.h);
    one.c = member.target(out.c);
    one.cells = member.target_if(a.keep, out.cells);
    one.gates_out = member.target_if(with_gates, out.gates);
    one.states = member.target_if(with_states, out.states);
    one.norms = member.target_if(with_norms, out.norms);
    one.moments = member.target_if(with_moments, out.moments);
  });
  run(calls, kernels_for(p).forward);
  return out;
}

// What the forward pass kept, and the gradients of its results.
void bind_kept(Backward& p, const BackwardArguments& a, const Member& member) {
  const int64_t lanes = float_kernels->lanes, blocks = (p.hidden + lanes - 1) / lanes;
  p.states = member.packed("states", a.states, {p.time, p.batch, p.output}).at;
  p.cells = member.packed("cells", a.cells, {p.time, p.batch, p.hidden}).at;
  const bool with_gates = p.normed() || a.gates.numel();
  if (with_gates) p.gates_in = member.packed("gates", a.gates, {p.time, blocks, p.batch, 4 * lanes}).at;
  if (p.normed()) p.norms = member.packed("norms", a.norms, {2 * p.time, blocks, p.batch, 4 * lanes}).at;
  if (p.normed() || p.norm_c) p.moments = member.packed("moments", a.moments, {p.time, p.batch, 4}).at;
  if (a.grad_y) {
    const auto found = member.packed("grad_y", *a.grad_y, {p.time, p.batch, p.output}, 2);
    p.grad_y = found.at;
    p.grad_y_time = found.strides[0];
    p.grad_y_batch = found.strides[1];
  }
  p.grad_h = member.packed("grad_h", a.grad_h, {p.batch, p.output});
  p.grad_c = member.packed("grad_c", a.grad_c, {p.batch, p.hidden});
  p.grad_cells = member.packed("grad_cells", a.grad_cells, {p.time, p.batch, p.hidden});
}

BackwardResults lstm_backward(BackwardArguments& a) {
  const Member ensemble(a.x);
  const auto p = describe<Backward>(a, a.x, a.w_hh, ensemble.ensemble);
  const int64_t rows = p.gates() * p.hidden;
  BackwardResults grad{
      /*x=*/empty_if(a.want_x, ensemble, {p.time, p.batch, p.input}),
      /*w_ih=*/empty(ensemble, {rows, p.input}),
      /*w_hh=*/empty(ensemble, {rows, p.output}),
      /*bias=*/empty(ensemble, {rows}),
      /*h0=*/empty_if(a.want_h0, ensemble, {p.batch, p.output}),
      /*c0=*/empty_if(a.want_c0, ensemble, {p.batch, p.hidden}),
      /*peephole=*/empty_if(a.peephole.has_value(), ensemble, {p.gates() - 1, p.hidden}),
      /*norm_x=*/empty_if(a.norm_x.has_value(), ensemble, {rows}),
      /*norm_h=*/empty_if(a.norm_h.has_value(), ensemble, {rows}),
      /*norm_c=*/empty_if(a.norm_c.has_value(), ensemble, {2, p.hidden}),
      /*w_proj=*/empty_if(a.w_proj.has_value(), ensemble, {p.output, p.hidden})};
  const auto calls = calls_for(p, a, ensemble, [&](Backward& one, const Member& member) {
    bind_kept(one, a, member);
    one.grad_x = member.target_if(a.want_x, grad.x);
    one.grad_w_ih = member.target(grad.w_ih);
    one.grad_w_hh = member.target(grad.w_hh);
    one.grad_bias = member.target(grad.bias);
    one.grad_h0 = member.target_if(a.want_h0, grad.h0);
    one.grad_c0 = member.target_if(a.want_c0, grad.c0);
    one.grad_peephole = member.target_if(one.peephole, grad.peephole);
    one.grad_norm_x = member.target_if(one.norm_x, grad.norm_x);
    one.grad_norm_h = member.target_if(one.norm_h, grad.norm_h);
    one.grad_norm_c = member.target_if(one.norm_c, grad.norm_c);
    one.grad_w_proj = member.target_if(one.w_proj, grad.w_proj);
  });
  run(calls, kernels_for(p).backward);
  return grad;
}

// `weights` of lstm_layers holds these for each run, a run being one direction of one layer. A missing weight is an
// empty tensor; those after the last that any run has are left out, because each costs time.
enum RunWeight { W_IH, W_HH, BIAS, BIAS_HH, PEEPHOLE, NORM_X, NORM_H, NORM_C, W_PROJ, RUN_WEIGHTS };

struct Runs {
  Tensors& weights;
  const float *h0, *c0;
  int64_t directions, each;  // tensors of a run
  const Tensor &h, &c;

  void bind(Forward& p, int64_t run, const Tensor& y) {
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
    p.h0 = h0 ? h0 + run * p.batch * p.output : nullptr;
    p.c0 = c0 ? c0 + run * p.batch * p.hidden : nullptr;
    p.h = static_cast<float*>(h.data_ptr()) + run * p.batch * p.output;
    p.c = static_cast<float*>(c.data_ptr()) + run * p.batch * p.hidden;
    p.y_time = p.batch * directions * p.output;
    p.y_batch = directions * p.output;
    p.y = static_cast<float*>(y.data_ptr()) + run % directions * p.output;
    p.options.reverse = run % directions;
  }

  // gatecast.ops.lstm_cell.checks.check_layers has the full error messages.
  const float* weight(int64_t run, RunWeight which, Sizes sizes) {
    if (which >= each) return nullptr;
    Tensor& t = weights[run * each + which];
    if (which > W_HH && t.numel() == 0) return nullptr;
    bool fits = t.dim() == static_cast<int64_t>(sizes.size()) && is_on_cpu(t, FLOAT);
    for (int64_t k = 0; fits && k < t.dim(); k++) fits = t.size(k) == sizes.begin()[k];
    STD_TORCH_CHECK(fits, "weight ", static_cast<int64_t>(which), " of run ", run, " does not fit");
    if (!t.is_contiguous()) t = torch::stable::contiguous(t);
    return static_cast<const float*>(t.data_ptr());
  }
};

// One layer: both directions at the same time where there is one sequence and a thread for each.
void run_layer(const Forward* runs, int64_t directions) {
  const Threads threads = torch_threads();
  const auto task = [](void* context, int64_t k) {
    const Forward& one = static_cast<const Forward*>(context)[k];
    kernels_for(one).forward(one, Threads{});
  };
  if (directions == 2 && threads.count > 1 && runs->batch == 1 && runs->large()) {
    threads.run(2, task, const_cast<Forward*>(runs));
  } else {
    for (int64_t k = 0; k < directions; k++) kernels_for(runs[k]).forward(runs[k], threads);
  }
}

// A stack of layers of one direction or two, without gradients. The directions of a layer lie next to each other in y.
// x may be one step, (batch, input); then y is (batch, width).
LayersResults lstm_layers(LayersArguments& a) {
  STD_TORCH_CHECK(a.directions == 1 || a.directions == 2, "directions must be 1 or 2, got ", a.directions);
  const int64_t runs = a.layers * a.directions, tensors = static_cast<int64_t>(a.weights.size());
  STD_TORCH_CHECK(a.layers > 0 && tensors % runs == 0, "weights must be of whole layers, got ", tensors);
  const int64_t each = tensors / runs;
  STD_TORCH_CHECK(each > W_HH && each <= RUN_WEIGHTS, "weights must be of whole layers, got ", tensors);
  const bool one_step = a.x.dim() == 2;
  Tensor below = one_step ? with_time(a.x) : a.x;
  auto p = describe<Forward>(a, below, a.weights[W_HH], false);
  const Member whole(below);
  const float* h0 = whole.packed("h0", a.h0, {runs, p.batch, p.output});
  const float* c0 = whole.packed("c0", a.c0, {runs, p.batch, p.hidden});
  Tensor h = empty({runs, p.batch, p.output}), c = empty({runs, p.batch, p.hidden});
  Runs bound{a.weights, h0, c0, a.directions, each, h, c};
  for (int64_t layer = 0; layer < a.layers; layer++) {
    const int64_t width = a.directions * p.output;
    Tensor y = one_step && layer == a.layers - 1 ? empty({p.batch, width}) : empty({p.time, p.batch, width});
    bind_input(p, below, a.steps, whole);
    Forward both[2] = {p, p};
    for (int64_t k = 0; k < a.directions; k++) bound.bind(both[k], layer * a.directions + k, y);
    run_layer(both, a.directions);
    below = y;
    p.input = width;
  }
  return {below, h, c};
}

}  // namespace

STABLE_TORCH_LIBRARY_IMPL(gatecast, CPU, library) {
  library.impl("lstm_forward", &boxed<ForwardArguments, ForwardResults, lstm_forward>);
  library.impl("lstm_backward", &boxed<BackwardArguments, BackwardResults, lstm_backward>);
  library.impl("lstm_layers", &boxed<LayersArguments, LayersResults, lstm_layers>);
}

}  // namespace gatecast

#define EXPORTED extern "C" __attribute__((visibility("default")))

// Name and vector width of the kernels with this name (null: the best); null and 0 where they cannot run here.
EXPORTED const char* gatecast_isa(const char* name) {
  const gatecast::Kernels* kernels = gatecast::kernels_named(name);
  return kernels ? kernels->name : nullptr;
}

EXPORTED int64_t gatecast_lanes(const char* name) {
  const gatecast::Kernels* kernels = gatecast::kernels_named(name);
  return kernels ? kernels->lanes : 0;
}

// Whether a call that may round its factors to bfloat16 does so.
EXPORTED bool gatecast_takes_bf16(int64_t time, int64_t batch, int64_t hidden) {
  return gatecast::takes_bf16(time, batch, hidden);
}

// To be called once, before the first operator: kernels of another vector width cannot read the gates that these keep.
// `bf16`: the kernels for products of bfloat16, of the same width (null: none).
EXPORTED void gatecast_choose(const char* name, const char* bf16) {
  gatecast::float_kernels = gatecast::kernels_named(name);
  gatecast::bf16_kernels = bf16 ? gatecast::kernels_named(bf16) : nullptr;
}

// For tests: arguments and results of each operator, one operator a line.
EXPORTED const char* gatecast_signatures() { return gatecast::SIGNATURES; }
