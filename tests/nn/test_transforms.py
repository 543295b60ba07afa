"""What PyTorch does with modules: compile, export, vmap over weights, workers of a data loader, half precision."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from fixtures.fresh import run_here
from fixtures.refused import refused
from torch import Tensor, nn
from torch.func import functional_call, grad, stack_module_state, vmap
from torch.utils.data import DataLoader, Dataset

from gatecast import ops
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, L2, LSTM, RNN, Chrono
from gatecast.ops.library import library

KERNEL = pytest.mark.skipif(not library().isa, reason="no kernel")

# In a separate process: the type checks of the test run would be compiled too.
COMPILE = """
import torch
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap
from gatecast.nn import GRU, LSTM, RNN, L2, LSTMCell

x, static = torch.randn(2, 2, 3), torch.randn(2, 2)
everything = dict(
    num_layers=2, proj_size=2, peephole=True, layer_norm=True, cell_clip=1.0, gradient_clip=1.0, zoneout=0.1,
    recurrent_dropout=0.2, residual=True, skip=True, learn_initial_state=True, static_size=2, return_cells=True,
    activation=torch.sin,
)
cases = [
    (LSTM(3, 4, batch_first=True, bidirectional=True), dict(lengths=torch.tensor([1, 2]))),
    (LSTM(3, 4, batch_first=True, **everything), dict(static=static)),
    (GRU(3, 4, batch_first=True), dict(mask=torch.rand(2, 2) > 0.5)),
    (RNN(3, 4, batch_first=True), {}),
]
for layer, call in cases:
    layer.eval()
    torch.compiler.reset()
    compiled = torch.compile(layer, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x, **call), layer(x, **call))
    exported = torch.export.export(layer, (x,), call)
    torch.testing.assert_close(exported.module()(x, **call), layer(x, **call))
cell = LSTMCell(3, 4)
torch.testing.assert_close(torch.compile(cell, fullgraph=True, backend="eager")(x[0]), cell(x[0]))

half, rows = LSTM(3, 4, dtype=torch.bfloat16), torch.randn(2, 20, 3, dtype=torch.bfloat16)
torch.compiler.reset()
compiled = torch.compile(half, fullgraph=True, backend="aot_eager")
for call in (half, compiled):
    half.zero_grad()
    call(rows)[0].float().square().sum().backward()
    found = [p.grad for p in half.parameters()]
    wanted = found if call is half else wanted
torch.testing.assert_close(found, wanted)

members = [LSTM(3, 4, bias=False) for _ in range(3)]
parameters, buffers = stack_module_state(members)
run = lambda p, b: functional_call(members[0], (p, b), (x,))[0]
of_each = vmap(grad(lambda p, b: run(p, b).square().sum()))
torch.compiler.reset()
compiled = torch.compile(lambda p, b: vmap(run)(p, b), fullgraph=True, backend="aot_eager")
with torch.no_grad():
    torch.testing.assert_close(compiled(parameters, buffers), vmap(run)(parameters, buffers))
compiled(parameters, buffers).square().sum().backward()
wanted = of_each(parameters, buffers)
torch.testing.assert_close({name: p.grad for name, p in parameters.items()}, wanted)
compiled = torch.compile(lambda p, b: of_each(p, b), fullgraph=True, backend="eager")
torch.testing.assert_close(compiled(parameters, buffers), wanted)

layer = LSTM(3, 4, batch_first=True, stateful=True, activity_regularizer=L2(0.1))
compiled = torch.compile(layer, fullgraph=True, backend="eager")
first, second = compiled(x)[0], compiled(x)[0]
penalty = layer.regularization()
layer.reset_state()
torch.testing.assert_close((first, second), (layer(x)[0], layer(x)[0]))
torch.testing.assert_close(penalty, layer.regularization())

