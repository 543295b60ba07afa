"""The LSTM forecaster from panel to forecast: what it uses, what it never sees, and what it says."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused

from gatecast.base.errors import DataError, NotFittedError, SettingError
from gatecast.base.findings import Arg, Call
from gatecast.data.panel import Panel
from gatecast.forecasters import predictor
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.saved import load
from gatecast.forecasters.window_plan import WindowPlan
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig

HORIZON = 4
SHORT = FitConfig(steps=8, batch_size=16, evaluations=2, refit=False, progress=False)


def forecaster(horizon: int = HORIZON, **settings: Any) -> LSTMForecaster:
    """A tiny one; ``net`` and ``fit`` are changes to its network and training."""
    net = {"hidden_size": 8, **settings.pop("net", {})}
    fit = dataclasses.replace(SHORT, **settings.pop("fit", {}))
    return LSTMForecaster(horizon, **{"context": 12, "net": NetConfig(**net), "fit": fit, **settings})


def waves() -> Panel:
    """Three series of unequal lengths and sizes with holes; one is shorter than the context."""
    first, second = wave(90), 100 * wave(60, 3)
    first[[5, 40, 41]] = np.nan
    second[-1] = np.nan
    return panel_of(first, second, wave(9, 1), freq="MS", ids=["a", "b", "short"])


# ── repeatable, and nothing else is touched ──────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["segment", "recursive"])
def test_the_same_seed_gives_the_same_forecast_to_the_bit(kind: str) -> None:
    first, second = (forecaster(net={"kind": kind}).fit(waves()).predict(samples=3) for _ in range(2))
    np.testing.assert_array_equal(first.quantiles, second.quantiles)
    np.testing.assert_array_equal(first.samples, second.samples)
    other = forecaster(net={"kind": kind}, seed=2).fit(waves()).predict()
    assert not np.array_equal(first.quantiles, other.quantiles)


def test_the_random_state_and_threads_of_the_caller_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    state, count = torch.get_rng_state(), torch.get_num_threads()
    forecaster(fit={"threads": 1}, head="student").fit(waves()).predict(samples=2)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == count


def test_nothing_after_the_origin_is_seen() -> None:
    random = np.random.default_rng(0)
    fields = {"past": random.normal(size=(80, 1)).astype(np.float32), "names": {"past": ("p",)}}
    panel = panel_of(wave(80), freq="MS", **fields)
    target, past = panel.target.copy(), panel.past.copy()
    target[70:], past[70:] = 1e6, -1e6
    altered = dataclasses.replace(panel, target=target, past=past)
    first, second = (forecaster().fit(p.cut(10)).predict() for p in (panel, altered))
    np.testing.assert_array_equal(first.quantiles, second.quantiles)
    assert not np.array_equal(first.quantiles, forecaster().fit(altered.cut(5)).predict().quantiles)


def test_a_forecast_from_a_cut_panel_is_from_its_origin() -> None:
    fitted = forecaster().fit(waves())
    forecast = fitted.predict(panel=waves().cut(6))
    assert forecast.times.astype("datetime64[M]").astype(str)[0].tolist() == [
        "2007-01",
        "2007-02",
        "2007-03",
        "2007-04",
    ]
    assert not np.array_equal(forecast.mean, fitted.predict().mean)


# ── all kinds, heads and scalers ─────────────────────────────────────────────────────────────────────────────────────
def check(forecast: Any, series: int = 3) -> None:
    assert forecast.mean.shape[:2] == (series, HORIZON)
    assert np.isfinite(forecast.quantiles).all()
    assert (np.diff(forecast.quantiles, axis=-1) >= 0).all()


@pytest.mark.parametrize("head", ["quantiles", "normal", "student", "point"])
@pytest.mark.parametrize("kind", ["segment", "direct", "seq2seq", "recursive"])
def test_every_kind_with_every_head(kind: str, head: str) -> None:
    check(forecaster(net={"kind": kind}, head=head, fit={"steps": 3}).fit(waves()).predict())


@pytest.mark.parametrize("kind", ["segment", "recursive"])
def test_counts(kind: str) -> None:
    panel = panel_of(*np.random.default_rng(0).poisson(3, (20, 90)), freq="D")
    model = forecaster(head="negative_binomial", net={"kind": kind}, fit={"steps": 60})
    forecast = model.fit(panel).predict(samples=100)
    check(forecast, 20)
    assert forecast.quantiles.min() >= 0
    # Mean and median of Poisson(3) are 3. Over eight seeds of data and training the means of the samples had a standard
    # deviation of 0.22 at most, and the medians (whole numbers) were 2.4 to 3.3.
    assert forecast.samples.mean() == pytest.approx(3, abs=0.65)
    assert forecast.mean.mean() == pytest.approx(3, abs=0.9)
    assert (forecast.quantiles == np.round(forecast.quantiles)).all()
    assert (forecast.samples == np.round(forecast.samples)).all()


@pytest.mark.parametrize("value", [-1, 2.5])
def test_a_head_for_counts_refuses_other_values(value: float) -> None:
    counts = np.random.default_rng(0).poisson(3, 90).astype(float)
    counts[7], counts[9] = value, np.nan
    panel = panel_of(np.arange(50), counts, freq="D", ids=["a", "b"])
    problem, remedy = (
        f"of series b is {value:g} at 2000-01-08 ",
        ["clip", "missing", "another head", Arg("head", "normal")],
    )
    with refused(DataError, problem=problem, remedy=remedy):
        forecaster(head="negative_binomial").fit(panel)
    forecaster(3, head="negative_binomial", context=3, fit={"steps": 2}).fit(panel.cut(83).select(["b"]))  # not read


@pytest.mark.parametrize("kind", ["segment", "recursive"])
def test_amounts_with_zeros(kind: str) -> None:
    random = np.random.default_rng(0)
    amounts = random.poisson(1.0, 120) * random.gamma(3.0, 2.0, 120)
    model = forecaster(head="tweedie", net={"kind": kind}, fit={"steps": 60}).fit(panel_of(amounts, freq="D"))
    forecast = model.predict(samples=50)
    check(forecast, 1)
    assert forecast.quantiles.min() == 0
    assert model.describe()["scaler"] == "mean_abs"
    assert forecast.samples is not None
    assert 0 < np.mean(forecast.samples % 1 > 0) < 1


# ── losses ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def pulses(seed: int = 0, rows: int = 400) -> np.ndarray:
    """Amounts about a known centre: median 2, mean 2 e^0.5 = 3.3, and 10 % above 2 e^1.28 = 7.2."""
    return 2 * np.exp(np.random.default_rng(seed).normal(size=rows))


@pytest.mark.parametrize(
    ("loss", "low", "high"),
    [
        ("mae", 1.4, 2.7),
        ("mse", 2.7, 4.0),
        ("quantile(probability=0.9)", 5.0, 11.0),
        ("mape", 0.5, 1.6),
        ("msle", 1.9, 3.0),
        ("poisson", 2.7, 4.0),
        ("tweedie", 2.7, 4.0),
        ("mase", 1.4, 2.7),
    ],
)
def test_a_loss_decides_which_point_is_forecast(loss: str, low: float, high: float) -> None:
    """In the unit of the data, whatever the scaler made of it; MAPE prefers points that are too low."""
    fit = {"steps": 80, "batch_size": 64, "learning_rate": 0.03, "validation": 0}
    net = {"base": "none", "dropout": 0.0}
    panel = panel_of(*(pulses(seed) for seed in range(3)))
    model = forecaster(loss=loss, fit=fit, net=net, calendar=False, seed=3).fit(panel)
    assert low < float(model.predict().mean.mean()) < high
    assert (model.describe()["head"], model.describe()["loss"]) == ("Point", loss)


@pytest.mark.parametrize("scaler", ["standard", "mean_abs", "log1p"])
@pytest.mark.parametrize("loss", ["mape", "msle", "mase(season=12)", "mase"])
def test_a_loss_in_the_unit_of_the_data_is_that_of_the_forecast(loss: str, scaler: str) -> None:
    """Whatever the scaler is; ``mase`` takes the forecaster's season."""
    values = 3 * wave(80)
    fit = {"steps": 1, "learning_rate": 1e-9, "validation": 1}
    model = forecaster(loss=loss, scaler=scaler, season=12, context=30, fit=fit).fit(panel_of(values))
    past, target = values[-HORIZON - 30 : -HORIZON], values[-HORIZON:]
    forecast = model.predict(panel=panel_of(values[:-HORIZON])).mean[0, :, 0]
    expected = {
        "mape": 100 * np.abs(forecast / target - 1).mean(),
        "msle": ((np.log1p(forecast) - np.log1p(target)) ** 2).mean(),
        "mase": np.abs(forecast - target).mean() / np.abs(past[12:] - past[:-12]).mean(),
    }
    assert model.history_[-1]["val_loss"] == pytest.approx(expected[loss.partition("(")[0]], rel=1e-3)


