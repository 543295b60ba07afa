"""Dates made of digits: their parts put together, and which of day and month comes first."""

from __future__ import annotations

import numpy as np
import pandas as pd


def prove_order(
    first: pd.Series, second: pd.Series, mark: pd.Series, ways: dict[str, pd.Series], codes: np.ndarray
) -> tuple[str | None, str]:
    """The order that the data proves, and why; None where it stays open."""
    if first.max() > 12 >= second.max():
        return "day-first", f"{int(first.max())} cannot be a month"
    if second.max() > 12 >= first.max():
        return "month-first", f"{int(second.max())} cannot be a month"
    if first.max() > 12 and second.max() > 12:
        return "day-first" if first.iloc[0] > 12 else "month-first", "from the first rows"
    if (mark == ".").all():
        return "day-first", "dates with points are"
    regular = [order for order, parsed in ways.items() if _regular(parsed, codes)]
    return (regular[0], "the other order is not regular") if len(regular) == 1 else (None, "")


def _regular(parsed: pd.Series, codes: np.ndarray) -> bool:
    """True where the times in file order go up by one step."""
    times = parsed.to_numpy()[codes].astype("datetime64[ns]")
    steps = np.diff(times)
    months = np.diff(times.astype("datetime64[M]").astype(np.int64))
    days = times.astype("datetime64[D]") - times.astype("datetime64[M]")
    return len(steps) > 1 and bool(
        (steps > np.timedelta64(0)).all()
        and (len(set(steps)) == 1 or (len(set(months)) == 1 and months[0] > 0 and len(set(days)) == 1))
    )


def assemble(year: pd.Series, month: pd.Series, day: pd.Series, parts: pd.DataFrame, clock: int) -> pd.Series:
    """Datetimes from columns of digits; ``clock`` is the first column of hour, minute, second, fraction, am/pm."""
    years = pd.to_numeric(year)
    years = years.where(year.str.len() != 2, years + np.where(years < 69, 2000, 1900))
    hours = pd.to_numeric(parts[clock]).fillna(0)
    half = parts[clock + 4].str.lower()
    hours = hours.where(half.isna(), hours % 12) + np.where(half == "pm", 12, 0)
    next_day = hours == 24  # 24:00 is the end of the day
    fields = {
        "year": years,
        "month": pd.to_numeric(month),
        "day": pd.to_numeric(day),
        "hour": hours.where(~next_day, 0),
    }
    fields |= {word: pd.to_numeric(parts[clock + k]).fillna(0) for k, word in enumerate(("minute", "second"), 1)}
    moments = pd.to_datetime(pd.DataFrame(fields), errors="coerce")
    return moments + pd.to_timedelta(np.where(next_day, 1, 0), unit="D")
