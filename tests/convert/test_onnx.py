"""ONNX's recurrent operators, read: our equations give what onnxruntime gives."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from convert.player import TOLERANCE, play
from convert.runtime import BATCH, HIDDEN, INPUT, LENGTHS, TIME, ran
from fixtures.refused import refused

from gatecast.base.errors import MissingExtraError, ModelFileError, SettingError
from gatecast.base.findings import Arg
from gatecast.convert import LayerWeights, OnnxActivation, from_onnx, from_onnx_arrays, read_onnx

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
from onnx import helper, numpy_helper  # noqa: E402

GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def arrays_of(kind: str, directions: int = 1, *, peephole: bool = False, bias: bool = True) -> dict[str, np.ndarray]:
    """Random W, R, B and P."""
    rng, rows = np.random.default_rng(0), GATES[kind] * HIDDEN
    shapes = {"W": (rows, INPUT), "R": (rows, HIDDEN), "B": (2 * rows,), "P": (3 * HIDDEN,)}
    names = "WR" + "B" * bias + "P" * peephole
    return {name: rng.normal(0, 0.5, (directions, *shapes[name])).astype(np.float32) for name in names}


def model_of(kind: str, arrays: dict[str, np.ndarray], *, lengths: bool = False, **attributes: Any) -> Any:
    """A model of one node."""
    slots = ["x", "W", "R", "B", "lengths" if lengths else "", "", ""] + ["P"] * ("P" in arrays)
    inputs = [slot if slot in ("x", "lengths", *arrays) else "" for slot in slots]
    while not inputs[-1]:
        inputs.pop()
    outputs = ["y", "h", "c"][: 3 if kind == "LSTM" else 2]
    node = helper.make_node(kind, inputs, outputs, name="node", hidden_size=HIDDEN, **attributes)
    constants = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    if lengths:
        constants.append(numpy_helper.from_array(np.array(LENGTHS, np.int32), "lengths"))
    x = helper.make_tensor_value_info("x", 1, [None, None, INPUT])
    graph = helper.make_graph([node], "g", [x], [helper.make_tensor_value_info(o, 1, None) for o in outputs], constants)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def check(model: Any, layer: LayerWeights, *, lengths: bool = False) -> None:
    """Outputs of every step and last states agree; ONNX's y is ``(time, directions, batch, hidden)``."""
    x = torch.randn(TIME, BATCH, INPUT, generator=torch.Generator().manual_seed(1)) * 1.5
    y, *states = ran(model, x=x)
    steps = torch.arange(TIME)[:, None] < torch.tensor(LENGTHS) if lengths else None
    played = play(layer, x, steps)
    own = played.y.flip(0) if layer.option("go_backwards") else played.y
    torch.testing.assert_close(own, y.transpose(1, 2).flatten(2), **TOLERANCE)
    torch.testing.assert_close(played.h, states[0], **TOLERANCE)
    if played.c is not None:
        torch.testing.assert_close(played.c, states[1], **TOLERANCE)


TWO_NUMBERS_EACH = {
    "activations": ["HardSigmoid", "ScaledTanh"],
    "activation_alpha": [0.3, 0.8],
    "activation_beta": [0.4, 1.1],
}


# ── in ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize(
    ("directions", "lengths", "bias"), [(1, False, True), (2, False, True), (2, True, True), (1, True, False)]
)
def test_an_operator_gives_what_onnxruntime_gives(kind: str, directions: int, lengths: bool, bias: bool) -> None:
    both = {"direction": "bidirectional"} if directions == 2 else {}
    arrays = arrays_of(kind, directions, bias=bias)
    layer = from_onnx_arrays(kind, *(arrays.get(name) for name in "WRBP"), attributes=both)
    check(model_of(kind, arrays, lengths=lengths, **both), layer, lengths=lengths)


