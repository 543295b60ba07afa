"""The LSTM as first published, without a forget gate."""
