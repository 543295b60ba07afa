"""The LSTM operator against its reference: outputs, states and all gradients, for every case of gatecast.testing."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest
import torch
from fixtures.fresh import run_here
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from gatecast import ops, testing
from gatecast.ops.library import find, library
from gatecast.ops.lstm_cell import kernel, reference
from gatecast.testing import OPTIONS, SHAPES, TOLERANCE, Arguments, LSTMCase

CASE = LSTMCase("base")
KINDS = ("tanh", "sigmoid", "hard_sigmoid", "softsign", "hard_tanh")


@pytest.fixture(params=[1, 2])
def threads(request: pytest.FixtureRequest, _one_thread: None) -> int:
    torch.set_num_threads(request.param)
    return int(request.param)


def close(case: LSTMCase, seed: int = 0) -> None:
    errors = testing.errors(case, seed=seed)
    wrong = {name: f"{error:.1e}" for name, error in errors.items() if not error < TOLERANCE}
    assert not wrong, f"{case}: {wrong}"


@pytest.mark.parametrize("case", SHAPES + OPTIONS, ids=str)
def test_every_case_follows_the_reference(case: LSTMCase, threads: int) -> None:
    close(case)


@pytest.mark.parametrize("case", SHAPES + OPTIONS, ids=str)
def test_recomputed_gates_give_the_same(case: LSTMCase) -> None:
    close(replace(case, spec=replace(case.spec, recompute=True)))


@pytest.mark.parametrize("batch", [1, 2, 7])
@pytest.mark.parametrize("hidden", [48, 201])
def test_threads_that_share_rows_give_the_same(batch: int, hidden: int) -> None:
    """All bits: who computes a unit does not matter, and none reads what another has not yet written."""
    case = replace(CASE, batch=batch, hidden=hidden, time=40, steps=True, recurrent=True, zone_c=True, peephole=True)
    for options in (replace(case, steps=False, recurrent=False, zone_c=False, peephole=False), case):
        x, weights, state, masks = testing.arguments(options)
        alone = ops.lstm(x, weights, state, masks=masks)
        torch.set_num_threads(2)
        for _ in range(5):
            together = ops.lstm(x, weights, state, masks=masks)
            assert all(torch.equal(a, b) for a, b in zip(alone[:3], together[:3], strict=True))
        torch.set_num_threads(1)


@pytest.mark.parametrize("recompute", [False, True], ids=["gates kept", "gates computed again"])
@pytest.mark.parametrize(("batch", "time"), [(1, 259), (2, 40), (7, 40)], ids=str)
def test_threads_that_share_rows_give_the_same_gradients(batch: int, time: int, recompute: bool) -> None:
    """All bits, where hidden units are enough for two threads in every instruction set."""
    case = replace(CASE, batch=batch, hidden=201, time=time, input=21, spec=replace(CASE.spec, recompute=recompute))
    for options in (case, replace(case, steps=True, recurrent=True, zone_c=True, peephole=True)):
        alone = gradients(options)
        torch.set_num_threads(2)
        for _ in range(5):
            assert all(torch.equal(a, b) for a, b in zip(alone, gradients(options), strict=True))
        torch.set_num_threads(1)


def gradients(case: LSTMCase) -> tuple[torch.Tensor, ...]:
    """Of x, the state and all weights."""
    x, weights, state, masks = testing.arguments(case)
    assert state is not None
    given = [t.requires_grad_() for t in (x, *state, *weights) if t is not None]
    out = ops.lstm(x, weights, state, spec=case.spec, masks=masks)
    return torch.autograd.grad(out.y.square().sum() + out.h.sum() + out.c.square().sum(), given)


@pytest.mark.skipif(not library().isa, reason="no kernel")
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("case", SHAPES + OPTIONS, ids=str)
def test_half_precision_is_off_by_its_rounding(case: LSTMCase, dtype: torch.dtype) -> None:
    """Of input, weights and what comes out: nothing in between is rounded, unless products of bfloat16 are allowed."""
    case = replace(case, spec=replace(case.spec, bfloat16_products=False))
    given = testing.arguments(case)
    rounded = Arguments(*(_rounded(part, dtype) for part in given))
    found = testing.results(ops.lstm, case, rounded, dtype)
    if case.poison and given.masks.steps is not None:
        rounded.x[~given.masks.steps] = 0.0
    exact = testing.results(reference.lstm, case, rounded, torch.float64)
    assert {t.dtype for t in found.values()} == {dtype}
    wrong = {name: testing.relative_error(found[name], t) for name, t in exact.items()}
    assert max(wrong.values()) < 2 * torch.finfo(dtype).eps, wrong


def _rounded(part: Any, dtype: torch.dtype) -> Any:
    """Tensors, or tuples of them, as this dtype holds them."""
    if isinstance(part, tuple):
        new = [_rounded(one, dtype) for one in part]
        return type(part)(*new) if hasattr(part, "_fields") else tuple(new)
    return part if part is None or part.dtype == torch.bool else part.to(dtype).float()


def test_an_expanded_mask_in_half_precision_stays_expanded() -> None:
    mask = torch.ones(1, 1, 20, dtype=torch.bfloat16).expand(5, 3, 20)
    wide = kernel._wide(mask)
    assert (wide.dtype, wide.shape, wide.stride()) == (torch.float32, mask.shape, mask.stride())


def test_recomputed_gates_are_not_kept() -> None:
    def kept(spec: ops.CellSpec) -> int:
        sizes: list[int] = []
        x, weights, state, _ = testing.arguments(replace(CASE, hidden=32))
        weights.w_hh.requires_grad_()
        with torch.autograd.graph.saved_tensors_hooks(lambda t: sizes.append(t.numel()) or t, lambda t: t):
            ops.lstm(x, weights, state, spec=spec)
        return sum(sizes)

    gates = CASE.time * CASE.batch * 4 * 32
    assert kept(ops.CellSpec()) - kept(ops.CellSpec(recompute=True)) == gates


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(
    sizes=st.tuples(*(st.integers(1, most) for most in (9, 14, 19, 35))),
    switches=st.tuples(*[st.booleans()] * 11),
    projection=st.sampled_from([0, 0, 3, 17]),
    kinds=st.tuples(st.sampled_from(KINDS), st.sampled_from(KINDS)),
    clips=st.tuples(st.sampled_from([None, 0.3]), st.sampled_from([None, 0.03])),
)
def test_any_sizes_and_options(
    sizes: tuple[int, ...],
    switches: tuple[bool, ...],
    projection: int,
    kinds: tuple[str, str],
    clips: tuple[float | None, float | None],
) -> None:
    state, bias, peephole, steps, recurrent, zone_h, zone_c, cells, coupled, backwards, zeros = switches
    spec = ops.CellSpec(*kinds, coupled, backwards, *clips, zeros)
    given = (state, bias, peephole, steps, recurrent, zone_h, zone_c, cells)
    close(LSTMCase("fuzz", *sizes, spec, projection, "", *given), seed=3)


def test_a_batch_first_view_needs_no_copy_and_gives_the_same() -> None:
    x, weights, state, _ = testing.arguments(CASE)
    view = x.transpose(0, 1).contiguous().transpose(0, 1)
    assert not view.is_contiguous()
    assert torch.equal(ops.lstm(view, weights, state).y, ops.lstm(x, weights, state).y)


@pytest.mark.parametrize("make", [lambda x: x[::2, 1:], lambda x: x.flip(2), lambda x: x[:, :, :1].expand(-1, -1, 4)])
def test_strided_input(make: object) -> None:
    x = make(torch.randn(12, 5, 4))  # type: ignore[operator]
    weights = testing.arguments(replace(CASE, input=4))[1]
    torch.testing.assert_close(
        ops.lstm(x, weights).y, ops.lstm(x.clone(memory_format=torch.contiguous_format), weights).y
    )


def test_a_gradient_with_gaps() -> None:
    x, weights, *_ = testing.arguments(CASE)
    x.requires_grad_()
    (wanted,) = torch.autograd.grad(reference.lstm(x, weights).y.flip(2)[::2].mul(2).sum(), x)
    (found,) = torch.autograd.grad(ops.lstm(x, weights).y.flip(2)[::2].mul(2).sum(), x)
    torch.testing.assert_close(found, wanted)


def test_only_what_is_used_gives_gradients() -> None:
    x, weights, state, _ = testing.arguments(CASE)
    w_hh = weights.w_hh.requires_grad_()
    for pick in ("h", "c"):
        (wanted,) = torch.autograd.grad(getattr(reference.lstm(x, weights, state), pick).sum(), w_hh)
        (found,) = torch.autograd.grad(getattr(ops.lstm(x, weights, state), pick).sum(), w_hh)
        torch.testing.assert_close(found, wanted)


def test_results_are_the_same_bit_for_bit(threads: int) -> None:
    case = replace(CASE, batch=67, hidden=40)
    first, second = (testing.results(ops.lstm, case, testing.arguments(case), torch.float32) for _ in range(2))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_decaying_states_are_flushed_and_the_callers_mode_comes_back() -> None:
    tiny = torch.tensor(1e-39)
    weights = ops.LSTMWeights(torch.zeros(4 * 8, 1), torch.zeros(4 * 8, 8), torch.zeros(4 * 8))
    state = (torch.full((2, 8), 1e-30), torch.full((2, 8), 1e-30))
    c = ops.lstm(torch.zeros(35, 2, 1), weights, state).c
    assert c.count_nonzero() == 0  # 1e-30 / 2^35 is a denormal number
    assert (tiny * 0.5).item() > 0


def test_ten_training_steps_follow_the_reference() -> None:
    def train(function: object, dtype: torch.dtype) -> list[float]:
        x, weights, *_ = testing.arguments(replace(CASE, input=2, hidden=24))
        parameters = [t.to(dtype).requires_grad_() for t in weights[:3] if t is not None]
        optimizer, losses = torch.optim.SGD(parameters, 1.0), []
        for _ in range(10):
            y = function(x.to(dtype), ops.LSTMWeights(*parameters)).y  # type: ignore[operator]
            loss = (y.mean(-1) - x[..., 0].to(dtype).cumsum(0).tanh()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return losses

    wanted = train(reference.lstm, torch.float64)
    assert wanted[-1] < wanted[0]
    assert train(ops.lstm, torch.float32) == pytest.approx(wanted, rel=1e-5)


def test_values_far_out_saturate_and_nan_stays_nan() -> None:
    weights = ops.LSTMWeights(torch.ones(4 * 8, 1), torch.zeros(4 * 8, 8))
    for value in (1e4, -1e4, 1e30, -1e30):
        x = torch.full((3, 1, 1), value)
        torch.testing.assert_close(ops.lstm(x, weights).y, reference.lstm(x, weights).y)
    assert ops.lstm(torch.full((1, 1, 1), torch.nan), weights).y.isnan().all()


CHECK_ALL = """
from dataclasses import replace
import torch
from gatecast import testing
torch.utils.deterministic.fill_uninitialized_memory = True
torch.use_deterministic_algorithms(True)
torch.set_num_threads(2)
cases = [case for case in testing.SHAPES + testing.OPTIONS if case.time < 100]
again = [replace(case, spec=replace(case.spec, recompute=True)) for case in cases]
for case in cases + again:
    for name, error in testing.errors(case).items():
        assert error < testing.TOLERANCE, (case.name, name, error)
