"""NetConfig: every field reaches the layers, where a kind of network can have it, and is refused elsewhere."""

from __future__ import annotations

from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.cases import batch_of, panel_of, wave
from fixtures.refused import refused
from torch import Tensor, nn

import gatecast
from gatecast.base.errors import SettingError
from gatecast.base.findings import UNSET, Arg
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import ACTIVATIONS, CELLS, NetConfig, Shapes
from gatecast.models.lstm import recurrent_layers
from gatecast.models.model import NETWORKS
from gatecast.nn import GRU, LSTM, RNN
from gatecast.ops import activations
from gatecast.training.config import FitConfig

pytestmark = pytest.mark.filterwarnings("ignore::gatecast.ops.SlowPathWarning")

CONTEXT, HORIZON = 12, 5
KINDS = tuple(NETWORKS)
SMALL = {"hidden_size": 6, "segment": 3, "dropout": 0.0, "base": "none"}

Changes = dict[str, object]
CHANGES: list[Changes] = [
    {"activation": "softsign"},
    {"recurrent_activation": "hard_sigmoid"},
    {"input_dropout": 0.4},
    {"recurrent_dropout": 0.4},
    {"zoneout": 0.3},
    {"layer_norm": True},
    {"peephole": True},
    {"bias": False},
    {"go_backwards": True},
    {"bidirectional": True},
    {"cell": "gru"},
    {"cell": "rnn"},
    {"cell": "gru", "activation": "relu"},
    {"cell": "rnn", "activation": "relu"},
    {"num_layers": 2},
    {"num_layers": 2, "residual": True},
    {"num_layers": 2, "dropout": 0.5},
]
CASES = [
    pytest.param(kind, changes, id=f"{kind} {changes}")
    for kind in KINDS
    for changes in CHANGES
    if not (kind == "recursive" and {"go_backwards", "bidirectional"} & {*changes})  # refused, see below
]


def network(kind: str, changes: Changes) -> nn.Module:
    torch.manual_seed(0)
    config = NetConfig(kind=kind, **{**SMALL, **changes})  # type: ignore[arg-type]
    return NETWORKS[kind](Shapes(CONTEXT, HORIZON, outputs=1), config, (0.0,)).train()


def forward(kind: str, changes: Changes) -> Tensor:
    """Outputs in training, from the same random state."""
    model = network(kind, changes)
    torch.manual_seed(1)
    past, target = torch.randn(4, CONTEXT, 1), torch.randn(4, HORIZON, 1)
    batch = batch_of(past, HORIZON, target)
    torch.manual_seed(2)
    return model(past, batch, target) if kind == "recursive" else model(past, batch)


def before(changes: Changes) -> Changes:
    """The network that differs from the changed one in its last field alone."""
    return dict(list(changes.items())[:-1])


@pytest.mark.parametrize(("kind", "changes"), CASES)
def test_every_field_changes_the_forecast_and_can_be_trained(kind: str, changes: Changes) -> None:
    changed, plain = forward(kind, changes), forward(kind, before(changes))
    assert changed.shape == plain.shape
    assert float((changed - plain).detach().abs().max()) > 1e-4
    model = network(kind, changes)
    past, target = torch.randn(4, CONTEXT, 1), torch.randn(4, HORIZON, 1)
    batch = batch_of(past, HORIZON, target)
    (model(past, batch, target) if kind == "recursive" else model(past, batch)).square().sum().backward()
    recurrent = {name: p.grad for name, p in model.named_parameters() if name.startswith("lstm.")}
    assert all(grad is not None and bool(grad.isfinite().all()) for grad in recurrent.values())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("cell", "layer"), [("lstm", LSTM), ("gru", GRU), ("rnn", RNN)])
def test_the_cell_is_that_of_every_recurrent_layer(kind: str, cell: str, layer: type) -> None:
    model = network(kind, {"cell": cell})
    layers = [one for one in model.children() if isinstance(one, (LSTM, GRU, RNN))]
    assert layers
    assert {type(one) for one in layers} == {layer}


def test_the_decoder_of_an_encoder_that_reads_backwards_writes_forwards() -> None:
    model = network("seq2seq", {"go_backwards": True})
    assert (model.lstm.stack.go_backwards, model.decoder.stack.go_backwards) == (True, False)


def test_read_backwards_the_state_is_that_of_the_context_turned_round() -> None:
    model, turned = network("direct", {"go_backwards": True}), network("direct", {})
    rows = torch.randn(2, CONTEXT, 1)
    assert torch.equal(model.encode(rows)[0], turned.encode(rows.flip(1))[0])


