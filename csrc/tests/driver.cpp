// Runs the kernels without PyTorch, for sanitizers and other processors. Every array has exactly the size it needs, so
// that the address sanitizer sees any access beyond it.
//
// The plain cell is compared with the loops of lstm_plain.h, outputs and all gradients; the gradients of every case are
// compared with finite differences of the forward pass. Prints a summary; exits with 1 where something is wrong.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "../activations.h"
#include "../bf16.h"
#include "../lstm.h"
#include "../lstm_plain.h"

using gatecast::Backward;
using gatecast::Forward;
using gatecast::Layer;
namespace isa = gatecast::GATECAST_ISA;
using Array = std::vector<float>;

namespace gatecast::GATECAST_ISA {
extern const Kernels kernels;
}

static int failures = 0;
static std::mt19937 generator(7);

static Array normal(size_t count, float scale) {
  std::normal_distribution<float> draw(0, scale);
  Array values(count);
  for (float& v : values) v = draw(generator);
  return values;
}

static void check(bool good, const char* what, double value) {
  if (!good) {
    failures++;
    std::printf("WRONG %s: %g\n", what, value);
  }
}

static void run_threads(int64_t count, void (*task)(void*, int64_t), void* context) {
  std::vector<std::thread> threads;
  for (int64_t k = 0; k < count; k++) threads.emplace_back(task, context, k);
  for (std::thread& one : threads) one.join();
}

struct Case {
  int64_t time, batch, input, hidden;
  bool options;            // peephole, masks, zoneout, coupled gates and bounds
  int64_t projection = 0;  // 0: none
  bool normed = false, recompute = false;

  int64_t output() const { return projection ? projection : hidden; }
  bool plain() const { return !options && !projection && !normed; }
};

// One layer with all its arrays.
struct Problem {
  Case c;
  Array x, w_ih, w_hh, bias, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj, zone, recurrent;
  std::vector<char> steps;
  Array y, h, cell, cells, gates, states, norms, moments;

  explicit Problem(Case c_) : c(c_) {
    const size_t gates_rows = (c.options ? 3 : 4) * c.hidden, rows = c.time * c.batch;
    x = normal(c.time * c.batch * c.input, 1);
    w_ih = normal(gates_rows * c.input, 0.5f);
    w_hh = normal(gates_rows * c.output(), 1 / std::sqrt(float(c.hidden)));
    bias = normal(gates_rows, 0.3f);
    h0 = normal(c.batch * c.output(), 0.5f);
    c0 = normal(c.batch * c.hidden, 0.5f);
    peephole = normal(2 * c.hidden, 0.3f);
    w_proj = normal(c.projection * c.hidden, 1 / std::sqrt(float(c.hidden)));
    if (c.normed) {
      norm_x = normal(gates_rows, 0.5f), norm_h = normal(gates_rows, 0.5f), norm_c = normal(2 * c.hidden, 0.5f);
    }
    zone = Array(1, 0.2f);
    recurrent = normal(c.batch * c.output(), 1);
    steps.resize(c.time * c.batch);
    for (char& s : steps) s = generator() % 4 != 0;
    const int64_t lanes = isa::LANES, blocks = (c.hidden + lanes - 1) / lanes;
    y = states = Array(rows * c.output());
    cells = Array(rows * c.hidden);
    h = Array(c.batch * c.output());
    cell = Array(c.batch * c.hidden);
    gates = Array(rows * blocks * 4 * lanes);
    norms = Array(c.normed ? 2 * gates.size() : 0);
    moments = Array(rows * 4);
  }

