"""ETS, ARIMA and Theta behind our doors: agree with statsforecast, survive odd series, stay quiet."""

from __future__ import annotations

import subprocess
import sys
import warnings

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError, NotFittedError, SettingError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.forecasters import AutoARIMA, AutoETS, AutoTheta, SeasonalNaive, default_baselines
from gatecast.forecasters.statistical import _Statistical


def wave(length: int = 120, season: int = 12, seed: int = 1) -> np.ndarray:
    t = np.arange(length)
    noise = 0.3 * np.random.default_rng(seed).standard_normal(length)
    return (20 + 0.05 * t + 5 * np.sin(2 * np.pi * t / season) + noise).astype(np.float32)


def monthly(*series: np.ndarray) -> Panel:
    return Panel.from_arrays(list(series), freq="MS")


@pytest.fixture(autouse=True)
def _needs_statsforecast() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pytest.importorskip("statsforecast.models", reason='needs pip install "gatecast[stats]"')


@pytest.mark.parametrize("model", [AutoETS(), AutoARIMA(), AutoTheta()], ids=lambda m: m.name)
def test_follows_trend_and_season(model: _Statistical) -> None:
    whole = monthly(wave())
    forecast = model.fit(whole.cut(12)).predict(12, samples=200)
    assert np.abs(forecast.mean - whole.cut(12).actual(12)).mean() < 0.8
    assert (np.diff(forecast.quantiles, axis=-1) > 0).all()
    assert forecast.levels == (80, 95)
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 200, 12, 1)


def test_is_what_statsforecast_gives() -> None:
    from statsforecast.models import AutoETS as Original

    y = wave()
    expected = Original(season_length=12).forecast(y=y.astype(float), h=6, level=[80, 95])
    forecast = AutoETS().fit(monthly(y)).predict(6)
    assert forecast.mean[0, :, 0] == pytest.approx(expected["mean"])
    low, high = forecast.interval(95)
    assert low[0, :, 0] == pytest.approx(expected["lo-95"], rel=1e-4)
    assert high[0, :, 0] == pytest.approx(expected["hi-95"], rel=1e-4)


def test_odd_series_fall_back_to_seasonal_naive_with_a_note() -> None:
    short, flat = wave(8), np.full(60, 3.0, np.float32)
    panel = monthly(wave(), flat, short)
    forecast = AutoTheta().fit(panel).predict(5)
    fallback = SeasonalNaive(12).fit(panel).predict(5)
    assert np.array_equal(forecast.mean[1:], fallback.mean[1:])
    assert not np.allclose(forecast.mean[0], fallback.mean[0])
    assert "Seasonal naive for 2 of 3 series: too short, constant, or refused by the model." in forecast.notes


def test_missing_values_are_bridged_with_a_note() -> None:
    holes = wave()
    holes[[30, 31, 119]] = np.nan
    forecast = AutoTheta().fit(monthly(holes)).predict(5)
    assert np.isfinite(forecast.quantiles).all()
    assert "Missing values of the series filled by straight lines." in forecast.notes


def test_history_is_bounded_with_a_note() -> None:
    y = wave(600)
    forecast = AutoTheta(history=100).fit(monthly(y)).predict(5)
    assert "Fitted on the last 100 rows only, for the time it takes." in forecast.notes
    only = AutoTheta().fit(monthly(y[-100:])).predict(5)
    assert np.array_equal(forecast.mean, only.mean)


def test_long_seasons_are_taken_out_first() -> None:
    t = np.arange(480)
    y = 10 + 3 * np.sin(2 * np.pi * t / 96) + 0.2 * np.random.default_rng(1).standard_normal(480)
    forecast = AutoETS().fit(Panel.from_arrays([y.astype(np.float32)], freq="15min")).predict(48)
    truth = 10 + 3 * np.sin(2 * np.pi * (480 + np.arange(48)) / 96)
    assert np.abs(forecast.mean[0, :, 0] - truth).mean() < 0.4
    assert "The season of 96 steps is taken out by LOESS first (MSTL)." in forecast.notes


def test_several_targets() -> None:
    y = np.stack([wave(), -wave(seed=2)], axis=1)
    forecast = AutoTheta().fit(monthly(y)).predict(4)
    assert (forecast.mean[0, :, 0] > 0).all()
    assert (forecast.mean[0, :, 1] < 0).all()


@pytest.mark.slow
def test_processes_give_the_same() -> None:
    panel = monthly(wave(60), wave(60, seed=2))
    alone = AutoTheta().fit(panel).predict(4)
    shared = AutoTheta(jobs=2).fit(panel).predict(4)
    assert np.array_equal(alone.mean, shared.mean)


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AutoARIMA().fit(monthly(wave(60))).predict(4)
    assert capfd.readouterr() == ("", "")


def test_without_statsforecast_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "statsforecast.models", None)
    remedy = 'pip install "gatecast[stats]"'
    with refused(MissingExtraError, problem="statsforecast is needed for AutoETS", remedy=remedy):
        AutoETS().fit(monthly(wave()))


def test_without_statsforecast_the_baselines_name_the_omitted_models(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    models, left_out = default_baselines(monthly(wave()), 6)
    assert [m.name for m in models] == ["Naive", "SeasonalNaive", "Drift", "Mean", "LinearAR"]
    assert left_out == ['AutoETS, AutoARIMA and AutoTheta (pip install "gatecast[stats]")']


def test_errors_name_a_remedy() -> None:
    with refused(NotFittedError, problem="AutoETS is not fitted yet"):
        AutoETS().predict(3)
    with refused(SettingError, problem=[Arg("season"), "at least 1, got 0"]):
        AutoETS(0).fit(monthly(wave()))
    with refused(SettingError, problem="AutoETS has no horizon", remedy=Arg("horizon", 14)):
        AutoETS().fit(monthly(wave())).predict()


def test_importing_the_forecasters_does_not_import_statsforecast() -> None:
    code = (
        "import sys, gatecast.forecasters.ensemble; print([m for m in ('statsforecast', 'pandas') if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
