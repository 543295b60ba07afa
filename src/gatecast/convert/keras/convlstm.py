"""Arrays of Keras's ConvLSTM1D, ConvLSTM2D and ConvLSTM3D, to and from the layers of ``gatecast.nn``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.nn.convlstm import ConvLSTM

_NAMES = ("weight_ih", "weight_hh", "bias_ih")


@torch.no_grad()
def conv_from_keras_arrays(layer: ConvLSTM, arrays: Sequence[Any]) -> ConvLSTM:
    """Copy the arrays of ``keras_layer.get_weights()`` into a layer; return the layer.

    A kernel of Keras is ``(*space, in, 4 * filters)``; the order of the gates is the same.

    Args:
        layer: a single layer without peepholes; a bidirectional one takes the arrays of a ``Bidirectional``.
        arrays: kernel, recurrent kernel and, if the layer has one, bias; forward direction first.

    Raises:
        SettingError: number or shapes of the arrays do not fit the layer.

    Example:
        >>> import numpy as np
        >>> from gatecast.nn import ConvLSTM1d
        >>> arrays = [np.zeros((3, 2, 32)), np.zeros((3, 8, 32)), np.zeros(32)]
        >>> conv_from_keras_arrays(ConvLSTM1d(2, 8, 3), arrays).weight_ih_l0.shape
        torch.Size([32, 2, 3])
    """
    weights = _weights(layer)
    if len(arrays) != len(weights):
        raise SettingError(f"the layer has {len(weights)} weights, {', '.join(weights)}; got {len(arrays)} arrays")
    found = {}
    for (name, weight), array in zip(weights.items(), arrays, strict=True):
        value = torch.tensor(np.asarray(array))
        found[name] = value if value.dim() == 1 else value.movedim((-1, -2), (0, 1))
        if found[name].shape != weight.shape:
            wanted = tuple(weight.shape if weight.dim() == 1 else weight.movedim((0, 1), (-1, -2)).shape)
            raise SettingError(f"{name}: Keras's array must be {wanted}, got {tuple(value.shape)}")
    for name, value in found.items():
        weights[name].copy_(value)
    return layer


def conv_to_keras_arrays(layer: ConvLSTM) -> list[np.ndarray]:
    """The arrays of a layer for ``set_weights`` of a ConvLSTM or ``Bidirectional`` of Keras.

    Args:
        layer: a single layer without peepholes.

    Raises:
        SettingError: Keras has no such layer.
    """
    tensors = [weight.detach().cpu() for weight in _weights(layer).values()]
    ordered = [weight if weight.dim() == 1 else weight.movedim((0, 1), (-1, -2)) for weight in tensors]
    return [weight.contiguous().numpy() for weight in ordered]


def _weights(layer: ConvLSTM) -> dict[str, Tensor]:
    """Weights by name, in Keras's order."""
    if layer.num_layers > 1 or layer.peephole != "none" or not layer.in_channels:
        raise SettingError(
            "Keras's ConvLSTM is one layer with an input and without peepholes, got "
            f"num_layers={layer.num_layers}, peephole={layer.peephole!r}, in_channels={layer.in_channels}"
        )
    if layer.recurrent_kernel_size != layer.kernel_size:
        raise SettingError(
            f"Keras's ConvLSTM has one kernel size, got kernel_size={layer.kernel_size}, "
            f"recurrent_kernel_size={layer.recurrent_kernel_size}"
        )
    named = {name + end: getattr(layer, name + end) for end in layer.suffixes for name in _NAMES}
    return {name: weight for name, weight in named.items() if weight is not None}
