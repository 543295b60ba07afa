"""From a panel to what a network takes: windows, scalers and batches of labelled sequences."""
