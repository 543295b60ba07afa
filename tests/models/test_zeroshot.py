"""The zero-shot network: its weights belong to the code, its features are causal, and a training learns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gatecast.base.errors import ModelFileError
from gatecast.models.zeroshot.bases import simple_forecasts
from gatecast.models.zeroshot.forecast import find_periods
from gatecast.models.zeroshot.history import Series, read_history
from gatecast.models.zeroshot.pretrain import PretrainConfig, pretrain
from gatecast.models.zeroshot.sizes import PROBABILITIES
from gatecast.models.zeroshot.weights import BUNDLED, load_weights, save_weights


def series(values: np.ndarray) -> Series:
    y = torch.from_numpy(values.astype(np.float32))
    count = len(y)
    start, season, second = (torch.full((count,), one) for one in (3, 12, 0))
    return Series(y, torch.ones_like(y, dtype=torch.bool), start, season, second, torch.zeros(count, 1))


def test_the_weights_of_the_package_belong_to_the_code() -> None:
    net, card = load_weights()
    assert card["parameters"] == sum(one.numel() for one in net.parameters())
    assert card["probabilities"] == list(PROBABILITIES)
    assert card["settings"]["seed"] == 0
    assert BUNDLED.stat().st_size < 4_000_000


def test_weights_without_their_card_are_refused(tmp_path: Path) -> None:
    net, _ = load_weights()
    path = tmp_path / "w.safetensors"
    save_weights(path, net, {})
    assert load_weights(path)[1]["width"] == 256
    path.write_bytes(path.read_bytes()[:-2] + b"xx")
    with pytest.raises(ModelFileError, match="do not belong together"):
        load_weights(path)


def test_nothing_after_a_patch_changes_what_is_read_there() -> None:
    values = np.random.default_rng(0).standard_normal((2, 256)).cumsum(1)
    changed = values.copy()
    changed[:, 128:] = changed[:, 128:][:, ::-1]
    found = []
    for one in (values, changed):
        history = read_history(series(one))
        found.append((history.tokens, simple_forecasts(series(one), history)))
    (tokens, bases), (tokens2, bases2) = found
    assert torch.equal(tokens[:, :8], tokens2[:, :8])
    assert torch.equal(bases.hints[:, :8], bases2.hints[:, :8])
    assert torch.equal(bases.forecasts[:, :8], bases2.forecasts[:, :8])
    assert not torch.equal(tokens[:, 8:], tokens2[:, 8:])


def test_a_training_lowers_the_loss_and_is_the_same_for_a_seed() -> None:
    config = PretrainConfig(steps=3, batch=4, width=16)
    net, history = pretrain(config)
    again, _ = pretrain(config)
    assert [line["step"] for line in history] == [1, 2, 3]
    assert history[-1]["validation"] < history[0]["validation"]
    assert all(torch.equal(a, b) for a, b in zip(net.parameters(), again.parameters(), strict=True))


def test_a_season_is_found_where_there_is_one() -> None:
    rng = np.random.default_rng(1)
    t = np.arange(300)
    assert find_periods(np.sin(2 * np.pi * t / 20) + 0.3 * rng.standard_normal(300)) == (20, 0)
    assert find_periods(rng.standard_normal(300)) == (0, 0)
    assert find_periods(np.array([1.0, 2.0])) == (0, 0)
    assert find_periods(np.full(9, np.nan)) == (0, 0)