@pytest.mark.parametrize(
    ("wish", "value", "problem", "remedy"),
    [
        (
            {"loss": "mape"},
            0.0,
            "the loss mape divides by the target and expects no zeros",
            Arg("loss", "mape(epsilon=1.0)"),
        ),
        (
            {"loss": "msle"},
            -1.0,
            "the loss msle takes logarithms and expects numbers of at least 0",
            Arg("loss", "mae"),
        ),
        ({"loss": "tweedie(power=1.2)"}, -1.0, "the loss tweedie(power=1.2) is for amounts", Arg("loss", "mae")),
        ({"head": "tweedie"}, -1.0, "the tweedie head is for amounts", Arg("head", "normal")),
        (
            {"head": "poisson"},
            2.5,
            "the poisson head forecasts counts and expects whole numbers",
            Arg("head", "normal"),
        ),
    ],
)
def test_data_that_a_loss_does_not_take(wish: dict[str, Any], value: float, problem: str, remedy: Arg) -> None:
    values = np.full(60, 3.0)
    values[20] = value
    with refused(DataError, problem=[problem, f"is {value:g} at "], remedy=remedy):
        forecaster(**wish).fit(panel_of(values, freq="D"))
    forecaster(**{"loss": "mape(epsilon=0.5)"}, fit={"steps": 1}).fit(panel_of(np.abs(values), freq="D"))


