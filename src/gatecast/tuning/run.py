"""``tune``: trials on folds, a last round with other seeds, one test, and the winner fitted on all rows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, OneOf, Search, check_value
from gatecast.data.panel import Panel, require_panel
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.parallel import Workers, check_workers
from gatecast.forecasters.progress import progress_bar
from gatecast.training.config import FitConfig
from gatecast.tuning.final import last_round, test_part
from gatecast.tuning.folds import Folds
from gatecast.tuning.result import Tuning
from gatecast.tuning.space import OF_A_RUN, applied, plain, ranges, settings_of, usual
from gatecast.tuning.study import Study, identity_of
from gatecast.tuning.trials import run_round

ROUND = 4  # trials begun at once, independent of the number of workers


def tune(
    panel: Panel,
    horizon: int,
    *,
    model: LSTMForecaster | None = None,
    fields: Sequence[str] | Mapping[str, Search] | None = None,
    trials: int = 40,
    minutes: float | None = None,
    folds: int = 3,
    test: int = 3,
    storage: str | Path | None = None,
    workers: Workers = None,
    seed: int = 1,
    progress: bool | None = None,
) -> Tuning:
    """Search for settings of the LSTM that forecast this panel better than the default ones.

    Each trial is fitted before each of ``folds`` stretches of the past and forecasts over them; one that is worse than
    the median of the trials before it is stopped after a fold. The three best and the default are then fitted again
    with two other seeds. The best of them wins whose gain over the default has a two-sided p below 0.2 in a paired t
    test over the windows that do not overlap. The last ``test × horizon`` rows take no part in this: winner and default
    are scored on them once.

    Args:
        panel: the series.
        horizon: steps ahead.
        model: with the settings that are not searched, and those of the first trial; None: the default.
        fields: names of the fields to search, such as ``"net.hidden_size"``, or a mapping from names to ranges; None:
            :data:`gatecast.tuning.FIELDS`.
        trials: in all, with those of an earlier call that is continued.
        minutes: time after which no further round of trials begins; the last round, the test and the fit still run.
        folds: stretches of the past that settings are compared on.
        test: windows at the end that the search does not see; 0: none.
        storage: SQLite file that keeps the search, so that it can be continued; None: in memory.
        workers: None: one trial after the other; a number of local processes; ``"ray"``: a Ray cluster. The trials are
            the same.
        seed: of the search.
        progress: show a progress bar; None: on a terminal.

    Raises:
        DataError: the series are too short.
        SettingError: an argument is out of range, or ``storage`` holds another search.
        MissingExtraError: Optuna is not installed.
        GatecastError: the default settings cannot be fitted.

    Example:
        >>> from gatecast import FitConfig, LSTMForecaster, NetConfig, datasets, tune
        >>> small = LSTMForecaster(6, net=NetConfig(hidden_size=8), fit=FitConfig(steps=3, progress=False))
        >>> found = tune(datasets.load("air_passengers"), 6, model=small, fields=["scaler", "net.dropout"], trials=2)
        >>> [trial.state for trial in found.trials]
        ['complete', 'complete']
        >>> found.model.predict().mean.shape
        (1, 6, 1)
    """
    clock = time.perf_counter()
    check_size(trials=trials, minutes=minutes, folds=folds, test=test)
    _check_horizon(horizon, model)
    check_workers(workers)
    base = _quiet(model or LSTMForecaster(horizon))
    require_panel(panel)
    plan, notes = Folds.of(panel, horizon, folds=folds, test=test)
    seen = panel.cut(plan.held_out) if plan.held_out else panel
    searched = ranges(fields, base, seen)
    default = {name: _within(usual(name, base, seen), limits) for name, limits in searched.items()}
    known = identity_of(
        panel,
        columns=[panel.target_names, panel.past_names, panel.known_names, panel.static_names, panel.category_names],
        **asdict(plan),
        fields={name: plain(limits) for name, limits in searched.items()},
        settings=settings_of(base, {}),
        more={name: getattr(base, name) for name in _MORE},
        seed=seed,
    )
    study = Study(Path(storage) if storage else None, known, searched, default, seed=seed)
    with progress_bar("tuning", trials, progress) as advance:
        advance(len(study.trials), _state(study))
        while len(study.trials) < trials and not (study.trials and _over(minutes, clock)):
            done = len(study.trials)
            run_round(study, base, seen, plan, min(ROUND, trials - done), workers)
            advance(len(study.trials) - done, _state(study))
    last = last_round(study, base, seen, plan, workers)
    settings = last.winner.settings
    chosen = applied(base, settings)
    tested = test_part(study, base, chosen if settings else None, panel, plan, workers)
    fitted = _loud(chosen, model).fit(panel)
    return Tuning(
        model=fitted,
        settings=settings,
        metric=last.metric,
        folds=plan,
        fields=searched,
        trials=study.trials,
        finalists=last.finalists,
        test=tested,
        importance=study.importance(),
        notes=[*notes, *_failures(study)],
        seconds=time.perf_counter() - clock,
        source=panel.source,
    )


_MORE = ("season", "calibrate", "calendar", "nonnegative")  # arguments that a file of settings does not name


def _quiet(model: LSTMForecaster) -> LSTMForecaster:
    """The model without a progress bar, checkpoints and logs: it is fitted many times."""
    plain = FitConfig(progress=False)
    return _fitted_with(model, {name: getattr(plain, name) for name in OF_A_RUN})


def _loud(chosen: LSTMForecaster, model: LSTMForecaster | None) -> LSTMForecaster:
    """The chosen model with the progress bar, checkpoints and logs of the given one: for the last fit."""
    own = (model.fit_config if model is not None else None) or FitConfig()
    return _fitted_with(chosen, {name: getattr(own, name) for name in OF_A_RUN})


def _fitted_with(model: LSTMForecaster, changes: Mapping[str, Any]) -> LSTMForecaster:
    twin = model.clone()
    twin.fit_config = replace(model.fit_config or FitConfig(), **changes)
    return twin


def _within(value: Any, limits: Search) -> Any:
    """The value; None, where the data would choose it, becomes the middle of the range."""
    if value is not None or isinstance(limits, OneOf):
        return value
    middle = (limits.low * limits.high) ** 0.5 if limits.log else (limits.low + limits.high) / 2
    return round(middle) if isinstance(limits.low, int) else middle


def check_size(*, trials: int, minutes: float | None, folds: int, test: int) -> None:
    """Check the size of a search.

    Raises:
        SettingError: one of the numbers is too small or not a number.
    """
    for name, value, least in (("trials", trials, 1), ("folds", folds, 1), ("test", test, 0)):
        check_value(Arg(name), value, "int", Bounds(least=least))
    if minutes is not None:
        check_value(Arg("minutes"), minutes, "float", Bounds(above=0))


def _check_horizon(horizon: int, model: LSTMForecaster | None) -> None:
    check_value(Arg("horizon"), horizon, "int", Bounds(least=1))
    if model is not None and model.horizon != horizon:
        problem = f"the model has a horizon of {model.horizon}, the search one of {horizon}"
        raise SettingError(problem, "take the same " + Arg("horizon"))


def _over(minutes: float | None, clock: float) -> bool:
    return minutes is not None and time.perf_counter() - clock >= 60 * minutes


def _failures(study: Study) -> list[str]:
    failed = [one for one in study.trials if one.state == "failed"]
    if not failed:
        return []
    return [
        f"{len(failed)} of {len(study.trials)} trials failed; the first (trial {failed[0].number}): {failed[0].error}"
    ]


def _state(study: Study) -> str:
    """The best loss so far, relative to the default."""
    done = [one for one in study.trials if one.state == "complete"]
    if not done or not (first := done[0].loss):
        return ""
    return f"best {min(one.loss or np.inf for one in done) / first:.3f} of the default"
