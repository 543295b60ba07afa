"""``gatecast epidemic``: what it prints and writes, and what it says of data that does not fit."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gatecast.cli.epidemic import _population
from gatecast.data import datasets
from gatecast.epidemic import study

Run = Callable[..., tuple[int, str, str]]
SEIR = ["--models", "seir", "--windows", "0", "--horizon", "7"]


def write(name: str, **columns: object) -> Path:
    """A file of daily rows from 2 March 2020 on."""
    frame = pd.DataFrame(columns)
    frame.insert(0, "date", pd.date_range("2020-03-02", periods=len(frame)).strftime("%Y-%m-%d"))
    frame.to_csv(name, index=False)
    return Path(name)


def wave(days: int = 40) -> np.ndarray:
    """Cases that rise and fall."""
    at = np.arange(days)
    noise = np.random.default_rng(0).normal(0, 0.05, days)
    return np.rint(400 * np.exp(-(((at - 24) / 11) ** 2) + noise)).astype(int)


def test_a_run_prints_its_results_and_writes_its_files(run: Run, tmp_path: Path) -> None:
    file = write("cases.csv", confirmed=np.cumsum(wave(48)), deaths=np.cumsum(wave(48) // 50))
    command = ["epidemic", file, "--population", "1_000_000", "--models", "seir", "--horizon", 7, "--windows", 2]
    scenarios = ["--scenario", "shift_days=5", "--scenario", "name=fewer contacts=-0.3 start=2020-03-20"]
    code, out, err = run(*command, *scenarios)
    assert (code, err) == (0, "")
    assert "target confirmed" in out
    assert "cumulative: confirmed never falls, or hardly ever, and is read as cumulative" in out
    assert "Backtest: 2 origins × 7 days, each on what was reported by then" in out
    assert "WIS by origin" in out
    assert "wins while cases fall" in out.replace("\n", " ")
    assert "R_t at the origin" in out
    assert "Scenario measures 5 days later:" in out
    assert "Scenario fewer:" in out
    names = [
        "backtest.csv",
        "forecast.csv",
        "parameters.csv",
        "report.html",
        "reproduction.csv",
        "run.json",
        "scores.csv",
    ]
    assert sorted(os.listdir(tmp_path / "epidemic-out")) == names
    page = (tmp_path / "epidemic-out" / "report.html").read_text("utf-8")
    assert "Who wins when" in page
    forecast = pd.read_csv(tmp_path / "epidemic-out" / "forecast.csv")
    assert list(forecast["model"].unique()) == ["SEIR"]
    assert {"lo-50", "hi-80", "hi-95"} <= set(forecast)


def test_json_is_one_document(run: Run) -> None:
    file = write("cases.csv", cases=wave())
    code, out, _ = run("epidemic", file, "--population", "1e6", *SEIR, "--json")
    found = json.loads(out)
    assert code == 0
    assert found["best"] == "SEIR"
    assert len(found["forecast"]) == 7
    assert [row["quantity"] for row in found["summary"]][:2] == ["R0", "R_t at the origin"]


def test_several_series_with_their_populations(run: Run) -> None:
    parts = [pd.DataFrame({"day": pd.date_range("2020-03-02", periods=40), "cases": wave() * k}) for k in (1, 2)]
    frame = pd.concat([one.assign(region=name, people=p) for one, name, p in zip(parts, "AB", (1e5, 1e6), strict=True)])
    frame.to_csv("regions.csv", index=False)
    code, out, err = run("epidemic", "regions.csv", "--population", "people", *SEIR)
    assert (code, err) == (0, "")
    assert "What SEIR finds for A" in out
    code, _, err = run("epidemic", "regions.csv", "--population", "1e6", *SEIR)
    assert code == 2
    assert "--population is one number, 1,000,000, and the data have 2 series; name the column" in err


@pytest.mark.parametrize(
    ("columns", "options", "text"),
    [
        (
            {"deaths": wave()},
            [],
            "deaths counts deaths, and the equations are fitted to new cases; give a file with cases",
        ),
        (
            {"cases": np.zeros(40, int)},
            [],
            "cases has no cases, only zeros or missing values; name the column of new cases: --target …",
        ),
        ({"cases": wave()[:10] + 5}, [], "has 10 days with a count since its first case, and at least 14 are needed"),
        ({"cases": wave() * 100}, [], "cases in a population of 100,000; give the population that the cases come from"),
        ({"cases": wave()}, ["--population", "people"], "--population people is neither a number of persons nor"),
        ({"cases": wave()}, ["--population", "0"], "--population must be at least 1 person, got 0"),
        ({"cases": wave()}, ["--models", "seir,arima"], "--models must be one of seir, lstm, hybrid, got 'arima'"),
        (
            {"cases": wave()},
            ["--scenario", "lockdown=yes"],
            "--scenario lockdown=yes is not a scenario; give shift_days, contacts, start or name, each",
        ),
        (
            {"cases": wave()},
            ["--scenario", "contacts=-30%"],
            "contacts must be a relative change such as -0.3, for 30 % fewer, got '-30%'",
        ),
        (
            {"cases": wave()},
            ["--scenario", "contacts=1 start=soon"],
            "start must be a date such as 2020-03-01, got 'soon'",
        ),
        ({"cases": wave()}, ["--scenario", "contacts=1 start=2031-01-01"], "the last day of the forecast; take an"),
        ({"cases": wave()}, ["--scenario", "contacts=-2"], "contacts must be at least -1, got -2"),
        (
            {"cases": wave()},
            ["--cumulative", "yes"],
            "does not fall; read it as new cases: leave out --cumulative yes, or give --cumulative no",
        ),
        ({"cases": wave()}, ["--transmission", "wavy"], "must be one of constant, exponential, piecewise"),
    ],
)
def test_bad_input_is_refused(run: Run, columns: dict[str, np.ndarray], options: list[str], text: str) -> None:
    file = write("bad.csv", **columns)
    population = [] if "--population" in options else ["--population", "100000"]
    code, _, err = run("epidemic", file, *population, *SEIR, *options)
    assert code == 2
    assert text in err
    assert not Path("epidemic-out").exists()


def test_negative_counts_and_silent_weekends_are_repaired_and_listed(run: Run) -> None:
    cases = wave()
    cases[20] = -30
    cases[27], cases[28] = 0, cases[27] + cases[28]
    code, out, err = run("epidemic", write("cases.csv", cases=cases), "--population", "1e6", *SEIR)
    assert (code, err) == (0, "")
    assert "withdrawn: cases: 1 day with a negative count, first 2020-03-22: 30 cases withdrawn" in out
    assert "silent days: cases: 1 day of silence, zeros before a larger count, first 2020-03-29" in out


def test_deaths_can_be_taken_for_cases_all_the_same(run: Run) -> None:
    code, out, _ = run("epidemic", write("d.csv", deaths=wave()), "--population", "1e6", "--target", "deaths", *SEIR)
    assert code == 0
    assert "target deaths" in out


def test_the_day_on_which_transmission_changes_can_be_given_as_the_help_says(run: Run) -> None:
    file = write("cases.csv", cases=wave())
    form = ["--transmission", "piecewise(changes=('2020-03-23',))"]
    code, out, err = run("epidemic", file, "--population", "1e6", *SEIR, *form, "--json")
    assert (code, err) == (0, "")
    assert all(f"'{name}'" in str(json.loads(out)["parameters"]) for name in ("beta_0", "beta_1"))


def test_population_is_a_number_or_a_column() -> None:
    assert _population("38,246,108") == _population("38_246_108") == 38246108.0
    assert _population("people") == "people"


def test_python_gives_what_the_command_writes(run: Run, tmp_path: Path) -> None:
    datasets.load("covid_china").cut(128).to_frame().to_csv("china.csv", index=False)
    options = ["--horizon", 7, "--windows", 2, "--step", 7, "--models", "seir", "--scenario", "shift_days=5"]
    code, out, err = run("epidemic", "china.csv", "--population", "1.4e9", *options, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)

    found = study("china.csv", 1.4e9, horizon=7, windows=2, step=7, models=["seir"], scenarios=["shift_days=5"])
    paths = found.write(tmp_path / "python")
    assert [path.name for path in paths] == [
        "forecast.csv",
        "backtest.csv",
        "scores.csv",
        "parameters.csv",
        "reproduction.csv",
    ]
    for path in paths:
        assert path.read_text() == (tmp_path / "epidemic-out" / path.name).read_text()
    assert (document["best"], document["verdict"]) == (found.best.model, found.verdict)
    assert document["run"] == json.loads(json.dumps(found.record()))
    assert [row["forecast"] for row in document["forecast"]] == pytest.approx(found.best.mean.ravel().tolist())


def test_the_demo_knows_its_data(run: Run) -> None:
    code, _, err = run("demo", "epidemic", "--dataset", "air_passengers")
    assert code == 2
    assert "--dataset must be one of covid_china, covid_canada, covid_india for an epidemic" in err
    code, _, err = run("demo", "epidemic", "--net.hidden-size", "8")
    assert code == 2
    assert "gatecast demo epidemic takes --seed, but no other option of" in err
    assert datasets.load("covid_china").series(0)[-1, 0] == 84785
    assert (
        datasets.load("covid_canada").series(0).max() == 3787284 or len(datasets.load("covid_canada").series(0)) == 830
    )


def test_deaths_are_recognized_however_they_are_spelt(run: Run) -> None:
    file = write("both.csv", Confirmed=wave(), Confirmed_Deaths=wave() // 50)
    code, out, err = run("epidemic", file, "--population", "1e6", *SEIR)
    assert (code, err) == (0, "")
    assert "target Confirmed" in out


def test_no_forecast_at_all_is_an_error_with_the_reason(run: Run) -> None:
    file = write("short.csv", cases=wave(22))
    code, _, err = run("epidemic", file, "--population", "1e6", "--models", "lstm", "--windows", "0")
    assert code == 2
    assert "No forecast by LSTM: " in err
    assert "horizon 28 needs at least 30 rows" in err


def test_the_start_of_a_scenario_is_a_date_of_the_rows(run: Run) -> None:
    Path("rows.csv").write_text("cases\n" + "\n".join(map(str, wave())) + "\n")
    code, _, err = run(
        "epidemic", "rows.csv", "--population", "1e6", *SEIR, "--scenario", "contacts=-1 start=2020-03-01"
    )
    assert code == 2
    assert "--scenario begins on 2020-03-01, and the rows have no dates; name their column with --time …" in err


@pytest.mark.parametrize(
    ("models", "option", "remedy"),
    [
        ("lstm", ["--scenario", "contacts=-0.3"], "take --models lstm,seir"),
        ("lstm", ["--transmission", "constant"], "leave --transmission out"),
        ("lstm", ["--history", 30], "leave --history out"),
        ("seir", ["--fit.steps", 9], "take --models seir,lstm"),
    ],
)
def test_options_of_a_model_that_is_not_selected(
    run: Callable[..., tuple[int, str, str]], models: str, option: list[Any], remedy: str
) -> None:
    code, _, err = run("epidemic", "none.csv", "--population", 1e6, "--models", models, *option)
    assert code == 2
    assert "applies to nothing" in err
    assert remedy in err
