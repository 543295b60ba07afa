// Forward pass. For each slice of the batch and each step: per block of hidden units, the gates [x_t | h] @ W + b into
// a buffer in L1 (gemm.h), then activations, cell update and every option for the rows of the slice (cell.h).
//
// With few rows in a slice, the shares of x are computed before, for several steps at once: so many rows share what is
// read of w_ih.
//
// Layer normalisation and projection need all units of a row at once. Normalised gates are computed for all blocks, the
// shares of x and h by themselves, before the first cell; a normalised cell or a projection lets h wait for the last.
//
// Fewer rows than threads: a crew of threads (crew.h) shares a slice, each with hidden units of its own.
#include "cell.h"
#include "thread_group.h"
#include "direct.h"
#include "gates.h"
#include "gemm.h"
#include "norm.h"
#include "slices.h"
#include "steps.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {
namespace {

constexpr int64_t STREAM_FLOATS = 2 << 20;

// One slice: rows first .. first + rows of the batch, all steps.
template <bool plain, bool keep>
class Slice {
 public:
  Slice(const Forward& p, const Plan& plan, const ForwardWeights& weights, Arena arena, int64_t first, int64_t rows,
        GroupThread thread)
      : p_(p),
        plan_(plan),
        weights_(weights),
        buffers_(arena, p, plan, rows, thread),
        thread_(thread),
        begin_(part_begin(blocks_of(p.hidden), thread.rank, thread.size)),
        end_(part_begin(blocks_of(p.hidden), thread.rank + 1, thread.size)),
        masks_(p.steps.at || p.recurrent.at || p.zone_h.at || p.zone_c.at),
        streamed_(keep && aligned(p.gates_out) && p.time * blocks_of(p.hidden) * p.batch * BLOCK_GATES >= STREAM_FLOATS),
        first_(first),
        rows_(rows) {}

  void run() {
    const Tiles tiles;
    start();
    thread_.barrier(0);
    for (int64_t step = 0; step < p_.time; step++) {
      if constexpr (BF16_TILES) round_operands(step);
      if (buffers_.x_steps && step % buffers_.x_steps == 0) precompute_x(step, min(step + buffers_.x_steps, p_.time));
      for (int64_t begin = begin_; begin < end_; begin += buffers_.blocks_at_once) {
        const int64_t end = min(end_, begin + buffers_.blocks_at_once);
        for (int64_t k = begin; k < end; k++) gates(step, k, gates_at(k - begin));
        if (!plain && p_.normed()) normalise(step);
        for (int64_t k = begin; k < end; k++) cells(step, block_at(step, k), gates_at(k - begin));
      }
      if (!plain && p_.deferred_h()) outputs(step);
      thread_.barrier(step + 1);
    }
    if (streamed_) end_stream();
    finish();
  }

 private:
  const Forward& p_;
  const Plan plan_;
  const ForwardWeights weights_;
  ForwardBuffers buffers_;
  const GroupThread thread_;
  const int64_t begin_, end_;  // blocks of this member
  const bool masks_;
  const bool streamed_;  // the gates are too many to find them in the caches when the gradient reads them
  const int64_t first_, rows_;

  // To and fro: what was read last is still in the cache.
  int64_t block_at(int64_t step, int64_t k) const {
    return step % 2 && (plain || !p_.normed()) ? begin_ + end_ - 1 - k : k;
  }
  float* gates_at(int64_t k) const { return buffers_.gates + k * buffers_.gate_rows * BLOCK_GATES; }
  float* operand(int64_t step) const { return buffers_.operand[step % 2]; }
  float* state(int64_t step) const { return buffers_.state ? buffers_.state : operand(step); }
  Vec initial(const float* from, int64_t row, int64_t unit, int64_t width) const {
    return from ? load(from + (first_ + row) * width + unit, width - unit) : Vec{};
  }

  // Units of c and h that this member begins and ends with: where h is projected, it is alone and has all.
  int64_t first_unit() const { return begin_ * LANES; }
  int64_t end_unit() const { return min(p_.hidden, end_ * LANES); }
  int64_t end_output() const { return thread_.size == 1 ? p_.output : end_unit(); }

