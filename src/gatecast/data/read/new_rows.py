"""New data for a model: read by the schema of its training data, with the model's step where few rows show none."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from gatecast.base.errors import DataError
from gatecast.base.text import shorten
from gatecast.data.panel import Panel
from gatecast.data.read import read, refine
from gatecast.data.read.origin import note
from gatecast.data.schema import Names, Schema

FEW = 12  # rows: days of one week look like any day, two quarters like half a year


def read_new(source: Any, schema: Schema, **given: Any) -> Panel:
    """New rows with the columns of the data that ``schema`` describes.

    The step of the rows is found in the new data, so that a change is noticed. A few rows may show none, or a longer
    one: three working days do not tell business days from days. They take the step of the schema where they lie on it.

    Args:
        source: as :func:`gatecast.read_panel` takes it.
        schema: of a model (``forecaster.schema_``) or of a panel.
        given: arguments of :func:`gatecast.read_panel`, which override the schema. Targets under other names stand for
            those of the schema, in their order, and take its names.

    Example:
        >>> import gatecast
        >>> from gatecast.data.read.new_rows import read_new
        >>> days = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
        >>> panel = gatecast.read_panel({"day": days, "sales": [3, 4, 5, 4]})
        >>> str(read_new({"day": ["2024-01-05"], "sales": [6]}, panel.schema).freq)
        'D'
    """
    found = _read(source, schema, given)
    if given.get("target") is None or schema.layout == "wide":
        return found
    return _renamed(found, schema.target or ())


def _read(source: Any, schema: Schema, given: dict[str, Any]) -> Panel:
    found: Panel | DataError
    plain = refine(schema.portable(), **given)
    try:
        found = read(source, plain)
    except DataError as error:
        found = error
    fits = isinstance(found, Panel) and (found.freq == schema.freq or np.median(found.lengths) > FEW)
    if not fits and plain.freq is None and schema.freq is not None and schema.freq.alias:
        try:
            return read(source, refine(plain, freq=schema.freq.alias))
        except DataError:
            pass  # the first error says what is wrong without a frequency that nobody gave
    if isinstance(found, DataError):
        raise found
    return found


def _renamed(panel: Panel, target: Names) -> Panel:
    """The panel with its targets under the names of the training data."""
    new = panel.schema.target or ()
    if new == target or len(new) != len(target):
        return panel
    pairs = dict(zip(new, target, strict=True))
    listed = shorten([f"{name} as {trained}" for name, trained in pairs.items()])
    renamed = note("renamed target", f"read as the target of the training data: {listed}", len(new))
    ids = panel.ids if panel.schema.id else np.array([pairs.get(name, name) for name in panel.ids], dtype=object)
    return replace(panel.with_schema(target=target), ids=ids, repairs=(*panel.repairs, renamed))
