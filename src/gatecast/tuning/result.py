"""The result of a search: every trial, the last round, the score on the test part, and the winner fitted."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from gatecast.base.options import Search
from gatecast.base.text import plural
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.tuning.folds import Folds, overall
from gatecast.tuning.space import plain, settings_of, toml

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Trial:
    """One set of settings on the folds.

    Args:
        number: in the order of the search, from 0.
        state: ``"complete"``, ``"pruned"`` (stopped after some folds) or ``"failed"``.
        settings: by name; empty for the default.
        params: the value of every searched field.
        losses: mean losses of each window, fold by fold.
        seconds: of its fits and forecasts.
        error: why it failed.
    """

    number: int
    state: str
    settings: dict[str, Any]
    params: dict[str, Any]
    losses: list[list[float]]
    seconds: float
    error: str = ""

    @property
    def loss(self) -> float | None:
        """Geometric mean over the folds that were run; None before the first."""
        return overall(self.losses) if self.losses else None


@dataclass(frozen=True)
class Finalist:
    """A candidate of the last round, in which each is scored again with other seeds.

    Args:
        number: of its trial; 0 is the default.
        settings: by name.
        loss: geometric mean over folds and seeds.
        gain: mean over the windows of log(loss of the default / loss): 0.05 is 5 % better.
        error: standard error of that mean.
        chosen: it won.
    """

    number: int
    settings: dict[str, Any]
    loss: float
    gain: float
    error: float
    chosen: bool = False


@dataclass(frozen=True)
class Tested:
    """Losses on the rows that the search did not see, mean over the seeds.

    Args:
        default: of the default settings.
        tuned: of the winner; that of the default where it won.
        windows: origins.
        seeds: fits of each.
    """

    __test__ = False  # pytest: not a test class

    default: float
    tuned: float
    windows: int
    seeds: int


@dataclass(frozen=True, eq=False, repr=False)
class Tuning:
    """The outcome of :func:`gatecast.tune`.

    Args:
        model: the winner, fitted on all rows.
        settings: of the winner, by name; empty where the default won.
        metric: name of the loss: ``"MASE"``, or ``"MAE"`` where that is undefined.
        folds: how the rows were divided.
        fields: what was searched, in which range.
        trials: all of them.
        finalists: the last round, best first.
        test: on the rows that the search did not see; None without a test part.
        importance: share of each field in the differences between the trials (PED-ANOVA: Watanabe, Bansal & Hutter
            2023); empty where too few trials were complete.
        notes: reduced folds or windows, failed trials.
        seconds: of this call.
    """

    model: LSTMForecaster
    settings: dict[str, Any]
    metric: str
    folds: Folds
    fields: dict[str, Search]
    trials: list[Trial]
    finalists: list[Finalist]
    test: Tested | None
    importance: dict[str, float]
    notes: list[str]
    seconds: float
    source: str = field(default="", repr=False)

    def __repr__(self) -> str:
        found = "the default won" if self.default_won else ", ".join(f"{k}={v!r}" for k, v in self.settings.items())
        return f"Tuning({plural(len(self.trials), 'trial')} of {', '.join(self.fields)}: {found})"

    @property
    def default_won(self) -> bool:
        """Whether no settings were found that are significantly better than the default."""
        return not self.settings

    @property
    def text(self) -> str:
        """The outcome in words."""
        first = self._choice()
        if self.test is None:
            return f"{first} There was no test part: the error on rows that the search did not see is unknown."
        count = self.test.windows
        rows = f"the last {f'{count} windows' if count > 1 else 'window'}, which the search did not see"
        if self.default_won:
            return f"{first} On {rows}, it has a {self.metric} of {self.test.default:.3f}."
        change = 100 * (self.test.tuned / self.test.default - 1)
        way = "lower" if change < 0 else "higher"
        warn = "" if change < 0 else " The folds did not predict the test: take the default, or search with more folds."
        return (
            f"{first} On {rows}, their {self.metric} is {self.test.tuned:.3f} against {self.test.default:.3f} of the "
            f"default: {abs(change):.1f} % {way}.{warn}"
        )

    def _choice(self) -> str:
        default = next(one for one in self.finalists if one.number == 0)
        winner = next(one for one in self.finalists if one.chosen)
        if self.default_won:
            return (
                f"The default settings stay: of {len(self.trials)} trials, none is significantly better on the folds "
                f"({self.metric} {default.loss:.3f})."
            )
        return (
            f"Trial {winner.number} of {len(self.trials)} wins: {self.metric} {winner.loss:.3f} on the folds against "
            f"{default.loss:.3f} of the default."
        )

    def to_frame(self) -> pd.DataFrame:
        """One row a trial: state, loss, seconds, the value of every searched field, error."""
        import pandas as pd

        rows = [
            {
                "trial": t.number,
                "state": t.state,
                self.metric: t.loss,
                "seconds": t.seconds,
                **t.params,
                "error": t.error,
            }
            for t in self.trials
        ]
        return pd.DataFrame(rows)

    def to_toml(self) -> str:
        """The winner's settings as a file for ``--config``."""
        return f"# {self.text}\n{toml(settings_of(self.model, self.settings))}"

    def to_dict(self) -> dict[str, Any]:
        """Everything but the model, as JSON holds it."""
        whole: Mapping[str, Any] = {
            "text": self.text,
            "metric": self.metric,
            "default_won": self.default_won,
            "settings": self.settings,
            "test": asdict(self.test) if self.test else None,
            "finalists": [asdict(one) for one in self.finalists],
            "importance": self.importance,
            "folds": asdict(self.folds),
            "fields": {name: plain(limits) for name, limits in self.fields.items()},
            "trials": [{**asdict(one), "loss": one.loss} for one in self.trials],
            "notes": self.notes,
            "seconds": round(self.seconds, 2),
        }
        return dict(json.loads(json.dumps(whole)))
