"""The training loop: what it minimises, what it keeps, and that a stopped run resumes."""

from __future__ import annotations

import math
import os
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused
from torch import Tensor, nn

from gatecast.base.errors import ModelFileError, SettingError, TrainingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import Batch, InputScales, WindowOrigins, Windows, split_origins
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import Quantiles
from gatecast.training import loop
from gatecast.training.config import FitConfig
from gatecast.training.engine import OneCpu
from gatecast.training.history import History
from gatecast.training.loop import train
from gatecast.training.run_fingerprint import fingerprint_of

CONTEXT, HORIZON, STEPS = 12, 4, 12
CONFIG = FitConfig(batch_size=16, evaluations=4, progress=False)


def parts(held: int = 3) -> tuple[Windows, WindowOrigins, WindowOrigins]:
    panel = panel_of(wave(80), wave(60, 5), ids=["first", "second"])
    windows = Windows(panel, CONTEXT, HORIZON, scales=InputScales.fit(panel))
    return windows, *split_origins(panel, CONTEXT, HORIZON, held_back=held)


def fresh() -> ForecastModel:
    torch.manual_seed(3)
    config = NetConfig(kind="direct", hidden_size=8, dropout=0.2)
    return ForecastModel(Shapes(CONTEXT, HORIZON, outputs=13), config, SCALERS["standard"](), Quantiles())


def run(config: FitConfig = CONFIG, model: nn.Module | None = None, steps: int = STEPS) -> tuple[nn.Module, History]:
    model = fresh() if model is None else model
    torch.manual_seed(4)
    return model, train(model, *parts(), config, steps=steps, seed=1)


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True))


