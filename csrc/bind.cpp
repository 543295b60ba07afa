// The only file that knows PyTorch: tensors in, pointers and sizes to the kernels, tensors out.
//
// Written against the stable ABI of libtorch, so that one library serves every PyTorch >= 2.10 and every Python. The
// schemas are declared in gatecast/ops/lstm_cell/operators.py, and a test compares them with the parameters here.
// gatecast.ops gives the words for what does not fit; here it is refused once more, so that no call of an operator
// reads memory that is not its own.
//
// A call may hold a group of members, each a layer with its own tensors: then every tensor has a first axis of members,
// of stride 0 where they share it.
#include <torch/csrc/stable/library.h>
#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <initializer_list>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "lstm.h"
#include "workspace.h"

namespace {

using torch::stable::Tensor;
using Optional = std::optional<Tensor>;
using Sizes = std::initializer_list<int64_t>;

const gatecast::Kernels *chosen = nullptr, *chosen_for_halves = nullptr;
const int32_t FLOAT = aoti_torch_dtype_float32(), BOOL = aoti_torch_dtype_bool(), CPU = aoti_torch_device_type_cpu();

bool holds(const Tensor& t, int32_t wanted) {
  int32_t dtype, device;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(t.get(), &dtype));
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_device_type(t.get(), &device));
  return dtype == wanted && device == CPU;
}

std::string shown(const int64_t* sizes, int64_t count) {
  std::string text = "(";
  for (int64_t k = 0; k < count; k++) text += (k ? ", " : "") + std::to_string(sizes[k]);
  return text + ")";
}

// One member of a call.
struct Member {
  bool grouped;
  int64_t count, index;  // members of the group; which of them

  explicit Member(const Tensor& x) : grouped(x.dim() == 4), count(grouped ? x.size(0) : 1), index(0) {}

  Member at(int64_t k) const {
    Member other = *this;
    other.index = k;
    return other;
  }

  // Values of a tensor that has these sizes, and the strides of this member's axes.
  template <class T>
  struct Values {
    const T* at;
    const int64_t* strides;
  };

  template <class T = float>
  Values<T> values(const char* name, const Tensor& t, Sizes sizes) const {
    constexpr bool floats = sizeof(T) == sizeof(float);
    const auto found = t.sizes();
    const int64_t axes = static_cast<int64_t>(sizes.size());
    bool fits = found.size() == sizes.size() + grouped && (!grouped || found[0] == count);
    for (int64_t k = 0; fits && k < axes; k++) fits = found[grouped + k] == sizes.begin()[k];
    STD_TORCH_CHECK(
        fits && holds(t, floats ? FLOAT : BOOL), name, " must be a ", floats ? "float32" : "bool",
        " tensor on the CPU of shape ", shown(sizes.begin(), axes), grouped ? " for each member" : "", ", got shape ",
        shown(found.data(), static_cast<int64_t>(found.size())));
    const int64_t* strides;
    STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_get_strides(t.get(), const_cast<int64_t**>(&strides)));
    const T* start = static_cast<const T*>(t.data_ptr());
    return {grouped ? start + index * strides[0] : start, strides + grouped};
  }

  // The same; `gaps` axes in front may have any stride, the others lie one in the other.
  Values<float> packed(const char* name, const Tensor& t, Sizes sizes, int64_t gaps = 0) const {
    const Values<float> found = values(name, t, sizes);
    int64_t stride = 1;
    for (int64_t k = static_cast<int64_t>(sizes.size()) - 1; k >= gaps; k--) {
      const int64_t size = sizes.begin()[k];
      if (size == 0) break;
      STD_TORCH_CHECK(size == 1 || found.strides[k] == stride, name, " has gaps; make it contiguous");
      stride *= size;
    }
    return found;
  }

  const float* packed(const char* name, const Optional& t, Sizes sizes) const {
    return t ? packed(name, *t, sizes).at : nullptr;
  }

  template <class T>
  gatecast::Mask<T> mask(const char* name, const Optional& t, Sizes sizes) const {
    if (!t) return {};
    const Values<T> found = values<T>(name, *t, sizes);
    if (sizes.size() == 2) return {found.at, found.strides[0], found.strides[1], 0};
    const int64_t unit = found.strides[2];
    STD_TORCH_CHECK(unit == 0 || unit == 1 || sizes.begin()[2] <= 1, name, " has gaps; make it contiguous");
    return {found.at, found.strides[0], found.strides[1], unit};
  }

  float* target(const Tensor& t) const {
    return static_cast<float*>(t.data_ptr()) + (grouped ? index * t.stride(0) : 0);
  }
  float* target_if(bool wanted, const Tensor& t) const { return wanted ? target(t) : nullptr; }
};

