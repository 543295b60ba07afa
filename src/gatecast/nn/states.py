"""Stacks of layers and their state: given, kept from the last call, learned, or computed from a static context."""

from __future__ import annotations

import sys
import warnings
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Call
from gatecast.nn.cell_kinds import CellKind, LayerOutput, State
from gatecast.nn.checks import check_static, checked_part, checked_state, same_kind, wrong_number
from gatecast.nn.masks import draw_masks, dropped
from gatecast.nn.options import StackOptions, differences
from gatecast.nn.parameters import Recurrent
from gatecast.nn.sequences import Form, last_step, merged
from gatecast.ops.lstm_cell import transforms

_PASS_ON = "make it with " + Arg("stateful", False) + " and pass the state on: layer(x, state)"
Space = tuple[Any, ...]  # further sizes of the state; symbolic while torch.export traces


class StackOutput(NamedTuple):
    """Output of all layers."""

    y: Tensor  # (time, batch, width, *space); of one step alone (batch, width)
    last: Tensor | None  # (batch, width, *space), without return_sequences
    state: State  # (layers*directions, batch, width, *space) each
    cells: Tensor | None  # (layers*directions, time, batch, hidden)


class Layers(Recurrent):
    """Stacked layers in one or two directions; their state has an axis of layers and directions."""

    stack: StackOptions
    num_layers: int
    dropout: float
    bidirectional: bool
    rank: ClassVar[int] = 0  # axes of space behind the features, or channels
    kept_h: Tensor | None

    @property
    def directions(self) -> int:
        """1 or 2."""
        return 2 if self.bidirectional else 1

    @property
    def _inputs(self) -> int:
        """Features, or channels, of the input."""
        raise NotImplementedError

    def _build(self, given: dict[str, Any]) -> None:
        super()._build(given)
        if self.dropout > 0 and self.num_layers == 1:
            warnings.warn(
                f"dropout={self.dropout} acts between layers and has no effect with num_layers=1; "
                "use input_dropout or recurrent_dropout, or leave it 0",
                stacklevel=3,
            )

    def _settle(self, given: dict[str, Any], *options: Any) -> None:
        stack = options[1]
        if stack.residual and given["bidirectional"] and not stack.return_sequences:
            raise SettingError(
                Arg("return_sequences", False) + " with " + Arg("residual", True) + " needs one last step, and two "
                "directions have two",
                "use " + Arg("return_sequences", True) + " and select steps of the output",
            )
        given["dropout"] = float(given["dropout"])

    def _add_parameters(self, *options: Any, **factory: Any) -> None:
        (self.stack,) = options
        joined = self.bidirectional and self.stack.merge_mode in ("concat", None)
        below = self.cell.widths[0] * (2 if joined else 1)
        for layer in range(self.num_layers):
            width = self._inputs if layer == 0 else below + self._inputs * self.stack.skip
            for suffix in (f"_l{layer}", f"_l{layer}_reverse")[: self.directions]:
                self._add_weights(suffix, width, **factory)
        self._add_initial_state(**factory)

    def _add_initial_state(self, **factory: Any) -> None:
        """Add buffers and parameters of the state."""
        self.state_count = count = self.num_layers * self.directions
        for name, width in zip(self.cell.parts, self.cell.widths, strict=True):
            self.register_buffer(f"kept_{name}", None, persistent=False)
            if name not in self.cell.learned:
                continue
            if self.stack.learn_initial_state:
                self.register_parameter(f"initial_{name}", nn.Parameter(torch.empty(count, width, **factory)))
            if size := self.stack.static_size:
                shape = (count, width, size)
                self.register_parameter(f"weight_static_{name}", nn.Parameter(torch.empty(shape, **factory)))

    def settings(self) -> dict[str, Any]:
        return super().settings() | differences(self.stack)

    def reset_parameters(self) -> None:
        """Draw all weights again; a learned initial state begins at 0."""
        super().reset_parameters()
        for name, parameter in self.named_parameters(recurse=False):
            if name.startswith("initial_"):
                nn.init.zeros_(parameter)
            elif name.startswith("weight_static_"):
                bound = max(self.stack.static_size, 1) ** -0.5
                nn.init.uniform_(parameter, -bound, bound)

    def reset_state(self) -> None:
        """Drop the state that a stateful layer keeps."""
        for name in self.cell.parts:
            setattr(self, f"kept_{name}", None)

    def _first_state(
        self, batch: int, hx: Any, static: Tensor | None, *, batched: bool, stateful: bool, space: Space = ()
    ) -> State | None:
        """The state before the first step; None: zeros."""
        if stateful:
            self._check_can_keep(batch, space)
        kept = stateful and hx is None and self.kept_h is not None
        if static is not None or (hx is None and not kept):
            check_static(static, self.stack.static_size, batch, batched=batched, state_given=hx is not None)
        if kept:
            return self._kept(batch, space)
        if static is not None and not batched:
            static = static[None]
        if hx is None:
            return self._made_state(batch, static, space)
        count, weight = self.state_count, self.first_weight
        return given_state(self.cell, hx, batch, weight, count=count, batched=batched, space=space)

    def _made_state(self, batch: int, static: Tensor | None, space: Space) -> State | None:
        """The learned state plus that of the static context."""
        if not self.stack.learn_initial_state and static is None:
            return None
        if static is not None:
            static = same_kind("static", static, self.first_weight)
        made = tuple(self._made_part(name, batch, static) for name in self.cell.learned)
        return self.cell.completed(
            tuple(part[(..., *[None] * len(space))].expand(*part.shape, *space) for part in made)
        )

    def _made_part(self, name: str, batch: int, static: Tensor | None) -> Tensor:
        """``(layers*directions, batch, width)`` of h or of c."""
        parts: list[Tensor] = []
        if self.stack.learn_initial_state:
            parts.append(getattr(self, f"initial_{name}")[:, None].expand(-1, batch, -1))
        if static is not None:
            parts.append(torch.einsum("lws,bs->lbw", getattr(self, f"weight_static_{name}"), static))
        state = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        return state.to(self.first_weight.dtype)  # autocast may have changed it

    def _kept(self, batch: int, space: Space) -> State:
        """The state after the last call."""
        assert self.kept_h is not None
        self._check_fits(self.kept_h, batch, space)
        return tuple(self._kept_part(name) for name in self.cell.parts)

    def _check_fits(self, kept: Tensor, batch: int, space: Space) -> None:
        if kept.shape[1] != batch:
            raise SettingError(
                f"this stateful layer holds the state of a batch of {kept.shape[1]}, got a batch of {batch}",
                "keep the batch, or call " + Call("reset_state"),
            )
        if tuple(kept.shape[3:]) != space:
            raise SettingError(
                f"this stateful layer holds a state of size {tuple(kept.shape[3:])} in space, got an input whose state "
                f"has size {space}",
                "keep the size, or call " + Call("reset_state"),
            )

    def _kept_part(self, name: str) -> Tensor:
        """A kept part in the current dtype of the layer, usable in a graph."""
        part: Tensor = getattr(self, f"kept_{name}")
        if torch.compiler.is_exporting():
            part = part.clone()  # the program overwrites the buffer, which a gradient may still need
        elif not torch.compiler.is_compiling() and part.is_inference() and not torch.is_inference_mode_enabled():
            part = part.clone()  # kept inside inference_mode by a compiled call
        return part.to(self.cell.part_dtype(name, self.first_weight.dtype))

    def _check_can_keep(self, batch: int, space: Space) -> None:
        """Check, before anything runs, that the state of this call can be kept."""
        if transforms.in_vmap():
            raise SettingError(
                "a stateful layer keeps one state, but inside torch.func.vmap (or a transform that is being compiled) "
                "each member has another",
                _PASS_ON,
            )
        if not torch.compiler.is_exporting():
            return
        if becomes_onnx():
            raise SettingError(
                "an ONNX model keeps no state between calls",
                _PASS_ON,
            )
        if self.kept_h is None:
            raise SettingError(
                "a stateful layer is exported with the state that it keeps, and this one keeps none yet",
                "call it once on a batch of the intended size, or make it with stateful=False",  # export shows no Text
            )
        self._check_fits(self.kept_h, batch, space)

    def _keep(self, state: State) -> None:
        """Keep a copy: callers may modify the returned state, and views cannot be traced."""
        for name, part in zip(self.cell.parts, state, strict=True):
            if torch.compiler.is_exporting():
                getattr(self, f"kept_{name}").copy_(part.detach())  # the buffers of a program are fixed
            else:
                setattr(self, f"kept_{name}", detached_copy(part))

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _read(self, x: Tensor, state: State | None, steps: Tensor | None, form: Form) -> Any:
        """Run all layers over an opened sequence; the results in the form in which it came."""
        if self.stack.go_backwards:
            x, steps = x.flip(0), None if steps is None else steps.flip(0)
        out = self._run(x, state, steps)
        if self.stack.stateful:
            self._keep(out.state)
        y, shaped = (out.y, form.sequence) if out.last is None else (out.last, form.state)
        self._note_activity(y, -2 - self.rank)
        both = self.bidirectional and self.stack.merge_mode is None
        results: list[Any] = [tuple(map(shaped, y.chunk(2, -1 - self.rank))) if both else shaped(y)]
        if self.stack.return_state:
            results.append(state_out(form.states(out.state)))
        if out.cells is not None:
            results.append(form.padded(out.cells))
        return results[0] if len(results) == 1 else tuple(results)

    def _run(self, x: Tensor, state: State | None, steps: Tensor | None) -> StackOutput:
        """Run all layers over a sequence."""
        return self._run_one_by_one(x, state, steps)

    # ── the layers ───────────────────────────────────────────────────────────────────────────────────────────────────
    def _run_one_by_one(
        self,
        x: Float[Tensor, "time batch input *space"],
        state: State | None,
        steps: Bool[Tensor, "time batch"] | None,
    ) -> StackOutput:
        x = dropped(x, self.cell.options.input_dropout, training=self.training, variational=True)
        below, base, every = x, None, []
        runs: list[LayerOutput] = []
        for layer in range(self.num_layers):
            base = below if layer and self.stack.residual else None
            inputs = self._between(below, x) if layer else x
            runs = [self._direction(layer, d, inputs, state, steps) for d in range(self.directions)]
            below = self._join([run.y for run in runs], base)
            every += runs
        last = None
        if not self.stack.return_sequences:
            last = self._join([run.state[0] for run in runs], None if base is None else last_step(base, steps))
        ends = tuple(_stacked(parts) for parts in zip(*(run.state for run in every), strict=True))
        cells = [run.cells for run in every if run.cells is not None]
        return StackOutput(below, last, ends, torch.stack(cells) if cells else None)

    def _between(self, below: Tensor, x: Tensor) -> Tensor:
        """Input of a layer above the first."""
        below = below.to(x.dtype)  # autocast may have changed it
        below = dropped(below, self.dropout, training=self.training, variational=self.stack.variational)
        return torch.cat([below, x], -1 - self.rank) if self.stack.skip else below

    def _direction(
        self, layer: int, direction: int, x: Tensor, state: State | None, steps: Tensor | None
    ) -> LayerOutput:
        index = layer * self.directions + direction
        options, widths, space = self.cell.options, self.cell.widths, self._space(layer, x)
        masks = draw_masks(x, steps, options, widths, training=self.training, space=space)
        start = None if state is None else tuple(part[index] for part in state)
        weights, cells = self._weights(self.suffixes[index]), getattr(self.stack, "return_cells", False)
        return self.cell.run(x, weights, start, self._spec(layer, direction), masks, cells=cells)

    def _space(self, layer: int, x: Tensor) -> Space:
        """Further sizes of a layer's state."""
        return ()

    def _spec(self, layer: int, direction: int) -> Any:
        """Options that the operator of one layer and direction reads."""
        raise NotImplementedError

    def _join(self, parts: list[Tensor], base: Tensor | None = None) -> Tensor:
        """Join both directions and add the layer's input."""
        y = merged(parts, self.stack.merge_mode, -1 - self.rank)
        return y if base is None else y + base


