"""Bad and odd input: each kind with the repair it must list, or the words of the error it must raise."""

from __future__ import annotations

import gzip
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.data import Panel, Schema
from gatecast.data.read import read_panel

NAN = float("nan")


def days(values: list[object], first: str = "2024-01-01", sep: str = ",") -> str:
    """A daily table with the columns ``date`` and ``y``."""
    start = np.datetime64(first)
    return f"date{sep}y\n" + "".join(f"{start + k}{sep}{value}\n" for k, value in enumerate(values))


def read(folder: Path, text: str | bytes, **options: Any) -> Panel:
    """The text as a file, read."""
    path = folder / "data.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_panel(path, **options)


@dataclass
class Good:
    """Input that is read.

    Args:
        text: of the file.
        values: of the first series.
        start: first time.
        freq: of the panel.
        repair: kind and part of the message of a repair that must be listed; "" for none.
        options: of ``read_panel``.
    """

    text: str | bytes
    values: list[float]
    start: object = "2024-01-01"
    freq: str = "D"
    repair: tuple[str, str] | None = None
    options: dict[str, Any] = field(default_factory=dict)


PLAIN = [1.0, 2.0, 3.0]
GOOD = {
    "ISO dates": Good(days([1, 2, 3]), PLAIN),
    "ISO with T and Z": Good("t,y\n2024-01-01T00:00Z,1\n2024-01-01T01:00Z,2\n2024-01-01T02:00Z,3\n", PLAIN, freq="h"),
    "slashes, year first": Good("d,y\n2024/1/1,1\n2024/1/2,2\n2024/1/3,3\n", PLAIN),
    "semicolon and decimal comma": Good(
        "date;y\n01.01.2024;1,5\n02.01.2024;2,5\n03.01.2024;3,25\n",
        [1.5, 2.5, 3.25],
        repair=("date format", "day first (dates with points always are)"),
    ),
    "points between thousands": Good(
        "date;y\n2024-01-01;1.234,5\n2024-01-02;12,5\n2024-01-03;1.000.000,0\n", [1234.5, 12.5, 1e6]
    ),
    "commas between thousands": Good('date,y\n2024-01-01,"1,234.5"\n2024-01-02,"12.5"\n', [1234.5, 12.5]),
    "day first, proven": Good(
        "d,y\n30/12/2023,1\n31/12/2023,2\n01/01/2024,3\n",
        PLAIN,
        "2023-12-30",
        repair=("date format", "day first ("),
    ),
    "month first, proven": Good(
        "d,y\n12/30/2023,1\n12/31/2023,2\n01/01/2024,3\n",
        PLAIN,
        "2023-12-30",
        repair=("date format", "month first ("),
    ),
    "day order, proven by the grid": Good(
        "d,y\n" + "".join(f"1/{m}/2024,{m}\n" for m in (10, 11, 12)) + "1/1/2025,1\n",
        [10, 11, 12, 1],
        "2024-10-01",
        "MS",
        ("date format", "no other order is regular"),
    ),
    "day order, given": Good("d,y\n1/1/2024,1\n2/1/2024,2\n3/1/2024,3\n", PLAIN, options={"date_format": "day-first"}),
    "pattern, given": Good("d,y\n2024|001,1\n2024|002,2\n", [1, 2], options={"date_format": "%Y|%j", "delimiter": ","}),
    "two-digit years": Good(
        "d,y\n12/30/23,1\n12/31/23,2\n", [1, 2], "2023-12-30", repair=("date format", "two digits")
    ),
    "YYYYMMDDHH": Good(
        "date,y\n2024010100,1\n2024010101,2\n2024010102,3\n", PLAIN, freq="h", repair=("date format", "%Y%m%d%H")
    ),
    "YYYYMMDD": Good("date,y\n20240101,1\n20240102,2\n20240103,3\n", PLAIN),
    "hour 24": Good("date,y\n2024010123,1\n2024010124,2\n2024010201,3\n", PLAIN, "2024-01-01T23", "h"),
    "clock with points in its own column": Good(
        "Date;Time;y\n13/01/2024;18.00.00;1,5\n13/01/2024;19.00.00;2\n13/01/2024;20.00.00;3\n",
        [1.5, 2, 3],
        "2024-01-13T18",
        "h",
        ("time column", "Date + Time"),
    ),
    "am and pm": Good(
        "t,y\n01/13/2024 11:00 AM,1\n01/13/2024 12:00 PM,2\n01/13/2024 1:00 PM,3\n", PLAIN, "2024-01-13T11", "h"
    ),
    "year-month": Good("m,y\n2024-01,1\n2024-02,2\n2024-03,3\n", PLAIN, freq="MS"),
    "year-month without century": Good(
        "Month,y\n1-11,1\n1-12,2\n2-01,3\n", PLAIN, "2001-11-01", "MS", ("date format", "without century")
    ),
    "month names": Good("d,y\nJan 2024,1\nFeb 2024,2\nMar 2024,3\n", PLAIN, freq="MS"),
    "quarters": Good("q,y\n2024Q1,1\n2024Q2,2\n2024Q3,3\n", PLAIN, freq="QS"),
    "ISO weeks": Good("w,y\n2024-W01,1\n2024-W02,2\n2024-W03,3\n", PLAIN, freq="W-MON"),
    "years": Good("year,y\n1999,1\n2000,2\n2001,3\n", PLAIN, "1999-01-01", "YS"),
    "month ends": Good("d,y\n2024-01-31,1\n2024-02-29,2\n2024-03-31,3\n", PLAIN, "2024-01-31", "ME"),
    "business days": Good(
        "d,y\n" + "".join(f"2024-01-{d:02d},{d}\n" for d in (1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15)),
        [1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 15],
        freq="B",
    ),
    "plain integers": Good("step,y\n5,1\n6,2\n7,3\n", PLAIN, 5, ""),
    "integers by tens": Good("step,y\n10,1\n20,2\n40,4\n", [1, 2, NAN, 4], 10, "", ("gap", "1 missing row")),
    "seconds since 1970": Good(
        "timestamp,y\n1704067200,1\n1704070800,2\n", [1, 2], freq="h", repair=("date format", "since 1970")
    ),
    "no time at all": Good("y\n1\n2\n3\n", PLAIN, 0, "", ("time column", "in the order they come")),
    "no time, counted from a start": Good("y\n1\n2\n3\n", PLAIN, options={"freq": "D", "start": "2024-01-01"}),
    "year, month, day, hour apart": Good(
        "year,month,day,hour,y\n2024,1,1,0,1\n2024,1,1,1,2\n2024,1,1,2,3\n",
        PLAIN,
        freq="h",
        repair=("time column", "spread over year, month, day, hour"),
    ),
    "no header": Good("2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n", PLAIN, repair=("no header", "column 1")),
    "two header rows": Good(
        "date,load\n,MW\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n", PLAIN, repair=("header", "two header rows")
    ),
    "preamble": Good(
        "Station: Berlin\nexported,2024-05-01\n\ndate,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n2024-01-04,4\n",
        [1, 2, 3, 4],
        repair=("preamble", "3 lines"),
    ),
    "header by line": Good("a,b\n1,2\ndate,y\n2024-01-01,1\n2024-01-02,2\n", [1, 2], options={"header": 3}),
    "byte-order mark": Good(b"\xef\xbb\xbf" + days([1, 2, 3]).encode(), PLAIN, options={"target": "y", "time": "date"}),
    "UTF-16": Good(days([1, 2, 3]).encode("utf-16"), PLAIN),
    "Windows-1252": Good(
        "Datum;Größe\n2024-01-01;1\n2024-01-02;2\n".encode("cp1252"),
        [1, 2],
        repair=("encoding", "Windows-1252"),
        options={"target": "Größe"},
    ),
    "Windows line ends": Good(days([1, 2, 3]).replace("\n", "\r\n"), PLAIN),
    "tabs": Good(days([1, 2, 3], sep="\t"), PLAIN),
    "white space": Good("date y\n2024-01-01   1\n2024-01-02   2\n2024-01-03   3\n", PLAIN),
    "empty lines": Good("date,y\n2024-01-01,1\n\n\n2024-01-02,2\n", [1, 2], repair=("blank lines", "2 empty lines")),
    "delimiter at the end of lines": Good(
        "date;y;;\n2024-01-01;1;;\n2024-01-02;2;;\n", [1, 2], repair=("column dropped", "2 columns without name")
    ),
    "NA and empty": Good(days([1, "NA", "", 4]), [1, NAN, NAN, 4], repair=("missing", "2 values of the target")),
    "dash": Good(days([1, "-", 3]), [1, NAN, 3], repair=("missing code", "1 cell of y read '-'")),
    "None": Good(days([1, "None", 3]), [1, NAN, 3], repair=("missing code", "'None'")),
    "-9999, given": Good(
        days([1, -9999, 3]), [1, NAN, 3], repair=("missing code", "held a code"), options={"missing": -9999}
    ),
    "-9999, noticed": Good(
        days([1, -9999, 3]), [1, -9999, 3], repair=("suspicious code", "look like a code for missing")
    ),
    "text code, given": Good(days([1, "closed", 3]), [1, NAN, 3], options={"missing": ["closed"]}),
    "not in order": Good(
        "d,y\n2024-01-02,2\n2024-01-01,1\n2024-01-03,3\n", PLAIN, repair=("sorted", "first at line 3")
    ),
    "newest first": Good("d,y\n2024-01-03,3\n2024-01-02,2\n2024-01-01,1\n", PLAIN, repair=("sorted", "sorted")),
    "gap": Good(
        "d,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n2024-01-06,6\n",
        [1, 2, 3, NAN, NAN, 6],
        repair=("gap", "2 missing rows added as missing values: 1 gap, the first after 2024-01-03"),
    ),
    "duplicates, mean": Good(
        "d,y\n2024-01-01,1\n2024-01-01,3\n2024-01-02,5\n",
        [2, 5],
        repair=("duplicates", "1 duplicate timestamp: took the mean of each"),
        options={"duplicates": "mean"},
    ),
    "duplicates, sum": Good("d,y\n2024-01-01,1\n2024-01-01,3\n2024-01-02,5\n", [4, 5], options={"duplicates": "sum"}),
    "duplicates, last": Good("d,y\n2024-01-01,1\n2024-01-01,3\n2024-01-02,5\n", [3, 5], options={"duplicates": "last"}),
    "infinite, taken as missing": Good(
        days([1, "inf", 3]), [1, NAN, 3], repair=("infinite", "1 row"), options={"infinite": "missing"}
    ),
    "constant": Good(days([7, 7, 7]), [7, 7, 7], repair=("constant", "never changing: y")),
    "one value": Good(days([7]), [7], options={"freq": "D"}, repair=("short", "fewer than three")),
    "leading and trailing missing": Good(
        days(["", 1, 2, 3, ""]), PLAIN, "2024-01-02", repair=("trimmed", "1 row before the first value")
    ),
    "text column": Good(
        "d,y,remark\n2024-01-01,1,a\n2024-01-02,2,b\n", [1, 2], repair=("column dropped", "text left out: remark")
    ),
    "numbers without a role": Good(
        "d,y,z\n2024-01-01,1,5\n2024-01-02,2,6\n", [1, 2], repair=("column unused", "left out: z")
    ),
    "column names twice": Good(
        "d,y,y\n2024-01-01,1,5\n2024-01-02,2,6\n", [1, 2], options={"target": "y"}, repair=("header", "came twice")
    ),
    "yes and no": Good(days(["yes", "no", "yes"]), [1, 0, 1]),
    "legacy frequency name": Good(
        "t,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n", [1, 2], freq="h", options={"freq": "H"}
    ),
    "month frequency fitted to the month start": Good(
        "d,y\n2024-01-01,1\n2024-02-01,2\n", [1, 2], freq="MS", options={"freq": "M"}
    ),
    "large numbers": Good(
        days([1_700_000_001, 1_700_000_002, 1_700_000_004]),
        [1_700_000_001, 1_700_000_002, 1_700_000_004],
        repair=("float64", "float32 would round away"),
    ),
    "summer time in October, given": Good(
        "t,y\n2023-10-29 01:00,1\n2023-10-29 02:00,2\n2023-10-29 02:00,3\n2023-10-29 03:00,4\n",
        [1, 2, 3, 4],
        "2023-10-28T23",
        "h",
        ("clock change", "2 rows in the hour that comes twice"),
        {"tz": "Europe/Berlin"},
    ),
    "summer time in March, given": Good(
        "t,y\n2024-03-31 01:00,1\n2024-03-31 03:00,2\n2024-03-31 04:00,3\n",
        PLAIN,
        "2024-03-31T00",
        "h",
        options={"tz": "Europe/Berlin"},
    ),
    "summer time in March, no zone given": Good(
        "t,y\n2024-03-31 00:00,0\n2024-03-31 01:00,1\n2024-03-31 03:00,3\n2024-03-31 04:00,4\n",
        [0, 1, NAN, 3, 4],
        "2024-03-31",
        "h",
        ("gap", 'if times are local, give the time zone, e.g. tz="Europe/Berlin"'),
    ),
    "offsets from UTC": Good(
        "t,y\n2024-03-31T01:00+01:00,1\n2024-03-31T03:00+02:00,2\n2024-03-31T04:00+02:00,3\n",
        PLAIN,
        "2024-03-31T00",
        "h",
        ("time zone", "kept in UTC"),
    ),
    "dates with a time zone": Good(
        days([1, 2, 3]), PLAIN, options={"tz": "Europe/Berlin"}, repair=("time zone", "not needed")
    ),
    "negative among positive": Good(
        days([*range(5, 205), -3]), [*range(5, 205), -3], repair=("negative", "1 value of the target below zero")
    ),
    "several ids": Good(
        "d,shop,item,y\n2024-01-01,a,1,1\n2024-01-02,a,1,2\n2024-01-01,b,1,3\n2024-01-02,b,1,4\n",
        [1, 2],
        options={"id": ["shop", "item"], "target": "y"},
    ),
    "date and hour apart": Good(
        "date,hour,y\n2024-01-01,22,1\n2024-01-01,23,2\n2024-01-01,24,3\n2024-01-02,1,4\n",
        [1, 2, 3, 4],
        "2024-01-01T22",
        "h",
        ("time column", "date + hour"),
    ),
    "only numbers, in order": Good("1\n2\n3\n", PLAIN, 0, "", ("no header", "the first line holds values")),
    "spaces between thousands": Good("d;y\n2024-01-01;1 234,5\n2024-01-02;12 678,25\n", [1234.5, 12678.25]),
    "quoted cell over two lines": Good('d,y,c\n2024-01-01,1,"a\nb"\n2024-01-02,2,c\n', [1, 2]),
    "year ends": Good("d,y\n2021-12-31,1\n2022-12-31,2\n2023-12-31,3\n", PLAIN, "2021-12-31", "YE"),
    "day numbers of a spreadsheet": Good(
        "date,y\n45292,1\n45293,2\n45294,3\n", PLAIN, 45292, "", ("suspicious dates", "45292 is 2024-01-01")
    ),
    "integers beyond doubles": Good(
        days([10**17, 10**17 + 1]), [1e17, 1e17], repair=("rounded", "whole numbers above 2^53")
    ),
    "row labels of pandas": Good(",0\n1821,269\n1822,321\n1823,585\n", [269, 321, 585], "1821-01-01", "YS"),
    "a code for missing values in the first row": Good(
        days(["<5", 2, 3, 4, 5]), [2, 3, 4, 5], "2024-01-02", options={"missing": "<5"}, repair=("trimmed", "1 row")
    ),
    "units below the names": Good("date,temp\n,°C\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n", PLAIN),
    "notes below the names": Good(
        "a,b\n1979,1979\n1,1\n10.5,1\n11.5,2\n12.5,3\n",
        [10.5, 11.5, 12.5],
        0,
        "",
        ("rows skipped", "2 rows"),
        {"layout": "wide", "skip_rows": 2},
    ),
    "statistics offices": Good("TIME_PERIOD,y\n2022M03,3\n2022M02,2\n2022M01,1\n", PLAIN, "2022-01-01", "MS"),
    "Korean dates": Good("날짜,y\n2024년 1월 3일,3\n2024년 1월 2일,2\n2024년 1월 1일,1\n", PLAIN),
    "Korean dates with points": Good("day,y\n2024. 01. 01.,1\n2024. 01. 02.,2\n2024. 01. 03.,3\n", PLAIN),
    "Japanese clock": Good(
        "t,y\n2024年1月1日 9時,1\n2024年1月1日 10時,2\n2024年1月1日 11時,3\n", PLAIN, "2024-01-01T09", "h"
    ),
    "weekday first": Good("d,y\nMon Jan 1 2024,1\nTue Jan 2 2024,2\nWed Jan 3 2024,3\n", PLAIN),
    "weeks without zeros": Good("week,y\n2024w9,1\n2024w10,2\n2024w11,3\n", PLAIN, "2024-02-26", "W-MON"),
    "weeks over the year's end": Good("week,y\n202351,1\n202352,2\n202401,3\n", PLAIN, "2023-12-18", "W-MON"),
    "six digits": Good("date,y\n240130,1\n240131,2\n240201,3\n", PLAIN, "2024-01-30", "D"),
    "year and day": Good("d,y\n2023364,1\n2023365,2\n2024001,3\n", PLAIN, "2023-12-30", options={"time": "d"}),
    "years as floats": Good("year,y\n2001.0,1\n2000.0,2\n1999.0,3\n", [3, 2, 1], "1999-01-01", "YS"),
    "seconds as floats": Good(
        "timestamp,y\n1704067200.0,1\n1704070800.0,2\n1704074400.0,3\n", PLAIN, "2024-01-01", "h"
    ),
    "seasons": Good("season,y\n2009/10,1\n2010/11,2\n2011/12,3\n", PLAIN, "2009-01-01", "YS"),
    "months of seasons": Good("y\tm\n2010-11\t1\n2011-12\t2\n2012-13\t3\n", PLAIN, "2010-01-01", "YS"),
    "half-years": Good("d,y\n2022-S1,1\n2022-S2,2\n2023-S1,3\n", PLAIN, "2022-01-01", "2QS"),
    "compact day and clock": Good(
        "t,y\n20120101 9:00,1\n20120101 10:00,2\n20120101 11:00,3\n", PLAIN, "2012-01-01T09", "h"
    ),
    "two digits of the year first": Good(
        "d,y\n24-01-30,1\n24-01-31,2\n24-02-01,3\n24-02-02,4\n",
        [1, 2, 3, 4],
        "2024-01-30",
        "D",
        ("date format", "year first"),
    ),
    "order of the year given": Good(
        "d,y\n24.01.05,1\n24.01.06,2\n24.01.07,3\n", PLAIN, "2024-01-05", options={"date_format": "year-first"}
    ),
    "German months": Good("d,y\n30. Mai 2024,1\n31. Mai 2024,2\n1. Juni 2024,3\n", PLAIN, "2024-05-30"),
    "daily at changing hours": Good(
        "t,y\n" + "".join(f"2024-01-{day:02}T{18 if day < 6 else 17}:00,{day}\n" for day in range(1, 13)),
        [*range(1, 13)],
        repair=("clock", "17:00, 18:00"),
    ),
    "rows at odd minutes": Good(
        "t,y\n2024-01-01 00:01,1\n2024-01-01 00:04,3\n2024-01-01 00:11,5\n2024-01-01 00:19,7\n",
        [2, NAN, 5, 7],
        "2024-01-01",
        "5min",
        ("resampled", "4 rows resampled to 3 steps (5min), the mean of each"),
        {"resample": "5min"},
    ),
    "the thirtieth of each month": Good(
        "d,y\n2024-01-30,1\n2024-02-29,2\n2024-03-30,3\n2024-03-31,4\n",
        [1, 2, 7],
        "2024-01-01",
        "MS",
        options={"resample": "MS", "aggregate": "sum"},
    ),
    "local days with offsets, by weeks": Good(
        "t,y\n2024-03-30T00:00+01:00,1\n2024-03-31T00:00+01:00,2\n2024-04-01T00:00+02:00,3\n2024-04-08T00:00+02:00,4\n",
        [2, 3, 4],
        "2024-03-25",
        "W-MON",
        options={"resample": "W-MON", "aggregate": "max", "tz": "Europe/Berlin"},
    ),
    "thousands in India": Good("d;y\n2024-01-01;1,23,456\n2024-01-02;12,345\n2024-01-03;900\n", [123456, 12345, 900]),
    "points between thousands, twice": Good("d;y\n2024-01-01;1.234.567\n2024-01-02;2.345\n", [1234567, 2345]),
    "per cent": Good(days(["0.5%", "1.5%", "2.5%"]), [0.5, 1.5, 2.5], repair=("unit", "per cent")),
    "three decimals between commas": Good(
        days(["1.234", "2.345"]), [1.234, 2.345], repair=("decimal", "'1.234' is read with a decimal point")
    ),
    "points after three hundred whole numbers": Good(days([*range(320), "1.125", "2.5"]), [*range(320), 1.125, 2.5]),
    "one row a series, few months": Good(
        "geo,2020-01,2020-02,2020-03\nAT,1,2,3\nBE,4,:,6\n", PLAIN, "2020-01-01", "MS", options={"missing": ":"}
    ),
    "one row a series, years in brackets": Good(
        "name," + ",".join(f"{y} [YR{y}]" for y in range(1990, 1997)) + "\nAruba,1,2,3,4,5,6,7\n",
        [*range(1, 8)],
        "1990-01-01",
        "YS",
    ),
    "column with a title of spaces": Good(
        " date , y \n2024-01-01, 1\n2024-01-02, 2\n", [1, 2], options={"target": "y"}
    ),
}


