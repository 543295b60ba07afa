"""The LSTM cell: its options and weights, the reference that defines it, and the compiled kernels."""
