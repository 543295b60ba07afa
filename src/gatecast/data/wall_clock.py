"""Times as the clock on the wall shows them."""

from __future__ import annotations

from typing import Any

import numpy as np


def zoned_times(times: np.ndarray, tz: str | None) -> Any:
    """Times as a pandas index in a zone, or without a zone; integer times as they are.

    Args:
        times: ``(rows,)`` datetime64[ns], UTC where there is a zone, or integers.
        tz: time zone; None for naive times.
    """
    if not np.issubdtype(times.dtype, np.datetime64):
        return times
    import pandas as pd

    stamps = pd.DatetimeIndex(times)
    return stamps.tz_localize("UTC").tz_convert(tz) if tz else stamps


def wall_times(times: np.ndarray, tz: str | None) -> np.ndarray:
    """Times in a zone without their offset; integer times, and times without a zone, as they are.

    Args:
        times: datetime64[ns], UTC where there is a zone, or integers.
        tz: time zone; None for naive times.

    Example:
        >>> import numpy as np
        >>> str(wall_times(np.array(["2024-03-31T01:00"], "datetime64[ns]"), "Europe/Berlin")[0])[:16]
        '2024-03-31T03:00'
    """
    if not tz or not np.issubdtype(times.dtype, np.datetime64):
        return times
    stamps = zoned_times(times.reshape(-1), tz).tz_localize(None)
    return np.asarray(stamps.to_numpy()).astype("datetime64[ns]").reshape(times.shape)
