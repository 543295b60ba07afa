"""One training loop, its settings and checkpoints. The loop itself loads on first use."""

from typing import TYPE_CHECKING

from gatecast.base.lazy import lazy
from gatecast.training.config import FitConfig
from gatecast.training.schedules import Constant, Cosine, OneCycle, Plateau

if TYPE_CHECKING:
    from gatecast.training.explain import Explanation, explain_training
    from gatecast.training.loop import train
    from gatecast.training.range_test import RateSearch, find_lr

_HOME = {
    "Explanation": "explain",
    "RateSearch": "range_test",
    "explain_training": "explain",
    "find_lr": "range_test",
    "train": "loop",
}

__all__ = [
    "Constant",
    "Cosine",
    "Explanation",
    "FitConfig",
    "OneCycle",
    "Plateau",
    "RateSearch",
    "explain_training",
    "find_lr",
    "train",
]


__getattr__ = lazy(__name__, _HOME)
