"""Named objects as text, and back."""

import inspect
from dataclasses import fields

import pytest
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import did_you_mean, from_text, to_text
from gatecast.batches.scalers import SCALERS
from gatecast.epidemic.seir.likelihood import LIKELIHOODS
from gatecast.epidemic.seir.transmission import TRANSMISSIONS, Piecewise
from gatecast.nn.heads import HEADS, Quantiles, Student
from gatecast.nn.losses import LOSSES
from gatecast.training.schedules import SCHEDULES

TABLES = {
    "heads": HEADS,
    "losses": LOSSES,
    "scalers": SCALERS,
    "schedules": SCHEDULES,
    "transmissions": TRANSMISSIONS,
    "likelihoods": LIKELIHOODS,
}


def test_name_and_text_and_object_give_the_same():
    assert from_text("head", "student", HEADS) == Student()
    assert from_text("head", " student( min_df = 3.5 ) ", HEADS) == Student(min_df=3.5)
    given = Student(min_df=7)
    assert from_text("head", given, HEADS) is given


@pytest.mark.parametrize("head", [Student(), Student(min_df=3.5), Quantiles(probabilities=(0.1, 0.5, 0.9))])
def test_the_text_of_an_object_gives_an_equal_one(head):
    assert from_text("head", to_text(head, HEADS), HEADS) == head


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for kind, table in TABLES.items() for name in table])
def test_the_settings_that_messages_name_are_those_of_the_constructor(kind, name):
    made = TABLES[kind][name]
    assert [one.name for one in fields(made)] == list(inspect.signature(made).parameters)


def test_change_points_of_transmission_can_be_given_as_text():
    given = from_text("transmission", "piecewise(changes=('2020-01-23',))", TRANSMISSIONS)
    assert (
        given
        == Piecewise(changes=("2020-01-23",))
        == from_text("transmission", to_text(given, TRANSMISSIONS), TRANSMISSIONS)
    )
    assert from_text("transmission", "piecewise(changes='2020-01-23')", TRANSMISSIONS) == given


def test_only_changed_settings_are_written():
    assert to_text(Student(), HEADS) == "student"
    assert to_text("student(min_df=4)", HEADS) == "student(min_df=4)"


@pytest.mark.parametrize(
    ("text", "problem", "remedy"),
    [
        ("studnt", "'studnt'", "did you mean 'student'?"),
        ("student(df=3)", "student takes the settings min_df, got 'df'", ""),
        ("normal(df=3)", "normal takes no settings, got 'df'", ""),
        ("student(min_fd=3)", "got 'min_fd'", "did you mean 'min_df'?"),
        ("student(min_df=x)", "must have the form name(setting=value, …)", "a number, a quoted string, True or False"),
        ("student(3)", "must have the form", "a number"),
        ("student(min_df=", "must have the form", "a number"),
        ("student(min_df=__import__('os').getcwd())", "must have the form", "a number"),
        ("(lambda: 1)()", "must have the form", "a number"),
    ],
)
@pytest.mark.parametrize(("name", "arg"), [("head", Arg("head")), ("NetConfig.head", Arg("head", of="NetConfig"))])
def test_a_text_that_does_not_describe_an_object_is_refused(text, problem, remedy, name, arg):
    with refused(SettingError, problem=[arg, problem], remedy=remedy) as caught:
        from_text(name, text, HEADS)
    assert remedy or not caught.value.finding.remedy


def test_an_object_of_another_class_has_no_text():
    with refused(SettingError, problem=["<object", *HEADS], remedy="to save it"):
        to_text(object(), HEADS)


def test_only_similar_names_are_suggested():
    assert did_you_mean("adm", ["sgd", "adam"]) == "did you mean 'adam'?"
    assert did_you_mean("lion", ["sgd", "adam"]) == did_you_mean(3, ["sgd", "adam"]) == ""