@pytest.mark.parametrize("case", GOOD.values(), ids=GOOD.keys())
def test_odd_input_is_read_and_repairs_are_listed(case: Good, tmp_path: Path) -> None:
    panel = read(tmp_path, case.text, **case.options)
    np.testing.assert_allclose(panel.series(0)[:, 0], case.values)
    assert panel.freq.alias == case.freq
    wanted = np.datetime64(case.start, "ns") if isinstance(case.start, str) else case.start
    assert panel.starts[0] == wanted
    if case.repair is not None:
        kind, words = case.repair
        messages = [str(repair) for repair in panel.repairs if repair.kind == kind]
        assert any(words in message for message in messages), panel.repairs


# text, options, fields of the finding
BAD: dict[str, tuple[str | bytes, dict[str, Any], dict[str, Any]]] = {
    "empty file": ("", {}, {"place": "data.csv", "problem": "empty", "remedy": "header"}),
    "header only": ("date,y\n", {}, {"place": "data.csv", "problem": ["header", "no row"], "remedy": "row"}),
    "nothing numeric": (
        "date,y\n2024-01-01,a\n2024-01-02,b\n",
        {},
        {
            "place": "data.csv",
            "problem": ["column 'y'", "'a'", "date, y"],
            "remedy": [Arg("target", ...), Arg("missing", ["…"]), Arg("decimal", ",")],
        },
    ),
    "text among numbers": (
        days([1, 2, "oops", 4, 5, 6, 7, 8, 9, 10, 11, 12]),
        {},
        {
            "place": "data.csv, column 'y', line 4",
            "problem": ["a number", "'oops'"],
            "remedy": Arg("missing", ["oops"]),
        },
    ),
    "target is text": (
        "date,y\n2024-01-01,a\n",
        {"target": "y"},
        {"place": "column 'y', line 2", "problem": ["a number", "'a'"], "remedy": Arg("missing", ["a"])},
    ),
    "target has no value": (
        days(["", ""]),
        {"target": "y"},
        {
            "place": "data.csv",
            "problem": ["column 'y'", "no value"],
            "remedy": [Arg("target", ...), Arg("missing", ["…"]), Arg("decimal", ",")],
        },
    ),
    "no value in any column": (
        days(["NaN", "NaN"]),
        {},
        {"place": "data.csv", "problem": ["column 'y'", "no value"], "remedy": ["fill", Arg("target", ...)]},
    ),
    "given frequency far too fine": (
        "d,y\n" + "".join(f"2024-{month:02}-01,{month}\n" for month in range(1, 13)),
        {"freq": "D"},
        {
            "place": "column 'd'",
            "problem": [Arg("freq", "D"), "MS", "96 %"],
            "remedy": [Arg("freq"), Arg("freq", "MS")],
        },
    ),
    "order of day and month open": (
        "d,y\n01/02/2024,1\n02/02/2024,2\n03/02/2024,3\n",
        {},
        {
            "place": "column 'd', line 2",
            "problem": ["'01/02/2024'", "day", "month"],
            "remedy": [Arg("date_format", "day-first"), Arg("date_format", "month-first")],
        },
    ),
    "impossible date": (
        days([1, 2]) + "2024-02-30,3\n",
        {},
        {
            "place": "column 'date', line 4",
            "problem": ["'2024-01-01'", "'2024-02-30'"],
            "remedy": ["row", Arg("date_format", ...)],
        },
    ),
    "mixed date formats": (
        days([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]) + "13.01.2024,13\n",
        {},
        {
            "place": "column 'date', line 14",
            "problem": ["'2024-01-01'", "'13.01.2024'"],
            "remedy": ["row", Arg("date_format", ...)],
        },
    ),
    "dates without year": (
        "date,y\n10-Mar,1\n11-Mar,2\n",
        {"time": "date"},
        {"place": "column 'date', line 2", "problem": ["'10-Mar'", "year"], "remedy": "year"},
    ),
    "clock without date": (
        "t,y\n18:00,1\n19:00,2\n",
        {"time": "t"},
        {
            "place": "column 't', line 2",
            "problem": ["a date", "'18:00'", "time of day"],
            "remedy": Arg("time", ["date", "time"]),
        },
    ),
    "row without time": (
        "date,y\n2024-01-01,1\n,2\n2024-01-03,3\n",
        {},
        {"place": "column 'date', line 3", "problem": ["a time", "empty", "1 row"], "remedy": ["fill", "row"]},
    ),
    "offset in some rows only": (
        "t,y\n2024-01-01T00:00Z,1\n2024-01-01T01:00,2\n",
        {},
        {"place": "column 't', line 3", "problem": "offset from UTC", "remedy": "one form"},
    ),
    "duplicates": (
        "d,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n",
        {},
        {
            "place": "column 'd', line 4",
            "problem": ["1 duplicate", "2024-01-02", "lines 3 and 4"],
            "remedy": [Arg("duplicates", "first"), Arg("id", ...)],
        },
    ),
    "duplicates that agree": (
        "d,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,2\n",
        {},
        {
            "place": "column 'd', line 4",
            "problem": ["1 duplicate", "lines 3 and 4"],
            "remedy": [Arg("duplicates", "first"), "agree"],
        },
    ),
    "the hour that comes twice": (
        "t,y\n2023-10-29 01:00,1\n2023-10-29 02:00,2\n2023-10-29 02:00,3\n2023-10-29 03:00,4\n",
        {},
        {
            "place": "column 't', line 4",
            "problem": ["2023-10-29 02:00", "lines 3 and 4"],
            "remedy": ["autumn", Arg("tz", "Europe/Berlin")],
        },
    ),
    "the hour that comes twice, in America": (
        "t,y\n2023-11-05 00:00,1\n2023-11-05 01:00,2\n2023-11-05 01:00,3\n2023-11-05 02:00,4\n",
        {},
        {"place": "column 't', line 4", "problem": "2023-11-05 01:00", "remedy": Arg("tz", "America/New_York")},
    ),
    "the hour that is skipped": (
        "t,y\n2024-03-31 01:00,1\n2024-03-31 02:00,2\n2024-03-31 03:00,3\n",
        {"tz": "Europe/Berlin"},
        {
            "place": "column 't', line 3",
            "problem": ["2024-03-31 02:00", "Europe/Berlin"],
            "remedy": ["UTC", Arg("tz")],
        },
    ),
    "irregular": (
        "t,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,3\n2024-01-01 02:13,4\n2024-01-01 03:13,5\n",
        {},
        {
            "place": "column 't', line 5",
            "problem": ["75 %", "are h,", "2024-01-01 02:13", "2024-01-01 02:00"],
            "remedy": Arg("freq", ...),
        },
    ),
    "given frequency too coarse": (
        "t,y\n2024-01-01 00:00,1\n2024-01-01 01:00,2\n2024-01-01 02:00,3\n",
        {"freq": "D"},
        {
            "place": "column 't', line 3",
            "problem": ["2 rows", Arg("freq", "D"), "2024-01-01 01:00"],
            "remedy": Arg("freq"),
        },
    ),
    "given frequency too fine": (
        days([1, 2, 3, 4]),
        {"freq": "h"},
        {"place": "column 'date'", "problem": [Arg("freq", "h"), "24"], "remedy": Arg("freq")},
    ),
    "frequency for plain numbers": (
        "step,y\n1,1\n2,2\n",
        {"freq": "D"},
        {"place": "column 'step'", "problem": [Arg("freq", "D"), "numbers"], "remedy": Arg("freq")},
    ),
    "one row, no frequency": (
        days([1]),
        {},
        {"place": "column 'date'", "problem": ["one time", "frequency"], "remedy": Arg("freq", "D")},
    ),
    "one wrong date": (
        days(list(range(200))) + "2224-01-01,1\n",
        {},
        {
            "place": "column 'date', line 202",
            "problem": ["2224-01-01", "72,849", "(D)", "2024-07-18"],
            "remedy": "row",
        },
    ),
    "infinite": (
        days([1, "inf", 3]),
        {},
        {
            "place": "data.csv, column 'y', line 3",
            "problem": ["1 row", "infinite"],
            "remedy": Arg("infinite", "missing"),
        },
    ),
    "infinite covariate": (
        "d,y,p\n2024-01-01,1,2\n2024-01-02,3,-inf\n",
        {"target": "y", "known": "p"},
        {"place": "column 'p', line 3", "problem": ["1 row", "infinite"], "remedy": ["correct", "column"]},
    ),
    "random bytes": (
        bytes(np.random.default_rng(0).integers(0, 256, 5000, dtype=np.uint8)),
        {},
        {"place": "data.csv", "problem": "text table", "remedy": ["CSV", "TSV", ".gz", "Parquet"]},
    ),
    "several numeric columns": (
        "d,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n",
        {},
        {"place": "data.csv", "problem": "a, b", "remedy": [Arg("target", ...), Arg("layout", "wide")]},
    ),
    "numbered columns beside dates": (
        "date,"
        + ",".join(f"store_{k}" for k in range(1, 8))
        + "\n"
        + "".join(f"2024-01-{d:02}," + ",".join("7" * 7) + "\n" for d in range(1, 20)),
        {},
        {"place": "data.csv", "problem": "store_1", "remedy": Arg("layout", "wide")},
    ),
    "two digits that may be the year": (
        "d,y\n24-01-05,1\n24-01-06,2\n24-01-07,3\n",
        {},
        {
            "place": "line 2",
            "problem": "'24-01-05'",
            "remedy": [Arg("date_format", "day-first"), Arg("date_format", "year-first")],
        },
    ),
    "one wrong date among compact ones": (
        "d,y\n" + "".join(f"{20240101 + k},{k}\n" for k in range(31)) + "20240230,31\n",
        {},
        {"place": "column 'd', line 33", "problem": ["%Y%m%d", "'20240230'"], "remedy": "row"},
    ),
    "hours that do not exist": (
        "t,y\n2024-01-05 00:00,1\n2024-01-05 33:00,2\n",
        {},
        {"place": "line 3", "problem": "33:00", "remedy": "row"},
    ),
    "half day with 13 hours": (
        "t,y\n" + "".join(f"1/31/2024 {h}:00 AM,{h}\n" for h in range(1, 12)) + "1/31/2024 13:00 PM,2\n",
        {},
        {"place": "line 13", "problem": "13:00 PM", "remedy": "row"},
    ),
    "week 53 of a year with 52": (
        "week,y\n2023-W52,1\n2023-W53,2\n",
        {},
        {"place": "line 3", "problem": "'2023-W53'", "remedy": "row"},
    ),
    "offset of fifteen hours": (
        "time,y\n2024-01-01T00:00+15:00,1\n2024-01-02T00:00+15:00,2\n",
        {},
        {"place": "column 'time', line 2", "problem": "+15:00", "remedy": Arg("time", False)},
    ),
    "a form of dates not known": (
        "when,y\nday 9 of 2024,1\nday 8 of 2024,2\nday 7 of 2024,3\n",
        {},
        {
            "place": "column 'when', line 2",
            "problem": "'day 9 of 2024'",
            "remedy": [Arg("date_format", "%d %b %Y"), Arg("time", False)],
        },
    ),
    "name of a time over words": (
        "날짜,y\n월요일,1\n화요일,2\n",
        {},
        {"place": "column '날짜', line 2", "problem": "a time", "remedy": Arg("time", False)},
    ),
    "quarters in digits": (
        "period,y\n20233,1\n20234,2\n20241,3\n20242,4\n",
        {},
        {"place": "column 'period', line 4", "problem": ["20234", "20241"], "remedy": Arg("time", False)},
    ),
    "months or weeks": (
        "period,y\n202401,1\n202402,2\n202403,3\n",
        {},
        {
            "place": "column 'period', line 2",
            "problem": "202401",
            "remedy": [Arg("date_format", "%Y%m"), Arg("date_format", "%G%V")],
        },
    ),
    "a year out of range": (
        "d,y\n1500-01-01,1\n1500-01-02,2\n",
        {},
        {"place": "column 'd', line 2", "problem": ["1678 to 2261", "'1500-01-01'"], "remedy": "plain numbers"},
    ),
    "a pattern that fits nothing": (
        days([1, 2]),
        {"date_format": "%d.%m.%y"},
        {"place": "data.csv", "problem": "%d.%m.%y", "remedy": ()},
    ),
    "first value is a word": (
        days(["#DIV/0!", 2, 3, 4, 5]),
        {"target": "y"},
        {"place": "column 'y', line 2", "problem": "'#DIV/0!'", "remedy": Arg("missing", ["#DIV/0!"])},
    ),
    "points that may stand between thousands": (
        days(["1.234", 900, "1.100", 850]),
        {},
        {"place": "column 'y'", "problem": "'1.234'", "remedy": [Arg("decimal", ","), Arg("decimal", ".")]},
    ),
    "points after three hundred small numbers": (
        days([*range(320), "1.234"]),
        {},
        {"place": "column 'y'", "problem": "'1.234'", "remedy": [Arg("decimal", ","), Arg("decimal", ".")]},
    ),
    "NUL in a number": (
        days([1, "12\x0034", 3]),
        {},
        {"place": "data.csv, line 3", "problem": "NUL", "remedy": Arg("encoding", "utf-16")},
    ),
    "time given as series": (
        days([1, 2, 3]),
        {"id": "date"},
        {"place": "column 'date'", "problem": Arg("id", "date"), "remedy": Arg("time", "date")},
    ),
    "no column left": (
        days([1, 2]),
        {"known": "y"},
        {"place": "data.csv", "problem": "another role", "remedy": Arg("target", ...)},
    ),
    "currency in all cells": (
        days(["€1", "€2", "€3"]),
        {"target": "y"},
        {"place": "column 'y', line 2", "problem": "'€1'", "remedy": "currency"},
    ),
    "decimal sign that fits no cell": (
        days(["1.5", "2.5"]),
        {"target": "y", "decimal": ","},
        {"place": "column 'y', line 2", "problem": "'1.5'", "remedy": Arg("decimal", ".")},
    ),
    "unknown column": (
        days([1, 2]),
        {"target": "yy"},
        {"place": "data.csv", "problem": ["'yy'", Arg("target"), "date, y"], "remedy": "'y'"},
    ),
    "column in two roles": (
        days([1, 2]),
        {"target": "y", "known": "y"},
        {"place": "data.csv", "problem": ["'y'", Arg("target"), Arg("known")], "remedy": "one role"},
    ),
    "comma both ways": (
        "d;y\n2024-01-01;1,234\n2024-01-02;5,678\n",
        {},
        {
            "place": "column 'y'",
            "problem": ["'1,234'", "decimal comma", "thousands"],
            "remedy": [Arg("decimal", ","), Arg("decimal", ".")],
        },
    ),
    "decimal comma between commas": (
        "d,y\n2024-01-01,1,5\n2024-01-02,2,5\n2024-01-03,3,5\n",
        {},
        {"place": "line 2", "problem": ["2 names", "3 cells"], "remedy": ["decimal comma", "delimiter"]},
    ),
    "comment at the end": (
        days([1, 2]) + "# end\n",
        {},
        {"place": "line 4", "problem": ["2 cells", "got 1", "'# end'"], "remedy": "leave it out"},
    ),
    "invalid hour": (
        "date,hour,y\n2024-01-01,22,1\n2024-01-01,25,2\n",
        {"time": ["date", "hour"]},
        {"place": "column 'hour', line 3", "problem": ["0 to 24", "25"], "remedy": "row"},
    ),
    "series named in a wide table": (
        "d,s,a,b\n2024-01-01,x,1,2\n",
        {"layout": "wide", "id": "s"},
        {"place": "data.csv", "problem": [Arg("id"), Arg("layout", "wide")], "remedy": "one"},
    ),
    "total at the end": (
        days([1, 2, 3]) + "Total,6\n",
        {},
        {
            "place": "column 'date', line 5",
            "problem": ["'2024-01-01'", "'Total'"],
            "remedy": ["row", Arg("date_format", ...)],
        },
    ),
    "line too long": (
        days([1, 2, 3]) + "2024-01-04,4,5\n",
        {},
        {"place": "line 5", "problem": ["2 names", "3 cells"], "remedy": ["decimal comma", "delimiter"]},
    ),
    "line too long, further down": (
        days([1] * 400) + "2025-02-04,4,5\n",
        {},
        {"place": "data.csv", "problem": ["2 fields", "line 402", "saw 3"], "remedy": Arg("delimiter", ";")},
    ),
    "invalid times": (
        "date,y\nday one,1\nday two,2\n",
        {},
        {
            "place": "column 'date', line 2",
            "problem": ["a time", "'day one'"],
            "remedy": [Arg("date_format", "%d %b %Y"), Arg("time", False)],
        },
    ),
    "line cut off": (
        days([1, 2, 3]) + "2024-01-04\n",
        {},
        {"place": "line 5", "problem": ["2 cells", "got 1", "'2024-01-04'"], "remedy": "cut off"},
    ),
    "row without series": (
        "d,s,y\n2024-01-01,a,1\n2024-01-02,a,2\n2024-01-01,,3\n2024-01-02,b,4\n",
        {"id": "s"},
        {"place": "column 's', line 4", "problem": ["series", "empty", "1 row"], "remedy": ["fill", "row"]},
    ),
    "static that changes": (
        "d,s,y,k\n2024-01-01,a,1,5\n2024-01-02,a,2,6\n",
        {"id": "s", "target": "y", "static": "k"},
        {
            "place": "column 'k', line 3",
            "problem": [Arg("static"), "'5'", "'6'"],
            "remedy": [Arg("past"), Arg("known")],
        },
    ),
    "text as past covariate": (
        "d,y,wind\n2024-01-01,1,NW\n2024-01-02,2,S\n",
        {"target": "y", "past": "wind"},
        {
            "place": "column 'wind', line 2",
            "problem": ["a number", "'NW'", "2 such cells"],
            "remedy": Arg("missing", ["NW"]),
        },
    ),
}


