"""Layers of ``gatecast.nn`` as plain data, for the way to Keras, PyTorch and ONNX."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.convert.layer import LAYERS, LayerWeights
from gatecast.nn.stack import Stack


def from_layer(module: Any) -> LayerWeights:
    """A ``gatecast.nn.LSTM``, ``GRU`` or ``RNN`` as plain data, with copies of its weights.

    `LayerWeights.make` leads back. Of a parametrized weight (``torch.nn.utils.parametrizations``) it is the value that
    the layer computes with.

    Args:
        module: the layer.

    Raises:
        SettingError: it is another module.

    Example:
        >>> from gatecast import nn
        >>> from gatecast.convert import from_layer
        >>> from_layer(nn.LSTM(3, 8, batch_first=True, peephole=True)).arguments
        {'input_size': 3, 'hidden_size': 8, 'batch_first': True, 'peephole': True}
    """
    kind = next((name for name, known in LAYERS.items() if isinstance(module, known)), None)
    if kind is None:
        raise SettingError(
            f"from_layer reads gatecast.nn.LSTM, GRU or RNN, got {type(module).__module__}.{type(module).__name__}; "
            "from_torch reads those of torch.nn"
        )
    sizes = {"input_size": module.input_size, "hidden_size": module.hidden_size}
    return LayerWeights(kind, sizes | module.settings(), _state(module))  # type: ignore[arg-type]


def _state(module: Stack) -> dict[str, Tensor]:
    """The state dict as if no weight were parametrized."""
    plain = [name for name in module.state_dict() if not name.startswith("parametrizations.")]
    parametrized = getattr(module, "parametrizations", {})
    return {name: getattr(module, name).detach().clone() for name in (*plain, *parametrized)}
