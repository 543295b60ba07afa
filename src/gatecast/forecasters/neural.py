"""The LSTM forecaster: from a panel to a trained network, and from a trained network to a forecast."""

from __future__ import annotations

import copy
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.named import from_text
from gatecast.base.version import VERSION
from gatecast.batches.scalers import SCALERS, Log1p, Scaler
from gatecast.batches.windows import InputScales, Origins, Windows
from gatecast.data.calendar import calendar_cycles
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.constant_series import held, never_changed, notes_of
from gatecast.forecasters.linear import LinearAR
from gatecast.forecasters.panel_check import adapt, positions, require_future
from gatecast.forecasters.predictor import CHUNK, Predictor, calibration_of
from gatecast.forecasters.target_checks import require_fit_for, require_nonnegative
from gatecast.forecasters.window_plan import Plan, steps_of
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import Head, head_of
from gatecast.nn.losses import Loss
from gatecast.training.config import FitConfig
from gatecast.training.history import History
from gatecast.training.launch import launch, needs_launch, resolve_world
from gatecast.training.threads import threads_of

if TYPE_CHECKING:
    from gatecast.training.range_test import RateSearch

LINEAR_LAGS = 336  # rows that the linear autoregression among the bases looks at, at most


class LSTMForecaster(Forecaster):
    """Forecast a panel with one LSTM network, trained over all its series.

    Args:
        horizon: steps ahead.
        context: rows the network sees; None: three of the shortest season, two of the longest that the series hold
            often enough, at least twice the horizon, at most half of the data.
        season: season length in rows, or several; None takes the panel's.
        net: shape of the network.
        head: ``"quantiles"``, ``"normal"``, ``"student"``, ``"negative_binomial"``, ``"poisson"``, ``"tweedie"``,
            ``"point"``, or a :class:`gatecast.nn.heads.Head`; ``"auto"``: ``"quantiles"``, and ``"point"`` where a loss
            is given.
        loss: what a point forecast minimises: ``"mse"``, ``"huber(delta=0.5)"`` and the other names of
            ``gatecast.nn.LOSSES``, or a :class:`gatecast.nn.losses.Loss`; None: what the head itself has.
        scaler: ``"standard"``, ``"last"``, ``"robust"``, ``"mean_abs"``, ``"log1p"``, ``"none"``, a
            :class:`gatecast.batches.scalers.Scaler`; ``"auto"``: ``"mean_abs"`` where head or loss is of counts or
            amounts (negative binomial, Poisson, Tweedie), else ``"standard"``.
        fit: settings of training.
        calibrate: stretch the intervals to their coverage on held-back windows; ``"auto"``: where there are any.
        members: networks of different seeds whose quantiles are averaged.
        calendar: feed hour, weekday and season of the year, by the panel's frequency; a cycle that the panel does not
            hold twice is left out.
        nonnegative: cut forecasts at 0; None: where no observed target is negative.
        seed: of everything random; the same seed gives the same forecast on the same machine.
        name: column name of the forecast.

    Example:
        >>> import numpy as np
        >>> from gatecast import FitConfig, LSTMForecaster, Panel
        >>> panel = Panel.from_arrays([np.sin(np.arange(120) * 2 * np.pi / 12)], freq="MS")
        >>> model = LSTMForecaster(12, fit=FitConfig(steps=20)).fit(panel)
        >>> model.predict().mean.shape
        (1, 12, 1)
    """

    def __init__(
        self,
        horizon: int,
        *,
        context: int | None = None,
        season: int | Sequence[int] | None = None,
        net: NetConfig | None = None,
        head: str | Head = "auto",
        loss: str | Loss | None = None,
        scaler: str | Scaler = "auto",
        fit: FitConfig | None = None,
        calibrate: bool | str = "auto",
        members: int = 1,
        calendar: bool = True,
        nonnegative: bool | None = None,
        seed: int = 1,
        name: str = "LSTM",
    ) -> None:
        self.horizon = horizon
        self.context = context
        self.season = season
        self.net = net
        self.head = head
        self.loss = loss
        self.scaler = scaler
        self.fit_config = fit
        self.calibrate = calibrate
        self.members = members
        self.calendar = calendar
        self.nonnegative = nonnegative
        self.seed = seed
        self.name = name

    # ── learning ──────────────────────────────────────────────────────────────────────────────────────────────────
    def fit(self, panel: Panel) -> Self:
        """Train on every window up to the panel's origin.

        Raises:
            DataError: the series are too short for the horizon, or no counts where the head expects them.
            SettingError: an argument does not fit the data.
            TrainingError: the loss is not finite.
        """
        clock = time.perf_counter()
        config = resolve_world(self.fit_config or FitConfig())
        if needs_launch(config):
            self._check(panel)
            return self._fit_in_processes(panel, config)
        plan, windows = self._prepare(panel, config)
        self.history_: list[dict[str, Any]] = []
        self.models_, self.best_steps_ = self._train_members(windows, plan.training, plan.held_back, config)
        self.calibration_ = calibration_of(self.models_, windows, plan.held_back, wanted=self.calibrate, seed=self.seed)
        if plan.refits(config):  # for as many steps as were best, now with the newest windows too
            self.linear_ = self._linear(panel, plan.context, lags=self.shapes_.lags)
            self.models_, _ = self._train_members(windows, *plan.everything(panel), config, steps=self.best_steps_)
        self.windows_ = plan.training.total
        self.panel_ = panel
        self.fit_seconds_ = time.perf_counter() - clock
        return self

    def _prepare(self, panel: Panel, config: FitConfig) -> tuple[Plan, Windows]:
        """Look at the panel before training: its windows and their use, and the shapes of the network."""
        self._check(panel)
        plan = Plan.of(panel, self.horizon, context=self.context, season=self.season, config=config)
        if self.calibrate is True and not plan.held_back.total:
            why = "FitConfig(validation=0) asks for none" if config.validation == 0 else _too_few(panel)
            raise SettingError(
                f"calibrate=True needs held-back windows, and there are none: {why}; or take calibrate='auto'"
            )
        self.scales_ = InputScales.fit(panel)
        self.cycles_ = _cycles(panel) if self.calendar else ()
        windows = Windows(panel, plan.context, self.horizon, scales=self.scales_, cycles=self.cycles_)
        self.seasons_ = plan.seasons
        self.linear_ = self._linear(panel.cut(plan.held_rows), plan.context)
        self.shapes_: Shapes = self._shapes(panel, windows, plan.training)
        self.schema_, self.ids_ = panel.schema, tuple(map(str, panel.ids))
        self.floor_ = self._floor(panel)
        return plan, windows

    def find_lr(self, panel: Panel, *, lowest: float = 1e-6, highest: float = 1.0, steps: int = 100) -> RateSearch:
        """The learning-rate range test on this panel (Smith 2017); see :func:`gatecast.training.find_lr`.

        A network of its own is trained for a few steps; nothing about the forecaster changes.

        Args:
            panel: what is to be fitted.
            lowest, highest: first and last rate.
            steps: at most.

        Example:
            >>> from gatecast import FitConfig, LSTMForecaster, datasets
            >>> panel = datasets.load("air_passengers")
            >>> found = LSTMForecaster(12).find_lr(panel)
            >>> 1e-5 < found.suggestion < 1
            True
        """
        from gatecast.training.range_test import find_lr

        config, probe = self.fit_config or FitConfig(), copy.copy(self)
        plan, windows = probe._prepare(panel, config)
        with threads_of(config.threads), torch.random.fork_rng(devices=[]):
            model = probe._network(self.seed, config)
            rates = {"lowest": lowest, "highest": highest}
            return find_lr(model, windows, plan.training, config, seed=self.seed, steps=steps, **rates)

    def _network(self, seed: int, config: FitConfig) -> ForecastModel:
        """A fresh network for the panel that was prepared."""
        torch.manual_seed(seed)
        model = ForecastModel(self.shapes_, self._net(), self._scaler(), self._head(), loss_weight=config.loss_weight)
        model.set_linear(self.linear_)
        return model

    def _fit_in_processes(self, panel: Panel, config: FitConfig) -> Self:
        """Fit in processes of their own, and take over what the first one has learned."""
        clock = time.perf_counter()
        threads = config.threads or max(1, torch.get_num_threads() // config.devices)
        vars(self).update(launch(_learned, self, panel, processes=config.devices, threads=threads))
        self.panel_, self.fit_seconds_ = panel, time.perf_counter() - clock
        return self

    def _train_members(
        self,
        windows: Windows,
        training: Origins,
        held_back: Origins,
        config: FitConfig,
        *,
        steps: Sequence[int] | None = None,
    ) -> tuple[list[ForecastModel], list[int]]:
        """The networks of all members and their best steps; ``steps`` of each are given in a second training."""
        models, best = [], []
        for member in range(self.members):
            own = config if steps is None else replace(config, steps=steps[member], epochs=None)
            model, run = self._train_member(member, windows, training, held_back, own, refit=steps is not None)
            models.append(model)
            best.append(run.best_step)
            self.history_ = self.history_ or run.entries
        return models, best

    def _train_member(
        self,
        member: int,
        windows: Windows,
        training: Origins,
        held_back: Origins,
        config: FitConfig,
        *,
        refit: bool,
    ) -> tuple[ForecastModel, History]:
        from gatecast.training.loop import train

        seed = self.seed + 1000 * member
        steps, suffix = steps_of(config, training.total), ""
        if member or refit:  # a run of its own has a checkpoint and a log of its own
            suffix = f"-{'refit' if refit else ''}{member}"
        if config.checkpoint is not None and suffix:
            config = replace(config, checkpoint=config.checkpoint.with_name(config.checkpoint.name + suffix))
        with threads_of(config.threads), torch.random.fork_rng(devices=[]):
            model = self._network(seed, config)
            name = f"training{suffix}"
            run = train(model, windows, training, held_back, config, steps=steps, seed=seed, name=name)
        return model.eval(), run

    def _check(self, panel: Panel) -> None:
        if self.horizon < 1:
            raise SettingError(f"horizon counts steps ahead and must be at least 1, got {self.horizon}")
        if self.context is not None and self.context < 2:
            raise SettingError(
                f"context counts the rows looked back on and must be at least 2, got {self.context}; "
                "leave it out to have it chosen"
            )
        if self.members < 1:
            raise SettingError(f"members counts networks and must be at least 1, got {self.members}")
        if not isinstance(self.calibrate, bool) and self.calibrate != "auto":
            raise SettingError(f"calibrate must be True, False or 'auto', got {self.calibrate!r}")
        if not len(panel):
            raise DataError(f"{panel.source}: the panel has no series")
        longest = int(panel.lengths.max())
        if longest < self.horizon + 2:
            raise DataError(
                f"{panel.source}: horizon {self.horizon} needs at least {self.horizon + 2} rows in a series, the "
                f"longest ({panel.ids[int(panel.lengths.argmax())]}) has {longest}; ask for a shorter horizon or bring "
                "more data"
            )
        if not np.isfinite(panel.target).any():
            raise DataError(f"{panel.source}: no value of {', '.join(panel.target_names)} is observed")
        require_fit_for(self._head(), panel)
        if isinstance(self._scaler(), Log1p):
            require_nonnegative(panel, "the scaler 'log1p' takes logarithms", "another scaler (standard, mean_abs)")

    def _linear(self, panel: Panel, context: int, *, lags: int | None = None) -> Tensor:
        """``(lags - 1, horizon)`` weights of a linear autoregression fitted to the panel; or empty."""
        net = self.net or NetConfig()
        none = torch.zeros(0, self.horizon)
        if not net.linear or net.base not in ("auto", "mixture") or net.kind == "recursive" or lags == 0:
            return none
        try:
            room = context - max(1, min(self.horizon, context // 4))  # rows left over to try it on
            fitted = LinearAR(self.horizon, lags or min(room, LINEAR_LAGS), seed=self.seed).fit(panel)
        except DataError:  # too short for a regression: the naive forecasts stand alone
            return none
        weights = torch.from_numpy(fitted.weights_[:-1]).float()  # the last row is the intercept
        return weights if lags else weights[-max(1, fitted.choice_.lags - 1) :]

    def _shapes(self, panel: Panel, windows: Windows, training: Origins) -> Shapes:
        padded = bool((training.first < windows.context).any())
        return Shapes(
            context=windows.context,
            horizon=self.horizon,
            targets=panel.targets,
            past_inputs=windows.past_width,
            future_inputs=windows.future_width,
            statics=panel.static.shape[1],
            levels=tuple(len(levels) for levels in panel.levels),
            series=len(panel),
            outputs=self._head().outputs,
            seasons=self.seasons_,
            lags=len(self.linear_) + 1 if len(self.linear_) else 0,
            flags=padded or not np.isfinite(panel.target).all(),
        )

    def _net(self) -> NetConfig:
        config = self.net or NetConfig()
        if config.kind == "auto":
            config = replace(config, kind="segment")
        return config

    def _head(self) -> Head:
        return head_of(self.head, self.loss)

    def _scaler(self) -> Scaler:
        if self.scaler == "auto":
            return SCALERS["mean_abs" if self._head().positive else "standard"]()
        return from_text("scaler", self.scaler, SCALERS)

    def _floor(self, panel: Panel) -> tuple[float | None, ...]:
        """Least value of each target, or None for no bound."""
        bounded = self.nonnegative
        if bounded is None:
            rows = [np.fmin.reduce(values, axis=0) for _, values in panel if len(values)]  # NaN where all are missing
            return tuple(None if low < 0 else 0.0 for low in np.fmin.reduce(rows, axis=0))
        return (0.0 if bounded else None,) * panel.targets

    # ── forecasting ───────────────────────────────────────────────────────────────────────────────────────────────
    def predict(
        self,
        horizon: int | None = None,
        *,
        panel: Panel | None = None,
        levels: Sequence[float] = DEFAULT_LEVELS,
        samples: int | None = None,
        future: Any = None,
    ) -> Forecast:
        """Forecast from the panel's origin (default: the panel of ``fit``). See :meth:`Forecaster.predict`.

        Raises:
            NotFittedError: before ``fit``.
            DataError: the panel's columns differ from training, or a known covariate of the future is missing.
        """
        if not hasattr(self, "models_"):
            raise NotFittedError("predict needs a fitted forecaster; call fit(panel) first, or gatecast.load(path)")
        horizon = self.horizon if horizon is None else horizon
        if not 1 <= horizon <= self.horizon:
            raise SettingError(
                f"this forecaster was fitted for horizon {self.horizon}; got horizon={horizon}; "
                f"make one with LSTMForecaster({horizon}) and fit it"
            )
        panel = self._panel(panel, future)
        probabilities = level_quantiles(levels)
        quantiles, paths, blind = self._forecast(panel, probabilities, samples)
        still = never_changed(panel, self.shapes_.context)
        quantiles = held(quantiles[:, :horizon], still[:, None, :, None])
        middle = probabilities.index(0.5)
        return Forecast(
            model=self.name,
            panel=panel,
            mean=quantiles[..., middle],
            probabilities=probabilities,
            quantiles=quantiles,
            samples=held(paths[:, :, :horizon], still[:, None, None]) if samples else None,
            notes=(*self._notes(panel), *notes_of(panel, still, blind, self.shapes_.context)),
        )

    def _forecast(
        self, panel: Panel, probabilities: tuple[float, ...], samples: int | None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Quantiles and paths of every series, and ``(series, targets)`` True where the context holds no value."""
        windows = Windows(
            panel, self.shapes_.context, self.horizon, scales=self.scales_, cycles=self.cycles_, origin_only=True
        )
        predictor = Predictor(self.models_, self.calibration_, self.floor_, self.seed)
        places = torch.from_numpy(positions(panel, self.ids_)) if self._net().id_embedding else None
        tables, paths, blind = [], [], []
        generator = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode():
            for part in torch.arange(len(panel)).split(CHUNK):
                batch = windows.at_origin(part)
                if places is not None:  # the vectors belong to names; the order of the panel is its own
                    batch = replace(batch, series=places[part])
                blind.append(~batch.observed.any(1))
                table, drawn = predictor(batch, probabilities, samples, generator)
                tables.append(table)
                paths.append(drawn)
        return torch.cat(tables).numpy(), torch.cat(paths).numpy(), torch.cat(blind).numpy()

    def _panel(self, panel: Panel | None, future: Any) -> Panel:
        if panel is None:
            if not hasattr(self, "panel_"):
                raise NotFittedError("a loaded forecaster holds no data; give it some: predict(panel=read_panel(…))")
            panel = self.panel_
        else:
            panel = adapt(panel, self.schema_)
        if future is not None:
            from gatecast.data.read.future import add_future  # brings pandas

            panel = add_future(panel, future, horizon=self.horizon)
        require_future(panel, self.horizon)
        return panel

    def _notes(self, panel: Panel) -> tuple[str, ...]:
        short = int((panel.lengths < self.shapes_.context).sum())
        if short and not self.shapes_.flags:
            return (
                f"{short} series have fewer rows than the context of {self.shapes_.context}; what they lack counts as "
                "missing, which this network has not met in training",
            )
        return ()

    # ── about ─────────────────────────────────────────────────────────────────────────────────────────────────────
    @property
    def parameters_(self) -> int:
        """Number of learned numbers in all members."""
        return sum(p.numel() for model in self.models_ for p in model.parameters())

    @property
    def best_step_(self) -> int:
        """Step of the first member's best weights."""
        return self.best_steps_[0]

    def describe(self) -> dict[str, Any]:
        """What ran, for the report and the model file."""
        return {
            "model": self.name,
            "horizon": self.horizon,
            "context": self.shapes_.context,
            "seasons": list(self.seasons_),
            "net": asdict(self._net()),
            "input_size": self.models_[0].input_size,
            "fit": resolve_world(self.fit_config or FitConfig()).to_dict(),
            "head": type(self._head()).__name__,
            "loss": self._head().minimised,
            "scaler": self._scaler().name,
            "members": self.members,
            "parameters": self.parameters_,
            "windows": self.windows_,
            "best_steps": list(self.best_steps_),
            "held_back_windows": self.calibration_.windows,
            "seed": self.seed,
            "seconds": round(self.fit_seconds_, 3),
            "threads": torch.get_num_threads(),
            "versions": {
                "gatecast": VERSION,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def save(self, path: str | Path) -> Path:
        """Write the fitted forecaster to one ``.gatecast`` file (no pickle; the data itself is not in it)."""
        from gatecast.forecasters.model_file import save

        return save(self, path)


def _learned(forecaster: LSTMForecaster, panel: Panel) -> dict[str, Any]:
    """What the forecaster learns from the panel, without the panel."""
    forecaster.fit(panel)
    return {name: value for name, value in vars(forecaster).items() if name.endswith("_") and name != "panel_"}


def _too_few(panel: Panel) -> str:
    """Why nothing is held back of itself, and how it can be."""
    typical = int(np.median(panel.lengths))
    return f"a typical series of {typical} rows is too short to give any up; ask for some by FitConfig(validation=1)"


def _cycles(panel: Panel) -> tuple[str, ...]:
    """Cycles of the calendar that the panel holds twice."""
    return calendar_cycles(panel.freq, panel.starts.min(), int((panel.clock + panel.lengths).max()))