constexpr int64_t LARGE_FLOATS = 1 << 20;  // from 4 MB on, memory is often fresh from the system

// Straight to the allocator: an empty tensor through the dispatcher costs as much as a step of a small layer.
Tensor empty(const int64_t* sizes, int64_t axes) {
  int64_t strides[6], stride = 1;
  for (int64_t k = axes - 1; k >= 0; k--) {
    strides[k] = stride;
    stride *= sizes[k] > 0 ? sizes[k] : 1;
  }
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(axes, sizes, strides, FLOAT, CPU, 0, &made));
  Tensor tensor(made);
  if (stride >= LARGE_FLOATS) gatecast::prefer_huge_pages(tensor.data_ptr(), stride * 4);
  return tensor;
}

Tensor empty(Sizes sizes) { return empty(sizes.begin(), static_cast<int64_t>(sizes.size())); }

// For each member of a group.
Tensor empty(const Member& group, Sizes sizes) {
  int64_t all[6] = {group.count}, axes = group.grouped;
  for (int64_t size : sizes) all[axes++] = size;
  return empty(all, axes);
}

// An empty tensor where it is not wanted.
Tensor empty_if(bool wanted, const Member& group, Sizes sizes) { return wanted ? empty(group, sizes) : empty({0}); }

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

// Whether products of halves are quicker: few rows leave the tiles empty, few units have hardly any products, and in
// few steps packing takes longer than it saves. Measured on Emerald Rapids.
bool takes_halves(int64_t time, int64_t batch, int64_t hidden) {
  const bool enough = time >= 4 && batch >= 4 && hidden >= 32 && batch * hidden >= 256;
  return chosen_for_halves && enough && chosen_for_halves->allowed();
}

const gatecast::Kernels& kernels_for(const gatecast::Layer& p) {
  return p.options.halves && takes_halves(p.time, p.batch, p.hidden) ? *chosen_for_halves : *chosen;
}

// Each thread takes members alone, as many as all of them; those left over share their batch out among the threads.
template <class Call>
void run(const std::vector<Call>& members, void (*kernel)(const Call&, const gatecast::Threads&)) {
  const gatecast::Threads threads = torch_threads();
  const int64_t count = static_cast<int64_t>(members.size());
  int64_t alone = 0;
  if (count > 1 && threads.count > 1) {
    Call all = members[0];
    all.batch *= count;
    if (all.large()) alone = count - count % threads.count;
  }
  struct Work {
    const Call* members;
    void (*kernel)(const Call&, const gatecast::Threads&);
  } work{members.data(), kernel};
  const auto task = [](void* context, int64_t k) {
    const Work& all = *static_cast<const Work*>(context);
    all.kernel(all.members[k], gatecast::Threads{});
  };
  if (alone) threads.run(alone, task, &work);
  for (int64_t k = alone; k < count; k++) kernel(members[k], threads);
}

struct Choices {
  const std::vector<int64_t>& kinds;  // activation, recurrent activation, coupled, reverse, zero_output, halves
  double cell_clip, gradient_clip;
};