@pytest.mark.parametrize(
    ("kind", "attributes"),
    [
        ("LSTM", {"input_forget": 1}),
        ("LSTM", {"input_forget": 1, "activations": ["HardSigmoid", "Tanh", "Tanh"]}),
        ("LSTM", {"activations": ["HardSigmoid", "Relu", "Relu"], "activation_alpha": [0.3], "activation_beta": [0.4]}),
        ("LSTM", {"clip": 30.0}),
        ("GRU", {"linear_before_reset": 1}),
        ("GRU", {"clip": 0.5}),
        ("GRU", TWO_NUMBERS_EACH),
        ("RNN", {"clip": 0.5}),
        ("RNN", {"activations": ["Relu"]}),
        ("RNN", {"activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]}),
        ("RNN", {"activations": ["LeakyRelu"]}),
        ("RNN", {"activations": ["LeakyRelu"], "activation_alpha": [0.1]}),
        ("RNN", {"activations": ["ThresholdedRelu"], "activation_alpha": [0.3]}),
        ("RNN", {"activations": ["Elu"], "activation_alpha": [0.5]}),
        ("RNN", {"activations": ["Elu"]}),
        ("RNN", {"activations": ["HardSigmoid"]}),
        ("RNN", {"activations": ["Softsign"]}),
        ("RNN", {"activations": ["Softplus"]}),
    ],
)
def test_attributes(kind: str, attributes: dict[str, Any]) -> None:
    for peephole in (False, True)[: 2 if kind == "LSTM" else 1]:
        arrays = arrays_of(kind, peephole=peephole)
        layer = from_onnx_arrays(kind, *(arrays.get(name) for name in "WRBP"), attributes=attributes)
        check(model_of(kind, arrays, **attributes), layer)


def test_peepholes_in_both_directions() -> None:
    arrays = arrays_of("LSTM", 2, peephole=True)
    layer = from_onnx_arrays("LSTM", *arrays.values(), attributes={"direction": "bidirectional"})
    check(model_of("LSTM", arrays, lengths=True, direction="bidirectional"), layer, lengths=True)


def test_reverse_needs_go_backwards() -> None:
    arrays = arrays_of("GRU")
    with refused(
        SettingError,
        place="node '' (GRU)",
        problem=["direction=reverse", "go_backwards=True"],
        remedy='options={"go_backwards": True}',
    ):
        from_onnx_arrays("GRU", *arrays.values(), attributes={"direction": "reverse"})
    layer = from_onnx_arrays(
        "GRU", *arrays.values(), attributes={"direction": "reverse"}, options={"go_backwards": True}
    )
    check(model_of("GRU", arrays, direction="reverse"), layer)


def test_functions_get_our_names_where_we_have_them() -> None:
    w, r = arrays_of("GRU", bias=False).values()
    for names, numbers, expected in (
        (["Sigmoid", "Tanh"], [], {}),
        (["HardSigmoid", "softsign"], [1 / 6], {"activation": "softsign", "recurrent_activation": "hard_sigmoid"}),
        (["HardSigmoid", "Tanh"], [], {"recurrent_activation": OnnxActivation("HardSigmoid", (0.2, 0.5))}),
    ):
        attributes = {"activations": names, "activation_alpha": numbers}
        arguments = from_onnx_arrays("GRU", w, r, attributes=attributes, options={"reset_after": True}).arguments
        assert arguments == {"input_size": INPUT, "hidden_size": HIDDEN, "bias": False, **expected}


@pytest.mark.parametrize(
    ("attributes", "problem", "remedy"),
    [
        ({"direction": "up"}, ["direction", "forward, reverse, bidirectional", "got 'up'"], ()),
        ({"activations": ["Sigmoid", "Tanh", "Relu"]}, ["one activation", "got Tanh and Relu"], ()),
        ({"activations": ["Sigmoid"]}, ["activations", "must be 3", "got ['Sigmoid']"], ()),
        ({"activations": ["Mish"] * 3}, ["activations", "Relu, Tanh, Sigmoid", "got 'Mish'"], ()),
        ({"activations": ["Affine"] * 3}, ["Affine", "activation_alpha", "activation_beta"], ()),
        (
            {"input_forget": 1, "activations": ["Relu", "Tanh", "Tanh"]},
            ["sigmoid or hard_sigmoid", "got 'relu'"],
            (),
        ),
        ({"clip": 0.5}, "clip=0.5", Arg("ignore", ["clip"])),
        ({"output_sequence": 1}, ["output_sequence", "no counterpart"], Arg("ignore", ["output_sequence"])),
    ],
)
def test_attributes_that_cannot_be_mapped(attributes: dict[str, Any], problem: Any, remedy: Any) -> None:
    w, r = arrays_of("LSTM", bias=False).values()
    with refused(SettingError, place="node '' (LSTM)", problem=problem, remedy=remedy):
        from_onnx_arrays("LSTM", w, r, attributes=attributes)


@pytest.mark.parametrize("name", ["W", "R", "B", "P"])
def test_arrays_that_do_not_fit(name: str) -> None:
    arrays = arrays_of("LSTM", peephole=True)
    for wrong in (arrays[name][0], arrays[name][:, :-1], arrays[name].astype(np.int64)):
        came = f"got {wrong.shape} of {wrong.dtype}"
        with refused(
            ModelFileError, place="node '' (LSTM)", problem=[f"{name} must be", f"shape {arrays[name].shape}", came]
        ):
            from_onnx_arrays("LSTM", *{**arrays, name: wrong}.values())


# ── files ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def saved(path: Path, model: Any) -> Path:
    path.write_bytes(model.SerializeToString())
    return path


@pytest.mark.parametrize(
    ("name", "value", "wanted"),
    [("hidden_size", "x", "one int"), ("direction", ["forward"], "one str"), ("activations", "Tanh", "a list of str")],
)
def test_attributes_of_a_wrong_type(name: str, value: Any, wanted: str) -> None:
    arrays = arrays_of("RNN")
    with refused(ModelFileError, place="node '' (RNN)", problem=[name, f"must be {wanted}", repr(value)]):
        from_onnx_arrays("RNN", arrays["W"], arrays["R"], arrays["B"], attributes={name: value})


def test_two_nodes_of_one_name_are_read_by_number(tmp_path: Path) -> None:
    model = model_of("RNN", arrays_of("RNN"))
    model.graph.node.append(model.graph.node[0])
    onnx.save(model, tmp_path / "a.onnx")
    with refused(ModelFileError, place="a.onnx", problem="two nodes are named 'node'", remedy="by number"):
        read_onnx(tmp_path / "a.onnx")
    assert from_onnx(tmp_path / "a.onnx", 1).kind == "RNN"


def test_a_file_is_its_arrays(tmp_path: Path) -> None:
    arrays = arrays_of("LSTM", peephole=True)
    path = saved(tmp_path / "a.onnx", model_of("LSTM", arrays, input_forget=1, clip=0.5))
    layer = from_onnx(path, ignore=["clip"])
    expected = from_onnx_arrays("LSTM", *arrays.values(), attributes={"input_forget": 1})
    assert (layer.name, layer.arguments) == ("node", expected.arguments)
    assert all(torch.equal(layer.state[name], tensor) for name, tensor in expected.state.items())
    with refused(SettingError, place="a.onnx", problem="'other'", remedy=["by name", "['node']"]):
        from_onnx(path, "other")


def test_constants_and_other_names_are_followed(tmp_path: Path) -> None:
    arrays = arrays_of("RNN")
    model = model_of("RNN", arrays)
    graph = model.graph
    w = graph.initializer[0]
    graph.node.insert(0, helper.make_node("Constant", [], ["W0"], value=w))
    graph.node.insert(1, helper.make_node("Identity", ["W0"], ["W"]))
    del graph.initializer[0]
    layer = from_onnx(saved(tmp_path / "a.onnx", model), 0)
    assert torch.equal(layer.state["weight_ih_l0"], torch.from_numpy(arrays["W"][0]))


def test_malformed_files(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    with refused(ModelFileError, place="a.onnx", problem="no such file"):
        from_onnx(path)
    with refused(ModelFileError, place=tmp_path.name, problem="an ONNX file"):
        from_onnx(tmp_path)
    path.write_bytes(b"nonsense")
    with refused(ModelFileError, place="a.onnx", problem="not an ONNX model"):
        from_onnx(path)
    model = model_of("LSTM", arrays_of("LSTM"))
    model.graph.initializer[0].dims[1] = 10**9
    with refused(ModelFileError, place="a.onnx", problem=["W of node 'node'", "malformed", "(1,1000000000,4)"]):
        from_onnx(saved(path, model))
    model.graph.initializer[0].data_location = onnx.TensorProto.EXTERNAL
    with refused(ModelFileError, place="a.onnx", problem=["W of node 'node'", "another file"], remedy="onnx.save("):
        from_onnx(saved(path, model))
    del model.graph.initializer[0]
    with refused(ModelFileError, place="a.onnx", problem=["W of node 'node'", "initializer"], remedy="constants"):
        from_onnx(saved(path, model))


def test_a_constant_state(tmp_path: Path) -> None:
    model = model_of("RNN", arrays_of("RNN"))
    state = np.zeros((1, BATCH, HIDDEN), np.float32)
    model.graph.node[0].input.extend(["", "h0"])
    model.graph.initializer.append(numpy_helper.from_array(state, "h0"))
    from_onnx(saved(tmp_path / "a.onnx", model))
    model.graph.initializer[-1].CopyFrom(numpy_helper.from_array(state + 1, "h0"))
    with refused(
        SettingError,
        place="node 'node' (RNN)",
        problem=["initial_h", "constant other than 0"],
        remedy="remove the input",
    ):
        from_onnx(saved(tmp_path / "a.onnx", model))


def test_without_onnx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_bytes(b"")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with refused(MissingExtraError, problem=["onnx", "reading"], remedy='pip install "gatecast[onnx]"'):
        from_onnx(tmp_path / "a.onnx")
