"""Forms of a sequence: batch or time first, unbatched, packed; lengths and masks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Shaped
from torch import Tensor
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn.checks import Lengths, Mask, as_tensor, check_mask, checked_lengths

WHOLE = "whole numbers, one for each sequence"


class Form(NamedTuple):
    """The form of the input, for the output.

    Args:
        batch_first: batch before time.
        batched: whether there is a batch axis.
        packed: the input, if it was packed.
        space: axes of space after the features.
    """

    batch_first: bool
    batched: bool
    packed: PackedSequence | None = None
    space: int = 0

    def sequence(self, y: Float[Tensor, "time batch *feature"]) -> Tensor | PackedSequence:
        """A sequence in the form of the input."""
        return self.padded(y) if self.packed is None else _pack(y, self.packed)

    def padded(self, y: Float[Tensor, "*layers time batch feature"]) -> Tensor:
        """A sequence in the form of the input, as a tensor even if the input was packed."""
        if not self.batched:
            return y.squeeze(-2 - self.space)
        return y.transpose(-3 - self.space, -2 - self.space) if self.batch_first else y

    def state(self, h: Float[Tensor, "*layers batch feature"]) -> Tensor:
        """A state or an output of one step, without the batch axis where the input had none."""
        return h if self.batched else h.squeeze(-2 - self.space)

    def states(self, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """All parts of a state."""
        return parts if self.batched else tuple(map(self.state, parts))


def open_sequence(
    x: Tensor | PackedSequence, *, batch_first: bool, space: int = 0
) -> tuple[Tensor, Tensor | None, Form]:
    """The input as ``(time, batch, feature, *space)``, its lengths if it was packed, and its form."""
    if isinstance(x, PackedSequence):
        padded, lengths = pad_packed_sequence(x)
        return padded, lengths, Form(batch_first, True, x, space)
    batched = x.dim() == 3 + space
    if not batched:
        return x[:, None], None, Form(batch_first, False, None, space)
    return (x.transpose(0, 1) if batch_first else x), None, Form(batch_first, True, None, space)


def steps_that_count(
    x: Float[Tensor, "time batch *feature"],
    form: Form,
    lengths: Lengths | None,
    mask: Mask | None,
    packed_lengths: Tensor | None,
) -> Bool[Tensor, "time batch"] | None:
    """True where a step counts, within the lengths and the mask; None: everywhere."""
    if lengths is None and mask is None and packed_lengths is None:
        return None
    if form.packed is not None and (lengths is not None or mask is not None):
        raise SettingError(
            "a PackedSequence has its own lengths",
            "give neither " + Arg("lengths") + " nor " + Arg("mask") + " with it",
        )
    lengths = packed_lengths if lengths is None else lengths
    steps = None
    if lengths is not None:
        numbers = as_tensor("lengths", lengths, WHOLE)
        steps = within(numbers if form.batched else numbers.reshape(-1), x)
    if mask is not None:
        time, batch = x.shape[:2]
        mask = as_tensor("mask", mask, f"boolean, (batch, time) = ({batch}, {time})").to(x.device)
        mask = mask if form.batched else mask[None]
        check_mask(mask, batch, time)
        steps = mask.T if steps is None else steps & mask.T
    return steps


def within(lengths: Lengths, x: Shaped[Tensor, "time batch *feature"]) -> Bool[Tensor, "time batch"]:
    """True where a step lies within the length of its sequence."""
    time, batch = x.shape[:2]
    long = checked_lengths(as_tensor("lengths", lengths, WHOLE), batch, time, x.device)
    return torch.arange(time, device=x.device)[:, None] < long


def merged(ways: Sequence[Tensor], mode: str | None, axis: int) -> Tensor:
    """Join the outputs of all directions; None concatenates, for the layer above."""
    if len(ways) == 1:
        return ways[0]
    if mode in ("concat", None):
        return torch.cat(list(ways), axis)
    forwards, backwards = ways
    if mode == "mul":
        return forwards * backwards
    return forwards + backwards if mode == "sum" else (forwards + backwards) / 2


def last_step(
    x: Float[Tensor, "time batch *feature"], steps: Bool[Tensor, "time batch"] | None
) -> Float[Tensor, batch * feature]:
    """``x`` at the last step of each sequence that counts (the first step if no step does); 0 for no steps."""
    if x.shape[0] == 0:
        return x.new_zeros(x.shape[1:])
    if steps is None:
        return x[-1]
    count = torch.arange(x.shape[0], device=x.device)[:, None]
    index = torch.where(steps, count, 0).amax(0)
    index = index[(None, ..., *[None] * (x.dim() - 2))]
    return x.gather(0, index.expand(1, *x.shape[1:]))[0]


def _pack(y: Tensor, like: PackedSequence) -> PackedSequence:
    """Pack ``y`` like another packed sequence."""
    lengths = (like.batch_sizes[:, None] > torch.arange(int(like.batch_sizes[0]))).sum(0)  # sorted, longest first
    ordered = y if like.sorted_indices is None else y.index_select(1, like.sorted_indices)
    data = pack_padded_sequence(ordered, lengths).data
    return PackedSequence(data, like.batch_sizes, like.sorted_indices, like.unsorted_indices)
