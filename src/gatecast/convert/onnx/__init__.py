"""ONNX's recurrent operators: read from files, and written by ``torch.onnx.export``."""