// Options and sizes, the same for all members.
void describe(gatecast::Layer& p, const Tensor& x, const Tensor& w_hh, const Choices& choices, bool grouped) {
  const std::vector<int64_t>& kinds = choices.kinds;
  constexpr int64_t last = static_cast<int64_t>(gatecast::Activation::hard_tanh);
  const auto known = [](int64_t kind) { return kind >= 0 && kind <= last; };
  STD_TORCH_CHECK(chosen, "no kernel runs on this processor");
  STD_TORCH_CHECK(kinds.size() == 6 && known(kinds[0]) && known(kinds[1]), "choices holds what no kernel has");
  p.options.activation = static_cast<gatecast::Activation>(kinds[0]);
  p.options.recurrent_activation = static_cast<gatecast::Activation>(kinds[1]);
  p.options.coupled = kinds[2];
  p.options.reverse = kinds[3];
  p.options.zero_output = kinds[4];
  p.options.halves = kinds[5];
  p.options.cell_clip = static_cast<float>(choices.cell_clip);
  p.options.gradient_clip = static_cast<float>(choices.gradient_clip);
  STD_TORCH_CHECK(x.dim() == 3 + grouped, "x must be (time, batch, input), for each member of a group");
  STD_TORCH_CHECK(
      w_hh.dim() == 2 + grouped && w_hh.size(grouped) > 0 && w_hh.size(grouped) % p.gates() == 0,
      "w_hh must be (", p.gates(), " * hidden, output), got ", shown(w_hh.sizes().data(), w_hh.dim()));
  p.time = x.size(grouped);
  p.batch = x.size(grouped + 1);
  p.input = x.size(grouped + 2);
  p.hidden = w_hh.size(grouped) / p.gates();
  p.output = w_hh.size(grouped + 1);
}

struct Arguments {
  const Tensor &x, &w_ih, &w_hh;
  const Optional &bias, &h0, &c0, &peephole, &norm_x, &norm_h, &norm_c, &w_proj, &steps, &recurrent, &zone_h, &zone_c;
};

void take_input(gatecast::Layer& p, const Tensor& x, const Optional& steps, const Member& member) {
  const auto found = member.packed("x", x, {p.time, p.batch, p.input}, 2);
  p.x = found.at;
  p.x_time = found.strides[0];
  p.x_batch = found.strides[1];
  p.steps = member.mask<bool>("steps", steps, {p.time, p.batch});
}

