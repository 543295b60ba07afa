"""The gradient by lag as the product of Jacobians that the equations say, without automatic differentiation.

One step back, for the LSTM (Hochreiter & Schmidhuber 1997; Gers, Schmidhuber & Cummins 2000), from ``dh = dL/dh_t`` and
``dc = dL/dc_t`` with the other part fixed::

    dc' = dc + dh o (1 - tanh²c)
    d   = dc' g i(1-i),  dc' c₋₁ f(1-f),  dc' i (1-g²),  dh tanh(c) o(1-o)      for i, f, g, o before their activation
    dh₋₁ = W_hhᵀ d        dc₋₁ = f dc'

and for the plain network ``dh₋₁ = W_hhᵀ (dh (1 - h²))`` (Pascanu, Mikolov & Bengio 2013, eq. 5).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.lab.lags import LagGradients
from gatecast.lab.record import Record, record
from gatecast.nn.recurrent import LSTM, RNN


@torch.no_grad()
def product_by_lag(layer: nn.Module, x: Float[Tensor, "time batch feature"]) -> LagGradients:
    """What :func:`gatecast.lab.gradient_by_lag` gives for the sum of the last outputs, from the equations.

    Args:
        layer: one LSTM or RNN layer (tanh) of one direction with the default cell.
        x: its input.

    Raises:
        SettingError: for another layer.

    Example:
        >>> import numpy as np, torch
        >>> from gatecast.lab import gradient_by_lag, product_by_lag
        >>> from gatecast.nn import LSTM
        >>> layer, x = LSTM(2, 8).double(), torch.randn(30, 4, 2).double()
        >>> automatic, analytic = gradient_by_lag(layer, x), product_by_lag(layer, x)
        >>> bool(np.allclose(automatic.norms["c0"], analytic.norms["c0"], rtol=1e-5))
        True
    """
    if not isinstance(layer, LSTM | RNN) or layer.num_layers != 1 or layer.bidirectional:
        raise SettingError("product_by_lag needs one LSTM or RNN layer of one direction", "take LSTM(4, 32)")
    seen, w = record(layer, x), layer.get_parameter("weight_hh_l0")
    back = _lstm_back if isinstance(layer, LSTM) else _rnn_back
    dh = torch.ones_like(seen["h"][0, -1])
    dc = torch.zeros_like(dh)
    found: dict[str, list[float]] = {"h0": [], "c0": []}
    for t in reversed(range(len(x))):
        whole = dc if "c" not in seen.parts else dc + dh * seen["o"][0, t] * (1 - seen["c"][0, t].tanh() ** 2)
        found["h0"].append(_norm(dh))
        found["c0"].append(_norm(dc))
        dh, dc = back(seen, t, dh, whole, w)
    kept = ("h0", "c0") if isinstance(layer, LSTM) else ("h0",)
    return LagGradients(np.arange(len(x)), {name: np.array(found[name]) for name in kept})


def _lstm_back(seen: Record, t: int, dh: Tensor, dc: Tensor, w: Any) -> tuple[Tensor, Tensor]:
    i, f, g, o, c = (seen[name][0, t] for name in "ifgoc")
    before = seen["c"][0, t - 1] if t else torch.zeros_like(c)
    gates = [dc * g * i * (1 - i), dc * before * f * (1 - f), dc * i * (1 - g**2), dh * c.tanh() * o * (1 - o)]
    return torch.cat(gates, -1) @ w, f * dc


def _rnn_back(seen: Record, t: int, dh: Tensor, dc: Tensor, w: Any) -> tuple[Tensor, Tensor]:
    return (dh * (1 - seen["h"][0, t] ** 2)) @ w, dc


def _norm(gradient: Tensor) -> float:
    """Root mean square over the batch of the norms."""
    return float(gradient.double().square().sum(-1).mean().sqrt())


def forget_factor(layer: LSTM, x: Float[Tensor, "time batch feature"]) -> float:
    """Geometric mean of the forget gate: the factor per step along the cell state."""
    return float(record(layer, x)["f"].double().log().mean().exp())


def largest_singular_value(layer: RNN) -> float:
    """Of W_hh: the gradient of a tanh network changes per step by at most this factor (Pascanu 2013)."""
    return float(torch.linalg.matrix_norm(layer.get_parameter("weight_hh_l0").detach().double(), 2))
