"""A fixed seed, and permission to run slow paths."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same random numbers in every run."""
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore the warning that an option of the LSTM runs the slower reference."""
    ignored = pytest.mark.filterwarnings("ignore:gatecast's LSTM runs its slower reference")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(ignored)