def test_a_scaler_that_does_not_keep_zero_is_refused() -> None:
    problem = "the loss tweedie keeps zero at zero and cannot use the scaler standard"
    with refused(SettingError, problem=problem, remedy=Arg("scaler", "mean_abs")):
        forecaster(loss="tweedie", scaler="standard").fit(waves())


def test_a_series_that_never_changed_is_forecast_as_it_is() -> None:
    seven = np.full(40, 7.0)
    seven[[3, 20]] = np.nan
    fitted = forecaster().fit(panel_of(wave(40), seven, freq="D"))
    forecast = fitted.predict(samples=3)
    assert (forecast.quantiles[1] == 7).all()
    assert (forecast.samples[1] == 7).all()
    assert np.ptp(forecast.quantiles[0]) > 0
    assert "1 of 2 series never changed: the constant is forecast" in forecast.notes
    assert np.ptp(fitted.predict(panel=panel_of(seven[-4:], freq="D")).quantiles) > 0, "too few rows to say never"


@pytest.mark.parametrize("scaler", ["none", "standard", "last", "shift", "robust", "mean_abs", "log1p"])
def test_every_scaler(scaler: str) -> None:
    check(forecaster(scaler=scaler, fit={"steps": 3}).fit(waves()).predict())


def test_two_layers_both_directions_members_and_ids() -> None:
    net = {"num_layers": 2, "bidirectional": True, "id_embedding": 3, "skip": True}
    fitted = forecaster(net=net, members=2).fit(waves())
    check(fitted.predict())
    assert fitted.models_[0].network.static.ids.weight.shape == (3, 3)
    assert len(fitted.models_) == len(fitted.best_steps_) == 2


