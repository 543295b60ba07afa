"""A fixed seed, and permission to run slow paths."""

from __future__ import annotations

from pathlib import Path

from fixtures.folders import seeded, slow_paths_allowed

__all__ = ["pytest_collection_modifyitems", "seeded"]

pytest_collection_modifyitems = slow_paths_allowed(Path(__file__).parent)