def facts(history: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [(h["step"], h["train_loss"], h["val_loss"], h["lr"]) for h in history]


def test_the_loss_falls() -> None:
    _, result = run(steps=80)
    losses = [entry["train_loss"] for entry in result.entries]
    assert losses[-1] < 0.9 * losses[0]
    assert [entry["step"] for entry in result.entries] == [20, 40, 60, 80]


def test_a_run_is_a_function_of_its_seeds() -> None:
    first, second = run(), run()
    assert equal(first[0], second[0])
    assert facts(first[1].entries) == facts(second[1].entries)


class Interrupting(ForecastModel):
    """The user presses Ctrl-C while this batch is computed."""

    at = -1
    calls = 0

    def forward(self, batch: Batch) -> Tensor:
        loss = super().forward(batch)  # dropout has drawn its random numbers by now
        if self.training:
            self.calls += 1
            if self.calls == self.at:
                os.kill(os.getpid(), signal.SIGINT)
        return loss


@pytest.mark.parametrize("ema", [0.0, 0.9])
@pytest.mark.parametrize("stop", [1, 3, 5, 7])
def test_a_run_stopped_by_ctrl_c_resumes_to_the_same_result(tmp_path: Path, stop: int, ema: float) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", checkpoint_every=100, ema=ema)
    whole, expected = run(replace(CONFIG, ema=ema))
    model = fresh()
    model.__class__ = Interrupting
    model.at = stop
    with pytest.raises(KeyboardInterrupt):
        run(config, model)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert [file.name for file in tmp_path.iterdir()] == ["run.ckpt"]
    other = fresh()
    torch.manual_seed(99)  # the random state comes from the checkpoint
    result = train(other, *parts(), replace(config, resume=True), steps=STEPS, seed=1)
    assert equal(other, whole)
    assert facts(result.entries) == facts(expected.entries)
    assert (result.best_step, result.best_loss) == (expected.best_step, expected.best_loss)


def test_a_killed_run_resumes_from_its_last_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", checkpoint_every=5)
    whole, expected = run()
    original, calls = loop.accumulate, []

    def dies(*parts: Any) -> float:
        calls.append(1)
        if len(calls) == 8:
            raise MemoryError
        return original(*parts)

    monkeypatch.setattr(loop, "accumulate", dies)
    with pytest.raises(MemoryError):
        run(config)
    monkeypatch.setattr(loop, "accumulate", original)
    model, result = run(replace(config, resume=True))
    assert equal(model, whole)
    assert facts(result.entries) == facts(expected.entries)


def test_a_run_without_a_checkpoint_to_resume_from_warns_and_starts_anew(tmp_path: Path) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", resume=True)
    with pytest.warns(UserWarning, match=r"no checkpoint .*run\.ckpt to resume from; training starts anew"):
        model, _ = run(config)
    assert equal(model, run()[0])
    (tmp_path / "run.ckpt").unlink()
    # A further member, or the training on all windows, may not have begun when the fit was stopped.
    train(fresh(), *parts(), config, steps=1, seed=1, name="training-1")


def test_a_checkpoint_of_another_network_and_a_foreign_file(tmp_path: Path) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", checkpoint_every=1)
    run(config, steps=1)
    config = replace(config, resume=True)
    other = ForecastModel(
        Shapes(CONTEXT, HORIZON, outputs=13),
        NetConfig(kind="direct", hidden_size=9, dropout=0.2),
        SCALERS["standard"](),
        Quantiles(),
    )
    another = "the checkpoint belongs to another run: it was written for "
    file = "name another file"
    with refused(ModelFileError, place="run.ckpt", problem=f"{another}hidden_size 8, this run has 9", remedy=file):
        run(config, other)
    panel = parts()[0].panel
    windows = Windows(panel, CONTEXT, 2, scales=InputScales.fit(panel))
    with refused(ModelFileError, problem=f"{another}horizon 4, this run has 2", remedy=file) as caught:
        train(fresh(), windows, *split_origins(panel, CONTEXT, 2, held_back=3), config, steps=STEPS, seed=1)
    assert "state_dict" not in str(caught.value)
    (tmp_path / "run.ckpt").write_bytes(b"not a checkpoint")
    with refused(ModelFileError, place="run.ckpt", problem="cannot read a checkpoint: ", remedy=file):
        run(config)


class Scripted(nn.Module):
    """A weight that counts its own steps, and a held-back loss that is least at a given step."""

    def __init__(self, least: float) -> None:
        super().__init__()
        self.weight, self.least = nn.Parameter(torch.zeros(1)), least

    def forward(self, batch: Batch) -> Tensor:
        if self.training:
            return -self.weight.sum()
        return (self.weight.sum() - self.least).abs().detach()


def test_the_weights_of_the_last_steps_are_averaged_and_kept() -> None:
    config = replace(CONFIG, schedule="constant", learning_rate=0.1, weight_decay=0.0, evaluations=1, swa=0.4)
    model, _ = run(config, Scripted(0.0), steps=5)  # Adam adds 0.1 a step: 0.4 and 0.5 count
    assert model.weight.item() == pytest.approx(0.45, abs=1e-4)


@pytest.mark.parametrize(("min_delta", "last"), [(0.0, 8), (0.15, 8), (0.5, 4)])
def test_a_gain_below_the_least_one_does_not_count(min_delta: float, last: int) -> None:
    config = replace(CONFIG, schedule="constant", learning_rate=0.1, weight_decay=0.0, evaluations=20, patience=3)
    _, result = run(replace(config, min_delta=min_delta), Scripted(0.52), steps=20)  # 0.42, 0.32 … 0.02, 0.08 …
    assert result.entries[-1]["step"] == last


def test_a_run_of_small_batches_is_that_of_large_ones() -> None:
    plain = fresh()
    plain.network.dropout.p = 0.0
    small = fresh()
    small.network.dropout.p = 0.0
    _, whole = run(replace(CONFIG, batch_size=16), plain)
    _, parts_ = run(replace(CONFIG, batch_size=4, accumulate=4), small)
    for one, other in zip(whole.entries, parts_.entries, strict=True):
        assert one["train_loss"] == pytest.approx(other["train_loss"], rel=1e-5)
        assert one["val_loss"] == pytest.approx(other["val_loss"], rel=1e-5)
        assert one["epoch"] == other["epoch"]


@pytest.mark.parametrize("accelerator", ["cpu", "auto"])
def test_bfloat16_learns_as_float32_does(accelerator: str) -> None:
    config = replace(CONFIG, accelerator=accelerator)
    _, exact = run(config, steps=80)
    model, result = run(replace(config, precision="bf16"), steps=80)
    assert all(weight.dtype == torch.float32 and weight.isfinite().all() for weight in model.parameters())
    assert result.best_loss == pytest.approx(exact.best_loss, rel=0.05)
    assert result.best_loss != exact.best_loss


def test_gradient_norms_are_recorded_at_evaluations_on_request() -> None:
    _, result = run(replace(CONFIG, gradients=True))
    for entry in result.entries:
        assert {"lstm", "out"} <= {name.partition(".")[0] for name in entry["gradients"]}
        assert all(norm >= 0 for norm in entry["gradients"].values())
    assert "gradients" not in run()[1].entries[0]


def test_early_stopping_keeps_the_best_weights() -> None:
    config = FitConfig(
        schedule="constant",
        learning_rate=0.1,
        weight_decay=0.0,
        evaluations=20,
        patience=3,
        batch_size=8,
        progress=False,
    )
    model, result = run(config, Scripted(0.52), steps=20)  # Adam adds 0.1 a step: best after 5 steps
    assert result.best_step == 5
    assert result.entries[-1]["step"] == 8
    assert model.weight.item() == pytest.approx(0.5, abs=0.01)
    assert result.best_loss == pytest.approx(0.02, abs=0.01)


def test_a_loss_that_is_not_a_number_names_the_series() -> None:
    class Broken(Scripted):
        def forward(self, batch: Batch) -> Tensor:
            return self.weight.sum() * math.nan

    with refused(
        TrainingError,
        problem=["nan", "step 1", "series", "first", "second"],
        remedy=[Arg("learning_rate", of="FitConfig"), Arg("clip", of="FitConfig"), Arg("scaler", "robust")],
    ):
        run(model=Broken(0.0))


def test_the_denormal_mode_of_the_caller_is_restored() -> None:
    for mode in (True, False):
        torch.set_flush_denormal(mode)
        run(steps=1)
        assert loop._flushes_denormals() is mode


def test_a_run_with_an_average_keeps_the_averaged_weights() -> None:
    config = FitConfig(
        schedule="constant", learning_rate=0.1, weight_decay=0.0, evaluations=1, ema=0.9, batch_size=8, progress=False
    )
    model, _ = run(config, Scripted(0.0), steps=5)  # Adam adds 0.1 a step
    expected = 0.0
    for step in range(5):
        keep = (1 + step) / (10 + step)
        expected = keep * expected + (1 - keep) * 0.1 * (step + 1)
    assert model.weight.item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("steps", 0, "at least 1"),
        ("batch_size", 0, "at least 1"),
        ("epochs", 0, "at least 1"),
        ("accumulate", 0, "at least 1"),
        ("clip", -1, "at least 0"),
        ("clip_value", -1, "at least 0"),
        ("warm_up", -1, "at least 0"),
        ("min_delta", -1, "at least 0"),
        ("swa", 1.0, "at least 0 and below 1"),
        ("precision", "16", "32, bf16"),
        ("origins", "x", "all, season"),
    ],
)
def test_invalid_settings_are_refused(name: str, value: Any, expected: str) -> None:
    with refused(SettingError, problem=[Arg(name, of="FitConfig"), expected, f"got {value!r}"]):
        FitConfig(**{name: value})


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        (
            {"steps": 9, "epochs": 2},
            [Arg("steps", 9, of="FitConfig"), Arg("epochs", 2, of="FitConfig")],
            "leave one out",
        ),
        ({"ema": 0.9, "swa": 0.2}, [Arg("ema", 0.9, of="FitConfig"), Arg("swa", 0.2, of="FitConfig")], ()),
        ({"log": "mlflow"}, [Arg("log", "mlflow", of="FitConfig"), "folder"], Arg("log_dir", ..., of="FitConfig")),
        ({"resume": True}, [Arg("resume", True, of="FitConfig")], Arg("checkpoint", ..., of="FitConfig")),
    ],
)
def test_settings_that_do_not_fit_together_are_refused(settings: dict[str, Any], problem: Any, remedy: Any) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        FitConfig(**settings)


