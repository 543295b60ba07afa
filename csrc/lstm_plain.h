// One LSTM layer as plain loops, to be read from top to bottom: what lstm_forward.cpp and lstm_backward.cpp compute,
// without packing, vectors, threads or options. The tests use it as the reference of the fast kernels.
//
// Sizes: T time steps, B sequences in the batch, I input features, H hidden units. Arrays are contiguous, row by row;
// "seek to x[t, b, :]" means the pointer to the I features of sequence b at time t. The four gates of a unit are rows
// u, H + u, 2 H + u and 3 H + u of the weights: i (input), f (forget), g (candidate), o (output), as in PyTorch.
//
// All numbers are double, so that the reference has no visible rounding errors of its own.
#pragma once

#include <cmath>
#include <vector>

inline double sigmoid_plain(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// For every time step and sequence:
//
//   i, f, g, o = w_ih x[t] + w_hh h[t-1] + bias
//   c[t] = sigmoid(f) c[t-1] + sigmoid(i) tanh(g)
//   h[t] = sigmoid(o) tanh(c[t])
//
// Reads  x (T, B, I), w_ih (4H, I), w_hh (4H, H), bias (4H), h0 (B, H), c0 (B, H).
// Writes out (T, B, H): h of every step; cells (T, B, H): c of every step; gates (T, B, 4H): i, f, g, o after their
// activations. The backward pass reads all three.
inline void lstm_forward_plain(
    double* out, double* cells, double* gates,
    const double* x, const double* w_ih, const double* w_hh, const double* bias, const double* h0, const double* c0,
    int T, int B, int I, int H) {
  for (int t = 0; t < T; t++) {
    for (int b = 0; b < B; b++) {
      // seek to x[t, b, :]
      const double* x_tb = x + (t * B + b) * I;
      // the state before this step: h0[b, :] and c0[b, :], or out[t-1, b, :] and cells[t-1, b, :]
      const double* h_prev = t == 0 ? h0 + b * H : out + ((t - 1) * B + b) * H;
      const double* c_prev = t == 0 ? c0 + b * H : cells + ((t - 1) * B + b) * H;
      // seek to out[t, b, :], cells[t, b, :] and gates[t, b, :]
      double* out_tb = out + (t * B + b) * H;
      double* cells_tb = cells + (t * B + b) * H;
      double* gates_tb = gates + (t * B + b) * 4 * H;

      // the gates before activation: one dot product with x and one with h for each row r of the weights
      for (int r = 0; r < 4 * H; r++) {
        double sum = bias[r];
        for (int k = 0; k < I; k++) sum += w_ih[r * I + k] * x_tb[k];
        for (int k = 0; k < H; k++) sum += w_hh[r * H + k] * h_prev[k];
        gates_tb[r] = sum;
      }

      // the cell of every hidden unit u
      for (int u = 0; u < H; u++) {
        const double i = sigmoid_plain(gates_tb[u]);
        const double f = sigmoid_plain(gates_tb[H + u]);
        const double g = std::tanh(gates_tb[2 * H + u]);
        const double o = sigmoid_plain(gates_tb[3 * H + u]);
        cells_tb[u] = f * c_prev[u] + i * g;
        out_tb[u] = o * std::tanh(cells_tb[u]);
        gates_tb[u] = i, gates_tb[H + u] = f, gates_tb[2 * H + u] = g, gates_tb[3 * H + u] = o;
      }
    }
  }
}

// The gradient of a loss L. dv stands for dL/dv.
//
// Reads  dout (T, B, H), what the forward pass read, and what it wrote.
// Adds   to dx, dw_ih, dw_hh and dbias, which have the shapes of x, w_ih, w_hh and bias.
// dh, dc (B, H) hold the gradients of the last h and c at first. From step to step they become those of the state
// before, and in the end those of h0 and c0.
inline void lstm_backward_plain(
    double* dx, double* dw_ih, double* dw_hh, double* dbias, double* dh, double* dc, const double* dout,
    const double* out, const double* cells, const double* gates,
    const double* x, const double* w_ih, const double* w_hh, const double* h0, const double* c0,
    int T, int B, int I, int H) {
  std::vector<double> dgates(4 * H);  // of one step and sequence, before activation
  for (int t = T - 1; t >= 0; t--) {
    for (int b = 0; b < B; b++) {
      // seek to x[t, b, :] and dx[t, b, :]
      const double* x_tb = x + (t * B + b) * I;
      double* dx_tb = dx + (t * B + b) * I;
      // the state before this step
      const double* h_prev = t == 0 ? h0 + b * H : out + ((t - 1) * B + b) * H;
      const double* c_prev = t == 0 ? c0 + b * H : cells + ((t - 1) * B + b) * H;
      // seek to cells[t, b, :], gates[t, b, :] and dout[t, b, :]
      const double* cells_tb = cells + (t * B + b) * H;
      const double* gates_tb = gates + (t * B + b) * 4 * H;
      const double* dout_tb = dout + (t * B + b) * H;
      // seek to dh[b, :] and dc[b, :]
      double* dh_b = dh + b * H;
      double* dc_b = dc + b * H;

      // through the cell: from dh and dc to the gates before activation, and to c of the step before
      for (int u = 0; u < H; u++) {
        const double i = gates_tb[u], f = gates_tb[H + u], g = gates_tb[2 * H + u], o = gates_tb[3 * H + u];
        const double tanh_c = std::tanh(cells_tb[u]);
        const double dh_u = dh_b[u] + dout_tb[u];  // h goes to the next step and to the caller
        const double dc_u = dc_b[u] + dh_u * o * (1 - tanh_c * tanh_c);
        dgates[u] = dc_u * g * i * (1 - i);  // sigmoid' = s (1 - s)
        dgates[H + u] = dc_u * c_prev[u] * f * (1 - f);
        dgates[2 * H + u] = dc_u * i * (1 - g * g);  // tanh' = 1 - tanh^2
        dgates[3 * H + u] = dh_u * tanh_c * o * (1 - o);
        dc_b[u] = dc_u * f;
        dh_b[u] = 0;  // the products below make it the gradient of h_prev
      }

      // through the products: to the weights, to x and to h of the step before
      for (int r = 0; r < 4 * H; r++) {
        dbias[r] += dgates[r];
        for (int k = 0; k < I; k++) {
          dw_ih[r * I + k] += dgates[r] * x_tb[k];
          dx_tb[k] += dgates[r] * w_ih[r * I + k];
        }
        for (int k = 0; k < H; k++) {
          dw_hh[r * H + k] += dgates[r] * h_prev[k];
          dh_b[k] += dgates[r] * w_hh[r * H + k];
        }
      }
    }
  }
}
