// Backward pass. For each slice of the batch, steps from the last to the first, in chunks of about CHUNK rows:
//
//   per step    gradients of the gates (cell.h) into a chunk that stays in L2: [block][row of the chunk][SLOTS];
//               gradient to the state before: gates' gradients @ w_hh
//   per chunk   gradients of the weights += [x | h before | 1]^T @ gates' gradients; gradient to x
//
// Each part of the batch adds into weight gradients of its own; they are summed in a fixed order at the end, so that a
// result depends on the number of threads and on nothing else.
#include "cell.h"
#include "gemm.h"
#include "pack.h"
#include "slices.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {
namespace {

constexpr int64_t CHUNK = 128;    // rows: SLOTS * CHUNK floats of a block stay in L1
constexpr int64_t COLUMNS = 144;  // of [x | h | 1] at a time: CHUNK rows of them stay in L2 while all blocks pass

int64_t chunk_steps(int64_t rows, int64_t time) {
  return larger(1, smaller(time, (CHUNK + rows / 2) / larger(1, rows)));
}

int64_t odd_lines(int64_t floats) {  // odd number of cache lines: rows do not fall on the same ones
  const int64_t lines = ceil_div(floats, 16);
  return (lines + (lines % 2 == 0)) * 16;
}

struct Weights {
  const float *hh, *ih;  // panels for gradients @ w_hh and @ w_ih
};

// Gradients of one part of the batch: [block][input + hidden + 1][SLOTS] and [slot i, f, o][padded hidden].
struct Sums {
  float *weights, *peephole;
};

struct Buffers {
  int64_t units, steps, chunk, block, depth;  // padded hidden; steps and rows of a chunk; floats of a block; of a row
  float *gates, *rows, *grad_h, *grad_c, *kept_h, *kept_c, *grad_x;

  Buffers(Pieces& pieces, const Backward& p, int64_t count) {
    units = blocks_of(p.hidden) * LANES;
    steps = chunk_steps(count, p.time);
    chunk = steps * count;
    block = (chunk + 1) * SLOTS;
    depth = odd_lines(p.input + p.hidden + 1 + LANES);
    gates = pieces.take(blocks_of(p.hidden) * block);
    rows = pieces.take(chunk * depth);
    grad_h = pieces.take(count * units);
    grad_c = pieces.take(count * units);
    kept_h = pieces.take(count * units);  // gradients that pass by a step
    kept_c = pieces.take(count * units);
    grad_x = p.grad_x ? pieces.take(chunk * blocks_of(p.input) * LANES) : nullptr;
  }
};

// to[m] += sum over k of rows[k][m] gates[k] for one block.
struct WeightProduct {
  const float* rows;
  int64_t depth;
  const float* gates;
  int64_t count;
  float* to;
  bool add;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    Vec sum[M][N] = {};
    float* out = to + first * SLOTS;
    if (add) {
      for (int64_t k = 0; k < M * SLOTS; k += 16) __builtin_prefetch(out + k, 1);
    }
    add_product<M, N>(sum, rows + first, 1, depth, gates, count);
    if (add) {
      UNROLL for (int m = 0; m < M; m++) {
        UNROLL for (int n = 0; n < N; n++) sum[m][n] += load(out + m * SLOTS + n * LANES);
      }
    }
    store_tile<M, N>(sum, out, SLOTS);
  }
};

template <bool plain>
class Slice {
 public:
  Slice(const Backward& p, const Weights& weights, const Sums& sums, Pieces pieces, int64_t first, int64_t rows)
      : p_(p), weights_(weights), sums_(sums), buffers_(pieces, p, rows), first_(first), rows_(rows) {}

  // `add`: the sums hold those of an earlier slice.
  void run(bool add) {
    start();
    for (int64_t end = p_.time; end > 0; end -= buffers_.steps) {
      const int64_t begin = larger(0, end - buffers_.steps);
      for (int64_t step = end - 1; step >= begin; step--) {
        float* gates = buffers_.gates + (step - begin) * rows_ * SLOTS;
        cells(step, gates);
        if (step > 0 || p_.grad_h0) state_gradient(gates);
      }
      weight_gradients(begin, end, add || end < p_.time);
      if (p_.grad_x) input_gradient(begin, end);
    }
    finish();
  }

 private:
  const Backward& p_;
  const Weights weights_;
  const Sums sums_;
  Buffers buffers_;
  const int64_t first_, rows_;

  static Vec given(const float* from, int64_t at, int64_t count) { return from ? load(from + at, count) : Vec{}; }

