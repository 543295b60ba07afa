"""The LSTM operator as nodes of ONNX: onnxruntime gives what the layer gives; and whole models by torch.onnx.export."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from convert.player import TOLERANCE
from convert.runtime import BATCH, HIDDEN, INPUT, LENGTHS, TIME, ran
from fixtures.refused import refused
from torch import Tensor

from gatecast import ops
from gatecast.base.errors import MissingExtraError, SettingError
from gatecast.convert import onnx_table
from gatecast.convert.onnx.table import translated
from gatecast.ops.lstm_cell.operators import Call, options_of

onnx = pytest.importorskip("onnx", reason="onnx is not installed: pip install gatecast[onnx]")
WITHOUT = ["without it", "GATECAST_ISA=reference"]
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
TYPES = {torch.float32: onnx.TensorProto.FLOAT, torch.bool: onnx.TensorProto.BOOL}


class Named:
    """A value of a graph, by its name."""

    def __init__(self, name: str, shape: tuple[int, ...] = ()) -> None:
        self.name, self.shape = name, shape


class Graph:
    """Stands in for onnxscript's operators: each call is a node."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []

    def __getattr__(self, kind: str) -> Any:
        def node(*inputs: Named | None, **attributes: Any) -> Any:
            outputs = [Named(f"{kind}{len(self.nodes)}_{k}") for k in range(3 if kind == "LSTM" else 1)]
            names = ["" if value is None else value.name for value in inputs]
            self.nodes.append(onnx.helper.make_node(kind, names, [o.name for o in outputs], **attributes))
            return outputs if len(outputs) > 1 else outputs[0]

        return node

    def run(self, outputs: Any, given: dict[str, Tensor]) -> list[Tensor]:
        info = onnx.helper.make_tensor_value_info
        inputs = [info(name, TYPES[t.dtype], list(t.shape)) for name, t in given.items()]
        made = onnx.helper.make_graph(
            self.nodes, "graph", inputs, [info(part.name, onnx.TensorProto.FLOAT, None) for part in outputs]
        )
        opset = onnx.helper.make_opsetid("", 18)
        return ran(onnx.helper.make_model(made, opset_imports=[opset], ir_version=10), **given)


def arguments(
    spec: ops.CellSpec, *, peephole: bool, bias: bool, state: bool, steps: Tensor | None
) -> dict[str, Tensor]:
    """Tensors of a call that is not the same in any two places, by the operator's names."""
    torch.manual_seed(4)
    rows = (3 if spec.coupled else 4) * HIDDEN
    given = {"x": torch.randn(TIME, BATCH, INPUT), "w_ih": torch.randn(rows, INPUT), "w_hh": torch.randn(rows, HIDDEN)}
    given |= {"bias": torch.randn(rows)} if bias else {}
    given |= {"h0": torch.randn(BATCH, HIDDEN), "c0": torch.randn(BATCH, HIDDEN)} if state else {}
    given |= {"peephole": torch.randn(2 if spec.coupled else 3, HIDDEN)} if peephole else {}
    return given if steps is None else {**given, "steps": steps}


def call_of(spec: ops.CellSpec, given: dict[str, Tensor]) -> Call:
    values = {name: Named(name, tuple(t.shape)) for name, t in given.items()}
    kinds, clip, bound = options_of(spec)
    rest = {"flags": [int(kind) for kind in kinds], "cell_clip": clip, "gradient_clip": bound, "keep": 2}
    return Call(**{**dict.fromkeys(Call._fields), **values, **rest})  # type: ignore[arg-type]


def differences(spec: ops.CellSpec) -> list[str]:
    return [f"{f.name}={value}" for f in fields(spec) if (value := getattr(spec, f.name)) != f.default]


def mask(lengths: list[int]) -> Tensor:
    return torch.arange(TIME)[:, None] < torch.tensor(lengths)


SPECS = [
    ops.CellSpec(),
    ops.CellSpec(reverse=True),
    ops.CellSpec(coupled=True),
    ops.CellSpec(coupled=True, recurrent_activation="hard_sigmoid", reverse=True),
    ops.CellSpec(activation="linear", recurrent_activation="hard_sigmoid"),
    ops.CellSpec(activation="softsign"),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: ",".join(differences(spec)) or "plain")
@pytest.mark.parametrize("lengths", [None, LENGTHS, [7, 0, 1]], ids=str)
@pytest.mark.parametrize("peephole", [False, True])
def test_onnxruntime_gives_what_the_operator_gives(
    spec: ops.CellSpec, lengths: list[int] | None, peephole: bool
) -> None:
    steps = None if lengths is None else mask(lengths)
    given = arguments(spec, peephole=peephole, bias=not peephole, state=peephole, steps=steps)
    graph = Graph()
    found = graph.run(translated(call_of(spec, given), graph), given)
    weights = ops.LSTMWeights(given["w_ih"], given["w_hh"], given.get("bias"), given.get("peephole"))
    state = (given["h0"], given["c0"]) if peephole else None
    wanted = ops.lstm(given["x"], weights, state, spec=spec, masks=ops.LSTMMasks(steps))
    for ours, theirs in zip(wanted[:3], found, strict=True):
        torch.testing.assert_close(theirs, ours, **TOLERANCE)


