"""One model per series instead of one for all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from gatecast.base.errors import GatecastError
from gatecast.data.panel import Panel
from gatecast.forecasters.base import Forecaster
from gatecast.forecasters.parallel import Workers, run_jobs

Model = TypeVar("Model", bound=Forecaster)


def fit_each(model: Model, panel: Panel, *, workers: Workers = None) -> dict[str, Model]:
    """A fitted copy of the model for each series, by its id.

    Args:
        model: cloned for each series, never changed.
        panel: the series.
        workers: None: one after the other; a number of local processes; ``"ray"``: a Ray cluster. The fitted models are
            the same.

    Raises:
        GatecastError: a fit failed; its place names the series.

    Example:
        >>> import numpy as np
        >>> from gatecast import Drift, Panel, fit_each
        >>> panel = Panel.from_arrays([np.arange(20.0), np.arange(20.0) ** 2], ids=["a", "b"], freq="D")
        >>> models = fit_each(Drift(), panel)
        >>> float(models["a"].predict(1).mean[0, 0, 0])
        20.0
    """
    names = [str(name) for name in panel.ids]
    fitted = run_jobs(_fit, (model, panel), [(row,) for row in range(len(panel))], workers=workers)
    return dict(zip(names, fitted, strict=True))


def _fit(shared: tuple[Any, Panel], row: int) -> Any:
    model, panel = shared
    try:
        return model.clone().fit(panel.take(np.array([row])))
    except GatecastError as error:
        place = f"series {panel.ids[row]}"
        error.finding = replace(error.finding, place=", ".join(filter(None, [error.finding.place, place])))
        raise
