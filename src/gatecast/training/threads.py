"""PyTorch's CPU threads during training."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads_of(count: int | None) -> Iterator[None]:
    """Set the number of threads in the block and restore it afterwards; None: no change."""
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
