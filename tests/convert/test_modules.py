"""Layers of gatecast.nn as plain data: they come back as they were, and go to PyTorch, Keras and ONNX."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from convert.player import LAYERS, TOLERANCE
from convert.runtime import BATCH, HIDDEN, INPUT, LENGTHS, TIME, ran
from fixtures.refused import refused
from torch.nn.utils import parametrizations

from gatecast import nn
from gatecast.base.errors import SettingError
from gatecast.convert import (
    LayerWeights,
    from_keras_arrays,
    from_layer,
    from_onnx,
    from_torch,
    read_keras,
    stack,
    to_keras_arrays,
    to_onnx,
    to_torch,
    write_keras,
)
from gatecast.convert.keras.options import arguments_of

OPTIONS: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
    ("LSTM", {"num_layers": 2, "bidirectional": True, "merge_mode": "ave", "proj_size": 3}),
    ("LSTM", {"num_layers": 2, "skip": True, "residual": True, "return_cells": True}),
    ("LSTM", {"peephole": True, "coupled": True, "layer_norm": True, "cell_clip": 0.5}),
    ("LSTM", {"learn_initial_state": True, "go_backwards": True, "bias": False}),
    ("LSTM", {"activation": "softsign", "single_bias": True, "return_sequences": False, "return_state": False}),
    ("LSTM", {"kernel_initializer": "orthogonal", "recurrent_regularizer": nn.L2(0.1), "zoneout": (0.1, 0.2)}),
    ("LSTM", {"dtype": torch.float64, "unit_forget_bias": True, "recurrent_dropout": 0.2, "weight_drop": 0.1}),
    ("GRU", {"num_layers": 2, "dropout": 0.1}),
    ("GRU", {"reset_after": False, "single_bias": True, "bidirectional": True, "merge_mode": None}),
    ("RNN", {"nonlinearity": "relu", "input_dropout": 0.1}),
]


def made(kind: str, **options: Any) -> torch.nn.Module:
    """A layer with the same weights each time, none of them 0."""
    torch.manual_seed(3)
    layer = LAYERS[kind](INPUT, HIDDEN, **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.uniform_(-0.6, 0.6)
    return layer.eval()


@pytest.mark.parametrize(("kind", "options"), OPTIONS)
def test_a_layer_comes_back_as_it_was(kind: str, options: dict[str, Any]) -> None:
    layer = made(kind, **options)
    data = from_layer(layer)
    given = {name: value for name, value in options.items() if name != "dtype"}
    assert data.arguments == {"input_size": INPUT, "hidden_size": HIDDEN, **given}
    again = data.make(LAYERS[kind]).eval()
    assert repr(again) == repr(layer)
    x = torch.randn(BATCH, TIME, INPUT, dtype=options.get("dtype"))
    torch.testing.assert_close(again(x), layer(x), rtol=0, atol=0)


def test_the_plain_data_is_a_copy() -> None:
    layer = made("LSTM")
    data = from_layer(layer)
    before = data.state["weight_hh_l0"].clone()
    with torch.no_grad():
        layer.weight_hh_l0.zero_()  # type: ignore[operator, union-attr]
    assert torch.equal(data.state["weight_hh_l0"], before)
    assert not data.state["weight_hh_l0"].requires_grad


def test_a_static_context_is_converted() -> None:
    layer = made("GRU", static_size=2)
    x, static = torch.randn(TIME, BATCH, INPUT), torch.randn(BATCH, 2)
    again = from_layer(layer).make(nn.GRU)
    assert torch.equal(again(x, static=static)[0], layer(x, static=static)[0])


def test_a_parametrized_weight_is_what_the_layer_computes_with() -> None:
    layer = parametrizations.weight_norm(made("LSTM"), "weight_hh_l0")
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.mul_(2)  # type: ignore[union-attr, index]
    x = torch.randn(TIME, BATCH, INPUT)
    again = from_layer(layer).make(nn.LSTM)
    assert set(again.state_dict()) == {"weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"}
    torch.testing.assert_close(again(x)[0], layer(x)[0])


def test_the_random_state_is_left_as_it_was() -> None:
    layer = made("LSTM", bidirectional=True)
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    to_torch(from_layer(layer))
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize(
    ("module", "came"),
    [(torch.nn.LSTM(2, 3), "torch.nn.modules.rnn.LSTM"), (nn.LSTMCell(2, 3), "LSTMCell"), (None, "NoneType")],
)
def test_other_modules(module: Any, came: str) -> None:
    with refused(SettingError, problem=["gatecast.nn.LSTM, GRU or RNN", came], remedy="from_torch"):
        from_layer(module)


def test_a_cell_is_refused_by_from_torch() -> None:
    with refused(SettingError, problem=["torch.nn.LSTM, GRU or RNN", "got LSTMCell"], remedy="from_layer"):
        from_torch(nn.LSTMCell(2, 3))


# ── PyTorch ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", list(LAYERS))
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}, {"bias": False}]
)
def test_to_pytorch_and_from_it(kind: str, options: dict[str, Any]) -> None:
    layer, x = made(kind, **options), torch.randn(BATCH, TIME, INPUT)
    theirs = to_torch(from_layer(layer))
    torch.testing.assert_close(theirs(x), layer(x), **TOLERANCE)
    torch.testing.assert_close(from_torch(theirs).make(LAYERS[kind])(x), theirs(x), **TOLERANCE)


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
def test_a_projection_is_converted_to_pytorch() -> None:
    layer, x = made("LSTM", proj_size=3), torch.randn(TIME, BATCH, INPUT)
    torch.testing.assert_close(to_torch(from_layer(layer))(x), layer(x), **TOLERANCE)


# ── what a target lacks ──────────────────────────────────────────────────────────────────────────────────────────────
LACKING: list[dict[str, Any]] = [
    {"layer_norm": True},
    {"cell_clip": 1.0},
    {"zoneout": 0.1},
    {"residual": True},
    {"skip": True, "num_layers": 2},
    {"learn_initial_state": True},
    {"static_size": 2},
]


TARGETS = {to_torch: "torch.nn.LSTM", to_keras_arrays: "Keras", to_onnx: "ONNX"}


@pytest.mark.parametrize("options", LACKING, ids=lambda options: next(iter(options)))
@pytest.mark.parametrize("way", TARGETS)
def test_an_option_that_the_target_lacks_is_named(way: Any, options: dict[str, Any]) -> None:
    if way is to_onnx:
        pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
    name, value = next(iter(options.items()))
    with refused(
        SettingError,
        place="the LSTM layer",
        problem=[TARGETS[way], f"{name}={value}"],
        remedy=f"{name}=",
    ):
        way(from_layer(made("LSTM", **options)))


REFUSED: list[tuple[str, dict[str, Any]]] = [
    ("LSTM", {"peephole": True}),
    ("LSTM", {"peephole": True, "coupled": True}),
    ("LSTM", {"coupled": True}),
    ("LSTM", {"layer_norm": True}),
    ("LSTM", {"layer_norm": True, "peephole": True, "learn_initial_state": True, "static_size": 2}),
    ("LSTM", {"learn_initial_state": True}),
    ("LSTM", {"static_size": 2}),
    ("LSTM", {"proj_size": 2}),
    ("LSTM", {"cell_clip": 1.0}),
    ("LSTM", {"zoneout": (0.1, 0.2)}),
    ("LSTM", {"residual": True}),
    ("LSTM", {"skip": True}),
    ("LSTM", {"activation": "relu", "recurrent_activation": "hard_sigmoid"}),
    ("LSTM", {"go_backwards": True}),
    ("LSTM", {"return_sequences": False}),
    ("LSTM", {"merge_mode": None, "bidirectional": True}),
    ("LSTM", {"merge_mode": "sum", "bidirectional": True}),
    ("LSTM", {"input_dropout": 0.1, "weight_drop": 0.1, "gradient_clip": 1.0, "variational": True, "recompute": True}),
    ("LSTM", {"kernel_regularizer": nn.L2(0.1), "bias_constraint": "max_norm"}),
    ("GRU", {"reset_after": False}),
    ("GRU", {"reset_after": False, "single_bias": True}),
    ("RNN", {"nonlinearity": "softsign", "learn_initial_state": True}),
]


@pytest.mark.parametrize(("kind", "options"), REFUSED, ids=lambda part: part if type(part) is str else ",".join(part))
@pytest.mark.parametrize("target", ["torch", "keras", "onnx"])
def test_the_remedy_of_a_message_works(kind: str, options: dict[str, Any], target: str, tmp_path: Path) -> None:
    layer = from_layer(made(kind, num_layers=2, **options))
    for _ in range(len(options) + 1):
        try:
            return arrive(layer, target, tmp_path)
        except SettingError as error:
            layer = followed(str(error), layer)
    raise AssertionError(f"the messages lead nowhere: {layer}")


def followed(message: str, layer: LayerWeights) -> LayerWeights:
    """What a message says to do, done."""
    way = re.search(r"(layer\.with_options\(.*\))|created and trained with (.*)$", message)
    assert way, message
    if way[1]:
        return eval(way[1], {"layer": layer})
    options = eval(f"dict({way[2]})")
    assert options.keys() <= {"coupled", "skip", "proj_size", "merge_mode", "reset_after"}, message
    sizes = ("input_size", "hidden_size")
    given = {name: value for name, value in layer.arguments.items() if name not in sizes} | options
    if given.pop("reset_after", False):  # which needs both biases, as the layer says
        given.pop("single_bias", None)
    return from_layer(made(layer.kind, **given))


def arrive(layer: LayerWeights, target: str, folder: Path) -> None:
    """Written for the target, and read there."""
    if target == "torch":
        to_torch(layer)(torch.randn(TIME, BATCH, INPUT))
    elif target == "keras":
        pytest.importorskip("h5py", reason="h5py is not installed: pip install gatecast[keras]")
        write_keras(layer, folder / "layer.weights.h5")
        assert len(read_keras(folder / "layer.weights.h5", options=keras_options(layer))) == 2
    else:
        pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
        ran(to_onnx(layer), x=torch.randn(TIME, BATCH, INPUT))


def keras_options(layer: LayerWeights) -> dict[str, Any]:
    return {"reset_after": layer.option("reset_after")} if layer.kind == "GRU" else {}


# ── Keras ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {"num_layers": 2, "bidirectional": True}),
        ("LSTM", {"single_bias": True, "activation": "relu", "input_dropout": 0.1}),
        ("GRU", {}),
        ("GRU", {"reset_after": False}),
        ("RNN", {"nonlinearity": "relu"}),
    ],
)
def test_through_the_arrays_of_keras(kind: str, options: dict[str, Any]) -> None:
    layer, x = made(kind, **options), torch.randn(TIME, BATCH, INPUT)
    both = bool(options.get("bidirectional"))
    own = {name: value for name, value in options.items() if name not in ("bidirectional", "num_layers", "single_bias")}
    lists = to_keras_arrays(from_layer(layer))
    parts = [from_keras_arrays(a, options={"batch_first": False, **own}, bidirectional=both) for a in lists]
    torch.testing.assert_close(stack(parts).make(LAYERS[kind]).eval()(x), layer(x), **TOLERANCE)


def test_options_of_ours_take_the_place_of_keras_options() -> None:
    own = {"cell_clip": 3.0, "zoneout": (0.1, 0.0), "merge_mode": None}
    found = arguments_of("LSTM", {"units": 4, "dropout": 0.2}, "the layer", options=own)
    assert {"hidden_size": 4, "input_dropout": 0.2, **own}.items() <= found.items()


# ── ONNX ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("LSTM", {}),
        ("LSTM", {"num_layers": 2, "bidirectional": True, "batch_first": True}),
        ("LSTM", {"num_layers": 2, "bidirectional": True, "merge_mode": "sum", "single_bias": True}),
        ("LSTM", {"peephole": True, "coupled": True, "recurrent_dropout": 0.2}),
        ("GRU", {"reset_after": False, "activation": "softsign"}),
        ("GRU", {"bidirectional": True}),
        ("RNN", {"nonlinearity": "relu"}),
    ],
)
def test_onnxruntime_gives_what_the_layer_gives(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
    pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    layer = made(kind, **options)
    first = bool(options.get("batch_first"))
    x = torch.randn(BATCH, TIME, INPUT) if first else torch.randn(TIME, BATCH, INPUT)
    rows = options.get("num_layers", 1) * (2 if options.get("bidirectional") else 1)
    state = tuple(torch.randn(rows, BATCH, HIDDEN) for _ in range(2 if kind == "LSTM" else 1))
    model = to_onnx(from_layer(layer), tmp_path / "layer.onnx", state=True, lengths=True)
    given = {"lengths": torch.tensor(LENGTHS, dtype=torch.int32), **dict(zip(("h0", "c0"), state, strict=False))}
    y, *ends = ran(model, x=x, **given)
    ours, end = layer(x, state if kind == "LSTM" else state[0], lengths=LENGTHS)
    torch.testing.assert_close(y, ours.detach(), **TOLERANCE)
    for one, two in zip(ends, end if kind == "LSTM" else (end,), strict=True):
        torch.testing.assert_close(one, two.detach(), **TOLERANCE)
    back = from_onnx(tmp_path / "layer.onnx", 0).make(LAYERS[kind])
    again = to_onnx(from_layer(back))
    assert [node.op_type for node in again.graph.node].count(kind) == 1
