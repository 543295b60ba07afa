"""All layers in one call, where no gradient is needed: the same results, of the weights as they are now."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fixtures.layers import LSTM_OPTIONS, tensors
from fixtures.refused import refused
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.utils import parametrize, prune

from gatecast import ops
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, LSTM, LSTMCell
from gatecast.ops.library import library
from gatecast.ops.lstm_cell import kernel

KERNEL = pytest.mark.skipif(not library().isa, reason="no kernel")


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Runs of a cell in every call of the operator that runs all layers."""
    heard: list[int] = []
    inner = kernel.lstm_layers

    def listen(*arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
        layers, directions = arguments[-2:]
        heard.append(layers * directions)
        return inner(*arguments)

    monkeypatch.setattr(kernel, "lstm_layers", listen)
    return heard


def assert_same(found: object, wanted: object) -> None:
    for one, other in zip(tensors(found), tensors(wanted), strict=True):
        torch.testing.assert_close(one, other.detach(), rtol=1e-5, atol=2e-6)


@pytest.mark.filterwarnings("ignore::gatecast.ops.SlowPathWarning")
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", list(LSTM_OPTIONS))
def test_every_option_gives_what_it_gives_with_gradients(name: str, batch: int) -> None:
    layer = LSTM(3, 20, **LSTM_OPTIONS[name]).eval()
    x, lengths = torch.randn(9, batch, 3), torch.tensor([9, 0, 4])[:batch]
    for call in ({}, {"lengths": lengths}):
        wanted = layer(x, **call)
        with torch.no_grad():
            assert_same(layer(x, **call), wanted)
        with torch.inference_mode():
            assert_same(layer(x, **call), wanted)


@pytest.mark.parametrize("of_stream", ["x[t]", "x[:, t], batch first", "unbound", "cut"])
def test_steps_of_a_stream_are_views_of_it(of_stream: str) -> None:
    """Each starts somewhere in the memory of all."""
    torch.manual_seed(0)
    layer, cell = LSTM(6, 24, num_layers=2).eval(), LSTMCell(6, 24)
    x, state, own = torch.randn(9, 4, 6), None, None
    steps = {
        "x[t]": list(x),
        "x[:, t], batch first": [x.transpose(0, 1).contiguous()[:, t] for t in range(len(x))],
        "unbound": x.unbind(),
        "cut": [torch.cat([x[t], x[t]], -1)[:, 6:] for t in range(len(x))],
    }[of_stream]
    wanted, alone = layer(x)[0], []
    for one in x:
        own = cell(one.clone(), own)
        alone.append(own[0])
    own = None
    with torch.inference_mode():
        for t, one in enumerate(steps):
            y, state = layer.step(one, state)
            own = cell(one, own)
            torch.testing.assert_close(y, wanted[t].detach(), rtol=1e-5, atol=1e-6)
            torch.testing.assert_close(own[0], alone[t].detach(), rtol=1e-5, atol=1e-6)


@KERNEL
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("options", [{}, {"peephole": True, "coupled": True}, {"bidirectional": True}], ids=str)
def test_one_call_runs_all_layers(options: dict[str, bool], threads: int, calls: list[int]) -> None:
    layer = LSTM(5, 40, 3, batch_first=True, **options).eval()
    x = torch.randn(1, 50, 5)
    directions = 2 if layer.bidirectional else 1
    state = torch.randn(3 * directions, 1, 40), torch.randn(3 * directions, 1, 40)
    wanted, before = layer(x, state), torch.get_num_threads()
    torch.set_num_threads(threads)
    with torch.no_grad():
        found = layer(x, state)
        torch.set_num_threads(before)
        assert_same(found, wanted)
        assert calls == [3 * directions]
        assert ops.explain(layer, x).startswith(f"cpu-{library().isa}: ")


@KERNEL
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("batch", [(), (4,)])
def test_steps(batch: tuple[int, ...], training: bool, calls: list[int]) -> None:
    layer, x = LSTM(3, 8, 2).train(training), torch.randn(*batch, 3)
    with torch.no_grad():
        _, state = layer.step(x)
        y, state = layer.step(x, state)
    assert calls == [2, 2]
    assert_same((y, state), (layer(torch.stack([x, x]))[0][-1], layer(torch.stack([x, x]))[1]))


@pytest.mark.filterwarnings("ignore:dropout")
@pytest.mark.parametrize(
    "drawn",
    [{"dropout": 0.5}, {"input_dropout": 0.5}, {"recurrent_dropout": 0.5}, {"weight_drop": 0.5}, {"zoneout": 0.5}],
    ids=str,
)
def test_training_draws_masks_where_an_option_needs_them(drawn: dict[str, float], calls: list[int]) -> None:
    layer, x = LSTM(3, 32, 2, **drawn), torch.randn(4, 2, 3)
    with torch.no_grad():
        assert not torch.equal(layer(x)[0], layer(x)[0])
        layer.eval()
        torch.testing.assert_close(layer(x)[0], layer(x)[0])
    assert len(calls) == (0 if "zoneout" in drawn else 2) * bool(library().isa)


def test_dropout_set_later_is_seen() -> None:
    layer, x = LSTM(3, 32, 2), torch.randn(4, 2, 3)
    with torch.no_grad():
        before = layer(x)[0]
        layer.dropout = 0.5
        assert not torch.equal(layer(x)[0], before)


@KERNEL
@pytest.mark.parametrize("batch", [(), (4,)])
@pytest.mark.parametrize(
    "options", [{}, {"bias": False}, {"peephole": True, "proj_size": 2}, {"zoneout": 0.1}], ids=str
)
def test_a_cell_runs_as_one_layer(options: dict[str, Any], batch: tuple[int, ...], calls: list[int]) -> None:
    cell, x = LSTMCell(3, 8, **options).train("zoneout" not in options), torch.randn(*batch, 3)
    wanted = cell(x, cell(x))
    with torch.no_grad():
        assert_same(cell(x, cell(x)), wanted)
        cell.weight_hh.mul_(0.5)
        assert not torch.equal(cell(x, wanted)[0], wanted[0])
    assert calls == ([] if "zoneout" in options else [1, 1, 1])


def test_a_cell_draws_in_training() -> None:
    cell, x = LSTMCell(3, 32, input_dropout=0.5), torch.ones(4, 3)
    with torch.no_grad():
        assert not torch.equal(cell(x)[0], cell(x)[0])


def _optimizer_step(layer: nn.Module) -> None:
    optimizer = torch.optim.SGD(layer.parameters(), 0.5)
    with torch.enable_grad():
        layer(torch.ones(3, 1, 3))[0].sum().backward()
    optimizer.step()


def _numpy(layer: nn.Module) -> None:
    layer.weight_hh_l0.detach().numpy()[:] *= 0.5


def _replace(layer: nn.Module) -> None:
    layer.weight_hh_l0 = nn.Parameter(layer.weight_hh_l0 * 0.5)


def _prune(layer: nn.Module) -> None:
    prune.l1_unstructured(layer, "weight_hh_l0", 0.5)


class _Half(nn.Module):
    def forward(self, weight: Tensor) -> Tensor:
        return weight * 0.5


CHANGES: dict[str, Callable[[nn.Module], object]] = {
    "in place": lambda layer: layer.weight_hh_l0.mul_(0.5),
    "in place through .data": lambda layer: layer.weight_hh_l0.data.mul_(0.5),
    "new .data": lambda layer: setattr(layer.weight_hh_l0, "data", layer.weight_hh_l0.data * 0.5),
    "transposed memory": lambda layer: setattr(layer.weight_hh_l0, "data", (layer.weight_hh_l0.data * 0.5).T.clone().T),
    "load_state_dict": lambda layer: layer.load_state_dict(LSTM(3, 16).state_dict()),
    "optimiser": _optimizer_step,
    "through numpy": _numpy,
    "another parameter": _replace,
    "parametrized": lambda layer: parametrize.register_parametrization(layer, "weight_hh_l0", _Half()),
    "pruned": _prune,
    "swapped": lambda layer: torch.utils.swap_tensors(layer.weight_hh_l0, nn.Parameter(layer.weight_hh_l0 * 0.5)),
}


@pytest.mark.parametrize("time", [1, 40])
@pytest.mark.parametrize("change", list(CHANGES))
def test_a_change_of_the_weights_is_seen_at_once(change: str, time: int) -> None:
    layer, x, state = LSTM(3, 16).eval(), torch.ones(time, 1, 3), (torch.ones(1, 1, 16), torch.ones(1, 1, 16))
    with torch.no_grad():
        before = layer(x, state)[0]
        layer.step(x[0], state)
        CHANGES[change](layer)
        after = layer(x, state)
        step = layer.step(x[0], state)
    assert not torch.equal(before, after[0])
    assert_same(after, layer(x, state))
    assert_same(step, (layer(x[:1], state)[0][0], layer(x[:1], state)[1]))


def test_functional_call_and_copies_after_a_first_call() -> None:
    layer, other, x = LSTM(3, 16).eval(), LSTM(3, 16).eval(), torch.ones(4, 2, 3)
    with torch.no_grad():
        before = layer(x)
        assert_same(functional_call(layer, other.state_dict(), (x,)), other(x))
        assert_same(layer(x), before)
        copied = copy.deepcopy(layer)
        copied.weight_hh_l0.mul_(0.5)
        assert_same(layer(x), before)
        assert not torch.equal(copied(x)[0], before[0])


def test_a_layer_moves_to_another_dtype_and_back() -> None:
    layer, x = LSTM(3, 16).eval(), torch.ones(4, 2, 3)
    with torch.no_grad():
        before = layer(x)
        assert layer.double()(x.double())[0].dtype == torch.float64
        with refused(SettingError, problem=[Arg("input"), "torch.float64", "got torch.float32"], remedy="x.to("):
            layer.step(x[0])
        assert_same(layer.float()(x), before)


def test_weights_that_do_not_fit_are_named() -> None:
    x = torch.ones(4, 2, 3)
    for name, shape, wrong in (
        ("weight_hh_l1", (32, 7), "w_hh of layer 1"),
        ("weight_ih_l0", (32, 4), "w_ih of layer 0"),
        ("bias_hh_l0", (31,), "bias_hh of layer 0"),
    ):
        layer = LSTM(3, 8, 2).eval()
        setattr(layer, name, nn.Parameter(torch.zeros(shape)))
        with torch.no_grad(), refused(SettingError, problem=[Arg(wrong), "of shape (32", f"got {shape}"]):
            layer(x)
    layer = LSTM(3, 8).eval()
    layer.bias_ih_l0 = nn.Parameter(torch.zeros(32, dtype=torch.float64))
    types = ["torch.float32", "got torch.float64"]
    with torch.no_grad(), refused(SettingError, problem=[Arg("bias of layer 0"), *types], remedy="convert"):
        layer(x)


def test_other_layers_are_as_they_were() -> None:
    layer, x = GRU(3, 8, 2).eval(), torch.randn(4, 2, 3)
    wanted = layer(x)
    with torch.no_grad():
        assert_same(layer(x), wanted)
