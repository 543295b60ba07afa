"""The same numbers as Keras, option by option: what it gave is in a file (``tests/fixtures/make_keras_layers.py``)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.layers import tensors
from torch import Tensor, nn

from gatecast.nn import GRU, L2, LSTM, RNN, MaxNorm, UnitNorm

KERAS = {k: torch.tensor(v) for k, v in np.load(Path(__file__).parents[1] / "fixtures" / "keras_layers.npz").items()}
KINDS: dict[str, type] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}
CASES: dict[str, dict[str, Any]] = {
    "lstm": {},
    "lstm go_backwards": {"go_backwards": True},
    "lstm mask": {"zero_output_for_mask": False},
    "lstm go_backwards mask": {"go_backwards": True, "zero_output_for_mask": False},
    "lstm last mask": {"return_sequences": False, "return_state": False},
    "lstm activations": {"activation": "softsign", "recurrent_activation": "hard_sigmoid"},
    "gru": {},
    "gru mask": {"zero_output_for_mask": False},
    "gru reset before": {"reset_after": False},
    "rnn": {},
    "rnn relu mask": {"nonlinearity": "relu", "zero_output_for_mask": False},
    "lstm both mask": {"bidirectional": True, "return_state": False},
}
for mode in ("concat", "sum", "mul", "ave", None):
    both = {"bidirectional": True, "merge_mode": mode, "return_state": False}
    CASES[f"lstm {mode} all"] = both
    CASES[f"lstm {mode} last"] = {**both, "return_sequences": False}


def recorded(name: str, letter: str) -> list[Tensor]:
    """Outputs (y) or weights (w) of a case."""
    return [KERAS[key] for key in sorted(KERAS) if key.startswith(f"{name}|{letter}")]


@torch.no_grad()
def load(layer: nn.Module, name: str) -> nn.Module:
    """Keras's weights: matrices turned, the gates of a GRU from z, r, h to r, z, n."""
    weights = recorded(name, "w")
    order = (
        torch.cat([torch.arange(4, 8), torch.arange(4), torch.arange(8, 12)]) if isinstance(layer, GRU) else slice(None)
    )
    for suffix, (kernel, recurrent, bias) in zip(layer.suffixes, (weights[:3], weights[3:]), strict=False):
        getattr(layer, "weight_ih" + suffix).copy_(kernel.T[order])
        getattr(layer, "weight_hh" + suffix).copy_(recurrent.T[order])
        first, second = bias if bias.dim() == 2 else (bias, torch.zeros_like(bias))
        getattr(layer, "bias_ih" + suffix).copy_(first[order])
        getattr(layer, "bias_hh" + suffix).copy_(second[order])
    return layer


@pytest.mark.parametrize("name", list(CASES))
def test_layers_give_what_keras_gives(name: str) -> None:
    layer = load(KINDS[name.split()[0]](2, 4, batch_first=True, **CASES[name]), name)
    ours = tensors(layer(KERAS["x"], mask=KERAS["mask"] if "mask" in name else None))
    for a, b in zip(ours, recorded(name, "y"), strict=True):
        torch.testing.assert_close(a.reshape(b.shape), b, atol=1e-5, rtol=1e-5)  # our states have an axis of layers


def test_every_recorded_case_is_compared() -> None:
    names = {key.partition("|")[0] for key in KERAS} - {"x", "mask", "activity", "max_norm", "unit_norm"}
    assert names == set(CASES)


def test_the_penalty_on_the_output_is_kerass() -> None:
    layer = load(LSTM(2, 4, batch_first=True, activity_regularizer=L2(0.1)), "activity")
    layer(KERAS["x"])
    torch.testing.assert_close(layer.regularization(), KERAS["activity|y0"])


def test_constraints_are_kerass() -> None:
    matrix = KERAS["x"].reshape(6, 5).T  # Keras's columns are our rows
    torch.testing.assert_close(MaxNorm(1.5)(matrix).T, KERAS["max_norm|y0"])
    torch.testing.assert_close(UnitNorm()(matrix).T, KERAS["unit_norm|y0"])
