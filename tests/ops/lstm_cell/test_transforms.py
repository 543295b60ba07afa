"""The kernels under torch.func: members of vmap in one call, equal to members one by one, with all gradients."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.func import grad, hessian, jacfwd, jacrev, jvp, vmap
from torch.utils._python_dispatch import TorchDispatchMode

from gatecast import ops, testing
from gatecast.ops.library import library
from gatecast.ops.lstm_cell import reference
from gatecast.testing import OPTIONS, SHAPES, TOLERANCE, Arguments, LSTMCase

pytestmark = pytest.mark.skipif(not library().isa, reason="no kernel")
CASE = LSTMCase("base", 4, 3, 2, 9, cells=True)
FULL = replace(CASE, steps=True, recurrent=True, zone_h=True, zone_c=True, peephole=True, projection=5, norm="xhc")
COUNT = 3  # members
FORWARD_MODE = pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")  # PyTorch's own, there
Named = dict[str, Tensor]


def named(given: Arguments) -> tuple[Named, Named]:
    """Tensors that may have gradients, and masks, by name."""
    inputs = {"x": given.x, **given.weights._asdict()}
    if given.state is not None:
        inputs |= {"h0": given.state[0], "c0": given.state[1]}
    pairs = (inputs, given.masks._asdict())
    first, second = ({name: t for name, t in pair.items() if t is not None} for pair in pairs)
    return first, second


def run(case: LSTMCase, inputs: Named, masks: Named, function: Callable[..., ops.LSTMOutput] = ops.lstm) -> Any:
    state = (inputs["h0"], inputs["c0"]) if "h0" in inputs else None
    weights = ops.LSTMWeights(**{name: t for name, t in inputs.items() if name not in ("x", "h0", "c0")})
    found = function(inputs["x"], weights, state, spec=case.spec, masks=ops.LSTMMasks(**masks), cells=case.cells)
    return {name: t for name, t in found._asdict().items() if t is not None}


def loss(case: LSTMCase, inputs: Named, masks: Named, function: Callable[..., ops.LSTMOutput] = ops.lstm) -> Tensor:
    """A different share of every output."""
    found = run(case, inputs, masks, function).values()
    return torch.stack([(t * torch.arange(1.0, 1 + t.numel()).sin().view(t.shape)).sum() for t in found]).sum()


def draw(case: LSTMCase, count: int = COUNT) -> tuple[list[tuple[Named, Named]], Named, Named]:
    """Members, and the same stacked on a first axis."""
    members = [named(testing.arguments(case, seed=seed)) for seed in range(count)]
    inputs, masks = (
        {name: torch.stack([member[part][name] for member in members]) for name in members[0][part]} for part in (0, 1)
    )
    return members, inputs, masks


def same(found: Named, one_by_one: list[Named], tolerance: float = TOLERANCE) -> None:
    for name, t in found.items():
        wanted = torch.stack([one[name] for one in one_by_one])
        assert t.shape == wanted.shape
        assert testing.relative_error(t, wanted) < tolerance, name


class Calls(TorchDispatchMode):
    """Counts the operators that run, by name and axes of x."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "gatecast":
            x = args[4] if "backward" in func.name() else args[0]
            self.heard[f"{func.name().split('::')[1]} of {x.dim()} axes"] += 1
        return func(*args, **(kwargs or {}))


@contextmanager
def calls_are(**expected: int) -> Iterator[None]:
    """``forward3=1``: that many calls of the forward operator, with x of three axes; and no others."""
    with Calls() as calls:
        yield
    names = {f"lstm_{name[:-1]} of {name[-1]} axes": count for name, count in expected.items()}
    assert calls.heard == names


# ── members with separate weights ────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("case", [*SHAPES, *OPTIONS], ids=str)
def test_a_group_is_its_members_one_by_one(case: LSTMCase) -> None:
    case = replace(case, time=min(case.time, 40))
    members, inputs, masks = draw(case, 2)
    same(vmap(lambda i, m: run(case, i, m))(inputs, masks), [run(case, *member) for member in members])
    gradient = grad(lambda i, m: loss(case, i, m))
    same(vmap(gradient)(inputs, masks), [gradient(*member) for member in members])


