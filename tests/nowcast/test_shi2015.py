"""The networks of Shi et al. (2015): the printed numbers of parameters, and that all of them is used."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.nowcast.shi2015 import ShiConvLSTM, ShiLSTM


def trained(net: nn.Module) -> int:
    return sum(one.numel() for one in net.parameters() if one.requires_grad)


@pytest.mark.parametrize(
    ("hidden", "kernel", "recurrent", "published"),
    [
        ((256,), 5, None, 13_524_496),
        ((128, 128), 5, None, 10_042_896),
        ((128, 64, 64), 5, None, 7_585_296),
        ((128, 128), 9, 1, 11_550_224),
        ((128, 64, 64), 9, 1, 8_830_480),
    ],
)
def test_the_numbers_of_parameters_of_table_1(
    hidden: tuple[int, ...], kernel: int, recurrent: int | None, published: int
) -> None:
    with torch.device("meta"):
        net = ShiConvLSTM(hidden, kernel_size=kernel, recurrent_kernel_size=recurrent)
    assert trained(net) == published


def test_the_fully_connected_network_of_table_1() -> None:
    with torch.device("meta"):
        assert trained(ShiLSTM()) == 142_667_776


@pytest.mark.parametrize("net", [ShiConvLSTM((6, 4), kernel_size=3, patch=2), ShiLSTM(64, 12)])
def test_every_weight_and_every_past_pixel_moves_the_forecast(net: nn.Module) -> None:
    images = torch.rand(4, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0)).requires_grad_()
    logits = net(images, 3)
    assert logits.shape == (3, 2, 1, 8, 8)
    logits.square().sum().backward()
    assert images.grad is not None
    assert bool((images.grad.abs() > 0).all())
    assert all(one.grad is not None and bool((one.grad != 0).any()) for one in net.parameters() if one.requires_grad)


def test_images_are_cut_into_whole_patches() -> None:
    with pytest.raises(SettingError) as refused:
        ShiConvLSTM((4,), kernel_size=3)(torch.zeros(2, 1, 1, 16, 18), 1)
    assert "16 × 18 pixels cannot be cut into patches of 4 × 4" in str(refused.value)
