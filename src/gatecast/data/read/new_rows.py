"""New data for a model: read by the schema of its training data, with the model's step where few rows show none."""

from __future__ import annotations

from typing import Any

import numpy as np

from gatecast.base.errors import DataError
from gatecast.data.panel import Panel
from gatecast.data.schema import Schema

FEW = 12  # rows: days of one week look like any day, two quarters like half a year


def read_new(source: Any, schema: Schema, **given: Any) -> Panel:
    """New rows with the columns of the data that ``schema`` describes.

    The step of the rows is found in the new data, so that a change is noticed. A few rows may show none, or a longer
    one: three working days do not tell business days from days. They take the step of the schema where they lie on it.

    Args:
        source: as :func:`gatecast.read_panel` takes it.
        schema: of a model (``forecaster.schema_``) or of a panel.
        given: arguments of :func:`gatecast.read_panel`, which override the schema.

    Example:
        >>> import gatecast
        >>> from gatecast.data.read import read_new
        >>> days = ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]
        >>> panel = gatecast.read_panel({"day": days, "sales": [3, 4, 5, 4]})
        >>> str(read_new({"day": ["2024-01-05"], "sales": [6]}, panel.schema).freq)
        'D'
    """
    from gatecast.data.read import read, refine

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
