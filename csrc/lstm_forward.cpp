// Forward pass of one LSTM layer.
//
// For each slice of the batch and each step, block by block of hidden units: the gates [x | h] @ W + bias into a buffer
// that stays in L1 (forward_products.h), then activations, cell update and all options for the rows of the slice
// (cell.h).
//
// With few rows in a slice, the terms of x are computed for several steps at once, so that more rows share what is read
// of w_ih. With fewer rows than that per thread, a group of threads shares a slice (thread_group.h).
//
// Layer normalisation and projection need all units of a row. Normalised gates are computed for all blocks before the
// first cell, with the terms of x and h apart. A normalised cell or a projection defers h until all cells are computed.
#include <vector>

#include "cell.h"
#include "forward_buffers.h"
#include "forward_products.h"
#include "norm.h"
#include "slices.h"
#include "thread_group.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {
namespace {

constexpr int64_t STREAM_FLOATS = 2 << 20;  // 8 MB: kept gates of more floats are stored past the caches

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
        products_{p, plan_, weights_, buffers_, first, rows, begin_, end_},
        masks_(p.steps.at || p.recurrent.at || p.zone_h.at || p.zone_c.at),
        streamed_(keep && aligned(p.gates_out) &&
                  p.time * blocks_of(p.hidden) * p.batch * BLOCK_GATES >= STREAM_FLOATS),
        first_(first),
        rows_(rows) {}

  void run() {
    const Tiles tiles;
    load_initial_state();
    thread_.barrier(0);
    for (int64_t step = 0; step < p_.time; step++) {
      const int64_t x_steps = buffers_.x_steps;
      if constexpr (BF16_TILES) products_.round_operands(step);
      if (x_steps && step % x_steps == 0) products_.precompute_x(step, min(step + x_steps, p_.time));
      for (int64_t begin = begin_; begin < end_; begin += buffers_.blocks_at_once) {
        blocks(step, begin, min(end_, begin + buffers_.blocks_at_once));
      }
      if (!plain && p_.deferred_h()) deferred_h(step);
      thread_.barrier(step + 1);
    }
    if (streamed_) end_stream();
    store_final_state();
  }

 private:
  const Forward& p_;
  const Plan plan_;
  const ForwardWeights weights_;
  const ForwardBuffers buffers_;
  const GroupThread thread_;
  const int64_t begin_, end_;  // blocks of this thread
  const GateProducts products_;
  const bool masks_;
  const bool streamed_;  // the caches are too small to keep the gates until the backward pass reads them
  const int64_t first_, rows_;

  // Gates and cells of the blocks number begin .. end of the step.
  void blocks(int64_t step, int64_t begin, int64_t end) {
    for (int64_t k = begin; k < end; k++) {
      const int64_t next = k + 1 < end_ ? block_at(step, k + 1) : -1;
      products_.template gates<plain>(step, block_at(step, k), next, k - begin);
    }
    if (!plain && p_.normed()) normalise(step);
    for (int64_t k = begin; k < end; k++) cells(step, block_at(step, k), products_.gates_at(k - begin));
  }

  // Block number k of a step: back and forth, because what was read last is still in the cache.
  int64_t block_at(int64_t step, int64_t k) const {
    return step % 2 && (plain || !p_.normed()) ? begin_ + end_ - 1 - k : k;
  }
  float* operand(int64_t step) const { return products_.operand(step); }
  float* state(int64_t step) const { return buffers_.state ? buffers_.state : operand(step); }
  Vec initial(const float* from, int64_t row, int64_t unit, int64_t width) const {
    return from ? load(from + (first_ + row) * width + unit, width - unit) : Vec{};
  }

  // The units of c and of h of this thread. Where h is projected the thread has no group, and all units are its own.
  int64_t first_unit() const { return begin_ * LANES; }
  int64_t end_unit() const { return min(p_.hidden, end_ * LANES); }
  int64_t end_output() const { return thread_.size == 1 ? p_.output : end_unit(); }

