"""Files that are not what they say: each gives an error that names the place."""

from __future__ import annotations

import contextlib
import io
import json
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError, ModelFileError, SettingError
from gatecast.base.findings import Arg
from gatecast.convert import from_keras, from_keras_arrays, from_torch, read_keras, write_keras

h5py = pytest.importorskip("h5py", reason="h5py is not installed: pip install gatecast[keras]")
SOURCE = Path(__file__).parent / "golden" / "stack.keras"
CELL = "layers/lstm/cell/vars"


def weights(change: Callable[[Any], None] = lambda file: None) -> bytes:
    """A weights file with one LSTM, after a change."""
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        for i, shape in enumerate(((3, 16), (4, 16), (16,))):
            file[f"{CELL}/{i}"] = np.ones(shape, np.float32)
        change(file)
    return data.getvalue()


def config(**options: Any) -> dict[str, Any]:
    """A model of one LSTM, as Keras writes it down."""
    layer = {"class_name": "LSTM", "config": {"name": "lstm", "units": 4, **options}}
    return {"class_name": "Sequential", "config": {"name": "model", "layers": [layer]}}


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """Write a ``.keras`` file of a configuration and a weights file."""

    def write(model: Any = None, h5: bytes | None = None, **members: bytes) -> Path:
        path = tmp_path / "model.keras"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("config.json", json.dumps(config() if model is None else model))
            archive.writestr("model.weights.h5", weights() if h5 is None else h5)
            for name, data in members.items():
                archive.writestr(name, data)
        return path

    return write


def test_the_base_case_reads(make: Callable[..., Path]) -> None:
    layer = from_keras(make())
    assert (layer.kind, layer.name) == ("LSTM", "lstm")
    assert layer.arguments == {  # what Keras does when nothing is said
        "input_size": 3,
        "hidden_size": 4,
        "batch_first": True,
        "zero_output_for_mask": False,
        "return_sequences": False,
        "return_state": False,
    }


# ── the zip ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_missing_file_and_one_of_another_format_are_refused(tmp_path: Path) -> None:
    with refused(ModelFileError, place="nowhere.keras", problem="no such file"):
        from_keras(tmp_path / "nowhere.keras")
    (tmp_path / "a.keras").write_bytes(b"nonsense")
    with refused(ModelFileError, place="a.keras", problem=[".keras", ".weights.h5"]):
        from_keras(tmp_path / "a.keras")


def test_a_zip_without_the_members(tmp_path: Path) -> None:
    path = tmp_path / "a.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    with refused(ModelFileError, place="a.keras", problem=["one model.weights.h5", "['config.json']"]):
        from_keras(path)


def test_a_truncated_or_altered_file(tmp_path: Path) -> None:
    data = bytearray(SOURCE.read_bytes())
    path = tmp_path / "a.keras"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelFileError):
        read_keras(path)
    data[data.index(b"config.json") + 200] ^= 1
    path.write_bytes(data)
    with refused(ModelFileError, place="a.keras", problem="damaged"):
        read_keras(path)


def test_damage_inside_of_the_weights(make: Callable[..., Path]) -> None:
    whole = weights()
    for at in range(0, len(whole), 97):
        data = bytearray(whole)
        data[at] ^= 0xFF
        with contextlib.suppress(ModelFileError, SettingError):  # numbers may change unseen; nothing else is raised
            from_keras(make(h5=bytes(data)))


def test_a_member_that_swells(make: Callable[..., Path]) -> None:
    with refused(ModelFileError, place="model.keras", problem=["model.weights.h5", "100 times", "got 50000000 bytes"]):
        from_keras(make(h5=bytes(50_000_000)))


# ── the configuration ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("model", "problem", "remedy"),
    [
        ([], ["an object", "got list"], ()),
        ({"class_name": "MyModel", "config": {}}, ["'MyModel'", "layers"], "save_weights"),
        ({"class_name": "Sequential", "config": {"layers": [7]}}, ["class_name and config", "got 7"], ()),
        ({"class_name": "Sequential", "config": {"layers": []}}, "no LSTM, GRU, SimpleRNN, RNN or Bidirectional", ()),
    ],
)
def test_an_invalid_configuration(make: Callable[..., Path], model: Any, problem: Any, remedy: Any) -> None:
    with refused(ModelFileError, place="model.keras", problem=problem, remedy=remedy):
        from_keras(make(model))


def test_models_without_end(make: Callable[..., Path]) -> None:
    model = config()
    for _ in range(50):
        model = {"class_name": "Sequential", "config": {"name": "m", "layers": [model]}}
    with refused(ModelFileError, place="model.keras", problem=["nested deeper than 12", "m/m/m"]):
        from_keras(make(model))


