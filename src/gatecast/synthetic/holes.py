"""Values for the holes of a series: the one a season ago, else the last one."""

from __future__ import annotations

import numpy as np

from gatecast.synthetic.draws import Array


def fill_holes(y: Array, obs: Array, m1: Array) -> Array:
    """``(series, time)`` values: a hole holds the value a season before, else the one before, else the first."""
    y = y.T.copy()
    o = obs.T
    if o.all():
        return y.T
    cols = np.arange(y.shape[1])
    m = np.maximum(m1, 1)
    first = o.argmax(0)
    lead = np.arange(len(y))[:, None] < first[None]
    y[lead] = np.broadcast_to(y[first, cols][None], y.shape)[lead]
    miss = ~o & ~lead
    for t in np.flatnonzero(miss.any(1)):
        c = cols[miss[t]]
        k = t - m[c]
        k = np.where(k >= first[c], k, t - 1)
        y[t, c] = y[k, c]
    return y.T