@pytest.mark.parametrize(
    ("change", "word"),
    [({"learning_rate": 0.1}, "learning_rate"), ({"batch_size": 8}, "batch_size"), ({}, "steps"), ({}, "data")],
)
def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path, change: dict[str, Any], word: str) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", checkpoint_every=4)
    run(config)
    windows, training, held_back = parts()
    if word == "data":
        other = panel_of(2 * wave(80), wave(60, 5), ids=["first", "second"])
        windows = Windows(other, CONTEXT, HORIZON, scales=InputScales.fit(other))
    changed = replace(config, resume=True, **change)
    with refused(
        ModelFileError,
        place="run.ckpt",
        problem=["belongs to another run: ", word],
        remedy=Arg("resume", of="FitConfig"),
    ):
        train(fresh(), windows, training, held_back, changed, steps=STEPS + (word == "steps"), seed=1)


def test_covariates_are_part_of_the_fingerprint() -> None:
    windows, *origins = parts()
    digests = []
    for value in (0.0, 1.0):
        past = np.full((len(windows.panel.target), 1), value, np.float32)
        panel = replace(windows.panel, past=past).with_schema(past=("load",))
        other = Windows(panel, CONTEXT, HORIZON, scales=InputScales.fit(panel))
        digests.append(fingerprint_of(fresh(), other, tuple(origins), CONFIG, steps=STEPS, seed=1)["data"])
    assert digests[0] != digests[1]