from gatecast.ops.library import find, library
print(library().isa)
"""


@pytest.mark.parametrize("isa", ["avx2", "avx512", "neon"])
def test_every_instruction_set_of_this_machine_with_poisoned_memory(isa: str) -> None:
    if find(isa).isa != isa:
        pytest.skip(f"this processor has no {isa}")
    assert run_here(CHECK_ALL, GATECAST_ISA=isa, GATECAST_POISON="1") == isa


ROWS_ALONE = """
from dataclasses import replace
import torch
from gatecast import ops, testing
torch.set_num_threads(1)
names = ("coupled peephole", "cell clip", "zoneout c", "zoneout h", "softsign gates", "all, four gates, many rows")
for case in (testing.LSTMCase("plain"), *(c for c in testing.OPTIONS if c.name in names)):
    case = replace(case, batch=7, hidden=50)
    x, weights, state, masks = testing.arguments(case)

    def run(first, end):
        part = ops.LSTMMasks(*(t if t is None else t.expand(-1, 7, *t.shape[2:])[:, first:end] for t in masks))
        leaves = [x[:, first:end], *(t[first:end] for t in state)]
        leaves = [t.detach().requires_grad_() for t in leaves]
        call = lambda: ops.lstm(leaves[0], weights, tuple(leaves[1:]), spec=case.spec, masks=part).y
        with torch.no_grad():  # another path of the kernel
            once = call()
        y = call()
        to_x, *to_state = torch.autograd.grad(y.square().sum(), leaves)
        return *(t.transpose(0, 1) for t in (once, y, to_x)), *to_state

    whole = run(0, 7)
    for first, end in ((0, 2), (0, 3), (2, 7), (3, 7)):
        assert all(torch.equal(a[first:end], b) for a, b in zip(whole, run(first, end))), (case.name, first, end)
print("same")
"""


@pytest.mark.parametrize("isa", ["avx2", "avx512", "neon"])
def test_a_row_gets_the_same_bits_whatever_the_other_rows_are(isa: str) -> None:
    """So a result does not depend on how threads share the rows out; a row alone is added up in another order."""
    if find(isa).isa != isa:
        pytest.skip(f"this processor has no {isa}")
    assert run_here(ROWS_ALONE, GATECAST_ISA=isa) == "same"


def test_the_kernel_runs_here() -> None:
    """Without it, the tests above compare the reference with itself."""
    if os.environ.get("GATECAST_ISA") == "reference":
        pytest.skip("the reference was selected")
    assert library().isa, library().reason


def test_first_order_gradients_after_a_second_order_one() -> None:
    x, weights, *_ = testing.arguments(LSTMCase("tiny", 3, 2, 2, 4))
    w = weights.w_hh.requires_grad_()

    def penalty(function: object) -> Tensor:
        y = function(x, weights).y  # type: ignore[operator]
        (grad,) = torch.autograd.grad(y.square().sum(), w, create_graph=True)
        return torch.autograd.grad(grad.square().sum(), w)[0]

    torch.testing.assert_close(penalty(ops.lstm), penalty(reference.lstm))
