"""The model file: the same numbers after loading, and a clear word about every file that is not whole."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.make_model import FOLDER
from fixtures.make_model import panel as fixture_panel
from fixtures.refused import refused

import gatecast
from gatecast.base.errors import ModelFileError, NotFittedError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import Scaler, Standard
from gatecast.data.panel import Panel
from gatecast.forecasters.model_file import FORMAT
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.saved import load
from gatecast.models.config import NetConfig
from gatecast.nn.losses import Loss
from gatecast.training.config import FitConfig

FIT = FitConfig(steps=4, batch_size=16, evaluations=2, refit=False, progress=False)


def panel() -> Panel:
    """Two series with a known covariate that reaches four rows past the origin, and a category."""
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "known": random.normal(2, 3, (120, 1)).astype(np.float32),
        "category": np.array([[0], [1]]),
    }
    names = {"known": ("k",), "category": ("kind",), "levels": (("x", "y"),)}
    return panel_of(wave(70), wave(50), freq="D", ids=["a", "b"], names=names, **fields).cut(4)


def fitted(kind: str = "segment", **settings: Any) -> LSTMForecaster:
    net = NetConfig(kind=kind, hidden_size=8, id_embedding=2)
    return LSTMForecaster(4, **{"context": 12, "net": net, "fit": FIT, **settings}).fit(panel())


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file; tests alter copies of it."""
    return fitted().save(tmp_path_factory.mktemp("model") / "model.gatecast")


@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("segment", {}),
        ("direct", {"head": "student", "scaler": Standard(recent=6), "members": 2}),
        ("seq2seq", {"head": "point", "season": 7, "nonnegative": False}),
        ("recursive", {"head": "normal", "scaler": "log1p"}),
        ("direct", {"loss": "huber(delta=0.5)"}),
        ("segment", {"head": "tweedie(power=1.3)"}),
        ("recursive", {"loss": "poisson"}),
    ],
)
def test_a_loaded_model_forecasts_the_same_numbers(tmp_path: Path, kind: str, settings: dict[str, Any]) -> None:
    model = fitted(kind, **settings)
    loaded = gatecast.load(model.save(tmp_path / "m.gatecast"))
    mine, theirs = (m.predict(panel=panel(), samples=3) for m in (model, loaded))
    np.testing.assert_array_equal(mine.quantiles, theirs.quantiles)
    np.testing.assert_array_equal(mine.samples, theirs.samples)
    assert loaded.history_ == model.history_
    assert (loaded.schema_, loaded.ids_) == (model.schema_, model.ids_)
    assert loaded.calibration_.windows == model.calibration_.windows
    assert (loaded.name, loaded.seed, loaded.parameters_) == (model.name, model.seed, model.parameters_)


def test_the_loss_is_in_the_file(tmp_path: Path) -> None:
    path = fitted(loss="huber(delta=0.5)").save(tmp_path / "m.gatecast")
    with zipfile.ZipFile(path) as file:
        facts = json.loads(file.read("model.json"))
    assert facts["head"] == {"name": "point", "loss": "huber(delta=0.5)"}
    assert facts["described"]["loss"] == "huber(delta=0.5)"
    assert load(path).describe()["loss"] == "huber(delta=0.5)"


