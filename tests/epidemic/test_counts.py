"""Daily counts: differences, withdrawals, silent days, backlogs; totals are kept and everything is listed."""

from __future__ import annotations

from typing import Any

import numpy as np
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.epidemic import daily_counts

DAY = np.datetime64("2020-03-02", "ns")
STEADY = [40.0, 44, 38, 41, 45, 39, 42]


def counts(*values: Any, **fields: Any) -> Panel:
    return panel_of(*values, freq="D", starts=np.array([DAY] * len(values)), **fields)


def daily(values: Any, **settings: Any) -> tuple[list[float], list[tuple[str, int]], Panel]:
    made = daily_counts(counts(values), **settings)
    return made.target[:, 0].tolist(), [(one.kind, one.count) for one in made.repairs], made


def test_clean_counts_stay_as_they_are() -> None:
    assert daily(STEADY * 2)[:2] == (STEADY * 2, [])


def test_a_cumulative_column_is_seen_and_differenced() -> None:
    new, repairs, made = daily(np.cumsum([0, *STEADY * 2]))
    assert new == [0, *STEADY * 2]
    assert repairs == [("cumulative", 1)]
    assert "y never falls, or hardly ever, and is read as cumulative" in made.repairs[0].problem


def test_counting_had_begun_before_the_first_row() -> None:
    new, _, _ = daily(1000 + np.cumsum(STEADY * 2))
    assert np.isnan(new[0])
    assert new[1:] == (STEADY * 2)[1:]


def test_the_choice_can_be_given() -> None:
    rising = np.arange(20.0)
    assert daily(rising, cumulative=False)[0] == rising.tolist()
    assert daily(rising)[0] == [0.0] + [1.0] * 19
    with refused(SettingError, problem=[Arg("cumulative"), "True, False or 'auto', got 'maybe'"]):
        daily(rising, cumulative="maybe")


def test_a_falling_cumulative_takes_from_the_days_before() -> None:
    new, repairs, made = daily(np.cumsum([0, *STEADY, -50, *STEADY]), cumulative=True)
    assert np.isnan(new[8])
    assert np.nansum(new) == 2 * sum(STEADY) - 50
    assert 0 < new[1] < 40
    assert new[9:] == STEADY
    assert repairs == [("cumulative", 1), ("withdrawn", 1)]
    assert made.repairs[1].problem == (
        "y: 1 day with a negative count, first 2020-03-10: 50 cases withdrawn are taken from the 28 days before, in "
        "proportion to their counts, and the day is set to missing."
    )


def test_more_withdrawn_than_counted_leaves_nothing() -> None:
    new = daily([3.0, 2, -9, 4])[0]
    assert new[:2] == [0, 0]
    assert np.isnan(new[2])


def test_a_column_that_keeps_falling_is_not_read_as_cumulative() -> None:
    waves = np.tile([30.0, 50.0, 40.0, 20.0], 10)
    remedy = [Arg("cumulative", True), Arg("cumulative", False)]
    with refused(DataError, place="arrays", problem=["y falls at", "51 % of its changes"], remedy=remedy):
        daily(waves, cumulative=True)
    assert daily(waves, cumulative=False)[0] == waves.tolist()


def test_a_gap_in_a_cumulative_column_is_bridged() -> None:
    total = np.cumsum([0, *STEADY, *STEADY]).astype(float)
    total[5:7] = np.nan
    new, repairs, _ = daily(total, cumulative=True)
    assert new[5:8] == [42, 42, 42]
    assert sum(new) == sum(STEADY) * 2
    assert ("cumulative gap", 2) in repairs


def test_silent_weekends_are_filled_from_monday() -> None:
    weeks = [40.0, 44, 38, 41, 45, 0, 0, 121, 44, 38, 41, 45, 0, 0, 125, 40]
    new, repairs, made = daily(weeks)
    assert new[5:8] == [40, 41, 40]
    assert sum(new) == sum(weeks)
    assert repairs == [("silent days", 4)]
    assert "first 2020-03-07" in made.repairs[0].problem


def test_zeros_that_may_be_chance_stay() -> None:
    few = [3.0, 0, 2, 0, 0, 5, 1, 0, 4] * 3
    assert daily(few)[:2] == (few, [])


def test_reports_still_to_come_are_missing() -> None:
    new, repairs, _ = daily([*STEADY, 0, 0])
    assert np.isnan(new[-2:]).all()
    assert repairs == [("not yet reported", 2)]


def test_a_backlog_is_spread_back_with_its_silent_day() -> None:
    values = [*STEADY, *STEADY, 0, 420, 41, 40, 43]
    new, repairs, made = daily(values)
    assert sum(new) == sum(values)
    assert new[14:16] == [42, 42]
    assert new[16:] == [41, 40, 43]
    assert new[0] > 40
    assert repairs == [("backlog", 1)]
    assert "change of definition, first 2020-03-17" in made.repairs[0].problem


def test_a_step_that_stays_is_no_backlog() -> None:
    values = [*STEADY, 400.0, 420, 390, 410, 405]
    assert daily(values)[:2] == (values, [])


def test_nothing_after_the_origin_is_read() -> None:
    values = [*STEADY, *STEADY, 0, 420, 41, 40, 43]
    early = daily_counts(counts(values).cut(5))
    assert early.target[:14, 0].tolist() == STEADY * 2
    assert np.isnan(early.target[14:]).all()
    assert [one.kind for one in early.repairs] == []


def test_without_repair_only_differences_are_taken() -> None:
    values = [*STEADY, 0, -5, 400]
    assert daily(values, repair=False)[:2] == (values, [])


def test_every_series_is_named() -> None:
    made = daily_counts(counts([*STEADY, -4, 40], STEADY, ids=["Here", "There"]))
    assert [one.place for one in made.repairs] == ["y of Here"]
