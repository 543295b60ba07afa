"""Stateful layers under the compiler and in exported programs, in a process without the type checker; and in vmap."""

from __future__ import annotations

import pytest
import torch
from fixtures.fresh import run_here
from fixtures.refused import refused
from torch.func import grad, vmap

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import LSTM, sLSTM

LAYERS = {
    "LSTM": ("LSTM(3, 4, stateful=True)", (5, 2, 3)),
    "two layers": ("LSTM(3, 4, 2, stateful=True)", (5, 2, 3)),
    "two directions": ("LSTM(3, 4, bidirectional=True, stateful=True)", (5, 2, 3)),
    "peephole, projection": ("LSTM(3, 4, peephole=True, proj_size=2, stateful=True)", (5, 2, 3)),
    "GRU": ("GRU(3, 4, stateful=True)", (5, 2, 3)),
    "RNN": ("RNN(3, 4, stateful=True)", (5, 2, 3)),
    "sLSTM": ("sLSTM(3, 4, stateful=True)", (5, 2, 3)),
    "LSTM1997": ("LSTM1997(3, 2, 2, stateful=True)", (5, 2, 3)),
    "ConvLSTM1d": ("ConvLSTM1d(3, 4, 2, stateful=True)", (5, 2, 3, 6)),
}

EXPORT = """
import torch
from torch._subclasses.fake_tensor import FakeTensor
from gatecast.nn import *
torch.set_num_threads(1)
def export(layer, x, strict):
    try:
        return torch.export.export(layer, (x,), strict=strict)
    except Exception as error:
        said = str(error)  # a strict export shows the arguments of the error, not its words
        assert "this one keeps none yet" in said and "call it once on a batch" in said, error
for code, shape in {layers}:
    for strict in (False, True):
        torch.manual_seed(0)
        layer, (x, *more) = eval(code).eval(), torch.randn(4, *shape)
        assert export(layer, x, strict) is None
        assert layer.kept_h is None
        with torch.inference_mode():
            layer(x)
        before = layer.kept_h.clone()
        program = export(layer, x, strict)
        assert torch.equal(layer.kept_h, before) and not isinstance(layer.kept_h, FakeTensor)
        kept = set(program.run_decompositions(dict()).graph_signature.buffers_to_mutate.values())
        assert kept == {{"kept_" + name for name in layer.cell.parts}}, kept
        run, wanted = program.module(), [layer(part)[0] for part in more]
        layer.reset_state()
        layer(x)
        found = [run(part)[0] for part in more]  # a separate program, which continues from its state
        torch.testing.assert_close(found, wanted)
        total = sum(y.sum() for y in found)
        if total.requires_grad:  # where plain PyTorch runs
            total.backward()
    print("same")
"""


def test_an_exported_program_carries_its_state_on_as_the_layer_does() -> None:
    assert run_here(EXPORT.format(layers=list(LAYERS.values()))).split() == ["same"] * len(LAYERS)


COMPILE = """
import torch
from gatecast.nn import *
torch.set_num_threads(1)
for code, shape in {layers}:
    for dtype in (torch.float32, torch.float64):
        torch.manual_seed(0)
        torch._dynamo.reset()
        layer, parts = eval(code).to(dtype), torch.randn(3, *shape, dtype=dtype)
        compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
        found = [compiled(x)[0] for x in parts]
        found[-1].sum().backward()
        layer.reset_state()
        torch.testing.assert_close(found, [layer(x)[0] for x in parts])
    print("same")
"""


def test_a_stateful_layer_compiles_with_gradients() -> None:
    assert run_here(COMPILE.format(layers=list(LAYERS.values()))).split() == ["same"] * len(LAYERS)


@pytest.mark.parametrize("warm", [False, True])
def test_vmap_through_a_stateful_layer_is_refused_and_leaves_it_usable(warm: bool) -> None:
    layer, x = LSTM(3, 4, stateful=True), torch.randn(5, 6, 2, 3)
    if warm:
        layer(x[0])
    before = layer.kept_h
    with refused(
        SettingError, problem=["stateful", "torch.func.vmap"], remedy=[Arg("stateful", False), "layer(x, state)"]
    ):
        vmap(lambda part: layer(part)[0])(x)
    assert layer.kept_h is before
    layer(x[0])


def test_a_state_kept_in_grad_is_a_tensor_as_any_other() -> None:
    layer, x = LSTM(3, 4, stateful=True), torch.randn(6, 2, 3)
    grad(lambda part: grad(lambda part: layer(part)[0].sum())(part).sum())(x)
    assert layer.kept_h is not None
    assert not torch._C._functorch.is_functorch_wrapped_tensor(layer.kept_h)
    assert not layer.kept_h.requires_grad
    y, _ = layer(x)
    y.sum().backward()


@pytest.mark.parametrize("kind", [LSTM, sLSTM])
def test_the_returned_state_may_be_written_to(kind: type) -> None:
    layer, x = kind(3, 4, stateful=True), torch.randn(6, 2, 3)
    with torch.no_grad():
        _, state = layer(x)
        before = layer.kept_h.clone()
        for part in state:
            part.zero_()
    torch.testing.assert_close(layer.kept_h, before)
