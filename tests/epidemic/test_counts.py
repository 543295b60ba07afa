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
from gatecast.epidemic.counts import total_counted

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


def test_a_lasting_step_is_not_a_backlog() -> None:
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


# ── counts that begin anew ────────────────────────────────────────────────────────────────────────────────────────────
def test_a_cumulative_count_that_begins_anew_keeps_its_cases() -> None:
    first, second = np.cumsum([0, *STEADY * 3]), np.cumsum(STEADY * 2)
    new, repairs, made = daily(np.concatenate([first, second]))
    assert new == [0, *STEADY * 5]
    assert repairs == [("cumulative", 1), ("restart", 1)]
    assert f"first 2020-03-24: counted from 0 there, and the {3 * sum(STEADY):,.0f} cases counted before are kept" in (
        made.repairs[1].problem
    )


def test_two_years_that_each_begin_at_0() -> None:
    year = np.cumsum(STEADY * 6)
    new, repairs, _ = daily(np.concatenate([[0], year, [0], year, [0], year]), cumulative=True)
    assert sum(new) == 18 * sum(STEADY)
    assert max(new) == 45
    assert repairs[1] == ("restart", 2)


def test_a_total_that_falls_to_0_and_comes_back_is_missing() -> None:
    total = np.cumsum([0, *STEADY * 3]).astype(float)
    total[10:12] = 0
    new, repairs, _ = daily(total)
    assert sum(new) == 3 * sum(STEADY)
    assert ("dip", 2) in repairs
    assert "withdrawn" not in dict(repairs)


def test_all_that_was_counted() -> None:
    total = np.cumsum([5, *STEADY * 3]).astype(float)
    assert total_counted(total) == 5 + 3 * sum(STEADY)
    assert total_counted(np.concatenate([total, np.cumsum(STEADY)])) == 5 + 4 * sum(STEADY)
    assert total_counted(np.array([np.nan])) == 0


# ── mixed files ───────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_series_of_a_mixed_file_is_read_by_itself() -> None:
    rows = STEADY * 6
    made = daily_counts(counts(rows, np.cumsum([0, *rows[1:]]), rows, ids=["a", "b", "c"]))
    assert made.series(0)[:, 0].tolist() == rows
    assert made.series(1)[:, 0].tolist() == [0, *rows[1:]]
    (said,) = made.repairs
    assert (said.kind, said.count) == ("cumulative", 1)
    assert "cumulative in 1 series (b)" in str(said.problem)
    assert "counts per day in the other 2" in str(said.problem)


def test_a_short_series_follows_the_others() -> None:
    rows, growth = STEADY * 6, [float(k) for k in range(12)]
    made = daily_counts(counts(rows, growth, rows, ids=["a", "b", "c"]))
    assert made.series(1)[:, 0].tolist() == growth
    assert made.repairs == ()


def test_the_cumulative_series_can_be_named() -> None:
    rows = STEADY * 2
    made = daily_counts(counts(rows, np.cumsum([0, *rows[1:]]), ids=["a", "b"]), cumulative={"b"})
    assert made.series(1)[:, 0].tolist() == [0, *rows[1:]]
    assert made.series(0)[:, 0].tolist() == rows


# ── totals of several days ────────────────────────────────────────────────────────────────────────────────────────────
def weekly(values: list[float], start: int = 0) -> np.ndarray:
    """The same cases reported once a week, from a row on; the other days are empty."""
    made = np.array(values, float)
    for row in range(start + 6, len(made), 7):
        made[row - 6 : row] = np.nan
        made[row] = sum(values[row - 6 : row + 1])
    return made


def test_weekly_totals_with_empty_days_are_spread() -> None:
    values = STEADY * 8
    new, repairs, made = daily(weekly(values)[6:])  # a file begins with its first number
    assert new[0] == round(sum(STEADY) / 7)
    assert sum(new[1:]) == 7 * sum(STEADY)
    assert max(new) <= 44
    assert repairs == [("totals of several days", 42)]
    assert "each number is the total of the days since the one before" in made.repairs[0].problem


def test_a_change_from_daily_to_weekly_reports() -> None:
    values = STEADY * 8
    new, repairs, _ = daily(weekly(values, start=28))
    assert new[:28] == values[:28]
    assert sum(new) == sum(values)
    assert max(new[28:]) <= 44
    assert repairs == [("totals of several days", 24)]


def test_one_report_for_an_empty_weekend() -> None:
    week = [40.0, 44, 38, 41, 45]
    values = [*week, np.nan, np.nan, 121, 44, 38, 41, 45, np.nan, np.nan, 125, 40, 41]
    new, repairs, _ = daily([*week, *week, *values])
    assert new[15:18] == [40, 41, 40]
    assert repairs == [("late report", 4)]


def test_one_number_a_week_at_the_usual_level_is_a_day() -> None:
    values = np.array(STEADY * 8)
    values[28:] = np.where(np.arange(28) % 7 == 6, values[28:], np.nan)
    new, repairs, _ = daily(values)
    np.testing.assert_array_equal(new, values)
    assert repairs == []


def test_a_missing_day_in_an_outbreak_is_left_missing() -> None:
    values = np.round(20 * 1.25 ** np.arange(24))
    values[15] = np.nan
    new, repairs, _ = daily(values, cumulative=False)
    np.testing.assert_array_equal(new, values)
    assert repairs == []


def test_few_cases_at_regular_distances_stay() -> None:
    values = np.where(np.arange(35) % 7 == 0, 3.0, np.nan)
    np.testing.assert_array_equal(daily(values)[0], values[: len(daily(values)[0])])