// The tensors of one member; its call is described already.
template <class Call>
void take(Call& p, const Arguments& a, const Member& member) {
  const int64_t rows = p.gates() * p.hidden;
  take_input(p, a.x, a.steps, member);
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

using Eight = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

enum Keep : int64_t { NOTHING, CELLS, GRADIENT, RECOMPUTE };

// y, h, c; what `keep` asks for: the cells, and for the gradient the states where y does not hold them, what layer
// normalisation found, and the gates, unless they are to be computed again.
Eight lstm_forward(
    Tensor x, Tensor w_ih, Tensor w_hh, Optional bias, Optional h0, Optional c0, Optional peephole, Optional norm_x,
    Optional norm_h, Optional norm_c, Optional w_proj, Optional steps, Optional recurrent, Optional zone_h,
    Optional zone_c, std::vector<int64_t> choices, double cell_clip, double gradient_clip, int64_t keep) {
  const Member group(x);
  const Arguments given{x,      w_ih,   w_hh,   bias,  h0,        c0,     peephole, norm_x,
                        norm_h, norm_c, w_proj, steps, recurrent, zone_h, zone_c};
  gatecast::Forward p{};
  describe(p, x, w_hh, {choices, cell_clip, gradient_clip}, group.grouped);
  const int64_t lanes = chosen->lanes, blocks = (p.hidden + lanes - 1) / lanes;
  const bool all = keep >= GRADIENT, with_states = all && steps && p.options.zero_output, with_gates = keep == GRADIENT;
  const bool normed = norm_x || norm_h, with_norms = all && normed, with_moments = all && (normed || norm_c);
  Tensor y = empty(group, {p.time, p.batch, p.output});
  Tensor h = empty(group, {p.batch, p.output}), c = empty(group, {p.batch, p.hidden});
  Tensor cells = empty_if(keep, group, {p.time, p.batch, p.hidden});
  Tensor gates = empty_if(with_gates, group, {p.time, blocks, p.batch, 4 * lanes});
  Tensor states = empty_if(with_states, group, {p.time, p.batch, p.output});
  Tensor norms = empty_if(with_norms, group, {2 * p.time, blocks, p.batch, 4 * lanes});
  Tensor moments = empty_if(with_moments, group, {p.time, p.batch, 4});
  p.y_time = p.batch * p.output;
  p.y_batch = p.output;
  std::vector<gatecast::Forward> members(group.count, p);
  for (int64_t k = 0; k < group.count; k++) {
    const Member member = group.at(k);
    gatecast::Forward& one = members[k];
    take(one, given, member);
    one.y = member.target(y);
    one.h = member.target(h);
    one.c = member.target(c);
    one.cells = member.target_if(keep, cells);
    one.gates_out = member.target_if(with_gates, gates);
    one.states = member.target_if(with_states, states);
    one.norms = member.target_if(with_norms, norms);
    one.moments = member.target_if(with_moments, moments);
  }
  run(members, kernels_for(p).forward);
  return {y, h, c, cells, gates, states, norms, moments};
}

// What the forward pass kept, and the gradients of what it gave.
struct Kept {
  const Tensor &states, &cells, &gates, &norms, &moments;
  const Optional &grad_y, &grad_h, &grad_c, &grad_cells;
};

void take_kept(gatecast::Backward& p, const Kept& kept, const Member& member) {
  const int64_t lanes = chosen->lanes, blocks = (p.hidden + lanes - 1) / lanes;
  p.states = member.packed("states", kept.states, {p.time, p.batch, p.output}).at;
  p.cells = member.packed("cells", kept.cells, {p.time, p.batch, p.hidden}).at;
  const bool with_gates = p.normed() || kept.gates.numel();
  if (with_gates) p.gates_in = member.packed("gates", kept.gates, {p.time, blocks, p.batch, 4 * lanes}).at;
  if (p.normed()) p.norms = member.packed("norms", kept.norms, {2 * p.time, blocks, p.batch, 4 * lanes}).at;
  if (p.normed() || p.norm_c) p.moments = member.packed("moments", kept.moments, {p.time, p.batch, 4}).at;
  if (kept.grad_y) {
    const auto found = member.packed("grad_y", *kept.grad_y, {p.time, p.batch, p.output}, 2);
    p.grad_y = found.at;
    p.grad_y_time = found.strides[0];
    p.grad_y_batch = found.strides[1];
  }
  p.grad_h = member.packed("grad_h", kept.grad_h, {p.batch, p.output});
  p.grad_c = member.packed("grad_c", kept.grad_c, {p.batch, p.hidden});
  p.grad_cells = member.packed("grad_cells", kept.grad_cells, {p.time, p.batch, p.hidden});
}

using Eleven = std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor>;

// Gradients of x, w_ih, w_hh, bias, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj; those not wanted are empty.
Eleven lstm_backward(
    Optional grad_y, Optional grad_h, Optional grad_c, Optional grad_cells, Tensor x, Tensor w_ih, Tensor w_hh,
    Optional bias, Optional h0, Optional c0, Optional peephole, Optional norm_x, Optional norm_h, Optional norm_c,
    Optional w_proj, Optional steps, Optional recurrent, Optional zone_h, Optional zone_c, Tensor states, Tensor cells,
    Tensor gates, Tensor norms, Tensor moments, std::vector<int64_t> choices, double cell_clip, double gradient_clip,
    bool want_x, bool want_h0, bool want_c0) {
  const Member group(x);
  const Arguments given{x,      w_ih,   w_hh,   bias,  h0,        c0,     peephole, norm_x,
                        norm_h, norm_c, w_proj, steps, recurrent, zone_h, zone_c};
  const Kept kept{states, cells, gates, norms, moments, grad_y, grad_h, grad_c, grad_cells};
  gatecast::Backward p{};
  describe(p, x, w_hh, {choices, cell_clip, gradient_clip}, group.grouped);
  const int64_t rows = p.gates() * p.hidden;
  Tensor grad_x = empty_if(want_x, group, {p.time, p.batch, p.input});
  Tensor grad_w_ih = empty(group, {rows, p.input}), grad_w_hh = empty(group, {rows, p.output});
  Tensor grad_bias = empty(group, {rows});
  Tensor grad_h0 = empty_if(want_h0, group, {p.batch, p.output});
  Tensor grad_c0 = empty_if(want_c0, group, {p.batch, p.hidden});
  Tensor grad_peephole = empty_if(peephole.has_value(), group, {p.gates() - 1, p.hidden});
  Tensor grad_norm_x = empty_if(norm_x.has_value(), group, {rows});
  Tensor grad_norm_h = empty_if(norm_h.has_value(), group, {rows});
  Tensor grad_norm_c = empty_if(norm_c.has_value(), group, {2, p.hidden});
  Tensor grad_w_proj = empty_if(w_proj.has_value(), group, {p.output, p.hidden});
  std::vector<gatecast::Backward> members(group.count, p);
  for (int64_t k = 0; k < group.count; k++) {
    const Member member = group.at(k);
    gatecast::Backward& one = members[k];
    take(one, given, member);
    take_kept(one, kept, member);
    one.grad_x = member.target_if(want_x, grad_x);
    one.grad_w_ih = member.target(grad_w_ih);
    one.grad_w_hh = member.target(grad_w_hh);
    one.grad_bias = member.target(grad_bias);
    one.grad_h0 = member.target_if(want_h0, grad_h0);
    one.grad_c0 = member.target_if(want_c0, grad_c0);
    one.grad_peephole = member.target_if(one.peephole, grad_peephole);
    one.grad_norm_x = member.target_if(one.norm_x, grad_norm_x);
    one.grad_norm_h = member.target_if(one.norm_h, grad_norm_h);
    one.grad_norm_c = member.target_if(one.norm_c, grad_norm_c);
    one.grad_w_proj = member.target_if(one.w_proj, grad_w_proj);
  }
  run(members, kernels_for(p).backward);
  return {grad_x,        grad_w_ih,   grad_w_hh,   grad_bias,   grad_h0,    grad_c0,
          grad_peephole, grad_norm_x, grad_norm_h, grad_norm_c, grad_w_proj};
}

// Layers of one direction or two, one on the other, without gradients. `weights` holds as many tensors for each run of
// a cell, an empty one for each that is missing; those behind are left out, since each costs. The runs of a layer stand
// side by side in y. x may be one step alone, (batch, input); y is then (batch, width).
enum Place { W_IH, W_HH, BIAS, BIAS_HH, PEEPHOLE, NORM_X, NORM_H, NORM_C, W_PROJ, PER_RUN };

struct Runs {
  std::vector<Tensor>& weights;
  const float *h0, *c0;
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
    p.h0 = h0 ? h0 + run * p.batch * p.output : nullptr;
    p.c0 = c0 ? c0 + run * p.batch * p.hidden : nullptr;
    p.h = static_cast<float*>(h.data_ptr()) + run * p.batch * p.output;
    p.c = static_cast<float*>(c.data_ptr()) + run * p.batch * p.hidden;
    p.y_time = p.batch * directions * p.output;
    p.y_batch = directions * p.output;
    p.y = static_cast<float*>(y.data_ptr()) + run % directions * p.output;
    p.options.reverse = run % directions;
  }

  // The caller gives the words: gatecast.ops.lstm_cell.checks.check_layers.
  const float* weight(int64_t run, Place place, Sizes sizes) {
    if (place >= each) return nullptr;
    Tensor& t = weights[run * each + place];
    if (place > W_HH && t.numel() == 0) return nullptr;
    bool fits = t.dim() == static_cast<int64_t>(sizes.size()) && holds(t, FLOAT);
    for (int64_t k = 0; fits && k < t.dim(); k++) fits = t.size(k) == sizes.begin()[k];
    STD_TORCH_CHECK(fits, "weight ", static_cast<int64_t>(place), " of run ", run, " does not fit");
    if (!t.is_contiguous()) t = torch::stable::contiguous(t);
    return static_cast<const float*>(t.data_ptr());
  }
};

