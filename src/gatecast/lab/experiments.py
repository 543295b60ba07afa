"""The experiments of Hochreiter & Schmidhuber 1997 (§5): network, sequences, rate, criterion and published figure.

An experiment judges a run by the errors of its latest sequences (made before each update), as the paper does, or by a
test with fixed weights where the paper tests.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from gatecast.lab import sequences as draw
from gatecast.lab.online import Learners, Net
from gatecast.lab.sequences import Draws, Sequences

RECENT = 2_000  # latest sequences that a criterion looks at
Test = Callable[[Learners, int], np.ndarray]


@dataclass(frozen=True)
class Experiment:
    """One experiment.

    Args:
        name: short name, after the paper's numbers.
        title: what is asked.
        net: the network; ``weights`` is the paper's count of its weights.
        weights: as published.
        rate: learning rate.
        most: sequences after which a run has failed.
        published: mean number of sequences until success.
        draw: one sequence for each run.
        criterion: success in words.
        right: the largest error of an output that is right.
        wrong: the number of wrong sequences of the latest 2,000 that success allows.
        mean: the mean error of the latest 2,000 that success demands; None: none.
        test: instead of the latest errors: whether each run passes, with fixed weights.
        every: sequences between two tests.
        minutes: about how long 10 seeds take on one core.
        other: what the paper says of other networks.
        rival_rates: learning rates of the other networks; empty: they are not trained on this task.
    """

    name: str
    title: str
    net: Net
    weights: int
    rate: float
    most: int
    published: int
    draw: Callable[[Draws], Sequences]
    criterion: str
    right: float = 0.3
    wrong: int = 0
    mean: float | None = None
    test: Test | None = None
    every: int = 100
    minutes: float = 1.0
    other: str = ""
    rival_rates: tuple[float, ...] = ()


def _adding(steps: int, published: int, minutes: float) -> Experiment:
    return Experiment(
        name=f"4 (T={steps})",
        title=f"adding two marked values, {steps} steps",
        net=Net(2, 2, 2, 1, in_bias=(-3.0, -6.0)),
        weights=93,
        rate=0.5,
        most=4 * published,
        published=published,
        draw=lambda draws: draw.adding(draws, steps),
        criterion="latest 2,000 within 0.04, mean error below 0.01",
        right=0.04,
        mean=0.01,
        minutes=minutes,
        rival_rates=(1e-3, 1e-2),
    )


def _multiplication(wrong: int, published: int, minutes: float) -> Experiment:
    return Experiment(
        name=f"5 ({wrong} wrong)",
        title="multiplying two marked values, 100 steps",
        net=Net(2, 2, 2, 1, in_bias=(-3.0, -6.0)),
        weights=93,
        rate=0.1,
        most=3 * published,
        published=published,
        draw=lambda draws: draw.adding(draws, 100, product=True),
        criterion=f"fewer than {wrong} of the latest 2,000 off by more than 0.04",
        right=0.04,
        wrong=wrong - 1,
        minutes=minutes,
    )


def _order(marks: int, published: int, minutes: float) -> Experiment:
    biases = (-2.0, -4.0, -6.0)[:marks]
    return Experiment(
        name="6a" if marks == 2 else "6b",
        title=f"temporal order, {2**marks} classes, 100 to 110 steps",
        net=Net(8, marks, 2, 2**marks, in_bias=biases),
        weights={2: 156, 3: 308}[marks],
        rate={2: 0.5, 3: 0.1}[marks],
        most=4 * published,
        published=published,
        draw=lambda draws: draw.temporal_order(draws, marks),
        criterion="latest 2,000 with every output within 0.3, mean error below 0.1",
        mean=0.1,
        minutes=minutes,
        rival_rates=(1e-3, 1e-2),
    )


def _lag_net(p: int) -> Net:
    plain = Net(p + 1, 1, 1, p + 1, bias="none", output_bias=False, init=0.2)
    return replace(plain, output_gate=False, feedback=False, direct=True)


def _noise_free(name: str, p: int, published: int, *, regular: bool, minutes: float, other: str = "") -> Experiment:
    def test(runs: Learners, seed: int) -> np.ndarray:
        """Whether the last symbol (2a: every symbol) is right."""
        found = draw.noise_free_lag(_generators(seed, 8), p, regular=regular)
        error = np.abs(_asked(runs, found) - found.target)
        return np.asarray((error if regular else error[:, :, -1:]).max((1, 2, 3)) < 0.25)

    fill = "in order" if regular else "at random"
    return Experiment(
        name=name,
        title=f"lag {p} without noise, {p - 1} symbols {fill} between",
        net=_lag_net(p),
        weights=10_504 if p == 100 else _lag_net(p).weights,
        rate=1.0,
        most=4 * published,
        published=published,
        draw=lambda draws: draw.noise_free_lag(draws, p, regular=regular),
        criterion=("every output" if regular else "every output of the last step") + " within 0.25, weights fixed",
        test=test,
        minutes=minutes,
        other=other,
    )


def _long_lag(q: int, p: int, weights: int, published: int, minutes: float) -> Experiment:
    return Experiment(
        name=f"2c (q={q})",
        title=f"lag {q} or more, {p} kinds of distractors",
        net=Net(p + 4, 2, 1, 2, bias="none", output_bias=False, init=0.2),
        weights=weights,
        rate=0.01,
        most=6 * published,
        published=published,
        draw=lambda draws: draw.long_lag(draws, q, p),
        criterion="latest 2,000 with every output within 0.2 (the paper: 10,000)",
        right=0.2,
        minutes=minutes,
        rival_rates=(1e-3, 1e-2),
    )


def _two(name: str, informative: int, published: int, *, noisy: bool, minutes: float) -> Experiment:
    def test(runs: Learners, seed: int) -> np.ndarray:
        """No sequence of 256 misclassified and a small error (3a), or a small error of the noise-free target (3c)."""
        found = draw.two_sequences(_generators(seed, 256), 100, informative, noisy_target=noisy)
        error = np.abs(_asked(runs, found)[:, :, 0] - found.truth)[..., 0]
        small = error.mean(1) < (0.015 if noisy else 0.01)
        return small if noisy else small & (error.max(1) < 0.5)

    return Experiment(
        name=name,
        title=f"two sequences, class in the first {informative} of 100" + (", noisy target" if noisy else ""),
        net=Net(1, 3, 1, 1, output_bias=False, in_bias=(-1.0, -3.0, -5.0), out_bias=(-2.0, -4.0, -6.0)),
        weights=102,
        rate=0.1 if noisy else 1.0,
        most=5 * published,
        published=published,
        draw=lambda draws: draw.two_sequences(draws, 100, informative, noisy_target=noisy),
        criterion="mean error below 0.015" if noisy else "256 new ones right, mean error below 0.01",
        test=test,
        every=500,
        minutes=minutes,
        rival_rates=(1e-3, 1e-2),
    )


def _reber(blocks: int, size: int, weights: int, rate: float, published: int, minutes: float) -> Experiment:
    strings = _strings(512)
    sets = draw.reber(strings)
    train = strings[:256]

    def drawn(draws: Draws) -> Sequences:
        return draw.reber([train[one.integers(len(train))] for one in draws])

    def test(runs: Learners, seed: int) -> np.ndarray:
        """Whether the legal letters have the highest outputs, at every step of 256 training and 256 test strings."""
        y, legal = _asked(runs, sets), sets.truth
        assert legal is not None
        steps = (np.arange(legal.shape[1]) < sets.lengths[:, None])[None]
        lowest, highest = np.where(legal, y, np.inf).min(-1), np.where(legal, -np.inf, y).max(-1)
        return np.asarray(((lowest > highest) | ~steps).all((1, 2)))

    return Experiment(
        name=f"1 ({weights} weights)",
        title="embedded Reber grammar",
        net=Net(7, blocks, size, 7, "gates", output_bias=False, init=0.2, out_bias=(-1.0, -2.0, -3.0, -4.0)[:blocks]),
        weights=weights,
        rate=rate,
        most=10 * published,
        published=published,
        draw=drawn,
        criterion="all legal letters highest at every step of 256 training and 256 test strings",
        test=test,
        every=100,
        minutes=minutes,
        other="Elman 0 %, RTRL some runs after 25,000 to 173,000, RCC 50 % after 182,000",
    )


def _strings(count: int) -> list[tuple[str, list[str]]]:
    """Strings as the grammar draws them."""
    generator = np.random.default_rng(1997)
    return [draw.embedded_reber(generator) for _ in range(count)]


def _generators(seed: int, count: int) -> list[np.random.Generator]:
    return [np.random.default_rng([seed, k, 2]) for k in range(count)]


def _asked(runs: Learners, found: Sequences) -> np.ndarray:
    """Outputs ``(runs, sequences, time or 1, outputs)`` of every run for every sequence."""
    count = len(found.x)
    lengths = None if found.target.ndim == 3 else np.tile(found.lengths, len(runs))
    y = runs.tiled(count).outputs(np.tile(found.x, (len(runs), 1, 1)), lengths)
    return np.asarray(y.reshape(len(runs), count, *y.shape[1:]))


_BPTT = "BPTT and RTRL 0 % (RTRL 78 % at lag 4, 0 % at lag 10)"
EXPERIMENTS: dict[str, Experiment] = {
    one.name.replace(" ", ""): one
    for one in (
        _reber(3, 2, 276, 0.5, 8_440, 1),
        _reber(4, 1, 264, 0.1, 39_740, 2),
        _noise_free("2a", 100, 5_040, regular=True, minutes=2, other=_BPTT),
        _noise_free("2b", 100, 5_680, regular=False, minutes=2, other=_BPTT),
        _long_lag(50, 50, 364, 30_000, 1),
        _long_lag(100, 100, 664, 31_000, 2),
        _long_lag(1000, 1000, 6_064, 49_000, 60),
        _two("3a", 3, 39_850, noisy=False, minutes=2),
        _two("3c", 3, 269_650, noisy=True, minutes=10),
        _adding(100, 74_000, 3),
        _adding(500, 209_000, 30),
        _adding(1000, 853_000, 240),
        _multiplication(140, 482_000, 15),
        _multiplication(13, 1_273_000, 40),
        _order(2, 31_390, 2),
        _order(3, 571_100, 20),
    )
}
DEFAULT = ("1(276weights)", "2c(q=50)", "3a", "4(T=100)", "6a")
