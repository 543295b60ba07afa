"""Rolling origins: the right rows, nothing from the future, one model's failure leaves the others standing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

import numpy as np
import pandas as pd
import pytest
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast.base.errors import DataError, GatecastError, MissingExtraError, SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.evaluation.forecast import Forecast
from gatecast.forecasters import Drift, Forecaster, Mean, Naive, SeasonalNaive, backtest
from gatecast.forecasters.backtest import seasonal_scales


def season(length: int = 100, series: int = 2, noise: float = 0.3) -> Panel:
    rng = np.random.default_rng(1)
    t = np.arange(length)
    values = [10 + k + 3 * np.sin(2 * np.pi * t / 7) + noise * rng.standard_normal(length) for k in range(series)]
    return Panel.from_arrays([v.astype(np.float32) for v in values], freq="D")


class Spy(Forecaster):
    """Forecasts zeros and notes what it was shown."""

    def __init__(self, log: list[tuple[str, int]], name: str = "Spy"):
        self.log = log
        self.name = name

    def fit(self, panel: Panel) -> Self:
        self.log.append(("fit", int(panel.lengths[0])))
        self.panel_ = panel
        return self

    def _forecast(self, panel: Panel, horizon: int, levels: Sequence[float], samples: int | None) -> Forecast:
        self.log.append(("predict", int(panel.lengths[0])))
        return Forecast(self.name, panel, np.zeros((len(panel), horizon, panel.targets)))


class Broken(Spy):
    """Fails at its second forecast, or at once for want of a package."""

    def __init__(self, error: Exception):
        super().__init__([], "Broken")
        self.error = error

    def fit(self, panel: Panel) -> Self:
        raise self.error


def test_origins_fit_once_or_every_time() -> None:
    once: list[tuple[str, int]] = []
    backtest([Spy(once)], season(), 10, windows=3)
    assert once == [("fit", 70), ("predict", 70), ("predict", 80), ("predict", 90)]
    often: list[tuple[str, int]] = []
    backtest([Spy(often)], season(), 10, windows=2, step=3, refit=True)
    assert often == [("fit", 87), ("predict", 87), ("fit", 90), ("predict", 90)]


def test_the_frame_holds_forecasts_and_actual_values() -> None:
    panel = season()
    frame = backtest([Naive(), SeasonalNaive()], panel, 5, windows=2, levels=[80]).to_frame()
    expected = ["unique_id", "ds", "cutoff", "y"]
    expected += [f"{m}{end}" for m in ("Naive", "SeasonalNaive") for end in ("", "-lo-80", "-hi-80")]
    assert list(frame.columns) == expected
    assert len(frame) == 2 * 2 * 5
    first = frame[(frame["unique_id"] == "s1") & (frame["cutoff"] == frame["cutoff"].min())]
    assert first["y"].tolist() == pytest.approx(panel.series(1)[90:95, 0].tolist())
    assert first["Naive"].tolist() == pytest.approx([float(panel.series(1)[89, 0])] * 5)
    assert first["SeasonalNaive"].tolist() == pytest.approx(panel.series(1)[83:88, 0].tolist())
    assert (first["ds"].diff().dropna() == pd.Timedelta("1D")).all()
    assert first["cutoff"].iloc[0] == panel.times(1)[89]


def test_several_targets_have_a_variable_column() -> None:
    y = np.stack([np.arange(60), 100 + np.arange(60)], axis=1).astype(np.float32)
    result = backtest([Drift()], Panel.from_arrays([y]), 3, windows=2)
    assert result.frame["variable"].tolist()[:4] == ["y0", "y1", "y0", "y1"]
    assert result.frame["Drift"].to_numpy() == pytest.approx(result.frame["y"].to_numpy(), abs=1e-3)
    assert list(result.scores("series").index.names) == ["unique_id", "variable", "model"]


def test_scores_by_hand() -> None:
    ramp = Panel.from_arrays([np.arange(40, dtype=np.float32)])  # season 1, so the scale is 1
    result = backtest([Naive(), Drift()], ramp, 4, windows=3)
    scores = result.scores()
    assert scores.loc["Naive", "MAE"] == pytest.approx((1 + 2 + 3 + 4) / 4)
    assert scores.loc["Naive", "MASE"] == pytest.approx(2.5)
    assert scores.loc["Drift", "MAE"] == pytest.approx(0, abs=1e-6)
    assert result.scores("step", ["MAE"])["MAE"].xs("Naive", level="model").tolist() == pytest.approx([1, 2, 3, 4])
    assert result.scores("cutoff", ["MAE"])["MAE"].xs("Naive", level="model").tolist() == pytest.approx([2.5] * 3)
    assert result.scores("cutoff").index.get_level_values("cutoff").unique().tolist() == [27, 31, 35]
    assert result.scores("series", ["RMSE"]).index.tolist() == [("s0", "Naive"), ("s0", "Drift")]


def test_the_scale_comes_from_before_the_first_origin() -> None:
    calm = np.tile([0.0, 1.0], 30)
    wild = calm.copy()
    wild[-4:] *= 1000
    scales = [backtest([Naive()], Panel.from_arrays([v]), 2, windows=2).scales for v in (calm, wild)]
    assert np.array_equal(scales[0], scales[1])
    assert scales[0][0, 0].tolist() == [1, 1]


def test_seasonal_scales_by_hand() -> None:
    panel = Panel.from_arrays([np.array([1.0, 5, 3, np.nan, 9, 6]), np.ones(6), np.ones(2)])
    scales = seasonal_scales(panel, 2)
    assert scales[0, 0].tolist() == pytest.approx([4, np.sqrt((4 + 36) / 2)])  # |3 - 1|, |9 - 3|
    assert np.isnan(scales[1:]).all()


@pytest.mark.parametrize("levels", [[0.8], [80, 80], [100], [True]])
def test_levels_are_checked_before_any_fit(levels: Any) -> None:
    log: list[tuple[str, int]] = []
    with refused(SettingError, problem=Arg("levels")):
        backtest([Spy(log)], season(), 5, levels=levels)
    assert not log


@pytest.mark.parametrize("wrong", [True, 0, -7])
def test_a_season_other_than_a_whole_number(wrong: Any) -> None:
    with refused(SettingError, problem=[Arg("season"), repr(wrong)]):
        backtest([Naive()], season(), 5, season=wrong)


def test_a_failing_model_is_recorded_and_the_others_run() -> None:
    missing = MissingExtraError('x is needed for Broken: pip install "gatecast[stats]"')
    result = backtest([Broken(ValueError("no luck")), Naive(), Mean()], season(), 5)
    assert result.models == ["Naive", "Mean"]
    assert result.failed == {"Broken": "ValueError: no luck"}
    assert "Broken failed: ValueError: no luck." in result.verdict().text
    absent = backtest([Broken(missing), Naive()], season(), 5)
    assert not absent.failed
    assert 'Left out: Broken (x is needed for Broken: pip install "gatecast[stats]").' in absent.verdict().text


def test_when_every_model_fails_there_is_an_error() -> None:
    with refused(GatecastError, problem=["no model", "Broken: ValueError: no luck"]):
        backtest([Broken(ValueError("no luck"))], season(), 5)


def test_a_forecast_of_the_wrong_shape_is_a_failure() -> None:
    class Short(Spy):
        def _forecast(self, panel: Panel, horizon: int, *given: Any) -> Forecast:
            return super()._forecast(panel, 1, *given)

    result = backtest([Short([], "Short"), Naive()], season(), 5)
    assert "shape (2, 1, 1), expected (series, horizon, targets) = (2, 5, 1)" in result.failed["Short"]


def test_windows_are_reduced_with_a_note() -> None:
    result = backtest([Naive()], season(60), 10, windows=20)
    assert len(result.cutoffs) == 3
    assert result.notes[0] == "3 windows instead of 20: the longest series has 60 rows, and 20 need 227."
    single = backtest([Naive()], season(25), 14, windows=5)
    assert single.notes[0].startswith("1 window instead of 5: ")


def test_short_series_are_left_out_with_a_note() -> None:
    values = [np.arange(n, dtype=np.float32) for n in (100, 100, 20)]
    result = backtest([Naive()], Panel.from_arrays(values), 10, windows=4)
    assert result.frame["unique_id"].unique().tolist() == ["s0", "s1"]
    assert result.notes == ["1 of 3 series left out of the backtest: fewer than 61 rows (s2)."]


@pytest.mark.parametrize("rows", [3, 6, 8, 9])
@pytest.mark.parametrize("new", [1, 4])
def test_series_that_have_just_begun_do_not_shorten_the_backtest(rows: int, new: int) -> None:
    values = [10 + np.sin(np.arange(400.0)), *[5.0 + np.arange(rows)] * new]
    result = backtest([SeasonalNaive(), Naive()], Panel.from_arrays(values, freq="D"), 7, windows=5)
    assert len(result.cutoffs) == 5
    assert result.season == 7  # of the series that take part, not of those left out
    assert result.panel.ids.tolist() == ["s0"]
    assert len(result.notes) == 1
    assert "left out" in result.notes[0]
    assert "s1" in result.notes[0]


def test_many_shorter_series_shorten_it_and_the_note_names_them() -> None:
    panel = Panel.from_arrays([np.arange(n, dtype=np.float32) for n in (400, 400, 40, 40, 40, 40, 40)], freq="D")
    result = backtest([Naive()], panel, 7, windows=5)
    assert len(result.cutoffs) == 2
    assert len(result.panel) == 7
    assert "2 windows instead of 5: 5 of 7 series have fewer than 56 rows (s2, s3, s4, s5, s6)" in result.notes[0]
    others = backtest([Naive()], panel.select(["s0", "s1"]), 7, windows=5)  # what the note offers
    assert len(others.cutoffs) == 5
    assert not others.notes


def test_a_horizon_longer_than_the_data_is_an_error() -> None:
    problem = [Arg("horizon", 40), "needs a series of at least 42 rows, the longest has 30"]
    with refused(DataError, problem=problem, remedy=[Arg("horizon"), "at most 28"]):
        backtest([Naive()], season(30), 40)


@pytest.mark.parametrize(
    ("models", "arguments", "problem"),
    [
        ([], {}, ["at least one model"]),
        ([Naive(), Naive()], {}, ["two models are named 'Naive'"]),
        ([Naive()], {"windows": 0}, [Arg("windows"), "at least 1, got 0"]),
        ([Naive()], {"step": -1}, [Arg("step"), "at least 1, got -1"]),
    ],
)
def test_wrong_arguments(models: list[Forecaster], arguments: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        backtest(models, season(), 5, **arguments)


def test_wrong_questions() -> None:
    result = backtest([Naive()], season(), 5)
    with refused(SettingError, problem=[Arg("by"), "one of model, series, cutoff, step, got 'week'"]):
        result.scores("week")
    with refused(UnknownNameError, problem="no model 'GRU'", remedy="it has Naive"):
        result.verdict("GRU")


def test_known_covariates_can_be_hidden() -> None:
    seen: list[Panel] = []

    class Looker(Spy):
        def fit(self, panel: Panel) -> Self:
            seen.append(panel)
            return super().fit(panel)

    panel = replace(season(), known=np.ones((200, 1), np.float32)).with_schema(known=("price",))
    backtest([Looker([])], panel, 5, windows=2)
    backtest([Looker([])], panel, 5, windows=2, future_known=False)
    assert (seen[0].known_names, seen[0].past_names) == (("price",), ())
    assert (seen[1].known_names, seen[1].past_names) == ((), ("price",))


def test_missing_actual_values_are_skipped() -> None:
    panel = season(noise=0)
    holes = panel.target.copy()
    holes[95:100] = np.nan
    result = backtest([SeasonalNaive()], replace(panel, target=holes), 5, windows=2)
    assert result.frame["y"].isna().sum() == 5
    assert result.scores().loc["SeasonalNaive", "MAE"] == pytest.approx(0, abs=1e-5)


def test_the_models_given_are_not_changed() -> None:
    model = SeasonalNaive()
    backtest([model], season(), 5)
    assert not hasattr(model, "season_")


def test_the_verdict_names_the_better_model_with_a_test() -> None:
    result = backtest([Naive(), SeasonalNaive()], season(300), 14, windows=12)
    verdict = result.verdict("SeasonalNaive")
    assert verdict.best == "SeasonalNaive"
    assert "better in MASE than naive (p < 0.001); use seasonal naive here" in verdict.text
    assert verdict.comparisons[0].n == 12
    assert verdict.scores["Naive"] == pytest.approx(result.scores().loc["Naive", "MASE"])


def test_where_no_series_has_a_scale_the_absolute_error_decides() -> None:
    flat = Panel.from_arrays([np.concatenate([np.ones(60), np.arange(10)])])
    result = backtest([Naive(), Mean()], flat, 5, windows=2)
    verdict = result.verdict("Naive")
    assert verdict.metric == "MAE"
    assert "MASE is undefined here (constant or short history), so MAE decides." in verdict.text


def test_overlapping_origins_are_counted_as_such() -> None:
    wide = backtest([Naive(), Mean()], season(200), 10, windows=10, step=10).verdict("Naive")
    close = backtest([Naive(), Mean()], season(200), 10, windows=10, step=2).verdict("Naive")
    assert wide.comparisons[0].test == close.comparisons[0].test == "Diebold–Mariano over origins"


def test_progress_draws_a_bar_only_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    backtest([Naive()], season(), 5, windows=2)
    assert capsys.readouterr().err == ""
    backtest([Naive()], season(), 5, windows=2, progress=True)
    assert "backtest" in capsys.readouterr().err


def test_a_large_backtest_is_scored_quickly() -> None:
    import time

    panel = Panel.from_arrays(list(np.random.default_rng(1).random((2000, 150), dtype=np.float32)))
    result = backtest([Naive(), Mean()], panel, 24, windows=4)
    start = time.process_time()
    result.scores()
    result.verdict("Naive")
    assert time.process_time() - start < 10  # 192,000 rows: 1 s


def test_a_backtest_and_a_forecast_are_shown_on_one_line() -> None:
    panel = panel_of(np.arange(30.0))
    found = backtest([Naive(), Drift()], panel, 3, windows=2, progress=False)
    assert repr(found) == "Backtest(Naive, Drift: 2 origins × 1 series × 3 steps)"
    assert repr(Naive().fit(panel).predict(3)) == "Forecast(Naive, 1 series × 3 steps, levels 80, 95)"
