"""Stacked layers as one layer with ``num_layers``."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.convert.layer import LayerWeights

# Taken from the first or the last layer; all other options must be equal.
ENDS = ("input_size", "num_layers", "return_sequences", "return_state")


def stack(layers: Iterable[LayerWeights]) -> LayerWeights:
    """Consecutive layers as one layer: ``stack(read_keras("model.keras").values())``.

    Args:
        layers: from the input upwards; of one kind, with equal sizes and options; all but the last return the whole
            sequence (``return_sequences``) and read forwards.

    Raises:
        SettingError: two layers do not fit; the message names them and the difference.
    """
    every = list(layers)
    if not every:
        raise SettingError("stack needs at least one layer, got 0")
    for below, above in pairwise(every):
        _check_pair(below, above)
    state: dict[str, Tensor] = {}
    count = 0
    for layer in every:
        state |= {_shift(name, count): tensor for name, tensor in layer.state.items()}
        count += layer.option("num_layers")
    arguments = {**every[-1].arguments, "input_size": every[0].option("input_size"), "num_layers": count}
    return LayerWeights(every[0].kind, arguments, state, "+".join(layer.name for layer in every if layer.name))


def _check_pair(below: LayerWeights, above: LayerWeights) -> None:
    both = f"{below.label} and {above.label} cannot be one stack"
    for what, first, second in _mismatches(below, above):
        raise SettingError(f"{both}: {what} is {first!r} and {second!r}", "keep them as two layers")
    if not below.option("return_sequences"):
        raise SettingError(f"{both}: the lower one returns its last output only (return_sequences=False)")
    if below.option("go_backwards"):
        raise SettingError(f"{both}: each reverses the time axis (go_backwards=True)", "keep them as two layers")
    if below.option("input_dropout"):
        raise SettingError(
            f"{both}: a stack applies input_dropout to its first layer only",
            "use dropout between layers instead: layer.with_options(input_dropout=0.0)",
        )


def _mismatches(below: LayerWeights, above: LayerWeights) -> list[tuple[str, Any, Any]]:
    pairs: list[tuple[str, Any, Any]] = [("kind", below.kind, above.kind)]
    names = sorted({*below.arguments, *above.arguments} - set(ENDS))
    pairs += [(name, below.option(name), above.option(name)) for name in names]
    width = (below.option("proj_size") or below.option("hidden_size")) * (
        below.directions if below.option("merge_mode") == "concat" else 1
    )
    pairs.append(("output and input size", width, above.option("input_size")))
    return [(what, first, second) for what, first, second in pairs if first != second]


def _shift(name: str, count: int) -> str:
    """``weight_ih_l0_reverse`` renamed for the layer ``count`` higher."""
    head, _, tail = name.rpartition("_l")
    number, _, ending = tail.partition("_")
    return f"{head}_l{int(number) + count}" + (f"_{ending}" if ending else "")
