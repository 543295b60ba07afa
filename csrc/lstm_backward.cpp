// Backward pass of one LSTM layer.
//
// For each slice of the batch, steps from the last to the first, in chunks of about CHUNK rows (a row and a step is one
// row of the chunk):
//
//   per step    gradients dgates of the gates (cell.h), [block][row of the chunk][BLOCK_GATES], which stay in L2;
//               gradient of h before the step: dgates @ w_hh
//   per chunk   gradients of the weights += [x | h before the step | 1]^T @ dgates; gradient of x: dgates @ w_ih
//
// Layer normalisation and projection need sums over all units of a row, which are computed between the loops over the
// blocks. With normalisation the terms of x and h have separate gradients: `gates` holds that of h, `gates_x` that of
// x.
//
// Each part of the batch has separate sums of the weight gradients. They are added in a fixed order at the end, so that
// a result depends on the number of threads and on nothing else.
//
// With few rows per thread, a group of threads shares a slice (thread_group.h). Each thread computes the gradients of
// the gates, of the state and of the weights for some of the hidden units. What belongs to whole rows, the operands and
// the gradient of x, is divided by steps of the chunk. The bf16 path does not use thread groups.
#include "backward_buffers.h"
#include "backward_products.h"
#include "cell.h"
#include "gemm.h"
#include "norm.h"
#include "slices.h"
#include "thread_group.h"
#include "weight_sums.h"
#include "workspace.h"

namespace gatecast::GATECAST_ISA {
namespace {

template <bool plain>
class Slice {
 public:
  Slice(const Backward& p, const Weights& weights, const Sums& sums, Arena arena, int64_t first, int64_t rows,
        GroupThread thread = {})
      : p_(p),
        weights_(weights),
        sums_(sums),
        buffers_(arena, p, rows),
        thread_(thread),
        begin_(first_block(p, thread.rank, thread.size)),
        end_(first_block(p, thread.rank + 1, thread.size)),
        products_{{p, weights, sums, buffers_, first, rows, begin_, end_}},
        masks_(p.steps.at || p.recurrent.at || p.zone_h.at || p.zone_c.at),
        first_(first),
        rows_(rows) {}

  // `add`: add to the sums of an earlier slice instead of overwriting them.
  void run(bool add) {
    const Tiles tiles;
    load_final_gradients();
    for (int64_t end = p_.time; end > 0; end -= buffers_.steps) {
      const int64_t begin = max(0, end - buffers_.steps);
      const int64_t own = own_step(begin, end, 0), own_end = own_step(begin, end, 1), own_row = (own - begin) * rows_;
      products_.gather_operands(own, own_end, own_row);
      if (p_.recompute()) {
        barrier();  // until all operands are there
        recompute_gates(begin, end);
      }
      for (int64_t step = end - 1; step >= begin; step--) {
        const int64_t row = (step - begin) * rows_;
        if (!plain && p_.deferred_h()) deferred_h_backward(step, row);
        cells(step, row);
        if (!plain && p_.normed()) norm_backward(step, row);
        if constexpr (BF16_TILES) products_.bf16().round_gates(row);
        barrier();  // until the gradients of all gates are there
        if (step > 0 || p_.grad_h0) products_.state_gradient(row);
      }
      products_.weight_gradients(end - begin, add || end < p_.time);
      if (p_.grad_x) products_.input_gradient(own, own_end, own_row);
      barrier();  // until no thread reads this chunk
    }
    store_initial_gradients();
  }

 private:
  const Backward& p_;
  const Weights& weights_;
  const Sums& sums_;
  const Buffers buffers_;
  const GroupThread thread_;
  const int64_t begin_, end_;  // blocks of this thread
  const ChunkProducts products_;
  const bool masks_;  // without masks no gradient goes around a step
  const int64_t first_, rows_;
  int64_t round_ = 0;

  void barrier() { thread_.barrier(round_++); }

  // The blocks of a thread are whole panels of w_hh.
  static int64_t first_block(const Backward& p, int64_t rank, int64_t size) {
    const int64_t blocks = blocks_of(p.hidden);
    return min(blocks, part_begin(ceil_div(blocks, PANEL_VECTORS), rank, size) * PANEL_VECTORS);
  }

