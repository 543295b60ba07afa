"""What can be known before training is said before training; options that apply to nothing; standard input."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from fixtures.refused import refused

from gatecast import LinearAR, Naive, read_panel
from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.data.known_ahead import complete_ahead, ends_ahead
from gatecast.forecasters import LSTMForecaster

Run = Callable[..., tuple[int, str, str]]
QUICK = ["--fit.steps", 5, "--net.hidden-size", 8, "--windows", 1]


def load(rows: int, ahead: int = 0, wind: int | None = None) -> pd.DataFrame:
    """Hourly load with a temperature and a wind forecast that reach ``ahead`` and ``wind`` rows past the last load."""
    steps = np.arange(rows + ahead)
    frame = pd.DataFrame({"day": pd.date_range("2024-01-01", periods=rows + ahead, freq="h")})
    frame["load"] = np.where(steps < rows, 50 + 10 * np.sin(steps * np.pi / 12) + steps % 5, np.nan)
    frame["temp"] = 5 + steps % 7
    frame["wind"] = np.where(steps < rows + (ahead if wind is None else wind), steps % 5, np.nan)
    return frame


@pytest.fixture(autouse=True)
def no_training(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """What trained in a test, to assert that nothing did."""
    ran: list[str] = []
    import gatecast.forecasters.neural as neural

    real = neural.train_members

    def noted(*args: Any, **settings: Any) -> Any:
        ran.append("train")
        return real(*args, **settings)

    monkeypatch.setattr(neural, "train_members", noted)
    return ran


# ── the future ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_covariates_that_end_early_are_named_before_training(run: Run, tmp_path: Path, no_training: list[str]) -> None:
    load(200, ahead=24, wind=17).to_csv(tmp_path / "load.csv", index=False)
    options = ["--target", "load", "--known", "temp,wind", *QUICK]
    code, _, err = run("forecast", "load.csv", "--horizon", 24, *options)
    assert code == 2
    assert "complete for 17 rows after the origin: wind ends at 2024-01-10" in err
    assert "take --horizon 17 or less" in err
    assert no_training == []
    assert run("forecast", "load.csv", "--horizon", 17, *options)[0] == 0


def test_data_says_where_covariates_end(run: Run, tmp_path: Path) -> None:
    load(200, ahead=24, wind=17).to_csv(tmp_path / "load.csv", index=False)
    out = run("data", "load.csv", "--target", "load", "--known", "temp,wind")[1]
    assert "known covariates end: complete for 17 rows after the origin: wind ends at 2024-01-10" in out
    load(200, ahead=24).to_csv(tmp_path / "load.csv", index=False)
    assert "known covariates end" not in run("data", "load.csv", "--target", "load", "--known", "temp,wind")[1]


def test_reach_of_each_series_and_column() -> None:
    two = pd.concat([load(50, 10, 4).assign(id="a"), load(40, 10, 0).assign(id="b")])
    panel = read_panel(two, id="id", target="load", known=["temp", "wind"])
    assert complete_ahead(panel).tolist() == [4, 0]
    assert ends_ahead(panel).startswith(
        "complete for 0 rows after the origin of series b: wind ends at 2024-01-02 15:00"
    )
    assert "temp" not in ends_ahead(panel)
    assert "temp ends at" in ends_ahead(panel, 11)


@pytest.mark.parametrize(
    ("frame", "problem"),
    [
        (load(24).drop(columns="temp"), "has no column temp"),
        (load(24), "no rows after the origin"),
        (load(224).iloc[210:], "no rows for series"),
    ],
)
def test_the_future_file_is_checked_before_training(
    run: Run, tmp_path: Path, no_training: list[str], frame: pd.DataFrame, problem: str
) -> None:
    load(200).to_csv(tmp_path / "load.csv", index=False)
    frame.drop(columns="load").to_csv(tmp_path / "plan.csv", index=False)
    options = ["--target", "load", "--known", "temp", "--horizon", 24, "--future", "plan.csv", *QUICK]
    code, _, err = run("forecast", "load.csv", *options)
    assert code == 2
    assert err.startswith("gatecast: plan.csv: ")
    assert problem in err
    assert no_training == []


def test_time_in_two_columns_and_its_plan(run: Run, tmp_path: Path) -> None:
    frame = load(224)
    frame["day"] += pd.Timedelta("22D")  # 01/02 in the plan may be day or month first; 23/01 in the past decides
    frame.insert(0, "Date", frame.day.dt.strftime("%d/%m/%Y"))
    frame.insert(1, "Hour", frame.day.dt.hour)
    frame = frame.drop(columns=["day", "wind"])
    frame[:200].to_csv(tmp_path / "past.csv", index=False)
    frame[200:].drop(columns="load").to_csv(tmp_path / "plan.csv", index=False)
    options = ["--time", "Date,Hour", "--target", "load", "--known", "temp", "--horizon", 24, *QUICK]
    assert run("forecast", "past.csv", *options, "--future", "plan.csv")[0] == 0


# ── settings and folders ──────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--horizon", 24, "--context", 250], ["--context 250", "longest series has 200 rows", "take --context 100"]),
        (["--horizon", 199], ["horizon 199 needs at least 201 rows"]),
        (["--horizon", 24, "--fit.validation", 500], ["--fit.validation 500", "enough to hold back"]),
        (["--horizon", 24, "--head", "poison"], ["--head", "did you mean"]),
        (["--horizon", 24, "--loss", "mea"], ["--loss"]),
        (["--horizon", 24, "--scaler", "standart"], ["--scaler"]),
        (["--horizon", 24, "--model", "linear", "--context", 190], ["214 rows"]),
        (["--horizon", 24, "--model", "lstn"], ["--model must be one of"]),
        (["--horizon", 24, "--head", "poisson"], ["expects whole numbers"]),
    ],
)
def test_settings_are_checked_against_the_data_before_training(
    run: Run, tmp_path: Path, no_training: list[str], options: list[Any], words: list[str]
) -> None:
    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    windows = [] if "--model" in options else QUICK
    code, _, err = run("forecast", "load.csv", *options, *windows)
    assert code == 2
    assert all(word in err for word in words), err
    assert no_training == []


def test_the_output_folder_does_not_hold_the_input(run: Run, tmp_path: Path) -> None:
    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    options = ["--horizon", 3, "--model", "naive", "--windows", 0]
    assert run("forecast", "load.csv", *options, "--out", "o")[0] == 0
    before = (tmp_path / "o" / "forecast.csv").read_bytes()
    code, _, err = run("forecast", "o/forecast.csv", "--target", "forecast", *options, "--out", "o")
    assert code == 2
    assert "o/forecast.csv is read, and would be written as a result; name another folder with --out" in err
    assert (tmp_path / "o" / "forecast.csv").read_bytes() == before


def test_room_on_the_disk_is_asked_before_training(
    run: Run, tmp_path: Path, no_training: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))  # type: ignore[attr-defined]
    code, _, err = run("forecast", "load.csv", "--horizon", 3, *QUICK)
    assert code == 2
    assert "--out gatecast-out: about" in err
    assert "MB free" in err
    assert no_training == []


def test_the_backtest_outlives_a_late_failure(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    import gatecast.cli.run as cli_run

    def fails(*_: Any) -> Any:
        raise RuntimeError("late")

    options = ["load.csv", "--horizon", 3, "--model", "naive", "--windows", 2]
    with monkeypatch.context() as patch:
        patch.setattr(cli_run, "_chosen", fails)
        code, _, err = run("forecast", *options)
    assert code == 1
    assert "Kept: gatecast-out/backtest.csv" in err
    kept = pd.read_csv(tmp_path / "gatecast-out" / "backtest.csv")
    assert len(kept) == 6
    assert json.loads((tmp_path / "gatecast-out" / "run.json").read_text())["failed"] == "late"
    assert run("forecast", *options)[0] == 0  # the folder is still ours


# ── options that apply to nothing ─────────────────────────────────────────────────────────────────────────────────────
NETWORK_ONLY = {"known": "temp", "past": "temp", "static": "temp", "category": "temp", "future": "load.csv"} | {
    "net.hidden-size": 8, "fit.steps": 8, "head": "normal", "members": 2, "no-history": None
}  # fmt: skip


@pytest.mark.parametrize(("option", "value"), NETWORK_ONLY.items())
@pytest.mark.parametrize("model", ["linear", "naive", "theta"])
def test_options_of_the_network_are_errors_beside_other_models(
    run: Run, tmp_path: Path, option: str, value: Any, model: str
) -> None:
    named = f"--{option}"
    options = [named] if value is None else [named, value]
    load(200)[["day", "load", "temp"]].to_csv(tmp_path / "load.csv", index=False)
    command = ["forecast", "load.csv", "--target", "load", "--horizon", 3, "--windows", 0]
    code, _, err = run(*command, "--model", model, *options)
    assert code == 2
    assert named in err
    assert f"--model {model}" in err
    assert f"leave {named} out" in err
    assert run(*command, "--model", "naive", "--seed", 5)[0] == 0


def test_context_is_an_option_of_the_linear_model(run: Run, tmp_path: Path) -> None:
    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    command = ["forecast", "load.csv", "--horizon", 3, "--windows", 1, "--json", "--model"]
    one = json.loads(run(*command, "linear", "--context", 2)[1])
    two = json.loads(run(*command, "linear")[1])
    assert one["forecast"] != two["forecast"]
    assert run(*command, "naive", "--context", 2)[0] == 2


def test_refit_without_a_backtest(run: Run, tmp_path: Path) -> None:
    load(200)[["day", "load"]].to_csv(tmp_path / "load.csv", index=False)
    code, _, err = run("forecast", "load.csv", "--horizon", 3, "--model", "naive", "--windows", 0, "--refit")
    assert code == 2
    assert "leave --refit out, or take --windows 5" in err


def test_a_future_for_a_model_without_covariates() -> None:
    panel = read_panel(load(100, 5), target="load", known="temp", past="wind")
    with refused(SettingError, problem=[Arg("future"), "Naive uses no covariates"], remedy="leave it out"):
        Naive().fit(panel).predict(3, future=panel.future_frame(3))


def test_check_says_what_fit_would_refuse() -> None:
    panel = read_panel(load(20)[["day", "load"]])
    for model in (LSTMForecaster(30), LinearAR(30)):
        with pytest.raises(DataError) as early:
            model.check(panel)
        assert not [name for name in vars(model) if name.endswith("_")]
        with pytest.raises(DataError) as late:
            model.fit(panel)
        assert str(early.value) == str(late.value)


# ── standard input ────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def piped(monkeypatch: pytest.MonkeyPatch) -> Callable[[pd.DataFrame], None]:
    def put(frame: pd.DataFrame) -> None:
        text = io.TextIOWrapper(io.BytesIO(frame.to_csv(index=False).encode()))
        monkeypatch.setattr(sys, "stdin", text)

    return put


def test_the_usual_name_of_standard_input(run: Run, tmp_path: Path, piped: Any) -> None:
    piped(load(200)[["day", "load"]])
    code, out, _ = run("data", "-")
    assert code == 0
    assert "standard input" in out
    piped(load(200)[["day", "load"]])
    assert run("forecast", "-", "--horizon", 3, *QUICK)[0] == 0
    piped(load(202)[["day", "load"]][200:])
    code, out, _ = run("predict", "gatecast-out/model.gatecast", "-")
    assert code == 0
    assert "rows kept + 2 new" in out


def test_the_future_on_standard_input(run: Run, tmp_path: Path, piped: Any) -> None:
    load(200).to_csv(tmp_path / "load.csv", index=False)
    options = ["--target", "load", "--known", "temp", "--horizon", 5, *QUICK]
    for future in (["--future", "-"], ["--future=-"]):
        piped(load(224)[200:])
        assert run("forecast", "load.csv", *options, *future)[0] == 0
        code, _, err = run("forecast", "-", *options, *future)
        assert code == 2
        assert "both standard input" in err


def test_nothing_on_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    code, _, err = run("data", "-")
    assert code == 2
    assert "standard input: the file is empty" in err


# ── options that apply to nothing ─────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--start", "2020-01-01"], "--start 2020-01-01 is for files without times, and the time is in day"),
        (["--net.kind", "direct", "--net.segment", 4], "--net.segment 4 is about segments, and --net.kind direct has"),
        (["--loss", "x"], "--loss must be one of mse, mae, huber, log_cosh, quantile, mase, mape, msle, cosine_simil"),
        (["--head", "x"], "--head must be one of auto, quantiles, normal"),
        (["--scaler", "x"], "--scaler must be one of auto, none, standard, last, shift"),
    ],
)
def test_options_without_use_and_unknown_names(
    run: Run, tmp_path: Path, no_training: list[str], options: list[Any], message: str
) -> None:
    load(60).drop(columns=["temp", "wind"]).to_csv(tmp_path / "load.csv", index=False)
    code, _, err = run("forecast", "load.csv", "--horizon", 6, *options)
    assert (code, no_training) == (2, [])
    assert message in err
    assert "crossentropy" not in err


@pytest.mark.parametrize(("option", "value"), [("trials", 0), ("folds", 0), ("test", -1), ("minutes", 0)])
def test_the_size_of_a_search_is_checked_before_the_file(run: Run, option: str, value: int) -> None:
    code, _, err = run("tune", "missing.csv", "--horizon", 6, f"--{option}", value)
    assert code == 2
    assert f"--{option} must be" in err
