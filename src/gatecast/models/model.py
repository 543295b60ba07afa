"""A network with its scaler and its head: windows in, loss or quantiles in the unit of the data out."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import softplus

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import Scaler
from gatecast.batches.windows import Batch
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.lstm import DirectLSTM, SegmentLSTM, Seq2SeqLSTM
from gatecast.models.naive_mixture import BaseMixture
from gatecast.models.recursive import RecursiveLSTM
from gatecast.nn.heads import HEADS, Head, Point
from gatecast.nn.losses import blanked, naive_error, weighted_mean
from gatecast.nn.stack import Stack

NETWORKS = {"segment": SegmentLSTM, "direct": DirectLSTM, "seq2seq": Seq2SeqLSTM, "recursive": RecursiveLSTM}


class ForecastModel(nn.Module):
    """``scaler → network → head``, and back.

    Args:
        shapes: sizes of the data.
        config: shape of the network; its ``kind`` must not be ``"auto"``.
        scaler: brings each window to a common size.
        head: meaning of the outputs.
        loss_weight: ``"seasonal"`` weights each window by ``scale / seasonal naive error`` of its context, so that the
            loss is measured as MASE measures; ``"none"`` weighs all windows the same.
    """

    def __init__(
        self, shapes: Shapes, config: NetConfig, scaler: Scaler, head: Head, *, loss_weight: str = "none"
    ) -> None:
        super().__init__()
        self.shapes, self.config, self.scaler, self.head, self.loss_weight = shapes, config, scaler, head, loss_weight
        self.network = NETWORKS[config.kind](shapes, config, head.initial)
        if head.positive and scaler.name != "mean_abs":
            raise SettingError(
                f"{head_words(head)} keeps zero at zero and cannot use the scaler {scaler.name}",
                "take " + Arg("scaler", "mean_abs"),
            )

    def set_linear(self, weights: Float[Tensor, "lags horizon"]) -> None:
        """Give the mixture its linear autoregression (``shapes.lags - 1`` rows); a recursive network ignores it."""
        base = getattr(self.network, "base", None)
        if isinstance(base, BaseMixture) and self.shapes.lags:
            base.linear.copy_(weights)

    @property
    def recursive(self) -> bool:
        """Whether the horizon is forecast by feeding draws back."""
        return isinstance(self.network, RecursiveLSTM)

    @property
    def input_size(self) -> int:
        """Features that the recurrent layers read at each step of the context; they follow from the data."""
        layers = self.network.get_submodule("lstm")
        assert isinstance(layers, Stack)
        return layers.input_size

    def forward(self, batch: Batch) -> Float[Tensor, ""]:
        """Mean loss of the windows; missing targets do not count."""
        past, location, scale = self.scale(batch)
        target = ((self.scaler.forward(batch.target) - location) / scale).to(past.dtype)
        raw = self._raw(past, batch, target, scale)
        if self.head.units:
            target = batch.target.to(past.dtype)
            raw = raw if self.head.positive else self.to_unit(raw[..., 0], location, scale)[..., None].to(past.dtype)
        cells = self.head.cells(blanked(raw, batch.mask), blanked(target, batch.mask))
        size = self.head.measure(batch.past, batch.observed, self._season)
        cells = cells if size is None else cells / size.to(past.dtype)
        return weighted_mean(cells, mask=batch.mask, weight=self._weight(past, batch))

    def weight_of(self, batch: Batch) -> float:
        """Total weight of a batch: of the scored cells."""
        past = self.scale(batch)[0] if self.loss_weight != "none" else batch.past
        return float((batch.mask * self._weight(past, batch)).sum())

    def scale(self, batch: Batch) -> tuple[Tensor, Tensor, Tensor]:
        """Scaled context in float32, location and scale in the precision of the data."""
        past, location, scale = self.scaler(batch.past, batch.observed)
        return past.float(), location, scale

    def quantiles(
        self, batch: Batch, probabilities: Float[Tensor, " p"]
    ) -> tuple[Float[Tensor, "batch horizon targets p"], Tensor, Tensor]:
        """Quantiles of every step in scaled units (positive heads: unit of the data over scale), location and scale."""
        past, location, scale = self.scale(batch)
        raw = self._raw(past, batch, None, scale)
        values = self.head.quantiles(raw, probabilities)
        return (values / scale[..., None] if self.head.positive else values), location, scale

    def paths(self, batch: Batch, paths: int) -> tuple[Float[Tensor, "batch paths horizon targets"], Tensor, Tensor]:
        """Trajectories of a recursive network in scaled units, location and scale."""
        past, location, scale = self.scale(batch)
        repeated = scale[:, 0].repeat_interleave(paths, 0)

        def draw(raw: Tensor) -> Tensor:
            if self.head.positive:
                return self.head.draw(self._positive(raw, repeated)) / repeated
            return self.head.draw(raw)

        assert isinstance(self.network, RecursiveLSTM)
        return self.network.sample(past, batch, draw, paths), location, scale

    def to_unit(self, scaled: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Scaled values ``(batch, horizon, targets, …)`` in the unit of the data."""
        extra = scaled.dim() - location.dim()
        shape = (*location.shape, *[1] * extra)
        return self.scaler.inverse(scaled.to(scale.dtype) * scale.view(shape) + location.view(shape))

    def to_scaled(self, values: Tensor, location: Tensor, scale: Tensor) -> Tensor:
        """Values ``(batch, horizon, targets)`` in the unit of the data as scaled ones."""
        return ((self.scaler.forward(values) - location) / scale).float()

    def _raw(self, past: Tensor, batch: Batch, target: Tensor | None, scale: Tensor) -> Tensor:
        raw: Tensor = self.network(past, batch, target) if self.recursive else self.network(past, batch)
        raw = raw.float() if raw.dtype == torch.bfloat16 else raw  # autocast: the loss keeps its precision
        return self._positive(raw, scale) if self.head.positive else raw

    def _positive(self, raw: Tensor, scale: Tensor) -> Tensor:
        """The centre as a mean above zero in the unit of the data."""
        mean = softplus(4 * raw[..., :1]) / 4 * scale[..., None].to(raw.dtype)  # softplus that is nearly the identity
        return torch.cat([mean, raw[..., 1:]], -1)

    @property
    def _season(self) -> int:
        """Rows between the two values of a naive error."""
        return self.shapes.seasons[0] if self.shapes.seasons else 1

    def _weight(self, past: Tensor, batch: Batch) -> Tensor:
        """Weight of each window and target."""
        if self.loss_weight == "none":
            return torch.ones_like(past[:, :1])
        return (1 / naive_error(past, batch.observed, self._season)).clamp(0.1, 10.0)


def head_words(head: Head) -> str:
    """The head, or the loss of a point forecast, in the words of messages."""
    name = next((name for name, kind in HEADS.items() if kind is type(head)), type(head).__name__)
    return f"the loss {head.loss}" if isinstance(head, Point) else f"the {name.replace('_', ' ')} head"