  void fill(Layer& p) const {
    p.time = c.time, p.batch = c.batch, p.input = c.input, p.hidden = c.hidden, p.output = c.output();
    p.x = x.data(), p.x_time = c.batch * c.input, p.x_batch = c.input;
    p.w_ih = w_ih.data(), p.w_hh = w_hh.data(), p.h0 = h0.data(), p.c0 = c0.data();
    p.w_proj = c.projection ? w_proj.data() : nullptr;
    if (c.normed) p.norm_x = norm_x.data(), p.norm_h = norm_h.data(), p.norm_c = norm_c.data();
    p.options.normed_cell = c.normed;
    if (!c.options) return;
    p.peephole = peephole.data();
    p.steps = {reinterpret_cast<const bool*>(steps.data()), c.batch, 1, 0};
    p.zone_h = p.zone_c = {zone.data(), 0, 0, 0};
    p.recurrent = {recurrent.data(), 0, c.output(), 1};
    p.options.coupled = p.options.reverse = true;
    p.options.recurrent_activation = gatecast::Activation::softsign;
    p.options.cell_clip = 5, p.options.gradient_clip = 1e6f;  // never reached: a clipped gradient is no slope
  }

  void forward(const gatecast::Threads& threads, bool keep) {
    Forward p{};
    fill(p);
    p.bias = bias.data(), p.y = y.data(), p.h = h.data(), p.c = cell.data();
    p.y_time = c.batch * c.output(), p.y_batch = c.output();
    if (keep) {
      p.cells = cells.data(), p.gates_out = c.recompute ? nullptr : gates.data(), p.states = states.data();
      p.norms = norms.data(), p.moments = moments.data();
    }
    isa::kernels.forward(p, threads);
  }

  double loss(const gatecast::Threads& threads) {
    forward(threads, false);
    double sum = 0;
    for (size_t k = 0; k < y.size(); k++) sum += y[k] * std::cos(double(k));
    for (size_t k = 0; k < cell.size(); k++) sum += cell[k] * std::sin(double(k));
    return sum;
  }

  // The derivatives of the loss by y and c.
  Array weights_of_y() const {
    Array weights(y.size());
    for (size_t k = 0; k < y.size(); k++) weights[k] = std::cos(double(k));
    return weights;
  }
  Array weights_of_c() const {
    Array weights(cell.size());
    for (size_t k = 0; k < cell.size(); k++) weights[k] = std::sin(double(k));
    return weights;
  }
};

// Gradients of Problem::loss, one array for each array of the problem.
struct Gradients {
  Array x, w_ih, w_hh, bias, h0, c0, peephole, norm_x, norm_h, norm_c, w_proj;

  explicit Gradients(const Problem& p)
      : x(p.x.size()),
        w_ih(p.w_ih.size()),
        w_hh(p.w_hh.size()),
        bias(p.bias.size()),
        h0(p.h0.size()),
        c0(p.c0.size()),
        peephole(p.c.options ? p.peephole.size() : 0),
        norm_x(p.norm_x.size()),
        norm_h(p.norm_h.size()),
        norm_c(p.norm_c.size()),
        w_proj(p.w_proj.size()) {}
};

// The gradients of the loss by the kernels. The loss is linear in y and c, with these weights.
static Gradients backward(Problem& p, const gatecast::Threads& threads) {
  p.forward(threads, true);
  const Case& c = p.c;
  const Array grad_y = p.weights_of_y(), grad_c = p.weights_of_c();
  Gradients grad(p);
  Backward q{};
  p.fill(q);
  q.states = c.options ? p.states.data() : p.y.data(), q.cells = p.cells.data();
  q.gates_in = c.recompute ? nullptr : p.gates.data(), q.bias = p.bias.data();
  q.norms = p.norms.data(), q.moments = p.moments.data();
  q.grad_y = grad_y.data(), q.grad_y_time = c.batch * c.output(), q.grad_y_batch = c.output();
  q.grad_c = grad_c.data();
  q.grad_x = grad.x.data(), q.grad_w_ih = grad.w_ih.data(), q.grad_w_hh = grad.w_hh.data();
  q.grad_bias = grad.bias.data(), q.grad_h0 = grad.h0.data(), q.grad_c0 = grad.c0.data();
  q.grad_peephole = c.options ? grad.peephole.data() : nullptr;
  if (c.normed) {
    q.grad_norm_x = grad.norm_x.data(), q.grad_norm_h = grad.norm_h.data(), q.grad_norm_c = grad.norm_c.data();
  }
  q.grad_w_proj = c.projection ? grad.w_proj.data() : nullptr;
  isa::kernels.backward(q, threads);
  return grad;
}

