// Forward pass. For each slice of the batch and each step: per block of hidden units, the gates [x_t | h] @ W + b into
// a buffer in L1 (gemm.h), then activations, cell update and every option for the rows of the slice (cell.h).
#include "cell.h"
#include "direct.h"
#include "gemm.h"
#include "pack.h"
#include "slices.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {
namespace {

struct Weights {
  float *panels, *bias;  // [block][input, then hidden][SLOTS] (null: not packed), [block][SLOTS]
};

// Buffers of one slice. `operand` is what is multiplied by w_hh: h, or h times the recurrent mask; two, since every
// block of a step needs all of the step before.
struct Buffers {
  float *operand[2], *state, *cell, *gates;
  int64_t row;    // floats from row to row of operand, state and cell
  int64_t group;  // blocks whose gates are computed before their cells: with few rows, cells of several blocks overlap

  Buffers(Pieces& pieces, const Layer& p, int64_t rows)
      : row(blocks_of(p.hidden) * LANES + 16), group(smaller(blocks_of(p.hidden), ceil_div(16, larger(1, rows)))) {
    for (float*& one : operand) one = pieces.take(rows * row);
    state = p.recurrent.at ? pieces.take(rows * row) : nullptr;
    cell = pieces.take(rows * row);
    gates = pieces.take(group * rows * SLOTS);
  }
};

// to[r] = init[r] + [x | h][r] @ panel for one block.
struct GateProduct {
  const float* init;
  int64_t init_row;
  const float* x;
  int64_t x_row, x_count;
  const float* h;
  int64_t h_row, h_count;
  const float* panel;
  float* to;

  template <int M, int N>
  __attribute__((noinline)) void tile(int64_t first) const {
    Vec sum[M][N];
    load_tile<M, N>(sum, init + first * init_row, init_row);
    add_product<M, N>(sum, x + first * x_row, x_row, 1, panel, x_count);
    add_product<M, N>(sum, h + first * h_row, h_row, 1, panel + x_count * SLOTS, h_count);
    store_tile<M, N>(sum, to + first * SLOTS, SLOTS);
  }
};

// The same over all k, in pieces whose panel stays in L1 while the rows pass. `then`: the panel that is read after the
// last piece; null where the weights are near anyway.
void gate_product(GateProduct work, int64_t rows, const float* then) {
  int64_t x_left = work.x_count, h_left = work.h_count;
  do {
    const int64_t piece = next_rows(larger(1, x_left + h_left), PANEL_FLOATS / SLOTS);
    work.x_count = smaller(piece, x_left);
    work.h_count = smaller(piece - work.x_count, h_left);
    x_left -= work.x_count;
    h_left -= work.h_count;
    const float* next = x_left + h_left > 0 ? work.panel + piece * SLOTS : then;
    for_tiles<4>(rows, work, then ? Ahead{next, piece * SLOTS} : Ahead{});
    work.x += work.x_count;
    work.h += work.h_count;
    work.panel += (work.x_count + work.h_count) * SLOTS;
    work.init = work.to;
    work.init_row = SLOTS;
  } while (x_left + h_left > 0);
}

// One slice: rows first .. first + rows of the batch, all steps.
template <bool plain, bool keep>
class Slice {
 public:
  Slice(const Forward& p, const Weights& weights, Pieces pieces, int64_t first, int64_t rows)
      : p_(p), weights_(weights), buffers_(pieces, p, rows), first_(first), rows_(rows) {}

  void run() {
    start();
    const int64_t blocks = blocks_of(p_.hidden);
    for (int64_t step = 0; step < p_.time; step++) {
      for (int64_t begin = 0; begin < blocks; begin += buffers_.group) {
        const int64_t end = smaller(blocks, begin + buffers_.group);
        for (int64_t k = begin; k < end; k++) gates(step, k, gates_at(k - begin));
        for (int64_t k = begin; k < end; k++) cells(step, block_at(step, k), gates_at(k - begin));
      }
    }
    finish();
  }

 private:
  const Forward& p_;
  const Weights weights_;
  Buffers buffers_;
  const int64_t first_, rows_;

