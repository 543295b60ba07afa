"""Recurrent layers from and to Keras, PyTorch and ONNX."""

from gatecast.convert.keras.arrays import to_keras_arrays
from gatecast.convert.keras.convlstm import conv_from_keras_arrays, conv_to_keras_arrays
from gatecast.convert.keras.layers import from_keras, from_keras_arrays, read_keras, write_keras
from gatecast.convert.layer import LayerWeights, from_layer
from gatecast.convert.onnx.activations import OnnxActivation
from gatecast.convert.onnx.export import onnx_arrays, to_onnx
from gatecast.convert.onnx.reader import from_onnx, from_onnx_arrays, read_onnx
from gatecast.convert.onnx.table import onnx_table
from gatecast.convert.pytorch import from_torch, to_torch
from gatecast.convert.stack import stack

__all__ = [
    "LayerWeights",
    "OnnxActivation",
    "conv_from_keras_arrays",
    "conv_to_keras_arrays",
    "from_keras",
    "from_keras_arrays",
    "from_layer",
    "from_onnx",
    "from_onnx_arrays",
    "from_torch",
    "onnx_arrays",
    "onnx_table",
    "read_keras",
    "read_onnx",
    "stack",
    "to_keras_arrays",
    "to_onnx",
    "to_torch",
    "write_keras",
]
