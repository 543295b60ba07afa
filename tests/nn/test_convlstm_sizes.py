"""Sizes of layers over space: one number for all axes or one for each."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn.convlstm import check_input, padding_of, sizes, space_of


def test_one_number_stands_for_every_axis() -> None:
    assert sizes(1, kernel_size=3) == (3,)
    assert sizes(3, kernel_size=3) == (3, 3, 3)
    assert sizes(2, kernel_size=[3, 5]) == (3, 5)
    assert padding_of("same", 2) == "same"
    assert padding_of((0, 2), 2) == (0, 2)
    assert space_of((4, 5), "pixel", 2) == (4, 5)
    assert space_of(None, "channel", 2) == ()


@pytest.mark.parametrize("value", [0, (3,), (3, 0), (3, 3, 3)])
def test_sizes_that_do_not_fit_are_refused(value: Any) -> None:
    with refused(SettingError, problem=[Arg("stride"), "1 number or 2 (height, width)", "1 or more", f"got {value}"]):
        sizes(2, stride=value)


def test_refusals_name_the_argument_and_the_value() -> None:
    with refused(SettingError, problem=[Arg("kernel_size"), "1 number (width)", "1 or more", "got 0"]):
        sizes(1, kernel_size=0)


def test_the_message_names_the_expected_axes() -> None:
    check_input(torch.zeros(5, 2, 3, 8), 1, 3, axes=("time", "batch"))
    check_input(torch.zeros(5, 3, 8), 1, 3, axes=("time", "batch"))
    with refused(
        SettingError,
        problem=[Arg("input"), "(batch, time, channels, width)", "without batch", "3 channels", "got (5, 2, 8)"],
    ):
        check_input(torch.zeros(5, 2, 8), 1, 3, axes=("batch", "time"))
    with refused(SettingError, problem=[Arg("input"), "(rows, channels, width)", "3 channels", "got (3, 8)"]):
        check_input(torch.zeros(3, 8), 1, 3, axes=("rows",))
