"""The operator among PyTorch's tools: opcheck, compile, export, fork, workers, deep copies of the graph."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatecast import ops, testing
from gatecast.ops.library import library
from gatecast.ops.lstm_cell import operators
from gatecast.testing import LSTMCase

pytestmark = pytest.mark.skipif(not library().isa, reason="no kernel")
CASE = LSTMCase("base", 4, 3, 2, 9)
FULL = replace(CASE, steps=True, recurrent=True, peephole=True, projection=5, norm="xhc")


class Layer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        weights = testing.arguments(CASE).weights
        self.w_ih, self.w_hh, self.bias = (nn.Parameter(t) for t in weights[:3] if t is not None)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        output = ops.lstm(x, ops.LSTMWeights(self.w_ih, self.w_hh, self.bias))
        return output.y, output.c


def forward_arguments(case: LSTMCase, keep: int) -> tuple[Any, ...]:
    x, weights, state, masks = testing.arguments(case)
    tensors = operators.tensors_of(x, weights, state)
    return *operators.ready(tensors, tuple(masks)), *operators.options_of(case.spec), keep


@pytest.mark.parametrize("keep", [0, 1, 2, 3])
@pytest.mark.parametrize("case", [CASE, FULL], ids=["base", "full"])
def test_opcheck_of_the_forward_operator(case: LSTMCase, keep: int) -> None:
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.gatecast.lstm_forward.default, forward_arguments(case, keep), test_utils=tests)


@pytest.mark.parametrize("case", [CASE, FULL], ids=["base", "full"])
def test_opcheck_of_the_backward_operator(case: LSTMCase) -> None:
    given = forward_arguments(case, 2)
    y, _, _, cells, gates, states, norms, moments = torch.ops.gatecast.lstm_forward(*given)
    kept = (states if states.numel() else y, cells, gates, norms, moments)
    tensors, options = given[: len(operators.TENSORS)], given[len(operators.TENSORS) : -1]
    arguments = (torch.ones_like(y), None, None, None, *tensors, *kept, *options)
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.gatecast.lstm_backward.default, (*arguments, True, True, False), test_utils=tests)


@pytest.mark.parametrize("one", [False, True], ids=["sequence", "step"])
def test_opcheck_of_the_operator_of_all_layers(one: bool) -> None:
    none, (x, weights, state, _) = torch.empty(0), testing.arguments(replace(FULL, steps=False))
    assert state is not None
    run = [none if t is None else t for t in (*weights[:3], None, *weights[3:])]
    h, c = (part.expand(2, -1, -1).contiguous() for part in state)
    above = torch.randn(weights.w_ih.shape[0], weights.w_hh.shape[1])
    x, steps = (x[0], None) if one else (x, torch.ones(4, 3, dtype=torch.bool))
    arguments = (x, [*run, above, *run[1:]], h, c, steps, 2, 1, *operators.options_of(CASE.spec))
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.gatecast.lstm_layers.default, arguments, test_utils=tests)


# ── what does not fit is refused before native code reads it ─────────────────────────────────────────────────────────
SPOILED = {
    "x": [lambda x: x[0], lambda x: x[None, None], lambda x: x.double(), lambda x: x.transpose(0, 2)],
    "w_ih": [lambda w: w[:-1], lambda w: w[:, :1], lambda w: w.half(), lambda w: w.T, lambda w: w.T.contiguous().T],
    "w_hh": [lambda w: w[:0], lambda w: w[:-1], lambda w: w[:, :4], lambda w: w[None]],
    "bias": [lambda b: b[:-1], lambda b: b.repeat(2)[::2], lambda b: b.int()],
    "h0": [lambda h: h[:1], lambda h: h[:, :1], lambda h: h.double()],
    "c0": [lambda c: c[:1], lambda c: c.T],
    "peephole": [lambda p: p[:1], lambda p: p.flatten()],
    "norm_x": [lambda n: n[:4]],
    "norm_h": [lambda n: n.double()],
    "norm_c": [lambda n: n[:1]],
    "w_proj": [lambda w: w[:1], lambda w: None],
    "steps": [lambda m: m[:1], lambda m: m.float()],
    "recurrent": [lambda m: m[:, :1], lambda m: m.bool(), lambda m: with_gaps(m)],
    "zone_h": [lambda m: m[..., :1], lambda m: with_gaps(m)],
    "zone_c": [lambda m: m[:1]],
    "flags": [lambda c: [7, *c[1:]], lambda c: [-1, *c[1:]], lambda c: c[:4]],
}
KEPT = {
    "grad_y": [lambda g: g[:1], lambda g: g.double()],
    "grad_h": [lambda g: torch.ones(1, 5)],
    "states": [lambda s: s[:1], lambda s: s.transpose(0, 1)],
    "cells": [lambda c: c[:, :1], lambda c: torch.empty(0)],
    "gates": [lambda g: g[:1], lambda g: torch.empty(0)],
    "norms": [lambda n: torch.empty(0)],
    "moments": [lambda m: torch.empty(0)],
}
WHOLE = replace(FULL, zone_h=True, zone_c=True)


def with_gaps(values: Tensor) -> Tensor:
    return values.repeat_interleave(2, dim=-1)[..., ::2]


def names(operator: Any) -> list[str]:
    return [argument.name for argument in operator.default._schema.arguments]


def each(table: dict[str, list[Any]]) -> list[Any]:
    return [pytest.param(name, one, id=f"{name} {k}") for name, spoils in table.items() for k, one in enumerate(spoils)]


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize(("name", "spoil"), each(SPOILED))
def test_forward_refuses_invalid_arguments(name: str, spoil: Any, grouped: bool) -> None:
    operator = torch.ops.gatecast.lstm_forward
    given = dict(zip(names(operator), forward_arguments(WHOLE, 2), strict=True))
    given[name] = spoil(given[name])
    if grouped:
        given = {key: _twice(value) for key, value in given.items()}
    with pytest.raises((RuntimeError, NotImplementedError), match=rf"{name}|w_hh must be|holds what no kernel has"):
        operator(**given)


@pytest.mark.parametrize(("name", "spoil"), each(SPOILED | KEPT))
def test_backward_refuses_invalid_arguments(name: str, spoil: Any) -> None:
    operator, forward = torch.ops.gatecast.lstm_backward, torch.ops.gatecast.lstm_forward
    given = dict(zip(names(forward), forward_arguments(WHOLE, 2), strict=True))
    y, _, _, cells, gates, states, norms, moments = forward(**given)
    kept = {"states": states, "cells": cells, "gates": gates, "norms": norms, "moments": moments}
    none = dict.fromkeys(("grad_h", "grad_c", "grad_cells"))
    given = given | kept | none | {"grad_y": torch.ones_like(y), "want_x": True, "want_h0": True, "want_c0": True}
    del given["keep"]
    operator(**given)
    given[name] = spoil(given[name])
    with pytest.raises((RuntimeError, NotImplementedError), match=rf"{name}|w_hh must be|holds what no kernel has"):
        operator(**given)


def test_members_of_a_group_must_agree_in_number() -> None:
    given = dict(zip(names(torch.ops.gatecast.lstm_forward), forward_arguments(WHOLE, 2), strict=True))
    given = {key: _twice(value) for key, value in given.items()}
    given["bias"] = given["bias"][:1]
    with pytest.raises(RuntimeError, match=r"bias must be a float32 tensor .* of shape \(36\) for each member, got"):
        torch.ops.gatecast.lstm_forward(**given)


def _twice(value: Any) -> Any:
    return value.expand(2, *value.shape) if isinstance(value, Tensor) else value


@pytest.mark.parametrize(
    "change",
    [
        {"directions": 0},
        {"directions": 3},
        {"weights": []},
        {"layers": 0},
        {"layers": 2},
        {"x": torch.zeros(4, 3)},
        {"x": torch.zeros(4, 3, 2).double()},
        {"h0": torch.zeros(1, 1, 9)},
        {"c0": torch.zeros(1, 3, 8)},
        {"steps": torch.ones(3, 4, dtype=torch.bool)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_all_layers_refuse_invalid_arguments(change: dict[str, Any]) -> None:
    none, (x, weights, *_) = torch.empty(0), testing.arguments(CASE)
    run = [none if t is None else t for t in (*weights[:3], None, *weights[3:])]
    kinds, *clips = operators.options_of(CASE.spec)
    given = {"x": x, "weights": run, "h0": None, "c0": None, "steps": None, "flags": kinds}
    given |= {"layers": 1, "directions": 1, "cell_clip": clips[0], "gradient_clip": clips[1]}
    torch.ops.gatecast.lstm_layers(**given)
    with pytest.raises(RuntimeError):
        torch.ops.gatecast.lstm_layers(**given | change)


LAYER = """
import sys
import torch
from torch import nn
from gatecast import ops, testing

