"""Batches are a function of seed and step."""

from __future__ import annotations

import torch

from gatecast.training import sampler
from gatecast.training.sampler import Sampler


def test_a_step_is_the_same_whatever_came_before() -> None:
    walked = Sampler(100, 8, seed=5)
    batches = [walked(step) for step in range(40)]
    for step in (39, 0, 13):
        assert torch.equal(Sampler(100, 8, seed=5)(step), batches[step])


def test_seeds_and_epochs_differ() -> None:
    assert not torch.equal(Sampler(100, 8, 1)(0), Sampler(100, 8, 2)(0))
    assert not torch.equal(Sampler(96, 8, 1)(0), Sampler(96, 8, 1)(12))


def test_an_epoch_holds_every_window_once() -> None:
    batches = Sampler(96, 8, 1)
    assert sorted(torch.cat([batches(step) for step in range(12, 24)]).tolist()) == list(range(96))


def test_fewer_windows_than_a_batch() -> None:
    assert sorted(Sampler(3, 8, 1)(7).tolist()) == [0, 1, 2]


def test_very_many_windows_are_drawn(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(sampler, "SHUFFLED", 10)
    drawn = Sampler(1000, 64, 1)
    assert torch.equal(drawn(4), Sampler(1000, 64, 1)(4))
    assert int(drawn(4).max()) < 1000
    assert not torch.equal(drawn(4), drawn(5))
