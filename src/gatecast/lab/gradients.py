"""Why the LSTM exists: gradients by lag of recurrent networks, measured beside what theory says of them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.options import check_options, option
from gatecast.lab.lags import LagGradients, gradient_by_lag
from gatecast.lab.products import forget_factor, largest_singular_value, product_by_lag
from gatecast.lab.recall import Trained, train_recall
from gatecast.nn import GRU, LSTM, LSTM1997, RNN

BIASES: tuple[float | str, ...] = (0.0, 1.0, 3.0, 5.0, "chrono")
RADII = (0.5, 0.7, 0.9, 1.0, 1.1, 1.3, 1.5)
WEIGHTS = (1.0, 2.0, 4.0)  # of one sigmoid unit; at 4 the bound of Hochreiter 1991 is 1
DEPTHS = (1, 2, 3, 4)
INPUTS = 4


@dataclass(frozen=True)
class GradientsConfig:
    """Sizes of the networks and of what they read."""

    lag: int = option(100, "largest lag, in steps", least=10, limit=2_000)
    hidden: int = option(32, "units of a layer", least=2, limit=512)
    batch: int = option(16, "sequences that norms are averaged over", least=1, limit=1_024)
    recall: int = option(100, "steps over which a network is trained to remember", least=5, limit=1_000)
    updates: int = option(400, "training steps of each network", least=1, limit=100_000)
    seed: int = option(1, "random seed", least=0, limit=2**53)

    def __post_init__(self) -> None:
        check_options(self)


@dataclass(frozen=True)
class Curve:
    """The gradient of one network by lag.

    Args:
        label: what it is.
        norms: by lag, 0 first.
        factor: fitted factor per step further back.
        theory: factor per step that theory gives; None: it gives none.
        words: what theory says.
    """

    label: str
    norms: np.ndarray
    factor: float
    theory: float | None = None
    words: str = ""


@dataclass(frozen=True)
class Gradients:
    """What was measured.

    Args:
        config: sizes.
        groups: curves by what varies: ``cells``, ``bias``, ``radius``, ``depth``, ``trained``.
        differences: largest relative difference of automatic differentiation and the analytic product, by cell.
        runs: training of each cell on the recall task.
        clipping: training of an exploding network without and with clipping.
        weights: norm of the gradient of each layer's W_ih, the lowest first, by network of several layers.
    """

    config: GradientsConfig
    groups: dict[str, list[Curve]]
    differences: dict[str, float]
    runs: list[Trained] = field(default_factory=list)
    clipping: list[Trained] = field(default_factory=list)
    weights: dict[str, list[float]] = field(default_factory=dict)


def measure_gradients(config: GradientsConfig | None = None, *, stage: Callable[[str], Any] | None = None) -> Gradients:
    """Measure the gradients by lag of each cell, forget bias, spectral radius and depth, before and after training.

    Args:
        config: sizes.
        stage: called with the name of each part before it begins.

    Example:
        >>> from gatecast.lab import GradientsConfig, measure_gradients
        >>> found = measure_gradients(GradientsConfig(lag=20, hidden=8, recall=5, updates=5))
        >>> cells = {curve.label: curve.factor for curve in found.groups["cells"]}
        >>> cells["RNN"] < cells["LSTM, forget bias 1"] < cells["LSTM of 1997"]
        True
    """
    config, say = config or GradientsConfig(), stage or (lambda _: None)
    say("gradients at the start")
    x = torch.randn(config.lag + 1, config.batch, INPUTS, generator=_generator(config))
    groups = {
        "cells": _cells(config, x),
        "bias": [_lstm_curve(f"forget bias {bias}", lstm_with(config, bias), x) for bias in BIASES],
        "radius": [_radius(config, radius, x) for radius in RADII] + [_sigmoid_unit(config, w) for w in WEIGHTS],
        "depth": [_depth(config, cell, depth, x) for cell in (RNN, LSTM) for depth in DEPTHS],
    }
    differences = {"RNN": _difference(_rnn(config), x), "LSTM": _difference(lstm_with(config, 1.0), x)}
    runs, trained = [], []
    for name, layer in _trainable(config).items():
        say(f"training {name}")
        before = gradient_by_lag(layer, x)
        runs.append(train_recall(name, layer, config.recall, config.updates, seed=config.seed))
        trained += [_of(f"{name}, at the start", before), _of(f"{name}, trained", gradient_by_lag(layer, x))]
    say("clipping")
    clipping = [
        train_recall(name, _rnn(config, 1.5), config.recall, config.updates, seed=config.seed, clip=clip, rate=0.05)
        for name, clip in (("without clipping", None), ("clipped to norm 1", 1.0))
    ]
    weights = {f"{cell.__name__}, {DEPTHS[-1]} layers": _by_layer(config, cell, x) for cell in (RNN, LSTM)}
    return Gradients(config, {**groups, "trained": trained}, differences, runs, clipping, weights)


def _generator(config: GradientsConfig) -> torch.Generator:
    return torch.Generator().manual_seed(config.seed)


def _seeded(config: GradientsConfig, make: Callable[[], Any]) -> Any:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return make()


def lstm_with(config: GradientsConfig, bias: float | str) -> LSTM:
    """An LSTM with a forget bias, or with the chrono initialisation (Tallec & Ollivier 2018) for the largest lag."""
    layer: LSTM = _seeded(config, lambda: LSTM(INPUTS, config.hidden))
    i, f = slice(0, config.hidden), slice(config.hidden, 2 * config.hidden)
    with torch.no_grad():
        bias_ih, bias_hh = (layer.get_parameter(f"bias_{name}_l0") for name in ("ih", "hh"))
        bias_ih.zero_()
        bias_hh.zero_()
        if bias == "chrono":
            lasts = 1 + (config.lag - 2) * torch.rand(config.hidden, generator=_generator(config))
            bias_ih[f] = lasts.log()
            bias_ih[i] = -lasts.log()
        else:
            bias_ih[f] = float(bias)
    return layer


def _rnn(config: GradientsConfig, radius: float | None = None) -> RNN:
    """A plain network; with a radius, W_hh is a rotation times it."""
    layer: RNN = _seeded(config, lambda: RNN(INPUTS, config.hidden))
    if radius is not None:
        with torch.no_grad():
            random = torch.randn(config.hidden, config.hidden, generator=_generator(config))
            layer.get_parameter("weight_hh_l0").copy_(radius * torch.linalg.qr(random)[0])
    return layer


def _cells(config: GradientsConfig, x: Tensor) -> list[Curve]:
    original = _seeded(config, lambda: LSTM1997(INPUTS, config.hidden))
    return [
        _rnn_curve("RNN", _rnn(config), x),
        _of("GRU", gradient_by_lag(_seeded(config, lambda: GRU(INPUTS, config.hidden)), x)),
        *(_lstm_curve(f"LSTM, forget bias {bias:g}", lstm_with(config, bias), x) for bias in (0.0, 1.0, 5.0)),
        _of("LSTM of 1997", gradient_by_lag(original, x), "c0", theory=1.0, words="no forget gate: exactly 1"),
    ]


def _of(label: str, found: LagGradients, part: str | None = None, **theory: Any) -> Curve:
    part = part or ("c0" if "c0" in found.norms else "h0")
    return Curve(label, found.norms[part], found.factor(part), **theory)


def _lstm_curve(label: str, layer: LSTM, x: Tensor) -> Curve:
    factor = forget_factor(layer, x)
    return _of(label, gradient_by_lag(layer, x), theory=factor, words="geometric mean of the forget gates")


def _rnn_curve(label: str, layer: RNN, x: Tensor) -> Curve:
    bound = largest_singular_value(layer)
    return _of(label, gradient_by_lag(layer, x), theory=bound, words="at most the largest singular value of W")


def _radius(config: GradientsConfig, radius: float, x: Tensor) -> Curve:
    return _rnn_curve(f"radius {radius:g}", _rnn(config, radius), 0.1 * x)  # small inputs leave tanh nearly linear


def _sigmoid_unit(config: GradientsConfig, w: float) -> Curve:
    """One sigmoid unit that feeds itself (Hochreiter 1991), balanced at 0.5, where its slope is largest."""
    h, factors = 0.5, [1.0]
    for _ in range(config.lag):
        h = 1 / (1 + math.exp(-w * (h - 0.5)))
        factors.append(factors[-1] * w * h * (1 - h))
    found = LagGradients(np.arange(config.lag + 1), {"h0": np.array(factors)})
    return _of(f"one sigmoid unit, w = {w:g}", found, theory=0.25 * w, words="at most 0.25 |w|")


def _depth(config: GradientsConfig, cell: Any, depth: int, x: Tensor) -> Curve:
    """The gradient of the lowest layer's output, for a loss of the highest."""
    layer = _seeded(config, lambda: cell(INPUTS, config.hidden, num_layers=depth))
    return _of(f"{cell.__name__}, {depth} layer{'s' * (depth > 1)}", gradient_by_lag(layer, x), "h0")