def test_a_sequence_whose_mask_has_a_gap_is_nan_and_no_other() -> None:
    steps = mask([7, 7, 4])
    steps[2, 1] = False
    given = arguments(ops.CellSpec(), peephole=False, bias=True, state=False, steps=steps)
    graph = Graph()
    for part in graph.run(translated(call_of(ops.CellSpec(), given), graph), given):
        rows = part.isnan().flatten(0, -3) if part.dim() == 3 else part.isnan()[None]
        assert rows.all(-1).all(0).tolist() == [False, True, False]
        assert rows.any(-1).any(0).tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("option", "named", "remedy"),
    [
        ({"w_proj": Named("p")}, f"proj_size={HIDDEN}", WITHOUT),
        ({"norm_c": Named("n")}, "layer_norm=True", WITHOUT),
        ({"zone_h": Named("z")}, "zoneout", WITHOUT),
        ({"recurrent": Named("r")}, "recurrent_dropout in training", WITHOUT),
        ({"cell_clip": 3.0}, "cell_clip=3.0", WITHOUT),
        ({"steps": Named("s"), "flags": [0, 1, 0, 0, 0, 0]}, "zero_output_for_mask=False", WITHOUT),
        ({"flags": [6, 1, 0, 0, 1, 0]}, "'hard_tanh'", ["tanh, sigmoid", "OnnxActivation"]),
    ],
    ids=lambda part: part if isinstance(part, str) else "",
)
def test_what_onnx_lacks_is_refused_by_name(option: dict[str, Any], named: str, remedy: list[str]) -> None:
    given = arguments(ops.CellSpec(), peephole=False, bias=True, state=False, steps=None)
    with refused(SettingError, place="LSTM", problem=["ONNX", named], remedy=remedy):
        translated(call_of(ops.CellSpec(), given)._replace(**option), Graph())


def test_cells_of_every_step_are_refused_on_request() -> None:
    given = arguments(ops.CellSpec(), peephole=False, bias=True, state=False, steps=None)
    outputs = translated(call_of(ops.CellSpec(), given), Graph())
    assert len(outputs) == 3
    with refused(SettingError, place="LSTM", problem=["ONNX", "return_cells=True"], remedy=WITHOUT):
        _ = outputs[3]


def test_without_onnxscript(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with refused(MissingExtraError, problem=["onnxscript", "torch.onnx.export"], remedy='pip install "gatecast[onnx]"'):
        onnx_table()


EXPORT = """
import sys, torch, onnxruntime
from torch import nn
from gatecast.nn import LSTM
from gatecast.convert import from_onnx, onnx_table

path = sys.argv[1]

class Model(nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.lstm = LSTM(3, 4, batch_first=True, **options)
        self.head = nn.Linear(4 * self.lstm.directions, 1)
    def forward(self, x, lengths=None):
        return self.head(self.lstm(x, lengths=lengths)[0])

def run(model, *given, **how):
    program = torch.onnx.export(model.eval(), given, dynamo=True, custom_translation_table=onnx_table(), **how)
    program.save(path)
    session = onnxruntime.InferenceSession(path)
    names = [value.name for value in session.get_inputs()]
    return lambda *given: torch.from_numpy(session.run(None, dict(zip(names, (g.numpy() for g in given))))[0])

x, lengths, time = torch.randn(2, 5, 3), torch.tensor([5, 2]), torch.export.Dim.DYNAMIC
for options in ({}, dict(bidirectional=True, num_layers=2), dict(peephole=True, coupled=True, activation="relu")):
    model = Model(**options)
    for given in ((x,), (x, lengths)):
        torch.testing.assert_close(run(model, *given)(*given), model(*given))
model, more = Model(num_layers=2), torch.randn(3, 9, 3)
torch.testing.assert_close(run(model, x, dynamic_shapes=dict(x={0: time, 1: time}))(more), model(more))
assert torch.equal(from_onnx(path, 0).state["weight_hh_l0"], model.lstm.weight_hh_l0)
for options, words in (
    (dict(layer_norm=True), "no counterpart of layer_norm=True"), (dict(stateful=True), "an ONNX model keeps no state")
):
    model = Model(**options)
    model.lstm(x)
    try:
        run(model, x)
    except Exception as error:
        assert words in str(error), error
    else:
        raise AssertionError(words)
"""


@pytest.mark.skipif(importlib.util.find_spec("onnxscript") is None, reason="onnxscript is not installed")
def test_a_whole_model_is_converted_to_onnx(tmp_path: Path) -> None:
    run = [sys.executable, "-W", "ignore", "-c", EXPORT, str(tmp_path / "model.onnx")]
    done = subprocess.run(run, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
