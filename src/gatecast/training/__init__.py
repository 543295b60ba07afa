"""One training loop, its settings and checkpoints. The loop itself loads on first use (it brings Lightning Fabric)."""

from gatecast.training.config import FitConfig

__all__ = ["FitConfig"]
