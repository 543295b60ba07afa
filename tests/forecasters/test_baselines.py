"""The four simple methods against the formulas of FPP3 §5.2 and §5.5, and with holes in the history."""

from __future__ import annotations

import math
import time

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.data.panel import Panel
from gatecast.forecasters.baselines import Drift, LocalBaseline, Mean, Naive, SeasonalNaive

NAN = float("nan")


def panel(*series: list[float], freq: str = "D") -> Panel:
    return Panel.from_arrays([np.array(s, dtype=np.float32) for s in series], freq=freq)


def point(model: LocalBaseline, history: list[float], horizon: int) -> list[float]:
    return model.fit(panel(history)).predict(horizon).mean[0, :, 0].tolist()


def spread(model: LocalBaseline, history: list[float], horizon: int) -> np.ndarray:
    """Standard deviation read off the 80 % interval."""
    low, high = model.fit(panel(history)).predict(horizon, levels=[80]).interval(80)
    return (high - low)[0, :, 0] / (2 * 1.2815515655)


HISTORY = [1.0, 3, 2, 5, 4, 6]  # changes 2, -1, 3, -1, 2


def test_points() -> None:
    assert point(Naive(), HISTORY, 3) == [6, 6, 6]
    assert point(SeasonalNaive(2), HISTORY, 5) == [4, 6, 4, 6, 4]
    assert point(Drift(), HISTORY, 3) == pytest.approx([7, 8, 9])
    assert point(Mean(), HISTORY, 2) == pytest.approx([3.5, 3.5])


def test_spread_of_naive() -> None:
    sigma = math.sqrt((4 + 1 + 9 + 1 + 4) / 5)
    assert spread(Naive(), HISTORY, 4) == pytest.approx(sigma * np.sqrt([1, 2, 3, 4]))


def test_spread_of_seasonal_naive() -> None:
    sigma = math.sqrt((1 + 4 + 4 + 1) / 4)  # changes over two steps: 1, 2, 2, 1
    assert spread(SeasonalNaive(2), HISTORY, 5) == pytest.approx(sigma * np.sqrt([1, 1, 2, 2, 3]))


def test_spread_of_drift() -> None:
    sigma = math.sqrt((1 + 4 + 4 + 4 + 1) / 4)  # changes less the slope 1, one parameter
    steps = np.arange(1, 4)
    assert spread(Drift(), HISTORY, 3) == pytest.approx(sigma * np.sqrt(steps * (1 + steps / 5)))


def test_spread_of_mean() -> None:
    assert spread(Mean(), HISTORY, 2) == pytest.approx(np.std(HISTORY, ddof=1) * math.sqrt(1 + 1 / 6))


def test_missing_values_are_skipped() -> None:
    assert point(Naive(), [1, 2, NAN, NAN], 2) == [2, 2]
    assert point(SeasonalNaive(2), [1, 2, 3, 4, NAN, 6], 4) == [3, 6, 3, 6]
    assert point(Drift(), [NAN, 1, NAN, 5, NAN], 2) == pytest.approx([9, 11])  # slope 2, three rows back
    assert point(Mean(), [1, NAN, 3], 1) == [2]


def test_the_spread_grows_over_missing_last_values() -> None:
    full, cut = spread(Naive(), HISTORY, 4), spread(Naive(), [*HISTORY, NAN, NAN], 2)
    assert cut == pytest.approx(full[2:])
    assert spread(SeasonalNaive(2), [*HISTORY, NAN, NAN], 2)[0] == pytest.approx(
        spread(SeasonalNaive(2), HISTORY, 3)[2]
    )


def test_odd_lengths_keep_the_phase_of_the_season() -> None:
    assert point(SeasonalNaive(3), [9, 1, 2, 3, 1, 2, 3], 4) == [1, 2, 3, 1]
    assert point(SeasonalNaive(3), [1, 2, 3, 1], 3) == [2, 3, 1]


def test_a_history_shorter_than_the_season_falls_back_and_says_so() -> None:
    forecast = SeasonalNaive(7).fit(panel([1, 2, 3], list(range(20)))).predict(4)
    assert forecast.mean[0, :, 0].tolist() == [3, 3, 3, 3][:4]
    assert forecast.notes == ("1 of 2 series has no observation of some season; the last observed value stands in.",)
    assert np.isfinite(forecast.quantiles).all()


