"""The search: its data, how it resumes, its choice and its output."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of, wave
from fixtures.refused import refused

import gatecast
from gatecast.base.errors import DataError, GatecastError, MissingExtraError, SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import OneOf
from gatecast.data.panel import Panel
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig
from gatecast.tuning import Tuning, tune
from gatecast.tuning.folds import Folds, Score, overall

FIELDS = ["net.hidden_size", "net.dropout", "fit.learning_rate"]
Scorer = Callable[[LSTMForecaster, int], Score | str]


def panel(rows: int = 100) -> Panel:
    return panel_of(wave(rows, season=7), freq="D", ids=["a"])


def small(**settings: Any) -> LSTMForecaster:
    fit = FitConfig(steps=2, batch_size=8, evaluations=1, refit=False, progress=False)
    return LSTMForecaster(4, **{"context": 8, "net": NetConfig(hidden_size=16), "fit": fit, **settings})


def search(given: Panel | None = None, **settings: Any) -> Tuning:
    plain = {"model": small(), "fields": FIELDS, "trials": 6, "folds": 2, "test": 1, "progress": False}
    return tune(given or panel(), 4, **{**plain, **settings})


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> Callable[[Scorer], None]:
    """Replace fits by given losses."""

    def put(own: Scorer) -> None:
        for module in ("trials", "final"):
            monkeypatch.setattr(f"gatecast.tuning.{module}.score", lambda shared, model, fold: own(model, fold))

    return put


def by_dropout(model: LSTMForecaster, fold: int) -> Score:
    """Eight windows whose loss is least at a dropout of 0.3."""
    loss = 0.5 + (model.net.dropout - 0.3) ** 2 + 0.001 * (model.seed % 3)  # type: ignore[union-attr]
    return Score("MASE", [loss * (1 + 0.01 * k + 0.1 * fold) for k in range(8)], 0.1)


def test_a_real_search_from_end_to_end(tmp_path: Path) -> None:
    found = search()
    assert [one.number for one in found.trials] == list(range(6))
    assert found.trials[0].settings == {}
    assert found.trials[0].params == {"net.hidden_size": 16, "net.dropout": 0.1, "fit.learning_rate": 3e-3}
    assert all(len(one.losses) == 2 for one in found.trials if one.state == "complete")
    assert {one.number for one in found.finalists} >= {0}
    assert sum(one.chosen for one in found.finalists) == 1
    assert found.model.predict().mean.shape == (1, 4, 1)
    assert found.model.panel_.lengths.tolist() == [100]
    assert json.loads(json.dumps(found.to_dict()))["metric"] == "MASE"
    assert list(found.to_frame().columns) == ["trial", "state", "MASE", "seconds", *FIELDS, "error"]
    assert gatecast.load(found.model.save(tmp_path / "m")).horizon == 4


def test_the_rows_of_the_test_are_not_seen() -> None:
    values = wave(100, season=7)
    changed = values.copy()
    changed[-4:] = 1e6
    first, second = (search(panel_of(own, freq="D", ids=["a"]), trials=2) for own in (values, changed))
    assert [(t.params, t.losses) for t in first.trials] == [(t.params, t.losses) for t in second.trials]
    assert first.finalists == second.finalists
    assert first.test != second.test


@pytest.fixture(scope="module")
def whole() -> Tuning:
    """A search that was not stopped."""
    return search(trials=5)


@pytest.mark.parametrize("workers", [None, "ray"])
def test_a_stopped_search_resumes_to_the_same_result(
    tmp_path: Path, whole: Tuning, workers: str | None, request: pytest.FixtureRequest
) -> None:
    """And one whose trials run on Ray is the one whose trials do not."""
    if workers:
        request.getfixturevalue("ray_cluster")
    file = tmp_path / "s.sqlite3"
    search(trials=4, storage=file)
    resumed = search(trials=5, storage=file, workers=workers)
    assert [(t.params, t.losses, t.state) for t in resumed.trials] == [
        (t.params, t.losses, t.state) for t in whole.trials
    ]
    assert resumed.finalists == whole.finalists
    assert resumed.test == whole.test
    np.testing.assert_array_equal(resumed.model.predict().quantiles, whole.model.predict().quantiles)


def test_a_round_that_was_killed_is_run_again(tmp_path: Path, scored: Callable[[Scorer], None]) -> None:
    file, calls = tmp_path / "s.sqlite3", list[int]()

    def dies(model: LSTMForecaster, fold: int) -> Score:
        calls.append(fold)
        if len(calls) == 11:  # in the second round
            raise KeyboardInterrupt
        return by_dropout(model, fold)

    scored(dies)
    with pytest.raises(KeyboardInterrupt):
        search(trials=12, storage=file)
    scored(by_dropout)
    resumed, whole = search(trials=12, storage=file), search(trials=12)
    assert [t.params for t in resumed.trials] == [t.params for t in whole.trials]
    assert [t.number for t in resumed.trials] == list(range(12))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"given": panel(90)}, "other data"),
        ({"fields": FIELDS[:2]}, "fields"),
        ({"folds": 3}, "folds 2 instead of 3"),
        ({"seed": 2}, "seed 1 instead of 2"),
        ({"model": small(head="student")}, "settings"),
    ],
)
def test_the_file_of_another_search_is_refused(
    tmp_path: Path, scored: Callable[[Scorer], None], change: dict[str, Any], word: str
) -> None:
    scored(by_dropout)
    file = tmp_path / "s.sqlite3"
    search(storage=file, trials=1, test=0)
    with refused(SettingError, place="s.sqlite3", problem=["holds a search with ", word], remedy=Arg("storage", ...)):
        search(storage=file, trials=1, test=0, **change)


def test_a_file_other_than_a_search_is_refused(tmp_path: Path) -> None:
    (tmp_path / "s.sqlite3").write_text("day,y\n" * 1000)
    problem = "the file cannot be used for a search"
    with refused(SettingError, place="s.sqlite3", problem=problem, remedy=Arg("storage", ...)):
        search(storage=tmp_path / "s.sqlite3")


def test_a_file_of_any_name_holds_the_search(tmp_path: Path, scored: Callable[[Scorer], None]) -> None:
    """``?``, ``#`` and ``%`` mean something in the URL that Optuna takes, and ``{`` in its template."""
    scored(by_dropout)
    file = tmp_path / "is it #1 (50%41)? {yes}" / "s?.sqlite3"
    file.parent.mkdir()
    search(storage=file, trials=1, test=0)
    assert [one.name for one in file.parent.iterdir()] == ["s?.sqlite3"]
    assert [one.name for one in tmp_path.iterdir()] == [file.parent.name]
    assert len(search(storage=file, trials=2, test=0).trials) == 2


