"""The inside of a trained forecaster against its own gates and forecast."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from fixtures.refused import refused

from gatecast import FitConfig, LSTMForecaster, NetConfig, Panel, datasets
from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.base.findings import Arg
from gatecast.batches.windows import Windows
from gatecast.lab import Inside, InsideConfig, look_inside


@pytest.fixture(scope="module")
def passengers() -> Inside:
    return look_inside(InsideConfig(steps=30, hidden_size=5).forecaster().fit(datasets.load("air_passengers")))


def test_sums_give_the_gates(passengers: Inside) -> None:
    net = torch.from_numpy(passengers.from_x + passengers.from_h + passengers.bias[:, None])
    for k, (name, activation) in enumerate({"i": torch.sigmoid, "f": torch.sigmoid, "g": torch.tanh}.items()):
        torch.testing.assert_close(activation(net[k]), passengers.seen[name][0, :, 0], atol=1e-6, rtol=1e-5)


def test_it_shows_the_last_window(passengers: Inside) -> None:
    panel = datasets.load("air_passengers")
    np.testing.assert_array_equal(passengers.values, panel.series(0)[-36:, 0])
    assert passengers.inputs[0] == "Passengers"
    assert passengers.x.shape == (36, len(passengers.inputs))
    spread = passengers.values - passengers.values.mean()
    np.testing.assert_allclose(passengers.x[:, 0] / passengers.x[:, 0].std(), spread / spread.std(), atol=1e-4)


def test_influence_is_the_derivative_times_the_input(passengers: Inside) -> None:
    """A small change of one input of the LSTM changes the forecast as the derivative says."""
    forecaster = passengers.forecaster
    model = forecaster.models_[0]
    windows = Windows(datasets.load("air_passengers"), 36, 12, scales=forecaster.scales_, cycles=forecaster.cycles_)
    batch = windows.at_origin(torch.tensor([0]))
    lag, at, change = 5, 2, 1e-2

    def ahead(delta: float) -> float:
        def shift(_: object, args: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
            moved = args[0].clone()
            moved[0, -1 - lag, 0] += delta
            return (moved, *args[1:])

        handle = model.network.get_submodule("lstm").register_forward_pre_hook(shift)
        with torch.no_grad():
            table, location, scale = model.quantiles(batch, torch.tensor([0.5]))
        handle.remove()
        return float(model.to_unit(table, location, scale)[0, at, 0, 0])

    slope = (ahead(change) - ahead(-change)) / (2 * change)
    expected = slope * passengers.x[-1 - lag, 0]
    assert passengers.by_lag(at)[lag, 0] == pytest.approx(expected, rel=0.02)
    # the last value passes beside the LSTM, and nothing else does
    assert np.count_nonzero(passengers.base_influence[0]) == 1


def test_units_are_sorted_by_memory(passengers: Inside) -> None:
    memory = passengers.seen.memory()[0].numpy()[passengers.unit_order()]
    assert (np.diff(memory) <= 0).all()


def test_a_series_by_name_and_shorter_than_the_context() -> None:
    rows = np.sin(np.arange(60) / 3)
    panel = Panel.from_arrays([rows, rows[:9] + 2], ids=["long", "short"])
    fitted = InsideConfig(horizon=3, context=20, hidden_size=3, steps=5).forecaster().fit(panel)
    inside = look_inside(fitted, series="short")
    assert (inside.series, len(inside.values), inside.seen["f"].shape[1]) == ("short", 9, 9)
    with refused(UnknownNameError, problem="no series 'shor'", remedy="did you mean 'short'"):
        look_inside(fitted, series="shor")


@pytest.mark.parametrize(("name", "value"), [("kind", "segment"), ("cell", "gru"), ("num_layers", 2)])
def test_another_network_is_refused(name: str, value: object) -> None:
    net = NetConfig(**{"kind": "direct", "hidden_size": 3, name: value})  # type: ignore[arg-type]
    panel = Panel.from_arrays([np.sin(np.arange(60) / 3)])
    fitted = LSTMForecaster(3, context=12, net=net, fit=FitConfig(steps=2, progress=False)).fit(panel)
    with refused(
        SettingError,
        problem=Arg(name, value, of="NetConfig"),
        remedy=Arg(name, of="NetConfig", value=getattr(NetConfig(kind="direct"), name)),
    ):
        look_inside(fitted)


def test_options_are_checked() -> None:
    with refused(SettingError, problem="at most 64, got 100"):
        InsideConfig(hidden_size=100)