  void start() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = first_unit(); unit < end_unit(); unit += LANES) {
        store(buffers_.cell + row * buffers_.row + unit, initial(p_.c0, row, unit, p_.hidden));
      }
      for (int64_t unit = first_unit(); unit < end_output(); unit += LANES) {
        const int64_t at = row * buffers_.row + unit;
        const Vec h = initial(p_.h0, row, unit, p_.output);
        store(state(0) + at, h);
        if (p_.recurrent.at && p_.time) store(operand(0) + at, h * recurrent(0, row, unit));
      }
    }
  }

  void finish() {
    for (int64_t row = 0; row < rows_; row++) {
      const int64_t at = row * buffers_.row;
      for (int64_t unit = first_unit(); unit < end_output(); unit += LANES) {
        store(p_.h + (first_ + row) * p_.output + unit, load(state(p_.time) + at + unit), p_.output - unit);
      }
      for (int64_t unit = first_unit(); unit < end_unit(); unit += LANES) {
        store(p_.c + (first_ + row) * p_.hidden + unit, load(buffers_.cell + at + unit), p_.hidden - unit);
      }
    }
  }

  Vec recurrent(int64_t step, int64_t row, int64_t unit) const {
    return mask_values(p_.recurrent, p_.time_of(step), first_ + row, unit, p_.output - unit);
  }

  const float* panel(int64_t step, int64_t k) const { return weights_.panel(block_at(step, k)); }

  // Shares of x and the bias, of the steps begin .. end.
  void precompute_x(int64_t begin, int64_t end) {
    float* to = buffers_.input;
    for (int64_t step = begin; step < end; step++) {
      const float* x = x_of(step);
      for (int64_t row = 0; row < rows_; row++, x += p_.x_batch, to += p_.input) {
        copy(to, x, p_.input);
      }
    }
    for (int64_t block = begin_; block < end_; block++) {
      GateProduct work{};
      work.init = weights_.bias + block * BLOCK_GATES;
      work.x = work.h = buffers_.input;
      work.x_row = work.x_count = p_.input;
      work.panel = weights_.panel(block);
      work.to = gates_x(block, 0);
      gate_product(work, (end - begin) * rows_, nullptr);
    }
  }

  float* gates_x(int64_t block, int64_t step) const {
    return buffers_.gates_x + (block * buffers_.x_steps + step % buffers_.x_steps) * rows_ * BLOCK_GATES;
  }

  const float* x_of(int64_t step) const { return p_.x + p_.time_of(step) * p_.x_time + first_ * p_.x_batch; }

  void gates(int64_t step, int64_t k, float* to) {
    const int64_t block = block_at(step, k);
    if constexpr (BF16_TILES) return bf16_gates(block, to);
    if (!plan_.packed_h) return direct_gates(step, block, to);
    const int64_t blocks = blocks_of(p_.hidden);
    const bool prefetch = prefetch_pays(blocks * (weights_.x_floats + weights_.h_floats), rows_);
    const float* next = prefetch && k + 1 < end_ ? panel(step, k + 1) : nullptr;
    GateProduct work;
    work.init = weights_.bias + block * BLOCK_GATES;
    work.init_row = 0;
    work.x = x_of(step);
    work.x_row = p_.x_batch;
    work.x_count = p_.input;
    work.h = operand(step);
    work.h_row = buffers_.row;
    work.h_count = step || p_.h0 ? p_.output : 0;
    work.panel = panel(step, k);
    work.to = to;
    if (buffers_.x_steps) {
      work.init = gates_x(block, step);
      work.init_row = BLOCK_GATES;
      work.x_count = 0;
      work.panel += weights_.x_floats;
    }
    if (plain || !p_.normed()) return gate_product(work, rows_, next);
    GateProduct of_h = work;  // of h, and then of x, both without the bias
    work.init = of_h.init = weights_.bias + blocks * BLOCK_GATES;
    work.h_count = of_h.x_count = 0;
    of_h.panel += p_.input * BLOCK_GATES;
    of_h.to = buffers_.gates_h + k * buffers_.gate_rows * BLOCK_GATES;
    gate_product(work, rows_, nullptr);
    gate_product(of_h, rows_, next);
  }

  void round_operands(int64_t step) {
    const Bf16Gates shape(p_);
    const float *x = x_of(step), *h = operand(step);
    for (int64_t row = 0; row < rows_; row++, x += p_.x_batch, h += buffers_.row) {
      shape.round(buffers_.xh + row * shape.row, p_, x, h);
    }
  }

  void bf16_gates(int64_t block, float* to) const {
    const Bf16Gates shape(p_);
    Bf16Product work = shape.product(buffers_.xh, as_bf16(weights_.panel(block)), to);
    work.init = weights_.bias + block * BLOCK_GATES;
    if (plain || !p_.normed()) return work.run(rows_, BLOCK_PANELS);
    work.init = weights_.bias + blocks_of(p_.hidden) * BLOCK_GATES;  // both shares without the bias
    work.depth = shape.x;
    work.run(rows_, BLOCK_PANELS);
    work.from += shape.x;
    work.panel += shape.x * PANEL_COLUMNS;
    work.depth = shape.h;
    work.to = buffers_.gates_h + block * buffers_.gate_rows * BLOCK_GATES;
    work.run(rows_, BLOCK_PANELS);
  }

  void direct_gates(int64_t step, int64_t block, float* to) const {
    const int64_t unit = block * LANES, units = min(LANES, p_.hidden - unit);
    const float* init = buffers_.x_steps ? gates_x(block, step) : weights_.bias + block * BLOCK_GATES;
    for (int64_t slot = 0; slot < 4; slot++) {
      const int64_t first = first_row(p_, slot) + unit;
      for (int64_t row = 0; row < rows_; row++) {
        RowSums sums;
        sums.across = load(init + (buffers_.x_steps ? row * BLOCK_GATES : 0) + slot * LANES);
        if (first_row(p_, slot) >= 0) {
          if (!buffers_.x_steps) sums.add(p_.w_ih + first * p_.input, p_.input, units, x_of(step) + row * p_.x_batch);
          const float* h = operand(step) + row * buffers_.row;
          if (step || p_.h0) sums.add(p_.w_hh + first * p_.output, p_.output, units, h);
        }
        store(to + row * BLOCK_GATES + slot * LANES, sums.total());
      }
    }
  }

  // The gates from the shares of x and h: each normalised, times its gain, and the bias.
  void normalise(int64_t step) {
    const int64_t blocks = blocks_of(p_.hidden), count = p_.gates() * p_.hidden, stride = buffers_.gate_rows * BLOCK_GATES;
    const int64_t t = p_.time_of(step), kept = p_.time * blocks * p_.batch * BLOCK_GATES;
    const Gains& gains = weights_.gains;
    for (int64_t row = 0; row < rows_; row++) {
      float *x = buffers_.gates + row * BLOCK_GATES, *h = buffers_.gates_h + row * BLOCK_GATES;
      const Moments of_x = p_.norm_x ? moments<4>(x, stride, blocks, gains.mask, count) : Moments{};
      const Moments of_h = p_.norm_h ? moments<4>(h, stride, blocks, gains.mask, count) : Moments{};
      for (int64_t block = 0; block < blocks; block++, x += stride, h += stride) {
        float* norms = keep ? p_.norms + ((t * blocks + block) * p_.batch + first_ + row) * BLOCK_GATES : nullptr;
        UNROLL for (int64_t k = 0; k < BLOCK_GATES; k += LANES) {
          const int64_t at = block * BLOCK_GATES + k;
          const Vec x_hat = (load(x + k) - of_x.mean) * of_x.scale, h_hat = (load(h + k) - of_h.mean) * of_h.scale;
          store(x + k, x_hat * load(gains.x + at) + h_hat * load(gains.h + at) + load(weights_.bias + at));
          if constexpr (keep) {
            store(norms + k, x_hat);
            store(norms + kept + k, h_hat);
          }
        }
      }
      if constexpr (keep) {
        float* scales = p_.moments + (t * p_.batch + first_ + row) * 4;
        scales[0] = of_x.scale;
        scales[1] = of_h.scale;
      }
    }
  }

  void cells(int64_t step, int64_t block, const float* gates) {
    keep && streamed_ ? rows_of<keep>(step, block, gates) : rows_of<false>(step, block, gates);
  }

  template <bool streamed>
  void rows_of(int64_t step, int64_t block, const float* gates) {
    int64_t row = 0;
    for (; row + ROWS <= rows_; row += ROWS) cells_of<ROWS, streamed>(step, block, row, gates);
    for (; row < rows_; row++) cells_of<1, streamed>(step, block, row, gates);
  }

  template <int N, bool streamed>
  void cells_of(int64_t step, int64_t block, int64_t row, const float* gates) {
    const int64_t t = p_.time_of(step), unit = block * LANES, count = p_.hidden - unit;
    const int64_t at = row * buffers_.row + unit;
    const Peephole peephole = plain ? Peephole{} : load_peephole(p_, unit, count);
    Gates<N> values;
    Vec before[N], c[N], h[N];
    load_gates(values, gates + row * BLOCK_GATES);
    EACH before[n] = load(buffers_.cell + at + n * buffers_.row);
    cell_forward<plain>(p_.options, peephole, values, before, c, h);
    if constexpr (keep) {
      float* kept = p_.gates_out + ((t * blocks_of(p_.hidden) + block) * p_.batch + first_ + row) * BLOCK_GATES;
      streamed ? stream_gates(kept, values) : store_gates(kept, values);
    }
    if constexpr (plain) return store_plain<N>(step, row, unit, c, h);
    EACH {
      const int64_t here = at + n * buffers_.row;
      if (p_.norm_c) store(buffers_.new_c + here, c[n]);
      c[n] = masked_cell(t, row + n, unit, before[n], c[n]);
      store(buffers_.cell + here, c[n]);
      if (p_.cells) store(p_.cells + (t * p_.batch + first_ + row + n) * p_.hidden + unit, c[n], count);
      if (p_.deferred_h()) {
        store(buffers_.deferred + here, h[n]);
      } else {
        put_state(step, row + n, unit, h[n]);
      }
    }
  }

  // Where all goes without options. Pointers come first: after a store the compiler would load their parts again.
  template <int N>
  INLINE void store_plain(int64_t step, int64_t row, int64_t unit, const Vec (&c)[N], const Vec (&h)[N]) {
    const int64_t t = p_.time_of(step), at = row * buffers_.row + unit, count = p_.hidden - unit;
    const int64_t stride = buffers_.row, hidden = p_.hidden, y_row = p_.y_batch;
    float *cell = buffers_.cell + at, *next = operand(step + 1) + at;
    float* y = p_.y + t * p_.y_time + (first_ + row) * y_row + unit;
    float* cells = p_.cells ? p_.cells + (t * p_.batch + first_ + row) * hidden + unit : nullptr;
    EACH {
      store(cell + n * stride, c[n]);
      store(next + n * stride, h[n]);
      store(y + n * y_row, h[n], count);
      if (cells) store(cells + n * hidden, c[n], count);
    }
  }

  // h of a step whose cells are all there.
  void outputs(int64_t step) {
    const float* h = buffers_.deferred;
    if (p_.norm_c) {
      int64_t row = 0;
      for (; row + ROWS <= rows_; row += ROWS) squash<ROWS>(step, row);
      for (; row < rows_; row++) squash<1>(step, row);
    }
    if (p_.w_proj) {
      const RowProduct work{h, buffers_.row, p_.hidden, weights_.projection, buffers_.projected, buffers_.row};
      row_product(work, rows_, blocks_of(p_.output));
      h = buffers_.projected;
    }
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.output; unit += LANES) {
        put_state(step, row, unit, load(h + row * buffers_.row + unit));
      }
    }
  }

  // o times the normalised cell, squashed.
  template <int N>
  void squash(int64_t step, int64_t row) {
    const int64_t blocks = blocks_of(p_.hidden);
    Moments of_c[N];
    EACH {
      const float* mask = weights_.gains.mask + 3 * LANES;
      of_c[n] = moments<1>(buffers_.new_c + (row + n) * buffers_.row, LANES, blocks, mask, p_.hidden);
      if (p_.moments) {
        float* kept = p_.moments + (p_.time_of(step) * p_.batch + first_ + row + n) * 4;
        kept[2] = of_c[n].mean;
        kept[3] = of_c[n].scale;
      }
    }
    for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
      const Vec gain = load(p_.norm_c + unit, p_.hidden - unit);
      const Vec bias = load(p_.norm_c + p_.hidden + unit, p_.hidden - unit);
      const int64_t at = row * buffers_.row + unit;
      Vec c[N];
      EACH c[n] = (load(buffers_.new_c + at + n * buffers_.row) - of_c[n].mean) * of_c[n].scale * gain + bias;
      activate(p_.options.activation, c);
      EACH {
        float* deferred = buffers_.deferred + at + n * buffers_.row;
        store(deferred, load(deferred) * c[n]);
      }
    }
  }

  // Zoneout and masked steps: a choice for masks, not a product, so that NaN of a padded step stays where it is.
  Vec masked_cell(int64_t t, int64_t row, int64_t unit, Vec before, Vec c) const {
    if (!masks_) return c;
    if (p_.zone_c.at) {
      const Vec zone = mask_values(p_.zone_c, t, first_ + row, unit, p_.hidden - unit);
      c = fused(before, zone, c * (1.0f - zone));
    }
    return masked(p_.steps, t, first_ + row) ? before : c;
  }

  // h of a step to where the next step, the caller and the gradient find it.
  INLINE void put_state(int64_t step, int64_t row, int64_t unit, Vec h) {
    const int64_t t = p_.time_of(step), at = row * buffers_.row + unit, count = p_.output - unit;
    Vec y = h;
    if (!plain && masks_) {
      const Vec before = load(state(step) + at);
      if (p_.zone_h.at) {
        const Vec zone = mask_values(p_.zone_h, t, first_ + row, unit, count);
        y = h = fused(before, zone, h * (1.0f - zone));
      }
      if (masked(p_.steps, t, first_ + row)) {
        h = before;
        y = p_.options.zero_output ? Vec{} : h;
      }
      store(state(step + 1) + at, h);
      if (p_.states) store(p_.states + (t * p_.batch + first_ + row) * p_.output + unit, h, count);
      if (p_.recurrent.at && step + 1 < p_.time) h *= recurrent(step + 1, row, unit);
    }
    store(operand(step + 1) + at, h);
    store(p_.y + t * p_.y_time + (first_ + row) * p_.y_batch + unit, y, count);
  }
};

