"""The LSTM operator: one door to the reference and the kernels."""

from __future__ import annotations

from gatecast.ops.reference import lstm

__all__ = ["lstm"]
