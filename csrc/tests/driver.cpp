// The kernels without PyTorch, for sanitizers and other processors: every array has exactly its size, so that an
// address sanitizer sees any step beyond it; forward is compared with plain loops in double, backward with finite
// differences of it. Prints what it did; ends with 1 where something is wrong.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "../activations.h"
#include "../half.h"
#include "../lstm.h"

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
    p.options.cell_clip = 5, p.options.gradient_clip = 100;
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
};

static double squash(double x) { return 1 / (1 + std::exp(-x)); }

// The plain cell in double.
static void compare_forward(const Problem& p) {
  const Case& c = p.c;
  double worst = 0;
  for (int64_t b = 0; b < c.batch; b++) {
    std::vector<double> h(c.hidden), cell(c.hidden), gates(4 * c.hidden);
    for (int64_t u = 0; u < c.hidden; u++) h[u] = p.h0[b * c.hidden + u], cell[u] = p.c0[b * c.hidden + u];
    for (int64_t t = 0; t < c.time; t++) {
      for (int64_t r = 0; r < 4 * c.hidden; r++) {
        gates[r] = p.bias[r];
        for (int64_t k = 0; k < c.input; k++) gates[r] += p.w_ih[r * c.input + k] * p.x[(t * c.batch + b) * c.input + k];
        for (int64_t k = 0; k < c.hidden; k++) gates[r] += p.w_hh[r * c.hidden + k] * h[k];
      }
      for (int64_t u = 0; u < c.hidden; u++) {
        const double i = squash(gates[u]), f = squash(gates[c.hidden + u]), g = std::tanh(gates[2 * c.hidden + u]);
        cell[u] = f * cell[u] + i * g;
        h[u] = squash(gates[3 * c.hidden + u]) * std::tanh(cell[u]);
        const double off = std::fabs(h[u] - p.y[(t * c.batch + b) * c.hidden + u]);
        if (!(off <= worst)) worst = off;  // NaN as well
      }
    }
  }
  check(worst < (isa::BF16_TILES ? 0.1 : 3e-6), "forward", worst);
}

static void compare_backward(Problem& p, const gatecast::Threads& threads) {
  p.forward(threads, true);
  const Case& c = p.c;
  Array grad_y(p.y.size()), grad_c(p.cell.size());
  for (size_t k = 0; k < grad_y.size(); k++) grad_y[k] = std::cos(double(k));
  for (size_t k = 0; k < grad_c.size(); k++) grad_c[k] = std::sin(double(k));
  Array dx(p.x.size()), dw_ih(p.w_ih.size()), dw_hh(p.w_hh.size()), db(p.bias.size()), dh(p.h0.size()), dc(p.c0.size());
  Array dp(p.peephole.size()), dn_x(p.norm_x.size()), dn_h(p.norm_h.size()), dn_c(p.norm_c.size()), dw(p.w_proj.size());
  Backward q{};
  p.fill(q);
  q.states = c.options ? p.states.data() : p.y.data();
  q.cells = p.cells.data(), q.gates_in = c.recompute ? nullptr : p.gates.data(), q.bias = p.bias.data(), q.norms = p.norms.data(), q.moments = p.moments.data();
  q.grad_y = grad_y.data(), q.grad_y_time = c.batch * c.output(), q.grad_y_batch = c.output(), q.grad_c = grad_c.data();
  q.grad_x = dx.data(), q.grad_w_ih = dw_ih.data(), q.grad_w_hh = dw_hh.data(), q.grad_bias = db.data();
  q.grad_h0 = dh.data(), q.grad_c0 = dc.data(), q.grad_peephole = c.options ? dp.data() : nullptr;
  if (c.normed) q.grad_norm_x = dn_x.data(), q.grad_norm_h = dn_h.data(), q.grad_norm_c = dn_c.data();
  q.grad_w_proj = c.projection ? dw.data() : nullptr;
  isa::kernels.backward(q, threads);
  const std::pair<Array*, Array*> pairs[] = {{&p.x, &dx},      {&p.w_ih, &dw_ih}, {&p.w_hh, &dw_hh}, {&p.bias, &db},
                                             {&p.h0, &dh},     {&p.c0, &dc},      {&p.peephole, &dp},
                                             {&p.norm_x, &dn_x}, {&p.norm_h, &dn_h}, {&p.norm_c, &dn_c},
                                             {&p.w_proj, &dw}};
  for (auto [value, grad] : pairs) {
    if (value->empty() || (value == &p.peephole && !c.options)) continue;
    for (float v : *grad) check(std::isfinite(v), "gradient", v);
    if (isa::BF16_TILES) continue;  // the differences are of rounded values
    for (int n = 0; n < 3; n++) {
      const size_t k = generator() % value->size();
      const float old = (*value)[k], width = c.normed ? 2e-3f : 1e-2f;  // normalisation bends the loss
      (*value)[k] = old + width;
      const double up = p.loss(threads);
      (*value)[k] = old - width;
      const double down = p.loss(threads), slope = (up - down) / (2 * width);
      (*value)[k] = old;
      check(std::fabs(slope - (*grad)[k]) < 1e-2 * (1 + std::fabs(slope)), "gradient", slope - (*grad)[k]);
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
  if (!isa::kernels.supported() || !isa::kernels.allowed()) return std::printf("0 cases, 0 wrong: not on this processor\n"), 0;
  const uint32_t stride = count > 1 ? std::atoi(arguments[1]) : 40009;
  measure("tanh", [](isa::Vec(&v)[1]) { isa::tanh(v); }, [](double x) { return std::tanh(x); }, stride);
  measure("sigmoid", [](isa::Vec(&v)[1]) { isa::sigmoid(v); }, squash, stride);
  const Case cases[] = {{5, 2, 3, 90, false},  // of few rows and many units: a crew shares them
                        {5, 4, 3, 9, false},  {1, 1, 1, 1, false},   {6, 1, 2, 16, false},  {4, 67, 3, 20, false},
                        {3, 7, 70, 33, false}, {2, 3, 0, 8, false},  {70, 3, 150, 40, false}, {0, 2, 3, 8, false},
                        {3, 0, 2, 8, false},   {5, 4, 3, 9, true},   {4, 67, 3, 20, true},  {30, 5, 2, 64, true},
                        {3, 2, 9, 17, false},  {2, 1, 5, 70, false}, {5, 4, 3, 9, false, 7}, {4, 67, 9, 20, true, 33},
                        {3, 1, 12, 40, false, 1}, {5, 4, 12, 9, false, 0, true}, {4, 67, 12, 20, true, 0, true},
                        {3, 70, 12, 34, true, 5, true}, {0, 2, 3, 8, true, 5, true}, {3, 0, 2, 8, true, 5, true},
                        {5, 4, 3, 9, false, 0, false, true}, {4, 67, 3, 20, true, 7, false, true},
                        {70, 1, 40, 48, false}, {20, 1, 8, 260, false}, {45, 3, 33, 40, true},  // shares of x ahead
                        {30, 31, 3, 64, false},  // parts of 16 and of 15 rows
                        {12, 3, 20, 150, true}, {12, 3, 20, 150, true, 0, false, true}};  // a crew with all options
  for (const Case& c : cases) {
    for (int64_t n : {1, 2, 3}) {
      const gatecast::Threads threads{n, run_threads};
      Problem p(c);
      p.forward(threads, false);
      if (!c.options && !c.projection && !c.normed) compare_forward(p);
      compare_backward(p, threads);
    }
  }
  std::printf("%zu cases, %d wrong\n", sizeof(cases) / sizeof(cases[0]), failures);
  return failures ? 1 : 0;
}
