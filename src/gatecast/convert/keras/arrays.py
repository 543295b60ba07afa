"""The arrays of a Keras layer (``get_weights``, ``set_weights``) and our state dict.

Keras has ``kernel (input, gates)``, ``recurrent_kernel (hidden, gates)`` and one ``bias (gates,)``; a GRU with
``reset_after`` has ``bias (2, gates)``, of the input and of the state. Ours are transposed, with both biases::

    weight_ih = kernel.T      weight_hh = recurrent_kernel.T      bias_ih = bias      bias_hh = 0
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.convert.gates import KERAS, TORCH, reorder
from gatecast.convert.layer import GATES, Kind, LayerWeights, refuse_others

KERAS_OPTIONS = (
    "activation", "recurrent_activation", "nonlinearity", "reset_after", "go_backwards", "merge_mode",
)  # fmt: skip
Arrays = Sequence[Any]  # each a NumPy array or a tensor


def layer_of(
    kind: Kind, directions: Sequence[Arrays], arguments: Mapping[str, Any], *, name: str, label: str
) -> LayerWeights:
    """A layer from the arrays of its one or two directions and the arguments of its configuration.

    Raises:
        SettingError: number, shape or type of the arrays do not fit.
    """
    state: dict[str, Tensor] = {}
    sizes: dict[str, Any] = {}
    for suffix, arrays in zip(("l0", "l0_reverse"), directions, strict=False):
        part, sizes = _direction(kind, arrays, arguments.get("reset_after"), label)
        state |= {f"{key}_{suffix}": tensor for key, tensor in part.items()}
        for option, size in sizes.items():
            if arguments.get(option, size) != size:
                raise SettingError(
                    f"{option} is {arguments[option]} in its options and {size} by its arrays", place=label
                )
    two = {"bidirectional": True} if len(directions) == 2 else {}
    return LayerWeights(kind, {**arguments, **sizes, **two}, state, name)


def kind_of(arrays: Arrays, label: str) -> Kind:
    """The kind of layer, by the shapes of its arrays."""
    shapes = [tuple(np.shape(array)) for array in arrays]
    if len(shapes) in (2, 3) and len(shapes[0]) == len(shapes[1]) == 2 and shapes[1][0]:
        for kind, gates in GATES.items():
            if shapes[0][1] == shapes[1][1] == gates * shapes[1][0]:
                return kind  # type: ignore[return-value]
    raise SettingError(
        f"arrays must be kernel (input, gates*hidden), recurrent kernel (hidden, gates*hidden) and bias, "
        f"with 4 (LSTM), 3 (GRU) or 1 (SimpleRNN) gates; got {shapes}",
        place=label,
    )


def to_keras_arrays(layer: LayerWeights) -> list[list[np.ndarray]]:
    """The arrays for ``set_weights``, a list for each Keras layer; a stack becomes several layers.

    In a bidirectional layer the forward direction comes first, as in ``keras.layers.Bidirectional``.

    Raises:
        SettingError: an option that Keras lacks, such as peepholes, a projection or coupled gates.

    Example:
        >>> import torch
        >>> from gatecast.convert import from_torch
        >>> arrays = to_keras_arrays(from_torch(torch.nn.LSTM(3, 8, num_layers=2)))
        >>> [array.shape for array in arrays[0]]
        [(3, 32), (8, 32), (32,)]
    """
    refuse_others(layer, KERAS_OPTIONS, "Keras")
    lists: list[list[np.ndarray]] = [[] for _ in range(layer.option("num_layers"))]
    for k, suffix in layer.suffixes():
        lists[k] += _to_arrays(layer, suffix)
    return lists


def _direction(
    kind: Kind, arrays: Arrays, reset_after: bool | None, label: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """State of one direction, with the sizes and options that follow from the shapes."""
    tensors = [_tensor(array, label) for array in arrays]
    found = kind_of(arrays, label)
    if found != kind:
        raise SettingError(
            f"arrays of a {found} were given for a {kind}: {[tuple(t.shape) for t in tensors]}", place=label
        )
    state = {"weight_ih": tensors[0].T, "weight_hh": tensors[1].T}
    sizes: dict[str, Any] = {"input_size": tensors[0].shape[0], "hidden_size": tensors[1].shape[0]}
    sizes["bias"] = len(tensors) == 3
    if sizes["bias"]:
        state["bias_ih"], state["bias_hh"] = _biases(tensors[2], kind, tensors[0].shape[1], label)
        if kind == "GRU":
            sizes["reset_after"] = tensors[2].ndim == 2
    elif kind == "GRU" and reset_after is None:
        raise SettingError(
            "the arrays of a GRU without bias do not show reset_after",
            'give options={"reset_after": ...}',
            place=label,
        )
    return {name: reorder(tensor, KERAS[kind], TORCH[kind]) for name, tensor in state.items()}, sizes


def _biases(bias: Tensor, kind: Kind, gates: int, label: str) -> tuple[Tensor, Tensor]:
    if bias.shape == (gates,):
        return bias, torch.zeros_like(bias)
    if kind == "GRU" and bias.shape == (2, gates):
        return bias[0], bias[1]
    both = f" or (2, {gates}) for reset_after" if kind == "GRU" else ""
    raise SettingError(f"bias must be ({gates},){both}, got {tuple(bias.shape)}", place=label)


def _tensor(array: Any, label: str) -> Tensor:
    try:
        tensor = array.detach() if isinstance(array, Tensor) else torch.from_numpy(np.array(array))
    except TypeError as error:
        raise SettingError(f"weights must be arrays of numbers: {error}", place=label) from error
    if not tensor.is_floating_point():
        raise SettingError(f"weights must be floating-point numbers, got {tensor.dtype}", place=label)
    return tensor


def _to_arrays(layer: LayerWeights, suffix: str) -> list[np.ndarray]:
    kind = layer.kind
    tensors = {key: reorder(tensor, TORCH[kind], KERAS[kind]) for key, tensor in layer.both_biases(suffix).items()}
    arrays = [tensors["weight_ih"].T, tensors["weight_hh"].T]
    if layer.biases:
        first, second = tensors["bias_ih"], tensors["bias_hh"]
        two = kind == "GRU" and layer.option("reset_after")
        arrays.append(torch.stack([first, second]) if two else first + second)
    return [_numpy(tensor) for tensor in arrays]


def _numpy(tensor: Tensor) -> np.ndarray:
    """A contiguous array; bfloat16 becomes float32, since NumPy lacks it."""
    tensor = tensor.detach().cpu()
    return np.ascontiguousarray((tensor.float() if tensor.dtype == torch.bfloat16 else tensor).numpy())
