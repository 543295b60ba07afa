"""SEIR on the first wave of COVID-19 in China: error of all cases so far at 7, 14 and 28 days from five cut-offs.

    python benchmarks/epidemic_china.py

The counts are those bundled with gatecast (JHU CSSE, as published in July 2020), repaired at each cut-off from what was
reported by then: the change of definition of 13 February is seen from that day on, and what it counts over the usual is
spread back over the days before, as the repairs printed below the table say. Actual values are the cumulative counts
as reported. The reference is a least-squares fit of the logarithm of the cumulative counts (Euler
steps of a day, β = b exp(-kt), 1/σ = 5 and 1/γ = 7 days) at the same cut-offs. The last
column is the share of the 28 days to come inside the 95 % interval of daily counts.
"""

from __future__ import annotations

from typing import Any

import common
import numpy as np

from gatecast import Drift, Forecaster, Naive, Panel, SEIRForecaster, datasets
from gatecast.epidemic import daily_counts

POPULATION = 1.4e9
AHEAD = (7, 14, 28)
REFERENCE = {
    "2020-02-05": (40.0, 20.0, 33.0),
    "2020-02-12": (7.8, 2.4, 1.9),
    "2020-02-16": (4.5, 7.6, 8.8),
    "2020-02-23": (7.6, 8.5, 8.4),
    "2020-03-01": (8.5, 8.8, 7.5),
}


def models() -> list[Forecaster]:
    """What is compared."""
    return [
        SEIRForecaster(28, POPULATION, name="SEIR"),
        SEIRForecaster(28, POPULATION, likelihood="log", name="SEIR, log errors"),
        SEIRForecaster(28, POPULATION, transmission="piecewise", name="SEIR, β in steps"),
    ]


def main() -> None:
    """Forecast from every cut-off, print the table and the repairs, and write the result."""
    args = common.arguments(__doc__).parse_args()
    reported = datasets.load("covid_china")
    rows: list[dict[str, Any]] = []
    repairs: dict[str, list[str]] = {}
    for cutoff, reference in REFERENCE.items():
        origin = reported.cut(int((reported.cutoffs[0] - np.datetime64(cutoff)) / np.timedelta64(1, "D")))
        counts = daily_counts(origin)
        repairs[cutoff] = [one.problem for one in counts.repairs if one.kind not in ("column unused", "cumulative")]
        rows.append(row(cutoff, "reference", reference))
        rows += [seir_row(cutoff, model, counts, origin) for model in models()]
        rows += [plain_row(cutoff, name, origin) for name in ("persistence", "drift of 7 days")]
        print(f"{cutoff} done", flush=True)
    print("\n" + common.table(rows))
    for cutoff, texts in repairs.items():
        print(f"{cutoff}: {' '.join(texts) or 'nothing to repair'}")
    common.write("epidemic_china", rows, args, repairs=repairs)


def row(cutoff: str, name: str, errors: Any, inside: float | None = None) -> dict[str, Any]:
    """A line of the table."""
    found = {f"error % +{ahead} d": float(error) for ahead, error in zip(AHEAD, errors, strict=True)}
    return {"cut-off": cutoff, "model": name, **found, "in 95 %": inside}


def seir_row(cutoff: str, model: Forecaster, counts: Panel, origin: Panel) -> dict[str, Any]:
    """One model, fitted on the repaired counts."""
    forecast = model.fit(counts).predict(28, levels=[95])
    total = origin.series(0)[-1, 0] + forecast.mean[0, :, 0].cumsum()
    low, high = (end[0, :, 0] for end in forecast.interval(95))
    new = np.diff(origin.actual(28)[0, :, 0], prepend=origin.series(0)[-1, 0])
    return row(cutoff, model.name, errors(total, origin), float(((low <= new) & (new <= high)).mean()))


def plain_row(cutoff: str, name: str, origin: Panel) -> dict[str, Any]:
    """The last number, or the line of the last week, for ever."""
    short = Panel.from_arrays([origin.series(0)[-8:, 0]], freq="D")
    model = Naive() if name == "persistence" else Drift()
    return row(cutoff, name, errors(model.fit(short).predict(28).mean[0, :, 0], origin))


def errors(total: np.ndarray, origin: Panel) -> list[float]:
    """Absolute error of the cumulative count in percent."""
    actual = origin.actual(28)[0, :, 0]
    return [100 * abs(total[ahead - 1] / actual[ahead - 1] - 1) for ahead in AHEAD]


if __name__ == "__main__":
    main()