@dataclass(frozen=True)
class Cubed(Loss):
    """A loss of the user's own."""

    def cells(self, prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return (prediction - target).abs() ** 3


def test_a_custom_loss_trains_and_cannot_be_saved(tmp_path: Path) -> None:
    model = fitted(loss=Cubed())
    assert "Cubed" in model.describe()["loss"]
    with refused(ModelFileError, problem="the loss Cubed is not built in", remedy="use mse, "):
        model.save(tmp_path / "m.gatecast")


def test_a_model_loaded_and_saved_again_is_the_same_file(tmp_path: Path, saved: Path) -> None:
    again = load(saved).save(tmp_path / "again.gatecast")
    first, second = (zipfile.ZipFile(path).read("tensors.safetensors") for path in (saved, again))
    assert first == second


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = fitted()
    first, second = (model.save(tmp_path / name).read_bytes() for name in ("one", "two"))
    assert first == second


def test_the_file_of_the_first_format_still_forecasts_its_numbers() -> None:
    forecast = load(FOLDER / "model-v1.gatecast").predict(panel=fixture_panel())
    expected = np.array(json.loads((FOLDER / "model-v1.json").read_text()))
    np.testing.assert_allclose(forecast.quantiles, expected, rtol=1e-4, atol=1e-4)
    assert np.ptp(expected[..., 2]) > 10  # numbers that say something


def test_the_suffix_is_added_and_nothing_else_is_left(tmp_path: Path) -> None:
    path = fitted().save(tmp_path / "model.v2")
    assert path == tmp_path / "model.v2.gatecast"
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_no_partial_one(
    tmp_path: Path, saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.gatecast"
    path.write_bytes(saved.read_bytes())
    model = load(saved)

    def full(*args: Any) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr(zipfile.ZipFile, "writestr", full)
    with pytest.raises(OSError, match="no space left"):
        model.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["model.gatecast"]
    assert path.read_bytes() == saved.read_bytes()


def test_nothing_inside_can_run_code(saved: Path) -> None:
    with zipfile.ZipFile(saved) as file:
        assert sorted(file.namelist()) == ["manifest.json", "model.json", "tensors.safetensors"]
        json.loads(file.read("manifest.json"))
        json.loads(file.read("model.json"))
        header = file.read("tensors.safetensors")
    assert header[8:9] == b"{"  # safetensors: length, then JSON


def test_the_data_is_not_inside_without_history(tmp_path: Path) -> None:
    path = fitted().save(tmp_path / "m.gatecast", history=False)
    with refused(NotFittedError, problem="a loaded forecaster holds no data", remedy=Arg("panel", ...)):
        load(path).predict()


def test_save_before_fit(tmp_path: Path) -> None:
    with refused(NotFittedError, problem="save needs a fitted forecaster"):
        LSTMForecaster(4).save(tmp_path / "m.gatecast")
    assert not os.listdir(tmp_path)


class Doubled(Scaler):
    """A scaler of the user's own."""

    name = "doubled"


def test_custom_parts_cannot_be_saved(tmp_path: Path) -> None:
    with refused(ModelFileError, problem="a Doubled is not built in", remedy="standard"):
        fitted(scaler=Doubled()).save(tmp_path / "m.gatecast")


# ── files that are not whole ─────────────────────────────────────────────────────────────────────────────────────────
def rewritten(saved: Path, path: Path, **changes: bytes | None) -> Path:
    """The file with entries replaced or (None) left out; names with ``_`` for the dot."""
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w") as new:
        for name in old.namelist():
            data = changes.get(name.replace(".", "_"), old.read(name))
            if data is not None:
                new.writestr(name, data)
    return path


def test_a_missing_file(tmp_path: Path) -> None:
    with refused(ModelFileError, place="none.gatecast", problem="there is no such model file"):
        load(tmp_path / "none.gatecast")


@pytest.mark.parametrize(
    ("kept", "problem", "remedy"),
    [
        (0, "not a gatecast model", ()),
        (10, "damaged or cut off", "copy it again"),
        (0.5, "damaged or cut off", "copy it again"),
        (0.99, "damaged or cut off", "copy it again"),
    ],
)
def test_a_truncated_file(tmp_path: Path, saved: Path, kept: float, problem: str, remedy: Any) -> None:
    whole = saved.read_bytes()
    path = tmp_path / "cut.gatecast"
    path.write_bytes(whole[: int(kept * len(whole)) if kept < 1 else int(kept)])
    with refused(ModelFileError, place="cut.gatecast", problem=problem, remedy=remedy):
        load(path)


@pytest.mark.parametrize("content", [b"time,y\n1,2\n", b"\x80\x04\x95pickle", b"{}"])
def test_a_file_other_than_a_zip(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.gatecast"
    path.write_bytes(content)
    with refused(ModelFileError, problem="not a gatecast model"):
        load(path)


def test_a_folder(tmp_path: Path) -> None:
    with refused(ModelFileError, problem="not a gatecast model"):
        load(tmp_path)


def test_a_zip_of_something_else(tmp_path: Path) -> None:
    path = tmp_path / "other.gatecast"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("readme.txt", "hello")
    with refused(ModelFileError, problem="a zip but not a gatecast model: it has no manifest.json"):
        load(path)


@pytest.mark.parametrize("manifest", [b"not json", b"[1]", b"\xff\xfe"])
def test_an_invalid_manifest(tmp_path: Path, saved: Path, manifest: bytes) -> None:
    with refused(ModelFileError, problem="not a gatecast model"):
        load(rewritten(saved, tmp_path / "m.gatecast", manifest_json=manifest))


@pytest.mark.parametrize(
    ("share", "entry"),
    [(0.1, "model.json"), (0.35, "tensors.safetensors"), (0.6, "tensors.safetensors"), (0.85, "tensors.safetensors")],
)
def test_an_altered_byte_anywhere_in_the_weights(tmp_path: Path, saved: Path, share: float, entry: str) -> None:
    data = bytearray(saved.read_bytes())
    start = data.index(b"tensors.safetensors") + 30
    data[start + int(share * (len(data) - start - 400))] ^= 1
    path = tmp_path / "altered.gatecast"
    path.write_bytes(bytes(data))
    with refused(
        ModelFileError, place="altered.gatecast", problem=["damaged", "CRC-32", entry], remedy="copy it again"
    ):
        load(path)


@pytest.mark.parametrize("entry", ["model.json", "tensors.safetensors"])
def test_an_entry_exchanged_by_a_whole_other_one(tmp_path: Path, saved: Path, entry: str) -> None:
    with zipfile.ZipFile(saved) as file:
        other = file.read(entry).replace(b"4", b"5", 1)
    path = rewritten(saved, tmp_path / "m.gatecast", **{entry.replace(".", "_"): other})
    with refused(ModelFileError, problem=f"{entry} was altered after it was saved (its checksum differs)"):
        load(path)


def test_a_missing_entry(tmp_path: Path, saved: Path) -> None:
    path = rewritten(saved, tmp_path / "m.gatecast", tensors_safetensors=None)
    with refused(ModelFileError, problem="it lacks tensors.safetensors", remedy="save the model again"):
        load(path)


def test_a_newer_format(tmp_path: Path, saved: Path) -> None:
    manifest = json.dumps({"format": FORMAT + 1, "gatecast": "9.0"}).encode()
    path = rewritten(saved, tmp_path / "m.gatecast", manifest_json=manifest)
    with refused(
        ModelFileError, problem=f"format {FORMAT + 1}, written by gatecast 9.0;", remedy="pip install -U gatecast"
    ):
        load(path)


def test_parts_that_do_not_fit_together(tmp_path: Path, saved: Path) -> None:
    with zipfile.ZipFile(saved) as file:
        facts, manifest = json.loads(file.read("model.json")), json.loads(file.read("manifest.json"))
    facts["net"]["hidden_size"] = 9
    model = json.dumps(facts).encode()
    manifest["sha256"]["model.json"] = hashlib.sha256(model).hexdigest()
    path = rewritten(saved, tmp_path / "m.gatecast", model_json=model, manifest_json=json.dumps(manifest).encode())
    with refused(ModelFileError, problem="the model's parts do not fit together"):
        load(path)


@pytest.mark.parametrize(
    ("entry", "changes"),
    [
        ("manifest", {"format": "9"}),
        ("manifest", {"sha256": []}),
        ("model", {"shapes": [1]}),
        ("model", {"schema": None}),
        ("model", {"kind": "other"}),
        ("model", {"kept": {"ids": ["a"], "source": "x"}}),
        ("model", {"kept": {"ids": [], "source": "x"}}),
        ("model", {"kept": [1]}),
        ("model", {"members": -1}),
    ],
)
def test_parts_of_a_wrong_kind(tmp_path: Path, saved: Path, entry: str, changes: dict[str, Any]) -> None:
    with zipfile.ZipFile(saved) as file:
        parts = {name: json.loads(file.read(f"{name}.json")) for name in ("model", "manifest")}
    target = parts[entry]["settings"] if "members" in changes else parts[entry]
    target.update(changes)
    model = json.dumps(parts["model"]).encode()
    if entry == "model":
        parts["manifest"]["sha256"]["model.json"] = hashlib.sha256(model).hexdigest()
    manifest = json.dumps(parts["manifest"]).encode()
    with pytest.raises(ModelFileError):
        load(rewritten(saved, tmp_path / "m.gatecast", model_json=model, manifest_json=manifest))


def test_a_packed_entry_is_refused(tmp_path: Path, saved: Path) -> None:
    path = tmp_path / "packed.gatecast"
    with zipfile.ZipFile(saved) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    with refused(ModelFileError, problem="is compressed", remedy="do not use the file"):
        load(path)


def test_paths_of_training_do_not_travel(tmp_path: Path) -> None:
    import dataclasses

    secret = tmp_path / "secret"
    fit = dataclasses.replace(FIT, checkpoint=secret / "run.ckpt", resume=True, log_dir=secret, log="tensorboard")
    with pytest.warns(UserWarning, match="training starts anew"):
        path = fitted(fit=fit).save(tmp_path / "m.gatecast")
    assert b"secret" not in path.read_bytes()
    config = load(path).fit_config
    assert config is not None
    assert (config.checkpoint, config.resume, config.log_dir, config.log) == (None, False, None, "csv")


def test_numbers_of_numpy_as_settings(tmp_path: Path) -> None:
    net = NetConfig(hidden_size=8)
    numbers: Any = np.array([4, 12, 3])
    model = LSTMForecaster(numbers[0], context=numbers[1], net=net, fit=FIT, seed=numbers[2]).fit(panel())
    loaded = load(model.save(tmp_path / "m.gatecast"))
    assert (loaded.horizon, loaded.seed) == (4, 3)