@pytest.mark.parametrize(
    ("options", "problem", "remedy"),
    [
        ({"units": 5}, ["hidden_size", "5", "4"], ()),
        ({"units": "4"}, ["hidden_size", "a number", "got '4'"], ()),
        ({"use_bias": False}, ["bias", "False", "True"], ()),
        ({"activation": "leaky_relu"}, ["activation='leaky_relu'", "tanh, sigmoid"], 'options={"activation": '),
        (
            {"activation": {"class_name": "LeakyReLU"}},
            ["activation='LeakyReLU'", "tanh, sigmoid"],
            'options={"activation": ',
        ),
        (
            {"kernel_regularizer": {"class_name": "L2"}},
            ["kernel_regularizer='L2'", "training only"],
            [Arg("ignore", ["kernel_regularizer"]), 'options={"kernel_regularizer": '],
        ),
        (
            {"new_option": 3},
            ["new_option=3", "no counterpart"],
            [Arg("ignore", ["new_option"]), 'options={"new_option": '],
        ),
        ({"dropout": "much"}, ["input_dropout", "a number", "got 'much'"], ()),
        ({"go_backwards": 1}, ["go_backwards", "bool", "got 1"], ()),
    ],
)
def test_options_that_cannot_be_mapped(
    make: Callable[..., Path], options: dict[str, Any], problem: list[str], remedy: Any
) -> None:
    with refused(SettingError, place="layer 'lstm' (LSTM)", problem=problem, remedy=remedy):
        from_keras(make(config(**options)))


def test_the_remedies_help(make: Callable[..., Path]) -> None:
    path = make(config(activation="leaky_relu", kernel_regularizer={"class_name": "L2"}, initializer=None))
    layer = from_keras(path, options={"activation": torch.nn.functional.leaky_relu}, ignore=["kernel_regularizer"])
    assert layer.option("activation") is torch.nn.functional.leaky_relu


def test_the_function_of_a_simple_rnn_is_its_nonlinearity(make: Callable[..., Path]) -> None:
    def numbers(file: Any) -> None:
        file.move("layers/lstm", "layers/simple_rnn")
        for i, shape in enumerate(((3, 4), (4, 4), (4,))):
            del file[f"layers/simple_rnn/cell/vars/{i}"]
            file[f"layers/simple_rnn/cell/vars/{i}"] = np.ones(shape, np.float32)

    model = config(activation="mish")
    model["config"]["layers"][0]["class_name"] = "SimpleRNN"
    path = make(model, weights(numbers))
    with refused(
        SettingError,
        place="layer 'lstm' (SimpleRNN)",
        problem=["activation='mish'", "tanh, sigmoid"],
        remedy='options={"nonlinearity": ',
    ):
        from_keras(path)
    assert from_keras(path, options={"nonlinearity": "relu"}).option("nonlinearity") == "relu"


def test_directions_that_differ(make: Callable[..., Path]) -> None:
    part = {"class_name": "LSTM", "config": {"name": "a", "units": 4, "go_backwards": True}}
    other = {"class_name": "LSTM", "config": {"name": "b", "units": 4, "activation": "relu"}}
    both = {"class_name": "Bidirectional", "config": {"name": "both", "layer": part, "backward_layer": other}}
    path = make({"class_name": "Sequential", "config": {"layers": [both]}})
    label = "layer 'both' (Bidirectional)"
    with refused(
        SettingError,
        place=label,
        problem=["activation", "None forwards", "'relu' backwards"],
        remedy='options={"activation": ',
    ):
        from_keras(path)
    with refused(SettingError, place=label, problem=["go_backwards=True", "no counterpart"]):
        from_keras(path, options={"activation": "relu"})


# ── the arrays ───────────────────────────────────────────────────────────────────────────────────────────────────────
def _replace(data: Any, name: str = "1") -> Callable[[Any], None]:
    def change(file: Any) -> None:
        del file[f"{CELL}/{name}"]
        file[f"{CELL}/{name}"] = data

    return change


def _bomb(file: Any) -> None:
    del file[f"{CELL}/0"]
    file.create_dataset(f"{CELL}/0", (4096, 4096), np.float32, chunks=(64, 64), fillvalue=1.0)


def _virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4, 16), np.float32)
    layout[:] = h5py.VirtualSource("/etc/passwd", "x", (4, 16))
    del file[f"{CELL}/1"]
    file.create_virtual_dataset(f"{CELL}/1", layout)


def _external(file: Any) -> None:
    del file[f"{CELL}/1"]
    file.create_dataset(f"{CELL}/1", (4, 16), np.float32, external=[("/etc/passwd", 0, 256)])


def _group(file: Any) -> None:
    del file[f"{CELL}/2"]
    file.create_group(f"{CELL}/2")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (_replace(h5py.ExternalLink("/etc/passwd", "/x")), [f"{CELL}/1", "link"]),
        (_replace(h5py.SoftLink("/layers")), [f"{CELL}/1", "link"]),
        (_virtual, [f"{CELL}/1", "an array inside the file"]),
        (_external, [f"{CELL}/1", "an array inside the file"]),
        (_bomb, [f"{CELL}/0", "(4096, 4096) of float32", "0 bytes stored"]),
        (_replace(np.ones((4, 16), np.int64)), [f"{CELL}/1", "floating-point", "got int64"]),
        (_replace(np.ones((4, 16, 2), np.float32)), [f"{CELL}/1", "vector or matrix", "(4, 16, 2)"]),
        (_replace("text"), [f"{CELL}/1", "floating-point", "got object"]),
        (_group, [f"{CELL}/2", "an array inside the file"]),
        (lambda file: file.move(f"{CELL}/1", f"{CELL}/7"), [CELL, "0, 1, 2, …", "['0', '2', '7']"]),
        (lambda file: file.move("layers/lstm", "layers/gru"), ["arrays", CELL, "found 0"]),
    ],
)
def test_invalid_arrays(make: Callable[..., Path], change: Callable[[Any], None], problem: list[str]) -> None:
    with refused(ModelFileError, place="model.keras", problem=problem):
        from_keras(make(h5=weights(change)))


