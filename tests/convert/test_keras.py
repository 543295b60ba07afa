"""Layers of real Keras, by its files, its arrays and its live objects: our equations give what Keras gave."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from convert.player import TOLERANCE, Played, play
from fixtures.refused import refused
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.convert import LayerWeights, from_keras, from_keras_arrays, from_torch, read_keras, to_keras_arrays
from gatecast.ops import ACTIVATIONS

pytest.importorskip("h5py", reason="h5py is not installed: pip install gatecast[keras]")
pytestmark = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="keras is not installed")

SCRIPT = Path(__file__).with_name("keras_cases.py")
CASES = [
    "lstm",
    "lstm_sequences",
    "lstm_masked",
    "lstm_masked_last",
    "lstm_zeros",
    "lstm_backwards",
    "lstm_backwards_masked",
    "lstm_no_bias",
    "lstm_dropout",
    "lstm_stateful",
    "gru",
    "gru_before",
    "gru_masked",
    "gru_no_bias",
    "rnn",
    "rnn_relu",
    "cell",
    "cells",
    "cells_backwards",
    "both_concat",
    "both_sum",
    "both_mul",
    "both_ave",
    "both_last",
    "both_gru",
    "both_rnn",
]
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Keras wrote, in a separate process: its import warns and sets global state."""
    path = tmp_path_factory.mktemp("keras")
    command = [sys.executable, "-W", "ignore", str(SCRIPT), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="session")
def found(folder: Path) -> Arrays:
    """All arrays of Keras, by case."""
    with np.load(folder / "cases.npz", allow_pickle=False) as file:
        return dict(file)


@pytest.fixture
def case(found: Arrays) -> Callable[[str], Arrays]:
    """The arrays of one case."""
    return lambda name: {key.partition("/")[2]: value for key, value in found.items() if key.startswith(f"{name}/")}


def played(layer: LayerWeights, arrays: Arrays) -> Played:
    """The case's input through the layer."""
    steps = torch.from_numpy(arrays["steps"]).T if "steps" in arrays else None
    return play(layer, torch.from_numpy(arrays["x"]).transpose(0, 1), steps)


def in_keras_form(y: Tensor, layer: LayerWeights) -> Tensor:
    """Batch first, where there is a time axis."""
    return y.transpose(0, 1) if layer.option("return_sequences") else y


@pytest.mark.parametrize("name", [*CASES, *(f"{what}_{name}" for name in ACTIVATIONS for what in ("act", "gate"))])
def test_a_file_of_keras_gives_its_outputs(name: str, folder: Path, case: Callable[[str], Arrays]) -> None:
    layer, arrays = from_keras(folder / f"{name}.keras"), case(name)
    output = played(layer, arrays).output(layer)
    torch.testing.assert_close(in_keras_form(output, layer), torch.from_numpy(arrays["y"]), **TOLERANCE)


@pytest.mark.parametrize("name", CASES)
def test_the_live_layer_is_the_layer_of_the_file(name: str, folder: Path, case: Callable[[str], Arrays]) -> None:
    live = {key.removeprefix("live/"): array for key, array in case(name).items() if key.startswith("live/")}
    state = from_keras(folder / f"{name}.keras").state
    assert state.keys() == live.keys()
    for key, array in live.items():
        np.testing.assert_array_equal(state[key].numpy(), array)


@pytest.mark.parametrize("name", ["lstm", "gru", "gru_before", "rnn", "both_concat", "both_gru"])
def test_arrays_and_weights_file_give_the_same_state(name: str, folder: Path, case: Callable[[str], Arrays]) -> None:
    arrays, expected = case(name), from_keras(folder / f"{name}.keras").state
    given = [arrays[str(i)] for i in range(sum(key.isdigit() for key in arrays))]
    for layer in (
        from_keras_arrays(given, bidirectional=name.startswith("both")),
        from_keras(folder / f"{name}.weights.h5"),
    ):
        assert layer.option("batch_first")
        assert layer.state.keys() == expected.keys()
        assert all(torch.equal(layer.state[key], tensor) for key, tensor in expected.items())