  // The first step of this thread, or of the next thread. Steps are divided in pairs: a single row is summed in another
  // order than several rows (gemm.h), and a group must give the same bits as one thread.
  int64_t own_step(int64_t begin, int64_t end, int64_t next) const {
    if (thread_.rank + next == thread_.size) return end;
    return begin + 2 * part_begin((end - begin) / 2, thread_.rank + next, thread_.size);
  }

  // The units of c and of h of this thread. Where h is projected the thread has no group, and all units are its own.
  int64_t first_unit() const { return begin_ * LANES; }
  int64_t end_unit() const { return min(p_.hidden, end_ * LANES); }
  int64_t end_output() const { return thread_.size == 1 ? p_.output : end_unit(); }

  static Vec given(const float* from, int64_t at, int64_t count) { return from ? load(from + at, count) : Vec{}; }

  void load_final_gradients() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = first_unit(); unit < end_output(); unit += LANES) {
        const Vec grad_h = given(p_.grad_h, (first_ + row) * p_.output + unit, p_.output - unit);
        store(buffers_.grad_h + row * buffers_.width + unit, masks_ ? Vec{} : grad_h);
        store(buffers_.bypass_h + row * buffers_.width + unit, grad_h);
      }
      for (int64_t unit = first_unit(); unit < end_unit(); unit += LANES) {
        const Vec grad_c = given(p_.grad_c, (first_ + row) * p_.hidden + unit, p_.hidden - unit);
        store(buffers_.grad_c + row * buffers_.units + unit, grad_c);
      }
    }
    if constexpr (BF16_TILES) fill_zero(buffers_.bf16.zeros, buffers_.bf16.zero_floats);
    if (p_.w_proj) fill_zero(buffers_.unprojected, wide_blocks(p_) * buffers_.block);
  }

  void store_initial_gradients() {
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = first_unit(); p_.grad_h0 && unit < end_output(); unit += LANES) {
        store(p_.grad_h0 + (first_ + row) * p_.output + unit, grad_h_before(0, row, unit), p_.output - unit);
      }
      for (int64_t unit = first_unit(); p_.grad_c0 && unit < end_unit(); unit += LANES) {
        const Vec grad_c = load(buffers_.grad_c + row * buffers_.units + unit);
        store(p_.grad_c0 + (first_ + row) * p_.hidden + unit, grad_c, p_.hidden - unit);
      }
    }
  }

  // The gradient of h before `step`, from `step` and all later ones.
  Vec grad_h_before(int64_t step, int64_t row, int64_t unit) const {
    const int64_t at = row * buffers_.width + unit;
    Vec grad = load(buffers_.grad_h + at);
    if constexpr (plain) return grad;
    if (step < p_.time) {
      const float bound = p_.options.gradient_clip;
      if (bound > 0) grad = clamp(grad, broadcast(-bound), broadcast(bound));
      if (masks_ && p_.recurrent.at) {
        grad *= mask_values(p_.recurrent, p_.time_of(step), first_ + row, unit, p_.output - unit);
      }
    }
    return masks_ ? grad + load(buffers_.bypass_h + at) : grad;
  }

  // The gradient of h of a step inside zoneout and masks. What goes around the step is left in bypass_h for the step
  // before.
  Vec grad_h_of(int64_t step, int64_t row, int64_t unit) {
    const int64_t t = p_.time_of(step), count = p_.output - unit;
    const Vec from_y = given(p_.grad_y, t * p_.grad_y_time + (first_ + row) * p_.grad_y_batch + unit, count);
    Vec grad = grad_h_before(step + 1, row, unit), kept = {};
    if (plain || !masks_) return grad + from_y;
    if (masked(p_.steps, t, first_ + row)) {  // the state was copied; the output was 0 or the state
      kept = p_.options.zero_output ? grad : grad + from_y;
      grad = Vec{};
    } else {
      grad += from_y;
      if (p_.zone_h.at) kept = grad * mask_values(p_.zone_h, t, first_ + row, unit, count);
      grad -= kept;
    }
    store(buffers_.bypass_h + row * buffers_.width + unit, kept);
    return grad;
  }

  // The same for c.
  Vec grad_c_of(int64_t t, int64_t row, int64_t unit) {
    const int64_t at = row * buffers_.units + unit, count = p_.hidden - unit;
    Vec grad = load(buffers_.grad_c + at), kept = {};
    if (p_.grad_cells) grad += load(p_.grad_cells + (t * p_.batch + first_ + row) * p_.hidden + unit, count);
    if (plain || !masks_) return grad;
    if (masked(p_.steps, t, first_ + row)) {
      kept = grad;
    } else if (p_.zone_c.at) {
      kept = grad * mask_values(p_.zone_c, t, first_ + row, unit, count);
    }
    store(buffers_.bypass_c + at, kept);
    return grad - kept;
  }

  // c before a step.
  const float* cells_before(int64_t step) const {
    if (step == 0) return p_.c0 ? p_.c0 + first_ * p_.hidden : nullptr;
    return p_.cells + (p_.time_of(step - 1) * p_.batch + first_) * p_.hidden;
  }

  const float* gates_of(int64_t t, int64_t block, int64_t row, int64_t chunk_row) const {
    if (p_.recompute()) return buffers_.recomputed + block * buffers_.block + chunk_row * BLOCK_GATES;
    return p_.gates_in + ((t * blocks_of(p_.hidden) + block) * p_.batch + first_ + row) * BLOCK_GATES;
  }

  // Computes the gates of a chunk again, from x, the states and the cells before.
  void recompute_gates(int64_t begin, int64_t end) const {
    if constexpr (BF16_TILES) products_.bf16().round_operands((end - begin) * rows_);
    for (int64_t block = begin_; block < end_; block++) {
      float* gates = buffers_.recomputed + block * buffers_.block;
      products_.gates(block, (end - begin) * rows_, gates);
      for (int64_t step = begin; step < end; step++) {
        int64_t row = 0;
        for (; row + ROWS <= rows_; row += ROWS, gates += ROWS * BLOCK_GATES) {
          activate_gates<ROWS>(step, block, row, gates);
        }
        for (; row < rows_; row++, gates += BLOCK_GATES) activate_gates<1>(step, block, row, gates);
      }
    }
  }

  template <int N>
  void activate_gates(int64_t step, int64_t block, int64_t row, float* gates) const {
    const int64_t unit = block * LANES, count = p_.hidden - unit;
    const float* cells = cells_before(step);
    const Peephole peephole = plain ? Peephole{} : load_peephole(p_, unit, count);
    Gates<N> values;
    Vec before[N], cell[N], h[N];
    load_gates(values, gates);
    EACH before[n] = given(cells, (row + n) * p_.hidden + unit, count);
    cell_forward<plain>(p_.options, peephole, values, before, cell, h);
    store_gates(gates, values);
  }

  // From the gradients of h of all rows back through the projection and the normalisation of the cell.
  void deferred_h_backward(int64_t step, int64_t chunk_row) {
    float* grads = p_.w_proj ? buffers_.projected + chunk_row * buffers_.projected_row : buffers_.grad_deferred;
    const int64_t stride = p_.w_proj ? buffers_.projected_row : buffers_.units;
    for (int64_t row = 0; row < rows_; row++) {
      for (int64_t unit = 0; unit < p_.output; unit += LANES) {
        store(grads + row * stride + unit, grad_h_of(step, row, unit));
      }
    }
    if (p_.w_proj) {
      const RowProduct work{grads, stride, p_.output, weights_.projection, buffers_.grad_deferred, buffers_.units};
      row_product(work, rows_, blocks_of(p_.hidden));
    }
    for (int64_t row = 0; p_.norm_c && row < rows_; row++) {
      if (!masked(p_.steps, p_.time_of(step), first_ + row)) normed_cell(step, row, chunk_row + row);
    }
  }

  // With y the normalised cell, z = gain * y + bias and squashed = act(z): `through` is the gradient of c through z.
  void normed_cell(int64_t step, int64_t row, int64_t chunk_row) {
    const int64_t t = p_.time_of(step), base = row * buffers_.units;
    const float *kept = p_.moments + (t * p_.batch + first_ + row) * 4, *before = cells_before(step);
    Vec sum = {}, product = {};
    for (int64_t block = 0; block < blocks_of(p_.hidden); block++) {
      const int64_t unit = block * LANES, count = p_.hidden - unit;
      const Vec gain = load(p_.norm_c + unit, count), bias = load(p_.norm_c + p_.hidden + unit, count);
      Gates<1> values;
      load_gates(values, gates_of(t, block, row, chunk_row));
      Vec old[1] = {given(before, row * p_.hidden + unit, count)}, z[1], grad[1], y;
      recompute_cell(p_.options, values, old, z);
      y = (z[0] - kept[2]) * kept[3];
      z[0] = y * gain + bias;
      activate(p_.options.activation, z);
      grad[0] = load(buffers_.grad_deferred + base + unit) * values.o[0];
      times_derivative(p_.options.activation, grad, z);
      add_to(sums_.norm_c + unit, grad[0] * y);
      add_to(sums_.norm_c + buffers_.units + unit, grad[0]);
      grad[0] *= gain;
      sum += grad[0];
      product += grad[0] * y;
      store(buffers_.squashed + base + unit, z[0]);
      store(buffers_.through + base + unit, grad[0]);
      store(buffers_.bypass_c + base + unit, y);
    }
    const float mean = sum_of(sum) / p_.hidden, slope = sum_of(product) / p_.hidden;
    for (int64_t unit = 0; unit < p_.hidden; unit += LANES) {
      float* through = buffers_.through + base + unit;
      store(through, (load(through) - mean - load(buffers_.bypass_c + base + unit) * slope) * kept[3]);
    }
  }

  void cells(int64_t step, int64_t chunk_row) {
    for (int64_t block = begin_; block < end_; block++) {
      int64_t row = 0;
      for (; row + ROWS <= rows_; row += ROWS) cells_of<ROWS>(step, block, row, chunk_row + row);
      for (; row < rows_; row++) cells_of<1>(step, block, row, chunk_row + row);
    }
  }

  template <int N>
  void cells_of(int64_t step, int64_t block, int64_t row, int64_t chunk_row) {
    const int64_t t = p_.time_of(step), unit = block * LANES, count = p_.hidden - unit;
    const int64_t at = row * buffers_.units + unit;
    const float* cells = cells_before(step);
    Gates<N> values, grads;
    Vec before[N], grad_h[N], grad_c[N], cell[N], squashed[N] = {}, through[N] = {};
    load_gates(values, gates_of(t, block, row, chunk_row));
    EACH before[n] = given(cells, (row + n) * p_.hidden + unit, count);
    EACH grad_c[n] = grad_c_of(t, row + n, unit);
    if (!plain && p_.deferred_h()) {
      EACH grad_h[n] = load(buffers_.grad_deferred + at + n * buffers_.units);
    } else {
      EACH grad_h[n] = grad_h_of(step, row + n, unit);
    }
    if (!plain && p_.norm_c) {
      EACH squashed[n] = load(buffers_.squashed + at + n * buffers_.units);
      EACH through[n] = load(buffers_.through + at + n * buffers_.units);
    }
    const Peephole peephole = plain ? Peephole{} : load_peephole(p_, unit, count);
    cell_backward<plain>(p_.options, peephole, values, before, grad_h, grad_c, grads, cell, squashed, through);
    EACH {
      if constexpr (!plain) {
        Vec unprojected = values.o[n] * squashed[n];
        const Vec kept = masks_ ? load(buffers_.bypass_c + at + n * buffers_.units) : Vec{};
        grad_c[n] += kept;
        if (masks_ && masked(p_.steps, t, first_ + row + n)) {  // its values may be NaN
          grads.i[n] = grads.f[n] = grads.g[n] = grads.o[n] = unprojected = Vec{};
          grad_c[n] = kept;
        } else if (p_.grad_peephole) {
          add_to(sums_.peephole + unit, grads.i[n] * before[n]);
          add_to(sums_.peephole + buffers_.units + unit, grads.f[n] * before[n]);
          add_to(sums_.peephole + 2 * buffers_.units + unit, grads.o[n] * cell[n]);
        }
        if (p_.w_proj) {
          float* to = buffers_.unprojected + block / 4 * buffers_.block + (chunk_row + n) * BLOCK_GATES;
          store(to + block % 4 * LANES, unprojected);
        }
      }
      store(buffers_.grad_c + at + n * buffers_.units, grad_c[n]);
    }
    store_gates(buffers_.gates + block * buffers_.block + chunk_row * BLOCK_GATES, grads);
  }

  // From the gradients of the gates to those of the terms of x and h before normalisation.
  void norm_backward(int64_t step, int64_t chunk_row) {
    const int64_t t = p_.time_of(step), blocks = blocks_of(p_.hidden), count = p_.gates() * p_.hidden;
    const Gains& gains = weights_.gains;
    for (int64_t row = 0; row < rows_; row++) {
      float* grads = buffers_.gates + (chunk_row + row) * BLOCK_GATES;
      float* to_x = buffers_.gates_x + (chunk_row + row) * BLOCK_GATES;
      if (masked(p_.steps, t, first_ + row)) {
        for (int64_t block = 0; block < blocks; block++) fill_zero(to_x + block * buffers_.block, BLOCK_GATES);
        continue;
      }
      const float* scales = p_.moments + (t * p_.batch + first_ + row) * 4;
      const float* norms = p_.norms + (t * blocks * p_.batch + first_ + row) * BLOCK_GATES;
      const int64_t stride = p_.batch * BLOCK_GATES;
      NormBackward x{norms, gains.x, stride, scales[0]};
      NormBackward h{norms + p_.time * blocks * stride, gains.h, stride, scales[1]};
      if (p_.norm_x) x.sum_up(grads, buffers_.block, blocks, count, sums_.norm_x);
      if (p_.norm_h) h.sum_up(grads, buffers_.block, blocks, count, sums_.norm_h);
      for (int64_t block = 0; block < blocks; block++) {
        UNROLL for (int64_t slot = 0; slot < 4; slot++) {
          const int64_t at = block * BLOCK_GATES + slot * LANES, here = block * buffers_.block + slot * LANES;
          const Vec grad = load(grads + here), mask = load(gains.mask + at);
          add_to(sums_.bias + at, grad);
          store(to_x + here, x.gradient(grad, block, slot, mask));
          store(grads + here, h.gradient(grad, block, slot, mask));
        }
      }
    }
  }

  static void add_to(float* sum, Vec value) { store(sum, load(sum) + value); }
};