def test_several_targets_get_forecasts_on_their_scales() -> None:
    panel = panel_of(np.stack([wave(80), 1000 + 50 * wave(80, 4)], 1), freq="MS")
    forecast = forecaster().fit(panel).predict(samples=5)
    assert forecast.mean.shape == (1, HORIZON, 2)
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 5, HORIZON, 2)
    assert 5 < forecast.mean[..., 0].mean() < 15
    assert 1300 < forecast.mean[..., 1].mean() < 1700


def test_the_standard_scaler_makes_the_forecast_equivariant() -> None:
    values = wave(80)
    fits = [
        forecaster(nonnegative=False).fit(panel_of(v, freq="MS")).predict()
        for v in (values, -20 * values.astype("f4") + 7)
    ]
    straight = [forecaster(nonnegative=False).fit(panel_of(v, freq="MS")).predict() for v in (values, 16 * values - 32)]
    np.testing.assert_allclose(straight[1].quantiles, 16 * straight[0].quantiles - 32, rtol=2e-3)
    assert fits[1].mean.max() < 0


# ── trajectories ─────────────────────────────────────────────────────────────────────────────────────────────────────
def walk(share: float, rows: int = 300) -> np.ndarray:
    """``y_t = share y_{t-1} + noise``."""
    noise, values = np.random.default_rng(0).normal(size=rows), np.zeros(rows)
    for t in range(1, rows):
        values[t] = share * values[t - 1] + noise[t]
    return values


def one_step_correlation(forecast: Any) -> float:
    """Of the errors of neighbouring steps within a path."""
    errors = forecast.samples[0, :, :, 0] - forecast.samples[0, :, :, 0].mean(0)
    return float(np.mean([np.corrcoef(errors[:, t], errors[:, t + 1])[0, 1] for t in range(1, errors.shape[1] - 1)]))


@pytest.mark.parametrize("members", [1, 2])
def test_paths_of_a_recursive_network_are_correlated_as_the_series_is(members: int) -> None:
    """The copula used for other networks would join the steps of both alike without held-back windows."""
    wishes = {
        "net": {"kind": "recursive"},
        "head": "normal",
        "fit": {"steps": 150, "batch_size": 32, "learning_rate": 1e-2, "validation": 0},
        "members": members,
        "nonnegative": False,
        "calibrate": False,
    }
    strong = forecaster(8, **wishes).fit(panel_of(walk(0.95))).predict(samples=400)
    none = forecaster(8, **wishes).fit(panel_of(walk(0.0))).predict(samples=400)
    assert one_step_correlation(strong) > 0.5
    assert abs(one_step_correlation(none)) < 0.4
    counted = np.quantile(none.samples[0], none.probabilities, axis=0).transpose(1, 2, 0)
    np.testing.assert_allclose(counted, none.quantiles[0], atol=0.6)  # of 200 and of 400 paths


def test_a_series_too_short_to_hold_anything_back_has_the_intervals_of_naive_forecasts() -> None:
    """The network knows its windows by heart, and is sure of itself."""
    panel = panel_of(np.random.default_rng(0).normal(size=40).cumsum())
    widths = {}
    for calibrate in ("auto", False):
        model = forecaster(12, fit={"steps": 100}, net={"hidden_size": 32}, calibrate=calibrate).fit(panel)
        low, high = model.predict(levels=[80]).interval(80)
        widths[calibrate] = (high - low)[0, :, 0]
        assert model.calibration_.windows == 0
    assert widths[False].mean() < widths["auto"].mean() / 2


