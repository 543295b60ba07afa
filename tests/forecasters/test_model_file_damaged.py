"""Model files that were damaged, or made with right checksums and wrong parts: refused on loading, or harmless."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.mutations import MUTATIONS, damaged, nonsensical, unless_refused
from fixtures.refused import refused
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gatecast.base.errors import GatecastError, ModelFileError
from gatecast.data.panel import Panel
from gatecast.forecasters.classifier import LSTMClassifier
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.saved import load
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig
from gatecast.training.explain import explain_training

FIT = FitConfig(steps=3, batch_size=16, evaluations=2, refit=False, progress=False)
SEQUENCES = np.random.default_rng(0).normal(size=(24, 5, 2))
Parts = tuple[dict[str, Any], dict[str, Tensor]]
KINDS = ("segment", "recursive", "classifier")


def panel() -> Panel:
    """Two series with a known covariate that reaches past the origin, and a category."""
    random = np.random.default_rng(0)
    fields: dict[str, Any] = {
        "known": random.normal(2, 3, (120, 1)).astype(np.float32),
        "category": np.array([[0], [1]]),
    }
    names = {"known": ("k",), "category": ("kind",), "levels": (("x", "y"),)}
    return panel_of(wave(70), wave(50), freq="D", ids=["a", "b"], names=names, **fields).cut(4)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model file of each kind; tests alter copies of them."""
    folder = tmp_path_factory.mktemp("models")
    net = {name: NetConfig(kind=name, hidden_size=3, id_embedding=2) for name in KINDS[:2]}
    models: dict[str, Any] = {
        "segment": LSTMForecaster(4, context=12, net=net["segment"], fit=FIT).fit(panel()),
        "recursive": LSTMForecaster(4, context=12, net=net["recursive"], head="student", fit=FIT).fit(panel()),
        "classifier": LSTMClassifier(
            net=NetConfig(hidden_size=3), fit=FIT, class_weight={"falls": 1.0, "rises": 2.0}
        ).fit(SEQUENCES, np.where(SEQUENCES[:, 0, 0] > 0, "falls", "rises")),
    }
    return {name: model.save(folder / f"{name}.gatecast") for name, model in models.items()}


def used(model: Any) -> bytes:
    """Every call of a loaded model, and its numbers."""
    model.describe()
    model.to_state()
    explain_training(model.history_)
    if isinstance(model, LSTMClassifier):
        model.predict(SEQUENCES)
        return model.predict_proba(SEQUENCES).tobytes()
    forecast = model.predict(panel=panel(), samples=2)
    return forecast.quantiles.tobytes() + forecast.samples.tobytes()


def parts_of(path: Path) -> Parts:
    with zipfile.ZipFile(path) as file:
        return json.loads(file.read("model.json")), load_tensors(file.read("tensors.safetensors"))