Backoff backoff;

// Floats of the sums and buffers of one part of the batch whose largest slice has `rows` rows.
int64_t part_memory(const Backward& p, int64_t rows) {
  Arena sums(nullptr);
  Sums(sums, p);
  const int64_t buffers = most_floats(rows, [&](int64_t count) {
    Arena slice(nullptr);
    Buffers(slice, p, count);
    return slice.used();
  });
  return sums.used() + buffers;
}

// Adds up the weight gradients of all parts, whose memory lies `part_floats` apart.
void gather(const Backward& p, const Threads& threads, float* memory, int64_t parts, int64_t part_floats) {
  Arena first(memory);
  const Sums sums(first, p);
  const Gather work{p, sums, parts, part_floats};
  const int64_t blocks = blocks_of(p.hidden), floats = sums.depth * sums.slots;
  const int64_t gatherers = floats < 100000 ? 1 : min(threads.run ? threads.count : 1, blocks);
  parallel_for(threads, gatherers, [&](int64_t k) {
    const int64_t end = part_begin(blocks, k + 1, gatherers);
    for (int64_t block = part_begin(blocks, k, gatherers); block < end; block++) work.block(block);
  });
}

template <bool plain>
void run(const Backward& p, const Threads& threads) {
  Partition partition = BF16_TILES ? Partition{part_count(p, threads), 1} : partition_of(p, threads, PANEL_VECTORS);
  if (partition.group_size > 1 && backoff.active()) partition.group_size = 1;  // the same parts give the same bits
  const int64_t parts = partition.parts, part_floats = part_memory(p, min(SLICE_ROWS, ceil_div(p.batch, parts)));
  Arena sizes(nullptr);
  Weights(sizes, p);
  sizes.take(parts * GROUP_FLOATS);
  Arena arena(workspace(sizes.used() + parts * part_floats));
  const Weights weights(arena, p);
  ThreadGroup* groups = reinterpret_cast<ThreadGroup*>(arena.take(parts * GROUP_FLOATS));
  float* memory = arena.take(parts * part_floats);
  weights.pack(p);
  for (int64_t part = 0; part < parts; part++) {
    Arena own(memory + part * part_floats);
    Sums(own, p).start(p.time == 0 || p.batch == 0);
  }
  in_groups(p, threads, partition, groups, backoff, [&](int64_t part, const GroupThread& thread) {
    Arena own(memory + part * part_floats);
    const Sums sums(own, p);
    bool add = false;
    for_slices(p.batch, part, parts, [&](int64_t first, int64_t count) {
      Slice<plain>(p, weights, sums, own, first, count, thread).run(add);
      add = true;
    });
  });
  gather(p, threads, memory, parts, part_floats);
}

}  // namespace

void backward(const Backward& p, const Threads& threads) {
  p.plain() && p.options.gradient_clip == 0 ? run<true>(p, threads) : run<false>(p, threads);
}

}  // namespace gatecast::GATECAST_ISA