@pytest.mark.parametrize(("text", "options", "fields"), BAD.values(), ids=BAD.keys())
def test_bad_input_names_the_place_and_the_remedy(
    text: str | bytes, options: dict[str, Any], fields: dict[str, Any], tmp_path: Path
) -> None:
    with refused(DataError, **fields):
        read(tmp_path, text, **options)


@pytest.mark.parametrize(
    ("options", "problem", "remedy"),
    [
        ({"tz": "Europe/Atlantis"}, Arg("tz", "Europe/Atlantis"), ["Europe/Berlin", "UTC"]),
        ({"freq": "fortnight"}, Arg("freq", "fortnight"), ['"h"', '"D"', '"MS"']),
        ({"duplicates": "toss"}, [Arg("duplicates"), "error, first, last, mean", "'toss'"], ()),
    ],
)
def test_settings_are_checked(options: dict[str, Any], problem: Any, remedy: Any, tmp_path: Path) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        read(tmp_path, days([1, 2]), **options)


def test_choices_are_checked_where_types_are_not() -> None:
    with refused(SettingError, problem=[Arg("layout"), "auto, long, wide, rows", "'round'"]):
        Schema(layout="round")
    with refused(SettingError, problem=[Arg("infinite"), "error, missing", "'zero'"]):
        Schema(infinite="zero")


