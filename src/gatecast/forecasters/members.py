"""The networks of a forecaster: how each is built, and their training from different seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from gatecast.base.errors import DataError
from gatecast.batches.scalers import Scaler
from gatecast.batches.windows import WindowOrigins, Windows
from gatecast.data.panel import Panel
from gatecast.forecasters.linear import LinearAR
from gatecast.forecasters.state_check import with_weights
from gatecast.forecasters.window_plan import steps_of
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.draws import drawing, injected
from gatecast.nn.heads import Head
from gatecast.training.config import FitConfig
from gatecast.training.own_files import require_own_files
from gatecast.training.threads import threads_of

LINEAR_LAGS = 336  # rows that the linear autoregression among the bases looks at, at most


@dataclass(frozen=True)
class Blueprint:
    """What a network is built from.

    Args:
        shapes: sizes of the data.
        net: shape of the network.
        scaler, head: of the network.
        loss_weight: see :class:`gatecast.models.ForecastModel`.
        linear: weights of :func:`linear_weights`; a loaded network has them among its own.
    """

    shapes: Shapes
    net: NetConfig
    scaler: Scaler
    head: Head
    loss_weight: str
    linear: Tensor | None = None

    def build(self) -> ForecastModel:
        """A fresh network, with weights drawn from this thread's generator."""
        with injected():
            return self._built()

    def _built(self) -> ForecastModel:
        model = ForecastModel(self.shapes, self.net, self.scaler, self.head, loss_weight=self.loss_weight)
        if self.linear is not None:
            model.set_linear(self.linear)
        return model

    def load(self, weights: Mapping[str, Tensor], name: str) -> ForecastModel:
        """A network with these weights; nothing is drawn.

        Args:
            weights: as its ``state_dict`` has them.
            name: of the network, for messages.

        Raises:
            SettingError: they are those of another network.
        """
        return with_weights(self._built, weights, name)


@dataclass(frozen=True)
class Trained:
    """Networks after training.

    Args:
        models: one for each seed.
        best_steps: step of the best weights of each.
        history: evaluations of the first.
    """

    models: list[ForecastModel]
    best_steps: list[int]
    history: list[dict[str, Any]]


def train_members(
    blueprint: Blueprint,
    windows: Windows,
    origins: tuple[WindowOrigins, WindowOrigins],
    config: FitConfig,
    *,
    seeds: Sequence[int],
    steps: Sequence[int] | None = None,
) -> Trained:
    """Train a network from each seed.

    Args:
        blueprint: of the networks.
        windows: of the panel.
        origins: windows to learn from, and held back.
        config: settings of training.
        seeds: one for each network.
        steps: of each network, in a second training on all windows; None: as the settings say.
    """
    from gatecast.training.loop import train

    for member in range(len(seeds)):  # of all members, before the first is trained
        require_own_files(*_of_member(config, member, steps))
    models, runs = [], []
    for member, seed in enumerate(seeds):
        own, name = _of_member(config, member, steps)
        with threads_of(config.threads), drawing(seed):
            model, total = blueprint.build(), steps_of(own, origins[0].total)
            runs.append(train(model, windows, *origins, own, steps=total, seed=seed, name=name))
        models.append(model.eval())
    return Trained(models, [run.best_step for run in runs], runs[0].entries)


def _of_member(config: FitConfig, member: int, steps: Sequence[int] | None) -> tuple[FitConfig, str]:
    """Settings and name of one training: each has a checkpoint and a log under a name that no other has."""
    if steps is not None:
        config = replace(config, steps=steps[member], epochs=None)
    if not member and steps is None:
        return config, "training"
    suffix = f"-{'refit' if steps is not None else ''}{member}"
    return with_own_checkpoint(config, suffix), f"training{suffix}"


def with_own_checkpoint(config: FitConfig, suffix: str) -> FitConfig:
    """The settings with another checkpoint in the same folder."""
    if config.checkpoint is None:
        return config
    return replace(config, checkpoint=config.checkpoint.with_name(config.checkpoint.name + suffix))


def linear_weights(
    panel: Panel, horizon: int, context: int, net: NetConfig, seed: int, *, lags: int | None = None
) -> Tensor:
    """``(lags - 1, horizon)`` weights of a linear autoregression fitted to the panel; empty where the net takes none.

    Args:
        panel: fitted on.
        horizon, context: rows to forecast, rows seen.
        net: shape of the network.
        seed: of the regression.
        lags: rows looked at; None chooses them.
    """
    none = torch.zeros(0, horizon)
    if not net.linear or net.base not in ("auto", "mixture") or net.kind == "recursive" or lags == 0:
        return none
    try:
        room = context - max(1, min(horizon, context // 4))  # rows left over to score it on
        fitted = LinearAR(horizon, lags or min(room, LINEAR_LAGS), seed=seed).fit(panel)
    except DataError:  # too short for a regression: the naive forecasts are enough
        return none
    weights = torch.from_numpy(fitted.weights_[:-1]).float()  # the last row is the intercept
    return weights if lags else weights[-max(1, fitted.choice_.lags - 1) :]
