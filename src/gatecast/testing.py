"""Cases that tests and benchmarks share: shapes and options of the LSTM, and the comparison with the reference.

A case names what is computed; :func:`arguments` draws its tensors from a seed; :func:`errors` runs the operator in
float32 and the reference in float64, and gives the relative error of every output, state and gradient.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from gatecast.ops import CellSpec, LSTMMasks, LSTMOutput, LSTMWeights
from gatecast.ops import lstm as run_lstm
from gatecast.ops.lstm_cell import reference

TOLERANCE = 1e-5  # of a float32 result against the float64 reference, as the norm of the difference over the norm


@dataclass(frozen=True)
class LSTMCase:
    """One call of the LSTM operator.

    Args:
        name: what is special about it.
        time, batch, input, hidden: sizes.
        spec: options of the cell.
        projection: width of the projection; 0: none.
        norm: normalise these: letters of x, h and c.
        state, bias, peephole: give these.
        steps, recurrent, zone_h, zone_c: give these masks.
        cells: ask for the cell states, and let the loss use them.
        poison: x is NaN at masked steps.
    """

    name: str
    time: int = 12
    batch: int = 11
    input: int = 3
    hidden: int = 20
    spec: CellSpec = field(default_factory=CellSpec)
    projection: int = 0
    norm: str = ""
    state: bool = True
    bias: bool = True
    peephole: bool = False
    steps: bool = False
    recurrent: bool = False
    zone_h: bool = False
    zone_c: bool = False
    cells: bool = False
    poison: bool = False

    def __str__(self) -> str:
        return self.name


class Arguments(NamedTuple):
    """Tensors of a case."""

    x: Tensor
    weights: LSTMWeights
    state: tuple[Tensor, Tensor] | None
    masks: LSTMMasks


# Few steps and more features: normalisation of rows near 0 multiplies rounding errors, from step to step (the reference
# in float32 is as far off).
_NORM: dict[str, Any] = {"time": 5, "input": 12, "norm": "xhc"}
_BOTH: dict[str, Any] = {"projection": 13, **_NORM}
_ALL = CellSpec(coupled=True, reverse=True, cell_clip=0.4, gradient_clip=0.05, zero_output=False)
_MASKED: dict[str, Any] = {"steps": True, "recurrent": True, "zone_h": True, "zone_c": True}

SHAPES = (
    LSTMCase("small"),
    LSTMCase("one unit", 3, 2, 1, 1),
    LSTMCase("one step", 1, 3, 5, 8),
    LSTMCase("one row", 20, 1, 8, 64),
    LSTMCase("one of all", 1, 1, 1, 1),
    LSTMCase("one row, wide", 3, 1, 150, 203),
    LSTMCase("few of all", 2, 3, 9, 17),
    LSTMCase("no state, no bias", 6, 3, 2, 16, state=False, bias=False),
    LSTMCase("no state", 4, 5, 2, 16, state=False),
    LSTMCase("odd", 7, 37, 5, 96),
    LSTMCase("tails", 9, 7, 70, 33),
    LSTMCase("many rows", 3, 131, 3, 20),
    LSTMCase("wide input", 4, 5, 300, 12),
    LSTMCase("long", 400, 2, 2, 8),
    LSTMCase("several pieces of k", 12, 11, 150, 200),
    LSTMCase("few rows", 10, 3, 5, 72),  # which two threads share
    LSTMCase("few rows, many units", 10, 3, 70, 150),  # in the backward pass too
    LSTMCase("shares of x ahead", 70, 1, 40, 48),  # of 64 steps, and of the six left over
    LSTMCase("shares of x ahead, few rows", 45, 3, 33, 40, spec=CellSpec(reverse=True)),
    LSTMCase("shares of x ahead, weights as they are", 20, 1, 40, 260),
    LSTMCase("gates past the caches", 18, 256, 2, 116),
    LSTMCase("uneven parts", 200, 31, 3, 64),  # two threads: the smaller part takes more blocks at a time
    LSTMCase("no steps", 0, 3, 2, 8),
    LSTMCase("no rows", 4, 0, 2, 8),
    LSTMCase("no features", 4, 3, 0, 8),
)

OPTIONS = (
    LSTMCase("reverse", spec=CellSpec(reverse=True)),
    LSTMCase("coupled", spec=CellSpec(coupled=True)),
    LSTMCase("peephole", peephole=True),
    LSTMCase("coupled peephole", spec=CellSpec(coupled=True), peephole=True),
    LSTMCase("cell clip", spec=CellSpec(cell_clip=0.2)),
    LSTMCase("gradient clip", spec=CellSpec(gradient_clip=0.02)),
    LSTMCase("steps", steps=True),
    LSTMCase("steps, output kept", steps=True, spec=CellSpec(zero_output=False)),
    LSTMCase("steps, reverse", steps=True, spec=CellSpec(reverse=True)),
    LSTMCase("NaN at masked steps", steps=True, poison=True),
    LSTMCase("NaN at masked steps, one row", batch=1, hidden=16, steps=True, poison=True),
    LSTMCase("coupled peephole, one step", 1, 2, 9, 17, spec=CellSpec(coupled=True), peephole=True),
    LSTMCase("recurrent mask", recurrent=True),
    LSTMCase("zoneout h", zone_h=True),
    LSTMCase("zoneout c", zone_c=True),
    LSTMCase("cells", cells=True),
    LSTMCase("cells, steps", cells=True, steps=True),
    *(
        LSTMCase(f"{kind} in and out", spec=CellSpec(activation=kind, cell_clip=3.0 if kind == "linear" else None))
        for kind in ("sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh")
    ),
    *(
        LSTMCase(f"{kind} gates", spec=CellSpec(recurrent_activation=kind))
        for kind in ("tanh", "hard_sigmoid", "softsign", "hard_tanh")
    ),
    LSTMCase("projection", projection=7),
    LSTMCase("wide projection, one row", batch=1, projection=50),
    LSTMCase("projection, one step", 1, 2, projection=1),
    LSTMCase("projection, many rows", 3, 131, 3, 70, projection=40, state=False),
    *(LSTMCase(f"norm of {what}", norm=what, input=12) for what in ("x", "h", "c")),
    LSTMCase("norm", **_NORM),
    LSTMCase("norm, no state, no bias", batch=5, hidden=16, **_NORM, state=False, bias=False),
    LSTMCase("norm, one row", batch=1, hidden=64, **_NORM),
    LSTMCase("norm, one step", batch=3, hidden=8, **{**_NORM, "time": 1}),
    LSTMCase("norm, one unit", 3, 2, 4, 1, norm="xh"),
    LSTMCase("norm, no features", 4, 3, 0, 8, norm="hc"),
    LSTMCase("norm, no steps", batch=3, hidden=8, **{**_BOTH, "time": 0}),
    LSTMCase("norm, no rows", batch=0, hidden=8, **_BOTH),
    LSTMCase("norm, many rows", 3, 131, 150, 40, norm="xhc"),
    LSTMCase("norm, NaN at masked steps", **_NORM, steps=True, poison=True),
    LSTMCase("norm and projection", **_BOTH),
    LSTMCase("norm of a sigmoid cell", norm="c", spec=CellSpec(activation="sigmoid", cell_clip=0.4)),
    LSTMCase("all with both", batch=16, spec=_ALL, peephole=True, cells=True, poison=True, **_BOTH, **_MASKED),
    LSTMCase(
        "all with both, four gates", batch=70, spec=replace(_ALL, coupled=False), peephole=True, **_BOTH, **_MASKED
    ),
    LSTMCase("all", 9, 16, 5, 20, spec=_ALL, peephole=True, cells=True, poison=True, **_MASKED),
    LSTMCase("all, four gates, many rows", 6, 70, 3, 24, spec=replace(_ALL, coupled=False), peephole=True, **_MASKED),
    LSTMCase("all, few rows", 7, 3, 5, 150, spec=_ALL, peephole=True, cells=True, poison=True, **_MASKED),
    LSTMCase("all, zero output", 8, 15, 3, 28, spec=replace(_ALL, zero_output=True), peephole=True, **_MASKED),
)


def arguments(case: LSTMCase, *, seed: int = 0) -> Arguments:
    """Tensors of a case, float32, from a seed."""
    draw = torch.Generator().manual_seed(seed)

    def normal(*shape: int, scale: float = 1.0) -> Tensor:
        return torch.randn(*shape, generator=draw) * scale

    def share(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=draw)

    time, batch, hidden, gates = case.time, case.batch, case.hidden, case.spec.gates * case.hidden
    wide, output = hidden**-0.5, case.projection or hidden
    weights = LSTMWeights(
        normal(gates, case.input, scale=0.5),
        normal(gates, output, scale=wide),
        normal(gates, scale=0.3) if case.bias else None,
        normal(case.spec.gates - 1, hidden, scale=0.3) if case.peephole else None,
        1 + normal(gates, scale=0.3) if "x" in case.norm else None,
        1 + normal(gates, scale=0.3) if "h" in case.norm else None,
        torch.tensor([[1.0], [0.0]]) + normal(2, hidden, scale=0.3) if "c" in case.norm else None,
        normal(output, hidden, scale=wide) if case.projection else None,
    )
    state = (normal(batch, output, scale=0.5), normal(batch, hidden, scale=0.5)) if case.state else None
    x = normal(time, batch, case.input)
    masks = LSTMMasks(
        share(time, batch) < 0.7 if case.steps else None,
        (share(1, batch, output) < 0.8).float().div(0.8).expand(time, -1, -1) if case.recurrent else None,
        (share(time, batch, output) < 0.3).float() if case.zone_h else None,
        torch.tensor(0.2).expand(time, batch, hidden) if case.zone_c else None,
    )
    if case.poison and masks.steps is not None:
        x[~masks.steps] = torch.nan
    return Arguments(x, weights, state, masks)


def results(
    function: Callable[..., LSTMOutput], case: LSTMCase, given: Arguments, dtype: torch.dtype, *, seed: int = 1
) -> dict[str, Tensor]:
    """Outputs, states and all gradients of a function with the operator's signature, for a random linear loss."""

    def cast(t: Tensor | None) -> Tensor | None:
        return None if t is None else t.detach().to(dtype).requires_grad_()

    x = cast(given.x)
    weights = LSTMWeights(*(cast(t) for t in given.weights))  # type: ignore[arg-type]
    state = None if given.state is None else (cast(given.state[0]), cast(given.state[1]))
    masks = LSTMMasks(given.masks.steps, *(t if t is None else t.to(dtype) for t in given.masks[1:]))
    output = function(x, weights, state, spec=case.spec, masks=masks, cells=case.cells)
    draw = torch.Generator().manual_seed(seed)
    loss: Any = 0.0
    for t in output:
        if t is not None:
            loss = loss + (t * torch.randn(t.shape, generator=draw).to(dtype)).sum()
    inputs = {"x": x, **weights._asdict()} | ({"h0": state[0], "c0": state[1]} if state else {})
    inputs = {name: t for name, t in inputs.items() if t is not None}
    grads = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True)
    named = {name: t for name, t in output._asdict().items() if t is not None}
    pairs = zip(inputs.items(), grads, strict=True)
    return named | {f"grad_{name}": torch.zeros_like(t) if g is None else g for (name, t), g in pairs}


def errors(case: LSTMCase, *, seed: int = 0) -> dict[str, float]:
    """Relative error of every output, state and gradient: the operator in float32, the reference in float64."""
    given = arguments(case, seed=seed)
    found = results(run_lstm, case, given, torch.float32)
    if case.poison and given.masks.steps is not None:  # the reference's gradient multiplies NaN by 0
        given.x[~given.masks.steps] = 0.0
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # on small tensors a second thread of the reference waits more than it works
    exact = results(reference.lstm, case, given, torch.float64)
    torch.set_num_threads(threads)
    return {name: relative_error(found[name], exact[name]) for name in exact}


def relative_error(found: Tensor, exact: Tensor) -> float:
    """Norm of the difference over the norm; the norm of the difference where the exact value is 0."""
    difference, size = (found.double() - exact.double()).norm().item(), exact.double().norm().item()
    return difference / size if size else difference
