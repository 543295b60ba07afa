"""The checkpoint file: a damaged one is refused, and so are parts that do not fit; other files are never replaced."""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.mutations import MUTATIONS, damaged, nonsensical, unless_refused
from fixtures.refused import refused
from torch import Tensor

from gatecast.base.errors import ModelFileError, SettingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import InputScales, Windows, split_origins
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import Quantiles
from gatecast.training import checkpoint_file
from gatecast.training.config import FitConfig
from gatecast.training.loop import train

CONTEXT, HORIZON, STEPS = 8, 2, 4


def fit(path: Path, *, resume: bool = False, **settings: Any) -> bytes:
    """The weights after training, or after what the checkpoint lacks of it."""
    torch.manual_seed(3)
    panel = panel_of(wave(40), ids=["first"])
    windows = Windows(panel, CONTEXT, HORIZON, scales=InputScales.fit(panel))
    net = NetConfig(kind="direct", hidden_size=3, dropout=0.2)
    model = ForecastModel(Shapes(CONTEXT, HORIZON, outputs=13), net, SCALERS["standard"](), Quantiles())
    settings = {"ema": 0.5, "checkpoint_every": 2, **settings}
    config = FitConfig(batch_size=8, evaluations=4, progress=False, checkpoint=path, resume=resume, **settings)
    train(model, windows, *split_origins(panel, CONTEXT, HORIZON, held_back=2), config, steps=STEPS, seed=1)
    return b"".join(value.numpy().tobytes() for value in model.state_dict().values())


@pytest.fixture(scope="module")
def middle(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, bytes]:
    """A checkpoint from the middle of a run, and the weights at its end."""
    path, kept, write = tmp_path_factory.mktemp("run") / "run.ckpt", [], checkpoint_file.write

    def noted(path: Path, *parts: Any) -> None:
        write(path, *parts)
        kept.append(path.read_bytes())

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checkpoint_file, "write", noted)
        weights = fit(path)
    assert len(kept) == 2
    return kept[0], weights


def head_of(data: bytes) -> int:
    return 8 + int.from_bytes(data[:8], "little")


def test_a_whole_checkpoint_resumes_to_the_same_weights(tmp_path: Path, middle: tuple[bytes, bytes]) -> None:
    path = tmp_path / "run.ckpt"
    path.write_bytes(middle[0])
    assert fit(path, resume=True) == middle[1]


@pytest.mark.parametrize("where", ["tensors", "head"])
def test_a_flipped_bit_is_refused(tmp_path: Path, middle: tuple[bytes, bytes], where: str) -> None:
    path, (whole, weights), draw = tmp_path / "run.ckpt", middle, random.Random(1)
    begin, end = (head_of(whole), len(whole)) if where == "tensors" else (0, head_of(whole))
    for _ in range(40):
        data = bytearray(whole)
        data[draw.randrange(begin, end)] ^= 1 << draw.randrange(8)
        path.write_bytes(data)
        with pytest.raises(ModelFileError, match=r"run\.ckpt"):
            fit(path, resume=True)
    path.write_bytes(whole)
    assert fit(path, resume=True) == weights


def test_damaged_checkpoints_are_refused_or_harmless(tmp_path: Path, middle: tuple[bytes, bytes]) -> None:
    path, (whole, weights) = tmp_path / "run.ckpt", middle
    refusals = 0
    for what, data in damaged(whole, head_of(whole), seed=2):
        path.write_bytes(data)
        outcome = unless_refused(lambda: fit(path, resume=True), what, name="run.ckpt")
        assert outcome in (None, weights), what
        refusals += outcome is None
    assert refusals > 0.95 * MUTATIONS


# ── a right checksum over wrong parts ────────────────────────────────────────────────────────────────────────────────
def rewritten(path: Path, whole: bytes, change: Callable[[Any, dict[str, Tensor]], object]) -> None:
    """Write the checkpoint with other facts or tensors, and the checksum that belongs to them."""
    path.write_bytes(whole)
    meta, tensors = checkpoint_file.read(path)
    facts = json.loads(meta["facts"])
    change(facts, tensors)
    checkpoint_file.write(path, {**meta, "facts": json.dumps(facts)}, tensors)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("step must be at least 0 and at most 4", lambda facts: facts.update(step=10**9)),
        ("step must be a whole number, got '5'", lambda facts: facts.update(step="5")),
        ("step must be at least 0", lambda facts: facts.update(step=-1)),
        ("the field step is missing", lambda facts: facts.pop("step")),
        ("unexpected keyword argument 'more'", lambda facts: facts["history"].update(more=1)),
        ("history.entries[0] must be a table", lambda facts: facts["history"].update(entries=[1])),
        ("history.entries[0].lr must be a number", lambda facts: facts["history"]["entries"][0].pop("lr")),
        ("history.entries[0].val_loss is missing", lambda facts: facts["history"]["entries"][0].pop("val_loss")),
        ("losses must be a list", lambda facts: facts.update(losses=None)),
        ("losses[0] must be finite", lambda facts: facts.update(losses=[float("nan")])),
        ("best weights and evaluations", lambda facts: facts["history"].update(entries=[], stale=0)),
    ],
)
def test_facts_that_do_not_fit_are_refused(
    tmp_path: Path, middle: tuple[bytes, bytes], words: str, change: Callable[[Any], object]
) -> None:
    path = tmp_path / "run.ckpt"
    rewritten(path, middle[0], lambda facts, tensors: change(facts))
    with refused(ModelFileError, place="run.ckpt", problem=words):
        fit(path, resume=True)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("belongs to another network", lambda tensors: {"model.more": torch.zeros(1)}),
        ("the tensors best are not those", lambda tensors: {"best.more": torch.zeros(1)}),
        ("the tensors average are not those", lambda tensors: {"average.more": torch.zeros(1)}),
        ("does not fit a weight", lambda tensors: {"optimizer.0.exp_avg": torch.zeros(1)}),
        ("does not fit a weight", lambda tensors: {"optimizer.0.exp_avg": torch.zeros(())}),
        ("there are ", lambda tensors: {"optimizer.999.step": torch.zeros(())}),
        ("invalid literal for int", lambda tensors: {"optimizer.x.step": torch.zeros(())}),
        ("RNG state", lambda tensors: {"random": tensors["random"][:9]}),
    ],
)
def test_tensors_that_do_not_fit_are_refused(
    tmp_path: Path,
    middle: tuple[bytes, bytes],
    words: str,
    change: Callable[[dict[str, Tensor]], dict[str, Tensor]],
) -> None:
    path = tmp_path / "run.ckpt"
    rewritten(path, middle[0], lambda facts, tensors: tensors.update(change(tensors)))
    with refused(ModelFileError, place="run.ckpt", problem=words):
        fit(path, resume=True)


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "null", '{"step": ' + "9" * 5000 + "}"])
def test_facts_other_than_a_table(tmp_path: Path, middle: tuple[bytes, bytes], text: str) -> None:
    path = tmp_path / "run.ckpt"
    path.write_bytes(middle[0])
    meta, tensors = checkpoint_file.read(path)
    checkpoint_file.write(path, {**meta, "facts": text}, tensors)
    with refused(ModelFileError, place="run.ckpt", problem="the checkpoint's parts do not fit together"):
        fit(path, resume=True)


