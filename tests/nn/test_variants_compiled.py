"""The layers beside ``LSTM`` under ``torch.compile(fullgraph=True)``, in a process without the type checker."""

from __future__ import annotations

import subprocess
import sys

import pytest

LAYERS = {
    "ConvLSTM1d": ("ConvLSTM1d(3, 4, 2, bidirectional=True, stride=2, peephole='channel')", (2, 2, 3, 6)),
    "sLSTM": ("sLSTM(3, 4, 2, heads=2)", (2, 2, 3)),
    "LSTM1997": ("LSTM1997(3, 2, 2)", (2, 2, 3)),
}

PROGRAM = """
import torch
from gatecast.nn import *
for code, shape in {layers}:
    torch.manual_seed(0)
    layer, x, lengths = eval(code), torch.randn(shape), torch.tensor([2, 1])
    torch._dynamo.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
    outputs = [run(x, lengths=lengths)[0] for run in (compiled, layer)]
    torch.testing.assert_close(*outputs)
    gradients = [torch.autograd.grad(y.square().sum(), list(layer.parameters())) for y in outputs]
    torch.testing.assert_close(*gradients)
    print("same")
"""


@pytest.mark.filterwarnings("ignore")
def test_the_compiler_sees_one_graph_and_gives_the_same() -> None:
    code = PROGRAM.format(layers=list(LAYERS.values()))
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.split() == ["same"] * len(LAYERS)
