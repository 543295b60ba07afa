"""The encoder–forecaster of Shi et al. (2015, NeurIPS; arXiv 1506.04214), as published.

Images are cut into patches that become channels. A stack of ConvLSTM layers reads the past; its states are handed to a
second stack, in reverse order, whose first layer reads no input. The hidden states of all of its layers are joined and
turned into pixels by a 1 × 1 convolution. Peepholes are one weight a channel. The printed numbers of parameters
(table 1 of the paper) follow from this description alone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import LSTM, ConvLSTM2d

Images = Float[Tensor, "time batch 1 y x"]


class ShiConvLSTM(nn.Module):
    """The encoding–forecasting ConvLSTM; logits of grey values from 0 to 1, to be trained by their cross-entropy.

    Args:
        hidden_channels: of each layer, the lowest first: ``(128, 64, 64)``.
        kernel_size: of the input convolutions.
        recurrent_kernel_size: of the convolutions of the state; None: as ``kernel_size``.
        patch: pixels along an edge of a patch.

    Example:
        >>> import torch
        >>> from gatecast.nowcast.shi2015 import ShiConvLSTM
        >>> net = ShiConvLSTM((8, 4), kernel_size=3)
        >>> net(torch.rand(10, 2, 1, 16, 16), steps=5).shape
        torch.Size([5, 2, 1, 16, 16])
    """

    def __init__(
        self,
        hidden_channels: Sequence[int] = (128, 64, 64),
        *,
        kernel_size: int = 5,
        recurrent_kernel_size: int | None = None,
        patch: int = 4,
    ) -> None:
        super().__init__()
        if not hidden_channels:
            raise SettingError(Arg("hidden_channels") + " must hold the channels of one layer or more")
        self.patch = patch
        settings = {"recurrent_kernel_size": recurrent_kernel_size, "peephole": "channel"}
        below = (patch**2, *hidden_channels[:-1])
        self.encoder = nn.ModuleList(
            ConvLSTM2d(inputs, hidden, kernel_size, **settings)  # type: ignore[arg-type]
            for inputs, hidden in zip(below, hidden_channels, strict=True)
        )
        turned = tuple(reversed(hidden_channels))
        self.forecaster = nn.ModuleList(
            ConvLSTM2d(inputs, hidden, kernel_size, **settings)  # type: ignore[arg-type]
            for inputs, hidden in zip((0, *turned[:-1]), turned, strict=True)
        )
        self.pixels = nn.Conv2d(sum(hidden_channels), patch**2, 1)

    def forward(self, images: Images, steps: int) -> Float[Tensor, "steps batch 1 y x"]:
        """Logits of the ``steps`` images that follow."""
        x, states = self._cut(images), []
        for layer in self.encoder:
            x, state = layer(x)
            states.append(state)
        x = x.new_zeros(steps, x.shape[1], 0, *x.shape[3:])
        outputs = []
        for layer, state in zip(self.forecaster, reversed(states), strict=True):
            x, _ = layer(x, state)
            outputs.append(x)
        joined = torch.cat(outputs, 2)
        patches = self.pixels(joined.flatten(0, 1)).unflatten(0, joined.shape[:2])
        return F.pixel_shuffle(patches, self.patch)

    def _cut(self, images: Images) -> Float[Tensor, "time batch patch rows columns"]:
        if images.shape[3] % self.patch or images.shape[4] % self.patch:
            size = " × ".join(map(str, images.shape[3:]))
            raise SettingError(f"images of {size} pixels cannot be cut into patches of {self.patch} × {self.patch}")
        return F.pixel_unshuffle(images, self.patch)


class ShiLSTM(nn.Module):
    """The fully connected LSTM beside it in the paper: an image is one vector; the last layer gives its pixels.

    The first layer of the forecaster reads nothing; its one input is always 0, and the weight of it is not trained.

    Args:
        pixels: of an image.
        hidden_size: of each of the two layers.
    """

    def __init__(self, pixels: int = 64 * 64, hidden_size: int = 2048) -> None:
        super().__init__()
        self.encoder, self.forecaster = (
            nn.ModuleList(LSTM(size, hidden_size, peephole=True, single_bias=True) for size in (inputs, hidden_size))
            for inputs in (pixels, 1)
        )
        self.forecaster[0].get_parameter("weight_ih_l0").requires_grad_(False)
        self.pixels = nn.Linear(hidden_size, pixels)

    def forward(self, images: Images, steps: int) -> Float[Tensor, "steps batch 1 y x"]:
        """Logits of the ``steps`` images that follow."""
        x, states = images.flatten(2), []
        for layer in self.encoder:
            x, state = layer(x)
            states.append(state)
        x = x.new_zeros(steps, x.shape[1], 1)
        for layer, state in zip(self.forecaster, reversed(states), strict=True):
            x, _ = layer(x, state)
        return self.pixels(x).unflatten(2, images.shape[2:])
