"""A round of trials: all on the oldest fold, then the remaining ones on the next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gatecast.base.errors import GatecastError, SettingError
from gatecast.data.panel import Panel
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.parallel import Workers, run_jobs
from gatecast.tuning.folds import Folds, Score, overall, score
from gatecast.tuning.space import applied
from gatecast.tuning.study import Study


def run_round(study: Study, base: LSTMForecaster, seen: Panel, plan: Folds, count: int, workers: Workers) -> None:
    """Run ``count`` trials that the study suggests, and record how they ended.

    Raises:
        GatecastError: the default settings, which are the first trial, cannot be fitted.
    """
    entries = [_Entry(trial, *_model(base, trial.params, study.default)) for trial in study.ask(count)]
    for fold in range(plan.folds):
        live = [one for one in entries if one.live]
        results = run_jobs(score, (seen, plan), [(one.model, fold) for one in live], workers=workers)
        for one, result in zip(live, results, strict=True):
            one.take(result, fold)
    for one in entries:
        study.tell(one.trial, one.losses, one.seconds, pruned=one.pruned, error=one.error)
    first = study.trials[0]
    if first.state == "failed":
        raise GatecastError(f"the default settings cannot be fitted: {first.error}")


@dataclass
class _Entry:
    """A trial that is running."""

    trial: Any
    model: LSTMForecaster | None
    error: str
    losses: list[list[float]] = field(default_factory=list)
    seconds: float = 0.0
    pruned: bool = False

    @property
    def live(self) -> bool:
        """Whether it continues on the next fold."""
        return not (self.error or self.pruned)

    def take(self, result: Score | str, fold: int) -> None:
        """Record the result of a fold."""
        if isinstance(result, str):
            self.error = result
            return
        self.losses.append(result.losses)
        self.seconds += result.seconds
        self.trial.report(overall(self.losses), fold)
        self.pruned = bool(self.trial.should_prune())


def _model(
    base: LSTMForecaster, params: Mapping[str, Any], default: Mapping[str, Any]
) -> tuple[LSTMForecaster | None, str]:
    """The model of a trial, or the error that its settings raise."""
    try:
        return (base if params == default else applied(base, params)), ""
    except SettingError as error:
        return None, str(error)
