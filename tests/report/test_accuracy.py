"""What the page says about the backtest, on known answers."""

from __future__ import annotations

import numpy as np
from report.samples import backtest_of, daily

from gatecast.data.panel import Panel
from gatecast.forecasters.backtest import Backtest, backtest
from gatecast.forecasters.baselines import Drift, Naive
from gatecast.report.accuracy import (
    Accuracy,
    calibration_chart,
    column,
    metric_table,
    origin_charts,
    rank_series,
    step_chart,
)


def line() -> Backtest:
    """A straight line: drift is exact, the naive forecast is off by 1, 2 and 3."""
    return backtest(
        [Naive(), Drift()], Panel.from_arrays([np.arange(40.0)], ids=["line"]), 3, windows=2, progress=False
    )


def test_the_best_model_comes_first_and_is_marked() -> None:
    made = metric_table(Accuracy(line(), "Naive"))
    assert [(row["model"], row["candidate"]) for row in made["rows"]] == [("Drift", False), ("Naive", True)]
    mae = [one.name for one in made["columns"]].index("MAE")
    assert [row["cells"][mae] for row in made["rows"]] == [
        {"text": "0.000", "best": True},
        {"text": "2.000", "best": False},
    ]


def test_error_by_step_has_the_known_numbers() -> None:
    made = step_chart(Accuracy(line(), "Naive"))
    mae = next(metric for metric in made["metrics"] if metric["label"] == "MAE")
    assert made["step"] == [1, 2, 3]
    np.testing.assert_allclose(mae["values"]["Naive"], [1, 2, 3])


def test_coverage_counts_what_lies_inside() -> None:
    tested = line()
    tested.frame["Naive-lo-80"], tested.frame["Naive-hi-80"] = tested.frame["y"] - 1, tested.frame["y"] + 1
    tested.frame.loc[:1, "Naive-lo-80"] = tested.frame.loc[:1, "y"] + 0.5
    point = Accuracy(tested, "Naive").coverage("Naive")[0]
    assert (point["level"], point["n"]) == (80, 6)
    assert abs(point["share"] - 4 / 6) < 1e-9


def test_a_candidate_that_did_not_run_gives_way_to_the_first_model() -> None:
    assert Accuracy(line(), "LSTM").candidate == "Naive"


def test_the_coverage_nearest_to_its_level_is_best_and_widths_have_no_best() -> None:
    made = metric_table(Accuracy(backtest_of(daily()), "Drift"))
    names = [one.name for one in made["columns"]]
    for position, name in enumerate(names):
        cells = [row["cells"][position] for row in made["rows"]]
        best = [float(cell["text"].replace(",", "")) for cell in cells if cell["best"]]
        if name == "coverage-80":
            assert abs(best[0] - 80) == min(abs(float(cell["text"]) - 80) for cell in cells)
        if name.startswith("width"):
            assert best == []


def test_every_metric_has_formula_unit_and_meaning() -> None:
    for name in Accuracy(backtest_of(daily()), "Drift").metrics:
        one = column(name)
        assert one.formula
        assert not one.meaning.startswith(";")


def test_series_are_ranked_from_the_worst() -> None:
    panel = daily(4)
    errors, metric = rank_series(Accuracy(backtest_of(panel), "Drift"))
    assert metric == "MASE"
    assert set(errors) == set(panel.ids)
    assert list(errors.values()) == sorted(errors.values(), reverse=True)


def test_origins_are_apart_and_belong_to_the_right_series() -> None:
    panel = daily(2)
    tested = backtest_of(panel)
    made = origin_charts(Accuracy(tested, "Drift"), panel, ["s1"])
    assert set(made["series"]) == {"s1"}
    (mine,) = made["series"]["s1"]
    assert mine["time"].count(None) == 2  # three origins
    rows = tested.frame[tested.frame["unique_id"] == "s1"].sort_values(["cutoff", "ds"])
    drawn = [value for value in mine["models"]["Naive"]["middle"] if value is not None]
    np.testing.assert_allclose(drawn, rows["Naive"], rtol=1e-5)
    assert len(mine["models"]["Drift"]["low"]) == len(mine["time"])


def test_models_without_intervals_have_no_calibration() -> None:
    tested = line()
    tested.frame.drop(columns=[name for name in tested.frame if "-lo-" in name or "-hi-" in name], inplace=True)
    assert calibration_chart(Accuracy(tested, "Naive")) is None
