"""gatecast: LSTM forecasting, from the cell to the forecast."""