  // To and fro: what was read last is still in the cache.
  int64_t block_at(int64_t step, int64_t k) const { return step % 2 ? blocks_of(p_.hidden) - 1 - k : k; }
  float* gates_at(int64_t k) const { return buffers_.gates + k * rows_ * SLOTS; }
  float* operand(int64_t step) const { return buffers_.operand[step % 2]; }
  float* state(int64_t step) const { return buffers_.state ? buffers_.state : operand(step); }
  Vec initial(const float* from, int64_t row, int64_t unit) const {
    return from ? load(from + (first_ + row) * p_.hidden + unit, p_.hidden - unit) : Vec{};
  }

  void start() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
        const int64_t at = row * buffers_.row + unit;
        const Vec h = initial(p_.h0, row, unit);
        store(buffers_.cell + at, initial(p_.c0, row, unit));
        store(state(0) + at, h);
        if (p_.recurrent.at && p_.time) store(operand(0) + at, h * recurrent(0, row, unit));
      }
    }
  }

  void finish() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
        const int64_t at = row * buffers_.row + unit, to = (first_ + row) * p_.hidden + unit;
        store(p_.h + to, load(state(p_.time) + at), p_.hidden - unit);
        store(p_.c + to, load(buffers_.cell + at), p_.hidden - unit);
      }
    }
  }

  Vec recurrent(int64_t step, int64_t row, int64_t unit) const {
    return mask_values(p_.recurrent, p_.time_of(step), first_ + row, unit, p_.hidden - unit);
  }

  const float* panel(int64_t step, int64_t k) const {
    return weights_.panels + block_at(step, k) * (p_.input + p_.hidden) * SLOTS;
  }

  void gates(int64_t step, int64_t k, float* to) {
    if (!weights_.panels) return direct_gates(step, block_at(step, k), to);
    const int64_t blocks = blocks_of(p_.hidden);
    const bool far = blocks * (p_.input + p_.hidden) * SLOTS > NEAR_FLOATS;
    GateProduct work;
    work.init = weights_.bias + block_at(step, k) * SLOTS;
    work.init_row = 0;
    work.x = p_.x + p_.time_of(step) * p_.x_time + first_ * p_.x_batch;
    work.x_row = p_.x_batch;
    work.x_count = p_.input;
    work.h = operand(step);
    work.h_row = buffers_.row;
    work.h_count = step || p_.h0 ? p_.hidden : 0;
    work.panel = panel(step, k);
    work.to = to;
    gate_product(work, rows_, far && k + 1 < blocks ? panel(step, k + 1) : nullptr);
  }

  void direct_gates(int64_t step, int64_t block, float* to) const {
    const int64_t unit = block * LANES, units = smaller(LANES, p_.hidden - unit);
    const float* x = p_.x + p_.time_of(step) * p_.x_time + first_ * p_.x_batch;
    for (int64_t slot = 0; slot < 4; slot++) {
      const int64_t first = first_row(p_, slot) + unit;
      for (int64_t row = 0; row < rows_; row++) {
        RowSums sums;
        sums.across = load(weights_.bias + block * SLOTS + slot * LANES);
        if (first_row(p_, slot) >= 0) {
          sums.add(p_.w_ih + first * p_.input, p_.input, units, x + row * p_.x_batch);
          const float* h = operand(step) + row * buffers_.row;
          if (step || p_.h0) sums.add(p_.w_hh + first * p_.hidden, p_.hidden, units, h);
        }
        store(to + row * SLOTS + slot * LANES, sums.total());
      }
    }
  }

  void cells(int64_t step, int64_t block, const float* gates) {
    int64_t row = 0;
    for (; row + ROWS <= rows_; row += ROWS) cells_of<ROWS>(step, block, row, gates);
    for (; row < rows_; row++) cells_of<1>(step, block, row, gates);
  }

  template <int N>
  void cells_of(int64_t step, int64_t block, int64_t row, const float* gates) {
    const int64_t t = p_.time_of(step), unit = block * LANES, count = p_.hidden - unit;
    const int64_t at = row * buffers_.row + unit, out = (t * p_.batch + first_ + row) * p_.hidden + unit;
    float* y_out = p_.y + t * p_.y_time + (first_ + row) * p_.y_batch + unit;
    const Peephole peephole = plain ? Peephole{} : load_peephole(p_, unit, count);
    Gates<N> values;
    Vec before[N], c[N], h[N];
    load_gates(values, gates + row * SLOTS);
    EACH before[n] = load(buffers_.cell + at + n * buffers_.row);
    gatecast::GATECAST_ISA::step<plain>(p_.options, peephole, values, before, c, h);
    if constexpr (keep) {
      store_gates(p_.gates_out + ((t * blocks_of(p_.hidden) + block) * p_.batch + first_ + row) * SLOTS, values);
    }
    EACH {
      const int64_t here = at + n * buffers_.row, there = out + n * p_.hidden;
      Vec y = h[n];
      if constexpr (!plain) {
        options(t, row + n, unit, before[n], load(state(step) + here), c[n], h[n], y);
        store(state(step + 1) + here, h[n]);
        if (p_.states) store(p_.states + there, h[n], count);
        if (p_.recurrent.at && step + 1 < p_.time) h[n] *= recurrent(step + 1, row + n, unit);
      }
      store(buffers_.cell + here, c[n]);
      store(operand(step + 1) + here, h[n]);
      store(y_out + n * p_.y_batch, y, count);
      if (p_.cells) store(p_.cells + there, c[n], count);
    }
  }

  // Zoneout and masked steps: a choice for masks, not a product, so that NaN of a padded step stays where it is.
  void options(int64_t t, int64_t row, int64_t unit, Vec c_before, Vec h_before, Vec& c, Vec& h, Vec& y) const {
    const int64_t count = p_.hidden - unit;
    if (p_.zone_c.at) {
      const Vec zone = mask_values(p_.zone_c, t, first_ + row, unit, count);
      c = c_before * zone + c * (1.0f - zone);
    }
    if (p_.zone_h.at) {
      const Vec zone = mask_values(p_.zone_h, t, first_ + row, unit, count);
      h = h_before * zone + h * (1.0f - zone);
    }
    y = h;
    if (masked(p_.steps, t, first_ + row)) {
      c = c_before;
      h = h_before;
      y = p_.options.zero_output ? Vec{} : h;
    }
  }
};

