"""Direct networks: the first step ahead depends on the last observation; sizes; settings."""

from __future__ import annotations

import pytest
import torch
from fixtures.cases import batch_of
from fixtures.refused import refused
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import SCALERS
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.lstm import segment_length
from gatecast.models.model import NETWORKS, ForecastModel
from gatecast.nn.heads import NegBinomial, Quantiles

CONTEXT, HORIZON = 13, 5


def network(kind: str, horizon: int = HORIZON, **settings: object) -> nn.Module:
    torch.manual_seed(0)
    plain = {"hidden_size": 8, "base": "none", "skip": False, "segment": 4, "dropout": 0.0}
    config = NetConfig(kind=kind, **{**plain, **settings})  # type: ignore[arg-type]
    return NETWORKS[kind](Shapes(CONTEXT, horizon, outputs=1), config, (0.0,)).eval()


def sees(forward: object, horizon: int = HORIZON) -> list[bool]:
    """Which rows of the context move the first step of the forecast."""
    past = torch.randn(2, CONTEXT, 1, generator=torch.Generator().manual_seed(1)).requires_grad_()
    first = forward(past, batch_of(past.detach(), horizon))[:, 0].sum()  # type: ignore[operator]
    (gradient,) = torch.autograd.grad(first, past)
    return (gradient.abs().amax((0, 2)) > 1e-9).tolist()


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("kind", ["segment", "direct", "seq2seq"])
def test_the_first_step_depends_on_every_observation_and_the_last(kind: str, bidirectional: bool, layers: int) -> None:
    assert all(sees(network(kind, bidirectional=bidirectional, num_layers=layers)))


class PeersDecoder(nn.Module):
    """The defect: step ``k`` of the horizon read off the hidden state at row ``context - horizon + k``."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm, self.out = nn.LSTM(1, 8, batch_first=True), nn.Linear(8, 1)

    def forward(self, past: Tensor, batch: object) -> Tensor:
        hidden, _ = self.lstm(past)
        return self.out(hidden[:, -HORIZON:])[..., None]


def test_the_check_finds_the_decoder_that_is_blind_to_the_last_observations() -> None:
    assert sees(PeersDecoder()) == [True] * (CONTEXT - HORIZON + 1) + [False] * (HORIZON - 1)


@pytest.mark.parametrize("horizon", [1, 4, 5, 30])
@pytest.mark.parametrize("kind", ["segment", "direct", "seq2seq"])
def test_any_horizon(kind: str, horizon: int) -> None:
    past = torch.randn(3, CONTEXT, 1)
    out = network(kind, horizon)(past, batch_of(past, horizon))
    assert out.shape == (3, horizon, 1, 1)
    assert bool(out.isfinite().all())


@pytest.mark.parametrize("kind", ["segment", "direct", "seq2seq"])
def test_windows_do_not_mix(kind: str) -> None:
    past = torch.randn(3, CONTEXT, 1)
    model = network(kind, base="mixture")
    together = model(past, batch_of(past, HORIZON))
    alone = model(past[1:2], batch_of(past[1:2], HORIZON))
    torch.testing.assert_close(together[1:2], alone)


def test_before_training_the_forecast_is_near_its_base() -> None:
    past = torch.randn(3, CONTEXT, 1)
    centre = network("segment", base="last")(past, batch_of(past, HORIZON))[..., 0].detach()
    assert float((centre - past[:, -1:]).abs().max()) < 0.3


def test_the_linear_skip_reaches_the_output() -> None:
    model = network("direct", skip=True)
    past = torch.randn(1, CONTEXT, 1)
    before = model(past, batch_of(past, HORIZON))
    with torch.no_grad():
        model.skip.weight[2, 3] = 10.0
    moved = (model(past, batch_of(past, HORIZON)) - before)[0, :, 0, 0]
    torch.testing.assert_close(moved, torch.tensor([0, 0, 10.0, 0, 0]) * past[0, 3, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    ("context", "seasons", "asked", "expected"),
    [(168, (24,), None, 24), (48, (), None, 12), (1000, (24,), None, 42), (10, (12,), None, 10), (48, (24,), 7, 7)],
)
def test_segment_length(context: int, seasons: tuple[int, ...], asked: int | None, expected: int) -> None:
    assert segment_length(Shapes(context, 5, seasons=seasons), NetConfig(segment=asked)) == expected


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("kind", "gru", "one of auto, segment, direct, seq2seq, recursive, got 'gru'"),
        ("base", "x", "one of auto, mixture, last, season, none, got 'x'"),
        ("hidden_size", 0, "at least 1, got 0"),
        ("num_layers", 0, "at least 1, got 0"),
        ("dropout", 1.0, "at least 0 and below 1, got 1.0"),
        ("segment", 0, "at least 1, got 0"),
        ("embedding", 0, "at least 1, got 0"),
        ("id_embedding", -1, "at least 0, got -1"),
    ],
)
def test_values_out_of_bounds_are_refused(name: str, value: object, problem: str) -> None:
    with refused(SettingError, problem=[Arg(name, of="NetConfig"), problem]):
        NetConfig(**{name: value})  # type: ignore[arg-type]


def test_a_recursive_network_reads_forwards_only() -> None:
    remedy = [Arg("bidirectional", False, of="NetConfig"), Arg("kind", "seq2seq", of="NetConfig")]
    with refused(SettingError, problem=Arg("kind", "recursive", of="NetConfig"), remedy=remedy):
        NetConfig(kind="recursive", bidirectional=True)


def test_missing_targets_do_not_count_in_the_loss() -> None:
    torch.manual_seed(0)
    config = NetConfig(kind="direct", hidden_size=8, dropout=0.0)
    model = ForecastModel(Shapes(CONTEXT, HORIZON, outputs=13), config, SCALERS["standard"](), Quantiles())
    past, target = torch.randn(2, CONTEXT, 1), torch.randn(2, HORIZON, 1)
    mask = torch.ones(2, HORIZON, 1, dtype=torch.bool)
    mask[0, 3:] = False
    wild = target.clone()
    wild[0, 3:] = 1e9
    losses = [model(batch_of(past, HORIZON, values, mask=mask)).item() for values in (target, wild)]
    assert losses[0] == losses[1]
    assert model(batch_of(past, HORIZON, wild)).item() > 1e6


def test_seasonal_loss_weight_counts_windows_by_their_naive_error() -> None:
    config = NetConfig(kind="direct", hidden_size=8)
    model = ForecastModel(Shapes(6, 2, outputs=13), config, SCALERS["none"](), Quantiles(), loss_weight="seasonal")
    past = torch.tensor([[0.0, 1, 0, 1, 0, 1], [0, 4, 0, 4, 0, 4]])[..., None]
    weight = model._weight(past, batch_of(past, 2))
    assert weight.flatten().tolist() == pytest.approx([1.0, 0.25])


def test_the_negative_binomial_head_needs_its_scaler() -> None:
    with refused(SettingError, problem="cannot use the scaler standard", remedy=Arg("scaler", "mean_abs")):
        ForecastModel(Shapes(6, 2, outputs=2), NetConfig(kind="direct"), SCALERS["standard"](), NegBinomial())