@pytest.mark.parametrize("head", ["normal", "negative_binomial", "point"])
def test_calibrated_paths_agree_with_the_quantiles(head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictor, "PATHS", 1000)  # less noise than 200
    values = np.random.default_rng(0).poisson(4, 150) if head == "negative_binomial" else 20 + walk(0.8, 150)
    settings: dict[str, Any] = {"net": {"kind": "recursive"}, "head": head, "members": 3}
    model = forecaster(5, **settings, fit={"steps": 40, "validation": 10}).fit(panel_of(values))
    model.calibration_ = dataclasses.replace(model.calibration_, factors=3 * model.calibration_.factors)
    forecast = model.predict(samples=1000, levels=[50, 80])
    assert forecast.samples is not None
    assert forecast.samples.shape == (1, 1000, 5, 1)
    counted = np.quantile(forecast.samples[0], forecast.probabilities, axis=0).transpose(1, 2, 0)
    wide = (forecast.quantiles[..., -1] - forecast.quantiles[..., 0]).max()
    np.testing.assert_allclose(counted, forecast.quantiles[0], atol=0.2 * wide)
    if head == "negative_binomial":
        np.testing.assert_array_equal(forecast.samples, np.rint(forecast.samples))
    assert model.predict(samples=2).samples.shape == (1, 2, 5, 1)


# ── covariates ───────────────────────────────────────────────────────────────────────────────────────────────────────
def driven(series: int = 4) -> Panel:
    """The target is twice a known covariate that follows no pattern."""
    random = np.random.default_rng(0)
    known = random.normal(size=(series * 100, 1)).astype(np.float32)
    target = (5 + 2 * known).reshape(series, 100, 1)
    return panel_of(*target, known=known, names={"known": ("driver",)})


def test_a_known_covariate_that_makes_the_target_is_used() -> None:
    panel = driven()
    blind = dataclasses.replace(panel, known=panel.known[:, :0]).with_schema(known=())
    errors = []
    for data in (panel, blind):
        model = forecaster(net={"hidden_size": 24}, fit={"steps": 120, "batch_size": 32, "learning_rate": 0.02})
        forecast = model.fit(data.cut(HORIZON)).predict()
        errors.append(float(np.abs(forecast.mean - panel.cut(HORIZON).actual(HORIZON)).mean()))
    assert errors[0] < 0.4 * errors[1]


def test_all_kinds_of_covariates_together() -> None:
    rows, random = 150, np.random.default_rng(0)

    panel = panel_of(
        wave(90),
        wave(60),
        freq="D",
        past=random.normal(size=(rows, 2)).astype(np.float32),
        names={
            "past": ("p", "q"),
            "known": ("k",),
            "static": ("area",),
            "category": ("kind",),
            "levels": (("x", "y"),),
        },
        known=random.normal(size=(rows, 1)).astype(np.float32),
        static=np.array([[1.0], [np.nan]], np.float32),
        category=np.array([[0], [-1]]),
    )
    for kind in ("segment", "direct", "seq2seq", "recursive"):
        check(forecaster(net={"kind": kind}, fit={"steps": 3}).fit(panel.cut(HORIZON)).predict(), 2)


def test_a_missing_future_value_names_column_and_date() -> None:
    panel = driven(1)
    fitted = forecaster().fit(panel)
    with refused(
        DataError,
        problem=["'driver'", "all 4 steps", "4 values are missing", "series s0 at 100"],
        remedy=[Call("panel.future_frame", 4), Arg("future")],
    ):
        fitted.predict()


def test_a_future_at_wrong_dates_is_refused_with_the_rows_of_the_horizon() -> None:
    panel = driven(1)
    fitted = forecaster().fit(panel)
    frame = panel.future_frame(300).assign(driver=1.0)
    filled_in = Call("panel.future_frame", ...)
    with refused(DataError, problem=["series s0", "expected 100 to 103", "are from 200 to 399"], remedy=filled_in):
        fitted.predict(future=frame.iloc[100:])
    with refused(DataError, problem="series 's0' at 100, 101", remedy=filled_in) as caught:
        fitted.predict(future=frame.iloc[2:])
    assert str(caught.value.finding.problem).endswith("100, 101")  # all are listed: no count of the rest
    assert fitted.predict(future=frame).horizon == HORIZON