// The norm of the difference over the norm; NaN counts as infinite.
static void check_near(const Array& found, const std::vector<double>& exact, double bound, const char* what) {
  double off = 0, size = 0;
  for (size_t k = 0; k < exact.size(); k++) {
    off += (found[k] - exact[k]) * (found[k] - exact[k]);
    size += exact[k] * exact[k];
  }
  check(off <= bound * bound * size, what, std::sqrt(off / size));
}

// The plain cell: outputs and gradients of the kernels against those of lstm_plain.h.
static void compare_with_plain(const Problem& p, const Gradients& grad) {
  const auto wide = [](const Array& a) { return std::vector<double>(a.begin(), a.end()); };
  const auto zeros = [](const Array& a) { return std::vector<double>(a.size()); };
  const int T = p.c.time, B = p.c.batch, I = p.c.input, H = p.c.hidden;
  const auto x = wide(p.x), w_ih = wide(p.w_ih), w_hh = wide(p.w_hh), bias = wide(p.bias);
  const auto h0 = wide(p.h0), c0 = wide(p.c0), dout = wide(p.weights_of_y());
  std::vector<double> out(T * B * H), cells(T * B * H), gates(T * B * 4 * H);
  lstm_forward_plain(
      out.data(), cells.data(), gates.data(), x.data(), w_ih.data(), w_hh.data(), bias.data(), h0.data(), c0.data(), T,
      B, I, H);
  for (size_t k = 0; k < out.size(); k++) {
    const double off = std::fabs(out[k] - p.y[k]);
    check(off < (isa::BF16_TILES ? 0.1 : 3e-6), "forward", off);  // NaN fails as well
  }
  auto dx = zeros(p.x), dw_ih = zeros(p.w_ih), dw_hh = zeros(p.w_hh), dbias = zeros(p.bias), dh = zeros(p.h0);
  auto dc = wide(p.weights_of_c());
  lstm_backward_plain(
      dx.data(), dw_ih.data(), dw_hh.data(), dbias.data(), dh.data(), dc.data(), dout.data(), out.data(), cells.data(),
      gates.data(), x.data(), w_ih.data(), w_hh.data(), h0.data(), c0.data(), T, B, I, H);
  const double bound = isa::BF16_TILES ? 0.1 : 1e-5;
  check_near(grad.x, dx, bound, "gradient of x");
  check_near(grad.w_ih, dw_ih, bound, "gradient of w_ih");
  check_near(grad.w_hh, dw_hh, bound, "gradient of w_hh");
  check_near(grad.bias, dbias, bound, "gradient of bias");
  check_near(grad.h0, dh, bound, "gradient of h0");
  check_near(grad.c0, dc, bound, "gradient of c0");
}

// Every case: three values of each gradient against the slope of the loss.
static void compare_with_differences(Problem& p, const Gradients& grad, const gatecast::Threads& threads) {
  const std::pair<Array*, const Array*> pairs[] = {
      {&p.x, &grad.x},           {&p.w_ih, &grad.w_ih},         {&p.w_hh, &grad.w_hh},     {&p.bias, &grad.bias},
      {&p.h0, &grad.h0},         {&p.c0, &grad.c0},             {&p.peephole, &grad.peephole},
      {&p.norm_x, &grad.norm_x}, {&p.norm_h, &grad.norm_h},     {&p.norm_c, &grad.norm_c},
      {&p.w_proj, &grad.w_proj}};
  for (auto [value, slopes] : pairs) {
    if (slopes->empty()) continue;
    for (float v : *slopes) check(std::isfinite(v), "gradient", v);
    if (isa::BF16_TILES) continue;  // the forward pass rounds the differences away
    for (int n = 0; n < 3; n++) {
      const size_t k = generator() % value->size();
      const float old = (*value)[k], width = 2e-3f;
      (*value)[k] = old + width;
      const double up = p.loss(threads);
      (*value)[k] = old - width;
      const double down = p.loss(threads), slope = (up - down) / (2 * width);
      (*value)[k] = old;
      check(std::fabs(slope - (*slopes)[k]) < 1e-2 * (1 + std::fabs(slope)), "gradient", slope - (*slopes)[k]);
    }
  }
}