  void start() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
        const int64_t at = row * buffers_.units + unit, from = (first_ + row) * p_.hidden + unit;
        const Vec grad_h = given(p_.grad_h, from, p_.hidden - unit);
        store(buffers_.grad_h + at, plain ? grad_h : Vec{});
        store(buffers_.kept_h + at, grad_h);
        store(buffers_.grad_c + at, given(p_.grad_c, from, p_.hidden - unit));
      }
    }
  }

  void finish() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
        const int64_t at = row * buffers_.units + unit, to = (first_ + row) * p_.hidden + unit;
        if (p_.grad_h0) store(p_.grad_h0 + to, state_back(0, row, unit), p_.hidden - unit);
        if (p_.grad_c0) store(p_.grad_c0 + to, load(buffers_.grad_c + at), p_.hidden - unit);
      }
    }
  }

  // Gradient to h before `step`, as that step has left it.
  Vec state_back(int64_t step, int64_t row, int64_t unit) const {
    const int64_t at = row * buffers_.units + unit;
    Vec grad = load(buffers_.grad_h + at);
    if constexpr (plain) return grad;
    if (step < p_.time) {
      const float bound = p_.options.gradient_clip;
      if (bound > 0) grad = clamp(grad, all(-bound), all(bound));
      if (p_.recurrent.at) {
        grad *= mask_values(p_.recurrent, p_.time_of(step), first_ + row, unit, p_.hidden - unit);
      }
    }
    return grad + load(buffers_.kept_h + at);
  }

  // c before a step.
  const float* cells_before(int64_t step) const {
    if (step == 0) return p_.c0 ? p_.c0 + first_ * p_.hidden : nullptr;
    return p_.cells + (p_.time_of(step - 1) * p_.batch + first_) * p_.hidden;
  }

  void cells(int64_t step, float* gates) {
    for (int64_t block = 0; block < blocks_of(p_.hidden); block++, gates += buffers_.block) {
      int64_t row = 0;
      for (; row + ROWS <= rows_; row += ROWS) cells_of<ROWS>(step, block, row, gates + row * SLOTS);
      for (; row < rows_; row++) cells_of<1>(step, block, row, gates + row * SLOTS);
    }
  }

  template <int N>
  void cells_of(int64_t step, int64_t block, int64_t row, float* to) {
    const int64_t t = p_.time_of(step), unit = block * LANES, count = p_.hidden - unit;
    const float* cells = cells_before(step);
    Gates<N> values, grads;
    Vec before[N], grad_h[N], grad_c[N], cell[N];
    load_gates(values, p_.gates_in + ((t * blocks_of(p_.hidden) + block) * p_.batch + first_ + row) * SLOTS);
    EACH before[n] = given(cells, (row + n) * p_.hidden + unit, count);
    EACH grad_c[n] = cell_gradient(t, row + n, unit);
    EACH grad_h[n] = state_back(step + 1, row + n, unit);
    EACH {
      const Vec from_y = given(p_.grad_y, t * p_.grad_y_time + (first_ + row + n) * p_.grad_y_batch + unit, count);
      if constexpr (plain) {
        grad_h[n] += from_y;
      } else {
        options(t, row + n, unit, from_y, grad_h[n], grad_c[n]);
      }
    }
    const Peephole peephole = plain ? Peephole{} : load_peephole(p_, unit, count);
    step_back<plain>(p_.options, peephole, values, before, grad_h, grad_c, grads, cell);
    EACH {
      float* sum = buffers_.grad_c + (row + n) * buffers_.units + unit;
      if constexpr (!plain) {
        grad_c[n] += load(buffers_.kept_c + (row + n) * buffers_.units + unit);
        if (masked(p_.steps, t, first_ + row + n)) {  // its values may be NaN
          grads.i[n] = grads.f[n] = grads.g[n] = grads.o[n] = Vec{};
          grad_c[n] = load(buffers_.kept_c + (row + n) * buffers_.units + unit);
        } else if (p_.grad_peephole) {
          add_to(sums_.peephole + unit, grads.i[n] * before[n]);
          add_to(sums_.peephole + buffers_.units + unit, grads.f[n] * before[n]);
          add_to(sums_.peephole + 2 * buffers_.units + unit, grads.o[n] * cell[n]);
        }
      }
      store(sum, grad_c[n]);
    }
    store_gates(to, grads);
  }

  Vec cell_gradient(int64_t t, int64_t row, int64_t unit) const {
    const Vec grad = load(buffers_.grad_c + row * buffers_.units + unit);
    if (!p_.grad_cells) return grad;
    return grad + load(p_.grad_cells + (t * p_.batch + first_ + row) * p_.hidden + unit, p_.hidden - unit);
  }

  // What zoneout and masks leave for the step itself; the rest goes to the step before, by way of kept_h and kept_c.
  void options(int64_t t, int64_t row, int64_t unit, Vec from_y, Vec& grad_h, Vec& grad_c) {
    const int64_t at = row * buffers_.units + unit, count = p_.hidden - unit;
    Vec kept_h = {}, kept_c = {};
    if (masked(p_.steps, t, first_ + row)) {  // the state passed through; the output was 0 or the state
      kept_h = p_.options.zero_output ? grad_h : grad_h + from_y;
      kept_c = grad_c;
    } else {
      grad_h += from_y;
      if (p_.zone_h.at) kept_h = grad_h * mask_values(p_.zone_h, t, first_ + row, unit, count);
      if (p_.zone_c.at) kept_c = grad_c * mask_values(p_.zone_c, t, first_ + row, unit, count);
      grad_h -= kept_h;
      grad_c -= kept_c;
    }
    store(buffers_.kept_h + at, kept_h);
    store(buffers_.kept_c + at, kept_c);
  }

  static void add_to(float* sum, Vec value) { store(sum, load(sum) + value); }

  void state_gradient(const float* gates) {
    const int64_t blocks = blocks_of(p_.hidden);
    const BlockedProduct work{gates, buffers_.block, blocks, weights_.hh, buffers_.grad_h, buffers_.units, false};
    blocked_product(work, rows_, blocks, blocks);
  }

  void input_gradient(int64_t begin, int64_t end) {
    const int64_t vectors = blocks_of(p_.input), width = vectors * LANES, blocks = blocks_of(p_.hidden);
    const BlockedProduct work{buffers_.gates, buffers_.block, blocks, weights_.ih, buffers_.grad_x, width, false};
    blocked_product(work, (end - begin) * rows_, blocks, vectors);
    const float* from = buffers_.grad_x;
    for (int64_t step = begin; step < end; step++) {
      float* to = p_.grad_x + (p_.time_of(step) * p_.batch + first_) * p_.input;
      for (int64_t row = 0; row < rows_; row++, from += width, to += p_.input) copy(to, from, p_.input);
    }
  }

  void weight_gradients(int64_t begin, int64_t end, bool add) {
    const int64_t depth = p_.input + p_.hidden + 1;
    for (int64_t step = begin; step < end; step++) operands(step, buffers_.rows + (step - begin) * rows_ * buffers_.depth);
    for (int64_t first = 0; first < depth; first += COLUMNS) {
      const int64_t columns = smaller(COLUMNS, depth - first);
      for (int64_t block = 0; block < blocks_of(p_.hidden); block++) {
        WeightProduct work;
        work.rows = buffers_.rows + first;
        work.depth = buffers_.depth;
        work.gates = buffers_.gates + block * buffers_.block;
        work.count = (end - begin) * rows_;
        work.to = sums_.weights + (block * depth + first) * SLOTS;
        work.add = add;
        for_tiles<4>(columns, work);
      }
    }
  }

  // [x | h before, times its mask | 1] of one step. Masked rows are zeros: their x may hold NaN.
  void operands(int64_t step, float* to) const {
    const int64_t t = p_.time_of(step);
    const float* h = step ? p_.states + (p_.time_of(step - 1) * p_.batch + first_) * p_.hidden
                          : (p_.h0 ? p_.h0 + first_ * p_.hidden : nullptr);
    for (int64_t row = 0; row < rows_; row++, to += buffers_.depth) {
      float* end = to + p_.input + p_.hidden;
      if (!plain && masked(p_.steps, t, first_ + row)) {
        zero(to, p_.input + p_.hidden + 1);
        continue;
      }
      copy(to, p_.x + t * p_.x_time + (first_ + row) * p_.x_batch, p_.input);
      if (!h) {
        zero(to + p_.input, p_.hidden);
      } else if (plain || !p_.recurrent.at) {
        copy(to + p_.input, h + row * p_.hidden, p_.hidden);
      } else {
        for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
          const int64_t count = p_.hidden - unit;
          const Vec mask = mask_values(p_.recurrent, t, first_ + row, unit, count);
          store(to + p_.input + unit, load(h + row * p_.hidden + unit, count) * mask, count);
        }
      }
      *end = 1.0f;
    }
  }

  static void copy(float* to, const float* from, int64_t count) {
    for (int64_t k = 0; k < count; k += LANES) store(to + k, load(from + k, count - k), count - k);
  }

  static void zero(float* to, int64_t count) {
    for (int64_t k = 0; k < count; k++) to[k] = 0.0f;
  }
};

