"""Optimizers by name or as text with settings; their classes load when one is built."""

from gatecast.training.optimizers.build import optimizer_of
from gatecast.training.optimizers.specs import OPTIMIZERS, OptimizerSpec, optimizer_spec, optimizer_text

__all__ = ["OPTIMIZERS", "OptimizerSpec", "optimizer_of", "optimizer_spec", "optimizer_text"]
