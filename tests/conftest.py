"""What all tests share: the folder of development data, where there is one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def dev_data() -> Path:
    """Folder of the development data: ``GATECAST_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("GATECAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data in {folder} (set GATECAST_DATA)")
    return folder
