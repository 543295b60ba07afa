"""The record of a layer, against its own outputs and the equations of each cell."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.refused import refused
from torch import Tensor, nn

from gatecast.base.errors import SettingError, UnknownNameError
from gatecast.lab import record
from gatecast.nn import GRU, LSTM, LSTM1997, RNN, sLSTM

TIME, BATCH, WIDTH = 9, 3, 6
CLOSE = {"atol": 1e-6, "rtol": 1e-6}
LAYERS = {
    "lstm": lambda **two: LSTM(2, WIDTH, **two),
    "peephole": lambda **two: LSTM(2, WIDTH, peephole=True, **two),
    "layer_norm": lambda **two: LSTM(2, WIDTH, layer_norm=True, **two),
    "coupled": lambda **two: LSTM(2, WIDTH, coupled=True, activation="softsign", **two),
    "slstm": lambda **two: sLSTM(2, WIDTH, heads=2, **two),
    "slstm exponential": lambda **two: sLSTM(2, WIDTH, heads=2, forget_gate="exponential", **two),
    "lstm1997": lambda **two: LSTM1997(2, 3, 2, output_gate_bias=(-1.0, -2.0, -3.0), **two),
    "gru": lambda **two: GRU(2, WIDTH, **two),
    "gru of Cho": lambda **two: GRU(2, WIDTH, reset_after=False, **two),
    "rnn": lambda **two: RNN(2, WIDTH, **two),
}


def inputs(batch: int = BATCH) -> Tensor:
    return torch.randn(TIME, batch, 2, generator=torch.Generator().manual_seed(2))


def made(name: str, **options: Any) -> Any:
    torch.manual_seed(1)
    return LAYERS[name](**options)


def shifted(part: Tensor) -> Tensor:
    """The same of the step before; zeros before the first."""
    return torch.cat([torch.zeros_like(part[:, :1]), part[:, :-1]], 1)


@pytest.mark.parametrize("name", LAYERS)
def test_the_record_is_what_the_layer_gives(name: str) -> None:
    layer = made(name, num_layers=2, bidirectional=True).train()
    seen = record(layer, inputs())
    y, state = layer.eval()(inputs())
    assert layer.training is False
    torch.testing.assert_close(torch.cat([*seen["h"][2:]], -1), y, **CLOSE)
    last = state if isinstance(state, Tensor) else state[0]
    ends = torch.stack([part[0 if k % 2 else -1] for k, part in enumerate(seen["h"])])
    torch.testing.assert_close(ends, last, **CLOSE)
    assert all(part.shape == (4, TIME, BATCH, WIDTH) for part in seen.parts.values())


@pytest.mark.parametrize("name", LAYERS)
def test_the_gates_give_the_states(name: str) -> None:
    seen = record(made(name, num_layers=2), inputs())
    c, h = seen.parts.get("c"), seen["h"]
    if name.startswith("gru"):
        new = (1 - seen["z"]) * seen["n"] + seen["z"] * shifted(h)
        torch.testing.assert_close(new, h, **CLOSE)
    if name.startswith("slstm"):
        assert c is not None
        torch.testing.assert_close(seen["f"] * shifted(c) + seen["i"] * seen["g"], c, **CLOSE)
        torch.testing.assert_close(seen["f"] * shifted(seen["n"]) + seen["i"], seen["n"], **CLOSE)
        torch.testing.assert_close(seen["o"] * c / seen["n"], h, **CLOSE)
    if name in ("lstm", "peephole", "coupled", "layer_norm"):
        assert c is not None
        torch.testing.assert_close(seen["f"] * shifted(c) + seen["i"] * seen["g"], c, **CLOSE)
    if name in ("lstm", "peephole"):
        assert c is not None
        torch.testing.assert_close(seen["o"] * c.tanh(), h, **CLOSE)
    if name == "lstm1997":
        assert c is not None
        torch.testing.assert_close(shifted(c) + seen["i"] * seen["g"], c, **CLOSE)
        torch.testing.assert_close(seen["o"] * (2 * c.sigmoid() - 1), h, **CLOSE)


def test_a_given_state_and_batch_first() -> None:
    layer = made("lstm", batch_first=True)
    hx = torch.randn(1, BATCH, WIDTH), torch.randn(1, BATCH, WIDTH)
    seen = record(layer, inputs().transpose(0, 1), hx)
    first = seen["f"][0, 0] * hx[1][0] + seen["i"][0, 0] * seen["g"][0, 0]
    torch.testing.assert_close(first, seen["c"][0, 0], **CLOSE)


def test_go_backwards_keeps_the_time() -> None:
    layer, plain = made("lstm", go_backwards=True), made("lstm")
    torch.testing.assert_close(record(layer, inputs())["c"], record(plain, inputs().flip(0))["c"].flip(1), **CLOSE)


def test_a_model_with_a_layer_inside() -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body, self.out = made("gru"), nn.Linear(WIDTH, 1)

        def forward(self, x: Tensor) -> Tensor:
            return self.out(self.body(x)[0])  # type: ignore[no-any-return]

    model = Model().train()
    torch.testing.assert_close(record(model, inputs())["h"], record(model.body, inputs())["h"], **CLOSE)
    assert model.training


def test_memory_is_the_time_constant() -> None:
    layer = made("lstm")
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.zero_()
        layer.bias_ih_l0[WIDTH : 2 * WIDTH] = torch.logit(torch.tensor(0.9))
    torch.testing.assert_close(record(layer, inputs()).memory(), torch.full((1, WIDTH), 9.4912).double(), **LOOSE)
    assert record(made("lstm1997"), inputs()).memory().isinf().all()
    assert record(made("rnn"), inputs()).memory().isnan().all()


LOOSE: dict[str, Any] = {"atol": 1e-3, "rtol": 1e-4}


def test_what_cannot_be_recorded() -> None:
    with refused(SettingError, problem="Linear has no recurrent layer to record", remedy="of gatecast.nn"):
        record(nn.Linear(2, 3), inputs())
    with refused(SettingError, problem="got torch.nn.GRU", remedy="load_state_dict"):
        record(nn.GRU(2, 3), inputs())
    with refused(SettingError, problem="without masked steps", remedy="lengths"):
        record(made("lstm"), inputs(), lengths=[3, 4, 9])
    with refused(UnknownNameError, problem="no 'f' in a record of GRU, which has r, z, n, h"):
        record(made("gru"), inputs())["f"]


def test_the_remedy_for_a_layer_of_pytorch_works() -> None:
    theirs, ours = nn.LSTM(2, WIDTH), LSTM(2, WIDTH)
    ours.load_state_dict(theirs.state_dict())
    torch.testing.assert_close(record(ours, inputs())["h"][0], theirs(inputs())[0].detach(), **CLOSE)
