"""Products of bfloat16 on the tiles of AMX: what they compute, and when they are taken."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from fixtures.fresh import run_here
from torch import Tensor, nn

from gatecast import ops, testing
from gatecast.nn import LSTM
from gatecast.ops.library import find, library
from gatecast.ops.lstm_cell import reference
from gatecast.testing import OPTIONS, SHAPES, LSTMCase

pytestmark = pytest.mark.skipif(not library().tiles, reason="this processor has no AMX, or it was not requested")
NARROW = 8  # features up to which the gradient of x is a product of float32


def worth_it(case: LSTMCase) -> LSTMCase:
    """The case with sizes for which the tiles are taken."""
    return replace(case, time=max(4, case.time), batch=max(8, case.batch), hidden=case.hidden + 32)


CASES = [worth_it(case) for case in SHAPES + OPTIONS if case.time and case.batch]
PLAIN = [worth_it(case) for case in SHAPES if case.time and case.batch and case.input]


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@pytest.fixture
def precision() -> Iterator[None]:
    """PyTorch's settings as they were, afterwards."""
    settings = torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.rnn.fp32_precision
    yield
    torch.backends.mkldnn.matmul.fp32_precision, torch.backends.mkldnn.rnn.fp32_precision = settings


def on_tiles(case: LSTMCase, **more: Any) -> ops.CellSpec:
    return replace(case.spec, bfloat16_products=True, **more)


def short(t: Tensor) -> Tensor:
    return t.float().bfloat16().double()


def emulated(case: LSTMCase, grad_y: Tensor) -> dict[str, Tensor]:
    """A plain cell in float64 that rounds the factors of every product, and its gradients for that of y."""
    x, weights, state, _ = testing.arguments(case)
    w_ih, w_hh = short(weights.w_ih), short(weights.w_hh)
    bias = torch.zeros(len(w_hh)).double() if weights.bias is None else weights.bias.double()
    zeros = torch.zeros(case.batch, case.hidden, dtype=torch.float64)
    h, c = (zeros, zeros) if state is None else (state[0].double(), state[1].double())
    steps = list(range(case.time))[:: -1 if case.spec.reverse else 1]
    y, tape = torch.empty(case.time, case.batch, case.hidden, dtype=torch.float64), {}
    for t in steps:
        i, f, g, o = (short(x[t]) @ w_ih.T + short(h) @ w_hh.T + bias).chunk(4, -1)
        i, f, g, o = i.sigmoid(), f.sigmoid(), g.tanh(), o.sigmoid()
        tape[t] = h, c, i, f, g, o
        c = f * c + i * g
        y[t] = h = o * c.tanh()
    found = {"y": y, "c": c, "x": torch.zeros_like(x).double()}
    sums = {"w_ih": torch.zeros_like(w_ih), "w_hh": torch.zeros_like(w_hh), "bias": torch.zeros_like(bias)}
    to_h, to_c = zeros, zeros
    for t in reversed(steps):
        h, c, i, f, g, o = tape[t]
        squashed = (f * c + i * g).tanh()
        to_h = to_h + grad_y[t].double()
        through = to_c + to_h * o * (1 - squashed**2)
        slopes = (through * g * i * (1 - i), through * c * f * (1 - f), through * i * (1 - g**2))
        gates = torch.cat([*slopes, to_h * squashed * o * (1 - o)], -1)
        rounded, to_c = short(gates), through * f
        sums = {"w_ih": sums["w_ih"] + rounded.T @ short(x[t]), "w_hh": sums["w_hh"] + rounded.T @ short(h),
                "bias": sums["bias"] + rounded.sum(0)}  # fmt: skip
        found["x"][t] = gates @ weights.w_ih.double() if case.input <= NARROW else rounded @ w_ih
        to_h = rounded @ w_hh
    return {**found, **sums, "h0": to_h, "c0": to_c}


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_factors_are_rounded_and_nothing_else(case: LSTMCase, recompute: bool) -> None:
    x, weights, state, _ = testing.arguments(case)
    inputs = {"x": x, **weights._asdict()} | ({"h0": state[0], "c0": state[1]} if state else {})
    inputs = {name: t.requires_grad_() for name, t in inputs.items() if t is not None}
    output = ops.lstm(x, weights, state, spec=on_tiles(case, recompute=recompute))
    grad_y = torch.randn(output.y.shape, generator=torch.Generator().manual_seed(3))
    grads = torch.autograd.grad((output.y * grad_y).sum(), list(inputs.values()))
    exact = emulated(case, grad_y)
    found = {"y": output.y, "c": output.c, **dict(zip(inputs, grads, strict=True))}
    wrong = {name: testing.relative_error(t, exact[name]) for name, t in found.items()}
    assert max(wrong.values()) < 1e-3, wrong  # a value between two others may go either way


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("case", CASES, ids=str)
def test_with_every_option_results_stay_near_those_of_float32(case: LSTMCase, recompute: bool) -> None:
    """Outputs by about the rounding, gradients by a few times of it; signs, scales and places are right."""

    def run(*given: Any, spec: ops.CellSpec, **rest: Any) -> ops.LSTMOutput:
        return ops.lstm(*given, spec=replace(spec, bfloat16_products=True, recompute=recompute), **rest)

    arguments = testing.arguments(case)
    found = testing.results(run, case, arguments, torch.float32)
    exact = testing.results(reference.lstm, case, _without_poison(case, arguments), torch.float64)
    wrong = {name: testing.relative_error(found[name], t) for name, t in exact.items()}
    outputs = max(error for name, error in wrong.items() if not name.startswith("grad"))
    assert 1e-4 < outputs < 0.03, wrong
    corners = case.spec.cell_clip or "hard" in str(case.spec) or "relu" in str(case.spec)
    bound = 0.3 if corners else 0.1  # beyond a corner or not: all of a gradient or nothing
    assert max(wrong.values()) < bound, wrong


