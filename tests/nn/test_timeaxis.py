"""Which steps count, with the axes of the layer's input."""

from __future__ import annotations

import pytest
import torch

from gatecast.errors import SettingError
from gatecast.nn.timeaxis import steps_of, swapped


def test_lengths_and_mask_must_both_hold() -> None:
    x = torch.zeros(3, 2, 1)
    mask = torch.tensor([[True, True], [False, True], [True, True]])
    both = steps_of(x, [3, 2], mask, batch_first=False)
    assert both is not None
    assert both.tolist() == [[True, True], [False, True], [True, False]]
    turned = steps_of(x, torch.tensor([3, 2]), mask.T, batch_first=True)
    assert turned is not None
    assert torch.equal(turned, both)
    assert steps_of(x, None, None, batch_first=False) is None


@pytest.mark.parametrize("lengths", [[4, 1], [-1, 1], [1], [1.0, 2.0], [True, False]])
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(SettingError, match="lengths must"):
        steps_of(torch.zeros(3, 2, 1), torch.tensor(lengths), None, batch_first=False)


def test_a_mask_that_does_not_fit_is_refused_with_the_order_of_its_axes() -> None:
    x = torch.zeros(3, 2, 1)
    with pytest.raises(SettingError, match=r"mask must be a bool tensor \(batch, time\) = \(2, 3\), .* \(3, 2\)$"):
        steps_of(x, None, torch.ones(3, 2, dtype=torch.bool), batch_first=True)
    with pytest.raises(SettingError, match=r"got torch.int64 \(3, 2\); use mask.bool\(\)"):
        steps_of(x, None, torch.ones(3, 2, dtype=torch.int64), batch_first=False)


def test_swapping_twice_is_nothing() -> None:
    x = torch.randn(3, 2, 1)
    assert swapped(x, batch_first=True).shape == (2, 3, 1)
    assert torch.equal(swapped(swapped(x, batch_first=True), batch_first=True), x)
    assert swapped(x, batch_first=False) is x