def test_a_wrong_day_order_is_refused_rather_than_believed(tmp_path: Path) -> None:
    with refused(
        DataError,
        place="column 'd', line 3",
        problem=["month first", "'13/01/2024'"],
        remedy=Arg("date_format", ...),
    ):
        read(tmp_path, "d,y\n12/01/2024,1\n13/01/2024,2\n", date_format="month-first")


def test_gzip_is_recognised_by_its_content(tmp_path: Path) -> None:
    (tmp_path / "packed.csv").write_bytes(gzip.compress(days([1, 2, 3]).encode()))
    assert read_panel(tmp_path / "packed.csv").series(0)[:, 0].tolist() == PLAIN


def test_files_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "cases.csv").write_text(days([1, 2]))
    with refused(DataError, place="case.csv", problem=tmp_path.name, remedy="'cases.csv'"):
        read_panel(tmp_path / "case.csv")
    with refused(DataError, place=tmp_path.name, problem="folder", remedy="cases.csv"):
        read_panel(tmp_path)
    with refused(DataError, place="cases.csv", problem="network", remedy="download"):
        read_panel("https://example.org/cases.csv")
    (tmp_path / "cases.xlsx").write_bytes(b"PK")
    with refused(DataError, place="cases.xlsx", problem="'.xlsx'", remedy=["CSV", "Parquet", "pandas"]):
        read_panel(tmp_path / "cases.xlsx")
    with refused(DataError, problem="'int'", remedy=["CSV", "Parquet", "pandas"]):
        read_panel(3)


