"""Weather as it was known, the curve, and wavelets that see the past alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from power.farms import CAPACITY, plant, power_table, weather_table

import gatecast
from gatecast.base.errors import DataError, SettingError
from gatecast.power import Curve, Plant, Vintages, causal_bands
from gatecast.power.bases import climatology, persistence
from gatecast.power.wavelets import low_pass

ISSUES = pd.DataFrame(
    {
        "issued": ["2024-01-01 00:00"] * 3 + ["2024-01-01 12:00"] * 3,
        "lead": [12, 13, 14, 1, 2, 3],
        "ws": [1.0, 2.0, 3.0, 20.0, np.nan, 40.0],
    }
)


def test_an_origin_sees_the_newest_issue_that_existed() -> None:
    weather = Vintages.read(ISSUES, issued="issued", lead="lead")
    values, age = weather.at(np.array(["2024-01-01T11", "2024-01-01T12", "2023-12-31T00"], "datetime64[h]"), 4)
    assert values[0, :, 0].tolist() == [1.0, 2.0, 3.0, pytest.approx(np.nan, nan_ok=True)]
    assert values[1, :3, 0].tolist() == [20.0, 3.0, 40.0]  # the hole of the newest is filled by the issue before
    assert np.isnan(values[2]).all()
    assert age[:2].tolist() == [11, 0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"lead": [60, 120, 180, 0, 1, 2]}, "whole hours from 1 on, got row 4: 0"),
        ({"lead": [1, 1, 2, 1, 2, 3]}, "1 row repeat an issue and lead"),
        ({"issued": ["soon"] * 6}, "soon"),
    ],
)
def test_invalid_forecasts_are_refused(change: dict[str, list[object]], words: str) -> None:
    with pytest.raises(DataError) as refused:
        Vintages.read(ISSUES.assign(**change), issued="issued", lead="lead")
    assert words in str(refused.value)


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError) as refused:
        Vintages.read(ISSUES, issued="when", lead="lead")
    assert "no column 'when'; the columns are issued, lead, ws" in str(refused.value)


# ── sites ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_power_is_a_share_of_capacity() -> None:
    made = plant(300)
    assert made.power.shape == (300, 1)
    assert made.power.max() <= 1
    np.testing.assert_allclose(made.power[:, 0] * CAPACITY, power_table(300)["power"], atol=1e-4)


@pytest.mark.parametrize(
    ("table", "capacity", "words"),
    [
        (power_table(300), 5.0, "above its capacity of 5"),
        (power_table(300)[::3], 20.0, "power must be hourly, got 3h"),
        (power_table(300).assign(time=pd.date_range("2010-01-01", periods=300, freq="h")), 20.0, "is of another time"),
    ],
)
def test_a_plant_that_does_not_fit(table: pd.DataFrame, capacity: float, words: str) -> None:
    weather = Vintages.read(weather_table(300), issued="issued", lead="lead")
    with pytest.raises(DataError) as refused:
        Plant.of(gatecast.read_panel(table, target="power"), weather, capacity)
    assert words in str(refused.value)


def test_own_consumption_is_cut_and_listed() -> None:
    table = power_table(300)
    table.loc[5, "power"] = -0.2
    weather = Vintages.read(weather_table(300), issued="issued", lead="lead")
    made = Plant.of(gatecast.read_panel(table, target="power"), weather, CAPACITY)
    assert made.power[5, 0] == 0
    assert [one.count for one in made.found if one.kind == "negative"] == [1]


# ── bases ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_curve_rises_and_is_right() -> None:
    speed = np.random.default_rng(0).uniform(0, 20, (4000, 2)).astype(np.float32)
    power = np.clip((speed - 3) / 9, 0, 1) ** 2 + np.random.default_rng(1).normal(0, 0.05, speed.shape).astype(
        np.float32
    )
    curve = Curve.fit(speed, power.astype(np.float32))
    assert (np.diff(curve.power, axis=1) >= 0).all()
    at = np.array([[2.0, 2.0], [7.5, 7.5], [15.0, 15.0]], np.float32)
    np.testing.assert_allclose(curve(at), [[0, 0], [0.25, 0.25], [1, 1]], atol=0.03)


def test_climatology_and_persistence() -> None:
    times = np.arange(np.datetime64("2023-01-01T00"), np.datetime64("2023-03-01T00"))
    power = (times.astype("datetime64[h]").astype(int) % 24 / 24).astype(np.float32)[:, None]
    assert climatology(times, power)[0, 12, 0] == pytest.approx(0.49, abs=0.02)
    power[10:12] = np.nan
    assert persistence(power, np.array([11]))[0, 0] == power[9, 0]


# ── wavelets ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("wavelet", ["haar", "db2", "sym4"])
def test_bands_add_up_and_see_the_past_alone(wavelet: str) -> None:
    pytest.importorskip("pywt", reason="PyWavelets is not installed: pip install gatecast[wind]")
    x = torch.randn(3, 96, generator=torch.Generator().manual_seed(0))
    bands = causal_bands(x, low_pass(wavelet), 3)
    assert bands.shape == (3, 4, 96)
    torch.testing.assert_close(bands.sum(1), x)
    later = x.clone()
    later[:, 60:] = 9.0
    torch.testing.assert_close(causal_bands(later, low_pass(wavelet), 3)[..., :60], bands[..., :60])


def test_a_wavelet_that_does_not_exist() -> None:
    pytest.importorskip("pywt", reason="PyWavelets is not installed: pip install gatecast[wind]")
    with pytest.raises(SettingError) as refused:
        low_pass("db2000")
    assert "discrete wavelet of PyWavelets such as db2, got 'db2000'" in str(refused.value)


def test_a_later_issue_changes_nothing() -> None:
    """The leak test of the windows: what an origin reads is the same whatever was issued or produced afterwards."""
    made = plant(400)
    origins = made.times[[200, 215]]
    before = made.known(origins, 48)[0]
    later = made.weather[0].issued > origins[-1]
    values = made.weather[0].values.copy()
    values[later] = 99.0
    changed = replace(made, weather=(replace(made.weather[0], values=values),))
    np.testing.assert_array_equal(changed.known(origins, 48)[0], before)