@pytest.mark.parametrize("recompute", [False, True])
def test_a_gradient_after_vmap(recompute: bool) -> None:
    case = replace(FULL, norm="c", spec=ops.CellSpec(recompute=recompute))
    members, inputs, masks = draw(case)
    leaves = {name: t.requires_grad_() for name, t in inputs.items()}
    vmap(lambda i, m: loss(case, i, m))(leaves, masks).sum().backward()
    gradients = [grad(lambda i, m: loss(case, i, m))(*member) for member in members]
    same({name: t.grad for name, t in leaves.items() if t.grad is not None}, gradients)


def test_one_call_runs_the_group_forward_and_one_backward() -> None:
    _, inputs, masks = draw(FULL)
    with calls_are(forward4=1):
        vmap(lambda i, m: run(FULL, i, m))(inputs, masks)
    with calls_are(forward4=1, backward4=1):
        vmap(grad(lambda i, m: loss(FULL, i, m)))(inputs, masks)


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("count", [1, 2, 5])
def test_members_are_shared_out_over_the_threads(count: int, threads: int) -> None:
    case = replace(FULL, time=12, batch=11, input=12, hidden=40)
    members, inputs, masks = draw(case, count)
    gradient = grad(lambda i, m: loss(case, i, m))
    wanted = [gradient(*member) for member in members]
    torch.set_num_threads(threads)
    same(vmap(gradient)(inputs, masks), wanted)
    again = [vmap(gradient)(inputs, masks) for _ in range(2)]
    assert all(torch.equal(again[0][name], again[1][name]) for name in again[0])


@pytest.mark.parametrize("axis", [1, -1])
def test_members_on_any_axis(axis: int) -> None:
    members, inputs, masks = draw(FULL)
    turned = [{name: t.movedim(0, axis) for name, t in part.items()} for part in (inputs, masks)]
    gradient = grad(lambda i, m: loss(FULL, i, m))
    same(vmap(gradient, in_dims=axis)(*turned), [gradient(*member) for member in members])


# ── tensors that members share ───────────────────────────────────────────────────────────────────────────────────────
NAMES = [*named(testing.arguments(FULL))[0], *named(testing.arguments(FULL))[1]]


@pytest.mark.parametrize("own", NAMES)
def test_one_tensor_per_member(own: str) -> None:
    """All others are shared: their gradients are separate for each member inside vmap, and sums outside of it."""
    members, inputs, masks = draw(FULL)
    inputs, masks = ({name: t if name == own else t[0] for name, t in part.items()} for part in (inputs, masks))
    dims = tuple({name: 0 if name == own else None for name in part} for part in (inputs, masks))
    mixed = [
        tuple({name: (part if name == own else members[0][k])[name] for name in part} for k, part in enumerate(member))
        for member in members
    ]
    same(vmap(lambda i, m: run(FULL, i, m), in_dims=dims)(inputs, masks), [run(FULL, *one) for one in mixed])
    gradient = grad(lambda i, m: loss(FULL, i, m))
    wanted = [gradient(*one) for one in mixed]
    same(vmap(gradient, in_dims=dims)(inputs, masks), wanted)
    found = grad(lambda i: vmap(lambda i, m: loss(FULL, i, m), in_dims=dims)(i, masks).sum())(inputs)
    for name, t in found.items():
        total = torch.stack([one[name] for one in wanted])
        assert testing.relative_error(t, total if name == own else total.sum(0)) < TOLERANCE, name


def test_members_that_share_their_weights_are_rows_of_one_batch() -> None:
    _, inputs, _ = draw(CASE)
    weights = {name: t[0] for name, t in inputs.items() if name != "x"} | {"x": inputs["x"]}
    dims = {name: 0 if name == "x" else None for name in weights}
    leaves = {name: t.clone().requires_grad_() for name, t in weights.items()}
    with calls_are(forward3=1, backward3=1):
        vmap(lambda i: loss(CASE, i, {}), in_dims=(dims,))(leaves).sum().backward()
    with calls_are(forward3=1, backward4=1):  # weights have a gradient for each row
        vmap(grad(lambda i: loss(CASE, i, {})), in_dims=(dims,))(weights)


