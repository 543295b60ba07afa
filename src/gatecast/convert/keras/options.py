"""The configuration of a Keras layer as arguments of a layer of ``gatecast.nn``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.convert.layer import DEFAULTS, Kind
from gatecast.ops.activations import ACTIVATIONS

KINDS: dict[str, Kind] = {"LSTM": "LSTM", "GRU": "GRU", "SimpleRNN": "RNN"}
CELLS: dict[str, Kind] = {"LSTMCell": "LSTM", "GRUCell": "GRU", "SimpleRNNCell": "RNN"}

# Keras's option: ours.
SAME = {
    "units": "hidden_size",
    "use_bias": "bias",
    "activation": "activation",
    "recurrent_activation": "recurrent_activation",
    "go_backwards": "go_backwards",
    "return_sequences": "return_sequences",
    "return_state": "return_state",
    "stateful": "stateful",
    "zero_output_for_mask": "zero_output_for_mask",
    "dropout": "input_dropout",
    "recurrent_dropout": "recurrent_dropout",
    "reset_after": "reset_after",
}
# Initialisation, names and execution: no effect on the output of a layer with given weights.
WITHOUT_EFFECT = {
    "name", "trainable", "dtype", "seed", "unroll", "implementation", "use_cudnn", "unit_forget_bias", "cell", "cells",
    "kernel_initializer", "recurrent_initializer", "bias_initializer", "batch_input_shape", "batch_shape",
    "input_shape", "input_dim", "input_length", "time_major",
}  # fmt: skip
# Effective in training only; None is accepted.
TRAINING_ONLY = {
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
}  # fmt: skip
OTHER_NAMES = {"swish": "silu", None: "linear"}
# Defaults of Keras that differ from ours.
KERAS_DEFAULTS = {"return_sequences": False, "return_state": False, "zero_output_for_mask": False, "batch_first": True}


def arguments_of(
    kind: Kind,
    config: Mapping[str, Any],
    label: str,
    *,
    options: Mapping[str, Any] | None = None,
    ignore: Collection[str] = (),
) -> dict[str, Any]:
    """Arguments of our constructor for one Keras layer (``layer.get_config()``); the arrays give the input size.

    Args:
        kind: of our layer.
        config: of an LSTM, GRU or SimpleRNN, or of their cells.
        label: the layer in messages.
        options: arguments that replace those of the configuration.
        ignore: options of Keras to leave out.

    Raises:
        SettingError: an option without counterpart.
    """
    options = options or {}
    arguments: dict[str, Any] = dict(KERAS_DEFAULTS)
    for name, value in config.items():
        ours = "nonlinearity" if kind == "RNN" and name == "activation" else SAME.get(name, name)
        if name in WITHOUT_EFFECT or name in ignore or ours in options:
            continue
        if name in SAME:
            arguments[ours] = _activation(value, name, ours, label) if name.endswith("activation") else value
        elif value is not None:
            training = "acts in training only and is not converted"
            why = training if name in TRAINING_ONLY else "has no counterpart here"
            remedy = "leave it out with " + Arg("ignore", [name]) + f', or give ours: options={{"{name}": ...}}'
            raise SettingError(f"{name}={_short(value)} {why}", remedy, place=label)
    _check_values(kind, arguments, label)
    return {**arguments, **options}


def _activation(value: Any, name: str, ours: str, label: str) -> str:
    known = OTHER_NAMES.get(value, value) if isinstance(value, str | None) else None
    if isinstance(known, str) and known in ACTIVATIONS:
        return known
    raise SettingError(
        f"{name}={_short(value)} is unknown; known: {', '.join(ACTIVATIONS)}",
        f'give the function yourself: options={{"{ours}": function_of_a_tensor}}',
        place=label,
    )


def _check_values(kind: Kind, arguments: Mapping[str, Any], label: str) -> None:
    """Check the types of a file's values before they reach a constructor."""
    for name, value in arguments.items():
        default = DEFAULTS[kind].get(name, value)
        number = isinstance(default, float) or name == "hidden_size"
        if not isinstance(value, (int, float) if number else type(default)) and not callable(value):
            wanted = "a number" if number else f"of type {type(default).__name__}"
            raise SettingError(f"{name} must be {wanted}, got {_short(value)}", place=label)


def _short(value: Any) -> str:
    text = repr(value.get("class_name", value) if isinstance(value, dict) else value)
    return text if len(text) < 60 else text[:57] + "..."