def _without_poison(case: LSTMCase, given: testing.Arguments) -> testing.Arguments:
    if not case.poison or given.masks.steps is None:
        return given
    x = given.x.clone()
    x[~given.masks.steps] = 0.0
    return given._replace(x=x)


def gradients(spec: ops.CellSpec, case: LSTMCase) -> tuple[Tensor, ...]:
    x, weights, state, _ = testing.arguments(case)
    leaves = [x.requires_grad_(), weights.w_ih.requires_grad_(), weights.w_hh.requires_grad_()]
    y = ops.lstm(x, weights, state, spec=spec).y
    return y, *torch.autograd.grad(y.square().sum(), leaves)


ANY = LSTMCase("any", 9, 75, 12, 40)


def test_threads_give_the_same_outputs() -> None:
    with threads(1):
        alone = gradients(on_tiles(ANY), ANY)
    with threads(2):
        both = gradients(on_tiles(ANY), ANY)
    assert torch.equal(alone[0], both[0])
    torch.testing.assert_close(alone, both)


def of_layer() -> tuple[LSTM, Tensor]:
    return LSTM(8, 32), torch.randn(12, 16, 8, generator=torch.Generator().manual_seed(1))


def is_short(y: Tensor, exact: Tensor) -> bool:
    return 1e-4 < testing.relative_error(y, exact.double()) < 0.02


def test_a_layer_takes_them_where_autocast_allows_it() -> None:
    layer, x = of_layer()
    exact = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        reason, y = ops.explain(layer, x), layer(x)[0]
    y.square().sum().backward()  # outside, as training does
    assert reason.startswith("cpu-amx: torch.autocast: products of bfloat16")
    assert y.dtype == torch.float32
    assert is_short(y, exact)
    with torch.autocast("cpu", torch.float16):
        assert ops.explain(layer, x).startswith("cpu-avx512")


def test_autocast_of_the_forward_pass_decides_about_the_backward_pass() -> None:
    layer, x = of_layer()

    def gradient(forward: bool, backward: bool) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=forward):
            y = layer(x)[0]
        with torch.autocast("cpu", torch.bfloat16, enabled=backward):
            return torch.autograd.grad(y.square().sum(), layer.weight_hh_l0)[0]

    for forward in (False, True):
        assert torch.equal(gradient(forward, False), gradient(forward, True))
    assert is_short(gradient(True, True), gradient(False, False))


_MEDIUM, _OWN = "torch.set_float32_matmul_precision('medium')", "torch.backends.mkldnn"
LOWERED = (_MEDIUM, *(f"{_OWN}.{of}fp32_precision = 'bf16'" for of in ("matmul.", "rnn.", "")))
KEPT = (
    "torch.set_float32_matmul_precision('high')",
    "torch.backends.cuda.matmul.fp32_precision = 'tf32'",
    "torch.backends.fp32_precision = 'tf32'",
    *(f"{_MEDIUM}; {_OWN}.{of}.fp32_precision = 'ieee'" for of in ("matmul", "rnn")),
)
ASK = """
import torch
from gatecast import ops
from gatecast.nn import LSTM
{}
print(ops.explain(LSTM(8, 32), torch.randn(12, 16, 8)).split(":")[0])
"""


@pytest.mark.parametrize("setting", LOWERED + KEPT, ids=str)
def test_they_follow_the_precision_set_in_pytorch(setting: str) -> None:
    assert run_here(ASK.format(setting)) == ("cpu-amx" if setting in LOWERED else "cpu-avx512")


@pytest.mark.usefixtures("precision")
def test_all_layers_at_once_take_them_too() -> None:
    layer, x = LSTM(8, 32, num_layers=2, bidirectional=True), of_layer()[1]
    exact = layer(x)[0]
    torch.backends.mkldnn.rnn.fp32_precision = "bf16"
    y = layer(x)[0]
    with torch.inference_mode():
        at_once = layer(x)[0]
    assert torch.equal(at_once, y)
    assert is_short(y, exact)
    assert ops.explain(layer.double(), x.double()).startswith("reference")


