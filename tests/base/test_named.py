"""A choice by name, by text and by object."""

import pytest

from gatecast.base.errors import SettingError
from gatecast.base.named import chosen, written
from gatecast.nn.heads import HEADS, Quantiles, Student


def test_name_and_text_and_object_give_the_same():
    assert chosen("head", "student", HEADS) == Student()
    assert chosen("head", " student( min_df = 3.5 ) ", HEADS) == Student(min_df=3.5)
    given = Student(min_df=7)
    assert chosen("head", given, HEADS) is given


@pytest.mark.parametrize("head", [Student(), Student(min_df=3.5), Quantiles(probabilities=(0.1, 0.5, 0.9))])
def test_text_of_an_object_is_read_as_it(head):
    assert chosen("head", written(head, HEADS), HEADS) == head


def test_only_changed_settings_are_written():
    assert written(Student(), HEADS) == "student"
    assert written("student(min_df=4)", HEADS) == "student(min_df=4)"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("studnt", "did you mean 'student'"),
        ("student(df=3)", "student takes the settings min_df; got 'df'"),
        ("student(min_fd=3)", "got 'min_fd'; did you mean 'min_df'"),
        ("student(min_df=x)", "with a number, 'text' or True for each value"),
        ("student(3)", "not of the form"),
        ("student(min_df=", "not of the form"),
        ("student(min_df=__import__('os').getcwd())", "not of the form"),
        ("(lambda: 1)()", "not of the form"),
    ],
)
def test_what_cannot_be_read_is_said(text, said):
    with pytest.raises(SettingError, match=said.replace("(", r"\(")):
        chosen("head", text, HEADS)


def test_a_foreign_object_has_no_text():
    with pytest.raises(SettingError, match="has no text"):
        written(object(), HEADS)