template <class Kernel, class Exact>
static void measure(const char* name, Kernel kernel, Exact exact, uint32_t stride) {
  double worst = 0;
  for (uint64_t bits = 0; bits < (1ull << 32); bits += stride) {
    const uint32_t word = static_cast<uint32_t>(bits);
    float x;
    std::memcpy(&x, &word, 4);
    if (!(std::fabs(x) < 80) || std::fabs(x) < 1e-30f) continue;
    isa::Vec v[1] = {isa::broadcast(x)};
    kernel(v);
    const double wanted = exact(double(x)), size = std::fabs(float(wanted));
    worst = std::max(worst, std::fabs(v[0][0] - wanted) / (std::nextafter(float(size), INFINITY) - size));
  }
  std::printf("%s: largest error %.2f ulp\n", name, worst);
  check(worst < 4, name, worst);
}

int main(int count, char** arguments) {
  if (!isa::kernels.supported() || !isa::kernels.allowed()) {
    std::printf("0 cases, 0 wrong: not on this processor\n");
    return 0;
  }
  const uint32_t stride = count > 1 ? std::atoi(arguments[1]) : 40009;
  measure("tanh", [](isa::Vec(&v)[1]) { isa::tanh(v); }, [](double x) { return std::tanh(x); }, stride);
  measure("sigmoid", [](isa::Vec(&v)[1]) { isa::sigmoid(v); }, sigmoid_plain, stride);
  const Case cases[] = {
      // plain
      {5, 2, 3, 90, false},  // few rows and many units: a group of threads shares them
      {5, 4, 3, 9, false},
      {1, 1, 1, 1, false},
      {6, 1, 2, 16, false},
      {4, 67, 3, 20, false},
      {3, 7, 70, 33, false},
      {2, 3, 0, 8, false},
      {70, 3, 150, 40, false},
      {0, 2, 3, 8, false},
      {3, 0, 2, 8, false},
      {3, 2, 9, 17, false},
      {2, 1, 5, 70, false},
      {70, 1, 40, 48, false},  // the terms of x are computed for several steps at once
      {20, 1, 8, 260, false},
      {30, 31, 3, 64, false},  // parts of 16 and of 15 rows
      // peephole, masks, zoneout, coupled gates and bounds
      {5, 4, 3, 9, true},
      {4, 67, 3, 20, true},
      {30, 5, 2, 64, true},
      {45, 3, 33, 40, true},
      {12, 3, 20, 150, true},  // a group of threads with all options
      {12, 3, 20, 150, true, 0, false, true},
      // projection
      {5, 4, 3, 9, false, 7},
      {4, 67, 9, 20, true, 33},
      {3, 1, 12, 40, false, 1},
      // layer normalisation
      {5, 4, 12, 9, false, 0, true},
      {4, 67, 12, 20, true, 0, true},
      {3, 70, 12, 34, true, 5, true},
      {0, 2, 3, 8, true, 5, true},
      {3, 0, 2, 8, true, 5, true},
      // gates computed again
      {5, 4, 3, 9, false, 0, false, true},
      {4, 67, 3, 20, true, 7, false, true}};
  for (const Case& c : cases) {
    for (int64_t n : {1, 2, 3}) {
      const gatecast::Threads threads{n, run_threads};
      Problem p(c);
      const Gradients grad = backward(p, threads);
      p.forward(threads, false);
      if (c.plain()) compare_with_plain(p, grad);
      compare_with_differences(p, grad, threads);
    }
  }
  std::printf("%zu cases, %d wrong\n", sizeof(cases) / sizeof(cases[0]), failures);
  return failures ? 1 : 0;
}
