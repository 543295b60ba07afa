"""The LSTM forecaster: from a panel to a trained network, and from a trained network to a forecast."""

from __future__ import annotations

import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

import gatecast
from gatecast.data.calendar import calendar_cycles
from gatecast.data.panel import Panel
from gatecast.data.scalers import SCALERS, Scaler
from gatecast.data.windows import Batch, InputScales, Origins, Windows, split_origins
from gatecast.errors import DataError, NotFittedError, SettingError
from gatecast.evaluation.calibration import Calibration, calibrate, identity
from gatecast.evaluation.forecast import DEFAULT_LEVELS, Forecast, level_quantiles
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.contract import Contract
from gatecast.forecasters.linear import LinearAR
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import HEADS, Head, Quantiles, interpolate
from gatecast.training.config import FitConfig

PROBABILITIES = Quantiles().probabilities  # the quantile table kept inside, from which any level is read
LONGEST_CONTEXT = 1024
CHUNK = 1024  # windows in one forward pass of a forecast
CALIBRATION_WINDOWS = 1024
HELD_BACK = 24  # windows of each series to stop and calibrate by, at most
CHEAP_WINDOWS = 20_000
LINEAR_LAGS = 336  # rows that the linear autoregression among the bases looks at, at most


class LSTMForecaster(Forecaster):
    """Forecast a panel with one LSTM network, trained over all its series.

    Args:
        horizon: steps ahead.
        context: rows the network sees; None: four of the shortest season, two of the longest that the series hold
            often enough, at least twice the horizon, at most half of the data.
        season: season length in rows, or several; None takes the panel's.
        net: shape of the network.
        head: ``"quantiles"``, ``"normal"``, ``"student"``, ``"negative_binomial"``, ``"point"``, or a
            :class:`gatecast.nn.heads.Head`.
        scaler: ``"standard"``, ``"last"``, ``"robust"``, ``"mean_abs"``, ``"log1p"``, ``"none"``, a
            :class:`gatecast.data.scalers.Scaler`; ``"auto"``: ``"mean_abs"`` for the negative binomial head, else
            ``"standard"``.
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
        head: str | Head = "quantiles",
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
            DataError: the series are too short for the horizon.
            SettingError: an argument does not fit the data.
            TrainingError: the loss is not finite.
        """
        clock = time.perf_counter()
        config = self.fit_config or FitConfig()
        self._check(panel)
        seasons = _seasons(self.season, panel)
        context = _context(panel, self.horizon, seasons) if self.context is None else self.context
        self.scales_ = InputScales.fit(panel)
        self.cycles_ = _cycles(panel) if self.calendar else ()
        windows = Windows(panel, context, self.horizon, scales=self.scales_, cycles=self.cycles_)
        self.seasons_ = tuple(s for s in seasons if 1 < s <= context)
        stride = self.seasons_[0] if config.origins == "season" and self.seasons_ else 1
        held, apart = _held_back(panel, context, self.horizon, stride)
        held, apart = (held, apart) if config.validation is None else (config.validation, stride)
        training, held_back = split_origins(panel, context, self.horizon, held_back=held, stride=apart)
        if stride > 1:
            training = _aligned(training, panel, stride)
        self.linear_ = self._linear(panel, context, self.horizon + (held - 1) * apart if held else 0)
        self.shapes_ = self._shapes(panel, windows, training)
        self.contract_ = Contract.of(panel)
        self.floor_ = self._floor(panel)
        self.models_: list[ForecastModel] = []
        self.best_steps_: list[int] = []
        self.history_: list[dict[str, Any]] = []
        for member in range(self.members):
            self._train_member(member, windows, training, held_back, config)
        self.calibration_ = self._calibrate(windows, held_back)
        cheap = training.total <= CHEAP_WINDOWS if config.refit is None else config.refit
        if cheap and held_back.total:
            everything, nothing = split_origins(panel, context, self.horizon, held_back=0)
            if stride > 1:
                everything = _aligned(everything, panel, stride)
            steps, self.models_, self.best_steps_ = self.best_steps_, [], []
            self.linear_ = self._linear(panel, context, 0, lags=self.shapes_.lags)
            for member in range(self.members):
                self._train_member(
                    member, windows, everything, nothing, replace(config, steps=steps[member]), refit=True
                )
            self.best_steps_ = steps  # of the run that chose them
        self.windows_ = training.total
        self.panel_ = panel
        self.fit_seconds_ = time.perf_counter() - clock
        return self

    def _train_member(
        self,
        member: int,
        windows: Windows,
        training: Origins,
        held_back: Origins,
        config: FitConfig,
        *,
        refit: bool = False,
    ) -> None:
        from gatecast.training.loop import train

        seed = self.seed + 1000 * member
        steps = config.steps or _steps(training.total, config.batch_size)
        if config.checkpoint is not None and (member or refit):  # a run of its own has a checkpoint of its own
            name = f"{config.checkpoint.name}-{'refit' if refit else ''}{member}"
            config = replace(config, checkpoint=config.checkpoint.with_name(name))
        with _threads(config.threads), torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            model = ForecastModel(
                self.shapes_, self._net(), self._scaler(), self._head(), loss_weight=config.loss_weight
            )
            model.set_linear(self.linear_)
            run = train(model, windows, training, held_back, config, steps=steps, seed=seed)
        model.eval()
        self.models_.append(model)
        self.best_steps_.append(run.best_step)
        self.history_ = self.history_ or run.history

    def _check(self, panel: Panel) -> None:
        if self.horizon < 1:
            raise SettingError(f"horizon counts steps ahead and must be at least 1, got {self.horizon}")
        if self.context is not None and self.context < 2:
            raise SettingError(
                f"context counts the rows looked back on and must be at least 2, got {self.context}; "
                "leave it out to have it chosen"
            )
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

    def _linear(self, panel: Panel, context: int, held: int, *, lags: int | None = None) -> Tensor:
        """``(lags - 1, horizon)`` weights of a linear autoregression fitted before the held-back windows; or empty."""
        net = self.net or NetConfig()
        none = torch.zeros(0, self.horizon)
        if not net.linear or net.base not in ("auto", "mixture") or net.kind == "recursive" or lags == 0:
            return none
        early = panel.cut(held)
        try:
            room = context - max(1, min(self.horizon, context // 4))  # rows left over to try it on
            fitted = LinearAR(self.horizon, lags or min(room, LINEAR_LAGS), seed=self.seed).fit(early)
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
        return _named("head", self.head, HEADS)

    def _scaler(self) -> Scaler:
        if self.scaler == "auto":
            return SCALERS["mean_abs" if self._head().counts else "standard"]()
        return _named("scaler", self.scaler, SCALERS)

    def _floor(self, panel: Panel) -> tuple[float | None, ...]:
        """Least value of each target, or None for no bound."""
        bounded = self.nonnegative
        if bounded is None:
            rows = [np.fmin.reduce(values, axis=0) for _, values in panel if len(values)]  # NaN where all are missing
            return tuple(None if low < 0 else 0.0 for low in np.fmin.reduce(rows, axis=0))
        return (0.0 if bounded else None,) * panel.targets

    def _calibrate(self, windows: Windows, held_back: Origins) -> Calibration:
        wanted = self.calibrate is True or (self.calibrate == "auto" and held_back.total > 0)
        if not wanted or not held_back.total:
            return identity(PROBABILITIES, self.horizon, self.shapes_.targets)
        count = min(held_back.total, CALIBRATION_WINDOWS)
        chosen = torch.linspace(0, held_back.total - 1, count).round().long()
        tables, targets, masks = [], [], []
        with torch.inference_mode():
            for part in chosen.split(CHUNK):
                batch = windows.gather(*held_back.locate(part))
                table, location, scale = self._table(batch)
                tables.append(table)
                targets.append(self.models_[0].to_scaled(batch.target, location, scale))
                masks.append(batch.mask)
        return calibrate(torch.cat(tables), torch.cat(targets), torch.cat(masks), PROBABILITIES)

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
        notes = self._notes(panel)
        windows = Windows(
            panel, self.shapes_.context, self.horizon, scales=self.scales_, cycles=self.cycles_, origin_only=True
        )
        tables, paths = [], []
        generator = torch.Generator().manual_seed(self.seed)
        with torch.inference_mode():
            for part in torch.arange(len(panel)).split(CHUNK):
                table, drawn = self._forecast(windows.at_origin(part), probabilities, samples, generator)
                tables.append(table)
                paths.append(drawn)
        quantiles = torch.cat(tables)[:, :horizon].numpy()
        middle = probabilities.index(0.5)
        return Forecast(
            model=self.name,
            panel=panel,
            mean=quantiles[..., middle],
            probabilities=probabilities,
            quantiles=quantiles,
            samples=torch.cat(paths)[:, :, :horizon].numpy() if samples else None,
            notes=notes,
        )

    def _panel(self, panel: Panel | None, future: Any) -> Panel:
        if panel is None:
            if not hasattr(self, "panel_"):
                raise NotFittedError("a loaded forecaster holds no data; give it some: predict(panel=read_panel(…))")
            panel = self.panel_
        else:
            panel = self.contract_.adapt(panel)
        if future is not None:
            panel = panel.with_future(future)
        self.contract_.require_future(panel, self.horizon)
        return panel

    def _table(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Quantile table ``(batch, horizon, targets, 13)`` in scaled units: the mean of the members' quantiles."""
        wanted = torch.tensor(PROBABILITIES)
        parts = []
        for model in self.models_:
            if model.recursive:
                with torch.random.fork_rng(devices=[]):
                    torch.manual_seed(self.seed)
                    paths, location, scale = model.paths(batch, 200)
                parts.append(torch.quantile(paths, wanted, dim=1).movedim(0, -1))
            else:
                table, location, scale = model.quantiles(batch, wanted)
                parts.append(table)
        return torch.stack(parts).mean(0) if len(parts) > 1 else parts[0], location, scale

    def _forecast(
        self, batch: Batch, probabilities: tuple[float, ...], samples: int | None, generator: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """Quantiles ``(batch, horizon, targets, p)`` and paths ``(batch, n, horizon, targets)`` in the data's unit."""
        table, location, scale = self._table(batch)
        table = self.calibration_(table)
        known = torch.tensor(PROBABILITIES)
        wanted = torch.tensor(probabilities).expand(*table.shape[:-1], -1)
        quantiles = self._unit(interpolate(known, table, wanted), location, scale)
        if not samples:
            return quantiles, quantiles[:0]
        paths = self.calibration_.paths(table, samples, generator)
        return quantiles, self._unit(paths.movedim(1, -1), location, scale).movedim(-1, 1)

    def _unit(self, values: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Scaled values in the unit of the data, cut at the least value."""
        values = self.models_[0].to_unit(values, location, scale)
        for target, low in enumerate(self.floor_):
            if low is not None:
                values[:, :, target].clamp_(min=low)
        return values

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
            "fit": {k: str(v) if isinstance(v, Path) else v for k, v in asdict(self.fit_config or FitConfig()).items()},
            "head": type(self._head()).__name__,
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
                "gatecast": gatecast.__version__,
                "torch": torch.__version__,
                "python": platform.python_version(),
            },
        }

    def save(self, path: str | Path) -> Path:
        """Write the fitted forecaster to one ``.gatecast`` file (no pickle; the data itself is not in it)."""
        from gatecast.forecasters.persist import save

        return save(self, path)


def _named(argument: str, value: Any, table: dict[str, Any]) -> Any:
    """An object as given, or the one of that name with its defaults."""
    if not isinstance(value, str):
        return value
    if value not in table:
        raise SettingError(f"{argument} must be one of {', '.join(table)} or an object of theirs; got {value!r}")
    return table[value]()


def _seasons(season: int | Sequence[int] | None, panel: Panel) -> tuple[int, ...]:
    """Season lengths in ascending order, those that the typical series holds at least twice."""
    if season is not None:
        return tuple(sorted({int(s) for s in np.atleast_1d(season)}))
    typical = float(np.median(panel.lengths))
    return tuple(s for s in panel.freq.cycles if s > 1 and 2 * s <= typical)


def _cycles(panel: Panel) -> tuple[str, ...]:
    """Cycles of the calendar that the panel holds twice."""
    return calendar_cycles(panel.freq, panel.starts.min(), int((panel.clock + panel.lengths).max()))


def _context(panel: Panel, horizon: int, seasons: tuple[int, ...]) -> int:
    """Rows to look back over; see the class."""
    typical = int(np.median(panel.lengths))
    wanted = [2 * horizon, 12]
    if seasons:
        wanted.append(3 * seasons[0])
        wanted += [2 * s for s in seasons[1:] if 5 * s + horizon <= typical]
    room = max((typical - horizon) // 2, min(typical - horizon, 2))
    return int(max(2, min(*[max(wanted)], room, LONGEST_CONTEXT)))


def _held_back(panel: Panel, context: int, horizon: int, stride: int) -> tuple[int, int]:
    """Windows of each series to stop and calibrate by, and rows between them; none where data are few.

    They span the last sixth of the typical series, so that they meet more than one mood of it.
    """
    available = int(np.median(panel.lengths)) - context - 2 * horizon
    if available < max(8, horizon):
        return 0, stride
    if stride > 1:
        return int(min(2, max(1, available // (10 * stride)))), stride
    span = min(available // 3, int(np.median(panel.lengths)) // 6)
    windows = max(1, min(HELD_BACK, span))
    return windows, max(1, span // windows)


def _steps(windows: int, batch_size: int) -> int:
    """Steps for so many windows: forty passes over few, a share of many."""
    return int(min(1500, max(300, 40 * windows // batch_size)))


def _aligned(origins: Origins, panel: Panel, season: int) -> Origins:
    """Only the origins that lie whole seasons before the panel's own."""
    own = torch.from_numpy(panel.lengths.copy())[origins.series]
    offset = (own - origins.first) % season
    count = ((origins.count - 1 - offset).div(season, rounding_mode="floor") + 1).clamp(min=0)
    keep = count > 0
    return Origins(origins.series[keep], (origins.first + offset)[keep], count[keep], season)


class _threads:
    """PyTorch's number of CPU threads inside; the caller's after."""

    def __init__(self, count: int | None) -> None:
        self.count, self.before = count, torch.get_num_threads()

    def __enter__(self) -> None:
        if self.count is not None:
            torch.set_num_threads(self.count)

    def __exit__(self, *error: object) -> None:
        torch.set_num_threads(self.before)
