"""The operator among PyTorch's tools: opcheck, compile, export, fork, workers, deep copies of the graph."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatecast import ops, testing
from gatecast.ops import kernel
from gatecast.ops.library import library
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
    tensors = (x, *weights[:3], *(state or (None, None)), *weights[3:])
    return *kernel._ready(tensors, tuple(masks)), *kernel._choices(case.spec), keep


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
    arguments = (torch.ones_like(y), None, None, None, *given[:15], *kept, *given[15:18])
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
    arguments = (x, [*run, above, *run[1:]], h, c, steps, 2, 1, *kernel._choices(CASE.spec))
    tests = ("test_schema", "test_faketensor")
    torch.library.opcheck(torch.ops.gatecast.lstm_layers.default, arguments, test_utils=tests)


LAYER = """
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
"""


@pytest.mark.parametrize("code", [COMPILED, EXPORTED], ids=["compile", "export"])
def test_traced_in_one_graph(code: str) -> None:
    """In a process without the type checker of the tests, which cannot be traced."""
    done = subprocess.run([sys.executable, "-c", LAYER + code], capture_output=True, text=True, timeout=300)
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