def test_the_better_settings_are_found_and_chosen(scored: Callable[[Scorer], None]) -> None:
    scored(by_dropout)
    found = search(trials=16, test=0)
    assert not found.default_won
    assert abs(found.settings["net.dropout"] - 0.3) < 0.1
    assert found.model.net.dropout == found.settings["net.dropout"]  # type: ignore[union-attr]
    assert found.test is None
    assert max(found.importance, key=found.importance.__getitem__) == "net.dropout"
    assert any(one.state == "pruned" for one in found.trials)
    assert all(len(one.losses) == 1 for one in found.trials if one.state == "pruned")


def test_a_gain_that_may_be_luck_leaves_the_default(scored: Callable[[Scorer], None]) -> None:
    """Trials differ from the default by noise of their seed and window alone."""

    def luck(model: LSTMForecaster, fold: int) -> Score:
        key = [model.seed, fold, int(1e6 * model.net.dropout)]  # type: ignore[union-attr]
        return Score("MASE", np.random.default_rng(key).lognormal(0, 0.5, 8).tolist(), 0.1)

    scored(luck)
    found = search(trials=16, test=0)
    assert found.default_won
    assert next(one for one in found.finalists if one.chosen).number == 0
    assert "The default settings stay: of 16 trials" in found.text
    assert min(one.loss or math.inf for one in found.trials) < (found.trials[0].loss or 0)


def test_a_trial_that_fails_is_recorded_with_its_reason(scored: Callable[[Scorer], None]) -> None:
    scored(lambda model, fold: "too wide" if model.net.hidden_size > 16 else by_dropout(model, fold))  # type: ignore[union-attr]
    found = search(trials=8, test=0)
    failed = [one for one in found.trials if one.state == "failed"]
    assert failed
    assert {one.error for one in failed} == {"too wide"}
    assert f"{len(failed)} of 8 trials failed; the first (trial {failed[0].number}): too wide" in found.notes