@pytest.mark.parametrize("shape", [(4, 15), (3, 16)])
def test_arrays_of_other_shapes(make: Callable[..., Path], shape: tuple[int, int]) -> None:
    with refused(SettingError, place="layer 'lstm' (LSTM)", problem=["gates*hidden", f"got [(3, 16), {shape}, (16,)]"]):
        from_keras(make(h5=weights(_replace(np.ones(shape, np.float32)))))


def test_arrays_of_another_layer(make: Callable[..., Path]) -> None:
    model = config()
    model["config"]["layers"][0]["class_name"] = "GRU"
    data = weights(lambda file: file.move("layers/lstm", "layers/gru"))
    with refused(SettingError, place="layer 'lstm' (GRU)", problem=["LSTM", "GRU", "(3, 16)"]):
        from_keras(make(model, data))


def test_bfloat16_as_keras_stores_it(make: Callable[..., Path]) -> None:
    numbers = torch.arange(16.0).to(torch.bfloat16)

    def change(file: Any) -> None:
        del file[f"{CELL}/2"]
        file.create_dataset(f"{CELL}/2", data=numbers.view(torch.int16).numpy().view("V2"))
        file[f"{CELL}/2"].attrs["dtype"] = "bfloat16"

    assert torch.equal(from_keras(make(h5=weights(change))).state["bias_ih_l0"], numbers)


def test_a_file_of_keras_2(make: Callable[..., Path], tmp_path: Path) -> None:
    with refused(ModelFileError, place="model.keras", problem="Keras 2", remedy="Keras 3"):
        from_keras(make(**{"metadata.json": b'{"keras_version": "2.15.0"}'}))
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.create_group("model_weights")
    with refused(ModelFileError, place="old.h5", problem="Keras 2", remedy=["Keras 3", ".save("]):
        from_keras(tmp_path / "old.h5")


def test_given_arrays() -> None:
    with refused(SettingError, place="the arrays", problem=["floating-point", "got torch.int64"]):
        from_keras_arrays([np.ones((3, 16), int), np.ones((4, 16), int)])
    with refused(SettingError, place="the arrays", problem=["arrays of numbers", "numpy.str_"]):
        from_keras_arrays([np.full((3, 16), "a"), np.ones((4, 16))])
    with refused(SettingError, place="the arrays", problem=["bias", "(16,), got (2, 16)"]):
        from_keras_arrays([np.ones((3, 16)), np.ones((4, 16)), np.ones((2, 16))])
    with refused(SettingError, place="the arrays", problem="reset_after", remedy='options={"reset_after": '):
        from_keras_arrays([np.ones((3, 12)), np.ones((4, 12))])
    with refused(SettingError, problem=[Arg("source"), ".keras or .weights.h5", "a Keras layer", "got dict"]):
        from_keras({})


def test_layers_of_one_name_go_by_their_paths(tmp_path: Path) -> None:
    path = tmp_path / "two.weights.h5"
    with h5py.File(path, "w") as file:
        for model in ("a", "b"):
            for i, shape in enumerate(((3, 16), (4, 16), (16,))):
                file[f"{model}/layers/lstm/cell/vars/{i}"] = np.ones(shape, np.float32)
    assert list(read_keras(path)) == ["a/layers/lstm", "b/layers/lstm"]
    with refused(
        SettingError, place=path.name, problem="several", remedy=["by name", "['a/layers/lstm', 'b/layers/lstm']"]
    ):
        from_keras(path)


# ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_written_files_are_read_back(tmp_path: Path) -> None:
    module = torch.nn.LSTM(3, 4, 2, bidirectional=True)
    path = write_keras(from_torch(module), tmp_path / "a.weights.h5")
    layers = read_keras(path)
    assert sorted(layers) == ["bidirectional", "bidirectional_1"]
    first = layers["bidirectional"].state
    assert torch.equal(first["weight_hh_l0_reverse"], module.weight_hh_l0_reverse)
    torch.testing.assert_close(first["bias_ih_l0"], (module.bias_ih_l0 + module.bias_hh_l0).detach())
    with refused(SettingError, problem=[Arg("path"), ".weights.h5", "got a.h5"]):
        write_keras(from_torch(module), tmp_path / "a.h5")


def test_without_h5py(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    with refused(MissingExtraError, problem="h5py", remedy='pip install "gatecast[keras]"'):
        from_keras(SOURCE)
