"""Bad input ends with code 2, the file or the option, and a remedy; never with the words of Python or a traceback."""

from __future__ import annotations

import gzip
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gatecast.base.text import first_line
from gatecast.data.read.dialect import distinct

Run = Callable[..., tuple[int, str, str]]

ROWS = "date,y\n" + "".join(f"2024-01-{day:02},{day}\n" for day in range(1, 29))
PYTHONS_WORDS = ("Error:", "Traceback", "GATECAST_TRACEBACK", "NoneType", "recursion")
QUOTED = 'date,y,note\n2024-01-01,1,"' + "x" * 140_000 + '"\n2024-01-02,2,x\n'
PACKED = gzip.compress(ROWS.encode())

FILES: dict[str, tuple[str, bytes, str]] = {
    "cut": ("a.csv.gz", PACKED[:40], "copy it again"),
    "flipped": ("a.csv.gz", PACKED[:50] + b"xxxxxxxx" + PACKED[58:], "copy it again"),
    "mark only": ("a.csv", b"\xef\xbb\xbf", "expected a header line"),
    "blank only": ("a.csv", b"\n" * 50, "expected a header line"),
    "empty arrays": ("a.npy", b"", "numpy.save"),
    "empty parquet": ("a.parquet", b"", "copy it again"),
    "random parquet": ("a.parquet", bytes(range(256)) * 4, "copy it again"),
    "long cell": ("a.csv", QUOTED.encode(), "quotation mark"),
}


@pytest.mark.parametrize("name", FILES)
def test_a_damaged_file(name: str, run: Run, tmp_path: Path) -> None:
    file, content, remedy = FILES[name]
    (tmp_path / file).write_bytes(content)
    code, _, err = run("data", file)
    assert code == 2
    assert err.startswith(f"gatecast: {file}")
    assert remedy in err
    assert not any(word in err for word in PYTHONS_WORDS)