def test_settings_that_exclude_each_other_fail_alone(scored: Callable[[Scorer], None]) -> None:
    scored(by_dropout)
    fields = {"net.cell": OneOf("lstm", "gru"), "net.peephole": OneOf(False, True)}
    found = search(trials=12, test=0, fields=fields)
    wrong = [one for one in found.trials if one.params == {"net.cell": "gru", "net.peephole": True}]
    assert wrong
    assert all("NetConfig(peephole=True) is an option of the LSTM" in one.error for one in wrong)


def test_a_default_that_cannot_be_fitted_ends_the_search(scored: Callable[[Scorer], None]) -> None:
    scored(lambda model, fold: "no memory")
    with refused(GatecastError, problem=["default settings", "no memory"]):
        search()


def test_minutes_bound_the_search(scored: Callable[[Scorer], None]) -> None:
    scored(by_dropout)
    assert len(search(trials=40, minutes=1e-9, test=0).trials) == 4  # the first round, in which the default runs


def test_optuna_prints_nothing(capfd: pytest.CaptureFixture[str], scored: Callable[[Scorer], None]) -> None:
    scored(by_dropout)
    search(trials=4, test=0)
    said = capfd.readouterr()
    assert said.out + said.err == ""


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"trials": 0}, [Arg("trials"), "at least 1, got 0"]),
        ({"folds": 0}, [Arg("folds"), "at least 1, got 0"]),
        ({"test": -1}, [Arg("test"), "at least 0, got -1"]),
        ({"minutes": 0}, [Arg("minutes"), "above 0, got 0"]),
        ({"workers": 0}, [Arg("workers"), "must be None", "got 0"]),
        ({"model": LSTMForecaster(5)}, ["the model has a horizon of 5, the search one of 4"]),
    ],
)
def test_arguments_that_do_not_fit(settings: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        search(**settings)


def test_without_optuna_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "optuna", None)
    with refused(MissingExtraError, problem="optuna", remedy='pip install "gatecast[tune]"'):
        search()


# ── the rows ──────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("rows", [24, 40, 60, 100, 400, 3000])
@pytest.mark.parametrize("horizon", [1, 4, 7])
@pytest.mark.parametrize("folds", [1, 2, 3, 5])
def test_folds_lie_in_the_last_third_and_leave_enough_to_learn_from(rows: int, horizon: int, folds: int) -> None:
    given = panel(rows)
    try:
        plan, _ = Folds.of(given, horizon, folds=folds, test=3)
    except DataError:
        assert rows < 3 * horizon + 7 + 1 + 3 * horizon
        return
    seen = given.cut(plan.held_out) if plan.held_out else given
    for fold in range(plan.folds):
        part = plan.part(seen, fold)
        used = (plan.windows - 1) * plan.step + horizon
        assert int(part.lengths[0]) - used >= 2 * horizon + given.season  # what a backtest asks for
    oldest = int(plan.part(seen, 0).lengths[0]) - (plan.windows - 1) * plan.step - horizon
    assert int(seen.lengths[0]) - oldest <= max(int(seen.lengths[0]) // 3, horizon)
    assert int(plan.part(seen, plan.folds - 1).lengths[0]) == int(seen.lengths[0])
    assert 1 <= plan.independent <= plan.folds * 8


def test_short_series_get_fewer_folds_and_windows_with_a_note() -> None:
    plan, notes = Folds.of(panel(30), 4, folds=5, test=3)
    assert plan.test == 0 or plan.test < 3
    assert any(note.startswith("Test windows: ") for note in notes)


def test_series_too_short_for_a_search() -> None:
    problem = "a search with horizon 4 needs 14 rows in a series, the typical one has 12"
    with refused(DataError, problem=problem, remedy=Arg("horizon")):
        search(panel(12))


def test_the_overall_loss_weighs_folds_equally() -> None:
    assert overall([[1.0, 3.0], [8.0]]) == pytest.approx(4.0)
    assert overall([[0.0], [1.0]]) > 0
