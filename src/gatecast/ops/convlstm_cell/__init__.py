"""The convolutional LSTM."""