def test_long_table_with_series_of_unequal_lengths(tmp_path: Path) -> None:
    text = "d,shop,y\n2024-01-01,a,1\n2024-01-02,a,2\n2024-01-03,a,3\n2024-01-02,b,5\n2024-01-03,b,6\n"
    panel = read(tmp_path, text)
    assert list(panel.ids) == ["a", "b"]
    assert panel.id_name == "shop"
    assert panel.lengths.tolist() == [3, 2]
    assert panel.series(1)[:, 0].tolist() == [5, 6]
    assert panel.starts[1] == np.datetime64("2024-01-02")
    assert any("shop tells 2 series apart" in str(repair.problem) for repair in panel.repairs)


def test_the_series_column_is_the_one_that_has_each_time_once(tmp_path: Path) -> None:
    rows = [(day, kind, shop) for kind, shop in ("xa", "xb", "yc") for day in (1, 2, 3)]
    text = "d,kind,shop,y\n" + "".join(f"2024-01-0{day},{kind},{shop},{day}\n" for day, kind, shop in rows)
    panel = read(tmp_path, text)
    assert (panel.id_name, len(panel)) == ("shop", 3)
    assert any("shop" not in str(r) and "kind could be category" in str(r) for r in panel.repairs)


def test_frequency_is_inferred_over_all_series(tmp_path: Path) -> None:
    rows = "2024-01-01,a,1\n2024-01-08,a,2\n" + "".join(f"2024-01-{d:02d},b,{d}\n" for d in range(1, 9))
    panel = read(tmp_path, "d,shop,y\n" + rows)
    assert panel.freq.alias == "D"
    assert panel.lengths.tolist() == [8, 8]


