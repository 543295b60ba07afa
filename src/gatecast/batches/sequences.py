"""Labelled sequences of any lengths, gathered into batches as windows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from gatecast.batches.windows import Gathered, WindowOrigins


@dataclass(frozen=True)
class SequenceBatch(Gathered):
    """Sequences as a classifier takes them; rows beyond the length of each are 0.

    Args:
        series: position of each sequence in the data.
        values: features of each step.
        lengths: steps of each sequence.
        label: number of its class.
        weight: its weight in the loss.
    """

    values: Float[Tensor, "batch time features"]
    lengths: Int[Tensor, " batch"]
    label: Int[Tensor, " batch"]
    weight: Float[Tensor, " batch"]


class LabelledSequences:
    """Sequences one after another in one table, with their labels.

    Args:
        sequences: ``(time, features)`` each, of any length of at least one row.
        labels: number of the class of each; None: 0 for all.
        weights: weight of each in the loss; None: 1 for all.
    """

    def __init__(
        self,
        sequences: Sequence[Float[np.ndarray, "_ features"]],
        labels: Int[np.ndarray, " sequences"] | None = None,
        weights: Float[np.ndarray, " sequences"] | None = None,
    ) -> None:
        lengths = np.array([len(sequence) for sequence in sequences], np.int64)
        self.values = torch.from_numpy(np.concatenate(list(sequences)).astype(np.float32, copy=False))
        self.end = torch.from_numpy(lengths.cumsum())
        self.lengths = torch.from_numpy(lengths)
        self.begin = self.end - self.lengths
        self.labels = torch.from_numpy(np.zeros(len(lengths), np.int64) if labels is None else labels)
        self.weights = torch.from_numpy(np.ones(len(lengths)) if weights is None else weights).float()
        self.longest = int(lengths.max())

    def __len__(self) -> int:
        return len(self.lengths)

    @property
    def ids(self) -> Sequence[Any] | np.ndarray:
        """Positions of the sequences: their names in messages."""
        return range(len(self))

    @property
    def tensors(self) -> tuple[Tensor, ...]:
        """Tensors that identify the data."""
        return self.values, self.end, self.labels, self.weights

    @property
    def task(self) -> dict[str, int]:
        """Number of features, and steps of the longest sequence."""
        return {"features": self.values.shape[1], "longest": self.longest}

    def gather(self, series: Int[Tensor, " batch"], origin: Int[Tensor, " batch"]) -> SequenceBatch:
        """These sequences whole; ``origin`` belongs to windows and is not read."""
        rows = self.begin[series][:, None] + torch.arange(self.longest)
        inside = rows < self.end[series][:, None]
        found = self.values[rows.clamp(max=len(self.values) - 1)]
        return SequenceBatch(
            series=series,
            values=torch.where(inside[..., None], found, 0.0),
            lengths=self.lengths[series],
            label=self.labels[series],
            weight=self.weights[series],
        )


def one_window_each(chosen: Int[Tensor, " sequences"]) -> WindowOrigins:
    """Whole sequences as windows of the training loop, one each."""
    return WindowOrigins(chosen, torch.zeros_like(chosen), torch.ones_like(chosen))
