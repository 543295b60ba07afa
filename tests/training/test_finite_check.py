"""A loss or a gradient that is not finite: the error, and the files saved to inspect it."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import arguments
from safetensors.torch import load_file
from torch import Tensor, nn

from gatecast.base.errors import TrainingError
from gatecast.base.findings import Arg, Finding
from gatecast.batches.windows import Batch, InputScales, Windows, split_origins
from gatecast.training.config import FitConfig
from gatecast.training.loop import train

CONFIG = FitConfig(batch_size=32, evaluations=4, progress=False, learning_rate=0.01)


class Trap(nn.Module):
    """A loss that is infinite, or whose gradient is, for windows of the second series from the third step on."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.weight, self.kind, self.calls = nn.Parameter(torch.ones(3)), kind, 0

    def forward(self, batch: Batch) -> Tensor:
        self.calls += self.training
        second = (batch.series == 1).float().mean()
        if self.calls < 3:
            return self.weight.sum()
        if self.kind == "loss":
            return self.weight.sum() + torch.where(second > 0, math.inf, 0.0)
        return self.weight.sum() + (self.weight.sum() * 0 * second).abs().sqrt()


def stop(kind: str = "loss", **settings: Any) -> Finding:
    """The finding of a run that stops at a value that is not finite."""
    panel = panel_of(wave(80), 1e7 * wave(60, 5), ids=["first", "second"])
    windows = Windows(panel, 12, 4, scales=InputScales.fit(panel))
    parts = split_origins(panel, 12, 4, held_back=0)
    with pytest.raises(TrainingError) as caught:
        train(Trap(kind), windows, *parts, replace(CONFIG, **settings), steps=12, seed=1, name="trial")
    return caught.value.finding


def test_a_loss_names_step_series_and_what_to_try() -> None:
    found = stop()
    for words in ("loss is inf", "step 3", "series second"):
        assert words in str(found.problem)
    tried = [Arg("learning_rate", of="FitConfig"), Arg("clip", of="FitConfig"), Arg("scaler", "robust")]
    assert arguments(found) == tried
    for value in ("0.01", "is 1)", "1.3e+08"):
        assert value in str(found.remedy)


@pytest.mark.parametrize("settings", [{}, {"clip": 0}, {"clip_value": 0.1}, {"accumulate": 2, "batch_size": 16}])
def test_a_gradient_is_checked_with_any_clipping(settings: dict[str, Any]) -> None:
    found = stop("gradient", **settings)
    for words in ("gradient", "nan", "step ", "series "):
        assert words in str(found.problem)
    assert (Arg("clip", 1, of="FitConfig") in arguments(found)) == ("clip" in settings)


def test_other_precision_is_something_to_try() -> None:
    assert Arg("precision", "32", of="FitConfig") in arguments(stop(precision="bf16"))


@pytest.mark.parametrize("where", ["log_dir", "checkpoint"])
def test_the_batch_is_saved_where_the_run_has_a_folder(tmp_path: Path, where: str) -> None:
    found = stop("gradient", **{where: tmp_path / "a" if where == "log_dir" else tmp_path / "a" / "run.ckpt"})
    file = tmp_path / "a" / "trial-not-finite-step-3.safetensors"
    assert str(file) in str(found.problem)
    tensors, facts = load_file(file), json.loads(file.with_suffix(".json").read_text())
    assert tensors["batch.past"].shape == (32, 12, 1)
    assert tensors["model.weight"].isfinite().all()
    assert facts["step"] == 3
    assert facts["gradients_not_finite"] == ["weight"]
    assert facts["weights_not_finite"] == []
    assert len(facts["series"]) == 32
    assert facts["fit"]["learning_rate"] == 0.01


def test_nothing_is_written_where_no_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    stop()
    assert list(tmp_path.iterdir()) == []