def test_id_named_na_is_a_name(tmp_path: Path) -> None:
    text = "d,country,y\n" + "".join(f"2024-01-0{d},{c},{d}\n" for c in ("NA", "DE") for d in (1, 2, 3))
    assert list(read(tmp_path, text, id="country").ids) == ["NA", "DE"]


def test_ids_keep_their_leading_zeros(tmp_path: Path) -> None:
    text = "d,id,y\n" + "".join(f"2024-01-0{d},{c},{d}\n" for c in ("007", "7") for d in (1, 2, 3))
    assert list(read(tmp_path, text).ids) == ["007", "7"]


def test_wide_table_gives_a_series_a_column(tmp_path: Path) -> None:
    text = "d,north,south,k\n2024-01-01,1,,9\n2024-01-02,2,5,8\n2024-01-03,3,6,7\n"
    panel = read(tmp_path, text, layout="wide", known="k")
    assert list(panel.ids) == ["north", "south"]
    assert panel.lengths.tolist() == [3, 2]
    assert panel.known[panel.begin[1], 0] == 8
    assert (panel.id_name, panel.target_names) == ("series", ("y",))


def test_rows_with_dates_in_the_header(tmp_path: Path) -> None:
    dates = ",".join(f"1/{d}/20" for d in range(20, 27))
    panel = read(tmp_path, f"Province,Lat,{dates}\nHubei,1.5,1,2,3,4,5,6,7\nAnhui,2.5,,,3,4,5,6,\n", static="Lat")
    assert list(panel.ids) == ["Hubei", "Anhui"]
    assert panel.lengths.tolist() == [7, 4]
    assert panel.starts[1] == np.datetime64("2020-01-22")
    assert panel.static[:, 0].tolist() == [1.5, 2.5]


