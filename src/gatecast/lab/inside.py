"""A trained forecaster from the inside: gates and memory over its last window, and what its forecast leans on.

The influence of an input is gradient × input (Shrikumar, Greenside, Shcherbina & Kundaje 2016): the derivative of the
forecast with respect to the input, times the input. Inputs are scaled, so that an input of 0 is an average one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.base.options import check_options, option
from gatecast.base.text import nearest
from gatecast.batches.windows import Batch, Windows
from gatecast.data.calendar import calendar_names
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.lab.record import Record, record
from gatecast.models.config import BASES, NetConfig
from gatecast.models.model import ForecastModel
from gatecast.training.config import FitConfig

LETTERS = ("i", "f", "g", "o")
MOST_UNITS = 64  # a page with more has no room for a row each


@dataclass(frozen=True)
class InsideConfig:
    """The forecaster that is trained to be looked into: one LSTM layer that reads a row a step."""

    horizon: int = option(12, "steps ahead", least=1, limit=10_000)
    context: int | None = option(None, "rows that the LSTM reads; None: by season and horizon", least=2, limit=2_000)
    hidden_size: int = option(16, "units of the LSTM", least=1, most=MOST_UNITS)
    base: str = option("last", "what the LSTM corrects: last, season, mixture or none", one_of=BASES)
    steps: int = option(300, "training steps at most", least=1, limit=100_000)
    seed: int = option(1, "random seed", least=0, limit=2**53)

    def __post_init__(self) -> None:
        check_options(self)

    def forecaster(self) -> LSTMForecaster:
        """The forecaster, not yet fitted."""
        net = NetConfig(kind="direct", hidden_size=self.hidden_size, base=self.base, dropout=0.0)
        fit = FitConfig(steps=self.steps, progress=False)
        return LSTMForecaster(self.horizon, context=self.context, net=net, fit=fit, seed=self.seed)


@dataclass(frozen=True)
class Inside:
    """One window of a forecaster, with everything in its LSTM.

    Args:
        series: name.
        target: name of the first target.
        times: ``(steps,)`` of the rows read, as the panel counts them.
        values: ``(steps,)`` target in its unit; NaN where missing.
        inputs: names of what the LSTM reads at each step.
        x: ``(steps, inputs)`` what it reads.
        seen: gates and states, batch 1.
        from_x, from_h: ``(4, steps, hidden)`` what input and last output add to each gate (i, f, g, o) before its
            activation.
        bias: ``(4, hidden)`` what the bias adds.
        influence: ``(horizon, steps, inputs)`` gradient × input through the LSTM, in the unit of the target.
        base_influence: ``(horizon, steps)`` the same of the scaled target through what the LSTM corrects.
        forecast: of the whole forecaster.
        forecaster: fitted.
    """

    series: str
    target: str
    times: np.ndarray
    values: np.ndarray
    inputs: tuple[str, ...]
    x: np.ndarray
    seen: Record
    from_x: np.ndarray
    from_h: np.ndarray
    bias: np.ndarray
    influence: np.ndarray
    base_influence: np.ndarray
    forecast: Forecast
    forecaster: LSTMForecaster

    def unit_order(self) -> np.ndarray:
        """Units from the longest memory to the shortest."""
        return np.argsort(-self.seen.memory()[0].numpy(), kind="stable")

    def by_lag(self, step: int | None = None) -> np.ndarray:
        """Influence ``(steps, inputs)``, the last row first, on a step ahead or on the mean of all."""
        table = self.influence.mean(0) if step is None else self.influence[step]
        return np.asarray(table[::-1])


def look_inside(forecaster: LSTMForecaster, panel: Panel | None = None, *, series: str | None = None) -> Inside:
    """What happens in the LSTM of a fitted forecaster while it reads the last window of a series.

    Args:
        forecaster: fitted, of ``NetConfig(kind="direct")`` with one LSTM layer of one direction and the default cell;
            its first member is used.
        panel: data; None: those of ``fit``.
        series: name; None: the first.

    Raises:
        SettingError: for another kind of network.
        UnknownNameError: there is no such series.

    Example:
        >>> from gatecast import datasets
        >>> from gatecast.lab import InsideConfig, look_inside
        >>> panel = datasets.load("air_passengers")
        >>> inside = look_inside(InsideConfig(steps=20).forecaster().fit(panel))
        >>> inside.seen["f"].shape[1:], inside.influence.shape[:2]
        (torch.Size([36, 1, 16]), (12, 36))
    """
    panel = forecaster._panel(panel)
    model = forecaster.models_[0]
    _require_direct(model)
    index = _position(panel, series)
    panel = panel.take(np.array([index]))
    windows = Windows(
        panel, forecaster.shapes_.context, forecaster.horizon, scales=forecaster.scales_, cycles=forecaster.cycles_
    )
    batch = windows.at_origin(torch.zeros(1, dtype=torch.long))
    if forecaster.net is not None and forecaster.net.id_embedding:
        batch = replace(batch, series=torch.tensor([index]))
    model.eval()
    steps = min(windows.context, int(panel.lengths[0]))
    read, influence, base = _influence(model, batch)
    seen = record(model.network, model.scale(batch)[0], batch)
    from_x, from_h, bias = _sums(model.network.lstm, read, seen)
    kept = slice(windows.context - steps, None)
    return Inside(
        series=str(panel.ids[0]),
        target=panel.target_names[0],
        times=panel.times(0)[-steps:],
        values=panel.series(0)[-steps:, 0],
        inputs=_input_names(panel, forecaster),
        x=read[kept].numpy(),
        seen=Record(seen.cell, {name: part[:, kept] for name, part in seen.parts.items()}),
        from_x=from_x[:, kept].numpy(),
        from_h=from_h[:, kept].numpy(),
        bias=bias.numpy(),
        influence=influence[:, kept].numpy(),
        base_influence=base[:, kept].numpy(),
        forecast=forecaster.predict(panel=panel),
        forecaster=forecaster,
    )


def _influence(model: ForecastModel, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
    """What the LSTM reads, and gradient × input through it and around it."""
    past, location, scale = model.scale(batch)
    past = past.requires_grad_()
    read: list[Tensor] = []

    def as_leaf(_: Any, args: tuple[Any, ...]) -> Any:
        read.append(args[0].detach().requires_grad_())
        return (read[0], *args[1:])

    handle = model.network.get_submodule("lstm").register_forward_pre_hook(as_leaf)
    try:
        raw = model._positive(model.network(past, batch), scale) if model.head.positive else model.network(past, batch)
        middle = model.head.quantiles(raw, torch.tensor([0.5]))
        values = middle / scale[..., None] if model.head.positive else middle
        ahead = model.to_unit(values[0:1], location, scale)[0, :, 0, 0]
    finally:
        handle.remove()
    found = [torch.autograd.grad(one, [read[0], past], retain_graph=True, allow_unused=True) for one in ahead]
    empty = torch.zeros_like(past)
    through = torch.stack([one[0][0] * read[0][0] for one in found])
    around = torch.stack([(one[1] if one[1] is not None else empty)[0, :, 0] * past[0, :, 0] for one in found])
    return read[0][0].detach(), through.detach(), around.detach()


@torch.no_grad()
def _sums(lstm: Any, read: Tensor, seen: Record) -> tuple[Tensor, Tensor, Tensor]:
    """What input, last output and bias add to each gate."""
    h = seen["h"][0, :, 0]
    before = torch.cat([torch.zeros_like(h[:1]), h[:-1]])
    from_x, from_h = read @ lstm.weight_ih_l0.T, before @ lstm.weight_hh_l0.T
    biases = [getattr(lstm, name) for name in ("bias_ih_l0", "bias_hh_l0") if getattr(lstm, name, None) is not None]
    bias = sum(biases) if biases else torch.zeros_like(from_x[0])
    assert isinstance(bias, Tensor)
    return from_x.unflatten(1, (4, -1)).movedim(1, 0), from_h.unflatten(1, (4, -1)).movedim(1, 0), bias.view(4, -1)


def _require_direct(model: ForecastModel) -> None:
    """Check that the network is one plain LSTM layer that reads a row a step.

    Raises:
        SettingError: naming the option that differs.
    """
    plain = NetConfig(kind="direct")
    for name in ("kind", "cell", "num_layers", "bidirectional", "go_backwards", "layer_norm", "peephole", "activation"):
        value, wanted = getattr(model.config, name), getattr(plain, name)
        if value != wanted:
            raise SettingError(
                "the page of a cell shows one plain LSTM layer that reads a row a step, not "
                + Arg(name, value, of="NetConfig"),
                "fit with " + Arg(name, wanted, of="NetConfig"),
            )


def _position(panel: Panel, series: str | None) -> int:
    names = [str(name) for name in panel.ids]
    if series is None:
        return 0
    if series not in names:
        close = nearest(series, names)
        raise UnknownNameError(
            f"there is no series {series!r}", f"did you mean {close!r}?" if close else f"the first is {names[0]!r}"
        )
    return names.index(series)


def _input_names(panel: Panel, forecaster: LSTMForecaster) -> tuple[str, ...]:
    targets = panel.target_names
    missing = tuple(f"{name} missing" for name in targets) if forecaster.shapes_.flags else ()
    calendar = calendar_names(panel.freq, forecaster.cycles_)
    return (*targets, *missing, *panel.past_names, *panel.known_names, *calendar)