# ── intervals and paths ──────────────────────────────────────────────────────────────────────────────────────────────
def test_a_training_that_diverges_is_reported_by_its_forecasts(tmp_path: Path) -> None:
    panel = panel_of(20 + walk(0.8, 150))
    model = forecaster(fit={"steps": 30, "learning_rate": 100.0}).fit(panel)
    note = model.predict().notes[0]
    assert note.startswith("Training diverged: the loss is ")
    assert "lower learning rate" in note
    assert load(model.save(tmp_path / "m.gatecast")).predict(panel=panel).notes[0] == note
    assert not any("diverged" in note for note in forecaster(fit={"steps": 30}).fit(panel).predict().notes)


def test_nonnegative_targets_stay_so() -> None:
    values = np.random.default_rng(0).exponential(1.0, 90) * (np.arange(90) % 3 == 0)
    forecast = forecaster(scaler="standard").fit(panel_of(values)).predict(samples=50)
    assert forecast.quantiles.min() == 0
    assert forecast.samples is not None
    assert forecast.samples.min() >= 0
    free = forecaster(scaler="standard", nonnegative=False).fit(panel_of(values)).predict()
    assert free.quantiles.min() < 0


def test_levels_of_any_kind() -> None:
    fitted = forecaster().fit(waves())
    forecast = fitted.predict(levels=[50, 90])
    assert forecast.levels == (50, 90)
    assert list(forecast.to_frame())[4:] == ["LSTM-lo-50", "LSTM-hi-50", "LSTM-lo-90", "LSTM-hi-90"]
    wide = fitted.predict(levels=[99.8])
    assert (wide.interval(99.8)[1] >= forecast.interval(90)[1]).all()
    np.testing.assert_array_equal(wide.mean, forecast.mean)
    with refused(SettingError, problem=[Arg("levels"), "percentages above 0 and below 100, got 0"]):
        fitted.predict(levels=[0])


@pytest.mark.parametrize("kind", ["direct", "recursive"])
def test_paths_have_the_quantiles_of_the_forecast(kind: str) -> None:
    forecast = forecaster(net={"kind": kind}).fit(panel_of(wave(90, noise=1.0))).predict(levels=[80], samples=4000)
    assert forecast.samples is not None
    got = np.quantile(forecast.samples[0], forecast.probabilities, axis=0)
    width = forecast.quantiles[0, :, 0, 2] - forecast.quantiles[0, :, 0, 0]
    assert (np.abs(got[..., 0].T - forecast.quantiles[0, :, 0]) < 0.1 * width[:, None]).all()


def test_calibration_brings_the_coverage_of_a_noise_process_near_its_level() -> None:
    random = np.random.default_rng(1)
    panel = panel_of(*[random.normal(size=100) for _ in range(12)])
    errors = []
    for calibrate in (False, True):
        model = forecaster(calibrate=calibrate, fit={"steps": 2, "validation": 12, "learning_rate": 1e-6})
        covered = []
        fitted = model.fit(panel.cut(20))
        for steps in (20, 16, 12, 8, 4):
            low, high = fitted.predict(panel=panel.cut(steps), levels=[80]).interval(80)
            actual = panel.cut(steps).actual(HORIZON)
            covered.append((low <= actual) & (actual <= high))
        errors.append(abs(float(np.mean(covered)) - 0.8))
    assert errors[1] < 0.08
    assert errors[0] > 0.15


# ── what cannot be ───────────────────────────────────────────────────────────────────────────────────────────────────
def test_predict_before_fit() -> None:
    with refused(NotFittedError, problem="LSTM is not fitted yet", remedy=Call("fit", ...)):
        forecaster().predict()


def test_horizons() -> None:
    fitted = forecaster().fit(waves())
    assert fitted.predict(2).horizon == 2
    np.testing.assert_array_equal(fitted.predict(2).mean, fitted.predict().mean[:, :2])
    with refused(SettingError, problem=["fitted for", Arg("horizon", 4), "got 5"], remedy=Arg("horizon", 5)):
        fitted.predict(5)
    for model in (fitted, forecaster(0)):
        with refused(SettingError, problem=[Arg("horizon"), "at least 1, got 0"]):
            model.predict(0) if model is fitted else model.fit(waves())
    problem = "horizon 95 needs at least 97 rows in a series, the longest (a) has 90"
    with refused(DataError, problem=problem, remedy=Arg("horizon")):
        forecaster(95).fit(waves())


