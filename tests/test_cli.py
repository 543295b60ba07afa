"""The command line: its output, files and exit codes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from gatecast.base.errors import Stopped, Terminated
from gatecast.base.findings import Arg, Call, InPython, Words
from gatecast.cli import main
from gatecast.cli.console import Console, numbers
from gatecast.cli.flags import DataFlags, FitFlags, ModelFlags, NetFlags, ShowFlags
from gatecast.cli.output_frames import moments
from gatecast.cli.shell import in_shell
from gatecast.data import Panel
from gatecast.models import NetConfig
from gatecast.ops.library import find
from gatecast.training import FitConfig

QUICK = ["--fit.steps", "5", "--net.hidden-size", "8", "--windows", "2"]


@pytest.fixture
def sales(tmp_path: Path) -> Path:
    """Six years of monthly sales with a season, under the user's own column names."""
    months = pd.date_range("2018-01-01", periods=72, freq="MS")
    units = [100 + k + 20 * math.sin(2 * math.pi * k / 12) for k in range(72)]
    path = tmp_path / "sales.csv"
    pd.DataFrame({"month": months.strftime("%Y-%m-%d"), "units": units}).to_csv(path, index=False)
    return path


@pytest.fixture
def shops(tmp_path: Path, sales: Path) -> Path:
    """The same for two shops, with a price that is known in advance for three months more."""
    frame = pd.read_csv(sales)
    ahead = pd.DataFrame({"month": pd.date_range("2024-01-01", periods=3, freq="MS").strftime("%Y-%m-%d")})
    parts = [pd.concat([frame.assign(units=frame.units * k), ahead]).assign(shop=f"shop {k}") for k in (1, 2)]
    path = tmp_path / "shops.csv"
    pd.concat(parts).assign(price=1.5).to_csv(path, index=False)
    return path


Run = Callable[..., tuple[int, str, str]]


