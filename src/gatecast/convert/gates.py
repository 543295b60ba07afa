"""Gate orders of the frameworks.

The weights of all gates are one matrix with a block of ``hidden`` rows for each gate. A letter names a block:

========  ==============  ================  ==========================
layer     gatecast/torch  Keras             ONNX
========  ==============  ================  ==========================
LSTM      i f g o         i f g o (c: g)    i o f g (c: g)
GRU       r z n           z r n (h: n)      z r n (h: n)
RNN       h               h                 h
========  ==============  ================  ==========================
"""

from __future__ import annotations

import torch
from torch import Tensor

TORCH = {"LSTM": "ifgo", "GRU": "rzn", "RNN": "h"}
KERAS = {"LSTM": "ifgo", "GRU": "zrn", "RNN": "h"}
ONNX = {"LSTM": "iofg", "GRU": "zrn", "RNN": "h"}
PEEPHOLES, ONNX_PEEPHOLES = "ifo", "iof"


def reorder(rows: Tensor, have: str, want: str) -> Tensor:
    """A copy with the blocks of rows in another order: ``reorder(weight, "zrn", "rzn")``.

    Args:
        rows: first axis ``len(have) * hidden``.
        have: letters of the blocks in their order.
        want: the same letters in the new order.
    """
    blocks = dict(zip(have, rows.chunk(len(have)), strict=True))
    return torch.cat([blocks[gate] for gate in want]).contiguous()