// One layer: both directions at the same time where the batch leaves a thread for each.
void run_layer(const gatecast::Forward* runs, int64_t directions) {
  const gatecast::Threads threads = torch_threads();
  const auto task = [](void* context, int64_t k) {
    const gatecast::Forward& one = static_cast<const gatecast::Forward*>(context)[k];
    kernels_for(one).forward(one, gatecast::Threads{});
  };
  if (directions == 2 && threads.count > 1 && runs->batch == 1 && runs->large()) {
    threads.run(2, task, const_cast<gatecast::Forward*>(runs));
  } else {
    for (int64_t k = 0; k < directions; k++) kernels_for(runs[k]).forward(runs[k], threads);
  }
}

// A step alone with an axis of time, on the same memory; not through the dispatcher, as `empty`.
Tensor with_time(const Tensor& x) {
  const int64_t sizes[3] = {1, x.size(0), x.size(1)}, strides[3] = {0, x.stride(0), x.stride(1)};
  AtenTensorHandle made;
  STABLE_TORCH_ERROR_CODE_CHECK(aoti_torch__reinterpret_tensor(x.get(), 3, sizes, strides, 0, &made));  // 0 from x on
  return Tensor(made);
}

using Three = std::tuple<Tensor, Tensor, Tensor>;

Three lstm_layers(
    Tensor x, std::vector<Tensor> weights, Optional h0, Optional c0, Optional steps, int64_t layers,
    int64_t directions, std::vector<int64_t> choices, double cell_clip, double gradient_clip) {
  STD_TORCH_CHECK(directions == 1 || directions == 2, "directions must be 1 or 2, got ", directions);
  const int64_t count = layers * directions, tensors = static_cast<int64_t>(weights.size());
  STD_TORCH_CHECK(layers > 0 && tensors % count == 0, "weights must be of whole layers, got ", tensors);
  const int64_t each = tensors / count;
  STD_TORCH_CHECK(each > W_HH && each <= PER_RUN, "weights must be of whole layers, got ", tensors);
  const bool one = x.dim() == 2;
  Tensor below = one ? with_time(x) : x;
  gatecast::Forward p{};
  describe(p, below, weights[W_HH], {choices, cell_clip, gradient_clip}, false);
  const Member whole(below);
  const float* h = whole.packed("h0", h0, {count, p.batch, p.output});
  const float* c = whole.packed("c0", c0, {count, p.batch, p.hidden});
  Runs runs{weights, h, c, directions, each, empty({count, p.batch, p.output}), empty({count, p.batch, p.hidden})};
  for (int64_t layer = 0; layer < layers; layer++) {
    const int64_t width = directions * p.output;
    Tensor y = one && layer == layers - 1 ? empty({p.batch, width}) : empty({p.time, p.batch, width});
    take_input(p, below, steps, whole);
    gatecast::Forward both[2] = {p, p};
    for (int64_t k = 0; k < directions; k++) runs.fill(both[k], layer * directions + k, y);
    run_layer(both, directions);
    below = y;
    p.input = directions * p.output;
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

// Whether a call that may round its factors does so.
EXPORTED bool gatecast_takes_halves(int64_t time, int64_t batch, int64_t hidden) {
  return takes_halves(time, batch, hidden);
}

// To be called once, before the first operator: gates kept by one instruction set cannot be read by another of another
// width. `halves`: the kernels for products of halves, of the same width (null: none).
EXPORTED void gatecast_choose(const char* name, const char* halves) {
  chosen = gatecast::kernels_named(name);
  chosen_for_halves = halves ? gatecast::kernels_named(halves) : nullptr;
}
