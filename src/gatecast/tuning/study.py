"""The trials, kept by Optuna in memory or in one SQLite file, from which a stopped search continues.

Trials run in rounds of a fixed size. The settings of a round depend only on the trials before it and on the seed, so
that a search that was stopped, or one with many workers, gives the same result.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError, require
from gatecast.base.findings import Arg
from gatecast.base.options import Search
from gatecast.data.panel import Panel
from gatecast.tuning.folds import overall
from gatecast.tuning.result import Trial
from gatecast.tuning.space import distribution

NAME = "gatecast"
_STATES = {"COMPLETE": "complete", "PRUNED": "pruned", "FAIL": "failed"}


class Study:
    """An Optuna study of one search.

    Args:
        storage: SQLite file; None: in memory.
        identity: of the search; a file with another identity is refused.
        fields: what is searched.
        default: the value of each field in the default settings.
        seed: of the sampler.

    Raises:
        MissingExtraError: Optuna is not installed.
        SettingError: the file holds another search, or is not a search.
    """

    def __init__(
        self,
        storage: Path | None,
        identity: Mapping[str, Any],
        fields: Mapping[str, Search],
        default: Mapping[str, Any],
        *,
        seed: int,
    ) -> None:
        self.optuna = require("optuna", extra="tune", purpose="a search for settings")
        self.optuna.logging.set_verbosity(self.optuna.logging.WARNING)
        self.default, self.seed = dict(default), seed
        self.distributions = {name: distribution(limits) for name, limits in fields.items()}
        self.study = self._open(storage)
        known = self.study.user_attrs.get("identity")
        if known is None:
            self.study.set_user_attr("identity", dict(identity))
        else:
            _require_same(storage, known, dict(json.loads(json.dumps(identity))))
        for trial in self.study.get_trials(deepcopy=False):
            if trial.state.name == "RUNNING":  # of a stopped run: it has no message and is ignored
                self.study.tell(trial.number, state=self.optuna.trial.TrialState.FAIL)

    def _open(self, storage: Path | None) -> Any:
        pruner = self.optuna.pruners.MedianPruner(n_startup_trials=5)
        try:
            with _quiet():
                kept = None if storage is None else self.optuna.storages.RDBStorage(_url(storage))
                return self.optuna.create_study(study_name=NAME, storage=kept, pruner=pruner, load_if_exists=True)
        except Exception as error:
            problem = f"the file cannot be used for a search ({type(error).__name__}: {str(error).splitlines()[0]})"
            raise SettingError(problem, "name another file: " + Arg("storage", ...), place=str(storage)) from error

    @property
    def trials(self) -> list[Trial]:
        """The trials that ended, numbered in the order of the search."""
        ended = [t for t in self.study.get_trials(deepcopy=False) if t.state.name in ("COMPLETE", "PRUNED")]
        ended += [
            t for t in self.study.get_trials(deepcopy=False) if t.state.name == "FAIL" and "error" in t.user_attrs
        ]
        return [_trial(place, one, self.default) for place, one in enumerate(sorted(ended, key=lambda t: t.number))]

    def ask(self, count: int) -> list[Any]:
        """The next trials; the first of all has the default settings."""
        done = len(self.trials)
        own = int(np.random.SeedSequence([self.seed, done]).generate_state(1)[0])
        with _quiet():
            self.study.sampler = self.optuna.samplers.TPESampler(seed=own, multivariate=True, constant_liar=True)
            if not done:
                self.study.enqueue_trial(self.default, skip_if_exists=True)
            return [self.study.ask(self.distributions) for _ in range(count)]

    def tell(self, trial: Any, losses: list[list[float]], seconds: float, *, pruned: bool, error: str) -> None:
        """Record how a trial ended."""
        states = self.optuna.trial.TrialState
        trial.set_user_attr("losses", losses)
        trial.set_user_attr("seconds", round(seconds, 3))
        if error:
            trial.set_user_attr("error", error)
            self.study.tell(trial, state=states.FAIL)
        elif pruned:
            self.study.tell(trial, state=states.PRUNED)
        else:
            self.study.tell(trial, overall(losses))

    def kept(self, name: str) -> Any:
        """A value stored with the trials; None if it is not there."""
        return self.study.user_attrs.get(name)

    def keep(self, name: str, value: Any) -> None:
        """Store a value, as JSON holds it, with the trials."""
        self.study.set_user_attr(name, value)

    def importance(self) -> dict[str, float]:
        """Importance of each field for reaching the best quarter; empty for fewer than ten complete trials."""
        complete = [t for t in self.trials if t.state == "complete"]
        if len(complete) < 10 or len({t.loss for t in complete}) < 3:
            return {}
        with _quiet():
            evaluator = self.optuna.importance.PedAnovaImportanceEvaluator(target_quantile=0.25)
            found = self.optuna.importance.get_param_importances(self.study, evaluator=evaluator)
        return {name: round(float(value), 4) for name, value in found.items() if np.isfinite(value)}


def identity_of(panel: Panel, **settings: Any) -> dict[str, Any]:
    """The identity of a search: its data and everything else that the trials depend on, as JSON holds it."""
    return dict(json.loads(json.dumps({"data": panel.digest(), **settings}, default=str)))


def _url(storage: Path) -> str:
    """The URL of the file, special characters escaped."""
    from sqlalchemy.engine import URL

    return URL.create("sqlite", database=str(storage)).render_as_string()


def _require_same(storage: Path | None, found: Mapping[str, Any], mine: Mapping[str, Any]) -> None:
    different = [name for name in mine if found.get(name) != mine[name]]
    if not different:
        return
    shown = ["horizon"] if "horizon" in different else different  # the others follow from it
    raise SettingError(
        f"the file holds a search with {'; '.join(_difference(name, found.get(name), mine[name]) for name in shown)}",
        "use the data and settings that it was begun with, or a new file: " + Arg("storage", ...),
        place=str(storage),
    )


def _difference(name: str, before: Any, now: Any) -> str:
    """A setting of the search in the file that is another now."""
    if isinstance(before, list | dict) or isinstance(now, list | dict) or name == "data":
        return f"other {name}"
    return f"{name} {before} instead of {now}"


def _trial(number: int, trial: Any, default: Mapping[str, Any]) -> Trial:
    own, attributes = dict(trial.params), trial.user_attrs
    return Trial(
        number=number,
        state=_STATES[trial.state.name],
        settings={} if own == default else own,
        params=own,
        losses=attributes.get("losses", []),
        seconds=attributes.get("seconds", 0.0),
        error=attributes.get("error", ""),
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warnings that Optuna gives for each of its experimental features."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