int64_t slice_floats(const Forward& p, int64_t rows) {
  Pieces pieces(nullptr);
  Buffers(pieces, p, rows);
  return pieces.used();
}

template <bool plain, bool keep>
void run(const Forward& p, const Threads& threads) {
  const int64_t blocks = blocks_of(p.hidden), depth = p.input + p.hidden, parts = parts_of(p, threads);
  const int64_t rows = smaller(SLICE_ROWS, ceil_div(p.batch, parts));
  const int64_t part_floats = slice_floats(p, rows);
  const bool direct = read_directly(rows, p.time, blocks * depth * SLOTS);
  const int64_t panel_floats = direct ? 0 : blocks * depth * SLOTS;
  Pieces sizes(nullptr);
  sizes.take(panel_floats);
  sizes.take(blocks * SLOTS);
  Pieces pieces(workspace(sizes.used() + parts * part_floats));
  Weights weights{pieces.take(panel_floats), pieces.take(blocks * SLOTS)};
  float* slices = pieces.take(parts * part_floats);
  if (direct) weights.panels = nullptr;

  const int64_t packers = panel_floats < 100000 ? 1 : smaller(threads.run ? threads.count : 1, blocks);
  in_parallel(threads, packers, [&](int64_t part) {
    for (int64_t b = first_of_part(blocks, part, packers); b < first_of_part(blocks, part + 1, packers); b++) {
      pack_bias(p, p.bias, p.bias_hh, b, weights.bias + b * SLOTS);
      if (direct) continue;
      float* panel = weights.panels + b * depth * SLOTS;
      pack_block(p, p.w_ih, p.input, b, panel);
      pack_block(p, p.w_hh, p.hidden, b, panel + p.input * SLOTS);
    }
  });
  in_parallel(threads, parts, [&](int64_t part) {
    for_slices(p.batch, part, parts, [&](int64_t first, int64_t count) {
      Slice<plain, keep>(p, weights, Pieces(slices + part * part_floats), first, count).run();
    });
  });
}

}  // namespace

void forward(const Forward& p, const Threads& threads) {
  const bool keep = p.gates_out != nullptr;
  if (p.plain()) {
    keep ? run<true, true>(p, threads) : run<true, false>(p, threads);
  } else {
    keep ? run<false, true>(p, threads) : run<false, false>(p, threads);
  }
}

}  // namespace gatecast::GATECAST_ISA
