"""Layers as ONNX models: onnxruntime gives what our equations give, and they come back as they were."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch
from convert.player import TOLERANCE, play
from convert.runtime import BATCH, HIDDEN, INPUT, LENGTHS, TIME, ran
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError, SettingError
from gatecast.convert import LayerWeights, OnnxActivation, from_onnx, from_torch, onnx_arrays, read_onnx, to_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("onnxscript", reason="onnxscript is not installed")
pytestmark = pytest.mark.slow  # an export takes seconds

CLIPPED = {
    "activation": OnnxActivation("ScaledTanh", (0.75, 1.25), 0.5),
    "recurrent_activation": OnnxActivation("Sigmoid", (), 0.5),
}


def made(kind: str, **options: Any) -> LayerWeights:
    """A layer of two with random weights and options."""
    torch.manual_seed(2)
    both = {"bidirectional": True} if options.pop("bidirectional", False) else {}
    width = HIDDEN if options.get("merge_mode", "concat") != "concat" else HIDDEN * (1 + bool(both))
    shapes = from_torch(getattr(torch.nn, kind)(INPUT, HIDDEN, 2, **both)).state
    state = {n: torch.randn(s.shape[0], width) if n.startswith("weight_ih_l1") else s for n, s in shapes.items()}
    if options.get("coupled"):
        state = {name: tensor[HIDDEN:] for name, tensor in state.items()}
    if options.get("peephole"):
        rows = 2 if options.get("coupled") else 3
        state |= {
            f"peephole_l{k}{d}": torch.randn(rows, HIDDEN) for k in (0, 1) for d in ("", "_reverse")[: 1 + len(both)]
        }
    arguments = {"input_size": INPUT, "hidden_size": HIDDEN, "num_layers": 2, **both, **options}
    return LayerWeights(kind, arguments, state)  # type: ignore[arg-type]


OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {}),
    ("LSTM", {"batch_first": True, "bidirectional": True}),
    ("LSTM", {"bidirectional": True, "merge_mode": "sum"}),
    ("LSTM", {"bidirectional": True, "merge_mode": "ave"}),
    ("LSTM", {"bidirectional": True, "merge_mode": "mul", "dropout": 0.2}),
    ("LSTM", {"peephole": True, "activation": "softsign", "recurrent_activation": "hard_sigmoid"}),
    ("LSTM", {"coupled": True, "peephole": True, "bidirectional": True}),
    ("GRU", {}),
    ("GRU", {"reset_after": False, "bidirectional": True, "batch_first": True}),
    ("GRU", CLIPPED),
    ("RNN", {"nonlinearity": "relu"}),
    ("RNN", {"nonlinearity": "elu", "bidirectional": True}),
]


@cache
def exported(k: int, folder: Path, *, more: bool = True) -> tuple[LayerWeights, Any, Path]:
    """Layer ``k`` of OPTIONS, its model (with state and lengths as inputs) and its file; an export takes seconds."""
    kind, options = OPTIONS[k]
    layer, path = made(kind, **options), folder / f"layer-{k}-{more}.onnx"
    return layer, to_onnx(layer, path, state=more, lengths=more), path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("onnx")


ALL = [pytest.param(k, id=",".join([kind, *options])) for k, (kind, options) in enumerate(OPTIONS)]


@pytest.mark.parametrize(
    ("k", "more"), [*((k, True) for k in range(len(OPTIONS))), (1, False), (7, False), (11, False)]
)
def test_an_exported_layer_runs_in_onnxruntime(k: int, more: bool, folder: Path) -> None:
    layer, model, path = exported(k, folder, more=more)
    onnx.checker.check_model(model, full_check=True)
    x = torch.randn(TIME, BATCH, INPUT)
    rows = 2 * layer.directions
    count = 2 if layer.kind == "LSTM" else 1
    state = tuple(torch.randn(rows, BATCH, HIDDEN) for _ in range(count)) if more else None
    steps = torch.arange(TIME)[:, None] < torch.tensor(LENGTHS) if more else None
    inputs = {"x": x.transpose(0, 1).contiguous() if layer.option("batch_first") else x}
    if state is not None:
        inputs |= {"lengths": torch.tensor(LENGTHS, dtype=torch.int32), **dict(zip(("h0", "c0"), state, strict=False))}
    assert [value.name for value in model.graph.input] == [n for n in ("x", "h0", "c0", "lengths") if n in inputs]
    assert path.read_bytes() == model.SerializeToString()
    y, *ends = ran(model, **inputs)
    played = play(layer, x, steps, state)
    torch.testing.assert_close(y.transpose(0, 1) if layer.option("batch_first") else y, played.y, **TOLERANCE)
    assert len(ends) == count
    for one, two in zip(ends, [played.h, played.c], strict=False):
        torch.testing.assert_close(one, two, **TOLERANCE)


@pytest.mark.parametrize("k", [1, 7, 11])
def test_a_sequence_without_steps_keeps_its_state(k: int, folder: Path) -> None:
    layer, model, _ = exported(k, folder)
    x, lengths = torch.randn(TIME, BATCH, INPUT), [0, *LENGTHS[1:]]
    state = tuple(torch.randn(2 * layer.directions, BATCH, HIDDEN) for _ in range(2 if layer.kind == "LSTM" else 1))
    given = {"x": x.transpose(0, 1).contiguous() if layer.option("batch_first") else x}
    given |= {"lengths": torch.tensor(lengths, dtype=torch.int32), **dict(zip(("h0", "c0"), state, strict=False))}
    _, *ends = ran(model, **given)
    played = play(layer, x, torch.arange(TIME)[:, None] < torch.tensor(lengths), state)
    for one, two, start in zip(ends, [played.h, played.c], state, strict=False):
        torch.testing.assert_close(one, two, **TOLERANCE)
        torch.testing.assert_close(one[:, 0], start[:, 0])


@pytest.mark.parametrize("k", ALL)
def test_an_exported_layer_comes_back(k: int, folder: Path) -> None:
    layer, _, path = exported(k, folder)
    back = read_onnx(path)
    assert list(back) == ["l0", "l1"]
    for number, part in enumerate(back.values()):
        for name, tensor in part.state.items():
            assert torch.equal(tensor, layer.state[name.replace("_l0", f"_l{number}")])
        for name in (
            "activation",
            "recurrent_activation",
            "nonlinearity",
            "peephole",
            "coupled",
            "reset_after",
            "bidirectional",
        ):
            assert part.option(name) == layer.option(name)
    arrays = onnx_arrays(layer, 1)
    assert arrays["W"].shape[0] == layer.directions


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_dtype_stays(dtype: torch.dtype, tmp_path: Path) -> None:
    layer = from_torch(torch.nn.LSTM(INPUT, HIDDEN, dtype=dtype))
    to_onnx(layer, tmp_path / "layer.onnx")  # onnxruntime 1.32 has float32 kernels only
    back = from_onnx(tmp_path / "layer.onnx").state
    assert all(torch.equal(back[name], tensor) for name, tensor in layer.state.items())
    with refused(
        SettingError,
        place="the LSTM layer",
        problem=["float32, float64 or float16", "got torch.bfloat16"],
    ):
        to_onnx(from_torch(torch.nn.LSTM(INPUT, HIDDEN, dtype=torch.bfloat16)))


@pytest.mark.parametrize(
    ("options", "problem", "remedy"),
    [
        ({"cell_clip": 3.0}, "cell_clip=3.0", "with_options(cell_clip=None)"),
        ({"go_backwards": True}, "go_backwards=True", "with_options(go_backwards=False)"),
        ({"zoneout": 0.1}, "zoneout=0.1", "with_options(zoneout=0.0)"),
        ({"return_sequences": False}, "return_sequences=False", "with_options(return_sequences=True)"),
        ({"activation": "gelu"}, "'gelu'", ["tanh, sigmoid", "OnnxActivation"]),
        ({"activation": OnnxActivation("Tanh", (), 0.5)}, ["all activations or of none", "{0.5, None}"], ()),
    ],
)
def test_options_that_onnx_lacks(options: dict[str, Any], problem: Any, remedy: Any) -> None:
    with refused(SettingError, place="the LSTM layer", problem=problem, remedy=remedy):
        to_onnx(made("LSTM").with_options(**options))


def test_separate_directions_are_not_exported() -> None:
    layer = from_torch(torch.nn.LSTM(INPUT, HIDDEN, bidirectional=True)).with_options(merge_mode=None)
    with refused(
        SettingError, place="the LSTM layer", problem="directions", remedy="with_options(merge_mode='concat')"
    ):
        to_onnx(layer)


def test_a_clip_of_all_functions_is_not_exported() -> None:
    clipped = {
        "recurrent_activation": OnnxActivation("Sigmoid", (), 0.5),
        "activation": OnnxActivation("Tanh", (), 0.5),
    }
    with refused(SettingError, place="the LSTM layer", problem=["runtimes", "clip=0.5"], remedy="without it"):
        to_onnx(made("LSTM").with_options(**clipped))


def test_repeated_outputs_after_the_end() -> None:
    layer = made("GRU", zero_output_for_mask=False)
    to_onnx(layer)
    with refused(
        SettingError,
        place="the GRU layer",
        problem="0 after the end",
        remedy="with_options(zero_output_for_mask=True)",
    ):
        to_onnx(layer, lengths=True)


def test_coupled_gates_of_other_functions() -> None:
    with refused(SettingError, place="the LSTM layer", problem=["sigmoid or hard_sigmoid", "got 'relu'"]):
        to_onnx(made("LSTM", coupled=True, recurrent_activation="relu"))


def test_without_onnx(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with refused(MissingExtraError, problem=["onnxscript", "writing"], remedy='pip install "gatecast[onnx]"'):
        to_onnx(made("LSTM"))