def becomes_onnx() -> bool:
    """Whether ``torch.onnx.export`` is running."""
    flags: Any = sys.modules.get("torch.onnx._internal.exporter._flags")  # compiled code sees the public one as False
    return torch.onnx.is_in_onnx_export() or getattr(flags, "_is_onnx_exporting", False)


def detached_copy(part: Tensor) -> Tensor:
    """A copy without graph or transform, usable in any later call."""
    if torch.compiler.is_compiling():
        return part.detach().clone()
    part = transforms.plain(transforms.plain(part).detach().clone())
    if not part.is_inference():
        return part
    with torch.inference_mode(False), torch.no_grad():  # inference tensors cannot be used in gradients or programs
        return part.clone()


def given_state(
    cell: CellKind,
    hx: Any,
    batch: int,
    weight: Tensor,
    *,
    count: int | None = None,
    batched: bool = True,
    space: Space = (),
) -> State:
    """Validate a given state and add a batch axis if it lacks one.

    Args:
        cell: kind of the cell.
        hx: the tensor of h, or the pair (h, c).
        batch: rows of the batch.
        weight: any weight, for dtype and device.
        count: layers times directions; None: no such axis.
        batched: the state comes with a batch axis.
        space: size of the state in each axis of space.
    """
    names, device = cell.parts, weight.device
    state = (hx,) if isinstance(hx, Tensor) else checked_state(hx, names)
    if len(state) != len(names):
        raise wrong_number(state, names)
    lead = (batch,) if batched else ()
    lead = lead if count is None else (count, *lead)
    checked = []
    for name, width, part in zip(names, cell.widths, state, strict=True):
        shape, dtype = (*lead, width, *space), cell.part_dtype(name, weight.dtype)
        if part.shape != shape or part.dtype != dtype or part.device != device:
            axes = (
                ["layers*directions"] * (count is not None) + ["batch"] * batched + ["width", *["space"] * len(space)]
            )
            part = checked_part(f"{name}0", part, shape, dtype, weight, axes)
        checked.append(part)
    return tuple(checked) if batched else tuple(part.unsqueeze(-2 - len(space)) for part in checked)


def state_out(state: State) -> Any:
    """The state in the form of the public interface: the tensor of h, or the pair (h, c)."""
    return state[0] if len(state) == 1 else state


def _stacked(parts: tuple[Tensor, ...]) -> Tensor:
    """Stack on a new first axis, without a copy of a single part."""
    return parts[0][None] if len(parts) == 1 else torch.stack(parts)