// The sums of all parts, in their order, in the layout of the weights.
void gather(const Backward& p, const Sums& sums, int64_t parts, int64_t part, int64_t block) {
  const int64_t depth = p.input + p.hidden + 1, units = smaller(LANES, p.hidden - block * LANES);
  const float* from = sums.weights + block * depth * SLOTS;
  unpack_block(p, from, parts, part, p.input, block, p.grad_w_ih);
  unpack_block(p, from + p.input * SLOTS, parts, part, p.hidden, block, p.grad_w_hh);
  const float* ones = from + (p.input + p.hidden) * SLOTS;
  for (int64_t slot = 4 - p.gates(); slot < 4; slot++) {
    Vec sum = load(ones + slot * LANES);
    for (int64_t n = 1; n < parts; n++) sum += load(ones + n * part + slot * LANES);
    store(p.grad_bias + first_row(p, slot) + block * LANES, sum, units);
  }
  if (!p.grad_peephole) return;
  const int64_t padded = blocks_of(p.hidden) * LANES;
  for (int64_t k = p.options.coupled; k < 3; k++) {
    Vec sum = {};
    for (int64_t n = 0; n < parts; n++) sum += load(sums.peephole + n * part + k * padded + block * LANES);
    store(p.grad_peephole + (k - p.options.coupled) * p.hidden + block * LANES, sum, units);
  }
}