def test_nothing_is_written_without_a_checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run()
    assert list(tmp_path.iterdir()) == []
    assert np.isfinite(run()[1].best_loss)


def test_a_loss_of_exactly_zero_is_kept_and_not_beaten_by_a_later_one(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([0.5, 0.0, 0.25, 0.3])
    monkeypatch.setattr(loop, "evaluate", lambda *_: next(held))
    _, result = run()
    assert (result.best_step, result.best_loss) == (6, 0.0)


def test_an_evaluation_that_is_nan_is_not_the_best(monkeypatch: pytest.MonkeyPatch) -> None:
    held = iter([0.5, math.nan, 0.25, math.nan])
    monkeypatch.setattr(loop, "evaluate", lambda *_: next(held))
    _, result = run()
    assert (result.best_step, result.best_loss, result.stale) == (9, 0.25, 1)


def test_a_run_that_had_stopped_early_learns_nothing_more_when_resumed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    losses = iter([0.5, 0.6, 0.7, 0.8, 0.9])
    monkeypatch.setattr(loop, "evaluate", lambda *_: next(losses))
    config = replace(CONFIG, patience=1, checkpoint=tmp_path / "run.ckpt", checkpoint_every=1)
    stopped, first = run(config)
    resumed, second = run(replace(config, resume=True))
    assert len(second.entries) == 2
    assert facts(second.entries) == facts(first.entries)
    assert equal(resumed, stopped)


def test_fabric_takes_the_same_steps() -> None:
    own, _ = run()
    fabric, _ = run(replace(CONFIG, accelerator="auto"))
    for a, b in zip(own.parameters(), fabric.parameters(), strict=True):
        torch.testing.assert_close(a, b.cpu(), rtol=1e-4, atol=1e-5)


class Elsewhere(OneCpu):
    """An engine that stands for an accelerator: batches are to ask for its device."""

    device = torch.device("cpu", 0)


class Follows(Scripted):
    """Takes batches of the engine's device only; keeps where it was moved to."""

    moves: tuple[Any, ...] = ()

    def forward(self, batch: Batch) -> Tensor:
        assert isinstance(batch, Moved), "a batch that stayed where it was"
        return super().forward(batch)

    def to(self, *where: Any, **more: Any) -> Any:
        self.moves += where
        return super().to(*where, **more)


class Moved(Batch):
    """A batch that ``to`` has given."""


def test_every_batch_goes_to_the_engine_and_the_model_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[torch.device] = []

    def to(batch: Batch, device: torch.device) -> Batch:
        seen.append(device)
        return Moved(**vars(batch))

    monkeypatch.setattr(Batch, "to", to)
    monkeypatch.setattr(loop, "engine_of", lambda *_: Elsewhere())
    model, result = run(model=Follows(0.5))
    assert len(seen) == STEPS + len(result.entries)  # every step, and every evaluation's one batch
    assert set(seen) == {Elsewhere.device}
    assert model.moves == ("cpu",)


def test_seconds_continue_when_a_run_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = replace(CONFIG, checkpoint=tmp_path / "run.ckpt", checkpoint_every=1)
    ticks = iter(range(1000, 10_000, 10))  # the clock of the first process
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(ticks)))
    model = fresh()
    model.__class__ = Interrupting
    model.at = 7
    with pytest.raises(KeyboardInterrupt):
        run(config, model)
    later = iter(range(5, 10_000, 10))  # another process: its clock starts anew
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(later)))
    _, result = run(replace(config, resume=True))
    seconds = [entry["seconds"] for entry in result.entries]
    assert len(seconds) == 4
    assert seconds == sorted(seconds)
    assert seconds[2] > seconds[1] + 10
