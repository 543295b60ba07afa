"""COVID-19 in China, early 2020: SEIR, LSTM and both together, from one origin to the next.

Yang et al. (2020, https://doi.org/10.21037/jtd.2020.02.64) forecast the epidemic of mainland China by SEIR and by an
LSTM trained on SARS 2003. Here every model forecasts from each origin what was not known then, 7, 14 and 28 days ahead;
all are fitted anew at each. The numbers are the error of the cumulative count in % of what was reported (JHU CSSE, sum
of the provinces).

*No more cases* keeps the cumulative count, *week goes on* adds the mean daily count of the last seven days. *SEIR*:
incubation 5 days, infectious 7 days, β falling exponentially. *LSTM*: daily counts of China; its horizon is the longest
of 7, 14 and 28 days that the counts known are seven days longer than. *SEIR+LSTM* is `SEIRHybrid`: the LSTM forecasts
the logarithm of SEIR's residuals. *With provinces*: the network also learns from the curves of the provinces with
most cases on 5 February, up to the origin. No other transfer was possible: no other country in the data had
an epidemic in February, and SARS is not among the data. *Mean of both* averages SEIR and the LSTM with provinces.

The 15,000 cases reported on 12 and 13 February, when the definition changed, are spread back over the four weeks
before by `daily_counts`, from the day on which they were known. WIS and cover are of daily counts, against counts
repaired with all that is known today.

    python benchmarks/epidemic_hybrid.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import common
import epidemics
import numpy as np
import pandas as pd
from tasks import data_folder

from gatecast import FitConfig, Forecaster, LSTMForecaster, Panel, SEIRForecaster, SEIRHybrid

ORIGINS = ("02-05", "02-12", "02-16", "02-23", "03-01", "03-08", "03-15", "03-31")
PROVINCES = 4
HORIZON = 28
POPULATION = 1.4e9


def main() -> None:
    """Run all models over all origins; two result files."""
    args = epidemics.arguments(__doc__, "three origins, two provinces, 20 training steps", seed=1)
    origins = ORIGINS[::3] if args.quick else ORIGINS
    fit = FitConfig(steps=20 if args.quick else 100, progress=False)
    table, people = china(2 if args.quick else PROVINCES)
    many = epidemics.panel_of(table)
    alone = epidemics.panel_of(table[["China"]])
    rows = [table.index.get_loc(pd.Timestamp(f"2020-{day}")) + 1 for day in origins]
    rolled = run(alone, many, rows, people, fit, args.seed)
    errors = {
        name: np.stack([epidemics.cumulative_error(one, alone, rows, day) for day in (7, 14, 28)], -1)
        for name, one in rolled.items()
    }
    write_errors(errors, origins, args)
    write_scores(rolled, errors, alone, rows, args)


def china(provinces: int) -> tuple[pd.DataFrame, dict[str, float]]:
    """Cumulative cases of China and of its provinces with most cases by 5 February, and their populations."""
    long = pd.read_csv(data_folder() / "covid19_china" / "china_provinces_2020.csv.gz", parse_dates=["date"])
    table = long.pivot(index="date", columns="province", values="confirmed").astype(float).loc[:"2020-04-30"]  # type: ignore[misc]
    people = {str(name): float(number) for name, number in long.groupby("province").population.max().items()}
    chosen = list(table.loc["2020-02-05"].nlargest(provinces).index)
    return pd.concat([table.sum(axis=1).rename("China"), table[chosen]], axis=1), people | {"China": POPULATION}


# ── models ────────────────────────────────────────────────────────────────────────────────────────────────────────
def run(
    alone: Panel, many: Panel, rows: list[int], people: dict[str, float], fit: FitConfig, seed: int
) -> dict[str, epidemics.Rolled]:
    """Forecasts of all models."""
    equations: dict[str, Any] = {"starts": 4, "draws": 30}

    def lstm(panel: Panel) -> Forecaster:
        known = int(panel.lengths.max())
        horizon = max(days for days in (7, 14, HORIZON) if days + 7 <= max(known, 14))
        return LSTMForecaster(horizon, fit=fit, calibrate=False, calendar=False, seed=seed)

    def hybrid(panel: Panel) -> Forecaster:
        small = LSTMForecaster(
            HORIZON, fit=fit, scaler="none", calibrate=False, calendar=False, nonnegative=False, seed=seed
        )
        return SEIRHybrid(HORIZON, people, lstm=small, seed=seed, **equations)

    models: dict[str, tuple[Callable[[Panel], Forecaster], Panel]] = {
        "SEIR": (lambda panel: SEIRForecaster(HORIZON, people, seed=seed, **equations), alone),
        "LSTM": (lstm, alone),
        "LSTM, with provinces": (lstm, many),
        "SEIR+LSTM": (hybrid, alone),
        "SEIR+LSTM, with provinces": (hybrid, many),
    }
    found = {"no more cases": _flat(alone, rows, 0.0), "week goes on": _flat(alone, rows, 1.0)}
    for name, (make, panel) in models.items():
        found[name] = epidemics.roll(make, epidemics.known_at(panel, rows), HORIZON)
        print(f"{name}: done; without a forecast: {list(found[name].why.values())[:1]}", flush=True)
    found["mean of both"] = _mean(found["SEIR"], found["LSTM, with provinces"])
    return found


def _flat(panel: Panel, rows: list[int], share: float) -> epidemics.Rolled:
    """The mean daily count of the last week as reported, times ``share``, every day."""
    totals = panel.series(0)[:, 0]
    level = np.array([share * (totals[o - 1] - totals[o - 8]) / 7 for o in rows])
    mean = np.repeat(level[:, None, None], HORIZON, 2)
    return epidemics.Rolled(mean, {float(level): (np.full_like(mean, np.nan),) * 2 for level in epidemics.LEVELS}, {})


def _mean(first: epidemics.Rolled, second: epidemics.Rolled) -> epidemics.Rolled:
    """Means and interval ends averaged; where the second has none, the first alone."""
    pair = lambda a, b: np.where(np.isfinite(b), (a + b) / 2, a)  # noqa: E731
    ends = {
        level: (pair(first.ends[level][0], second.ends[level][0]), pair(first.ends[level][1], second.ends[level][1]))
        for level in first.ends
    }
    return epidemics.Rolled(pair(first.mean, second.mean), ends, {})


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────
def write_errors(errors: dict[str, np.ndarray], origins: tuple[str, ...], args: Any) -> None:
    """Error of the cumulative count at every origin."""
    rows = [
        {"task": f"{day} days ahead", "origin": f"2020-{origin}", **{n: _shown(e[k, h]) for n, e in errors.items()}}
        for h, day in enumerate((7, 14, 28))
        for k, origin in enumerate(origins)
    ]
    print(common.table(rows))
    common.write("epidemic_hybrid", rows, args, title="COVID-19 in China: SEIR, LSTM and both, origin by origin")


def _shown(error: float) -> str | None:
    return f"{100 * error:+.1f} %" if np.isfinite(error) else None


def write_scores(
    rolled: dict[str, epidemics.Rolled], errors: dict[str, np.ndarray], alone: Panel, rows: list[int], args: Any
) -> None:
    """Means over the origins before and after 16 February, and scores of the daily counts."""
    actual = epidemics.actual_daily(alone, rows, HORIZON)
    cut = alone.times(0)
    early = np.array([cut[row - 1] <= np.datetime64("2020-02-16") for row in rows])
    table = []
    for title, part in (("origins to 16 February", early), ("origins from 23 February", ~early)):
        for name, one in rolled.items():
            row: dict[str, Any] = {"task": title, "model": name}
            for h, day in enumerate((7, 14, 28)):
                row[f"mean |error|, {day} days"] = _percent(errors[name][part, h])
            some = epidemics.Rolled(
                one.mean[part], {k: (low[part], high[part]) for k, (low, high) in one.ends.items()}, {}
            )
            found = epidemics.scores(some, actual[part], slice(0, 14))
            row |= {"MAE, days 1–14": found["MAE"], "WIS, days 1–14": found["WIS"]}
            row |= {name: value for name, value in found.items() if name.startswith("in ")}
            table.append(row)
    print(common.table(table))
    common.write("epidemic_hybrid_scores", table, args, title="COVID-19 in China: before and after the peak")


def _percent(errors: np.ndarray) -> str | None:
    """Mean absolute error in %, and of how many origins where not of all."""
    seen = np.isfinite(errors)
    if not seen.any():
        return None
    share = "" if seen.all() else f" ({seen.sum()} of {len(seen)})"
    return f"{100 * np.abs(errors[seen]).mean():.1f} %{share}"


if __name__ == "__main__":
    main()
