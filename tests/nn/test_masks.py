"""What is dropped: masks drawn once per sequence, off in evaluation, right in expectation."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.layers import PAIRS
from fixtures.refused import refused
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import LSTM, LSTMCellOptions
from gatecast.nn.masks import draw_masks, dropped, keep_mask, weights_dropped

T, B, H = 40, 50, 6
X = torch.ones(T, B, 3)


def masks(**options: Any) -> Any:
    torch.manual_seed(0)
    return draw_masks(X, None, LSTMCellOptions(**options), (H, H), training=True)


def test_one_mask_for_all_steps_or_one_for_each() -> None:
    torch.manual_seed(0)
    once = dropped(torch.ones(T, B, H), 0.3, training=True, variational=True)
    assert (once == once[0]).all()
    assert not (once[0] == once[0, 0]).all()  # but not one for all sequences
    each = dropped(torch.ones(T, B, H), 0.3, training=True, variational=False)
    assert not (each == each[0]).all()
    for x in (once, each):
        assert {round(float(v), 6) for v in x.unique()} == {0.0, round(1 / 0.7, 6)}
        assert float((x == 0).float().mean()) == pytest.approx(0.3, abs=0.06)


def test_nothing_is_dropped_outside_training() -> None:
    assert dropped(X, 0.9, training=False, variational=True) is X
    assert dropped(X, 0.0, training=True, variational=True) is X
    assert draw_masks(X, None, LSTMCellOptions(recurrent_dropout=0.5), (H, H), training=False).recurrent is None


def test_the_recurrent_mask_is_one_for_all_steps() -> None:
    recurrent = masks(recurrent_dropout=0.3).recurrent
    assert recurrent.shape == (T, B, H)
    assert recurrent.stride(0) == 0
    assert float((recurrent[0] == 0).float().mean()) == pytest.approx(0.3, abs=0.08)
    assert float(recurrent[0].max()) == pytest.approx(1 / 0.7)


def test_zoneout_is_drawn_at_every_step_for_h_and_c_apart() -> None:
    drawn = masks(zoneout=(0.2, 0.6))
    assert drawn.zone_h.unique().tolist() == [0, 1]
    assert not (drawn.zone_h == drawn.zone_h[0]).all()
    assert float(drawn.zone_h.mean()) == pytest.approx(0.2, abs=0.02)
    assert float(drawn.zone_c.mean()) == pytest.approx(0.6, abs=0.02)
    assert masks(zoneout=(0.2, 0.0)).zone_c is None
    still = draw_masks(X, None, LSTMCellOptions(zoneout=(0.2, 0.6)), (H, H), training=False)
    assert float(still.zone_h.min()) == float(still.zone_h.max()) == pytest.approx(0.2)


def test_a_dropped_weight_is_dropped_for_the_whole_call() -> None:
    weight = weights_dropped(torch.ones(100, 100), 0.25, training=True)
    assert float((weight == 0).float().mean()) == pytest.approx(0.25, abs=0.03)
    assert float(weight.max()) == pytest.approx(1 / 0.75)


def masked_run(layer: LSTM, x: Tensor, **masked: Tensor) -> Tensor:
    """The LSTM by hand with masks on the input, on h before W_hh, and on W_hh."""
    h = c = torch.zeros(x.shape[1], layer.hidden_size, dtype=x.dtype)
    outputs = []
    for x_t in x * masked.get("input", torch.ones(())):
        gates = x_t @ layer.weight_ih_l0.T + layer.bias_ih_l0 + layer.bias_hh_l0
        gates = gates + (h * masked.get("h", torch.ones(()))) @ (layer.weight_hh_l0 * masked.get("w", torch.ones(()))).T
        i, f, g, o = gates.chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        h = o.sigmoid() * c.tanh()
        outputs.append(h)
    return torch.stack(outputs)


@pytest.mark.parametrize(
    ("option", "name", "shape"),
    [("input_dropout", "input", (1, 4, 3)), ("recurrent_dropout", "h", (4, 5)), ("weight_drop", "w", (20, 5))],
)
def test_masks_are_where_the_papers_put_them(option: str, name: str, shape: tuple[int, ...]) -> None:
    layer = LSTM(3, 5, dtype=torch.float64, **{option: 0.4})
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    torch.manual_seed(9)
    y = layer(x)[0]
    torch.manual_seed(9)
    mask = torch.nn.functional.dropout(torch.ones(shape, dtype=torch.float64), 0.4)
    torch.testing.assert_close(y, masked_run(layer, x, **{name: mask}))
    torch.testing.assert_close(layer.eval()(x)[0], masked_run(layer, x))


def test_dropout_between_layers_can_be_one_mask_per_sequence() -> None:
    layer = LSTM(3, 200, 2, dropout=0.5, variational=True)
    with torch.no_grad():  # the second layer gives its input back: g = W x, all gates open
        for name, parameter in layer.named_parameters():
            parameter.zero_() if "l1" in name or "weight" in name else parameter.uniform_(0.5, 1)
        layer.weight_ih_l1[400:600].copy_(torch.eye(200))
        layer.bias_ih_l1[:200], layer.bias_ih_l1[200:400], layer.bias_ih_l1[600:] = 100.0, -100.0, 100.0
    zeros = layer(torch.randn(6, 2, 3))[0] == 0
    assert (zeros == zeros[0]).all()
    assert 0.3 < float(zeros.float().mean()) < 0.7
    assert not (layer.eval()(torch.randn(6, 2, 3))[0] == 0).any()


@pytest.mark.parametrize("kind", list(PAIRS))
def test_zoneout_outside_training_is_its_expectation(kind: str) -> None:
    """With one step, the mean over drawn masks is the run with the probability itself: the output is linear in them."""
    zoneout = (0.3, 0.0) if kind == "LSTM" else 0.3
    layer = PAIRS[kind][0](3, 4, zoneout=zoneout, dtype=torch.float64)
    torch.manual_seed(0)
    x = torch.randn(1, 1, 3, dtype=torch.float64)
    h = torch.randn(1, 1, 4, dtype=torch.float64)
    state = (h, torch.randn(1, 1, 4, dtype=torch.float64)) if kind == "LSTM" else h
    many = tuple(part.expand(1, 4000, 4) for part in state) if kind == "LSTM" else h.expand(1, 4000, 4)
    drawn = layer(x.expand(1, 4000, 3), many)[0].mean(1)
    layer.eval()
    torch.testing.assert_close(drawn, layer(x, state)[0][:, 0], atol=0.05, rtol=0)
    plain = PAIRS[kind][0](3, 4, dtype=torch.float64)
    plain.load_state_dict(layer.state_dict())
    torch.testing.assert_close(layer(x, state)[0], 0.7 * plain(x, state)[0] + 0.3 * h)


def test_zoneout_of_the_cell_keeps_the_old_cell() -> None:
    layer = LSTM(3, 4, zoneout=(0.0, 0.4), dtype=torch.float64).eval()
    plain = LSTM(3, 4, dtype=torch.float64)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(1, 2, 3, dtype=torch.float64)
    state = torch.randn(1, 2, 4, dtype=torch.float64), torch.randn(1, 2, 4, dtype=torch.float64)
    torch.testing.assert_close(layer(x, state)[1][1], 0.6 * plain(x, state)[1][1] + 0.4 * state[1])


@pytest.mark.parametrize("option", ["dropout", "input_dropout", "recurrent_dropout", "weight_drop", "zoneout"])
def test_probabilities_are_checked(option: str) -> None:
    for p in (-0.1, 1.0):
        with refused(SettingError, problem=[Arg(option), "at least 0 and below 1", f"got {p:g}"]):
            LSTM(3, 4, 2, **{option: p})


def test_a_kept_entry_makes_up_for_the_dropped() -> None:
    torch.manual_seed(0)
    keep = keep_mask(torch.zeros(10_000), 0.25)
    assert sorted(set(keep.tolist())) == [0.0, pytest.approx(4 / 3)]
    assert keep.mean() == pytest.approx(1, abs=0.02)
