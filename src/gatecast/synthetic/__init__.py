"""Synthetic series to learn forecasting from: :func:`generate`."""

from gatecast.synthetic.generate import Batch, generate
from gatecast.synthetic.holes import fill_holes

__all__ = ["Batch", "fill_holes", "generate"]
