"""Cases: which column is read, and what its repair keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.epidemic import Cases, read_cases

COUNTS = np.array([5, 9, 7, 12, 20, 18, 25, 31, 28, 40, 44, 52])


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame({"date": pd.date_range("2020-03-02", periods=len(COUNTS)), **columns})


@pytest.mark.parametrize(
    ("columns", "target"),
    [
        ({"deaths": COUNTS, "confirmed": COUNTS}, "confirmed"),
        ({"total_cases": COUNTS, "new_cases": COUNTS}, "new_cases"),
        ({"Confirmed": COUNTS, "Confirmed_Deaths": COUNTS, "tests": COUNTS}, "Confirmed"),
    ],
)
def test_the_column_named_like_cases_is_read(columns: dict[str, np.ndarray], target: str, tmp_path: Path) -> None:
    table = frame(**columns)
    table.to_csv(tmp_path / "cases.csv", index=False)
    for source in (table, tmp_path / "cases.csv"):
        assert read_cases(source).daily.target_names == (target,)


def test_target_takes_precedence() -> None:
    found = read_cases(frame(cases=COUNTS, tests=2 * COUNTS), target="tests")
    np.testing.assert_array_equal(found.daily.series(0)[:, 0], 2 * COUNTS)


def test_population_column_becomes_a_static_column() -> None:
    found = read_cases(frame(cases=COUNTS, people=1000, area=3), "people", static="area")
    assert found.daily.static_names == ("people", "area")
    with refused(
        SettingError, problem=[Arg("population", "persons"), "nor a column of the frame"], remedy="date, cases"
    ):
        read_cases(frame(cases=COUNTS), "persons")


def test_deaths_need_to_be_named() -> None:
    with refused(DataError, problem="deaths counts deaths", remedy=Arg("target", "deaths")):
        read_cases(frame(deaths=COUNTS))
    assert read_cases(frame(deaths=COUNTS), target="deaths").daily.target_names == ("deaths",)


def test_several_columns_are_refused() -> None:
    with refused(DataError, problem="one column of cases is expected, got a_cases, b_cases"):
        read_cases(frame(a_cases=COUNTS, b_cases=COUNTS), target=["a_cases", "b_cases"])


def test_cases_before_a_cumulative_column_are_kept() -> None:
    found = read_cases(frame(cases=100 + np.cumsum(COUNTS)))
    assert found.cumulative
    assert found.before == [105.0]  # the first day has no difference
    assert read_cases(frame(cases=COUNTS)).before == [0.0]
    assert not Cases.of(found.reported, cumulative=False).cumulative


def test_cases_before_the_first_row_of_each_series() -> None:
    days, steady = pd.date_range("2020-03-01", periods=60), np.arange(60.0) % 7 + 40
    frames = [("daily", steady), ("total", 500 + np.cumsum(steady))]
    data = pd.concat([pd.DataFrame({"place": name, "day": days, "cases": values}) for name, values in frames])
    mixed = read_cases(data, target="cases", id="place")
    assert mixed.cumulative == frozenset({"total"})
    assert mixed.before == [0.0, 540.0]
    anew = np.concatenate([500 + np.cumsum(steady), np.cumsum(steady)])
    once = read_cases(pd.DataFrame({"day": pd.date_range("2020-03-01", periods=120), "cases": anew}), target="cases")
    assert once.cumulative is True
    assert once.before == [540.0]
    assert float(np.nansum(once.daily.series(0))) == 2 * steady.sum() - 40
