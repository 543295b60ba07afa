"""The sLSTM: an LSTM with exponential gates."""