def test_nonsense_in_any_fact_is_refused_or_trains(tmp_path: Path, middle: tuple[bytes, bytes]) -> None:
    path = tmp_path / "run.ckpt"
    path.write_bytes(middle[0])
    meta, tensors = checkpoint_file.read(path)
    for part in ("facts", "groups", "scalars"):
        for what, other in nonsensical(json.loads(meta[part]), seed=4, count=min(MUTATIONS // 4, 2000)):
            checkpoint_file.write(path, {**meta, part: json.dumps(other)}, tensors)
            unless_refused(lambda: fit(path, resume=True), f"{part}: {what}", name="run.ckpt")


def test_a_checkpoint_of_the_first_format(tmp_path: Path, middle: tuple[bytes, bytes]) -> None:
    path = tmp_path / "run.ckpt"
    path.write_bytes(middle[0].replace(b"gatecast-checkpoint-2", b"gatecast-checkpoint-1"))
    anew = Arg("resume", of="FitConfig")
    with refused(ModelFileError, place="run.ckpt", problem="another version of gatecast", remedy=anew):
        fit(path, resume=True)
    fit(path)  # without resume it is replaced


# ── files of the user ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "content", [b"date,y\n2024-01-01,1\n", b"{}", b"\x10\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0[]"]
)
def test_a_file_of_another_kind_stays(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "in.csv"
    path.write_bytes(content)
    another = Arg("checkpoint", ..., of="FitConfig")
    with refused(SettingError, place="in.csv", problem="is not a checkpoint of gatecast", remedy=another):
        fit(path)
    assert path.read_bytes() == content


def test_an_empty_file_and_an_older_checkpoint_are_replaced(tmp_path: Path) -> None:
    path = tmp_path / "run.ckpt"
    path.touch()
    first = fit(path)
    assert fit(path) == first


def test_a_folder_where_the_checkpoint_should_be(tmp_path: Path) -> None:
    with refused(SettingError, place=tmp_path.name, problem="this is a folder"):
        fit(tmp_path)


def test_a_file_where_the_log_should_be_stays(tmp_path: Path) -> None:
    mine = tmp_path / "training.csv"
    mine.write_text("date,y\n2024-01-01,1\n")
    another = Arg("log_dir", ..., of="FitConfig")
    with refused(SettingError, place="training.csv", problem="is not a log of gatecast", remedy=another):
        fit(tmp_path / "run.ckpt", log_dir=tmp_path)
    assert mine.read_text().startswith("date,y")
    mine.unlink()
    fit(tmp_path / "run.ckpt", log_dir=tmp_path)
    fit(tmp_path / "run.ckpt", log_dir=tmp_path)  # its own log is replaced


def test_the_files_of_all_members_are_looked_at_before_training(tmp_path: Path) -> None:
    (tmp_path / "run.ckpt-1").write_text("mine")
    config = FitConfig(steps=3, progress=False, checkpoint=tmp_path / "run.ckpt")
    with refused(SettingError, place="run.ckpt-1", problem="is not a checkpoint of gatecast"):
        LSTMForecaster(2, context=8, members=2, fit=config).fit(panel_of(np.arange(60.0)))
    assert [one.name for one in tmp_path.iterdir()] == ["run.ckpt-1"]


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, written = tmp_path / "run.ckpt", Path.write_bytes
    calls: list[int] = []

    def full(self: Path, data: bytes) -> int:
        calls.append(1)
        if len(calls) == 2:
            written(self, data[:100])
            raise OSError(28, os.strerror(28))
        return written(self, data)

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        fit(path)
    assert caught.value.filename == str(path)
    assert [one.name for one in tmp_path.iterdir()] == ["run.ckpt"]
    assert fit(path, resume=True) == fit(tmp_path / "other.ckpt")
