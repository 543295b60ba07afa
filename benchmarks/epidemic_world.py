"""COVID-19 in ten countries, 2020 to 2022: one network for all, one for each, and what forecast hubs compare with.

Rolling origins 56 days apart from 28 June 2020 to 1 May 2022, 28 days ahead; models are fitted anew at every fifth and
else only shown the new counts. At each origin the cumulative counts of JHU CSSE up to it become daily ones by
`daily_counts`: withdrawn cases, silent days and backlogs are repaired from what was known then. Forecasts are compared
with counts repaired with all that is known today.

*Same week* repeats the last seven days, *mean of the week* their mean (the flat baseline of forecast hubs, with the
errors of its past as intervals). *LinearAR* and the LSTM *for all* are one model over the ten series; *for each* is one
network a country. WIS and absolute error are divided by each country's mean daily count over all days that are tested,
so that every country weighs the same; *relative WIS* is over that of the mean of the week.

    python benchmarks/epidemic_world.py [--quick]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import common
import epidemics
import numpy as np
import pandas as pd

from gatecast import FitConfig, Forecaster, LinearAR, LSTMForecaster, Panel, SeasonalNaive
from gatecast.epidemic import daily_counts

FIRST, LAST, STEP, HORIZON, REFIT = "2020-06-28", "2022-06-05", 56, 28, 5
DAYS = {"days 1–7": slice(0, 7), "days 8–14": slice(7, 14), "days 15–28": slice(14, 28)}


def main() -> None:
    """Run all models over all origins."""
    args = epidemics.arguments(__doc__, "three origins, three countries, 20 training steps", seed=1)
    table = epidemics.countries()
    table = table[table.columns[:3]] if args.quick else table
    cumulative = epidemics.panel_of(table)
    dates = pd.date_range(FIRST, LAST, freq=f"{STEP}D")
    dates = dates[::5] if args.quick else dates
    rows = [table.index.get_loc(date) + 1 for date in dates]
    known = epidemics.known_at(cumulative, rows)
    keep = range(len(cumulative))
    actual = epidemics.actual_daily(cumulative, rows, HORIZON, keep)
    scale = np.nanmean(actual, axis=(0, 2))
    found: dict[str, epidemics.Rolled] = {"mean of the week": week_mean(known, HORIZON)}
    for name, make in models(args.seed, 20 if args.quick else 120).items():
        found[name] = epidemics.roll(make, known, HORIZON, refit=REFIT, keep=keep)
        print(f"{name}: done; without a forecast: {list(found[name].why.values())[:1]}", flush=True)
    score_rows = _scores(found, actual, scale)
    print(common.table(score_rows))
    title = f"COVID-19 in ten countries, {len(rows)} origins"
    common.write("epidemic_world", [*score_rows, *_repairs(cumulative)], args, title=title)
    country_rows = _by_country(found, actual, list(table.columns))
    common.write("epidemic_world_countries", country_rows, args, title="COVID-19 in ten countries: WIS by country")


def models(seed: int, steps: int) -> dict[str, Callable[[Panel], Forecaster]]:
    """The models, made anew for each fit."""
    fit = FitConfig(steps=steps, progress=False)

    def lstm(panel: Panel, **settings: Any) -> LSTMForecaster:
        return LSTMForecaster(HORIZON, fit=fit, seed=seed, **settings)

    return {
        "same week": lambda panel: SeasonalNaive(7),
        "LinearAR, for all": lambda panel: LinearAR(HORIZON),
        "LSTM, for all": lstm,
        "LSTM, for all, negative binomial": lambda panel: lstm(panel, head="negative_binomial"),
        "LSTM, for each": lambda panel: epidemics.PerSeries(lstm(panel), "LSTM"),
    }


def week_mean(known: list[Panel], horizon: int) -> epidemics.Rolled:
    """Mean of the last seven days; intervals from the errors that it made before, h days ahead (180 origins)."""
    mean, ends = [], {float(level): ([], []) for level in epidemics.LEVELS}
    for panel in known:
        level, errors = [], []
        for k in range(len(panel)):
            days = panel.series(k)[:, 0]
            weeks = pd.Series(days).rolling(7, min_periods=4).mean().to_numpy()
            level.append(weeks[-1])
            past = np.lib.stride_tricks.sliding_window_view(days[7:], horizon)[-180:]
            errors.append(past - weeks[6 : 6 + len(days) - 7 - horizon + 1][-180:, None])
        mean.append(np.repeat(np.array(level)[:, None], horizon, 1))
        for one, (low, high) in ends.items():
            for ends_of, tail in ((low, (100 - one) / 200), (high, (100 + one) / 200)):
                spread = np.stack([np.nanquantile(wrong, tail, axis=0) for wrong in errors])
                ends_of.append(np.maximum(mean[-1] + spread, 0))
    stacked = {level: (np.stack(low), np.stack(high)) for level, (low, high) in ends.items()}
    return epidemics.Rolled(np.stack(mean), stacked, {})


# ── tables ────────────────────────────────────────────────────────────────────────────────────────────────────────
def _scores(found: dict[str, epidemics.Rolled], actual: np.ndarray, scale: np.ndarray) -> list[dict[str, Any]]:
    """WIS, MAE and cover by stretch of the horizon, for each model."""
    rows = []
    for title, days in DAYS.items():
        base = epidemics.scores(found["mean of the week"], actual, days, scale)["WIS"]
        for name, rolled in found.items():
            one = epidemics.scores(rolled, actual, days, scale)
            rows.append({"task": title, "model": name, "relative WIS": one["WIS"] / base, **one})
    return rows


def _by_country(found: dict[str, epidemics.Rolled], actual: np.ndarray, names: list[str]) -> list[dict[str, Any]]:
    """WIS over all 28 days relative to the mean of the week."""
    rows = []
    for k, country in enumerate(names):
        row: dict[str, Any] = {"country": country}
        for name, rolled in found.items():
            ends = {level: (low[:, [k]], high[:, [k]]) for level, (low, high) in rolled.ends.items()}
            one = epidemics.Rolled(rolled.mean[:, [k]], ends, {})
            row[name] = epidemics.scores(one, actual[:, [k]], slice(0, HORIZON))["WIS"]
        base = row["mean of the week"]
        rows.append(
            {"country": country} | {n: v / base for n, v in row.items() if n not in ("country", "mean of the week")}
        )
    return rows


def _repairs(cumulative: Panel) -> list[dict[str, Any]]:
    """What ``daily_counts`` repaired, by kind, over the whole series."""
    kinds: dict[str, list[int]] = {}
    for repair in daily_counts(cumulative).repairs:
        kinds.setdefault(repair.kind, []).append(repair.count)
    return [
        {"task": "repaired counts", "kind": kind, "series": len(counts), "days": sum(counts)}
        for kind, counts in kinds.items()
        if kind != "cumulative"
    ]


if __name__ == "__main__":
    main()
