"""Advice leads on: the remedy that a message names is tried on the input that caused it, and the outcome changes.

Each row holds an input, a command, what the message says, and the command with its remedy. Afterwards the command
succeeds, or fails for another reason: the same words again would be a circle.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

Run = Callable[..., tuple[int, str, str]]
OK, OTHER = "success", "another error"


@dataclass(frozen=True)
class Case:
    """A message and its remedy.

    Args:
        text: of ``a.csv``, or the name of a model that was fitted before.
        command: without the remedy; ``a.csv`` is the input.
        says: words of the message, the remedy among them.
        remedy: options to add; an option that is already there is replaced; None takes one out.
        then: the outcome with the remedy.
        file: name of the input.
    """

    text: str
    command: tuple[Any, ...]
    says: str
    remedy: dict[str, Any]
    then: str = OK
    file: str = "a.csv"


def rows(dates: Any, *columns: Any, names: str = "day,y", between: str = ",") -> str:
    lines = [between.join(str(cell) for cell in cells) for cells in zip(dates, *columns, strict=True)]
    return "\n".join([names.replace(",", between), *lines]) + "\n"


DAYS = [str(day.date()) for day in pd.date_range("2024-01-01", periods=60)]
Y = [10 + k % 7 + (k % 5) / 2 for k in range(60)]
LOCAL = [day.isoformat() for day in pd.date_range("2023-03-01", periods=60, tz="Europe/Berlin")]
THIRTIETH = [str((pd.Timestamp("2019-01-30") + pd.DateOffset(months=k)).date()) for k in range(40)]
AMBIGUOUS = [f"{day:02}/03/2024" for day in (1, 3, 2, 5, 4)]
PLAIN = rows(DAYS, Y)
TWO = rows(DAYS, Y, Y, names="day,load,sold")
LONG = rows(DAYS * 2, [1] * 60 + [2] * 60, Y * 2, names="day,shop,y")
KNOWN = rows([*DAYS, "2024-03-01", "2024-03-02"], [*Y, "", ""], [*range(61), ""], names="day,y,temp")
CODED = rows(DAYS, [-9 if k == 7 else y for k, y in enumerate(Y)])
NEGATIVE = rows(DAYS, [-y for y in Y])
ZEROS = rows(DAYS, [0 if k == 9 else y for k, y in enumerate(Y)])
SHORT = rows(DAYS[:9], Y[:9])
GERMAN = rows(DAYS, [f"{y:.1f}".replace(".", ",") for y in Y], between=";")
HOURS = rows(
    [f"2024-10-{d:02} {h:02}:00" for d in (26, 27) for h in range(24) for _ in range(1 + (d == 27 and h == 2))],
    range(49),
)

DATA: dict[str, Case] = {
    "two columns hold numbers": Case(TWO, ("data",), "--target", {"--target": "load"}),
    "an unknown target": Case(PLAIN, ("data", "--target", "yy"), "did you mean", {"--target": "y"}),
    "an unknown file": Case(PLAIN, ("data",), "did you mean 'sales.csv'", {"FILE": "sales.csv"}, file="sale.csv"),
    "day or month first": Case(
        rows(AMBIGUOUS, Y[:5]), ("data",), "--date-format day-first", {"--date-format": "day-first"}
    ),
    "month or day first": Case(
        rows(AMBIGUOUS, Y[:5]), ("data",), "--date-format month-first", {"--date-format": "month-first"}
    ),
    "a row twice": Case(rows([*DAYS, DAYS[-1]], [*Y, 3]), ("data",), "--duplicates first", {"--duplicates": "first"}),
    "the hour that comes twice": Case(HOURS, ("data",), "--tz Europe/Berlin", {"--tz": "Europe/Berlin"}),
    "series that meet": Case(LONG, ("data", "--target", "y"), "--id", {"--id": "shop"}),
    "local midnights": Case(rows(LOCAL, Y), ("data",), "e.g. --tz Europe/Berlin", {"--tz": "Europe/Berlin"}),
    "the 30th of each month": Case(rows(THIRTIETH, range(40)), ("data",), "--freq MS", {"--freq": "MS"}),
    "one row": Case(rows(DAYS[:1], [3]), ("data",), "give it: --freq D", {"--freq": "D"}),
    "two series of one row": Case(
        rows(DAYS[:2], "ab", [1, 2], names="day,shop,y"), ("data", "--id", "shop"), "give it: --freq D", {"--freq": "D"}
    ),
    "a code among numbers": Case(
        CODED.replace("-9", "closed"), ("data", "--target", "y"), "--missing", {"--missing": "closed"}
    ),
    "infinite values": Case(CODED.replace("-9", "inf"), ("data",), "--infinite missing", {"--infinite": "missing"}),
    "a wrong encoding": Case(
        PLAIN, ("data", "--encoding", "klingon"), "take --encoding utf-8", {"--encoding": "utf-8"}
    ),
    "no encoding": Case(PLAIN, ("data", "--encoding", "rot13"), "leave it out", {"--encoding": None}),
    "a long delimiter": Case(GERMAN, ("data", "--delimiter", ";;"), "take --delimiter ';'", {"--delimiter": ";"}),
    "a pattern of nothing": Case(
        PLAIN, ("data", "--date-format", "%Q"), "e.g. --date-format", {"--date-format": "%Y-%m-%d"}
    ),
    "an order misspelt": Case(
        PLAIN, ("data", "--date-format", "dayfirst"), "'day-first'", {"--date-format": "day-first"}
    ),
    "no step": Case(PLAIN, ("data", "--freq", "0D"), '"D"', {"--freq": "D"}),
    "a step that does not fit": Case(PLAIN, ("data", "--freq", "7D"), "leave --freq out", {"--freq": None}),
    "an unknown zone": Case(PLAIN, ("data", "--tz", "Berlin"), "Europe/Berlin", {"--tz": "Europe/Berlin"}),
}
_F = ("forecast", "--horizon", 3, "--windows", 0, "--fit.steps", 3, "--net.hidden-size", 8)
_N = ("forecast", "--horizon", 3, "--windows", 0)
FORECAST: dict[str, Case] = {
    "covariates that end": Case(
        KNOWN, (*_F[:2], 2, *_F[3:], "--target", "y", "--known", "temp"), "take --horizon 1", {"--horizon": 1}
    ),
    "a long horizon": Case(SHORT, (*_F[:2], 40, *_F[3:]), "a shorter --horizon", {"--horizon": 3}),
    "a long context": Case(PLAIN, (*_F, "--context", 400), "take --context 30", {"--context": 30}),
    "windows held back": Case(PLAIN, (*_F, "--fit.validation", 900), "take --fit.validation", {"--fit.validation": 10}),
    "no counts": Case(PLAIN, (*_F, "--head", "poisson"), "--head normal", {"--head": "normal"}),
    "negative amounts": Case(NEGATIVE, (*_F, "--loss", "msle"), "--loss mae", {"--loss": "mae"}),
    "zeros in a percentage": Case(
        ZEROS, (*_F, "--loss", "mape"), "'mape(epsilon=1.0)'", {"--loss": "mape(epsilon=1.0)"}
    ),
    "logarithms": Case(NEGATIVE, (*_F, "--scaler", "log1p"), "--scaler standard", {"--scaler": "standard"}),
    "an unknown model": Case(PLAIN, (*_N, "--model", "naiv"), "did you mean 'naive'", {"--model": "naive"}),
    "a choice without a backtest": Case(
        PLAIN, (*_N, "--model", "auto"), "--windows of at least 1", {"--windows": 1, "--model": "naive"}
    ),
    "covariates beside naive": Case(
        KNOWN, (*_N, "--target", "y", "--model", "naive", "--known", "temp"), "leave --known out", {"--known": None}
    ),
    "a network beside naive": Case(
        PLAIN,
        (*_N, "--model", "naive", "--net.hidden-size", 8),
        "leave --net.hidden-size out",
        {"--net.hidden-size": None},
    ),
    "refit without a backtest": Case(
        PLAIN, (*_N, "--model", "naive", "--refit"), "leave --refit out", {"--refit": None}
    ),
    "no history of naive": Case(
        PLAIN, (*_N, "--model", "naive", "--no-history"), "leave --no-history out", {"--no-history": None}
    ),
    "intervals of everything": Case(
        PLAIN, (*_N, "--model", "naive", "--levels", "99.9999"), "take --levels 99.99", {"--levels": "99.99"}
    ),
    "many processes": Case(PLAIN, (*_F, "--fit.devices", 900), "or leave it out", {"--fit.devices": None}),
    "no such device": Case(PLAIN, (*_F, "--fit.accelerator", "mps"), "or leave it out", {"--fit.accelerator": None}),
    "a checkpoint nowhere": Case(
        PLAIN, (*_F, "--fit.checkpoint", "/proc/x/y"), "choose another folder", {"--fit.checkpoint": "x.ckpt"}
    ),
    "a horizon beyond the calendar": Case(
        rows([f"{year}-01-01" for year in range(1960, 2020)], Y),
        (*_N[:2], 9999, *_N[3:], "--model", "naive"),
        "take --horizon 243",
        {"--horizon": 243},
    ),
    "a constant series": Case(
        rows(DAYS, [4] * 60), (*_N, "--model", "linear"), "take --model naive", {"--model": "naive"}
    ),
    "the same every week": Case(
        rows(DAYS, [k % 7 for k in range(60)]),
        (*_N, "--model", "linear"),
        "take --model seasonal-naive",
        {"--model": "seasonal-naive"},
    ),
    "a wide network": Case(
        PLAIN,
        (*_F[:7], "--net.hidden-size", 16000, "--net.num-layers", 90),
        "take --net.hidden-size",
        {"--net.hidden-size": 8},
    ),
    "the input among the results": Case(
        PLAIN, (*_N, "--model", "naive", "--out", "."), "name another folder", {"--out": "o"}, file="forecast.csv"
    ),
}
CASES = DATA | FORECAST


def with_remedy(command: list[str], remedy: dict[str, Any]) -> list[str]:
    """The command with options added, replaced or, for None, taken out."""
    made = list(command)
    for name, value in remedy.items():
        if name == "FILE":
            made[1] = str(value)
            continue
        if name in made:
            at = made.index(name)
            plain = at + 1 == len(made) or made[at + 1].startswith("--")
            del made[at : at + (1 if plain else 2)]
        made += [] if value is None else [f"{name}={value}"]
    return made


@pytest.mark.parametrize("name", CASES)
def test_the_remedy_changes_the_outcome(name: str, run: Run, tmp_path: Path) -> None:
    case = CASES[name]
    (tmp_path / case.remedy.get("FILE", case.file)).write_text(case.text)
    command = [case.command[0], case.file, *map(str, case.command[1:])]
    code, _, before = run(*command)
    assert code == 2, before
    assert case.says in before
    code, _, after = run(*with_remedy(command, case.remedy))
    if case.then == OK:
        assert code == 0, f"{before}\nwith the remedy: {after}"
    assert after != before


def test_the_table_is_long_enough() -> None:
    assert len(CASES) >= 25