def test_a_name_that_is_too_long(run: Run) -> None:
    code, _, err = run("data", "a" * 300 + ".csv")
    assert code == 2
    assert "File name too long" in err
    assert "check the path" in err
    assert len(err) < 200


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        (["--encoding", "klingon"], "take --encoding"),
        (["--encoding", "utf9"], "leave it out"),
        (["--encoding", "rot13"], "take --encoding utf-8"),
        (["--encoding", "hex"], "take --encoding utf-8"),
        (["--delimiter", "ab"], "take --delimiter ';'"),
        (["--date-format", "%"], "%d.%m.%Y"),
        (["--date-format", "%Q"], "%d.%m.%Y"),
        (["--date-format", "dayfirst"], "did you mean 'day-first'?"),
        (["--freq", "0D"], "expected one like"),
        (["--freq=-1MS"], "expected one like"),
        (["--freq", "999999999999999999D"], "expected one like"),
    ],
)
def test_an_option_of_reading(option: list[str], remedy: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    code, _, err = run("data", "a.csv", *option)
    assert code == 2
    assert option[0].partition("=")[0] in err
    assert remedy in err
    assert not any(word in err for word in PYTHONS_WORDS)


@pytest.mark.parametrize(
    ("option", "remedy"),
    [
        (["--seed=-1"], "at least 0"),
        (["--seed", "9" * 20], "at most 9,007,199,254,740,992"),
        (["--fit.threads", "0"], "at least 1"),
        (["--fit.threads", "100000"], "at most 1,024"),
        (["--fit.validation=-1"], "at least 0"),
        (["--fit.accelerator", "tpu"], "one of cpu, cuda"),
        (["--fit.devices", "1000"], "or leave it out"),
        (["--levels", "99.9999999999"], "take --levels 99.99"),
        (["--context", "100000000"], "at most 100,000"),
        (["--members", "1000000"], "at most 1,000"),
        (["--windows", "100000"], "at most 10,000"),
        (["--net.hidden-size", "10000000"], "at most 16,384"),
        (["--net.hidden-size", "16000", "--net.num-layers", "100"], "take --net.hidden-size"),
        (["--fit.checkpoint", "/proc/x.ckpt"], "choose another folder"),
        (["--fit.log-dir", "/proc/x"], "choose another folder"),
        (["--horizon", "4"], "give it once"),
    ],
)
def test_a_hopeless_request_is_refused_at_once(option: list[str], remedy: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    code, out, err = run("forecast", "a.csv", "--horizon", 3, "--fit.steps", 3, *option)
    assert code == 2
    assert option[0].partition("=")[0] in err
    assert remedy in err
    assert "Fitting" not in out
    assert not any(word in err for word in PYTHONS_WORDS)
    assert not (tmp_path / "gatecast-out").exists()


@pytest.mark.parametrize("horizon", ["9" * 20, "99999"])
def test_a_horizon_without_end(horizon: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("date,y\n" + "".join(f"{year}-01-01,{year}\n" for year in range(1960, 2020)))
    code, _, err = run("forecast", "a.csv", "--horizon", horizon, "--windows", 0, "--model", "naive")
    assert code == 2
    assert "--horizon" in err
    assert ("at most 100,000" if len(horizon) > 10 else "take --horizon 243 or less") in err


@pytest.mark.parametrize(
    ("text", "problem"),
    [("horizon = " + "9" * 5000, "too many digits"), ("levels = " + "[" * 3000 + "]" * 3000, "nested too deeply")],
)
def test_a_settings_file_beyond_reason(text: str, problem: str, run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "a.toml").write_text(text)
    code, _, err = run("forecast", "a.csv", "--horizon", 3, "--config", "a.toml")
    assert code == 2
    assert "--config a.toml" in err
    assert problem in err


def test_a_foreign_record_nested_too_deeply(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    (tmp_path / "o").mkdir()
    (tmp_path / "o" / "run.json").write_text("[" * 100_000)
    code, _, err = run("forecast", "a.csv", "--horizon", 3, "--model", "naive", "--out", "o")
    assert code == 2
    assert "was not written by gatecast" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("json", [["--json"], []])
def test_a_full_disk_behind_the_output(json: list[str], tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS)
    command = [sys.executable, "-c", "import sys; from gatecast.cli import main; sys.exit(main())", "data", "a.csv"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*command, *json], cwd=tmp_path, stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr.startswith("gatecast: the output cannot be written")
    assert "Traceback" not in done.stderr


# ── files that are read, though they looked broken ────────────────────────────────────────────────────────────────────
def test_blank_lines_at_the_end_are_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(ROWS + "\n" * 200)
    code, out, _ = run("data", "a.csv")
    assert code == 0
    assert "200 empty lines left out" in out
    assert "28" in out


def test_names_that_come_twice_never_meet() -> None:
    assert distinct(["y", "y", "y (2)"])[0] == ("y", "y (3)", "y (2)")
    assert distinct(["y", "y", "y"])[0] == ("y", "y (2)", "y (3)")


def test_hour_24_with_an_offset_is_the_next_day(run: Run, tmp_path: Path) -> None:
    hours = "".join(f"2024-01-01T{hour:02}:00:00+09:00,{hour}\n" for hour in range(1, 25))
    (tmp_path / "a.csv").write_text("date,y\n" + hours)
    code, out, _ = run("data", "a.csv")
    assert code == 0
    assert "2023-12-31 16:00" in out
    assert "2024-01-01 15:00" in out


def test_a_tab_as_a_shell_passes_it(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text(ROWS.replace(",", "\t"))
    assert run("data", "a.txt", "--delimiter", r"\t")[0] == 0


def test_the_first_line_of_an_error_is_short() -> None:
    assert first_line(ValueError("one.\ntwo")) == "one"
    assert len(first_line(ValueError("x" * 999))) == 120
    assert first_line(ValueError()) == "no reason given"


@pytest.mark.skipif(os.name != "posix", reason="file modes")
def test_room_on_the_disk_is_asked_before(tmp_path: Path) -> None:
    from fixtures.refused import refused

    from gatecast.base.errors import SettingError
    from gatecast.base.findings import Arg
    from gatecast.base.writable import require_space

    require_space(tmp_path / "new", 10, Arg("out", "new"))
    with refused(SettingError, problem=[Arg("out", "new"), "MB free"], remedy="another disk"):
        require_space(tmp_path / "new", 10**18, Arg("out", "new"))