def _by_layer(config: GradientsConfig, cell: Any, x: Tensor) -> list[float]:
    """Norm of the gradient of W_ih of each layer of the deepest network, for the sum of its last outputs."""
    layer = _seeded(config, lambda: cell(INPUTS, config.hidden, num_layers=DEPTHS[-1]))
    layer(x)[0][-1].sum().backward()
    return [float(getattr(layer, f"weight_ih_l{k}").grad.norm()) for k in range(DEPTHS[-1])]


def _difference(layer: Any, x: Tensor) -> float:
    """Largest relative difference between automatic differentiation and the analytic product, in float64."""
    layer, x = layer.double(), x.double()
    automatic, analytic = gradient_by_lag(layer, x), product_by_lag(layer, x)
    pairs = [(values, analytic.norms[name]) for name, values in automatic.norms.items()]
    return max(float((np.abs(one - other) / np.maximum(one, 1e-300)).max()) for one, other in pairs)


def _trainable(config: GradientsConfig) -> dict[str, Any]:
    return {
        "RNN": _rnn(config),
        "GRU": _seeded(config, lambda: GRU(INPUTS, config.hidden)),
        "LSTM, forget bias 0": lstm_with(config, 0.0),
        "LSTM, forget bias 1": lstm_with(config, 1.0),
        "LSTM, chrono": lstm_with(config, "chrono"),
    }