class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        weights = testing.arguments(testing.LSTMCase("base", 4, 3, 2, 9)).weights
        self.w_ih, self.w_hh, self.bias = (nn.Parameter(t) for t in weights[:3])

    def forward(self, x):
        output = ops.lstm(x, ops.LSTMWeights(self.w_ih, self.w_hh, self.bias))
        return output.y, output.c

layer, x = Layer(), torch.randn(4, 3, 2)
"""
COMPILED = """
compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
with torch.no_grad():
    torch.testing.assert_close(compiled(x), layer(x))
wanted, found = layer(x), compiled(x)
torch.testing.assert_close(found, wanted)
grads = [torch.autograd.grad(y.sum() + c.sum(), list(layer.parameters())) for y, c in (found, wanted)]
torch.testing.assert_close(*grads)
"""
EXPORTED = """
layer.eval()
program = torch.export.export(layer, (x,), dynamic_shapes={"x": {0: torch.export.Dim("time", min=2, max=50)}})
assert "lstm_forward" in str(program.graph)
longer = torch.randn(7, 3, 2)
torch.testing.assert_close(program.module()(longer), layer(longer))
torch.export.save(program, sys.argv[1])
"""
LOADED = """
import sys
import torch
import gatecast.ops
program = torch.export.load(sys.argv[1]).module()
assert program(torch.randn(9, 3, 2))[0].shape == (9, 3, 9)
"""


def test_compiled_and_exported_in_one_graph(tmp_path: Path) -> None:
    """In a process without the type checker of the tests, which cannot be traced; one for both, as it begins slowly.

    Another one loads the program, which asks for the operators alone.
    """
    for code in (LAYER + COMPILED + EXPORTED, LOADED):
        run = [sys.executable, "-c", code, str(tmp_path / "layer.pt2")]
        done = subprocess.run(run, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]


def _sum(queue: Any) -> None:
    queue.put(Layer()(torch.ones(4, 3, 2))[0].sum().item())


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_in_another_process(method: str) -> None:
    wanted = Layer()(torch.ones(4, 3, 2))[0].sum().item()
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    process = context.Process(target=_sum, args=(queue,))
    process.start()
    assert queue.get(timeout=60) == pytest.approx(wanted)
    process.join(60)


class _Outputs(torch.utils.data.Dataset[Tensor]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> Tensor:
        return Layer()(torch.full((4, 3, 2), float(index)))[0].detach()


def test_in_the_workers_of_a_data_loader() -> None:
    loader = torch.utils.data.DataLoader(_Outputs(), batch_size=None, num_workers=2)
    for index, y in enumerate(loader):
        torch.testing.assert_close(y, _Outputs()[index])


def test_the_graph_can_be_run_twice() -> None:
    layer = Layer()
    loss = layer(torch.ones(4, 3, 2))[0].sum()
    first = torch.autograd.grad(loss, layer.w_hh, retain_graph=True)[0]
    assert torch.equal(torch.autograd.grad(loss, layer.w_hh)[0], first)


def test_an_optimiser_step_is_seen_at_once() -> None:
    layer, x = Layer(), torch.ones(4, 3, 2)
    with torch.no_grad():
        before = layer(x)[0]
        layer.w_hh.data.mul_(0.5)  # leaves no trace in the version counter
        assert not torch.equal(layer(x)[0], before)
