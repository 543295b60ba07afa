"""The experiments: a run ends by its criterion, is resumed, and repeats for the same seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import UnknownNameError
from gatecast.lab import memory, run_memory, sequences
from gatecast.lab.experiments import DEFAULT, EXPERIMENTS, _lag_net, _noise_free
from gatecast.lab.memory import Outcome, choose, run_experiment
from gatecast.lab.online import Learners
from gatecast.lab.rivals import run_rivals


@pytest.fixture
def short_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first experiment with a lag of 4, which is learnt in seconds."""
    easy = _noise_free("2a", 4, 300, regular=True, minutes=0)
    monkeypatch.setitem(memory.EXPERIMENTS, "2a", replace(easy, every=20))


@pytest.mark.usefixtures("short_lag")
def test_a_short_lag_is_learnt_and_repeats() -> None:
    found = run_experiment("2a", [1, 2, 3], most=3_000)
    assert found.share == 1
    assert found.median < 3_000
    assert found.experiment.net == _lag_net(4)
    alone = run_experiment("2a", [2], most=3_000)
    assert alone.sequences == found.sequences[1:2]  # a run does not depend on the others
    assert found.curve[0][1] > found.curve[-1][1]


def test_the_latest_sequences_decide() -> None:
    adding = EXPERIMENTS["4(T=100)"]
    runs, watch = Learners(adding.net, [1, 2]), memory.Watch(adding, 2)
    for k in range(4_100):
        error = np.array([[0.001], [0.05 if k < 2_050 else 0.001]])
        watch.add(error, np.arange(2))
        if k == 2_048:
            assert list(watch.done(runs, np.arange(2), k + 1)) == [True, False]
    assert list(watch.done(runs, np.arange(2), 4_100)) == [True, True]
    assert list(watch.done(runs, np.arange(2), 1_999)) == [False, False]


@pytest.mark.usefixtures("short_lag")
def test_finished_experiments_are_taken_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "new" / "outcomes.json"
    options: dict[str, Any] = {"seeds": 2, "rivals": False, "most": 100, "store": store}
    [first] = run_memory(["2a"], **options)
    monkeypatch.setattr(memory, "run_experiment", None)
    [second] = run_memory(["2a"], **options)
    assert second == first
    assert (first.sequences, first.median, first.share) == ([None, None], np.inf, 0)


def test_rivals_run_the_same_task() -> None:
    tiny = replace(
        EXPERIMENTS["6a"],
        draw=lambda draws: sequences.two_sequences(draws, 10, 3),
        right=0.9,
        mean=None,
        rival_rates=(1e-2,),
    )
    found = run_rivals(tiny, limit=2_500, progress=lambda *_: None)
    assert [one.name for one in found] == ["Elman RNN", "GRU", "LSTM of today"]
    assert all(len(one.sequences) == 3 for one in found)
    assert found[0].share == 1  # three values decide, and nine tenths may be wrong


def test_a_failed_run_counts_as_infinite() -> None:
    found = Outcome("2a", [1, 2, 3], [10, None, None], 100, [None] * 3, [], 1.0)
    assert (found.median, found.share) == (np.inf, 1 / 3)


def test_names_of_experiments() -> None:
    assert choose([]) == list(DEFAULT)
    assert choose(["4 (T=100)", "2a", "2a"]) == ["4(T=100)", "2a"]
    assert len(choose(["all"])) == len(EXPERIMENTS)
    with refused(UnknownNameError, problem="no experiment '6c'", remedy="6"):
        choose(["6c"])