def test_rows_in_the_style_of_the_m4_competition(tmp_path: Path) -> None:
    panel = read(tmp_path, '"V1","V2","V3","V4","V5","V6"\n"H1","1","2","3","4","5"\n"H2","6","7","8","",""\n')
    assert list(panel.ids) == ["H1", "H2"]
    assert panel.lengths.tolist() == [5, 3]
    assert panel.freq.is_integer


def test_several_targets_are_kept_together(tmp_path: Path) -> None:
    panel = read(tmp_path, "d,a,b\n2024-01-01,1,2\n2024-01-02,3,4\n", target=["b", "a"])
    assert panel.target_names == ("b", "a")
    assert panel.series(0).tolist() == [[2, 1], [4, 3]]


def test_rows_with_known_covariates_and_no_target_are_the_future(tmp_path: Path) -> None:
    text = "d,y,holiday,temp\n2024-01-01,1,0,5\n2024-01-02,2,1,6\n2024-01-03,,0,\n2024-01-04,,1,\n"
    panel = read(tmp_path, text, target="y", known="holiday", past="temp")
    assert (panel.end - panel.begin).tolist() == [2]
    assert (panel.stop - panel.end).tolist() == [2]
    assert panel.known[:, 0].tolist() == [0, 1, 0, 1]
    assert any(repair.kind == "future" and "2 rows" in repair.problem for repair in panel.repairs)


