"""Run the experiments of 1997 again: sequences until success by seed, beside the published figure."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import UnknownNameError
from gatecast.base.files import whole
from gatecast.base.text import nearest
from gatecast.lab.experiments import DEFAULT, EXPERIMENTS, RECENT, Experiment
from gatecast.lab.online import Learners
from gatecast.lab.rivals import Rival, run_rivals
from gatecast.lab.stepwise import learn_each_step

TESTED = 2_560  # new sequences that a network is tested on once it has succeeded, as in the paper
Progress = Callable[[str, float, int], Any]


@dataclass
class Outcome:
    """One experiment.

    Args:
        name: of the experiment.
        seeds: of the runs.
        sequences: until success, by seed; None: no success within ``limit``.
        limit: sequences after which a run was ended.
        wrong: wrong ones of 2,560 new sequences after success, by seed; None: not tested.
        curve: sequences, and the median over all runs of the mean absolute error at that time.
        seconds: for all seeds.
        rivals: other networks on the same task.
    """

    name: str
    seeds: list[int]
    sequences: list[int | None]
    limit: int
    wrong: list[int | None]
    curve: list[tuple[int, float]]
    seconds: float
    rivals: list[Rival] = field(default_factory=list)

    @property
    def experiment(self) -> Experiment:
        """What was run."""
        return EXPERIMENTS[self.name]

    @property
    def share(self) -> float:
        """Share of the runs that succeeded."""
        return sum(one is not None for one in self.sequences) / len(self.sequences)

    @property
    def median(self) -> float:
        """Median sequences until success, a failed run counting as infinite."""
        return float(np.median([np.inf if one is None else one for one in self.sequences]))

    @classmethod
    def from_dict(cls, found: dict[str, Any]) -> Outcome:
        """From its JSON."""
        curve = [(int(at), float(error)) for at, error in found["curve"]]
        return cls(**{**found, "curve": curve, "rivals": [Rival(**one) for one in found["rivals"]]})


def choose(names: Sequence[str]) -> list[str]:
    """Names of experiments; ``default`` and ``all`` stand for several.

    Raises:
        UnknownNameError: there is no such experiment.
    """
    groups = {"default": DEFAULT, "all": tuple(EXPERIMENTS)}
    found: list[str] = []
    for name in names or ("default",):
        plain = name.replace(" ", "")
        if plain not in EXPERIMENTS and plain not in groups:
            close = nearest(plain, EXPERIMENTS)
            known = ", ".join([*groups, *EXPERIMENTS])
            raise UnknownNameError(
                f"there is no experiment {name!r}", f"did you mean {close}?" if close else f"take one of {known}"
            )
        found += groups.get(plain, (plain,))
    return list(dict.fromkeys(found))


def run_memory(
    names: Sequence[str] = (),
    *,
    seeds: int = 10,
    rivals: bool = True,
    most: int | None = None,
    store: Path | None = None,
    progress: Progress | None = None,
) -> list[Outcome]:
    """Run experiments, or take up those that ``store`` already holds.

    Args:
        names: of :data:`gatecast.lab.experiments.EXPERIMENTS`; empty: those that take minutes.
        seeds: runs of each, with seeds 1, 2, ….
        rivals: train an Elman network, a GRU and today's LSTM on the same tasks.
        most: sequences after which a run is ended; None: each experiment's own limit.
        store: JSON file of the outcomes; written after each experiment.
        progress: called with the experiment, its share of the limit and the successes so far.

    Example:
        >>> from gatecast.lab import run_memory
        >>> [outcome] = run_memory(["2a"], seeds=2, rivals=False, most=300)
        >>> outcome.name, outcome.limit, outcome.experiment.net.weights
        ('2a', 300, 10504)
    """
    chosen, say = choose(names), progress or (lambda *_: None)
    kept = _read(store)
    found = []
    for name in chosen:
        experiment = EXPERIMENTS[name]
        key = f"{name} seeds={seeds} most={most or experiment.most} rivals={rivals}"
        if key not in kept:
            outcome = run_experiment(name, range(1, seeds + 1), most=most, progress=say)
            if rivals and experiment.rival_rates:
                outcome.rivals = run_rivals(experiment, limit=min(outcome.limit, experiment.published), progress=say)
            kept[key] = asdict(outcome)
            _write(store, kept)
        found.append(Outcome.from_dict(kept[key]))
    return found


def _read(store: Path | None) -> dict[str, Any]:
    if store is None or not store.exists():
        return {}
    found: dict[str, Any] = json.loads(store.read_text("utf-8"))["outcomes"]
    return found


def _write(store: Path | None, kept: dict[str, Any]) -> None:
    if store is not None:
        store.parent.mkdir(parents=True, exist_ok=True)
        with whole(store) as draft:
            draft.write_text(json.dumps({"written_by": "gatecast lab memory", "outcomes": kept}), encoding="utf-8")


def run_experiment(
    name: str, seeds: Sequence[int], *, most: int | None = None, progress: Progress | None = None
) -> Outcome:
    """Train one network for each seed until success, or until the limit.

    Args:
        name: of the experiment.
        seeds: of weights and sequences.
        most: limit; None: the experiment's own.
        progress: as of :func:`run_memory`.
    """
    experiment, clock = EXPERIMENTS[name], time.perf_counter()
    limit, say = most or experiment.most, progress or (lambda *_: None)
    runs, watch = Learners(experiment.net, list(seeds)), Watch(experiment, len(seeds))
    draws = [np.random.default_rng([seed, 5]) for seed in seeds]
    rows = np.arange(len(seeds))  # of the runs that go on
    sequences: list[int | None] = [None] * len(seeds)
    wrong: list[int | None] = [None] * len(seeds)
    curve: list[tuple[int, float]] = []
    point = max(1, min(limit, experiment.published) // 60)
    for count in range(1, limit + 1):
        found = experiment.draw([draws[row] for row in rows])
        if found.target.ndim == 3:
            error = learn_each_step(runs, found.x, found.lengths, found.target, rate=experiment.rate)
        else:
            error = runs.learn(found.x, found.lengths, found.target, rate=experiment.rate)
        watch.add(error, rows)
        if count % point == 0:
            curve.append((count, watch.median_error))
            say(name, count / limit, len(seeds) - len(rows))
        done = watch.done(runs, rows, count)
        if done.any():
            for row, weights in zip(rows[done], np.flatnonzero(done), strict=True):
                sequences[row], wrong[row] = count, _wrong_of_new(experiment, runs, int(weights), seeds[row])
            runs.keep(~done)
            rows = rows[~done]
            if not len(rows):
                break
    seconds = round(time.perf_counter() - clock, 1)
    return Outcome(name, list(seeds), sequences, limit, wrong, curve, seconds)


class Watch:
    """The latest errors of every run, and whether they meet the criterion."""

    def __init__(self, experiment: Experiment, runs: int) -> None:
        self.experiment, self.at = experiment, 0
        self.off = np.zeros((RECENT, runs), bool)
        self.error = np.zeros((RECENT, runs))
        self.wrong, self.total = np.zeros(runs, np.int64), np.zeros(runs)

    def add(self, error: np.ndarray, rows: np.ndarray) -> None:
        """Errors of one sequence of each run."""
        size = np.abs(error).reshape(len(rows), -1)
        off, mean = size.max(1) > self.experiment.right, size.mean(1)
        self.wrong[rows] += off.astype(np.int64) - self.off[self.at, rows]
        self.total[rows] += mean - self.error[self.at, rows]
        self.off[self.at, rows], self.error[self.at, rows] = off, mean
        self.at = (self.at + 1) % RECENT

    @property
    def median_error(self) -> float:
        """Median over the runs of the mean error of the latest 50 sequences."""
        return float(np.median(self.error[np.arange(self.at - 50, self.at)].mean(0)))

    def done(self, runs: Learners, rows: np.ndarray, count: int) -> np.ndarray:
        """Which of the runs have succeeded."""
        experiment = self.experiment
        if experiment.test is not None:
            none = np.zeros(len(rows), bool)
            return none if count % experiment.every else experiment.test(runs, count)
        found = (self.wrong[rows] <= experiment.wrong) & (count >= RECENT)
        return found if experiment.mean is None else found & (self.total[rows] / RECENT < experiment.mean)


def _wrong_of_new(experiment: Experiment, runs: Learners, row: int, seed: int) -> int | None:
    """Wrong ones of new sequences, with fixed weights; None where the criterion itself is such a test."""
    if experiment.test is not None:
        return None
    one = Learners(experiment.net, [seed])
    one.w = {name: weight[row : row + 1] for name, weight in runs.w.items()}
    wrong, part = 0, 128 if experiment.net.inputs < 50 else 8
    many = one.tiled(part)
    draws = [np.random.default_rng([seed, k, 3]) for k in range(part)]
    for _ in range(TESTED // part):
        found = experiment.draw(draws)
        error = np.abs(many.outputs(found.x, found.lengths)[:, 0] - found.target)
        wrong += int((error.max(1) > experiment.right).sum())
    return wrong