def test_data_without_a_value() -> None:
    with refused(DataError, problem="no value of y is observed"):
        forecaster().fit(panel_of(np.full(50, np.nan)))


def test_a_series_without_a_value_among_others() -> None:
    check(forecaster().fit(panel_of(wave(60), np.full(40, np.nan))).predict(), 2)


@pytest.mark.parametrize(("argument", "names"), [("head", "quantiles, normal"), ("scaler", "none, standard")])
def test_unknown_names_are_refused(argument: str, names: str) -> None:
    with refused(SettingError, problem=[Arg(argument), names, "an object of one of these classes", "got 'x'"]):
        forecaster(**{argument: "x"}).fit(waves())


def test_the_shortest_series_that_can_be_fitted() -> None:
    forecast = LSTMForecaster(1, fit=SHORT).fit(panel_of([1.0, 2.0, 3.0])).predict()
    assert np.isfinite(forecast.quantiles).all()


def test_a_clone_is_unfitted_with_the_same_settings() -> None:
    fitted = forecaster(seed=7).fit(waves())
    twin = fitted.clone()
    assert (twin.seed, twin.horizon, twin.net) == (7, HORIZON, fitted.net)
    with refused(NotFittedError):
        twin.predict()
    fitted.predict()


def test_describe_reports_the_run() -> None:
    fitted = forecaster().fit(waves())
    assert [entry["step"] for entry in fitted.history_] == [4, 8]
    described = fitted.describe()
    assert (described["horizon"], described["context"], described["seed"], described["scaler"]) == (
        HORIZON,
        12,
        1,
        "standard",
    )
    assert described["parameters"] == fitted.parameters_ > 0
    assert described["net"]["kind"] in ("segment", "direct")


def test_refit_uses_all_windows() -> None:
    fitted = forecaster(fit={"refit": True}).fit(waves())
    check(fitted.predict())
    assert fitted.calibration_.windows > 0


def test_members_have_separate_checkpoints(tmp_path: Path) -> None:
    fit = {"checkpoint": tmp_path / "run.ckpt", "checkpoint_every": 8}
    whole = forecaster(members=2, fit=fit).fit(waves()).predict()
    again = forecaster(members=2, fit={**fit, "resume": True}).fit(waves()).predict()
    np.testing.assert_array_equal(whole.quantiles, again.quantiles)


@pytest.mark.parametrize("context", [-3, 0, 1])
def test_a_context_without_rows_to_look_back_on_is_refused(context: int) -> None:
    panel = Panel.from_arrays([np.arange(60.0)])
    with refused(SettingError, problem=[Arg("context"), f"at least 2, got {context}"]):
        LSTMForecaster(4, context=context).fit(panel)


@pytest.mark.parametrize(("rows", "cycles"), [(200, ("week",)), (800, ("week", "year"))])
def test_the_calendar_holds_what_training_saw_twice_and_stays_when_forecasting(
    rows: int, cycles: tuple[str, ...], tmp_path: Path
) -> None:
    starts = np.array([np.datetime64("2020-01-01", "ns")])
    panel = Panel.from_arrays([np.sin(np.arange(float(rows)))], freq="D", starts=starts)
    fitted = forecaster(4, context=14).fit(panel)
    assert fitted.cycles_ == cycles
    later = Panel.from_arrays([np.sin(np.arange(1000.0))], freq="D", starts=starts)
    loaded = load(fitted.save(tmp_path / "m"))
    np.testing.assert_array_equal(loaded.predict(panel=later).mean, fitted.predict(panel=later).mean)


# ── a vector for each series ──────────────────────────────────────────────────────────────────────────────────────────
def test_a_series_keeps_its_vector_in_any_order() -> None:
    panel = panel_of(wave(60), wave(60, 2), wave(60, 4), freq="D", ids=["a", "b", "c"])
    model = forecaster(net={"id_embedding": 4}, fit={"steps": 20}).fit(panel)
    turned = model.predict(panel=panel.select(["c", "a"]))
    np.testing.assert_allclose(turned.mean, model.predict().mean[[2, 0]], rtol=1e-6)  # another row in the batch