void fill_zero(float* to, int64_t count) {
  for (int64_t k = 0; k < count; k++) to[k] = 0.0f;
}

template <bool plain>
void run(const Backward& p, const Threads& threads) {
  const int64_t blocks = blocks_of(p.hidden), padded = blocks * LANES, parts = parts_of(p, threads);
  const int64_t rows = smaller(SLICE_ROWS, ceil_div(p.batch, parts));
  Pieces one(nullptr);
  const int64_t weight_sums = blocks * (p.input + p.hidden + 1) * SLOTS;
  one.take(weight_sums);
  one.take(3 * padded);
  // A smaller slice may have a longer chunk: room for the largest of them.
  int64_t slice_floats = 0;
  for (int64_t count = rows; count >= 1 && count >= rows / 2; count--) {
    Pieces slice(nullptr);
    Buffers(slice, p, count);
    slice_floats = larger(slice_floats, slice.used());
  }
  const int64_t part_floats = one.used() + slice_floats;

  Pieces sizes(nullptr);
  sizes.take(blocks * SLOTS * padded);
  sizes.take(blocks * SLOTS * blocks_of(p.input) * LANES);
  Pieces pieces(workspace(sizes.used() + parts * part_floats));
  float* hh = pieces.take(blocks * SLOTS * padded);
  float* ih = pieces.take(blocks * SLOTS * blocks_of(p.input) * LANES);
  float* memory = pieces.take(parts * part_floats);
  pack_rows(p, p.w_hh, p.hidden, hh);
  if (p.grad_x) pack_rows(p, p.w_ih, p.input, ih);

  in_parallel(threads, parts, [&](int64_t part) {
    Pieces own(memory + part * part_floats);
    Sums sums{own.take(weight_sums), own.take(3 * padded)};
    fill_zero(sums.peephole, 3 * padded);
    if (p.time == 0 || p.batch == 0) fill_zero(sums.weights, weight_sums);
    bool add = false;
    for_slices(p.batch, part, parts, [&](int64_t first, int64_t count) {
      Slice<plain>(p, Weights{hh, ih}, sums, own, first, count).run(add);
      add = true;
    });
  });
  Pieces first(memory);
  const Sums sums{first.take(weight_sums), first.take(3 * padded)};
  const int64_t gatherers = weight_sums < 100000 ? 1 : smaller(threads.run ? threads.count : 1, blocks);
  in_parallel(threads, gatherers, [&](int64_t part) {
    for (int64_t b = first_of_part(blocks, part, gatherers); b < first_of_part(blocks, part + 1, gatherers); b++) {
      gather(p, sums, parts, part_floats, b);
    }
  });
}

}  // namespace

void backward(const Backward& p, const Threads& threads) {
  p.plain() && p.options.gradient_clip == 0 ? run<true>(p, threads) : run<false>(p, threads);
}

}  // namespace gatecast::GATECAST_ISA