int64_t slice_floats(const Forward& p, const Plan& plan, int64_t rows, int64_t members) {
  Arena arena(nullptr);
  ForwardBuffers(arena, p, plan, rows, GroupThread{nullptr, 0, members});
  return arena.used();
}

Backoff backoff;

template <bool plain, bool keep>
void run(const Forward& p, const Threads& threads) {
  const int64_t blocks = blocks_of(p.hidden);
  Partition partition = partition_of(p, threads, 1);
  const Plan plan(p, min(SLICE_ROWS, ceil_div(p.batch, partition.parts)));
  if (partition.group_size > 1 && backoff.active()) {
    partition = {max(1, min(threads.count, p.batch / 2)), 1};  // the same bits: only a row alone would have others
  }
  const int64_t parts = partition.parts, rows = min(SLICE_ROWS, ceil_div(p.batch, parts));
  const auto floats = [&](int64_t count) { return slice_floats(p, plan, count, partition.group_size); };
  const int64_t part_floats = most_floats(rows, floats);
  Arena sizes(nullptr);
  ForwardWeights(sizes, p, plan);
  sizes.take(parts * GROUP_FLOATS + parts * part_floats);
  Arena arena(workspace(sizes.used()));
  const ForwardWeights weights(arena, p, plan);
  ThreadGroup* groups = reinterpret_cast<ThreadGroup*>(arena.take(parts * GROUP_FLOATS));
  float* slices = arena.take(parts * part_floats);

  const bool alone = !plan.packed_h || Plan::weight_floats(p) < 100000;
  const int64_t packers = alone ? 1 : min(threads.run ? threads.count : 1, blocks);
  parallel_for(threads, packers, [&](int64_t part) {
    for (int64_t b = part_begin(blocks, part, packers); b < part_begin(blocks, part + 1, packers); b++) {
      weights.pack(p, b);
    }
  });
  weights.pack_rest(p);
  in_groups(p, threads, partition, groups, backoff, [&](int64_t part, const GroupThread& thread) {
    for_slices(p.batch, part, parts, [&](int64_t first, int64_t count) {
      Slice<plain, keep>(p, plan, weights, Arena(slices + part * part_floats), first, count, thread).run();
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
