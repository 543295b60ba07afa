"""What tests of layers share: a seed, and leave to take slow paths on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch


@pytest.fixture(autouse=True)
def seeded() -> None:
    """The same numbers in every run."""
    torch.manual_seed(0)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """That the LSTM says which of its options are slow is no error here."""
    said = pytest.mark.filterwarnings("ignore:gatecast's LSTM runs its slower reference")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(said)
