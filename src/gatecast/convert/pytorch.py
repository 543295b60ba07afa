"""Layers of PyTorch: from a module or a state dict, and back."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.convert.layer import (
    DEFAULTS,
    MODULES,
    TORCH_OPTIONS,
    TRAINING,
    LayerWeights,
    no_counterpart,
    refuse_last_outputs,
    refuse_others,
)

_NAME = re.compile(r"(?P<prefix>(?:.*\.)?)(?P<what>weight_ih|weight_hh|weight_hr|bias_ih|bias_hh)_l\d+(_reverse)?")
_KINDS = {4: "LSTM", 3: "GRU", 1: "RNN"}


def from_torch(source: nn.Module | Mapping[str, Tensor], *, prefix: str | None = None, **options: Any) -> LayerWeights:
    """A layer of PyTorch as plain data.

    A module gives sizes and options. A state dict gives sizes only; options that shapes do not show must be passed
    (``batch_first=True``, or ``nonlinearity="relu"`` of an ``RNN``, whose default is tanh). Tensors are copied.

    Args:
        source: a ``torch.nn.LSTM``, ``GRU`` or ``RNN``, or a state dict, also of a larger model.
        prefix: prefix of the layer in the state dict: ``"encoder.lstm."``; None: the only one.
        options: arguments that differ from those of the module or the shapes.

    Raises:
        SettingError: no recurrent layer in the source, or several, or tensors that do not fit.

    Example:
        >>> import torch
        >>> layer = from_torch(torch.nn.LSTM(3, 8, bidirectional=True))
        >>> layer.arguments
        {'input_size': 3, 'hidden_size': 8, 'bidirectional': True}
    """
    if isinstance(source, nn.Module):
        if not isinstance(source, nn.LSTM | nn.GRU | nn.RNN):
            raise SettingError(
                f"from_torch reads torch.nn.LSTM, GRU or RNN, got {type(source).__name__}",
                "of a larger model give the layer (model.encoder.lstm) or model.state_dict() with prefix; "
                "for a layer of gatecast.nn use from_layer",
            )
        return _of(type(source).__name__, _arguments(source) | options, source.state_dict(), "")
    prefix = _prefix(source, prefix)
    state = {
        name.removeprefix(prefix): t for name, t in source.items() if name.startswith(prefix) and _NAME.match(name)
    }
    kind, arguments = _read_shapes(state, prefix)
    return _of(kind, arguments | options, state, prefix.rstrip("."))


def to_torch(layer: LayerWeights, **options: Any) -> nn.RNNBase:
    """The layer as a module of PyTorch, with copies of the weights.

    PyTorch's layers always return the whole sequence and the state, and have two biases: ``return_state``, ``stateful``
    and ``zero_output_for_mask`` are left out, and a single bias gets a second one of zeros. The random state does not
    change.

    Args:
        layer: the layer.
        options: arguments of the PyTorch module to set or change: ``dropout=0.1``.

    Raises:
        SettingError: the layer has an option that PyTorch lacks, or returns its last output only.
    """
    refuse_others(layer, TORCH_OPTIONS, f"torch.nn.{layer.kind}")
    refuse_last_outputs(layer, f"torch.nn.{layer.kind}")
    for name in TRAINING[1:]:
        _refuse(layer, name, allowed=(0.0, None))
    _refuse(layer, "nonlinearity", allowed=("tanh", "relu", None))
    arguments = {name: value for name, value in layer.arguments.items() if name in TORCH_OPTIONS}
    module = MODULES[layer.kind](**{"device": "meta", **arguments, **options})
    module.load_state_dict({name: tensor.detach().clone() for name, tensor in _state(layer).items()}, assign=True)
    for parameter in module.parameters():
        parameter.requires_grad_()
    return module


def _refuse(layer: LayerWeights, name: str, *, allowed: tuple[Any, ...]) -> None:
    value = layer.option(name)
    if value not in allowed:
        raise no_counterpart(layer, name, f"torch.nn.{layer.kind}")


def _state(layer: LayerWeights) -> dict[str, Tensor]:
    """The state dict with both biases, if the layer has biases."""
    state = dict(layer.state)
    if layer.biases == 1:
        state |= {f"bias_hh_{suffix}": layer.both_biases(suffix)["bias_hh"] for _, suffix in layer.suffixes()}
    return state


def _of(kind: Any, arguments: Mapping[str, Any], state: Mapping[str, Tensor], name: str) -> LayerWeights:
    return LayerWeights(kind, arguments, {key: tensor.detach().clone() for key, tensor in state.items()}, name)


def _arguments(module: nn.RNNBase) -> dict[str, Any]:
    return {name: getattr(module, name) for name in TORCH_OPTIONS if name in DEFAULTS[type(module).__name__]}


def _prefix(state: Mapping[str, Any], wanted: str | None) -> str:
    """The prefix of the layer to read: the one given, or the only one."""
    found = sorted({match["prefix"] for name in state if (match := _NAME.fullmatch(name))})
    if wanted in found:
        return str(wanted)
    if not found:
        some = ", ".join(list(state)[:5]) or "nothing"
        raise SettingError(f"the state dict must have names such as weight_ih_l0 or encoder.weight_ih_l0; got {some}")
    if wanted is not None:
        raise SettingError(
            "the state dict has no recurrent layer at " + Arg("prefix", wanted), f"choose one of {found}"
        )
    if len(found) > 1:
        raise SettingError(
            f"the state dict holds {len(found)} recurrent layers", "choose one by " + Arg("prefix") + f": {found}"
        )
    return found[0]


def _read_shapes(state: Mapping[str, Tensor], prefix: str) -> tuple[str, dict[str, Any]]:
    """Kind and sizes from the shapes of a state dict without prefix."""
    for name in ("weight_ih_l0", "weight_hh_l0"):
        if name not in state or state[name].ndim != 2:
            what = tuple(state[name].shape) if name in state else "nothing"
            raise SettingError(f"the state dict must have a matrix {prefix}{name}; got {what}")
    rows, inputs = state["weight_ih_l0"].shape
    projection = state.get("weight_hr_l0")
    hidden = state["weight_hh_l0"].shape[1] if projection is None else projection.shape[-1]
    kind = _KINDS.get(rows // hidden) if hidden and rows % hidden == 0 else None
    if kind is None:
        raise SettingError(
            f"{prefix}weight_ih_l0 must have 4 (LSTM), 3 (GRU) or 1 (RNN) times as many rows as the hidden size "
            f"{hidden}, got {rows}"
        )
    layers = {int(re.sub(r".*_l(\d+).*", r"\1", name)) for name in state}
    arguments = {
        "input_size": inputs,
        "hidden_size": hidden,
        "num_layers": max(layers) + 1,
        "bias": "bias_ih_l0" in state,
        "bidirectional": "weight_ih_l0_reverse" in state,
        **({} if projection is None else {"proj_size": projection.shape[0]}),
    }
    return kind, arguments
