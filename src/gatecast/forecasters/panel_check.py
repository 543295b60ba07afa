"""Checks of the panel that a fitted forecaster is given: the schema of training, and all values of the future."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NoReturn

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg, Call, Text, Words
from gatecast.base.text import plural, time_text
from gatecast.data.known_ahead import complete_ahead, ends_ahead
from gatecast.data.panel import Panel
from gatecast.data.schema import Schema

_ROLES = ("target", "past", "known", "static", "category")


def adapt(panel: Panel, schema: Schema) -> Panel:
    """The panel with its categories coded as in training.

    Args:
        panel: data that the forecaster was not fitted on.
        schema: of the panel that it was fitted on.

    Raises:
        DataError: columns, frequency or time zone differ from training.
    """
    for role in _ROLES:
        name = "target_names" if role == "target" else role
        fitted, given = getattr(schema, name), getattr(panel.schema, name)
        if fitted != given:
            raise DataError(
                f"the forecaster was fitted with {role} columns {_list(fitted)}, this panel has {_list(given)}",
                "read it with the same roles: " + Arg(role, list(fitted)),
                place=panel.source,
            )
    _check_step(panel, schema)
    if panel.levels == schema.levels:
        return panel
    codes = [
        np.array([*(fitted.index(level) if level in fitted else -1 for level in given), -1])[panel.category[:, column]]
        for column, (fitted, given) in enumerate(zip(schema.levels, panel.levels, strict=True))
    ]
    return replace(panel, category=np.stack(codes, 1)).with_schema(levels=schema.levels)


def _check_step(panel: Panel, schema: Schema) -> None:
    """Check frequency, integer step and time zone."""
    fitted, given = schema.freq, panel.freq
    assert fitted is not None
    if given.alias != fitted.alias:
        _refuse(panel, f"on frequency {fitted.alias or 'integer'!r}", f"{str(given)!r}", "resample it")
    if given.step != fitted.step:
        rows = f"give it rows {fitted.step} apart"
        _refuse(panel, f"on integer steps of {fitted.step}", f"steps of {given.step}", rows)
    if panel.tz != schema.tz:
        remedy = "read it with " + Arg("tz", schema.tz) if schema.tz else "read it without time zone"
        _refuse(panel, f"on {_zone(schema.tz)}", _zone(panel.tz), remedy)


def _refuse(panel: Panel, fitted: str, given: str, remedy: Words) -> NoReturn:
    problem = f"the forecaster was fitted {fitted}, this panel has {given}"
    raise DataError(problem, Text() + remedy + ", or fit a forecaster for it", place=panel.source)


def positions(panel: Panel, ids: Sequence[str]) -> np.ndarray:
    """``(series,)`` position of each series among those of training.

    Args:
        panel: data to forecast.
        ids: series of training, in order.

    Raises:
        DataError: naming a series that was not among them.
    """
    known = {name: place for place, name in enumerate(ids)}
    new = [str(name) for name in panel.ids if str(name) not in known]
    if new:
        raise DataError(
            f"the forecaster learned a vector for each of its {plural(len(known), 'series', 'series')}, but has none "
            f"for {new[0]!r}",
            "leave the series out, or fit with " + Arg("id_embedding", 0, of="NetConfig"),
            place=panel.source,
        )
    return np.array([known[str(name)] for name in panel.ids], dtype=np.int64)


def require_future(panel: Panel, horizon: int) -> None:
    """Check that every known covariate is given over the horizon.

    Raises:
        DataError: naming series, columns and times that lack a value.
    """
    if not panel.known_names:
        return
    rows = panel.end[:, None] + np.arange(horizon)
    inside = rows < panel.stop[:, None]
    values = np.where(inside[..., None], panel.known[np.where(inside, rows, 0)], np.nan)
    missing = np.argwhere(~np.isfinite(values))
    if not len(missing):
        return
    series, step, _ = missing[0]
    columns = sorted({panel.schema.source_of(panel.known_names[k]) for k in missing[:, 2]})
    when = panel.future_times(horizon)[series]
    reach = int(complete_ahead(panel).min())
    shorter = Text() + ", or take " + Arg("horizon", reach) + (" or less" if reach > 1 else "") if reach else Text()
    raise DataError(
        f"known covariate{'s' if len(columns) > 1 else ''} {_list(columns)} must be given for all {horizon} steps of "
        f"the forecast; {len(missing)} values are missing, the first for series {panel.ids[series]} at "
        f"{time_text(when[step])} ({ends_ahead(panel, horizon)})",
        "fill in " + Call("panel.future_frame", horizon) + " and give it as " + Arg("future") + shorter,
        place=panel.source,
    )


def _zone(tz: str | None) -> str:
    return f"times in {tz}" if tz else "times without a zone"


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