def test_categories_become_codes_with_their_names(tmp_path: Path) -> None:
    text = "d,s,kind,y\n" + "".join(
        f"2024-01-0{d},{s},{k},{d}\n" for s, k in zip("abc", ("x", "NA", "w"), strict=True) for d in (1, 2)
    )
    panel = read(tmp_path, text, id="s", category="kind", target="y")
    assert panel.levels == (("w", "x"),)
    assert panel.category[:, 0].tolist() == [1, -1, 0]


def test_times_in_a_zone_are_kept_in_utc(tmp_path: Path) -> None:
    text = "t,y\n" + "".join(f"2024-07-01 {h:02d}:00,{h}\n" for h in range(5))
    panel = read(tmp_path, text, tz="America/New_York")
    assert panel.tz == "America/New_York"
    assert panel.starts[0] == np.datetime64("2024-07-01T04")
    assert str(panel.to_frame()["t"][0]) == "2024-07-01 00:00:00-04:00"


def test_repeated_hours_are_distinguished_in_each_series(tmp_path: Path) -> None:
    clock = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    text = "t,s,y\n" + "".join(f"2023-10-29 {c},{s},{k}\n" for s in "ab" for k, c in enumerate(clock))
    panel = read(tmp_path, text, id="s", tz="Europe/Berlin")
    assert panel.freq.alias == "30min"
    assert [values[:, 0].tolist() for _, values in panel] == [[0, 1, 2, 3, 4, 5]] * 2


def test_doubled_hours_of_a_newest_first_file_are_not_swapped(tmp_path: Path) -> None:
    clock = ["01:30", "02:00", "02:30", "02:00", "02:30", "03:00"]
    rows = {s: [f"2023-10-29 {c},{s},{k}\n" for k, c in enumerate(clock)] for s in "abc"}
    text = "t,s,y\n" + "".join([*rows["a"][::-1], *rows["b"], *rows["c"][::-1]])
    panel = read(tmp_path, text, id="s", tz="Europe/Berlin")
    assert [values[:, 0].tolist() for _, values in panel] == [[0, 1, 2, 3, 4, 5]] * 3
    alone = read(tmp_path, "t,s,y\n" + "".join(rows["a"][::-1]), id="s", tz="Europe/Berlin")
    assert alone.series(0)[:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    note = next(one.problem for one in alone.repairs if one.kind == "clock change")
    assert note.endswith("the last counts as summer time")


def test_the_panel_keeps_how_its_source_was_laid_out(tmp_path: Path) -> None:
    dates = ",".join(f"2024-01-{k:02}" for k in range(1, 9))
    assert read(tmp_path, f"shop,{dates}\na,1,2,3,4,5,6,7,8\nb,1,2,3,4,5,6,7,8\n").schema.layout == "rows"
    assert read(tmp_path, days(list(range(8)))).schema.layout == "long"
    assert read(tmp_path, days(list(range(8))), layout="wide").schema.layout == "wide"


# ── never silently ────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_word_among_numbers_is_not_read_as_zero(tmp_path: Path) -> None:
    values: list[object] = [k + 0.5 for k in range(30)]
    values[11] = "no"
    with refused(DataError, place="column 'y', line 13", problem=["a number", "'no'"], remedy=Arg("missing", ["no"])):
        read(tmp_path, days(values))
    assert read(tmp_path, days(["yes", "no"] * 4)).series(0)[:2, 0].tolist() == [1.0, 0.0]


def test_a_point_between_thousands_next_to_a_decimal_comma_is_ambiguous(tmp_path: Path) -> None:
    text = "date;a;b\n" + "".join(f"2024-01-{k:02};{k},5;{k}.234\n" for k in range(1, 12))
    with refused(DataError, place="column 'b'", problem="'1.234'", remedy=[Arg("decimal", ","), Arg("decimal", ".")]):
        read(tmp_path, text, target="b")
    assert read(tmp_path, text, target="b", decimal=",").series(0)[0, 0] == 1234


@pytest.mark.parametrize(
    ("freq", "start", "following"),
    [("MS", "2024-01-31", "2024-02-01"), ("ME", "2024-01-30", "2024-01-31"), ("B", "2024-01-06", "2024-01-08")],
)
def test_a_start_off_the_frequency_is_refused(freq: str, start: str, following: str) -> None:
    with refused(DataError, problem=[Arg("start", start), Arg("freq", freq)], remedy=Arg("start", following)):
        read_panel(np.arange(24.0), freq=freq, start=start)


@pytest.mark.parametrize(
    ("freq", "start"), [("MS", "2024-02-01"), ("MS", "2024-01-15"), ("W-SUN", "2024-01-01"), ("ME", "2024-02-29")]
)
def test_a_start_on_the_frequency_is_taken(freq: str, start: str) -> None:
    assert read_panel(np.arange(24.0), freq=freq, start=start).times(0)[0] == np.datetime64(start)


@pytest.mark.parametrize("code", ["-9999", -9999, np.int64(-9999), np.float32(-9999)])
def test_codes_for_missing_of_every_type_count_in_arrays(code: object) -> None:
    panel = read_panel(np.array([1.0, -9999.0, 3.0, 4.0]), missing=code)
    assert np.isnan(panel.series(0)[1, 0])
    assert "missing code" in [repair.kind for repair in panel.repairs]


@pytest.mark.parametrize("option", ["target", "id", "past", "known", "static", "category", "tz", "time"])
def test_bare_arrays_refuse_options_of_tables(option: str) -> None:
    with refused(SettingError, problem=[Arg(option), "bare arrays"], remedy="a frame or a dict"):
        read_panel(np.arange(10.0), **{option: "UTC"})


def test_one_row_a_series_keeps_its_time_zone(tmp_path: Path) -> None:
    hours = [f"2024-07-01 {hour:02}:00" for hour in range(7)]
    text = "shop," + ",".join(hours) + "\n" + "".join(f"{name}," + ",".join("1234567") + "\n" for name in "ab")
    panel = read(tmp_path, text, tz="Europe/Berlin", layout="rows", id="shop")
    assert panel.tz == "Europe/Berlin"
    assert panel.times(0)[0] == np.datetime64("2024-06-30T22:00")
    assert panel.series(1)[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7]
