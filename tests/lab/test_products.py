"""Automatic differentiation against the product of Jacobians from the equations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.lab import GradientsConfig, gradient_by_lag, measure_gradients, product_by_lag
from gatecast.lab.gradients import lstm_with
from gatecast.lab.recall import recall_batch
from gatecast.nn import GRU, LSTM, LSTM1997, RNN, sLSTM

SMALL = GradientsConfig(lag=30, hidden=6, batch=3, recall=6, updates=3)


@pytest.mark.parametrize("kind", [LSTM, RNN])
def test_they_agree(kind: Any) -> None:
    torch.manual_seed(0)
    layer, x = kind(3, 7).double(), torch.randn(40, 5, 3).double()
    automatic, analytic = gradient_by_lag(layer, x), product_by_lag(layer, x)
    assert automatic.norms.keys() == analytic.norms.keys()
    for name, values in automatic.norms.items():
        np.testing.assert_allclose(analytic.norms[name], values, rtol=1e-9)


def test_the_cell_of_1997_keeps_its_gradient() -> None:
    found = gradient_by_lag(LSTM1997(3, 4), torch.randn(50, 2, 3))
    np.testing.assert_allclose(found.norms["c0"][1:], found.norms["c0"][1], rtol=1e-6)
    assert (found.norms["h0"][1:] == 0).all()  # truncated
    assert set(gradient_by_lag(sLSTM(3, 4), torch.randn(5, 2, 3)).norms) == {"h0", "c0", "n0", "m0"}


def test_a_forget_bias_sets_the_gate() -> None:
    layer = lstm_with(SMALL, 3.0)
    np.testing.assert_allclose((layer.bias_ih_l0 + layer.bias_hh_l0)[6:12].detach().numpy(), 3.0)
    chrono = lstm_with(SMALL, "chrono").bias_ih_l0.detach()
    assert (chrono[6:12] >= 0).all()
    assert (chrono[6:12] <= np.log(SMALL.lag - 1)).all()
    torch.testing.assert_close(chrono[:6], -chrono[6:12])


def test_what_is_measured() -> None:
    stages: list[str] = []
    found = measure_gradients(SMALL, stage=stages.append)
    assert stages[0] == "gradients at the start"
    assert max(found.differences.values()) < 1e-9
    bias = [curve.factor for curve in found.groups["bias"][:4]]
    assert bias == sorted(bias)
    radius = {curve.label: curve for curve in found.groups["radius"]}
    assert all(curve.factor <= curve.theory + 1e-6 for curve in radius.values() if curve.theory)
    assert radius["one sigmoid unit, w = 2"].factor == pytest.approx(0.5)
    lstm = next(norms for name, norms in found.weights.items() if name.startswith("LSTM"))
    assert lstm == sorted(lstm)  # the lowest layer learns least


def test_the_task_asks_for_the_first_input() -> None:
    x, answer = recall_batch(9, 50, 2, torch.Generator().manual_seed(0))
    assert ((x[0, :, 0] > 0) == (answer > 0)).all()
    assert 0.2 < float(x[1:].std()) < 0.4


def test_other_layers_are_refused() -> None:
    with refused(SettingError, problem="one LSTM or RNN layer", remedy="take LSTM(4, 32)"):
        product_by_lag(GRU(2, 3), torch.randn(4, 1, 2))  # type: ignore[arg-type]
    with refused(SettingError, problem="at least 10, got 3"):
        GradientsConfig(lag=3)
