"""The windows of each step: a function of seed and step alone, so that a resumed run sees the same batches."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

SHUFFLED = 2_000_000  # larger data are sampled with replacement instead of shuffled, to bound memory


class Sampler:
    """Batches of window numbers.

    Args:
        total: number of windows.
        batch_size: windows per step; all of them if there are fewer.
        seed: of the order.

    Attributes:
        steps_per_epoch: full batches in one pass; the remaining windows are left out of it.
    """

    def __init__(self, total: int, batch_size: int, seed: int) -> None:
        self.total, self.batch_size, self.seed = total, min(batch_size, total), seed
        self.steps_per_epoch = max(1, self.total // max(1, self.batch_size))
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.int64)

    def __call__(self, step: int) -> Int[Tensor, " batch"]:
        """Window numbers of step ``step`` (counted from 0)."""
        if self.total > SHUFFLED:
            return torch.randint(self.total, (self.batch_size,), generator=self._generator(step))
        epoch, within = divmod(step, self.steps_per_epoch)
        if epoch != self._epoch:
            self._epoch, self._order = epoch, torch.randperm(self.total, generator=self._generator(epoch))
        return self._order[within * self.batch_size : (within + 1) * self.batch_size]

    def _generator(self, part: int) -> torch.Generator:
        return torch.Generator().manual_seed((int(self.seed) * 1_000_003 + part) % 2**63)
