"""Units of rain: from mm a step and dBZ to mm/h. A file of dBZ is never read as mm/h."""

from __future__ import annotations

import re

import numpy as np

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg, Finding
from gatecast.base.text import number

MARSHALL_PALMER = (200.0, 1.6)  # Z = 200 R^1.6 (Marshall, Langille & Palmer 1947)
KNOWN = ("mm/h", "mm", "dBZ")
_SPELLINGS = {
    "mm/h": r"mm ?(/|per )?h(r|our)?(\^?-1|\*\*-1)?|mm\.h-1",
    "mm": r"mm|kg m(\^|\*\*)?-2|millimet(er|re)s?",
    "dBZ": r"dbz",
    "kg/m2/s": r"kg m(\^|\*\*)?-2 s(\^|\*\*)?-1|mm s-1|mm/s",
}
_LEAST_DRY_DBZ, _MOST_DBZ = -40.0, 85.0
_WET_MEDIAN = 7.0  # mm/h: the median of wet pixels is below 3 even in extreme rain, and of dBZ about 20


def unit_of(text: str) -> str:
    """The known unit that a spelling means: ``"mm h-1" → "mm/h"``; the text itself where it is of another quantity."""
    for unit, pattern in _SPELLINGS.items():
        if re.fullmatch(pattern, text.strip(), flags=re.IGNORECASE):
            return unit
    return text.strip()


def to_mm_per_hour(
    values: np.ndarray, unit: str, *, step: float, z_r: tuple[float, float] | None, place: str
) -> tuple[np.ndarray, list[Finding]]:
    """Values in mm/h, and what was decided.

    Args:
        values: float32, NaN where missing.
        unit: "mm/h", "mm" (a step), "dBZ", "kg/m2/s", or another, which is kept.
        step: minutes.
        z_r: a and b of Z = a R^b, for dBZ; None: Marshall and Palmer's.
        place: of the source, in messages.

    Raises:
        DataError: values that are given as mm/h look like dBZ.
    """
    if unit == "mm/h":
        _require_no_dbz(values, place)
        return values, []
    if unit == "mm":
        _require_no_dbz(values, place)
        done = f"mm a step of {step:g} min were turned into mm/h (× {60 / step:g})"
        return values * np.float32(60 / step), [Finding(place, done, kind="units")]
    if unit == "kg/m2/s":
        return values * np.float32(3600), [Finding(place, "kg/m²/s were turned into mm/h (× 3600)", kind="units")]
    if unit == "dBZ":
        return _from_dbz(values, z_r, place)
    return values, []


def _from_dbz(values: np.ndarray, z_r: tuple[float, float] | None, place: str) -> tuple[np.ndarray, list[Finding]]:
    """Rain rate from reflectivity; rates under 0.02 mm/h are 0."""
    a, b = z_r or MARSHALL_PALMER
    if a <= 0 or b <= 0:
        raise SettingError(Arg("z_r") + f" must be two numbers above 0, got {a:g} and {b:g}")
    rate = (10 ** (values / np.float32(10)) / a) ** (1 / b)
    rate = np.where(rate < 0.02, 0, rate).astype(np.float32)
    law = f"dBZ were turned into mm/h by Z = {a:g} R^{b:g}" + ("" if z_r else " (Marshall and Palmer)")
    return np.where(np.isnan(values), np.float32(np.nan), rate), [Finding(place, law, Arg("z_r", ...), kind="units")]


def _require_no_dbz(values: np.ndarray, place: str) -> None:
    """Refuse values that are dBZ by their looks.

    Raises:
        DataError: with the argument that reads them rightly.
    """
    known = values[np.isfinite(values)]
    if not known.size:
        return
    low, high = float(known.min()), float(known.max())
    wet = known[known > 0.05]
    negative = float((known < 0).mean())
    many_negative = negative > 0.01 and low >= _LEAST_DRY_DBZ
    high_median = wet.size > 0 and float(np.median(wet)) > _WET_MEDIAN
    if high <= _MOST_DBZ and (many_negative or high_median):
        shown = f"from {number(low, 1)} to {number(high, 1)}, median of the positive values "
        shown += number(float(np.median(wet)) if wet.size else 0.0, 1)
        raise DataError(
            f"the values ({shown}) look like dBZ, not like mm/h", "read them with " + Arg("units", "dBZ"), place=place
        )