@pytest.mark.parametrize("name", CASES)
def test_arrays_go_back_as_they_came(name: str, folder: Path, case: Callable[[str], Arrays]) -> None:
    arrays = case(name)
    given = [arrays[str(i)] for i in range(sum(key.isdigit() for key in arrays))]
    back = [array for part in to_keras_arrays(from_keras(folder / f"{name}.keras")) for array in part]
    assert len(back) == len(given)
    for ours, theirs in zip(back, given, strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_options_become_arguments(folder: Path) -> None:
    assert from_keras(folder / "lstm_dropout.keras").arguments == {
        "input_size": 4,
        "hidden_size": 5,
        "batch_first": True,
        "zero_output_for_mask": False,
        "return_state": False,
        "input_dropout": 0.1,
        "recurrent_dropout": 0.2,
    }
    assert from_keras(folder / "rnn_relu.keras").arguments["nonlinearity"] == "relu"
    assert from_keras(folder / "gru_before.keras").arguments["reset_after"] is False
    assert from_keras(folder / "both_ave.keras").arguments["merge_mode"] == "ave"
    assert from_keras(folder / "lstm_stateful.keras").arguments["stateful"] is True
    assert from_keras(folder / "cells_backwards.keras").arguments["num_layers"] == 2


def test_layers_of_a_model_of_models(folder: Path, case: Callable[[str], Arrays]) -> None:
    path, arrays = folder / "models.keras", case("models")
    layers = read_keras(path)
    assert list(layers) == ["encoder", "inner/low", "inner/high"]
    encoded = played(layers["encoder"], arrays)
    torch.testing.assert_close(encoded.y.transpose(0, 1), torch.from_numpy(arrays["encoder"]), **TOLERANCE)
    high = play(layers["inner/high"], play(layers["inner/low"], encoded.y).y)
    torch.testing.assert_close(high.h[-1], torch.from_numpy(arrays["high"]), **TOLERANCE)
    for chosen in ("inner/high", 2, -1):
        assert torch.equal(from_keras(path, chosen).state["weight_ih_l0"], layers["inner/high"].state["weight_ih_l0"])
    names = "['encoder', 'inner/low', 'inner/high']"
    with refused(SettingError, place=path.name, problem="several", remedy=names):
        from_keras(path)
    for wrong in ("middle", 3, -4):
        with refused(SettingError, place=path.name, problem=f"no single layer {wrong!r}", remedy=names):
            from_keras(path, wrong)


def test_layers_of_a_weights_file_go_by_their_names(folder: Path) -> None:
    by_config, by_weights = read_keras(folder / "models.keras"), read_keras(folder / "models.weights.h5")
    assert sorted(by_weights) == ["encoder", "high", "low"]
    for name, layer in by_config.items():
        other = by_weights[name.rpartition("/")[2]]
        assert all(torch.equal(other.state[key], tensor) for key, tensor in layer.state.items())
    with refused(
        SettingError,
        place="models.weights.h5",
        problem="no single layer 0",
        remedy=["['encoder', 'low', 'high']", "order"],
    ):
        from_keras(folder / "models.weights.h5", 0)
    with refused(SettingError, place="layer 'rnn_1'", problem="stacked cells", remedy=".keras"):
        from_keras(folder / "cells.weights.h5")


@pytest.mark.parametrize("name", ["LSTM", "LSTM_both", "GRU", "GRU_both", "RNN", "RNN_both"])
def test_keras_loads_what_we_write(name: str, found: Arrays) -> None:
    np.testing.assert_allclose(found[f"exported/{name}"], found[f"expected/{name}"], rtol=1e-5, atol=1e-5)


def test_what_keras_lacks_is_not_exported() -> None:
    with refused(SettingError, place="the LSTM layer", problem=["Keras", "proj_size=2"], remedy="proj_size=0"):
        to_keras_arrays(from_torch(torch.nn.LSTM(3, 4, proj_size=2)))
