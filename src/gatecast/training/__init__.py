"""One training loop, its settings and checkpoints. The loop itself loads on first use."""

from gatecast.training.config import FitConfig

__all__ = ["FitConfig"]