def written(path: Path, facts: Any, tensors: dict[str, Tensor]) -> None:
    """A model file of these parts, with their checksums."""
    entries = {"model.json": json.dumps(facts).encode(), "tensors.safetensors": save_tensors(tensors)}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in entries.items()}
    entries = {"manifest.json": json.dumps({"format": 1, "gatecast": "0", "sha256": sums}).encode(), **entries}
    with zipfile.ZipFile(path, "w") as file:
        for name, data in entries.items():
            file.writestr(name, data)


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_or_harmless(tmp_path: Path, saved: dict[str, Path], kind: str) -> None:
    path, whole = tmp_path / "m.gatecast", saved[kind].read_bytes()
    expected, refusals = used(load(saved[kind])), 0
    head = whole.index(b"tensors.safetensors")  # sizes, names and JSON
    for what, data in damaged(whole, head, seed=3, count=MUTATIONS // 2):
        path.write_bytes(data)
        model = unless_refused(lambda: load(path), what, name="m.gatecast")
        assert model is None or used(model) == expected, what
        refusals += model is None
    assert refusals > 0.3 * MUTATIONS  # a changed date in the zip, or bytes after its end, change nothing


@pytest.mark.parametrize("kind", KINDS)
def test_nonsense_in_any_field_is_refused_or_harmless(tmp_path: Path, saved: dict[str, Path], kind: str) -> None:
    path = tmp_path / "m.gatecast"
    facts, tensors = parts_of(saved[kind])
    del facts["described"]  # for people; nothing reads it
    for what, other in nonsensical(facts, seed=5, count=min(MUTATIONS // 2, 3000)):
        written(path, other, tensors)
        model = unless_refused(lambda: load(path), what, name="m.gatecast")
        if model is not None:
            try:
                used(model)
            except GatecastError:  # a panel that the altered model does not fit
                continue
            except Exception as error:
                raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error


def _field(*names: str, value: Any) -> Callable[[Any, Any], None]:
    def change(facts: Any, tensors: Any) -> None:
        for name in names[:-1]:
            facts = facts[name]
        facts[names[-1]] = value

    return change


def _tensor(name: str, change: Callable[[Tensor], Tensor | None]) -> Callable[[Any, Any], None]:
    def apply(facts: Any, tensors: dict[str, Tensor]) -> None:
        other = change(tensors.pop(name, torch.zeros(1)))
        if other is not None:
            tensors[name] = other

    return apply


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("kind must be one of forecaster, classifier, zeroshot, got 'other'", _field("kind", value="other")),
        ("settings.horizon must be a whole number, got '4'", _field("settings", "horizon", value="4")),
        ("shapes.horizon must be settings.horizon = 4", _field("shapes", "horizon", value=10**6)),
        ("shapes.context must be at least 1 and at most 100000", _field("shapes", "context", value=10**12)),
        ("shapes.context must be at least 1", _field("shapes", "context", value=-12)),
        ("settings.members must be 1, the number of networks, got 2", _field("settings", "members", value=2)),
        ("NetConfig.hidden_size must be at least 1, got -3", _field("net", "hidden_size", value=-3)),
        ("NetConfig.hidden_size must be at most 16,384", _field("net", "hidden_size", value=10**6)),
        ("member0.network.position must have the shape (1, 16000)", _field("net", "hidden_size", value=16_000)),
        ("net.num_layers must be at most the number of tensors", _field("net", "num_layers", value=10**9)),
        ("shapes.targets must be 1, that of the schema", _field("shapes", "targets", value=10**9)),
        ("shapes.levels must be [2], that of the schema", _field("shapes", "levels", value=[10**9])),
        ("shapes.lags must be at least 0 and at most 11", _field("shapes", "lags", value=12)),
        ("shapes.seasons must ascend", _field("shapes", "seasons", value=[7, 7])),
        ("cycles must be some of", _field("cycles", value=["decade"])),
        ("ids must have 2 entries, got 1", _field("ids", value=["a"])),
        ("ids[0] must be text, got 1", _field("ids", value=[1, 2])),
        ("floor[0] must be finite, got nan", _field("floor", value=[float("nan")])),
        ("floor must have 1 entries, got 2", _field("floor", value=[None, None])),
        ("schema.freq.alias must be a frequency", _field("schema", "freq", "alias", value="\x00")),
        ("schema.levels[0] must be a list", _field("schema", "levels", value=["xy"])),
        ("history[0].train_loss must be finite", _field("history", 0, "train_loss", value=float("inf"))),
        ("diverged must have 2 entries, got 1", _field("diverged", value=[1.0])),
        ("NetConfig has no argument 'more'", _field("net", "more", value=1)),
        ("head.name must be one of quantiles, ", _field("head", "name", value="other")),
        ("head.probabilities[0] must be a number", _field("head", "probabilities", value=["x"] * 13)),
        ("scaler.recent must be at least 1, got 0", _field("scaler", "recent", value=0)),
        ("scales.known.mean must hold finite numbers", _tensor("scales.known.mean", lambda one: one * torch.nan)),
        ("scales.known.spread must be above 0, got 0", _tensor("scales.known.spread", lambda one: one * 0)),
        ("scales.known.mean must have the shape (1,)", _tensor("scales.known.mean", lambda one: one.repeat(2))),
        ("the tensor calibration.factors is missing", _tensor("calibration.factors", lambda one: None)),
        ("calibration.factors must be at least 0", _tensor("calibration.factors", lambda one: -one)),
        ("calibration.steps must hold correlations", _tensor("calibration.steps", lambda one: 9 * one)),
        ("of torch.float32, got (4,) of torch.float64", _tensor("calibration.steps", lambda one: one.double())),
        ("kept.ids must be a list", _field("kept", "ids", value="ab")),
        ("kept.category must be codes of the 2 levels", _tensor("kept.category", lambda one: one + 9)),
        ("kept.target must hold finite numbers", _tensor("kept.target", lambda one: one / 0)),
        ("kept.begin must have the shape (2,) of torch.int64", _tensor("kept.begin", lambda one: one.float())),
        ("the rows that the model keeps do not fit together", _tensor("kept.stop", lambda one: one + 10**12)),
        ("kept.starts must be times", _tensor("kept.starts", lambda one: one * 0 - 2**63)),
        ("least_rows must be at least 0", _field("least_rows", value=-1)),
        ("unknown tensors: ['other']", _tensor("other", lambda one: one)),
        ("unknown tensors: ['member1']", _tensor("member1.x", lambda one: one)),
        ("unknown tensors: ['member0.x']", _tensor("member0.x", lambda one: one)),
        ("member0.network.out.bias must hold finite", _tensor("member0.network.out.bias", lambda one: one / 0)),
        ("the tensor member0.network.out.bias is missing", _tensor("member0.network.out.bias", lambda one: None)),
    ],
)
def test_a_wrong_part_is_named(
    tmp_path: Path, saved: dict[str, Path], words: str, change: Callable[[Any, Any], None]
) -> None:
    path = tmp_path / "m.gatecast"
    facts, tensors = parts_of(saved["segment"])
    change(facts, tensors)
    written(path, facts, tensors)
    with refused(ModelFileError, place="m.gatecast", problem=words):
        load(path)


@pytest.mark.parametrize(
    ("words", "change"),
    [
        ("classes must be two or more", _field("classes", value=["falls"])),
        ("classes must be different", _field("classes", value=["falls", "falls"])),
        ("class_weight[0] must be above 0", _field("class_weight", value=[["falls", -1], ["rises", 1]])),
        ("fitted.n_features_in_ must be at least 1", _field("fitted", "n_features_in_", value=0)),
        ("the tensor mean must have the shape (1000000000,)", _field("fitted", "n_features_in_", value=10**9)),
        ("spread must be above 0", _tensor("spread", lambda one: -one)),
        ("seed must be a whole number", _field("seed", value="x")),
    ],
)
def test_a_wrong_part_of_a_classifier_is_named(
    tmp_path: Path, saved: dict[str, Path], words: str, change: Callable[[Any, Any], None]
) -> None:
    path = tmp_path / "m.gatecast"
    facts, tensors = parts_of(saved["classifier"])
    change(facts, tensors)
    written(path, facts, tensors)
    with refused(ModelFileError, place="m.gatecast", problem=words):
        load(path)


@pytest.mark.parametrize("manifest", [b'{"format": Infinity}', b'{"format": "1"}', b"[" * 100_000, b"{}"])
def test_a_manifest_of_nonsense(tmp_path: Path, saved: dict[str, Path], manifest: bytes) -> None:
    path = tmp_path / "m.gatecast"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("manifest.json", manifest)
    with refused(ModelFileError, place="m.gatecast", problem="not a gatecast model"):
        load(path)


def test_a_size_beyond_the_file(tmp_path: Path, saved: dict[str, Path]) -> None:
    data = bytearray(saved["segment"].read_bytes())
    place = data.rfind(b"PK\x01\x02") + 20
    data[place : place + 8] = b"\xf0\xff\xff\xff" * 2
    path = tmp_path / "m.gatecast"
    path.write_bytes(data)
    with refused(ModelFileError, place="m.gatecast", problem="not a gatecast model"):
        load(path)


def test_loading_needs_no_compiler(saved: dict[str, Path]) -> None:
    code = f"import sys, gatecast; gatecast.load({str(saved['segment'])!r}); print('torch._dynamo' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split() == ["False"]