def test_a_series_without_a_vector_is_named() -> None:
    model = forecaster(net={"id_embedding": 4}).fit(panel_of(wave(60), wave(60, 2), freq="D", ids=["a", "b"]))
    with refused(DataError, problem=["2 series", "'new'"], remedy=Arg("id_embedding", 0, of="NetConfig")):
        model.predict(panel=panel_of(wave(60), freq="D", ids=["new"]))
    assert (
        forecaster()
        .fit(panel_of(wave(60), freq="D", ids=["a"]))
        .predict(panel=panel_of(wave(60), freq="D", ids=["new"]))
    )


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"members": 0}, [Arg("members"), "at least 1, got 0"]),
        ({"calibrate": "no"}, [Arg("calibrate"), "one of True, False, auto, got 'no'"]),
    ],
)
def test_invalid_members_and_calibrate_are_refused(settings: dict[str, Any], problem: list[Any]) -> None:
    with refused(SettingError, problem=problem):
        forecaster(**settings).fit(waves())


@pytest.mark.parametrize(
    ("settings", "values"),
    [
        ({"head": "negative_binomial"}, wave(60) + 0.5),
        ({"head": "negative_binomial"}, np.rint(wave(60)) - 30),
        ({"scaler": "log1p"}, wave(60) - 30),
    ],
)
def test_targets_that_a_head_or_scaler_cannot_hold_are_refused(settings: dict[str, Any], values: Any) -> None:
    with refused(DataError, place="arrays", remedy=["clip", "another"]):
        forecaster(**settings).fit(panel_of(values, freq="D"))


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        (
            {"season": 48, "context": 24},
            [Arg("season", 48), "does not fit the context of 24 rows"],
            [Arg("context", 48), "or more"],
        ),
        ({"season": [12, 70], "context": None}, [Arg("season", 70), "does not fit the context of"], [Arg("season")]),
        ({"season": 0}, [Arg("season"), "at least 1, got 0"], []),
        (
            {"fit": {"validation": 1000}},
            [
                Arg("validation", 1000, of="FitConfig"),
                "the longest series has 100 rows, enough to hold back 89 windows with horizon 4 and context 12",
            ],
            [Arg("validation", 89, of="FitConfig"), "or less"],
        ),
        (
            {"calibrate": True, "fit": {"validation": 0}},
            [Arg("calibrate", True)],
            [Arg("validation", 0, of="FitConfig"), Arg("calibrate", "auto")],
        ),
        (
            {"calibrate": True, "context": 90},
            [Arg("calibrate", True)],
            ["100 rows is too short", Arg("validation", 1, of="FitConfig"), Arg("calibrate", "auto")],
        ),
    ],
)
def test_settings_that_the_data_cannot_meet_are_refused(
    settings: dict[str, Any], problem: list[Any], remedy: list[Any]
) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        forecaster(**settings).fit(panel_of(wave(100), freq="MS"))


def test_the_largest_validation_that_the_message_names_is_held_back() -> None:
    panel = panel_of(wave(100), freq="MS")
    config = dataclasses.replace(SHORT, validation=89)
    assert WindowPlan.of(panel, 4, context=12, season=None, config=config).held_back.total == 89
    assert WindowPlan.of(panel, 4, context=12, season=1, config=SHORT).seasons == ()


def test_a_target_without_a_value_in_the_context_is_noted() -> None:
    values = np.stack([wave(60), wave(60, 3)], 1)
    other = values.copy()
    other[-12:, 1] = np.nan
    model = forecaster().fit(panel_of(values, other, freq="MS", ids=["seen", "gone"]))
    notes = model.predict().notes
    assert notes == (
        "y1 of gone: no value in the last 12 rows, so that the level is unknown and the forecast near 0 is meaningless",
    )
    assert model.predict(panel=panel_of(values, freq="MS")).notes == ()
