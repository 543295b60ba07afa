"""Synthetic series: the same for a seed, finite, with the shares of holes and seasons that the docs state."""

from __future__ import annotations

import numpy as np
import pytest

from gatecast.base.errors import SettingError
from gatecast.synthetic import fill_holes, generate


def test_a_seed_gives_the_same_series_to_the_bit() -> None:
    first, again, other = generate(32, 256, rng=3), generate(32, 256, rng=3), generate(32, 256, rng=4)
    assert first.values.tobytes() == again.values.tobytes()
    assert first.observed.tobytes() == again.observed.tobytes()
    assert first.season.tolist() == again.season.tolist()
    assert first.values.tobytes() != other.values.tobytes()


def test_series_are_finite_and_of_one_size() -> None:
    batch = generate(256, 512, rng=1)
    assert batch.values.dtype == np.float32
    assert np.isfinite(batch.values).all()
    size = np.abs(batch.values).mean(1)
    assert np.median(size) == pytest.approx(1, abs=1e-3)
    assert size.max() < 1.001
    assert 0.05 < (~batch.observed).any(1).mean() < 0.35
    assert ((batch.season == 0) | (batch.season > 1)).all()
    assert (batch.second[batch.season == 0] == 0).all()


def test_a_generator_is_advanced() -> None:
    rng = np.random.default_rng(0)
    assert generate(4, 64, rng=rng).values.tobytes() != generate(4, 64, rng=rng).values.tobytes()


def test_a_length_out_of_bounds_is_refused() -> None:
    with pytest.raises(SettingError, match="length"):
        generate(2, 8)


def test_a_hole_holds_the_value_a_season_before() -> None:
    values = np.array([[9, 1, 2, 3, 4, 9, 9]], np.float32)
    there = np.array([[False, True, True, True, True, False, False]])
    assert fill_holes(values, there, np.array([3]))[0].tolist() == [1, 1, 2, 3, 4, 2, 3]
    assert fill_holes(values, there, np.array([0]))[0].tolist() == [1, 1, 2, 3, 4, 4, 4]