torch.compiler.reset()
layer = LSTM(3, 4, 2, dropout=0.5, recurrent_dropout=0.5, input_dropout=0.3, weight_drop=0.2, zoneout=0.1)
torch.compile(layer, fullgraph=True, backend="aot_eager")(x)[0].sum().backward()
assert all(p.grad.isfinite().all() for p in layer.parameters())
"""


def test_layers_compile_without_a_break_and_export() -> None:
    run_here(COMPILE)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_an_ensemble_in_one_call(kind: type) -> None:
    members = [kind(3, 4, 2, bidirectional=True, gradient_clip=1.0, zoneout=0.1).eval() for _ in range(3)]
    parameters, buffers = stack_module_state(members)
    x, lengths = torch.randn(5, 2, 3), torch.tensor([5, 2])

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], (parameters, buffers), (x,), {"lengths": lengths})[0]

    together = vmap(run)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([member(x, lengths=lengths)[0] for member in members]))
    gradients = vmap(grad(lambda p, b: run(p, b).square().sum()))(parameters, buffers)
    for number, member in enumerate(members):
        member(x, lengths=lengths)[0].square().sum().backward()
        for name, parameter in member.named_parameters():
            torch.testing.assert_close(gradients[name][number], parameter.grad)


@KERNEL
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.filterwarnings("error::gatecast.ops.SlowPathWarning")
def test_an_ensemble_runs_the_kernels(dtype: torch.dtype) -> None:
    options = {"peephole": True, "layer_norm": True, "proj_size": 2, "recurrent_dropout": 0.2, "zoneout": 0.1}
    members = [LSTM(3, 4, 2, bidirectional=True, dropout=0.5, dtype=dtype, **options) for _ in range(3)]
    parameters, buffers = stack_module_state(members)
    x, reasons = torch.randn(5, 2, 3, dtype=dtype), []

    def run(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        reasons.append(ops.explain(x, ops.LSTMWeights(p["weight_ih_l0"], p["weight_hh_l0"], w_proj=p["weight_hr_l0"])))
        return functional_call(members[0], (p, b), (x,))[0]

    vmap(run, randomness="different")(parameters, buffers).float().square().sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in parameters.values())
    assert reasons[0].startswith(f"cpu-{library().isa}")
    with torch.no_grad():
        for member in members:
            member.eval()
        together = vmap(run, randomness="different")(*stack_module_state(members))
        torch.testing.assert_close(together, torch.stack([member(x)[0] for member in members]))


@KERNEL
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_all_layers_at_once_in_half_precision(dtype: torch.dtype) -> None:
    """Layer by layer every output is rounded; in one call only the last."""
    layer = LSTM(3, 4, 2, bidirectional=True, dtype=dtype).eval()
    x = torch.randn(5, 2, 3, dtype=dtype)
    exact = copy.deepcopy(layer).double()(x.double(), lengths=[5, 3])
    with torch.no_grad():
        y, (h, c) = layer(x, lengths=[5, 3])
    assert y.dtype == h.dtype == c.dtype == dtype
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close((y.double(), (h.double(), c.double())), exact, rtol=eps, atol=eps / 8)
    layer.weight_hh_l1.data = layer.weight_hh_l1.data.float()
    types = [str(dtype), "got torch.float32"]
    with torch.no_grad(), refused(SettingError, problem=[Arg("w_hh of layer 1"), *types], remedy="convert"):
        layer(x)


@KERNEL
def test_autocast_leaves_the_lstm_its_precision() -> None:
    layer, x = LSTM(3, 4, 2), torch.randn(5, 2, 3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x)
        loss = found[0].square().sum()
    loss.backward()
    torch.testing.assert_close(found, layer(x), rtol=0, atol=0)
    assert {p.grad.dtype for p in layer.parameters()} == {torch.float32}


def test_an_ensemble_in_training_runs_with_random_masks() -> None:
    members = [LSTM(3, 4, 2, dropout=0.5, recurrent_dropout=0.5, zoneout=0.2) for _ in range(3)]
    parameters, buffers = stack_module_state(members)
    x = torch.randn(5, 2, 3)

    def run(p: dict[str, Tensor], b: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], (p, b), (x,))[0]

    assert vmap(run, randomness="different")(parameters, buffers).isfinite().all()


class Encoded(Dataset[Tensor]):
    """Windows encoded by a layer in the worker."""

    def __init__(self, layer: nn.Module) -> None:
        self.layer = layer

    def __len__(self) -> int:
        return 4

    @torch.no_grad()
    def __getitem__(self, index: int) -> Tensor:
        return self.layer(torch.full((5, 3), float(index)))[0]


def test_a_layer_works_in_a_worker_of_a_data_loader() -> None:
    layer = LSTM(3, 4, bidirectional=True)
    data = Encoded(layer)
    expected = torch.stack([data[index] for index in range(4)])  # the parent has run it, then forks
    loader = DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context="fork")
    torch.testing.assert_close(torch.cat(list(loader)), expected)


def test_a_layer_can_be_pickled() -> None:
    layer = LSTM(3, 4, activity_regularizer=L2(0.1), bias_initializer=Chrono(96))
    x = torch.randn(5, 2, 3)
    y = layer(x)
    torch.testing.assert_close(pickle.loads(pickle.dumps(layer))(x), y)


@pytest.mark.parametrize("kind", [LSTM, GRU, RNN])
def test_training_in_bfloat16_gives_gradients(kind: type) -> None:
    layer = kind(3, 4, 2, bidirectional=True, recurrent_dropout=0.2, zoneout=0.1, dtype=torch.bfloat16)
    layer(torch.randn(5, 2, 3, dtype=torch.bfloat16), lengths=[5, 3])[0].float().sum().backward()
    assert all(p.grad.isfinite().all() and p.grad.dtype == torch.bfloat16 for p in layer.parameters())


def test_weights_can_be_parametrized() -> None:
    layer = LSTM(3, 4)
    nn.utils.parametrizations.weight_norm(layer, "weight_hh_l0")
    x = torch.randn(5, 2, 3)
    before = layer(x)[0]
    with torch.no_grad():
        layer.parametrizations.weight_hh_l0.original0.mul_(2)
    plain = LSTM(3, 4)
    plain.load_state_dict({name: getattr(layer, name).detach() for name in plain.state_dict()})
    torch.testing.assert_close(layer(x), plain(x))
    assert (layer(x)[0] - before).abs().max() > 1e-4
