"""A schema is found, written, read again, and applied."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.cli.flags import DataFlags
from gatecast.data import Frequency, Schema, describe, read_panel
from gatecast.data.read import read, refine

GERMAN = "Tag;Filiale;Ware;Umsatz;Preis;Art\n" + "".join(
    f"{day:02}.02.2024;{shop};{item};{day},5;{day}.000,25;{kind}\n"
    for shop, kind in (("a/b", "x"), ("c", "y"))
    for item in "uv"
    for day in range(1, 15)
)
ROLES = {"id": ["Filiale", "Ware"], "target": "Umsatz", "known": "Preis", "category": "Art"}


@pytest.fixture
def german(tmp_path: Path) -> Path:
    path = tmp_path / "umsatz.csv"
    path.write_text(GERMAN, "utf-8")
    return path


def test_describe_gives_the_schema_of_a_file(german: Path) -> None:
    schema = describe(german, **ROLES)
    assert (schema.time, schema.id, schema.target) == (("Tag",), ("Filiale", "Ware"), ("Umsatz",))
    assert (schema.delimiter, schema.decimal, schema.encoding, schema.header) == (";", ",", "utf-8", 1)
    assert (schema.date_format, schema.freq, schema.layout) == ("day-first", Frequency("D"), "long")
    assert schema.levels == (("x", "y"),)


def test_a_schema_is_applied_to_its_source(german: Path) -> None:
    schema = describe(german, **ROLES)
    panel, again = read_panel(german, **ROLES), read(german, schema)
    assert panel.schema == again.schema == schema
    assert panel.digest() == again.digest()


def test_through_json_and_back(german: Path) -> None:
    schema = refine(describe(german, **ROLES), missing=[-9999, "x"], start=np.datetime64("2024-01-01"))
    again = Schema.from_dict(json.loads(json.dumps(schema.to_dict())))
    assert again == refine(schema, start="2024-01-01")
    assert Schema.from_dict(Schema().to_dict()) == Schema()


def test_levels_of_the_schema_are_kept_and_others_are_missing(german: Path) -> None:
    schema = describe(german, **ROLES)
    other = german.with_name("other.csv")
    other.write_text(GERMAN.replace(";x\n", ";z\n"), "utf-8")
    panel = read(other, schema)
    assert panel.levels == (("x", "y"),)
    assert panel.category[:, 0].tolist() == [-1, -1, 1, 1]


def test_another_file_has_its_own_dialect_and_frequency(german: Path) -> None:
    schema = describe(german, **ROLES)
    other = schema.portable()
    assert (other.delimiter, other.encoding, other.header, other.freq) == (None, None, None, None)
    assert (other.date_format, other.decimal, other.roles) == ("day-first", ",", schema.roles)
    given = describe(german, date_format="%d.%m.%Y", delimiter=";", **ROLES).portable()
    assert (given.date_format, given.delimiter, given.header) == ("%d.%m.%Y", ";", None)


def test_rows_without_times_keep_their_start_and_frequency() -> None:
    schema = read_panel({"y": [1.0, 2.0]}, time=False, freq="h", start="2024-01-01").schema
    assert (schema.portable().freq, schema.portable().start) == (Frequency("h"), "2024-01-01")


def test_headings_are_for_display() -> None:
    assert Schema(time=("date", "clock"), id=("shop", "item")).time_name == "date + clock"
    assert Schema(id=("shop", "item")).id_name == "shop/item"
    assert Schema(layout="wide", target=("a", "b")).target_names == ("y",)
    assert Schema(layout="wide", target=("a",)).target_names == ("a",)
    assert (Schema(freq=Frequency("")).time_name, Schema(freq=Frequency("D")).time_name) == ("step", "ds")


def test_arguments_override_a_schema() -> None:
    schema = Schema(target=("y",), category=("kind",), levels=(("a",),), tz="UTC")
    assert refine(schema, target="z", time=False).time == ()
    assert refine(schema, category="kind").levels == (("a",),)
    assert refine(schema, category="other").levels == ()
    assert refine(schema, freq="H", tz=None) == refine(schema, freq="h", tz=None)


@pytest.mark.parametrize(
    ("field", "value"), [("layout", "round"), ("decimal", ";"), ("duplicates", "toss"), ("header", 0)]
)
def test_values_are_checked(field: str, value: object) -> None:
    with refused(SettingError, problem=[Arg(field), repr(value)]):
        Schema(**{field: value})


def test_every_option_of_the_command_line_is_a_field() -> None:
    described = [one.name for one in fields(Schema) if one.metadata]
    assert [one.name for one in fields(DataFlags)] == [*described, "no_time"]
    assert set(described) | {"levels", "indicators", "given"} == {one.name for one in fields(Schema)}
