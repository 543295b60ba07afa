"""What happens inside a recurrent layer: gates, cell state and output of every layer, direction, step and unit.

The outputs and cell states are those of the layer's own run (by its kernel, where there is one). The gates follow from
them: step ``t`` read ``x_t`` and the state of the step before, so that one product gives the gates of all steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.text import nearest
from gatecast.lab.gates import GATES, Run
from gatecast.nn.cell_kinds import LayerOutput
from gatecast.nn.stack import Stack


@dataclass(frozen=True)
class Record:
    """Every value inside a recurrent layer, by name: ``record["f"]``.

    Args:
        cell: class of the layer.
        parts: ``(layers*directions, time, batch, hidden)`` each; the names depend on the cell, see :func:`record`.
        directions: 1 or 2; the second reads backwards, and its values stand at the time that they belong to.
    """

    cell: str
    parts: dict[str, Tensor]
    directions: int = 1

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the values."""
        return tuple(self.parts)

    def __getitem__(self, name: str) -> Tensor:
        if name not in self.parts:
            known = ", ".join(self.parts)
            close = nearest(name, self.parts)
            remedy = f"take {close}" if close else f"a record of {self.cell} has {known}"
            raise UnknownNameError(f"there is no {name!r} in a record of {self.cell}, which has {known}", remedy)
        return self.parts[name]

    def memory(self) -> Tensor:
        """Steps after which a unit's memory has fallen to a third, ``1 / -log f``, at its mean forget gate.

        Returns:
            ``(layers*directions, hidden)``. The GRU keeps the share z; a cell without a forget gate forgets nothing
            (infinity), and one without gates (RNN) has no such number (NaN).
        """
        gate = {"f": self.parts.get("f"), "z": self.parts.get("z")}
        kept = gate["f"] if gate["f"] is not None else gate["z"]
        if kept is None:
            value = torch.inf if "c" in self.parts else torch.nan
            return torch.full((self["h"].shape[0], self["h"].shape[-1]), value)
        return -1 / kept.double().clamp_max(1).mean((1, 2)).log()


@torch.no_grad()
def record(layer: nn.Module, x: Any, *args: Any, **options: Any) -> Record:
    """Run a layer, or a model that has one, and record every gate and state.

    Names: LSTM ``i, f, g, o, c, h`` (input gate, forget gate, candidate, output gate, cell state, output); sLSTM the
    same and ``n, m`` (normaliser; logarithm of the common scale of c and n; i and f in that scale); LSTM1997
    ``i, g, o, c, h`` (it has no forget gate; a block's gates stand at each of its cells); GRU ``r, z, n, h`` (reset,
    update, candidate); RNN ``h``.

    Args:
        layer: LSTM, GRU, RNN, sLSTM or LSTM1997 of ``gatecast.nn``, or a module with such a layer inside, whose first
            call is recorded. It runs in evaluation mode; its mode is restored.
        x: what the module takes: for a layer ``(time, batch, feature)``, or as ``batch_first`` says.
        *args: further arguments of the module, such as the initial state.
        **options: further arguments of the module by name.

    Returns:
        The record; ``h`` are the outputs of each layer and direction before they are joined.

    Raises:
        SettingError: there is no recurrent layer of ``gatecast.nn``, or steps are masked.

    Example:
        >>> import torch
        >>> from gatecast.lab import record
        >>> from gatecast.nn import LSTM
        >>> layer, x = LSTM(3, 8, num_layers=2), torch.randn(20, 1, 3)
        >>> seen = record(layer, x)
        >>> seen["f"].shape
        torch.Size([2, 20, 1, 8])
        >>> c = seen["f"][:, 1:] * seen["c"][:, :-1] + (seen["i"] * seen["g"])[:, 1:]
        >>> bool(torch.allclose(c, seen["c"][:, 1:], atol=1e-6))
        True
    """
    stack, training = recurrent_layer(layer), layer.training
    layer.eval()
    try:
        with tapped(stack) as runs:
            layer(x, *args, **options)
    finally:
        layer.train(training)
    return record_of(stack, runs)


def record_of(stack: Stack, runs: list[Run]) -> Record:
    """The record of the first call of a tapped layer."""
    first = runs[: stack.num_layers * stack.directions]
    if not first:
        raise SettingError("the model did not call its recurrent layer", "give record an input that reaches it")
    if any(run.masked for run in first):
        raise SettingError(
            "record reads sequences without masked steps", "leave out mask and lengths, and cut padding off"
        )
    each = [run.parts() for run in first]
    if stack.stack.go_backwards:
        each = [{name: part.flip(0) for name, part in parts.items()} for parts in each]
    joined = {name: torch.stack([parts[name] for parts in each]).detach() for name in each[0]}
    return Record(type(stack).__name__, joined, stack.directions)


def recurrent_layer(module: Any) -> Stack:
    """The first recurrent layer of a module.

    Raises:
        SettingError: there is no layer that can be recorded.
    """
    modules = list(module.modules()) if isinstance(module, nn.Module) else []
    for one in modules:
        if isinstance(one, Stack) and type(one.cell) in GATES:
            return one
    names = "LSTM, GRU, RNN, sLSTM or LSTM1997 of gatecast.nn"
    foreign = next((one for one in modules if isinstance(one, nn.RNNBase)), None)
    if foreign is not None:
        kind = type(foreign).__name__
        raise SettingError(
            f"record needs a layer of gatecast.nn, got torch.nn.{kind}",
            f"make gatecast.nn.{kind} of the same sizes and call its load_state_dict(layer.state_dict())",
        )
    raise SettingError(f"{type(module).__name__} has no recurrent layer to record", f"give one with an {names}")


@contextmanager
def tapped(stack: Stack) -> Iterator[list[Run]]:
    """Collect what each layer and direction reads and gives while the block runs."""
    runs: list[Run] = []
    cell = stack.cell
    stack.cell = _tap(cell, runs)
    try:
        yield runs
    finally:
        stack.cell = cell


def _tap(cell: Any, runs: list[Run]) -> Any:
    """The same cell, of a subclass that keeps what it runs."""

    def run(_: Any, x: Tensor, weights: Any, state: Any, spec: Any, masks: Any, *, cells: bool = False) -> LayerOutput:
        out: LayerOutput = cell.run(x, weights, state, spec, masks, cells=True)
        runs.append(Run(cell, x, dict(weights), state, spec, masks, out))
        return out if cells else out._replace(cells=None)

    def run_all(*_: Any, **__: Any) -> None:
        """All layers in one call would hide the lower ones."""

    tap: Any = object.__new__(type(type(cell).__name__, (type(cell),), {"run": run, "run_all": run_all}))
    tap.__dict__.update(vars(cell))
    return tap