def test_a_shared_input_is_not_copied_for_each_member() -> None:
    shapes = []

    class Copies(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            found = func(*args, **(kwargs or {}))
            if func.namespace == "aten" and isinstance(found, Tensor) and not func.is_view:
                shapes.append(tuple(found.shape))
            return found

    _, inputs, _ = draw(CASE)
    shared = {**inputs, "x": inputs["x"][0].transpose(0, 1).contiguous().transpose(0, 1)}
    dims = {name: None if name == "x" else 0 for name in inputs}
    with Copies():
        vmap(lambda i: run(CASE, i, {}), in_dims=(dims,))(shared)
    assert not [shape for shape in shapes if len(shape) > 2]


def test_masks_drawn_by_each_member() -> None:
    _, inputs, _ = draw(CASE)

    def dropped(i: Named) -> Any:
        mask = torch.nn.functional.dropout(torch.ones(1, 3, 9), 0.5).expand(4, 3, 9)
        return run(CASE, i, {"recurrent": mask}), mask

    found, masks = vmap(dropped, randomness="different")(inputs)
    assert not torch.equal(masks[0], masks[1])
    members = [{name: t[k] for name, t in inputs.items()} for k in range(COUNT)]
    same(found, [run(CASE, one, {"recurrent": masks[k]}) for k, one in enumerate(members)])


# ── transforms on transforms ─────────────────────────────────────────────────────────────────────────────────────────
def test_groups_of_groups() -> None:
    """The outer axis on everything, then only on x: weights of the inner group are shared."""
    _, inputs, masks = draw(FULL, 6)
    both = [{name: t.unflatten(0, (2, 3)) for name, t in part.items()} for part in (inputs, masks)]
    gradient = grad(lambda i, m: loss(FULL, i, m))
    wanted = vmap(gradient)(inputs, masks)
    found = vmap(vmap(gradient))(*both)
    torch.testing.assert_close({name: t.flatten(0, 1) for name, t in found.items()}, wanted)
    inner = {name: t[0] for name, t in both[0].items()} | {"x": both[0]["x"]}
    masks = {name: t[0] for name, t in both[1].items()}
    dims = ({name: 0 if name == "x" else None for name in inner}, None)
    with calls_are(forward4=1):
        found = vmap(vmap(lambda i, m: run(FULL, i, m)), in_dims=dims)(inner, masks)
    for k in range(2):
        one = vmap(lambda i, m: run(FULL, i, m))({**inner, "x": inner["x"][k]}, masks)
        torch.testing.assert_close({name: t[k] for name, t in found.items()}, one)


def test_gradients_of_a_group_can_be_differentiated_again() -> None:
    case = replace(FULL, norm="", time=3)
    _, inputs, masks = draw(case)

    def penalty(function: Callable[..., ops.LSTMOutput], own: Named) -> Tensor:
        gradients = vmap(grad(lambda i, m: loss(case, i, m, function)))(own, masks)
        return torch.stack([g.square().sum() for g in gradients.values()]).sum()

    leaves = [{name: t.clone().requires_grad_() for name, t in inputs.items()} for _ in range(2)]
    for own, function in zip(leaves, (ops.lstm, reference.lstm), strict=True):
        penalty(function, own).backward()
    for name, t in leaves[0].items():
        assert testing.relative_error(t.grad, leaves[1][name].grad) < TOLERANCE, name  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "transform", [jacrev, hessian, lambda f: jacrev(jacrev(f)), jacfwd], ids=["jacrev", "hessian", "third", "jacfwd"]
)
@pytest.mark.filterwarnings("ignore:gatecast's LSTM runs its slower reference")
@FORWARD_MODE
def test_jacobians_and_hessians(transform: Callable[..., Any]) -> None:
    case = LSTMCase("tiny", 2, 2, 2, 3, peephole=True)
    inputs, masks = named(testing.arguments(case))
    found, wanted = (transform(lambda i, f=f: loss(case, i, masks, f))(inputs) for f in (ops.lstm, reference.lstm))
    torch.testing.assert_close(found, wanted)


