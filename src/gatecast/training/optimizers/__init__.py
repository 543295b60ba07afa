"""Optimisers by name, as text with settings, or as objects; PyTorch's and our own classes load when one is built."""

from gatecast.training.optimizers.build import optimizer_of
from gatecast.training.optimizers.choices import (
    OPTIMIZERS,
    SGD,
    Adadelta,
    Adafactor,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Ftrl,
    Nadam,
    Optimizer,
    Own,
    RMSprop,
    read_optimizer,
    settled_optimizer,
    written_optimizer,
)

__all__ = [
    "OPTIMIZERS",
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "AdamW",
    "Adamax",
    "Ftrl",
    "Nadam",
    "Optimizer",
    "Own",
    "RMSprop",
    "SGD",
    "optimizer_of",
    "read_optimizer",
    "settled_optimizer",
    "written_optimizer",
]
