"""The sequences of the experiments hold what the paper says."""

from __future__ import annotations

import numpy as np

from gatecast.lab import sequences as of


def draws(count: int = 40) -> list[np.random.Generator]:
    return [np.random.default_rng(k) for k in range(count)]


def test_adding_asks_for_the_marked_values() -> None:
    found = of.adding(draws(300), 60)
    assert found.lengths.min() == 60
    assert found.lengths.max() == 66
    for x, length, target in zip(found.x, found.lengths, found.target, strict=True):
        marked = np.flatnonzero(x[:, 1] == 1)
        assert len(marked) == 2
        assert marked[0] < 10
        assert marked[1] < 30
        assert x[length - 1, 1] == -1
        assert (x[length:] == 0).all()
        values = np.where(marked == 0, 0, x[marked, 0])
        assert np.isclose(target[0], 0.5 + values.sum() / 4)
    product = of.adding(draws(), 60, product=True)
    assert ((product.x[..., 0] >= 0) & (product.x[..., 0] <= 1)).all()
    assert ((product.target >= 0) & (product.target <= 1)).all()


def test_temporal_order_has_a_class_for_each_order() -> None:
    found = of.temporal_order(draws(200), 3)
    assert set(found.target.argmax(1)) == set(range(8))
    for x, length, target in zip(found.x, found.lengths, found.target, strict=True):
        symbols = x[:length].argmax(1)
        assert (symbols[0], symbols[-1]) == (6, 7)
        marks = symbols[(symbols == 4) | (symbols == 5)] - 4
        assert target[int("".join(map(str, marks)), 2)] == 1


def test_the_lag_is_as_long_as_it_says() -> None:
    found = of.noise_free_lag(draws(), 10)
    symbols = found.x.argmax(2)
    np.testing.assert_array_equal(symbols[:, 1:], np.tile(np.arange(9), (40, 1)))
    np.testing.assert_array_equal(found.target[:, -1].argmax(1), symbols[:, 0])
    assert set(symbols[:, 0]) == {9, 10}
    long = of.long_lag(draws(), 30, 5)
    assert long.lengths.min() >= 33
    for x, length, target in zip(long.x, long.lengths, long.target, strict=True):
        symbols = x[:length].argmax(1)
        assert (symbols[0], symbols[-1], symbols[1] - 7) == (6, 5, target.argmax())
        assert symbols[2:-1].max() < 5


def test_the_class_is_in_the_first_values() -> None:
    found = of.two_sequences(draws(), 20, 3)
    np.testing.assert_array_equal(found.x[:, :3, 0], np.where(found.target > 0.5, 1.0, -1.0) * np.ones(3))
    noisy = of.two_sequences(draws(400), 20, 3, noisy_target=True)
    assert noisy.truth is not None
    assert set(np.round(noisy.truth[:, 0], 3)) == {0.2, 0.8}
    assert 0.25 < (noisy.target - noisy.truth).std() < 0.4


def test_strings_of_the_embedded_reber_grammar() -> None:
    strings = [of.embedded_reber(draw) for draw in draws(200)]
    for text, legal in strings:
        assert text[0] + text[-1] == "BE"
        assert text[1] == text[-2]  # the long lag
        assert len(legal) == len(text) - 1
        assert all(letter in after for letter, after in zip(text[1:], legal, strict=True))
    found = of.reber(strings[:5])
    assert found.truth is not None
    assert found.truth[0, 0].sum() == 2  # T or P
    assert (found.target.max(-1) <= found.truth.max(-1)).all()
