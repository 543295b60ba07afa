"""COVID-19 in Canada to 31 March 2020: one and two days ahead, beside a straight line.

Chimmula & Zhang (2020, https://doi.org/10.1016/j.chaos.2020.109864) forecast cumulative cases of Canada to 31 March
2020 by LSTM. Their code is not public. Here the protocol is: cumulative counts to 17 March to fit on, 18 to 31 March to
test on, one and two days ahead, nothing smoothed. Two sources: JHU CSSE (final version of 2023, which has more cases
than the one of 2020: 10,711 to 31 March, not 8,514), and the Canadian working group's counts by day of report.

*Last value*, *line* (the last rise goes on) and *growth* (the growth of three days goes on) need no model. The LSTM
sees logarithms of cumulative counts, ten days at a time, and forecasts both days at once; *pooled* means that it is one
network over ten countries (and both Canadian sources), *alone* that it knows Canada only; *gatecast* is the mean of
the pooled LSTM and the pooled linear autoregression, the recipe of the Indian benchmark. The 14 days before were
forecast in the same way (fitted to 3 March). *Accuracy* is 100 % less the mean absolute percentage error, as in the
paper: it is high for anything that repeats a cumulative count. RMSE of the cumulative count in persons; *MASE of daily*
is the error of the daily count one day ahead over that of repeating the last daily count.

    python benchmarks/epidemic_canada.py [--quick] [--seeds 3]
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import common
import epidemics
import numpy as np
import pandas as pd
from tasks import data_folder

from gatecast import FitConfig, Forecaster, LinearAR, LSTMForecaster, Panel

DAYS, TRAIN = 70, 56  # to 31 March and to 17 March, from 22 January
PARTS = {"18 to 31 March": (56, 70), "4 to 17 March (the 14 days before)": (42, 56)}
NAMES = {"Canada": "Canada, JHU CSSE", "Canada (working group)": "Canada, working group"}
FIT = FitConfig(steps=100, progress=False)


def main() -> None:
    """Run all models on both sources."""
    args = epidemics.arguments(__doc__, "one seed, 20 training steps", seeds=3)
    table = counts()
    rows = [row for title, part in PARTS.items() for row in _part(table, title, *part, args.quick, args.seeds)]
    print(common.table(rows))
    common.write("epidemic_canada", rows, args, title="COVID-19 in Canada, March 2020")


def counts() -> pd.DataFrame:
    """Cumulative cases of ten countries and of Canada by the working group, 22 January to 31 March 2020."""
    table = epidemics.countries().loc["2020-01-22":"2020-03-31"].copy()  # type: ignore[misc]
    own = pd.read_csv(data_folder() / "covid19_canada" / "cases_timeseries_prov.csv.gz")
    day = pd.to_datetime(own["date_report"], format="%d-%m-%Y")
    table["Canada (working group)"] = own.groupby(day).cases.sum().cumsum().reindex(table.index).ffill().fillna(0)
    return table


def _part(table: pd.DataFrame, title: str, first: int, stop: int, quick: bool, seeds: int) -> list[dict[str, Any]]:
    """All models on the days from ``first`` to ``stop``."""
    origins = range(first - 1, stop)  # rows known; the first is for two days ahead
    fit = FitConfig(steps=20, progress=False) if quick else FIT
    found: dict[str, list[np.ndarray]] = {}
    for name, rule in RULES.items():
        found[name] = [np.stack([_apply(rule, table, origin) for origin in origins])]
    linear = _forecasts(LinearAR(2), table, first, origins, pooled=True)
    found["linear autoregression, pooled"] = [linear]
    models = [lstm(seed, fit) for seed in range(1, 2 if quick else seeds + 1)]
    found["LSTM, alone"] = [_forecasts(model, table, first, origins, pooled=False) for model in models]
    found["LSTM, pooled"] = [_forecasts(model, table, first, origins, pooled=True) for model in models]
    both = [np.expm1((np.log1p(one) + np.log1p(linear)) / 2) for one in found["LSTM, pooled"]]
    found["gatecast: LSTM and linear, pooled"] = both
    return [
        {"task": f"{shown}, {title}", "model": name, **_scores(runs, table[column].to_numpy(), k, first, stop)}
        for k, (column, shown) in enumerate(NAMES.items())
        for name, runs in found.items()
    ]


def lstm(seed: int, fit: FitConfig) -> LSTMForecaster:
    """Small and without calendar: a series of eight weeks has no week to learn."""
    return LSTMForecaster(2, context=10, season=1, calendar=False, scaler="shift", calibrate=False, fit=fit, seed=seed)


Rule = Callable[[np.ndarray], list[float]]
RULES: dict[str, Rule] = {
    "last value": lambda y: [y[-1]] * 2,
    "line": lambda y: [y[-1] + h * (y[-1] - y[-2]) for h in (1, 2)],
    "growth of three days": lambda y: [y[-1] * (y[-1] / max(y[-4], 1)) ** (h / 3) for h in (1, 2)],
}


def _apply(rule: Rule, table: pd.DataFrame, origin: int) -> np.ndarray:
    """``(sources, 2)``."""
    return np.array([rule(table[column].to_numpy()[:origin]) for column in NAMES])


def _forecasts(model: Forecaster, table: pd.DataFrame, first: int, origins: range, *, pooled: bool) -> np.ndarray:
    """``(origins, sources, 2)`` cumulative counts; each source alone, or all series in one model."""
    groups = [list(table.columns)] if pooled else [[column] for column in NAMES]
    found = []
    for group in groups:
        panel: Panel = epidemics.panel_of(np.log1p(table[group]))
        fitted = model.clone().fit(panel.cut(DAYS - first))
        ahead = [np.expm1(fitted.predict(2, panel=panel.cut(DAYS - origin)).mean[..., 0]) for origin in origins]
        found.append(np.stack(ahead)[:, [k for k, name in enumerate(group) if name in NAMES]])
    return np.concatenate(found, 1)


def _scores(runs: list[np.ndarray], actual: np.ndarray, source: int, first: int, stop: int) -> dict[str, Any]:
    """Means over seeds of ``(origins, sources, 2)`` forecasts."""
    y = actual[first:stop]
    one = np.stack([run[1:, source, 0] for run in runs])  # from the day before
    two = np.stack([run[:-1, source, 1] for run in runs])
    rmse = {1: np.sqrt(((one - y) ** 2).mean(1)), 2: np.sqrt(((two - y) ** 2).mean(1))}
    daily = np.diff(actual)
    before = np.abs(daily[first - 1 : stop - 1] - daily[first - 2 : stop - 2]).mean()
    return {
        "RMSE, 1 day": float(rmse[1].mean()),
        "RMSE, 2 days": float(rmse[2].mean()),
        "1 day, smallest to largest": f"{rmse[1].min():.0f}–{rmse[1].max():.0f}" if len(runs) > 1 else None,
        "accuracy, 1 day": f"{100 * (1 - (np.abs(one - y) / y).mean()):.1f} %",
        "MASE of daily": float(np.abs(one - y).mean() / before),
    }


if __name__ == "__main__":
    main()