def test_a_batch_of_gradients() -> None:
    inputs, _ = named(testing.arguments(CASE))
    x = inputs["x"].requires_grad_()
    y = run(CASE, inputs, {})["y"]
    seeds = torch.randn(5, *y.shape)

    def pulled(seed: Tensor) -> Tensor:
        return torch.autograd.grad(y, x, seed, retain_graph=True)[0]

    wanted = torch.stack([pulled(seed) for seed in seeds])
    with calls_are(backward4=1):
        torch.testing.assert_close(vmap(pulled)(seeds), wanted)
    torch.testing.assert_close(torch.autograd.grad(y, x, seeds, is_grads_batched=True)[0], wanted)


@pytest.mark.parametrize("change", [{"time": 0}, {"batch": 0}, {"input": 0}, {"time": 1, "batch": 1}])
def test_empty_and_smallest_members(change: dict[str, int]) -> None:
    case = replace(CASE, **change)
    members, inputs, masks = draw(case)
    gradient = grad(lambda i, m: loss(case, i, m))
    same(vmap(gradient)(inputs, masks), [gradient(*member) for member in members])
    shared = {name: t if name == "x" else t[0] for name, t in inputs.items()}
    dims = {name: 0 if name == "x" else None for name in inputs}
    found = vmap(lambda i: run(case, i, {}), in_dims=(dims,))(shared)
    same(found, [run(case, {**members[0][0], "x": member[0]["x"]}, {}) for member in members])


# ── what is kept, what runs ──────────────────────────────────────────────────────────────────────────────────────────
def test_gates_are_kept_only_for_a_gradient() -> None:
    kept = []

    class Keep(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
            if func is torch.ops.gatecast.lstm_forward.default:
                kept.append(args[-1])
            return func(*args, **(kwargs or {}))

    _, inputs, _ = draw(replace(CASE, cells=False))
    leaves = {name: t.clone().requires_grad_() for name, t in inputs.items()}
    call = vmap(lambda i: run(replace(CASE, cells=False), i, {})["y"])
    with Keep():
        call(inputs)
        call(leaves)
        with torch.no_grad():
            call(leaves)
        vmap(grad(lambda i: loss(CASE, i, {})))(inputs)
    assert kept == [0, 2, 0, 2]


@FORWARD_MODE
def test_forward_mode_runs_the_reference() -> None:
    x, weights, *_ = testing.arguments(CASE)
    reasons = []

    def function(x: Tensor) -> Tensor:
        reasons.append(ops.explain(x, weights))
        return reference.lstm(x, weights).y

    jvp(function, (x,), (x,))
    vmap(lambda x: jvp(function, (x,), (x,)))(x[None])
    with torch.autograd.forward_ad.dual_level():
        function(x)
    assert all(one.startswith("reference: inside jvp, functionalize or forward-mode") for one in reasons)
    vmap(lambda x: reasons.append(ops.explain(x, weights)), out_dims=None)(x[None])
    assert reasons[-1].startswith(f"cpu-{library().isa}")


def test_a_mask_with_a_gradient_runs_the_reference_at_any_level() -> None:
    x, weights, *_ = testing.arguments(CASE)
    mask = torch.rand(2, *x.shape[:2], 9)

    def total(mask: Tensor, function: Callable[..., ops.LSTMOutput] = ops.lstm) -> Tensor:
        outputs = vmap(lambda m: function(x, weights, masks=ops.LSTMMasks(recurrent=m)).y)(mask)
        return outputs.square().sum()

    with pytest.warns(ops.SlowPathWarning, match="mask needs a gradient"):
        found = grad(total)(mask)
    torch.testing.assert_close(found, grad(lambda m: total(m, reference.lstm))(mask))
