"""The layers other than ``LSTM`` under the compiler and in an exported program, without the type checker."""

from __future__ import annotations

import pytest
from fixtures.fresh import run_here

EVERY = "num_layers=2, zoneout=0.1, recurrent_dropout=0.2, gradient_clip=1.0, residual=True, learn_initial_state=True"
LAYERS = {
    "ConvLSTM1d": ("ConvLSTM1d(3, 4, 2, bidirectional=True, stride=2, peephole='channel')", (2, 2, 3, 6)),
    "ConvLSTM2d": (f"ConvLSTM2d(3, 4, 3, {EVERY})", (2, 2, 3, 4, 3)),
    "sLSTM": (f"sLSTM(3, 4, heads=2, {EVERY})", (2, 2, 3)),
    "LSTM1997": (f"LSTM1997(3, 2, 2, {EVERY}, truncate=False)", (2, 2, 3)),
    "LSTM1997, truncated": ("LSTM1997(3, 2, 2, num_layers=2, zoneout=0.1)", (2, 2, 3)),
}

PROGRAM = """
import torch
from gatecast.nn import *
torch.set_num_threads(1)
for code, shape in {layers}:
    torch.manual_seed(0)
    layer, x, lengths = eval(code).eval(), torch.randn(shape), torch.tensor([2, 1])
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    outputs = [run(x, lengths=lengths)[0] for run in (compiled, layer)]
    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(y.square().sum(), list(layer.parameters())) for y in outputs]
    torch.testing.assert_close(*gradients)
    batch = torch.export.Dim("batch", min=1, max=64)
    program = torch.export.export(layer, (x,), dynamic_shapes=(dict([(1, batch)]),))
    more = torch.randn(shape[0], 5, *shape[2:])
    torch.testing.assert_close(program.module()(more), layer(more))
    print("same")
"""


@pytest.mark.filterwarnings("ignore")
def test_the_compiler_sees_one_graph_and_an_exported_program_takes_any_batch() -> None:
    assert run_here(PROGRAM.format(layers=list(LAYERS.values()))).split() == ["same"] * len(LAYERS)
