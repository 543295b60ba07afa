"""The LSTM forecaster: from a panel to a trained network, and from a trained network to a forecast."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import ModelFileError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call, Text
from gatecast.base.named import from_text
from gatecast.base.options import CONTEXT, HORIZON, MEMBERS, SEED, Bounds, check_value, require_configs
from gatecast.base.suggest import suggests
from gatecast.batches.scalers import SCALERS, Log1p, Scaler
from gatecast.batches.unit import from_unit, in_unit
from gatecast.batches.windows import InputScales, Windows
from gatecast.data.calendar import calendar_cycles
from gatecast.data.panel import Panel, require_panel
from gatecast.data.schema import Schema
from gatecast.evaluation.forecast import Forecast, level_quantiles
from gatecast.forecasters import kept_rows
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.constant_series import constant_values, notes_of, with_constants
from gatecast.forecasters.floor import Floor, floor_of
from gatecast.forecasters.learned import (
    State,
    fit_in_processes,
    named_from,
    named_state,
    plain,
    portable,
    portable_from,
    prefixed,
    tuples,
    under,
    versions,
)
from gatecast.forecasters.members import Blueprint, linear_weights, train_members
from gatecast.forecasters.panel_check import adapt, positions, require_future
from gatecast.forecasters.predictor import PROBABILITIES, Predictor, calibration_of
from gatecast.forecasters.sanity import diverged, divergence_note
from gatecast.forecasters.size_check import require_memory
from gatecast.forecasters.state_check import check_calibration, check_forecaster, check_input_scales
from gatecast.forecasters.target_checks import require_fit_for, require_nonnegative, require_rows
from gatecast.forecasters.window_plan import WindowPlan
from gatecast.models.calibration import Calibration
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.draws import drawing
from gatecast.nn.heads import HEADS, Head, Point, head_of
from gatecast.nn.losses import LOSSES, Loss
from gatecast.training.config import FitConfig
from gatecast.training.launch import needs_launch, resolve_world
from gatecast.training.paths import require_paths
from gatecast.training.threads import threads_of

if TYPE_CHECKING:
    from gatecast.training.range_test import RateSearch


@suggests(net=NetConfig, fit=FitConfig)
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
        scaler: ``"standard"``, ``"last"``, ``"shift"``, ``"robust"``, ``"mean_abs"``, ``"log1p"``, ``"none"``, a
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

    horizon: int
    kept_: Panel | None  # of a loaded forecaster: the last rows of each series
    _set_last = "models_"
    _fixed_horizon = True
    savable = True

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
        self._check(panel)
        config = resolve_world(self.fit_config or FitConfig())
        if needs_launch(config):
            self._set_learned(*fit_in_processes(self, config, panel))
        else:
            self._train(panel, config)
        self.panel_, self.fit_seconds_ = panel, time.perf_counter() - clock
        return self

    def check(self, panel: Panel) -> None:
        super().check(panel)
        config = resolve_world(self.fit_config or FitConfig())
        self._check(panel)
        self._plan(panel, config)

    def find_lr(self, panel: Panel, *, lowest: float = 1e-6, highest: float = 1.0, steps: int = 100) -> RateSearch:
        """The learning-rate range test on this panel (Smith 2017); see :func:`gatecast.training.find_lr`.

        A separate network is trained for a few steps; the forecaster itself does not change.

        Args:
            panel: what is to be fitted.
            lowest: first rate.
            highest: last rate.
            steps: at most.

        Example:
            >>> from gatecast import FitConfig, LSTMForecaster, datasets
            >>> panel = datasets.load("air_passengers")
            >>> found = LSTMForecaster(12).find_lr(panel)
            >>> 1e-5 < found.suggestion < 1
            True
        """
        from gatecast.training.range_test import find_lr

        self._check(panel)
        config = self.fit_config or FitConfig()
        panel, _ = self._in_unit(panel)
        plan, windows = self._plan(panel, config)
        blueprint = self._blueprint(panel, plan, windows, config)
        rates = {"lowest": lowest, "highest": highest}
        with threads_of(config.threads), drawing(self.seed):
            return find_lr(blueprint.build(), windows, plan.training, config, seed=self.seed, steps=steps, **rates)

    def _train(self, panel: Panel, config: FitConfig) -> None:
        """Train, calibrate on the held-back windows and, where the plan says so, train again on all windows."""
        panel, _ = self._in_unit(panel)
        plan, windows = self._plan(panel, config)
        blueprint = self._blueprint(panel, plan, windows, config)
        seeds = [self.seed + 1000 * member for member in range(self.members)]
        trained = train_members(blueprint, windows, (plan.training, plan.held_back), config, seeds=seeds)
        models, best = trained.models, trained.best_steps
        used = plan.held_back, plan.everything(panel)[0]
        calibration = calibration_of(models, windows, *used, wanted=self.calibrate, seed=self.seed)
        if plan.refits(config):  # for the best number of steps, now with the newest windows too
            lags, net = blueprint.shapes.lags, self._net()
            linear = linear_weights(panel, self.horizon, plan.context, net, self.seed, lags=lags)
            blueprint = replace(blueprint, linear=linear)
            models = train_members(blueprint, windows, plan.everything(panel), config, seeds=seeds, steps=best).models
        self.shapes_, self.scales_, self.cycles_ = blueprint.shapes, windows.scales, self._cycles(panel)
        self.schema_, self.ids_ = panel.schema, tuple(map(str, panel.ids))
        self.floor_ = self._floor(panel)
        self.history_, self.best_steps_, self.windows_ = trained.history, best, plan.training.total
        self.least_rows_ = int(plan.training.first.min())
        self.diverged_ = diverged(self._untrained(blueprint), models, windows, plan.training)
        self.calibration_, self.models_ = calibration, models

    def _untrained(self, blueprint: Blueprint) -> ForecastModel:
        with drawing(self.seed):
            return blueprint.build()

    def _plan(self, panel: Panel, config: FitConfig) -> tuple[WindowPlan, Windows]:
        """The windows of a panel and their use."""
        plan = WindowPlan.of(panel, self.horizon, context=self.context, season=self.season, config=config)
        if self.calibrate is True and not plan.held_back.total:
            raise SettingError(
                Arg("calibrate", True) + " needs held-back windows, and none are held back",
                _how_to_hold_back(panel, config) + ", or take " + Arg("calibrate", "auto"),
            )
        scales, cycles = InputScales.fit(panel), self._cycles(panel)
        return plan, Windows(panel, plan.context, self.horizon, scales=scales, cycles=cycles)

    def _blueprint(self, panel: Panel, plan: WindowPlan, windows: Windows, config: FitConfig) -> Blueprint:
        """The networks to train: their sizes follow from the windows."""
        head, net = self._head(), self._net()
        linear = linear_weights(panel.cut(plan.held_rows), self.horizon, plan.context, net, self.seed)
        shapes = Shapes(
            context=plan.context,
            horizon=self.horizon,
            targets=panel.targets,
            past_inputs=windows.past_width,
            future_inputs=windows.future_width,
            statics=panel.static.shape[1],
            levels=tuple(len(levels) for levels in panel.levels),
            series=len(panel),
            outputs=head.outputs,
            seasons=plan.seasons,
            lags=len(linear) + 1 if len(linear) else 0,
            flags=bool((plan.training.first < plan.context).any()) or not np.isfinite(panel.target).all(),
        )
        return Blueprint(shapes, net, self._scaler(), head, config.loss_weight, linear)

    def _check(self, panel: Panel) -> None:
        """Validate the arguments, and the panel against them."""
        require_panel(panel)
        require_configs(net=(self.net, NetConfig), fit=(self.fit_config, FitConfig))
        for name, (kind, bounds) in _ARGUMENTS.items():
            value = getattr(self, name)
            if value is not None:
                check_value(Arg(name), value, kind, bounds)
        require_memory(self._net(), members=self.members)
        require_paths(self.fit_config or FitConfig())
        require_rows(panel, self.horizon)
        require_fit_for(self._head(), panel)
        self._require_unit(panel)
        if isinstance(self._scaler(), Log1p):
            require_nonnegative(
                panel, "the scaler log1p takes logarithms", "another scaler, e.g. " + Arg("scaler", "standard")
            )

    def _in_unit(self, panel: Panel) -> tuple[Panel, np.ndarray]:
        """The panel with extreme series in units of their own, where each window is scaled by its own values."""
        if self._scaler().relative and not self._head().counts:
            return in_unit(panel)
        return panel, np.zeros((len(panel), panel.targets), np.int64)

    def _require_unit(self, panel: Panel) -> None:
        """Check that values which no scaler brings near 1 are near 1."""
        if self._scaler().relative or isinstance(self._scaler(), Log1p):
            return
        for name, values in panel:
            seen = values[np.isfinite(values).all(axis=1)].astype(np.float64)
            spread = float(seen.std(axis=0).max()) if len(seen) else 0.0
            if spread == 0 or 1e-4 <= spread <= 1e6:
                continue
            kept = "the scaler " + self._scaler().name + " keeps the unit of the data"
            problem = f"{kept}, and the values of series {name!r} spread by {spread:.3g}"
            raise SettingError(problem, "bring them near 1, or take " + Arg("scaler", "standard"))

    def _net(self) -> NetConfig:
        net = self.net or NetConfig()
        return replace(net, kind="segment") if net.kind == "auto" else net

    def _head(self) -> Head:
        return head_of(self.head, self.loss)

    def _scaler(self) -> Scaler:
        if self.scaler == "auto":
            return SCALERS["mean_abs" if self._head().positive else "standard"]()
        return from_text("scaler", self.scaler, SCALERS, choices=("auto", *SCALERS))

    def _cycles(self, panel: Panel) -> tuple[str, ...]:
        """Cycles of the calendar that the panel holds twice; empty without calendar features."""
        if not self.calendar:
            return ()
        return calendar_cycles(panel.freq, panel.starts.min(), int((panel.clock + panel.lengths).max()))

    def _floor(self, panel: Panel) -> Floor:
        """Lower bound of each target, or None."""
        if self.nonnegative is None:
            return floor_of(panel)
        return (0.0 if self.nonnegative else None,) * panel.targets

    def _lower_bounds(self, panel: Panel) -> Floor:
        return self.floor_

    # ── forecasting ───────────────────────────────────────────────────────────────────────────────────────────────
    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        require_future(panel, self.horizon)
        probabilities = level_quantiles(levels)
        places = positions(panel, self.ids_) if self._net().id_embedding else None
        scaled, exponents = self._in_unit(panel)
        windows = Windows(
            scaled, self.shapes_.context, self.horizon, scales=self.scales_, cycles=self.cycles_, origin_only=True
        )
        predictor = Predictor(self.models_, self.calibration_, self.seed)
        quantiles, paths, unobserved = predictor.at_origin(windows, probabilities, samples, places)
        quantiles = from_unit(quantiles[:, :horizon], exponents[:, None, :, None])
        paths = from_unit(paths[:, :, :horizon], exponents[:, None, None]) if samples else paths
        constant = constant_values(panel, self.shapes_.context)
        quantiles = with_constants(quantiles, constant[:, None, :, None])
        return Forecast(
            model=self.name,
            panel=panel,
            mean=quantiles[..., probabilities.index(0.5)],
            probabilities=probabilities,
            quantiles=quantiles,
            samples=with_constants(paths, constant[:, None, None]) if samples else None,
            notes=(
                *divergence_note(self.diverged_),
                *self._notes(panel),
                *notes_of(panel, constant, unobserved, self.shapes_.context),
            ),
        )

    def _adapted(self, panel: Panel) -> Panel:
        panel = adapt(panel, self.schema_)
        if hasattr(self, "panel_"):  # fitted here: a panel is what the caller wants to forecast from, e.g. a backtest
            return panel
        return kept_rows.continued(panel, self.kept_, context=self.shapes_.context, least=self.least_rows_)

    def _own_panel(self) -> Panel | None:
        return self.panel_ if hasattr(self, "panel_") else getattr(self, "kept_", None)

    def _covariate_steps(self) -> int:
        return self.horizon

    def _notes(self, panel: Panel) -> tuple[str, ...]:
        short = int((panel.lengths < self.shapes_.context).sum())
        if not short or self.shapes_.flags:
            return ()
        have = f"{short} series have fewer rows than the context of {self.shapes_.context}"
        return (f"{have}; the rows they lack count as missing, and the network saw no missing values in training",)

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
            "seasons": list(self.shapes_.seasons),
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
            "versions": versions(),
        }

    # ── the model file ────────────────────────────────────────────────────────────────────────────────────────────
    def save(self, path: str | Path, *, history: bool = True) -> Path:
        """Write the fitted forecaster to one ``.gatecast`` file (no pickle).

        Args:
            path: of the file; the suffix is added where it lacks.
            history: keep the last rows of each series (as many as the network reads), so that ``predict`` can be given
                the rows that came after them only. False: no row of the data is in the file.

        Raises:
            NotFittedError: before ``fit``.
            ModelFileError: a head, loss or scaler that is not built in.
        """
        from gatecast.forecasters.model_file import write

        return write(path, *self.to_state(history=history))

    def to_state(self, *, history: bool = True) -> State:
        """Settings and everything learned: facts as JSON holds them, and tensors.

        Args:
            history: with the last rows of each series, as in :meth:`save`.
        """
        if not hasattr(self, "models_"):
            raise NotFittedError("save needs a fitted forecaster", "call " + Call("fit", ...) + " first")
        fit = portable(self.fit_config).to_dict()
        settings = {name: plain(getattr(self, name)) for name in _IN_THE_FILE}
        learned, tensors = self._learned()
        facts = {
            "kind": "forecaster",
            "settings": settings,
            "net": asdict(self._net()),
            "fit": fit,
            "head": _head_state(self._head()),
            "scaler": named_state(self._scaler(), SCALERS),
            "described": {**self.describe(), "fit": fit},
        }
        panel = self._own_panel() if history else None
        if panel is not None:
            facts["kept"], rows = kept_rows.to_state(kept_rows.last_rows(panel, self.shapes_.context))
            tensors |= prefixed("kept", rows)
        return facts | learned, tensors

    @classmethod
    def from_state(cls, facts: dict[str, Any], tensors: dict[str, Tensor]) -> Self:
        """The fitted forecaster that :meth:`to_state` described."""
        check_forecaster(facts, tensors)
        forecaster = cls(
            **facts["settings"],
            context=facts["shapes"]["context"],
            net=NetConfig(**facts["net"]),
            head=named_from(facts["head"], HEADS),
            scaler=named_from(facts["scaler"], SCALERS),
            fit=portable_from(facts["fit"]),
        )
        if facts["shapes"]["outputs"] != forecaster._head().outputs:
            raise SettingError(f"shapes.outputs must be {forecaster._head().outputs}, that of the head")
        forecaster._set_learned(facts, tensors)
        kept = facts.get("kept")  # files of earlier versions keep no rows
        forecaster.kept_ = kept_rows.from_state(kept, under("kept", tensors), forecaster.schema_) if kept else None
        return forecaster

    def _learned(self) -> State:
        """What ``fit`` learned, without the panel."""
        facts = {
            "shapes": asdict(self.shapes_),
            "schema": self.schema_.to_dict(),
            "ids": self.ids_,
            "cycles": self.cycles_,
            "floor": self.floor_,
            "calibration": {"windows": self.calibration_.windows},
            "history": self.history_,
            "best_steps": self.best_steps_,
            "windows": self.windows_,
            "least_rows": self.least_rows_,
            "fit_seconds": self.fit_seconds_,
            "diverged": self.diverged_,
        }
        tensors = prefixed("scales", self.scales_.to_state()) | prefixed("calibration", self.calibration_.to_state())
        for member, model in enumerate(self.models_):
            tensors |= prefixed(f"member{member}", model.state_dict())
        return facts, tensors

    def _set_learned(self, facts: dict[str, Any], tensors: dict[str, Tensor]) -> None:
        """Take over what :meth:`_learned` gave."""
        self.shapes_ = Shapes(**tuples(facts["shapes"]))
        self.schema_, self.ids_ = Schema.from_dict(facts["schema"]), tuple(facts["ids"])
        self.cycles_, self.floor_ = tuple(facts["cycles"]), tuple(facts["floor"])
        self.scales_ = InputScales.from_state(under("scales", tensors))
        windows, calibration = facts["calibration"]["windows"], under("calibration", tensors)
        check_input_scales(under("scales", tensors), self.schema_)
        check_calibration(calibration, self.shapes_.horizon, self.shapes_.targets, len(PROBABILITIES))
        self.calibration_ = Calibration.from_state(PROBABILITIES, calibration, windows)
        self.history_, self.best_steps_ = facts["history"], facts["best_steps"]
        self.diverged_ = facts.get("diverged")  # absent in files of version 0.1
        self.windows_, self.fit_seconds_ = facts["windows"], facts["fit_seconds"]
        short = self.shapes_.flags  # a file of an earlier version: training may have seen short series
        self.least_rows_ = int(facts.get("least_rows", 1 if short else self.shapes_.context))
        weight = (self.fit_config or FitConfig()).loss_weight
        blueprint = Blueprint(self.shapes_, self._net(), self._scaler(), self._head(), weight)
        names = [f"member{member}" for member in range(self.members)]
        self.models_ = [blueprint.load(under(name, tensors), name) for name in names]


_IN_THE_FILE = ("horizon", "season", "calibrate", "members", "calendar", "nonnegative", "seed", "name")
_ARGUMENTS = {
    "horizon": ("int", HORIZON),
    "context": ("int", CONTEXT),
    "members": ("int", MEMBERS),
    "seed": ("int", SEED),
    "calibrate": ("bool | str", Bounds(one_of=(True, False, "auto"))),
}


def _head_state(head: Head) -> dict[str, Any]:
    if isinstance(head, Point) and not isinstance(head.loss, str):
        known = ", ".join(LOSSES)
        raise ModelFileError(f"the loss {type(head.loss).__name__} is not built in and cannot be saved", f"use {known}")
    return named_state(head, HEADS)


def _how_to_hold_back(panel: Panel, config: FitConfig) -> Text:
    """How windows can be held back: they were switched off, or the series are too short."""
    if config.validation == 0:
        return "leave out " + Arg("validation", 0, of="FitConfig")
    rows = int(np.median(panel.lengths))
    return f"a typical series of {rows} rows is too short; hold some back with " + Arg("validation", 1, of="FitConfig")