def test_season_comes_from_the_panel() -> None:
    assert SeasonalNaive().fit(panel(list(range(20)))).season_ == 7


def test_a_series_without_observations_and_one_with_a_single_one() -> None:
    for model in (Naive(), SeasonalNaive(2), Drift(), Mean()):
        forecast = model.fit(panel([NAN, NAN, NAN], [NAN, 5, NAN])).predict(2)
        assert np.isnan(forecast.mean[0]).all()
        assert forecast.mean[1, :, 0].tolist() == [5, 5]
        assert forecast.interval(80)[0][1, :, 0].tolist() == [5, 5]
        assert "1 of 2 series has no observation at all and gets no forecast." in forecast.notes
        assert (
            "1 of 2 series has too few observations to estimate a spread; its intervals have no width."
            in forecast.notes
        )


def test_several_targets_and_unequal_lengths() -> None:
    series = [np.array([[1, 10], [2, 20]], np.float32), np.array([[5, 50], [6, 60], [7, NAN]], np.float32)]
    forecast = Naive().fit(Panel.from_arrays(series)).predict(1)
    assert forecast.mean[:, 0].tolist() == [[2, 20], [7, 60]]


def test_another_panel_is_forecast_from_its_own_history() -> None:
    model = SeasonalNaive(2).fit(panel(HISTORY))
    assert model.predict(2, panel=panel([7, 8, 9])).mean[0, :, 0].tolist() == [8, 9]


@pytest.mark.parametrize("model", [Naive(), SeasonalNaive(3), Drift(), Mean()], ids=lambda m: m.name)
def test_sample_paths_have_the_spread_of_the_intervals(model: LocalBaseline) -> None:
    walk = np.random.default_rng(1).standard_normal(30).cumsum().tolist()
    forecast = model.fit(panel(walk)).predict(7, samples=20_000)
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 20_000, 7, 1)
    assert np.quantile(forecast.samples[0, :, :, 0], 0.9, axis=0) == pytest.approx(
        forecast.quantile(0.9)[0, :, 0], abs=0.03 * np.ptp(forecast.quantiles)
    )


def test_sample_paths_of_naive_are_a_random_walk() -> None:
    samples = Naive().fit(panel(HISTORY)).predict(4, samples=20_000).samples
    assert samples is not None
    paths = samples[0, :, :, 0]
    assert np.corrcoef(paths[:, 0], paths[:, 3])[0, 1] == pytest.approx(0.5, abs=0.02)
    again = Naive().fit(panel(HISTORY)).predict(4, samples=20_000).samples
    assert again is not None
    assert np.array_equal(again, samples)


def test_intervals_cover_a_random_walk() -> None:
    walks = np.random.default_rng(2).standard_normal((2000, 60)).cumsum(axis=1).astype(np.float32)
    whole = Panel.from_arrays(list(walks))
    forecast = Naive().fit(whole.cut(10)).predict(10)
    actual = whole.cut(10).actual(10)
    for level in (80, 95):
        low, high = forecast.interval(level)
        assert np.mean((actual >= low) & (actual <= high)) == pytest.approx(level / 100, abs=0.02)


def test_errors_name_a_remedy() -> None:
    with refused(NotFittedError, problem="Naive is not fitted yet", remedy=Call("fit", ...)):
        Naive().predict(3)
    with refused(SettingError, problem="Naive has no horizon", remedy=Arg("horizon", 14)):
        Naive().fit(panel(HISTORY)).predict()
    with refused(SettingError, problem=[Arg("season"), "at least 1, got 0"]):
        SeasonalNaive(0).fit(panel(HISTORY))


def test_many_series_are_fast() -> None:
    data = Panel.from_arrays([np.zeros(100, np.float32)] * 20_000, freq="h")
    start = time.process_time()
    SeasonalNaive().fit(data).predict(24)
    assert time.process_time() - start < 5  # 0.4 s; a loop over series takes more than the limit
