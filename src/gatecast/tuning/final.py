"""The end of a search: the best trials and the default scored again with other seeds, and the test of the winner."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from gatecast.base.errors import GatecastError
from gatecast.data.panel import Panel
from gatecast.evaluation.significance import t_two_sided
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.parallel import Workers, run_jobs
from gatecast.tuning.folds import LEAST, Folds, Score, measure, overall, score
from gatecast.tuning.result import Finalist, Tested, Trial
from gatecast.tuning.space import applied, settings_of
from gatecast.tuning.study import Study

FINALISTS = 3  # trials scored again with the default
SEEDS = 2  # further seeds of the last round and of the test
DOUBT = 0.2  # two-sided p from which on a gain over the default may be luck

Losses = list[list[float]]  # of each fold, each window


@dataclass(frozen=True)
class LastRound:
    """The candidates, best first, and what their loss is."""

    metric: str
    finalists: list[Finalist]

    @property
    def winner(self) -> Finalist:
        """The one that was chosen."""
        return next(one for one in self.finalists if one.chosen)


def last_round(study: Study, base: LSTMForecaster, seen: Panel, plan: Folds, workers: Workers) -> LastRound:
    """Score the best trials and the default again; the best with a significant gain wins, else the default.

    The best of many trials has been lucky, with its seed and with the windows. Other seeds remove the first kind of
    luck, and a paired t test over the windows bounds the second.
    """
    trials = study.trials
    complete = [one for one in trials if one.state == "complete" and one.settings]
    best = sorted(complete, key=lambda one: (one.loss, one.number))[:FINALISTS]
    found = [trials[0], *best]
    again = _again(study, base, seen, plan, found, workers)
    losses = {
        one.number: [one.losses, *_by_seed(again, one, plan)]
        for one in found
        if not any(isinstance(part, str) for part in _parts(again, one, plan))
    }
    if 0 not in losses:
        error = next(part for part in _parts(again, trials[0], plan) if isinstance(part, str))
        raise GatecastError(f"the default settings cannot be fitted with another seed: {error}")
    finalists = [_finalist(one, losses, plan) for one in found if one.number in losses]
    finalists.sort(key=lambda one: (one.loss, one.number))
    wins = next((one.number for one in finalists if one.number and _certain(one, plan)), 0)
    return LastRound(
        _parts(again, trials[0], plan)[0]["metric"], [replace(one, chosen=one.number == wins) for one in finalists]
    )


def test_part(
    study: Study, base: LSTMForecaster, winner: LSTMForecaster | None, panel: Panel, plan: Folds, workers: Workers
) -> Tested | None:
    """Default and winner on the rows that the search did not see, each with all seeds; None without such rows.

    Args:
        study: keeps the result.
        base: with the default settings.
        winner: None where the default won.
        panel: all rows.
        plan: division of the rows.
        workers: see :func:`gatecast.tune`.
    """
    if not plan.test:
        return None
    models = [base] if winner is None else [base, winner]
    key = str([sorted(settings_of(model, {}).items()) for model in models])
    kept = study.kept("test")
    if kept is None or kept["key"] != key:
        jobs = [(_seeded(model, further),) for model in models for further in range(SEEDS + 1)]
        results = list(run_jobs(_tested, (panel, plan), jobs, workers=workers))
        bad = next((one for one in results if isinstance(one, str)), None)
        if bad is not None:
            raise GatecastError(f"the test part cannot be forecast: {bad}")
        kept = {"key": key, "means": [float(np.mean(one.losses)) for one in results]}
        study.keep("test", kept)
    rows = np.array(kept["means"]).reshape(len(models), -1).mean(1)
    return Tested(float(rows[0]), float(rows[-1]), plan.test, SEEDS + 1)


def _again(
    study: Study, base: LSTMForecaster, seen: Panel, plan: Folds, found: list[Trial], workers: Workers
) -> dict[str, Any]:
    """Score, or message, of each candidate with each further seed on each fold; known ones are not run again."""
    kept: dict[str, Any] = dict(study.kept("again") or {})
    jobs = {
        _key(one, further, fold): (_seeded(applied(base, one.settings), further), fold)
        for one in found
        for further in range(1, SEEDS + 1)
        for fold in range(plan.folds)
    }
    missing = {key: job for key, job in jobs.items() if key not in kept}
    results = run_jobs(score, (seen, plan), list(missing.values()), workers=workers)
    for key, result in zip(missing, results, strict=True):
        kept[key] = asdict(result) if isinstance(result, Score) else result
    if missing:
        study.keep("again", kept)
    return kept


def _key(trial: Trial, further: int, fold: int) -> str:
    return f"trial {trial.number}, seed + {further}, fold {fold}"


def _parts(again: Mapping[str, Any], trial: Trial, plan: Folds) -> list[Any]:
    return [again[_key(trial, s, fold)] for s in range(1, SEEDS + 1) for fold in range(plan.folds)]


def _by_seed(again: Mapping[str, Any], trial: Trial, plan: Folds) -> list[Losses]:
    """Losses of each further seed, fold by fold."""
    parts = [one["losses"] for one in _parts(again, trial, plan)]
    return [parts[k : k + plan.folds] for k in range(0, len(parts), plan.folds)]


def _finalist(trial: Trial, losses: Mapping[int, list[Losses]], plan: Folds) -> Finalist:
    """Gain over the default on the same windows; its error counts only windows that do not overlap."""
    own, default = (np.mean([np.concatenate(seed) for seed in losses[k]], axis=0) for k in (trial.number, 0))
    gains = np.log(np.maximum(default, LEAST)) - np.log(np.maximum(own, LEAST))
    error = float(gains.std(ddof=1) / np.sqrt(plan.independent)) if len(gains) > 1 else math.inf
    loss = float(np.exp(np.mean([np.log(overall(seed)) for seed in losses[trial.number]])))
    return Finalist(trial.number, trial.settings, loss, float(gains.mean()), error)


def _certain(one: Finalist, plan: Folds) -> bool:
    """Whether it is better than the default beyond what the choice of the windows explains."""
    if one.gain <= 0 or plan.independent < 2:
        return False
    return t_two_sided(one.gain / max(one.error, LEAST), plan.independent - 1) < DOUBT


def _tested(shared: tuple[Panel, Folds], model: LSTMForecaster) -> Score | str:
    panel, plan = shared
    return measure(model, panel, plan.horizon, plan.test, plan.horizon)


def _seeded(model: LSTMForecaster, further: int) -> LSTMForecaster:
    """The model with another seed."""
    twin = model.clone()
    twin.seed = model.seed + further
    return twin
