"""The forecaster: the two doors, what was learned, scenarios, and data that does not fit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from epidemic.seir.epidemics import CONSTANTS, START, TRUTH, epidemic, panel, problem
from fixtures.refused import refused

import gatecast
from gatecast import SEIRForecaster, backtest
from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.epidemic.seir import Scenario
from gatecast.epidemic.seir.equations import R


def model(**settings: Any) -> SEIRForecaster:
    return SEIRForecaster(14, 1e6, **{"draws": 30, "starts": 3, **settings})


@pytest.fixture(scope="module")
def fitted() -> SEIRForecaster:
    return model().fit(epidemic(60))


def test_a_forecast_has_the_shape_and_order_of_every_forecast(fitted: SEIRForecaster) -> None:
    forecast = fitted.predict(levels=[50, 95], samples=30)
    assert forecast.mean.shape == (1, 14, 1)
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 30, 14, 1)
    assert (forecast.samples == np.floor(forecast.samples)).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()
    assert forecast.quantiles.min() >= 0
    assert list(forecast.to_frame()) == [
        *("unique_id", "ds", "cutoff", "SEIR"),
        *("SEIR-lo-50", "SEIR-hi-50", "SEIR-lo-95", "SEIR-hi-95"),
    ]
    assert fitted.predict(3).mean.shape == (1, 3, 1)
    np.testing.assert_array_equal(fitted.predict(3).mean, fitted.predict(14).mean[:, :3])


def test_the_forecast_is_near_the_truth(fitted: SEIRForecaster) -> None:
    truth = epidemic(74, None).target[60:, 0]
    np.testing.assert_allclose(fitted.predict().mean[0, :, 0], truth, rtol=0.25)


def test_nothing_after_the_origin_is_read(fitted: SEIRForecaster) -> None:
    longer = epidemic(74)
    longer = replace(longer, target=np.concatenate([epidemic(60).target, np.full((14, 1), 9e5, np.float32)]))
    forecast = fitted.predict(panel=longer.cut(14))
    np.testing.assert_array_equal(forecast.mean, fitted.predict().mean)
    np.testing.assert_array_equal(forecast.quantiles, fitted.predict().quantiles)


def test_days_missing_after_every_earlier_origin_leave_the_usual_drift() -> None:
    counts = epidemic(29).target.copy()
    counts[-6:] = np.nan
    (one,) = model(draws=5).fit(replace(epidemic(29), target=counts)).fits_.values()
    assert (one.drift.level, one.drift.drift) == (0.1, 0.03)


def test_the_backtest_takes_it() -> None:
    tested = backtest([model(draws=5), gatecast.Naive()], epidemic(50), 7, windows=2, progress=False)
    assert tested.failed == {}
    scores = tested.scores()
    assert scores.loc["SEIR", "MAE"] < scores.loc["Naive", "MAE"]


def test_fitted_attributes(fitted: SEIRForecaster) -> None:
    table = fitted.params_.set_index("parameter")
    assert list(fitted.params_) == ["unique_id", "parameter", "estimate", "low", "high", "identifiable", "reason"]
    for name, value in TRUTH.items():
        assert table.loc[name, "low"] <= value <= table.loc[name, "high"]
    assert fitted.r0_ == {"s0": pytest.approx(7 * table.loc["beta", "estimate"])}
    reproduction = fitted.reproduction(7)
    assert len(reproduction) == 67
    assert reproduction["future"].sum() == 7
    assert reproduction["estimate"].iloc[0] == pytest.approx(fitted.r0_["s0"], rel=1e-3)
    assert (reproduction["lo-95"] <= reproduction["lo-50"]).all()
    assert (
        (reproduction["lo-95"] <= reproduction["estimate"]) & (reproduction["estimate"] <= reproduction["hi-95"])
    ).all()


def test_the_summary_is_that_of_the_true_epidemic(fitted: SEIRForecaster) -> None:
    table = fitted.summary().set_index("quantity")
    whole = epidemic(700, None).target[:, 0]
    truth = {
        "R0": 4.2,
        "peak (new cases a day)": whole.max(),
        "final size (cases)": whole.sum(),
        "peak date": START + np.timedelta64(int(whole.argmax()), "D"),
    }
    for quantity, value in truth.items():
        value = pd.Timestamp(value) if quantity == "peak date" else value
        assert table.loc[quantity, "low"] <= value <= table.loc[quantity, "high"]
    assert table.loc["doubling time (days)", "estimate"] > 0


def test_the_first_fitted_day_is_known_where_days_are_left_out(fitted: SEIRForecaster) -> None:
    assert fitted.fitted_from("s0") is None
    late = SEIRForecaster(7, population=1e6, history=20, draws=2, starts=2).fit(fitted.panel_)
    assert late.fitted_from("s0") == pd.Timestamp(START + np.timedelta64(40, "D"))


def test_the_curve_adds_up(fitted: SEIRForecaster) -> None:
    curve = fitted.curve(horizon=10)
    assert len(curve) == 70
    np.testing.assert_allclose(curve[list("SEIRD")].sum(axis=1), 1e6, rtol=1e-9)
    np.testing.assert_allclose(curve["new"].cumsum(), curve["cumulative"])
    np.testing.assert_allclose(curve["new"].to_numpy()[60:], fitted.predict(10).mean[0, :, 0], rtol=1e-6)


def test_scenarios(fitted: SEIRForecaster) -> None:
    base, later = fitted.predict(), fitted.scenario("lockdown 5 days later", shift_days=5)
    fewer = fitted.scenario(contacts=-0.3, start="2020-03-20")
    assert later.model == "lockdown 5 days later"
    assert fewer.model == "contacts -30 % from 2020-03-20"
    assert later.mean.sum() > base.mean.sum() > fewer.mean.sum()
    nothing = fitted.scenario()
    np.testing.assert_array_equal(nothing.mean, base.mean)
    np.testing.assert_array_equal(nothing.quantiles, base.quantiles)
    rerun = fitted.curve(Scenario(shift_days=5))
    assert rerun["cumulative"].iloc[-1] > fitted.curve()["cumulative"].iloc[-1]
    assert (fitted.scenario(contacts=-1.0).mean[0, -1] < base.mean[0, -1]).all()
    with refused(SettingError, problem=[Arg("contacts", of="Scenario"), "at least -1, got -2"]):
        fitted.scenario(contacts=-2)
    with refused(SettingError, problem="a date such as '2020-01-23', got 'soon'"):
        fitted.scenario(contacts=-0.3, start="soon")


def test_the_same_seed_gives_the_same_forecast(fitted: SEIRForecaster) -> None:
    again = fitted.clone().fit(epidemic(60))
    np.testing.assert_array_equal(again.predict().quantiles, fitted.predict().quantiles)
    other = fitted.clone()
    assert not hasattr(other, "fits_")
    with refused(NotFittedError, problem="SEIR is not fitted yet", remedy=Call("fit", ...)):
        other.predict()


def test_populations_by_series_and_a_series_without_a_case() -> None:
    two = epidemic(40)
    both = panel(two.series(0)[:, 0], np.zeros(40), ids=["town", "island"])
    forecast = model(draws=10).fit(both).predict()
    assert (forecast.mean[1] == 0).all()
    assert forecast.notes[0] == "1 of 2 series had no cases so far: zero is forecast."
    by_name = SEIRForecaster(14, {"town": 1e6, "island": 50}, draws=10, starts=3).fit(both)
    np.testing.assert_array_equal(by_name.predict().mean, forecast.mean)
    column = replace(both, static=np.array([[1e6], [50.0]], np.float32)).with_schema(static=("people",))
    named = SEIRForecaster(14, "people", draws=10, starts=3).fit(column)
    np.testing.assert_array_equal(named.predict().mean, forecast.mean)
    with refused(SettingError, problem=[Arg("population"), "lacks series 'island'; it has town"]):
        SEIRForecaster(14, {"town": 1e6}).fit(both)
    with refused(
        SettingError,
        problem=[Arg("population", "people"), "names a static column, and the panel has no static column"],
        remedy=Arg("static", ["people"]),
    ):
        SEIRForecaster(14, "people").fit(both)


def test_missing_days_are_left_out() -> None:
    gaps = epidemic(50, None)
    values = gaps.target.copy()
    values[[5, 20, 21, 49]] = np.nan
    found = model(draws=10).fit(replace(gaps, target=values)).params_.set_index("parameter")["estimate"]
    assert found["beta"] == pytest.approx(0.6, rel=0.02)


def test_only_the_latest_days_with_earlier_cases_immune() -> None:
    long = epidemic(80)
    found = model(draws=10, history=30).fit(long)
    one = found.fits_["s0"]
    assert one.days == 30
    assert one.fitted.problem.immune == pytest.approx(float(long.target[:50].sum()))
    assert len(found.reproduction()) == 30
    # β declines from the first day fitted on, not from the first of the series
    assert found.r0_["s0"] == pytest.approx(found.reproduction()["estimate"].iloc[0], rel=0.05)
    assert found.r0_["s0"] == pytest.approx(7 * found.params_.set_index("parameter").loc["beta", "estimate"])


@pytest.mark.parametrize(
    ("values", "problem", "remedy"),
    [
        ([1, 2, -3] * 10, "must be 0 or more, but y of series s0 is -3 at 2020-02-05", "daily_counts"),
        ([0] * 30, "y has no cases, only zeros or missing values", Arg("target", ...)),
        ([3] * 10, "10 days with a count since its first case, and at least 14 are needed", "wait for more"),
        ([90_000] * 30, "counts 2,700,000 cases in a population of 1,000,000", Arg("population", ...)),
    ],
)
def test_counts_that_cannot_be_fitted_are_refused(values: list[float], problem: str, remedy: Any) -> None:
    with refused(DataError, place="arrays", problem=problem, remedy=remedy):
        model().fit(panel(np.array(values, float)))


def test_unreported_cases_count_in_the_population() -> None:
    with refused(DataError, problem="150,000 cases, of which at most 10 % are reported, in a population of 1,000,000"):
        model(reporting=0.1).fit(panel(np.full(30, 5_000.0)))


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"variant": "sirs"}, [Arg("variant"), "one of sir, seir, seird, got 'sirs'"]),
        ({"transmission": "wave"}, ["must be one of constant, exponential, piecewise"]),
        ({"incubation": (5, 2)}, [Arg("incubation"), "a number of days above 0, or a pair", "got (5, 2)"]),
        ({"reporting": 1.5}, [Arg("reporting"), "a share above 0, at most 1", "got 1.5"]),
        ({"bounds": {"gamma": (1, 2)}}, [Arg("bounds"), "names 'gamma', which is not fitted"]),
        ({"bounds": {"beta": (2, 1)}}, [Arg("bounds"), "['beta']", "0 < low < high", "got (2, 1)"]),
        ({"transmission": 0.3}, [Arg("transmission"), "one of constant, exponential, piecewise", "got 0.3"]),
        ({"likelihood": 2}, [Arg("likelihood"), "one of negative_binomial, log", "got 2"]),
        ({"draws": 1}, [Arg("draws"), "at least 2, got 1"]),
        ({"history": 13}, [Arg("history"), "at least 14, got 13"]),
        ({"drift": -0.1}, [Arg("drift"), "at least 0, got -0.1"]),
        ({"transmission": "exponential(start='May')"}, ["a date such as '2020-01-23', got 'May'"]),
        ({"transmission": "exponential(floor=1)"}, [Arg("floor", of="Exponential"), "at least 0 and below 1, got 1"]),
        ({"transmission": "piecewise(most=0)"}, [Arg("most", of="Piecewise"), "at least 1, got 0"]),
    ],
)
def test_settings_out_of_bounds_are_refused(settings: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        model(**settings).fit(panel(np.full(30, 3.0)))


def test_weekly_rows_and_two_targets_are_refused() -> None:
    weekly = epidemic(40).with_schema(freq=gatecast.Frequency("W"))
    with refused(DataError, problem="one row a day, this panel has frequency W", remedy="daily counts"):
        model().fit(weekly)
    with refused(
        DataError,
        problem=[Arg("variant", "seir"), "one column as target, this panel has 2: y0, y1"],
        remedy=Arg("target", ...),
    ):
        model().fit(panel(np.ones((30, 2))))


def test_two_thirds_of_the_truth_lie_in_the_half_band_or_more() -> None:
    inside = {50: [], 95: []}  # type: ignore[var-annotated]
    for seed in range(3):
        whole = epidemic(64, seed=seed)
        forecast = model(seed=seed).fit(whole.cut(14)).predict(levels=[50, 95])
        for level, found in inside.items():
            low, high = forecast.interval(level)
            found.append((low[0, :, 0] <= whole.target[50:, 0]) & (whole.target[50:, 0] <= high[0, :, 0]))
    assert np.mean(inside[50]) >= 0.4
    assert np.mean(inside[95]) >= 0.85


def test_cases_that_were_not_reported_are_immune_as_well() -> None:
    whole = problem(immune=1000.0)
    half = problem(immune=1000.0, constants={**CONSTANTS, "reporting": 0.5})
    immune = [one.path(np.log([[0.5, 0.02, 50.0]]), 1)[0, R, 0] for one in (whole, half)]
    assert immune == pytest.approx([1000.0, 2000.0])
