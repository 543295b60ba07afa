"""One run, step by step: backtest, verdict, fit on all data, forecast. The commands print and write its outcome."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.cli import models
from gatecast.cli.flags import LEVELS, check_horizon, fit_config, net_config
from gatecast.cli.shell import in_shell
from gatecast.evaluation.forecast import checked_levels

if TYPE_CHECKING:
    from gatecast.cli.console import Console
    from gatecast.cli.flags import LSTMFlags, ModelFlags
    from gatecast.data import Panel
    from gatecast.evaluation import Forecast
    from gatecast.forecasters import Backtest, Forecaster
    from gatecast.models import NetConfig
    from gatecast.training import FitConfig


@dataclass(frozen=True)
class Task:
    """What a command was asked to do.

    Args:
        horizon: steps ahead.
        flags: the model.
        net, fit: its network and training.
        levels: interval levels in percent.
        windows: origins of the backtest; 0 for none.
        step: rows between two origins; None takes the horizon.
        refit: refit the models at every origin.
        future: frame or file with the known covariates of the steps ahead.
        history: keep the last rows of each series in the model file.
    """

    horizon: int
    flags: ModelFlags
    net: NetConfig
    fit: FitConfig
    levels: tuple[float, ...] = LEVELS
    windows: int = 5
    step: int | None = None
    refit: bool = False
    future: Any = None
    history: bool = True

    @classmethod
    def of(
        cls, lstm: LSTMFlags, horizon: int, levels: Sequence[float] = LEVELS, *, progress: bool | None, **more: Any
    ) -> Task:
        """The task that the options of a command describe.

        Raises:
            SettingError: a value is out of range.
        """
        net, fit = net_config(lstm.net), fit_config(lstm.fit, progress=progress)
        return cls(check_horizon(horizon), lstm.model, net, fit, checked_levels(levels), **more)


@dataclass
class Outcome:
    """The results of a run."""

    panel: Panel
    forecast: Forecast
    forecaster: Forecaster
    backtest: Backtest | None = None
    verdict: Any = None
    notes: list[str] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """The run as the report and ``run.json`` show it."""
        describe = getattr(self.forecaster, "describe", None)
        return {
            "model": describe() if describe else {"name": self.forecaster.name},
            "horizon": self.forecast.horizon,
            "levels": list(self.forecast.levels),
            **{f"{name}_seconds": round(value, 2) for name, value in self.seconds.items()},
            "notes": [*self.notes, *self.forecast.notes],
        }


def run_forecast(
    panel: Panel,
    task: Task,
    console: Console,
    *,
    tested: Callable[[Backtest], object],
    fitted: Callable[[Forecaster], object],
) -> Outcome:
    """Backtest, judge, fit on all data and forecast.

    Args:
        panel, task, console: as :func:`gatecast.cli.checks.prepared` gives them.
        tested, fitted: called with the backtest and with the fitted model as soon as they are there, so that a later
            failure does not lose them.
    """
    name = models.check_name(task.flags.model)
    clock = time.perf_counter()
    past, notes = None, []
    if task.windows:
        try:
            past = compare(panel, task, console, name)
        except DataError as error:
            notes.append(f"No backtest: {in_shell(error)}")
    if past is not None:
        tested(past)
    if past is None and name in models.CHOSEN_BY_BACKTEST:
        raise SettingError(Arg("model", name) + " chooses by a backtest, and none could be run", " ".join(notes))
    verdict = past.verdict(models.candidate(past, name)) if past else None
    middle = time.perf_counter()
    forecaster = _chosen(name, past, verdict, task, console)
    with console.doing(f"Fitting {forecaster.name} on all data"):
        forecaster = forecaster.fit(panel)
        fitted(forecaster)
        forecast = forecaster.predict(task.horizon, levels=task.levels)
    seconds = {"backtest": middle - clock, "fit_and_forecast": time.perf_counter() - middle}
    return Outcome(panel, forecast, forecaster, past, verdict, notes, seconds)


def compare(panel: Panel, task: Task, console: Console, name: str) -> Backtest:
    """Backtest the chosen model next to the baselines."""
    from gatecast.forecasters import backtest

    candidates, left_out = line_up(panel, task, name)
    with console.doing("Backtesting " + ", ".join(one.name for one in candidates)):
        return backtest(
            candidates,
            panel,
            task.horizon,
            windows=task.windows,
            step=task.step,
            refit=task.refit,
            levels=task.levels,
            left_out=left_out,
            progress=False,
        )


def line_up(panel: Panel, task: Task, name: str) -> tuple[Sequence[Forecaster], list[str]]:
    """The models of a backtest: the LSTM, or the one named by ``--model``, and the default baselines.

    Where the backtest chooses the model, the zero-shot LSTM is among them.
    """
    from gatecast.forecasters import default_baselines

    baselines, left_out = default_baselines(panel, task.horizon)
    no_files: dict[str, Any] = {"checkpoint": None, "resume": False, "log_dir": None, "log": "csv"}
    quiet = replace(task.fit, progress=False, **no_files)  # only the final fit writes checkpoint and log
    own: list[Forecaster] = (
        [models.lstm(task.horizon, task.flags, task.net, quiet)] if name in ("lstm", *models.CHOSEN_BY_BACKTEST) else []
    )
    if name in models.CHOSEN_BY_BACKTEST:
        own = [*own, models.baseline("zeroshot", task.horizon, task.flags)]
    asked = [] if own else [models.baseline(name, task.horizon, task.flags)]
    baselines = [one for one in baselines if one.name not in {other.name for other in asked}]
    return [*own, *asked, *baselines], list(left_out)


def _chosen(name: str, tested: Backtest | None, verdict: Any, task: Task, console: Console) -> Forecaster:
    """The model that makes the forecast, unfitted."""
    own = models.lstm(task.horizon, task.flags, task.net, replace(task.fit, progress=console.progress))
    if name == "lstm":
        return own
    if name not in models.CHOSEN_BY_BACKTEST:
        return models.baseline(name, task.horizon, task.flags)
    assert tested is not None
    from gatecast.forecasters import Ensemble, best_of

    candidates, _ = line_up(tested.panel, task, name)
    by_name = {one.name: one for one in [*candidates, own]}
    if name == "auto":
        return by_name[verdict.recommended]
    blend = best_of(tested)
    return Ensemble([by_name[member] for member in blend], weights=list(blend.values()))
