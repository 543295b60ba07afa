"""Causal wavelets: the à trous transform of the past, in which no coefficient sees a later value.

With a low-pass filter h of sum 1 (of PyWavelets), a_0 = x and

    a_{j+1}[t] = Σ_k h[k] a_j[t − 2^j k],   d_j = a_j − a_{j+1},   x = a_J + d_0 + … + d_{J−1}

(Shensa 1992; Renaud, Starck & Murtagh 2005 for the causal form). Before the first value, that value stands. Much of the
literature transforms the whole series before it is cut into windows: each coefficient then holds values of the future.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.base.errors import SettingError, require
from gatecast.base.findings import Arg


def low_pass(name: str) -> Float[Tensor, " taps"]:
    """The scaling filter of a wavelet of PyWavelets, with sum 1.

    Raises:
        MissingExtraError: PyWavelets is not installed.
        SettingError: it has no such wavelet.
    """
    pywt = require("pywt", extra="wind", purpose="wavelets")
    if name not in pywt.wavelist(kind="discrete"):
        raise SettingError(Arg("wavelet") + f" must be a discrete wavelet of PyWavelets such as db2, got {name!r}")
    filter = torch.tensor(pywt.Wavelet(name).dec_lo[::-1], dtype=torch.float32)
    return filter / filter.sum()


def causal_bands(
    x: Float[Tensor, "*batch time"], filter: Float[Tensor, " taps"], levels: int
) -> Float[Tensor, "*batch bands time"]:
    """Details from the finest to the coarsest, then the approximation; they add up to x."""
    found, smooth = [], x
    for level in range(levels):
        reach = (len(filter) - 1) * 2**level
        first = smooth[..., :1].expand(*smooth.shape[:-1], reach)
        padded = torch.cat([first, smooth], -1)
        parts = [
            weight * padded[..., reach - 2**level * k : padded.shape[-1] - 2**level * k]
            for k, weight in enumerate(filter)
        ]
        below = torch.stack(parts).sum(0)
        found.append(smooth - below)
        smooth = below
    return torch.stack([*found, smooth], -2)
