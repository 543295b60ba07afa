"""Products of bfloat16 on the tiles of AMX: what they compute, and when they are taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatecast import ops, testing
from gatecast.nn import LSTM
from gatecast.ops import reference
from gatecast.ops.library import find, library
from gatecast.testing import OPTIONS, SHAPES, LSTMCase

pytestmark = pytest.mark.skipif(not library().halves, reason="this processor has no AMX, or it was not asked for")
ROWS = [case for case in SHAPES + OPTIONS if case.batch > 1 and case.time * case.batch >= 16]
PLAIN = [case for case in ROWS if case in SHAPES and case.input]


@pytest.fixture
def medium() -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")
    yield
    torch.set_float32_matmul_precision(before)


@contextmanager
def threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    yield
    torch.set_num_threads(before)


def short(t: Tensor) -> Tensor:
    return t.bfloat16().double()


@pytest.mark.parametrize("case", PLAIN, ids=str)
def test_the_factors_are_rounded_and_nothing_else(case: LSTMCase) -> None:
    """Beside a loop in float64 that rounds x, the weights and, at every step, h."""
    x, weights, state, _ = testing.arguments(case)
    found = ops.lstm(x, weights, state, spec=replace(case.spec, halves=True))
    w_ih, w_hh = short(weights.w_ih), short(weights.w_hh)
    bias = 0.0 if weights.bias is None else weights.bias.double()
    zeros = torch.zeros(case.batch, case.hidden, dtype=torch.float64)
    h, c = (zeros, zeros) if state is None else (state[0].double(), state[1].double())
    y = torch.empty(case.time, case.batch, case.hidden, dtype=torch.float64)
    for t in reversed(range(case.time)) if case.spec.reverse else range(case.time):
        i, f, g, o = (short(x[t]) @ w_ih.T + short(h) @ w_hh.T + bias).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        y[t] = h = o.sigmoid() * c.tanh()
    assert testing.relative_error(found.y, y) < 3e-4  # an h between two numbers may go either way
    assert testing.relative_error(found.c, c) < 3e-4


@pytest.mark.parametrize("recompute", [False, True], ids=["kept", "recomputed"])
@pytest.mark.parametrize("case", ROWS, ids=str)
def test_results_are_those_of_float32_to_two_digits(case: LSTMCase, recompute: bool) -> None:
    def run(*given: Any, spec: ops.CellSpec, **rest: Any) -> ops.LSTMOutput:
        return ops.lstm(*given, spec=replace(spec, halves=True, recompute=recompute), **rest)

    arguments = testing.arguments(case)
    found = testing.results(run, case, arguments, torch.float32)
    exact = testing.results(reference.lstm, case, _without_poison(case, arguments), torch.float64)
    wrong = {name: testing.relative_error(found[name], t) for name, t in exact.items()}
    bound = 0.3 if case.spec.cell_clip else 0.08  # a cell at its bound or not: all of its gradient or nothing
    assert max(wrong.values()) < bound, wrong
    assert max(wrong.values()) > 1e-4 or not case.input  # or they were not rounded


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


def test_gates_computed_again_give_the_same_gradients() -> None:
    case, spec = LSTMCase("any", 9, 37, 12, 40), ops.CellSpec(halves=True)
    torch.testing.assert_close(gradients(replace(spec, recompute=True), case), gradients(spec, case))


def test_threads_give_the_same_outputs() -> None:
    case, spec = LSTMCase("any", 9, 75, 12, 40), ops.CellSpec(halves=True)
    with threads(1):
        alone = gradients(spec, case)
    with threads(2):
        both = gradients(spec, case)
    assert torch.equal(alone[0], both[0])
    torch.testing.assert_close(alone, both)


def test_a_layer_takes_them_where_autocast_allows_it() -> None:
    layer, x = LSTM(8, 32), torch.randn(12, 16, 8)
    exact = layer(x)[0]
    with torch.autocast("cpu", torch.bfloat16):
        told, y = ops.explain(layer, x), layer(x)[0]
        y.square().sum().backward()
    assert told.startswith("cpu-amx: torch.autocast: products of bfloat16")
    assert y.dtype == torch.float32
    assert 1e-4 < testing.relative_error(y, exact.double()) < 0.02
    with torch.autocast("cpu", torch.float16):
        assert ops.explain(layer, x).startswith("cpu-avx512")


@pytest.mark.usefixtures("medium")
def test_a_layer_takes_them_at_medium_precision() -> None:
    layer, x = LSTM(8, 32, num_layers=2, bidirectional=True), torch.randn(12, 16, 8)
    told, y = ops.explain(layer, x), layer(x)[0]
    with torch.inference_mode():
        at_once = layer(x)[0]
    torch.set_float32_matmul_precision("highest")
    assert told.startswith("cpu-amx: torch.get_float32_matmul_precision() is 'medium': products of bfloat16")
    torch.testing.assert_close(at_once, y, rtol=1e-2, atol=1e-3)
    assert 1e-4 < testing.relative_error(y, layer(x)[0].double()) < 0.02
    assert ops.explain(layer, x).startswith("cpu-avx512: float32")


@pytest.mark.usefixtures("medium")
def test_float64_stays_exact() -> None:
    layer, x = LSTM(8, 32).double(), torch.randn(12, 16, 8, dtype=torch.float64)
    assert ops.explain(layer, x).startswith("reference")


def test_single_rows_and_short_calls_stay_exact() -> None:
    for time, batch in ((40, 1), (3, 5)):
        x, weights, *_ = testing.arguments(LSTMCase("few", time, batch, 8, 32))
        torch.testing.assert_close(ops.lstm(x, weights, spec=ops.CellSpec(halves=True)), ops.lstm(x, weights))


def test_a_network_trains_under_autocast_as_it_does_in_float32() -> None:
    x = torch.randn(48, 64, 1, generator=torch.Generator().manual_seed(0)).cumsum(0) / 7
    target = x.roll(-1, 0)[:-1]

    def trained(short: bool) -> float:
        torch.manual_seed(0)
        layer, head = LSTM(1, 32), nn.Linear(32, 1)
        adam = torch.optim.Adam([*layer.parameters(), *head.parameters()], 0.01)
        for _ in range(60):
            adam.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=short):
                y = layer(x[:-1])[0]
            loss = (head(y) - target).square().mean()
            loss.backward()
            adam.step()
        return loss.item()

    exact = trained(False)
    assert exact < 0.1 * target.square().mean()
    assert trained(True) == pytest.approx(exact, rel=0.1)


def test_another_instruction_set_has_none() -> None:
    assert find("amx").halves == "amx"
    assert find("avx512").halves == find("avx2").halves == ""
