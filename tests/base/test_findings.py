"""Findings: texts with arguments and calls among the words."""

from __future__ import annotations

import copy

import pytest
from fixtures.refused import arguments, refused

from gatecast.base.errors import DataError, SettingError, UnknownNameError
from gatecast.base.findings import Arg, Call, Finding, InPython, Text, render
from gatecast.base.options import Bounds, check_value


def test_words_arguments_and_calls_are_joined_in_order():
    text = "fill in " + Call("panel.future_frame", 14) + " or set " + Arg("known", ["a", "b"])
    assert str(text) == 'fill in panel.future_frame(14) or set known=["a", "b"]'
    assert text.parts[1] == Call("panel.future_frame", 14)
    assert str(text + (", then " + Arg("freq", "D"))).endswith(', then freq="D"')


@pytest.mark.parametrize(
    ("part", "words"),
    [
        (Arg("horizon"), "horizon"),
        (Arg("id", ...), "id=…"),
        (Arg("missing", [-9, "x"]), 'missing=[-9, "x"]'),
        (Arg("steps", of="FitConfig"), "FitConfig.steps"),
        (Arg("resume", True, of="FitConfig"), "FitConfig(resume=True)"),
        (Arg("id", None), "id=None"),
        (Call("model.predict"), "model.predict()"),
        (InPython(", or " + Arg("time", False)), ", or time=False"),
    ],
)
def test_python_shows_parts_as_code(part, words):
    assert str(part) == words


def test_a_renderer_shows_arguments_in_its_notation():
    finding = Finding("a.csv", "two columns hold numbers", "name one with " + Arg("target", "y") + InPython(" or y="))
    spoken = finding.render(lambda part: "" if isinstance(part, InPython) else f"--{part.name} {part.value}")
    assert spoken == "a.csv: two columns hold numbers; name one with --target y"


def test_an_error_holds_its_finding_in_another_process_too():
    error = DataError("no value", Arg("missing", [-9]), place="a.csv, line 3")
    twin = copy.copy(error)  # by __reduce__, as between processes
    assert type(twin) is DataError
    assert twin.finding == error.finding
    assert str(twin) == "a.csv, line 3: no value; missing=[-9]"


def test_an_unknown_name_reads_as_words_not_as_a_quoted_key():
    assert str(UnknownNameError("no series 'x'", "did you mean 'y'?")) == "no series 'x'; did you mean 'y'?"


def test_bounds_refuse_what_lies_outside_and_nan():
    with refused(SettingError, problem=[Arg("dropout"), "at least 0 and below 1", "1.5"]):
        check_value(Arg("dropout"), 1.5, "float", Bounds(least=0, below=1))
    with refused(SettingError, problem="nan"):
        check_value(Arg("dropout"), float("nan"), "float", Bounds(least=0))
    with refused(SettingError, problem="one of lstm, gru", remedy="lstm"):
        check_value(Arg("cell"), "lsmt", "str", Bounds(one_of=("lstm", "gru")))
    check_value(Arg("dropout"), 0, "float", Bounds(least=0, below=1))


def test_the_arguments_of_a_finding_are_listed():
    finding = Finding("", Arg("horizon") + " must be at least 1", Text("use ", Arg("horizon", 1)))
    assert arguments(finding) == [Arg("horizon"), Arg("horizon", 1)]


def test_render_takes_any_form_of_words():
    assert render("words", str) == render(Text("words"), str) == "words"
    assert render(Arg("freq", "D"), str) == 'freq="D"'


def test_a_refusal_compares_whole_numbers() -> None:
    def refuse() -> None:
        raise DataError("expected 2 cells, got 31", place="a.csv, line 42")

    with refused(DataError, place="line 42", problem="got 31"):
        refuse()
    for words in ({"place": "line 4"}, {"problem": "got 3"}, {"problem": "1"}):
        with pytest.raises(AssertionError), refused(DataError, **words):
            refuse()


def test_a_finding_is_shown_as_one_readable_line():
    found = Finding("a.csv", "3 rows are missing", "fill them, or " + Arg("missing", [-9]), kind="gap")
    assert repr(found) == "Finding(gap: a.csv: 3 rows are missing; fill them, or missing=[-9])"
    assert repr("take " + Arg("horizon", 3)) == "Text('take horizon=3')"
