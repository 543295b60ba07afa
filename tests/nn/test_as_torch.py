"""What code written for ``torch.nn`` expects of a recurrent layer beyond its numbers."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import torch

from gatecast import nn

LAYERS = (nn.LSTM, nn.GRU, nn.RNN)
CELLS = (nn.LSTMCell, nn.GRUCell, nn.RNNCell)


# Without the type checks of the test run, which refuse 1 for True and the tensors that stand for sizes in a trace.
UNTYPED = """
import numpy as np, torch, warnings
from gatecast import nn
warnings.simplefilter("ignore")
for layer in (nn.LSTM, nn.GRU, nn.RNN):
    made = layer(3, 4, num_layers=np.int64(2), bidirectional=1, batch_first=np.bool_(True), bias=0)
    assert (made.bidirectional, made.batch_first, made.bias) == (True, True, False)
    assert made(torch.zeros(2, 5, 3))[0].shape == (2, 5, 8)
    made, x = layer(3, 4), torch.randn(5, 2, 3, requires_grad=True)
    traced = torch.jit.trace(made, x)
    found, wanted = (torch.autograd.grad(call(x)[0].sin().sum(), [x, *made.parameters()]) for call in (traced, made))
    torch.testing.assert_close(found, wanted)
"""


def test_switches_are_numbers_too_and_a_trace_has_gradients() -> None:
    done = subprocess.run([sys.executable, "-c", UNTYPED], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("cell", "more"), list(zip(CELLS, ((), (), ("relu",)), strict=True)))
def test_cells_take_device_and_dtype_by_position(cell: Any, more: tuple[Any, ...]) -> None:
    weights = dict(cell(3, 4, True, *more, "cpu", torch.float64).named_parameters())
    theirs = getattr(torch.nn, cell.__name__)(3, 4, True, *more, "cpu", torch.float64)
    assert {name: w.dtype for name, w in weights.items()} == {n: w.dtype for n, w in theirs.named_parameters()}


@pytest.mark.parametrize(
    ("layer", "options"), [(nn.LSTM, {}), (nn.GRU, {}), (nn.RNN, {}), (nn.RNN, {"nonlinearity": "relu"})]
)
def test_mode_and_all_weights_are_those_of_torch(layer: Any, options: dict[str, Any]) -> None:
    ours = layer(3, 4, 2, bidirectional=True, **options)
    theirs = getattr(torch.nn, layer.__name__)(3, 4, 2, bidirectional=True, **options)
    theirs.load_state_dict(ours.state_dict())
    assert ours.mode == theirs.mode
    torch.testing.assert_close(ours.all_weights, theirs.all_weights)


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("form", ["plain", "expanded"])
def test_empty_batches_have_gradients_of_zero(layer: Any, form: str) -> None:
    made = layer(3, 4, 2, bidirectional=True)
    x = torch.zeros(5, 0, 3, requires_grad=True) if form == "plain" else torch.zeros(5, 1, 3)[:, :0].requires_grad_()
    output, _ = made(x)
    output.sum().backward()
    assert output.shape == (5, 0, 8)
    assert x.grad is not None
    assert x.grad.shape == (5, 0, 3)
    assert all(p.grad is not None and not p.grad.any() for p in made.parameters())
    assert made(x, lengths=[])[0].shape == (5, 0, 8)


def test_a_sequence_without_steps_has_gradients_of_zero() -> None:
    made, x = nn.LSTM(3, 4), torch.zeros(0, 2, 3, requires_grad=True)
    made(x)[0].sum().backward()
    assert all(p.grad is not None and not p.grad.any() for p in made.parameters())


@pytest.mark.parametrize(
    "made", [*(layer(3, 4, device="meta") for layer in LAYERS), *(c(3, 4, device="meta") for c in CELLS)]
)
def test_float32_runs_on_the_meta_device(made: Any) -> None:
    shape = (2, 3) if "Cell" in type(made).__name__ else (5, 2, 3)
    found = made(torch.zeros(shape, device="meta"))
    assert (found if isinstance(found, torch.Tensor) else found[0]).device.type == "meta"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run([sys.executable, "-m", "gatecast", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip()


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("value", [float("inf"), float("nan")])
@pytest.mark.parametrize("grad", [False, True])
def test_a_weight_that_is_not_finite_gives_nan_from_the_first_step(layer: Any, value: float, grad: bool) -> None:
    theirs, x = getattr(torch.nn, layer.__name__)(3, 20, 2, bidirectional=True), torch.randn(4, 2, 3)
    with torch.no_grad():
        theirs.weight_hh_l0[1, 19] = value  # 0, the state before the first step, times this is NaN
    ours = layer(3, 20, 2, bidirectional=True)
    ours.load_state_dict(theirs.state_dict())
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(ours(x)[0].isnan(), theirs(x)[0].isnan())