  void load_initial_state() {
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

  void store_final_state() {
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

  // The gates: the terms of x and h, each normalised and multiplied by its gain, plus the bias.
  void normalise(int64_t step) {
    const int64_t blocks = blocks_of(p_.hidden), count = p_.gates() * p_.hidden;
    const int64_t stride = buffers_.gate_rows * BLOCK_GATES;
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

  // The results of a step without options. Pointers are computed first: after a store the compiler would have to load
  // again what they are made of.
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

  // h of a step, after the cells of all units.
  void deferred_h(int64_t step) {
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

  // o times the activation of the normalised cell.
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

  // c after zoneout and mask. A masked step is selected, not multiplied by 0, so that NaN in padding does not spread.
  Vec masked_cell(int64_t t, int64_t row, int64_t unit, Vec before, Vec c) const {
    if (!masks_) return c;
    if (p_.zone_c.at) {
      const Vec zone = mask_values(p_.zone_c, t, first_ + row, unit, p_.hidden - unit);
      c = fused(before, zone, c * (1.0f - zone));
    }
    return masked(p_.steps, t, first_ + row) ? before : c;
  }

  // Stores h of a step where the next step, the caller and the backward pass read it.
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

Backoff backoff;

// How the threads share the batch, and how the gates are computed.
struct Schedule {
  Partition partition;
  Plan plan;
  int64_t rows;  // of the largest slice
};

Schedule schedule(const Forward& p, const Threads& threads) {
  Partition partition = partition_of(p, threads, 1);
  const Plan plan(p, min(SLICE_ROWS, ceil_div(p.batch, partition.parts)));
  if (partition.group_size > 1 && backoff.active()) {
    partition = {max(1, min(threads.count, p.batch / 2)), 1};  // the same bits: only a row alone would have others
  }
  return {partition, plan, min(SLICE_ROWS, ceil_div(p.batch, partition.parts))};
}

// Floats of the buffers of one part of the batch.
int64_t buffer_floats(const Forward& p, const Schedule& schedule) {
  return most_floats(schedule.rows, [&](int64_t rows) {
    Arena sizes(nullptr);
    ForwardBuffers(sizes, p, schedule.plan, rows, GroupThread{nullptr, 0, schedule.partition.group_size});
    return sizes.used();
  });
}

void pack(const Forward& p, const Plan& plan, const ForwardWeights& weights, const Threads& threads) {
  const int64_t blocks = blocks_of(p.hidden);
  const bool alone = !plan.packed_h || Plan::weight_floats(p) < 100000;
  const int64_t packers = alone ? 1 : min(threads.run ? threads.count : 1, blocks);
  parallel_for(threads, packers, [&](int64_t part) {
    const int64_t end = part_begin(blocks, part + 1, packers);
    for (int64_t block = part_begin(blocks, part, packers); block < end; block++) weights.pack(p, block);
  });
  weights.pack_rest(p);
}

template <bool plain, bool keep>
void run(const Forward& p, const Threads& threads) {
  const Schedule found = schedule(p, threads);
  const int64_t parts = found.partition.parts, part_floats = buffer_floats(p, found);
  Arena sizes(nullptr);
  ForwardWeights(sizes, p, found.plan);
  sizes.take(parts * GROUP_FLOATS + parts * part_floats);
  Arena arena(workspace(sizes.used()));
  const ForwardWeights weights(arena, p, found.plan);
  ThreadGroup* groups = reinterpret_cast<ThreadGroup*>(arena.take(parts * GROUP_FLOATS));
  float* buffers = arena.take(parts * part_floats);
  pack(p, found.plan, weights, threads);
  in_groups(p, threads, found.partition, groups, backoff, [&](int64_t part, const GroupThread& thread) {
    for_slices(p.batch, part, parts, [&](int64_t first, int64_t rows) {
      const Arena own(buffers + part * part_floats);
      Slice<plain, keep>(p, found.plan, weights, own, first, rows, thread).run();
    });
  });
}

}  // namespace

namespace {

// Whether all weights are finite: 0 times another is NaN, and NaN stays in a sum.
bool finite(const float* weights, int64_t count) {
  Vec sums[4] = {};
  int64_t k = 0;
  for (; k + 4 * LANES <= count; k += 4 * LANES) {
    for (int64_t lane = 0; lane < 4; lane++) sums[lane] += load(weights + k + lane * LANES) * 0.0f;
  }
  for (; k < count; k += LANES) sums[0] += load(weights + k, count - k) * 0.0f;
  const Vec all = sums[0] + sums[1] + sums[2] + sums[3];
  float total = 0;
  for (int64_t lane = 0; lane < LANES; lane++) total += all[lane];
  return total == 0.0f;
}

}  // namespace

void forward(const Forward& p, const Threads& threads) {
  if (!p.h0 && !finite(p.w_hh, p.gates() * p.hidden * p.output)) {  // the product with a state of zeros is not zero
    const std::vector<float> zeros(p.batch * p.output);
    Forward with_state = p;
    with_state.h0 = zeros.data();
    forward(with_state, threads);
    return;
  }
  const bool keep = p.gates_out != nullptr;
  if (p.plain()) {
    keep ? run<true, true>(p, threads) : run<true, false>(p, threads);
  } else {
    keep ? run<false, true>(p, threads) : run<false, false>(p, threads);
  }
}

}  // namespace gatecast::GATECAST_ISA