@pytest.mark.parametrize("layers", [1, 2])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_defaults_are_the_plain_lstm_with_open_forget_gates(layers: int, bidirectional: bool) -> None:
    torch.manual_seed(0)
    plain = LSTM(5, 128, layers, batch_first=True, dropout=0.1 * (layers > 1), bidirectional=bidirectional)
    torch.manual_seed(0)
    made = recurrent_layers(NetConfig(num_layers=layers), 5, bidirectional=bidirectional)
    assert made.settings() == plain.settings()
    for (name, mine), theirs in zip(made.state_dict().items(), plain.state_dict().values(), strict=True):
        expected = theirs.clone()
        if name.startswith("bias_ih"):
            expected[128:256] = 1.0
        assert torch.equal(mine, expected), name


@pytest.mark.parametrize("field", [field.name for field in fields(NetConfig)])
def test_every_field_has_a_help_text(field: str) -> None:
    (one,) = [one for one in fields(NetConfig) if one.name == field]
    assert len(one.metadata["help"]) > 10
    assert "search" in one.metadata


def test_the_names_of_activations_are_those_of_the_operators() -> None:
    assert set(ACTIVATIONS) == set(activations.ACTIVATIONS)


def net(name: str, value: Any = UNSET) -> Arg:
    return Arg(name, value, of="NetConfig")


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        ({"cell": "lsmt"}, [net("cell"), "one of lstm, gru, rnn, got 'lsmt'"], ["did you mean 'lstm'?"]),
        ({"activation": "tan"}, [net("activation"), "one of tanh, ", "got 'tan'"], ["did you mean 'tanh'?"]),
        ({"recurrent_activation": "x"}, [net("recurrent_activation"), "must be one of", "'x'"], []),
        ({"zoneout": 1.0}, [net("zoneout"), "at least 0 and below 1, got 1.0"], []),
        ({"recurrent_dropout": -0.1}, [net("recurrent_dropout"), "got -0.1"], []),
        ({"input_dropout": 2}, [net("input_dropout"), "got 2"], []),
        (
            {"kind": "recursive", "go_backwards": True},
            [net("kind", "recursive"), "it continues from the newest row"],
            [net("go_backwards", False), net("kind", "seq2seq")],
        ),
        (
            {"bidirectional": True, "go_backwards": True},
            [net("bidirectional", True), "already reads both ways"],
            [net("go_backwards", True)],
        ),
        ({"cell": "gru", "layer_norm": True}, [net("layer_norm", True), "not of the cell gru"], [net("cell", "lstm")]),
        ({"cell": "rnn", "peephole": True}, [net("peephole", True), "not of the cell rnn"], [net("cell", "lstm")]),
        (
            {"cell": "rnn", "recurrent_activation": "hard_sigmoid"},
            [net("recurrent_activation", "hard_sigmoid"), "the cell rnn has no gates"],
            [net("activation")],
        ),
        ({"residual": True}, [net("residual", True), "from the second layer on"], [net("num_layers", 2)]),
    ],
)
def test_unsupported_options_of_a_network_are_refused_with_the_reason(
    settings: Changes, problem: list[Any], remedy: list[Any]
) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        NetConfig(**settings)  # type: ignore[arg-type]


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_forecaster_of_each_cell_survives_its_file(tmp_path: Path, kind: str, cell: str) -> None:
    own: Changes = {
        "zoneout": 0.1,
        "recurrent_dropout": 0.1,
        "activation": "softsign",
        "num_layers": 2,
        "residual": True,
    }
    if kind != "recursive":
        own["go_backwards"] = True
    if cell == "lstm":
        own |= {"peephole": True, "layer_norm": True}
    net = NetConfig(kind=kind, cell=cell, hidden_size=4, segment=3, **own)  # type: ignore[arg-type]
    fit = FitConfig(steps=2, batch_size=8, evaluations=1, refit=False, progress=False)
    panel = panel_of(wave(50), freq="D")
    model = LSTMForecaster(3, context=12, net=net, fit=fit, calendar=False).fit(panel)
    loaded = gatecast.load(model.save(tmp_path / "m.gatecast"))
    assert asdict(loaded.net) == asdict(net)
    assert (loaded.predict(panel=panel).quantiles == model.predict().quantiles).all()


@pytest.mark.parametrize(("kind", "expected"), [("segment", 4), ("direct", 3), ("seq2seq", 3), ("recursive", 6)])
def test_input_size_follows_from_the_data_and_is_described(kind: str, expected: int) -> None:
    """Two targets and a covariate; the recursive one reads lag, missing mark, past-only input and its mark besides."""
    fit = FitConfig(steps=1, batch_size=8, evaluations=1, refit=False, progress=False)
    panel = panel_of(torch.randn(50, 2).numpy(), freq="D", past=torch.randn(50, 1).numpy(), names={"past": ("p",)})
    net = NetConfig(kind=kind, hidden_size=4, segment=3)
    model = LSTMForecaster(3, context=12, season=1, net=net, fit=fit, calendar=False).fit(panel)
    assert model.describe()["input_size"] == expected
