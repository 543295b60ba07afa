"""The gradients of one step: several batches as one, and what they are cut to."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.cases import panel_of, wave
from torch import Tensor, nn

from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import Batch, InputScales, Windows, split_origins
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import Quantiles
from gatecast.training.config import FitConfig
from gatecast.training.engine import OneCpu
from gatecast.training.step import accumulate, clip_gradients, gradient_norms

CONTEXT, HORIZON = 12, 4


def batches(*, gaps: bool, sizes: tuple[int, ...]) -> list[Batch]:
    series = [wave(70), 5 * wave(60, 5)]
    if gaps:
        series[1][30:55:2] = float("nan")
    panel = panel_of(*series)
    windows = Windows(panel, CONTEXT, HORIZON, scales=InputScales.fit(panel))
    training, _ = split_origins(panel, CONTEXT, HORIZON, held_back=0)
    chosen = torch.linspace(0, training.total - 1, sum(sizes)).long()
    return [windows.gather(*training.locate(part)) for part in chosen.split(sizes)]


def gradients(parts: list[Batch], **settings: Any) -> tuple[float, list[Tensor]]:
    torch.manual_seed(3)
    net = NetConfig(kind="direct", hidden_size=8, dropout=0.0)
    shapes = Shapes(CONTEXT, HORIZON, outputs=13, seasons=(12,), flags=True)
    model = ForecastModel(shapes, net, SCALERS["standard"](), Quantiles(), **settings)
    loss = accumulate(OneCpu(), model, parts)
    return loss, [weight.grad for weight in model.parameters() if weight.grad is not None]


@pytest.mark.parametrize("weights", ["none", "seasonal"])
@pytest.mark.parametrize("gaps", [False, True])
def test_several_batches_make_the_step_of_a_large_one(gaps: bool, weights: str) -> None:
    loss, whole = gradients(batches(gaps=gaps, sizes=(24,)), loss_weight=weights)
    parts_loss, parts = gradients(batches(gaps=gaps, sizes=(10, 8, 6)), loss_weight=weights)
    assert parts_loss == pytest.approx(loss, rel=1e-6)
    for a, b in zip(whole, parts, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-6)


def with_gradients(*values: float) -> list[nn.Parameter]:
    weights = [nn.Parameter(torch.zeros(1)) for _ in values]
    for weight, value in zip(weights, values, strict=True):
        weight.grad = torch.tensor([value])
    return weights


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"clip": None}, [3.0, -4.0]),
        ({"clip": 0.0}, [3.0, -4.0]),
        ({"clip": 10.0}, [3.0, -4.0]),
        ({"clip": 1.0}, [0.6, -0.8]),
        ({"clip": None, "clip_value": 3.5}, [3.0, -3.5]),
        ({"clip": 1.0, "clip_value": 3.0}, [0.5**0.5, -(0.5**0.5)]),
    ],
)
def test_gradients_are_clipped_by_value_and_by_norm(settings: dict[str, Any], expected: list[float]) -> None:
    weights = with_gradients(3.0, -4.0)
    assert clip_gradients(weights, FitConfig(**settings)) == pytest.approx(5.0)
    assert [float(weight.grad) for weight in weights if weight.grad is not None] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("clip", [0.01, 1.0, 100.0])
def test_clipping_equals_pytorchs_to_the_bit(clip: float) -> None:
    torch.manual_seed(0)
    both = [nn.Sequential(nn.Linear(7, 33), nn.Linear(33, 5)) for _ in range(2)]
    both[1].load_state_dict(both[0].state_dict())
    for network in both:
        network(torch.ones(3, 7)).square().sum().backward()
    ours = clip_gradients(list(both[0].parameters()), FitConfig(clip=clip))
    assert ours == float(nn.utils.clip_grad_norm_(both[1].parameters(), clip))
    for a, b in zip(both[0].parameters(), both[1].parameters(), strict=True):
        assert a.grad is not None
        assert b.grad is not None
        assert torch.equal(a.grad, b.grad)


def test_zero_norm_without_gradients() -> None:
    assert clip_gradients([nn.Parameter(torch.zeros(1))], FitConfig()) == 0.0


def test_an_infinite_gradient_shows_in_the_norm_though_it_is_clipped() -> None:
    assert clip_gradients(with_gradients(float("inf"), 1.0), FitConfig(clip_value=1.0)) == float("inf")


def test_gradient_norms_are_reported_by_layer() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.ModuleDict({"lstm": nn.LSTM(2, 3, 2, bidirectional=True), "out": nn.Linear(6, 1)})
            self.scale = nn.Parameter(torch.ones(1))
            self.unused = nn.Linear(1, 1)

    model = Net()
    output, _ = model.network["lstm"](torch.randn(5, 1, 2))
    (model.network["out"](output) * model.scale).sum().backward()
    norms = gradient_norms(model)
    assert list(norms) == ["scale", "lstm.l0", "lstm.l0_reverse", "lstm.l1", "lstm.l1_reverse", "out"]
    own = [w.grad.square().sum() for w in model.network["out"].parameters() if w.grad is not None]
    assert norms["out"] == pytest.approx(float(torch.stack(own).sum().sqrt()), rel=1e-6)
