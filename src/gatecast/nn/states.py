"""The state of a stack of layers: given, kept from the call before, learned, or made from a static context."""

from __future__ import annotations

import sys
from typing import Any

import torch
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.nn.cell_kinds import Design, State
from gatecast.nn.checks import check_static, checked_part, checked_state, same_kind, wrong_number
from gatecast.nn.options import StackOptions
from gatecast.nn.parameters import Recurrent
from gatecast.ops.lstm_cell import transforms

Space = tuple[Any, ...]  # sizes of the state beside its width; one may be symbolic while torch.export traces


class WithState(Recurrent):
    """A recurrent module whose state has an axis of layers and directions."""

    stack: StackOptions
    kept_h: Tensor | None

    def _add_initial_state(self, count: int, options: StackOptions, **factory: Any) -> None:
        """Buffers and parameters of the state of ``count`` layers times directions."""
        self.stack, self.state_count = options, count
        for name, width in zip(self.design.parts, self.design.widths, strict=True):
            self.register_buffer(f"kept_{name}", None, persistent=False)
            if name not in self.design.learned:
                continue
            if self.stack.learn_initial_state:
                self.register_parameter(f"initial_{name}", nn.Parameter(torch.empty(count, width, **factory)))
            if size := self.stack.static_size:
                shape = (count, width, size)
                self.register_parameter(f"weight_static_{name}", nn.Parameter(torch.empty(shape, **factory)))

    def reset_parameters(self) -> None:
        """Draw all weights anew; a learned initial state begins at 0."""
        super().reset_parameters()
        for name, parameter in self.named_parameters(recurse=False):
            if name.startswith("initial_"):
                nn.init.zeros_(parameter)
            elif name.startswith("weight_static_"):
                bound = max(self.stack.static_size, 1) ** -0.5
                nn.init.uniform_(parameter, -bound, bound)

    def reset_state(self) -> None:
        """Forget the state that a stateful layer kept."""
        for name in self.design.parts:
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
        return given_state(self.design, hx, batch, weight, count=count, batched=batched, space=space)

    def _made_state(self, batch: int, static: Tensor | None, space: Space) -> State | None:
        """The learned state plus that of the static context."""
        if not self.stack.learn_initial_state and static is None:
            return None
        if static is not None:
            static = same_kind("static", static, self.first_weight)
        made = tuple(self._made_part(name, batch, static) for name in self.design.learned)
        return self.design.completed(
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
        return state.to(self.first_weight.dtype)  # another dtype: autocast chose it

    def _kept(self, batch: int, space: Space) -> State:
        """The state of the call before."""
        assert self.kept_h is not None
        self._check_fits(self.kept_h, batch, space)
        return tuple(self._kept_part(name) for name in self.design.parts)

    def _check_fits(self, kept: Tensor, batch: int, space: Space) -> None:
        if kept.shape[1] != batch:
            raise SettingError(
                f"this stateful layer holds the state of a batch of {kept.shape[1]} and got a batch of {batch}; "
                "keep the batch, or call reset_state()"
            )
        if tuple(kept.shape[3:]) != space:
            raise SettingError(
                f"this stateful layer holds a state of size {tuple(kept.shape[3:])} in space, and this input makes one "
                f"of size {space}; keep the size, or call reset_state()"
            )

    def _kept_part(self, name: str) -> Tensor:
        """In the dtype of the state, which ``layer.to(...)`` may have changed, and fit for a gradient."""
        part: Tensor = getattr(self, f"kept_{name}")
        if torch.compiler.is_exporting():
            part = part.clone()  # the program writes the buffer anew, and a gradient may still need this
        elif not torch.compiler.is_compiling() and part.is_inference() and not torch.is_inference_mode_enabled():
            part = part.clone()  # kept inside inference_mode by a compiled call
        return part.to(self.design.part_dtype(name, self.first_weight.dtype))

    def _check_can_keep(self, batch: int, space: Space) -> None:
        """Before anything runs: the state of this call will have a place to stay."""
        if transforms.in_vmap():
            raise SettingError(
                "a stateful layer keeps one state, and inside torch.func.vmap (or a transform that is being compiled) "
                "each member has its own; make it with stateful=False, and hand the state on: layer(x, state)"
            )
        if not torch.compiler.is_exporting():
            return
        if becomes_onnx():
            raise SettingError(
                "an ONNX model keeps no state from call to call; make the layer with stateful=False, and hand the "
                "state on: layer(x, state)"
            )
        if self.kept_h is None:
            raise SettingError(
                "a stateful layer is exported with the state that it keeps; call it once on a batch of the size to "
                "come, or make it with stateful=False"
            )
        self._check_fits(self.kept_h, batch, space)

    def _keep(self, state: State) -> None:
        """A copy of its own: what is handed out may be written to, and a view of it cannot be traced."""
        for name, part in zip(self.design.parts, state, strict=True):
            if torch.compiler.is_exporting():
                getattr(self, f"kept_{name}").copy_(part.detach())  # a program has its buffers for good
            else:
                setattr(self, f"kept_{name}", own_copy(part))


def becomes_onnx() -> bool:
    """``torch.onnx.export`` is at work."""
    flags: Any = sys.modules.get("torch.onnx._internal.exporter._flags")  # the compiler takes the public one for False
    return torch.onnx.is_in_onnx_export() or getattr(flags, "_is_onnx_exporting", False)


def own_copy(part: Tensor) -> Tensor:
    """The same numbers without graph or transform, fit for any later call."""
    if torch.compiler.is_compiling():
        return part.detach().clone()
    part = transforms.plain(transforms.plain(part).detach().clone())
    if not part.is_inference():
        return part
    with torch.inference_mode(False), torch.no_grad():  # else a tensor that no gradient and no program can take
        return part.clone()


def given_state(
    design: Design,
    hx: Any,
    batch: int,
    weight: Tensor,
    *,
    count: int | None = None,
    batched: bool = True,
    space: Space = (),
) -> State:
    """A given state as checked tensors with a batch axis.

    Args:
        design: of the cell.
        hx: the tensor of h, or the pair (h, c).
        batch: rows of the batch.
        weight: any weight, for dtype and device.
        count: layers times directions; None: no such axis.
        batched: the state comes with a batch axis.
        space: size of the state in each axis of space.
    """
    names, device = design.parts, weight.device
    state = (hx,) if isinstance(hx, Tensor) else checked_state(hx, names)
    if len(state) != len(names):
        raise wrong_number(state, names)
    lead = (batch,) if batched else ()
    lead = lead if count is None else (count, *lead)
    checked = []
    for name, width, part in zip(names, design.widths, state, strict=True):
        shape, dtype = (*lead, width, *space), design.part_dtype(name, weight.dtype)
        if part.shape != shape or part.dtype != dtype or part.device != device:
            axes = (
                ["layers*directions"] * (count is not None) + ["batch"] * batched + ["width", *["space"] * len(space)]
            )
            part = checked_part(f"{name}0", part, shape, dtype, weight, axes)
        checked.append(part)
    return tuple(checked) if batched else tuple(part.unsqueeze(-2 - len(space)) for part in checked)


def state_out(state: State) -> Any:
    """A state as users know it: the tensor of h, or the pair (h, c)."""
    return state[0] if len(state) == 1 else state