def test_small_calls_and_those_that_forbid_it_stay_exact() -> None:
    for time, batch, hidden in ((40, 1, 64), (3, 16, 64), (40, 3, 128), (40, 64, 31), (40, 6, 40)):
        case = LSTMCase("few", time, batch, 8, hidden)
        x, weights, *_ = testing.arguments(case)
        assert torch.equal(ops.lstm(x, weights, spec=on_tiles(case)).y, ops.lstm(x, weights).y)
        assert ops.explain(x, weights, spec=on_tiles(case)).startswith("cpu-avx512")
    x, weights, *_ = testing.arguments(ANY)
    with torch.autocast("cpu", torch.bfloat16):
        forbidden = ops.lstm(x, weights, spec=ops.CellSpec(bfloat16_products=False)).y
        assert not torch.equal(forbidden, ops.lstm(x, weights).y)
    assert torch.equal(forbidden, ops.lstm(x, weights).y)


def test_a_network_trains_under_autocast_as_it_does_in_float32() -> None:
    x = torch.randn(48, 64, 1, generator=torch.Generator().manual_seed(0)).cumsum(0) / 7
    target = x.roll(-1, 0)[:-1]

    def trained(autocast: bool) -> float:
        torch.manual_seed(0)
        layer, head = LSTM(1, 32), nn.Linear(32, 1)
        adam = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.01)
        for _ in range(60):
            adam.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
                y = layer(x[:-1])[0]
            loss = (head(y) - target).square().mean()
            loss.backward()
            adam.step()
        return loss.item()

    exact = trained(False)
    assert exact < 0.1 * target.square().mean()
    assert trained(True) == pytest.approx(exact, rel=0.1)


COMPILE = """
import torch
from torch.func import functional_call, stack_module_state, vmap
from gatecast.nn import LSTM

layer, x = LSTM(8, 32), torch.randn(12, 16, 8)
compiled = torch.compile(layer, fullgraph=True, backend="aot_eager")
with torch.autocast("cpu", torch.bfloat16):
    found, wanted = compiled(x)[0], layer(x)[0]
    program = torch.export.export(layer, (x,))
    assert torch.equal(program.module()(x)[0], wanted)
    members = [LSTM(8, 32) for _ in range(3)]
    run = lambda p, b: functional_call(members[0], (p, b), (x,))[0]
    together = vmap(run)(*stack_module_state(members))
    assert torch.equal(together, torch.stack([member(x)[0] for member in members]))
assert torch.equal(found, wanted) and not torch.equal(wanted, layer(x)[0])
grads = [torch.autograd.grad(y.square().sum(), layer.weight_hh_l0)[0] for y in (found, wanted)]
torch.testing.assert_close(*grads)
half = LSTM(8, 32, dtype=torch.bfloat16)
assert torch.equal(torch.compile(half, fullgraph=True, backend="eager")(x.bfloat16())[0], half(x.bfloat16())[0])
print("same")
"""


def test_compiled_exported_and_mapped() -> None:
    assert run_here(COMPILE) == "same"


IN_OTHERS = """
import os, threading, torch
go, found = threading.Event(), []
old = threading.Thread(target=lambda: (go.wait(), found.append(call())))
old.start()  # before tiles were requested from the system
from gatecast import ops, testing
case = testing.LSTMCase("any", 9, 75, 12, 40)
x, weights, *_ = testing.arguments(case)
torch.set_num_threads(1)
call = lambda: ops.lstm(x, weights, spec=ops.CellSpec(bfloat16_products=True)).y
wanted = call()
go.set(), old.join()
child = os.fork()
if not child:
    os._exit(0 if torch.equal(call(), wanted) else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert torch.equal(found[0], wanted)
print("same")
"""


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_an_older_thread_and_a_forked_process_have_tiles() -> None:
    assert run_here(IN_OTHERS) == "same"


SMALL_STACK = """
import ctypes, torch
from gatecast import ops
from gatecast.nn import LSTM
class Stack(ctypes.Structure):
    _fields_ = [("sp", ctypes.c_void_p), ("flags", ctypes.c_int), ("size", ctypes.c_size_t)]
memory = ctypes.create_string_buffer(8192)
libc = ctypes.CDLL(None, use_errno=True)
stack = Stack(ctypes.cast(memory, ctypes.c_void_p), 0, 8192)
assert libc.sigaltstack(ctypes.byref(stack), None) == 0  # importing gatecast has not requested tiles
layer, x = LSTM(8, 32, dtype=torch.bfloat16), torch.randn(12, 16, 8, dtype=torch.bfloat16)
layer(x)
print(ops.explain(layer, x).split(",")[0])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for tiles")
def test_without_permission_for_tiles_another_kernel_runs() -> None:
    """The system refuses tiles to a program whose signal stacks have no room for them."""
    assert run_here(SMALL_STACK) == "cpu-avx512: bfloat16"


def test_another_instruction_set_has_none() -> None:
    assert find("amx").tiles
    assert not find("avx512").tiles
    assert not find("avx2").tiles