def tree(folder: Path) -> dict[str, str]:
    """Every file below the folder, with its hash."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


# ── forecast ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_forecast_prints_table_and_verdict_and_writes_its_folder_only(run: Run, sales: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    code, out, err = run("forecast", sales, "--horizon", 12, *QUICK)
    assert (code, err) == (0, "")
    assert "sales.csv: 1 series, 72 rows, frequency MS, season 12" in out
    assert "Backtest: 2 origins × 12 steps" in out
    assert "The LSTM is" in out
    assert "Forecast by LSTM" in out
    written = set(tree(tmp_path)) - set(before)
    names = ("forecast.csv", "backtest.csv", "report.html", "model.gatecast", "run.json")
    assert written == {f"gatecast-out/{name}" for name in names}
    assert all(tree(tmp_path)[name] == digest for name, digest in before.items())


def test_forecast_csv_speaks_the_users_words(run: Run, sales: Path, shops: Path, tmp_path: Path) -> None:
    assert run("forecast", sales, "--horizon", 3, "--levels", "50,90", *QUICK, "--out", "one")[0] == 0
    one = pd.read_csv(tmp_path / "one" / "forecast.csv")
    assert list(one) == ["month", "model", "forecast", "lo-50", "hi-50", "lo-90", "hi-90"]
    assert list(one.month) == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert set(one.model) == {"LSTM"}
    assert (one["lo-90"] <= one["lo-50"]).all()
    assert (one["hi-50"] <= one["hi-90"]).all()
    options = ["--id", "shop", "--target", "units", "--known", "price", *QUICK, "--out", "two"]
    assert run("forecast", shops, "--horizon", 3, *options)[0] == 0
    two = pd.read_csv(tmp_path / "two" / "forecast.csv")
    assert list(two)[:4] == ["shop", "month", "model", "forecast"]
    assert list(two["shop"]) == ["shop 1"] * 3 + ["shop 2"] * 3


def test_known_covariates_can_come_in_a_separate_file(run: Run, shops: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(shops)
    frame[frame.units.isna()].drop(columns="units").to_csv(tmp_path / "prices.csv", index=False)
    frame[frame.units.notna()].to_csv(tmp_path / "past.csv", index=False)
    options = ["--id", "shop", "--target", "units", "--known", "price", "--horizon", 3, "--windows", 0, *QUICK[:4]]
    code, _, err = run("forecast", tmp_path / "past.csv", *options)
    assert code == 2
    assert "price" in err
    code, _, err = run("forecast", tmp_path / "past.csv", *options, "--future", tmp_path / "prices.csv")
    assert (code, err) == (0, "")


def test_every_target_is_shown_and_the_file_that_has_all_rows_is_named(run: Run, tmp_path: Path) -> None:
    hours = pd.date_range("2024-01-01", periods=200, freq="h")
    zones = {f"zone {k}": [10.0 ** (k + 1) + hour % 24 for hour in range(200)] for k in (1, 2, 3)}
    pd.DataFrame({"hour": hours, **zones}).to_csv(tmp_path / "zones.csv", index=False)
    options = ["--target", "zone 1,zone 2,zone 3", "--horizon", 20, "--windows", 0, *QUICK[:4]]
    _, out, _ = run("forecast", "zones.csv", *options)
    assert "Forecast of 3 targets by LSTM" in out
    assert "zone 1, zone 1" not in out
    table = out[out.index("Forecast of") :].splitlines()[2:-2]
    assert [line.split("  ")[1] for line in table] == ["zone 1"] * 4 + ["zone 2"] * 4 + ["zone 3"] * 4
    assert "… 48 more rows; gatecast-out/forecast.csv has all" in out
    _, out, _ = run("predict", "gatecast-out/model.gatecast", "zones.csv")
    assert "… 48 more rows; --out FOLDER writes all" in out


def test_a_column_has_one_form_of_numbers_and_of_dates() -> None:
    panel = Panel.from_arrays([np.arange(30)], freq="h", starts=pd.DatetimeIndex(["2024-12-30 18:00"]).to_numpy())
    assert moments(panel, panel.future_times(2)[0]) == ["2025-01-01 00:00", "2025-01-01 01:00"]
    assert moments(panel, panel.future_times(1)[0]) == ["2025-01-01"]
    assert numbers([3.93, 7971.0]) == ["3.9", "7,971.0"]
    assert numbers([0.8123, math.nan, 1.2]) == ["0.812", "–", "1.200"]
    assert numbers([431.25, 0.0]) == ["431.2", "0.0"]
    assert numbers([12345.6, 1e5]) == ["12,346", "100,000"]


def test_json_is_the_only_output(run: Run, sales: Path) -> None:
    code, out, err = run("forecast", sales, "--horizon", 3, *QUICK, "--json")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["model"] == "LSTM"
    assert document["data"]["target"] == ["units"]
    assert [row["month"][:10] for row in document["forecast"]] == ["2024-01-01", "2024-02-01", "2024-03-01"]
    assert document["verdict"]["candidate"] == "LSTM"
    assert {row["model"] for row in document["scores"]} >= {"LSTM", "Naive", "SeasonalNaive"}
    assert "gatecast-out/report.html" in document["files"]


def test_an_instruction_set_that_cannot_be_used_stops_the_command(run: Run, sales: Path, monkeypatch: Any) -> None:
    """It is not the failure of one model among others."""
    monkeypatch.setenv("GATECAST_ISA", "mmx")
    monkeypatch.setattr("gatecast.ops.library._FOUND", find("mmx"))
    code, out, err = run("backtest", sales, "--horizon", 3, "--windows", 1, *QUICK)
    assert (code, out) == (2, "")
    assert "GATECAST_ISA must be one of amx, avx512, avx2, neon or reference, got 'mmx'" in " ".join(err.split())


def test_a_paragraph_keeps_numbers_with_their_signs(capsys: pytest.CaptureFixture[str]) -> None:
    text = "The LSTM is better. " * 4 + "It is 12 % better here, truly (p = 0.01), and so on and on it goes."
    Console(ShowFlags()).paragraph(text)
    lines = capsys.readouterr().out.splitlines()
    assert " ".join(lines) == text
    assert max(map(len, lines)) <= 100
    assert not any(line.startswith(("%", "=", "0.01")) for line in lines)


def test_quiet_prints_nothing(run: Run, sales: Path) -> None:
    assert run("forecast", sales, "--horizon", 3, *QUICK, "--quiet") == (0, "", "")


def test_the_same_seed_gives_the_same_bytes(run: Run, sales: Path, tmp_path: Path) -> None:
    for out in ("a", "b"):
        assert run("forecast", sales, "--horizon", 3, *QUICK[:4], "--windows", 0, "--seed", 7, "--out", out)[0] == 0
    assert run("forecast", sales, "--horizon", 3, *QUICK[:4], "--windows", 0, "--seed", 8, "--out", "c")[0] == 0
    first, again, other = ((tmp_path / out / "forecast.csv").read_bytes() for out in "abc")
    assert first == again
    assert first != other


def test_a_baseline_can_be_selected(run: Run, sales: Path, tmp_path: Path) -> None:
    code, out, _ = run("forecast", sales, "--horizon", 12, "--model", "seasonal-naive", "--windows", 2)
    assert code == 0
    assert "Seasonal naive is" in out
    forecast = pd.read_csv(tmp_path / "gatecast-out" / "forecast.csv")
    assert forecast.forecast.tolist() == pytest.approx(pd.read_csv(sales).units[-12:].tolist(), rel=1e-5)
    assert not (tmp_path / "gatecast-out" / "model.gatecast").exists()


@pytest.mark.parametrize("name", ["auto", "ensemble"])
def test_the_backtest_can_choose(run: Run, sales: Path, name: str) -> None:
    code, out, _ = run("forecast", sales, "--horizon", 12, "--model", name, *QUICK, "--json")
    document = json.loads(out)
    assert code == 0
    if name == "auto":
        assert document["model"] == document["verdict"]["recommended"]
    else:
        assert document["model"] == "Ensemble"


def test_too_little_data_for_a_backtest_is_reported(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("day,y\n" + "".join(f"2024-01-{k:02},{k}\n" for k in range(1, 8)))
    code, out, _ = run("forecast", path, "--horizon", 6, "--model", "naive")
    assert code == 0
    assert "No backtest: short.csv: a backtest with --horizon 6 needs a series of at least" in out


# ── the folder ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_foreign_file_is_never_overwritten_silently(run: Run, sales: Path, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "forecast.csv").write_text("precious")
    arguments = ["forecast", sales, "--horizon", 3, "--model", "naive", "--windows", 2, "--out", folder]
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert "mine/forecast.csv exists and was not written by gatecast" in err
    assert "--overwrite" in err
    assert (folder / "forecast.csv").read_text() == "precious"
    assert run(*arguments, "--overwrite")[0] == 0
    assert run(*arguments)[0] == 0, "a second run replaces what the first one wrote"


def test_files_of_an_earlier_run_do_not_stay_behind(run: Run, sales: Path, tmp_path: Path) -> None:
    folder = tmp_path / "gatecast-out"
    assert run("forecast", sales, "--horizon", 3, *QUICK)[0] == 0
    (folder / "notes.txt").write_text("mine")
    assert run("forecast", sales, "--horizon", 3, "--model", "naive", "--windows", 0)[0] == 0
    assert sorted(path.name for path in folder.iterdir()) == ["forecast.csv", "notes.txt", "report.html", "run.json"]


def test_a_forecast_next_to_its_model_leaves_the_model_and_the_earlier_results(
    run: Run, sales: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "gatecast-out"
    assert run("forecast", sales, "--horizon", 3, *QUICK)[0] == 0
    before = tree(folder)
    assert run("predict", folder / "model.gatecast", sales, "--levels", 50, "--out", folder)[0] == 0
    after = tree(folder)
    assert set(after) == set(before)
    assert all(after[name] == before[name] for name in ("model.gatecast", "backtest.csv"))
    assert run("forecast", sales, "--horizon", 3, *QUICK)[0] == 0, "the model is still known as gatecast's own"


@pytest.mark.parametrize("listed", ["../precious.txt", "notes.txt"])
def test_a_record_that_names_other_files_removes_none(run: Run, sales: Path, tmp_path: Path, listed: str) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    precious = folder / listed
    precious.write_text("precious")
    (folder / "run.json").write_text(json.dumps({"written_by": "gatecast 0.1.0", "files": [listed]}))
    options = ["--horizon", 3, "--windows", 2, "--model", "naive", "--out", folder]
    assert run("backtest", sales, *options)[0] == 0
    assert precious.read_text() == "precious"


@pytest.mark.parametrize("command", ["forecast", "backtest", "predict"])
def test_a_folder_that_cannot_be_written_is_refused_before_any_work(run: Run, command: str) -> None:
    files = ["no.gatecast", "nowhere.csv"] if command == "predict" else ["nowhere.csv", "--horizon", 3]
    code, _, err = run(command, *files, "--out", "/proc/xx")
    assert code == 2
    assert err.startswith("gatecast: --out /proc/xx is not writable (")
    assert err.endswith("); choose another folder\n")


def test_the_folder_is_tried_without_a_trace(run: Run, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    for out in ("there", "a/b/c"):
        assert run("forecast", "nowhere.csv", "--horizon", 3, "--out", out)[0] == 2
    assert [path.name for path in tmp_path.rglob("*")] == ["there"]


def test_out_must_be_a_folder(run: Run, sales: Path) -> None:
    code, _, err = run("forecast", sales, "--horizon", 3, "--out", sales)
    assert code == 2
    assert "is a file; name a folder" in err


# ── the other commands ────────────────────────────────────────────────────────────────────────────────────────────────
def test_data_shows_what_was_understood_and_repaired(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "messy.csv"
    path.write_text("day;cases\n" + "".join(f"{day}.01.2024;{day},5\n" for day in (13, 11, 12, 14, 15, 16, 19, 20)))
    code, out, _ = run("data", path)
    assert code == 0
    assert "sorted: " in out
    assert "gap: " in out
    code, out, _ = run("data", path, "--json")
    document = json.loads(out)
    assert document["target"] == ["cases"]
    assert document["start"] == "2024-01-11"
    assert {repair["kind"] for repair in document["repairs"]} >= {"sorted", "gap"}
    assert tree(tmp_path).keys() == {"messy.csv"}


def test_data_flags_reach_the_reader(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "codes.csv"
    path.write_text("day,a,b\n" + "".join(f"2024-01-{k:02},{-9999 if k == 3 else k},{k}\n" for k in range(1, 10)))
    code, out, _ = run("data", path, "--target", "a", "--missing=-9999", "--json")
    assert code == 0
    assert json.loads(out)["missing"] == 1


def test_backtest_prints_and_writes_only_with_out(run: Run, sales: Path, tmp_path: Path) -> None:
    before = tree(tmp_path)
    code, out, _ = run("backtest", sales, "--horizon", 6, *QUICK)
    assert code == 0
    assert "Backtest: 2 origins × 6 steps" in out
    assert tree(tmp_path) == before
    assert run("backtest", sales, "--horizon", 6, *QUICK, "--out", "test")[0] == 0
    frame = pd.read_csv(tmp_path / "test" / "backtest.csv")
    assert {"unique_id", "ds", "cutoff", "y", "LSTM", "SeasonalNaive"} <= set(frame)
    assert "MASE" in pd.read_csv(tmp_path / "test" / "scores.csv")


def test_predict_repeats_the_forecast_without_training(run: Run, shops: Path, tmp_path: Path) -> None:
    options = ["--id", "shop", "--target", "units", "--known", "price", "--windows", 0, *QUICK[:4]]
    assert run("forecast", shops, "--horizon", 3, *options)[0] == 0
    made = tmp_path / "gatecast-out"
    code, _, err = run("predict", made / "model.gatecast", shops, "--out", "again")
    assert (code, err) == (0, "")
    pd.testing.assert_frame_equal(pd.read_csv(made / "forecast.csv"), pd.read_csv(tmp_path / "again" / "forecast.csv"))


def test_training_is_logged_and_explained(run: Run, sales: Path, tmp_path: Path) -> None:
    options = ["--windows", 1, "--fit.epochs", 2, "--fit.log-dir", "logs", "--fit.schedule", "plateau(patience=2)"]
    assert run("forecast", sales, "--horizon", 3, *options)[0] == 0
    assert {file.name for file in (tmp_path / "logs").iterdir()} <= {"training.csv", "training-refit0.csv"}
    before = tree(tmp_path)
    code, out, _ = run("explain-training", "gatecast-out/model.gatecast")
    assert code == 0
    assert out.startswith("Too short to tell")
    assert "training" in out
    assert "* weights kept" in out
    assert tree(tmp_path) == before
    code, out, _ = run("explain-training", "gatecast-out/model.gatecast", "--json")
    document = json.loads(out)
    assert (code, document["state"]) == (0, "too short")
    assert document["history"][-1]["progress"] == 1.0
    assert "Too short to tell" in (tmp_path / "gatecast-out" / "report.html").read_text()
    code, _, err = run("explain-training", "nowhere.gatecast")
    assert (code, "there is no model file nowhere.gatecast" in err) == (2, True)


def test_predict_prints_and_writes_nothing_without_out(run: Run, sales: Path, tmp_path: Path) -> None:
    assert run("forecast", sales, "--horizon", 3, "--windows", 0, *QUICK[:4])[0] == 0
    before = tree(tmp_path)
    code, out, _ = run("predict", "gatecast-out/model.gatecast", sales)
    assert code == 0
    assert "Forecast by LSTM" in out
    assert tree(tmp_path) == before
    code, out, _ = run("predict", "gatecast-out/model.gatecast", sales, "--levels", 50, "--json")
    assert list(json.loads(out)["forecast"][0]) == ["month", "model", "forecast", "lo-50", "hi-50"]


@pytest.mark.parametrize("named", [True, False])
def test_predict_reads_a_file_with_a_row_a_series(run: Run, tmp_path: Path, named: bool) -> None:
    days = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    table = pd.DataFrame([[k + 5 * math.sin(t / 2) for t in range(40)] for k in (10, 20)], columns=days)
    if named:
        table.insert(0, "shop", ["a", "b"])
    table.to_csv(tmp_path / "r.csv", index=False)
    assert run("forecast", "r.csv", "--horizon", 3, *QUICK[:-2], "--windows", 0)[0] == 0
    code, out, err = run("predict", "gatecast-out/model.gatecast", "r.csv", "--json")
    assert (code, err) == (0, "")
    assert len(json.loads(out)["forecast"]) == 6


def test_predict_reads_local_times_in_the_zone_of_the_model(run: Run, tmp_path: Path) -> None:
    hours = pd.date_range("2024-07-01", periods=80, freq="h").strftime("%Y-%m-%d %H:%M")
    pd.DataFrame({"t": hours, "y": [math.sin(k / 4) for k in range(80)]}).to_csv(tmp_path / "h.csv", index=False)
    options = ["--horizon", 3, *QUICK[:-2], "--windows", 0, "--tz", "Europe/Berlin"]
    assert run("forecast", "h.csv", *options)[0] == 0
    code, out, err = run("predict", "gatecast-out/model.gatecast", "h.csv", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["data"]["time_zone"] == "Europe/Berlin"
    code, _, err = run("predict", "gatecast-out/model.gatecast", "h.csv", "--tz", "UTC")
    assert code != 0
    assert "Europe/Berlin" in err


def test_predict_explains_why_a_file_is_refused(run: Run, sales: Path) -> None:
    code, _, err = run("predict", sales, sales)
    assert code == 2
    assert "sales.csv" in err
    assert "Traceback" not in err


# ── options ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("config", "flags"), [(NetConfig, NetFlags), (FitConfig, FitFlags)])
def test_every_field_of_the_configs_is_a_flag(config: type, flags: type) -> None:
    left_out = {"progress"}
    ours = {field.name: field.default for field in dataclasses.fields(flags)}
    theirs = {field.name: field.default for field in dataclasses.fields(config) if field.name not in left_out}
    assert ours == theirs


def test_help_texts_come_from_the_fields(run: Run) -> None:
    code, out, _ = run("forecast", "--help")
    words = " ".join(out.replace("│", " ").split()).lower()
    assert code == 0
    assert "--net.hidden-size" in out
    assert "--fit.batch-size" in out
    help_text: str = next(f.metadata["help"] for f in dataclasses.fields(NetConfig) if f.name == "hidden_size")
    assert help_text.lower() in words
    assert "gatecast forecast sales.csv --horizon 14" in words


def test_the_table_of_hyperparameters_goes_in_by_flags_and_by_a_file(run: Run, sales: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text("[net]\nnum_layers = 2\nresidual = true\nzoneout = 0.1\nhidden_size = 8\n")
    flags = ["--net.cell", "gru", "--net.activation", "softsign", "--net.recurrent-dropout", 0.2, "--net.go-backwards"]
    options = ["--horizon", 2, "--windows", 0, "--fit.steps", 2, "--config", settings, "--json"]
    code, out, err = run("forecast", sales, *options, *flags)
    assert (code, err) == (0, "")
    model = json.loads(out)["run"]["model"]
    said = {"cell": "gru", "activation": "softsign", "recurrent_dropout": 0.2, "go_backwards": True}
    written = {"num_layers": 2, "residual": True, "zoneout": 0.1, "hidden_size": 8}
    assert model["net"].items() >= (said | written).items()
    assert model["input_size"] == 8  # the embedding of a segment
    code, _, err = run("forecast", sales, *options, *flags, "--net.peephole")
    assert code == 2
    assert "--net.peephole is an option of the LSTM" in err


def test_options_override_the_settings_file(run: Run, sales: Path, tmp_path: Path) -> None:
    settings = tmp_path / "settings.toml"
    settings.write_text('horizon = 4\nwindows = 0\nout = "toml"\n[fit]\nsteps = 3\n[net]\nhidden_size = 8\n')
    code, out, err = run("forecast", sales, "--config", settings, "--json")
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert len(document["forecast"]) == 4
    assert document["run"]["model"]["net"]["hidden_size"] == 8
    code, out, _ = run("forecast", sales, "--config", settings, "--horizon", 2, "--json")
    assert (code, len(json.loads(out)["forecast"])) == (0, 2)
    for text, option in (("horizon = 4.5", "--horizon"), ("horizon = 4\n[fit]\nsteps = 4.5", "--fit.steps")):
        settings.write_text(text)
        code, _, err = run("forecast", sales, "--config", settings)
        assert (code, err) == (2, f"gatecast: {option} must be a whole number, got 4.5 in {settings}\n")
    settings.write_text("horizon = = 4\n")
    code, _, err = run("forecast", sales, "--config", settings)
    assert code == 2
    assert f"--config {settings} is not valid TOML: Invalid value (at line 1" in err
    settings.write_text("horizn = 4\n")
    code, _, err = run("forecast", sales, "--config", settings)
    assert code == 2
    assert "horizn" in err


def test_an_invalid_number_is_refused_by_its_option(run: Run) -> None:
    code, _, err = run("forecast", "x.csv", "--horizon", "1.x")
    assert code == 2
    assert "--horizon" in err
    assert "'1.x'" in err


def test_a_loss_reaches_the_model(run: Run, sales: Path, tmp_path: Path) -> None:
    options = ["--horizon", 3, "--windows", 0, *QUICK[:4]]
    code, out, err = run("forecast", sales, *options, "--loss", "huber(delta=0.5)", "--json")
    assert (code, err) == (0, "")
    model = json.loads(out)["run"]["model"]
    assert (model["head"], model["loss"]) == ("Point", "huber(delta=0.5)")
    (tmp_path / "settings.toml").write_text('loss = "mase"\n[fit]\nsteps = 3\n[net]\nhidden_size = 8\n')
    assert run("backtest", sales, "--horizon", 3, "--windows", 2, "--config", "settings.toml")[0] == 0


def test_flags_do_not_collide() -> None:
    names = [field.name for flags in (DataFlags, ModelFlags, ShowFlags) for field in dataclasses.fields(flags)]
    assert len(names) == len(set(names))


# ── how it ends ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["forecast", "nowhere.csv", "--horizon", "3"], "nowhere.csv"),
        (["forecast", ".", "--horizon", "3"], "gatecast: .: this is a folder; name one of its files: sales.csv"),
        (["data", "nofile.csv"], "no such file in .; check the path"),
        (["data", "sale.csv"], "did you mean 'sales.csv'?"),
        (["predict", "no.gatecast", "sales.csv"], "there is no model file no.gatecast"),
        (["forecast", "sales.csv"], "--horizon"),
        (["forecast", "sales.csv", "--horizn", "3"], "gatecast: Unknown option: --horizn. Did you mean --horizon? See"),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--out", "a", "--out", "b"],
            "--out was given twice: give it once. See gatecast forecast --help.",
        ),
        (["data", "sales.csv", "--quiet", "--quiet"], "--quiet was given twice"),
        (["forecast", "sales.csv", "--horizon"], "--horizon needs a value. See gatecast forecast --help."),
        (["forecast", "sales.csv", "--horizon", "x"], "--horizon must be a whole number, got 'x'."),
        (["forecast", "sales.csv"], "gatecast forecast needs --horizon: Steps ahead. See gatecast forecast --help."),
        (["predict", "m.gatecast"], "gatecast predict needs FILE: CSV, TSV (also .gz) or Parquet file"),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--levels", "80", "95"],
            "'95' is one word too many: join several values by commas, --levels 80,95. See",
        ),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--fit.steps", "5", "--fit.epochs", "3"],
            "--fit.steps 5 and --fit.epochs 3 exclude each other; leave one out",
        ),
        (["data", "sales.csv", "--quiet", "yes"], "'yes' is one word too many. See gatecast data --help."),
        (["sales.csv"], "'sales.csv' is a file, and the command comes before it: gatecast forecast sales.csv"),
        (["forcast", "sales.csv"], 'Did you mean "forecast"?'),
        (["data", "sales.csv", "--hidden"], "Unknown option: --hidden. See gatecast data --help."),
        (["forecast", "sales.csv", "--horizon", "3", "--verbose"], "Unknown option: --verbose. See"),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--hidden-size", "8"],
            "Unknown option: --hidden-size. Did you mean --net.hidden-size? See",
        ),
        (["backtest", "sales.csv", "--horizn=3"], "gatecast: Unknown option: --horizn. Did you mean --horizon? See"),
        (["forecast", "sales.csv", "--horizon", "0"], "--horizon must be at least 1, got 0"),
        (["forecast", "sales.csv", "--horizon", "many"], "--horizon must be a whole number, got 'many'"),
        (["forecast", "sales.csv", "--horizon", "3", "--model", "prophet"], "--model must be one of lstm, auto"),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--levels", "0.8,0.95"],
            "did you mean --levels 80,95?",
        ),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--levels", "120"],
            "--levels must be percentages above 0 and below 100",
        ),
        (["forecast", "sales.csv", "--horizon", "3", "--target", "unit"], "units"),
        (["forecast", "sales.csv", "--horizon", "3", "--net.hidden-size", "0"], "--net.hidden-size must be"),
        (
            ["forecast", "sales.csv", "--horizon", "3", "--model", "auto", "--windows", "0"],
            "--model auto chooses by a backtest",
        ),
        (["forecast", "sales.csv", "--horizon", "3", "--nonsense"], "--nonsense"),
        (["forecast", "sales.csv", "--horizon", "3", "--config", "no.toml"], "--config no.toml: no such file"),
        (["backtest", "sales.csv", "--horizon", "3", "--windows", "0"], "--windows must be at least 1"),
        (["demo", "--dataset", "nothing"], "nothing"),
        (["predict", "no.gatecast", "sales.csv"], "no.gatecast"),
        (["nonsense"], "nonsense"),
    ],
)
def test_bad_input_is_one_clear_message_and_exit_code_2(
    run: Run, sales: Path, arguments: list[str], words: str, tmp_path: Path
) -> None:
    before = tree(tmp_path)
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert err.startswith("gatecast: ")
    assert "Traceback" not in err
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    ("words", "typed"),
    [
        ("e.g. " + Arg("target", "y z") + ", or " + Arg("layout", "wide"), "e.g. --target 'y z', or --layout wide"),
        ("codes with " + Arg("missing", ...) + ", a decimal", "codes with --missing …, a decimal"),
        (Arg("missing", [-9999]), "--missing=-9999"),
        (Arg("id", ["store", "item"]), "--id store,item"),
        (Arg("date_format", "%d %b"), "--date-format '%d %b'"),
        ("there is no column 'x' (" + Arg("target") + ")", "there is no column 'x' (--target)"),
        ("pass " + Call("panel.future_frame", 9), "pass the output of gatecast future FILE --horizon 9 --known …"),
        (Call("LSTMForecaster", 20), "gatecast forecast FILE --horizon 20"),
        ("name it" + InPython(", or " + Arg("time", False)), "name it"),
        ("try a lower " + Arg("learning_rate", of="FitConfig"), "try a lower --fit.learning-rate"),
        (Arg("id_embedding", 0, of="NetConfig"), "--net.id-embedding 0"),
        (Arg("resume", True, of="FitConfig") + " needs a checkpoint", "--fit.resume needs a checkpoint"),
        (Arg("gradients", False, of="FitConfig"), "--fit.no-gradients"),
        (Arg("panel") + " is no option", "panel is no option"),
        ("a plain sentence: x == target, time=", "a plain sentence: x == target, time="),
    ],
)
def test_findings_name_what_can_be_typed(words: Words, typed: str) -> None:
    assert in_shell(words) == typed


def test_an_error_names_options(run: Run, tmp_path: Path) -> None:
    (tmp_path / "two.csv").write_text("day,a,b\n" + "".join(f"2024-01-{k:02},{k},{k}\n" for k in range(1, 10)))
    assert "--target …, or --layout wide" in run("data", "two.csv")[2]
    assert "(--target)" in run("data", "two.csv", "--target", "c")[2]


def test_an_error_is_json_with_the_option_json(run: Run, sales: Path) -> None:
    code, out, err = run("forecast", sales, "--horizon", 0, "--json")
    assert code == 2
    assert json.loads(out)["error"]["type"] == "SettingError"
    assert "must be at least 1" in err


def _fail_with(error: BaseException) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


def test_ctrl_c_is_130_and_a_fault_of_ours_is_1(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatecast.cli.data.read", _fail_with(KeyboardInterrupt()))
    code, _, err = run("data", sales)
    assert (code, err.strip()) == (130, "interrupted")
    monkeypatch.setattr("gatecast.cli.data.read", _fail_with(Stopped(Path("run.ckpt"))))
    code, _, err = run("data", sales)
    assert (code, err.splitlines()[1]) == (130, "interrupted")
    assert err.splitlines()[-1] == "run.ckpt holds the state: add --fit.resume to the same command to resume"
    monkeypatch.setattr("gatecast.cli.data.read", _fail_with(Terminated(Path("run.ckpt"))))
    code, _, err = run("data", sales)
    assert (code, err.splitlines()[0]) == (143, "terminated")
    assert "run.ckpt holds the state: add --fit.resume" in err
    monkeypatch.setattr("gatecast.cli.data.read", _fail_with(RuntimeError("boom")))
    code, _, err = run("data", sales)
    assert code == 1
    assert "RuntimeError: boom (set GATECAST_TRACEBACK=1 to see where)" in err
    monkeypatch.setenv("GATECAST_TRACEBACK", "1")
    with pytest.raises(RuntimeError, match="boom"):
        main(["data", str(sales)])


def test_version_and_bare_help(run: Run) -> None:
    import gatecast

    assert run("--version") == (0, f"{gatecast.__version__}\n", "")
    code, out, _ = run("--help")
    assert code == 0
    commands = ("forecast", "backtest", "predict", "data", "explain-training", "demo", "build-kernels")
    assert all(name in out for name in commands)


def test_a_real_process_waits_passively_and_prints_no_progress_when_piped(sales: Path, tmp_path: Path) -> None:
    """The installed command itself: exit code, clean standard error."""
    command = [sys.executable, "-c", "import sys; from gatecast.cli import main; sys.exit(main())"]
    arguments = ["forecast", str(sales), "--horizon", "3", *QUICK, "--out", str(tmp_path / "out")]
    done = subprocess.run(
        [*command, *arguments], capture_output=True, text=True, timeout=300, check=False, env=os.environ
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert "Wrote" in done.stdout


@pytest.mark.slow
def test_demo(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("demo", *QUICK)
    assert code == 0
    assert "demo-out/report.html" in out
    assert (tmp_path / "demo-out" / "model.gatecast").exists()


# ── tune ──────────────────────────────────────────────────────────────────────────────────────────────────────────
SEARCH = ["--horizon", 3, "--test", 1, "--folds", 2, "--fit.steps", 2, "--net.hidden-size", 8, "--context", 12]


def test_tune_writes_settings_that_forecast_takes(run: Run, sales: Path, tmp_path: Path) -> None:
    tiny = ["tune", sales, *SEARCH, "--fields", "net.dropout,scaler", "--out", "found"]
    code, out, err = run(*tiny, "--trials", 2)
    assert (code, err) == (0, "")
    assert "2 trials, 0 stopped early, 0 failed" in out
    assert {path.name for path in (tmp_path / "found").iterdir()} == {
        *("best.toml", "trials.csv", "tuning.html", "model.gatecast", "run.json", "tuning.sqlite3")
    }
    code, out, err = run(*tiny, "--trials", 3, "--json")  # resumes: one more
    assert (code, err) == (0, "")
    document = json.loads(out)
    assert len(document["trials"]) == 3
    assert document["model"]["net"]["hidden_size"] == 8
    assert document["files"][0].endswith("best.toml")
    config = ["--config", tmp_path / "found" / "best.toml", "--windows", 0, "--json"]
    code, out, _ = run("forecast", sales, "--horizon", 3, *config)
    assert code == 0
    assert json.loads(out)["run"]["model"]["net"] == document["model"]["net"]
    code, _, err = run(*tiny, "--trials", 3, "--seed", 5)
    assert code == 2
    assert "tuning.sqlite3: the file holds a search with" in err


def test_tune_chooses_its_fields_and_keeps_the_loss(run: Run, sales: Path, tmp_path: Path) -> None:
    code, _, err = run("tune", sales, *SEARCH, "--trials", 1, "--loss", "mse", "--out", "found")
    assert (code, err) == (0, "")
    assert 'loss = "mse"' in (tmp_path / "found" / "best.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--model", "theta"], "tune searches the settings of the LSTM; leave --model theta out"),
        (["--fields", "net.x"], "no field 'net.x' can be searched"),
        (["--workers", "dask"], "workers must be None, a number of processes of at least 1, or 'ray', got 'dask'"),
        (["--trials", 0], "trials must be at least 1"),
    ],
)
def test_tune_names_invalid_arguments(run: Run, sales: Path, options: list[object], text: str) -> None:
    code, _, err = run("tune", sales, *SEARCH, *options)
    assert code == 2
    assert text in " ".join(err.split())


def test_an_interrupted_search_names_its_file(run: Run, sales: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*given: object, **named: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("gatecast.tuning.tune", stop)
    code, _, err = run("tune", sales, *SEARCH)
    assert code == 130
    assert "tuning.sqlite3 holds the trials so far: run the same command again to resume" in err
