"""Who wins when: phases from what was known, winners by origin, and the sentence."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.cases import panel_of

from gatecast import Drift, Naive, backtest
from gatecast.epidemic import by_origin
from gatecast.epidemic.origins import FALLING, GROWING, LEVEL, phase_of

WAVE = 1000 * np.exp(-(((np.arange(120) - 60) / 18) ** 2))


@pytest.mark.parametrize(
    ("rows", "phase"), [(30, GROWING), (52, GROWING), (69, LEVEL), (85, FALLING), (110, FALLING), (5, GROWING)]
)
def test_the_phase_follows_from_the_two_weeks_before(rows: int, phase: str) -> None:
    assert phase_of(panel_of(WAVE[:rows], freq="D")) == phase


def test_missing_days_and_no_cases_have_a_phase() -> None:
    values = WAVE[:40].copy()
    values[35:38] = np.nan
    assert phase_of(panel_of(values, freq="D")) == GROWING
    assert phase_of(panel_of(np.zeros(30), freq="D")) == LEVEL


def test_by_origin_names_the_winner_of_every_phase() -> None:
    tested = backtest([Naive(), Drift()], panel_of(WAVE, freq="D"), 7, windows=12, levels=(50, 95), progress=False)
    found = by_origin(tested)
    scores = tested.scores("cutoff", ["WIS"])["WIS"].unstack()
    assert found.table["Naive"].to_list() == scores["Naive"].to_list()
    assert found.table["best"].to_list() == scores.idxmin(axis=1).to_list()
    assert sum(sum(counts.values()) for counts in found.wins.values()) == 12
    assert found.best == scores.mean().idxmin()
    assert found.means.loc["all", "Drift"] == pytest.approx(scores["Drift"].mean())
    assert f"{found.best} has the lowest mean WIS" in found.text
    assert "while cases fall" in found.text


def test_models_without_intervals_are_compared_by_their_error() -> None:
    tested = backtest([Naive(), Drift()], panel_of(WAVE, freq="D"), 7, windows=3, levels=(), progress=False)
    assert by_origin(tested).table["Naive"].notna().all()


def test_an_origin_after_which_nothing_was_counted_is_left_out() -> None:
    values = WAVE[:90].copy()
    values[83:] = np.nan  # all after the last of three origins, the only one at which cases fell
    tested = backtest([Naive(), Drift()], panel_of(values, freq="D"), 7, windows=3, step=30, progress=False)
    found = by_origin(tested)
    assert found.table["cutoff"].to_list() == list(tested.cutoffs[:2])
    assert found.table["phase"].to_list() == [GROWING, GROWING]


def test_a_week_without_counts_is_not_a_week_without_cases() -> None:
    values = WAVE[:40].copy()
    values[33:] = np.nan
    assert phase_of(panel_of(values, freq="D")) == GROWING
