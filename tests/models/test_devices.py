"""Networks make their tensors where their inputs are.

There need be no accelerator to see it: PyTorch's default device is set to ``meta``, and a tensor that is made without a
word on its device lands there and cannot meet the inputs, which are on the CPU.
"""

from __future__ import annotations

import pytest
import torch
from fixtures.cases import batch_of

from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import Batch
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import NETWORKS, ForecastModel
from gatecast.nn.heads import HEADS

CONTEXT, HORIZON = 12, 5


def batch() -> Batch:
    """Windows with all kinds of inputs and holes in the context."""
    torch.manual_seed(1)
    past, target = 5 + torch.rand(3, CONTEXT, 2).round(), 5 + torch.rand(3, HORIZON, 2).round()
    past[0, [0, 5, CONTEXT - 1]] = torch.nan
    inputs = {"past_inputs": torch.randn(3, CONTEXT, 3), "future_inputs": torch.randn(3, HORIZON, 2)}
    return batch_of(
        past, HORIZON, target, **inputs, static=torch.randn(3, 1), category=torch.zeros(3, 1, dtype=torch.int64)
    )


def model_of(kind: str, head: str = "quantiles", scaler: str = "standard", base: str = "auto") -> ForecastModel:
    torch.manual_seed(0)
    sizes = {"past_inputs": 3, "future_inputs": 2, "statics": 1, "levels": (2,), "series": 3, "seasons": (3, 6)}
    shapes = Shapes(CONTEXT, HORIZON, 2, outputs=HEADS[head]().outputs, lags=4, flags=True, **sizes)
    config = NetConfig(kind=kind, hidden_size=8, id_embedding=2, skip=True, dropout=0.1, base=base)
    return ForecastModel(shapes, config, SCALERS[scaler](), HEADS[head](), loss_weight="seasonal")


def check(model: ForecastModel) -> None:
    windows = batch()
    with torch.device("meta"):
        loss = model(windows)
        loss.backward()
        assert loss.device.type == "cpu"
        if model.recursive:
            paths, _, _ = model.eval().paths(windows, 4)
            assert paths.device.type == "cpu"
    assert bool(loss.isfinite())


@pytest.mark.parametrize("kind", list(NETWORKS))
@pytest.mark.parametrize("base", ["auto", "last", "season", "none"])
def test_every_network(kind: str, base: str) -> None:
    check(model_of(kind, base=base))


@pytest.mark.parametrize("head", list(HEADS))
@pytest.mark.parametrize("kind", ["direct", "recursive"])
def test_every_head(kind: str, head: str) -> None:
    check(model_of(kind, head, "mean_abs" if HEADS[head]().positive else "standard"))


@pytest.mark.parametrize("scaler", list(SCALERS))
def test_every_scaler(scaler: str) -> None:
    check(model_of("direct", scaler=scaler))


def test_a_tensor_on_a_fixed_device_would_be_seen() -> None:
    with torch.device("meta"), pytest.raises((RuntimeError, NotImplementedError)):
        torch.cat([torch.ones(2), torch.zeros(2, device="cpu")]).tolist()
