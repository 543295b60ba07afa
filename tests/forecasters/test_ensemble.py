"""Averages of models, the choice of the best, and the baselines that belong to a panel."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import NotFittedError, SettingError
from gatecast.base.findings import Call
from gatecast.data.panel import Panel
from gatecast.forecasters import (
    AutoSelect,
    Drift,
    Ensemble,
    LinearAR,
    Mean,
    Naive,
    SeasonalNaive,
    backtest,
    best_of,
    default_baselines,
)


def season(length: int = 120, noise: float = 0.3) -> Panel:
    t = np.arange(length)
    y = 10 + 3 * np.sin(2 * np.pi * t / 7) + noise * np.random.default_rng(1).standard_normal(length)
    return Panel.from_arrays([y.astype(np.float32)], freq="D")


def test_means_and_quantiles_are_averaged() -> None:
    panel = season()
    both = Ensemble([Naive(), Mean()], [3, 1]).fit(panel).predict(5)
    naive, mean = Naive().fit(panel).predict(5), Mean().fit(panel).predict(5)
    assert both.mean == pytest.approx(0.75 * naive.mean + 0.25 * mean.mean)
    assert both.quantiles == pytest.approx(0.75 * naive.quantiles + 0.25 * mean.quantiles)
    assert both.model == "Ensemble"


def test_equal_weights_by_default_and_paths_are_shared_out() -> None:
    forecast = Ensemble([Naive(), Drift(), Mean()]).fit(season()).predict(4, samples=100)
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 100, 4, 1)


def test_the_horizon_of_a_member_is_the_default() -> None:
    assert Ensemble([Naive(), LinearAR(6)]).fit(season()).predict().horizon == 6


def test_members_are_cloned() -> None:
    member = Naive()
    Ensemble([member]).fit(season())
    assert not hasattr(member, "panel_")


def test_an_ensemble_can_be_backtested_with_its_members() -> None:
    result = backtest([Naive(), Mean(), Ensemble([Naive(), Mean()])], season(), 7, windows=3)
    frame = result.frame
    assert frame["Ensemble"].to_numpy() == pytest.approx((frame["Naive"] + frame["Mean"]).to_numpy() / 2)


@pytest.mark.parametrize(
    ("members", "weights", "message"),
    [
        ([], None, "an ensemble needs at least one member"),
        ([Naive()], [1, 2], "1 numbers, one for each member"),
        ([Naive(), Mean()], [1, -1], "not negative"),
        ([Naive(), Mean()], [0, 0], "not negative"),
    ],
)
def test_wrong_members_and_weights(members: list[Naive], weights: list[float] | None, message: str) -> None:
    with refused(SettingError, problem=message):
        Ensemble(members, weights).fit(season())


def test_the_best_model_alone_where_blending_does_not_help() -> None:
    result = backtest([Naive(), SeasonalNaive(), Mean()], season(noise=0), 7, windows=4)
    assert best_of(result) == {"SeasonalNaive": 1.0}


def test_a_blend_where_errors_cancel() -> None:
    # truth 0; one model always 1 above, one always 1 below: their mean is right
    rng = np.random.default_rng(1)
    panel = Panel.from_arrays([rng.standard_normal(80).astype(np.float32)])
    result = backtest([Naive(), Mean()], panel, 5, windows=4)
    frame = result.frame
    frame["Naive"], frame["Mean"] = frame["y"] + 1, frame["y"] - 1
    assert best_of(result) == pytest.approx({"Naive": 0.5, "Mean": 0.5})
    assert len(best_of(result, most=1)) == 1
    frame["Mean"] = frame["y"] - 3
    assert best_of(result, most=2) == pytest.approx({"Naive": 0.75, "Mean": 0.25})  # 0.75·1 - 0.25·3 = 0


def test_auto_select_keeps_the_winner_and_warns_of_its_score() -> None:
    panel = season(noise=0)
    model = AutoSelect(7, [Naive(), SeasonalNaive(), Mean()]).fit(panel)
    assert model.weights_ == {"SeasonalNaive": 1.0}
    forecast = model.predict()
    assert forecast.model == "auto"
    assert forecast.mean == pytest.approx(SeasonalNaive().fit(panel).predict(7).mean)
    assert forecast.notes[0] == (
        "Chosen by backtest over 3 origins: SeasonalNaive. Its error there is the one it was chosen on: expect more."
    )


def test_auto_select_chooses_on_the_past_only() -> None:
    panel = season()
    changed = panel.target.copy()
    changed[-7:] = 1e5
    first = AutoSelect(7, [Naive(), Mean(), Drift()]).fit(panel.cut(7))
    second = AutoSelect(7, [Naive(), Mean(), Drift()]).fit(Panel.from_arrays([changed], freq="D").cut(7))
    assert first.weights_ == second.weights_


def test_auto_select_is_a_forecaster_like_any_other() -> None:
    result = backtest([AutoSelect(7, [Naive(), SeasonalNaive()]), Mean()], season(), 7, windows=2)
    assert result.models == ["auto", "Mean"]


def test_not_fitted() -> None:
    for model in (Ensemble([Naive()]), AutoSelect(3, [Naive()])):
        with refused(NotFittedError, problem=f"{model.name} is not fitted yet", remedy=Call("fit", ...)):
            model.predict(3)


def test_default_baselines_fit_the_panel() -> None:
    models, _ = default_baselines(Panel.from_arrays([np.arange(50.0)]), 5)
    assert "SeasonalNaive" not in [m.name for m in models]
    many = Panel.from_arrays([np.arange(30.0)] * 501, freq="D")
    models, left_out = default_baselines(many, 5)
    assert [m.name for m in models] == ["Naive", "SeasonalNaive", "Drift", "Mean", "LinearAR"]
    assert left_out == ["AutoETS, AutoARIMA and AutoTheta (they take too long for 501 series)"]
