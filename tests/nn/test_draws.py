"""Random numbers of a thread's own: as after manual_seed, and nobody else's generator is touched."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from gatecast import FitConfig, LSTMForecaster, NetConfig, Panel
from gatecast.nn.draws import Dropout, drawing, dropout, injected, reseed

MADE: dict[str, Callable[[], Any]] = {
    "rand": lambda: torch.rand(5),
    "randn": lambda: torch.randn(5),
    "randint": lambda: torch.randint(9, (5,)),
    "randint between": lambda: torch.randint(3, 9, (5,)),
    "randperm": lambda: torch.randperm(9),
    "rand_like": lambda: torch.rand_like(torch.zeros(5)),
    "randn_like": lambda: torch.randn_like(torch.zeros(5)),
    "bernoulli": lambda: torch.bernoulli(torch.full((9,), 0.5)),
    "multinomial": lambda: torch.multinomial(torch.ones(9), 3),
    "linear": lambda: nn.Linear(3, 4).weight,
    "normal": lambda: torch.distributions.Normal(torch.zeros(5), 1.0).sample(),
    "student": lambda: torch.distributions.StudentT(torch.full((5,), 3.0)).sample(),
    "poisson": lambda: torch.distributions.Poisson(torch.full((5,), 3.0)).sample(),
    "negative binomial": lambda: torch.distributions.NegativeBinomial(torch.full((5,), 3.0), 0.5).sample(),
    "dropout": lambda: nn.functional.dropout(torch.ones(20), 0.5),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE.keys())
def test_injected_draws_are_those_of_manual_seed(make: Callable[[], Any]) -> None:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        wanted = make()
        torch.manual_seed(7)
        before = torch.get_rng_state()
        with drawing(3), injected():
            assert torch.equal(make(), wanted)
        assert torch.equal(torch.get_rng_state(), before)


def test_dropout_draws_as_pytorch_does_from_its_own_generator() -> None:
    x = torch.ones(4, 50)
    with torch.random.fork_rng():
        torch.manual_seed(3)
        wanted = nn.functional.dropout(x, 0.3)
        torch.manual_seed(3)
        assert torch.equal(dropout(x, 0.3), wanted)  # outside: PyTorch's generator
        before = torch.get_rng_state()
        with drawing(3):
            assert torch.equal(Dropout(0.3)(x), wanted)
            reseed(3)
            assert torch.equal(dropout(x, 0.3), wanted)
        assert torch.equal(torch.get_rng_state(), before)
    with drawing(3):
        assert torch.equal(dropout(x, 0.3, training=False), x)
        assert not dropout(x, 1.0).any()


def _panel() -> Panel:
    steps = np.arange(240)
    return Panel.from_arrays([np.sin(steps * np.pi / 6) + steps / 90 + k for k in range(3)], freq="MS")


def _in_threads(work: Callable[[int], Any], arguments: range) -> list[Any]:
    found: dict[int, Any] = {}
    threads = [threading.Thread(target=lambda k=k: found.__setitem__(k, work(k))) for k in arguments]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[k] for k in arguments]


@pytest.mark.parametrize(("kind", "head"), [("segment", "auto"), ("recursive", "student")])
def test_eight_threads_fit_and_sample_as_one(kind: str, head: str) -> None:
    panel = _panel()

    def fit(seed: int) -> bytes:
        net = NetConfig(hidden_size=8, kind=kind, dropout=0.3)
        model = LSTMForecaster(6, net=net, head=head, fit=FitConfig(steps=2), seed=seed).fit(panel)
        forecast = model.predict(levels=[80], samples=5)
        assert forecast.samples is not None
        return forecast.quantiles.tobytes() + forecast.samples.tobytes()

    with torch.random.fork_rng():
        torch.manual_seed(11)
        before = torch.get_rng_state()
        together = _in_threads(fit, range(8))
        assert torch.equal(torch.get_rng_state(), before)
    assert together == [fit(seed) for seed in range(8)]
    assert len(set(together)) == 8
