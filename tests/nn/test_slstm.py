"""sLSTM layers: stacks, streams, states, lengths, heads, and how they begin."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.nn import sLSTM
from gatecast.ops.slstm_cell.reference import slstm
from gatecast.ops.slstm_cell.spec import SLSTMWeights


def layer_of(num_layers: int = 2, **options: Any) -> sLSTM:
    torch.manual_seed(0)
    return sLSTM(3, 6, num_layers, **{"heads": 2, **options})


def weights_of(layer: sLSTM, number: int) -> SLSTMWeights:
    return layer.cell.operands(layer._weights(f"_l{number}"))


def input_of(time: int = 5, batch: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, 3)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_stack_is_its_layers_one_by_one(batch_first: bool) -> None:
    layer, x = layer_of(batch_first=batch_first), input_of()
    y, last = layer(x.transpose(0, 1) if batch_first else x)
    first, below = slstm(x, weights_of(layer, 0))
    expected, above = slstm(first, weights_of(layer, 1))
    torch.testing.assert_close(y, expected.transpose(0, 1) if batch_first else expected)
    for part, a, b in zip(last, below, above, strict=True):
        torch.testing.assert_close(part, torch.stack([a, b]))


@pytest.mark.parametrize("forget_gate", ["sigmoid", "exponential"])
def test_a_stream_of_steps_is_the_sequence(forget_gate: str) -> None:
    layer, x = layer_of(forget_gate=forget_gate), input_of()
    y, last = layer(x)
    state, outputs = None, []
    for x_t in x:
        out, state = layer.step(x_t, state)
        outputs.append(out)
    torch.testing.assert_close(torch.stack(outputs), y)
    torch.testing.assert_close(state, last)
    rest, again = layer(x[2:], layer(x[:2])[1])
    torch.testing.assert_close((rest, again), (y[2:], last))


def test_outputs_and_states_by_option() -> None:
    x, lengths = input_of(), torch.tensor([5, 2])
    y, last = layer_of()(x, lengths=lengths)
    torch.testing.assert_close(layer_of(return_state=False)(x, lengths=lengths), y)
    final = layer_of(return_sequences=False, return_state=False)(x, lengths=lengths)
    torch.testing.assert_close(final, torch.stack([y[4, 0], y[1, 1]]))
    torch.testing.assert_close(final, last[0][-1])


@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_and_mask_are_the_sequences_alone_and_keep_nan_out(batch_first: bool) -> None:
    layer, x = layer_of(batch_first=batch_first), input_of(batch=3)
    lengths = torch.tensor([2, 5, 0])
    mask = torch.arange(5)[:, None] < lengths
    x[~mask] = float("nan")
    given = x.transpose(0, 1) if batch_first else x
    y, last = layer(given, lengths=lengths)
    torch.testing.assert_close(layer(given, mask=mask.T), (y, last))
    y.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())
    y = y.transpose(0, 1) if batch_first else y
    plain = layer_of()
    for b, long in enumerate(lengths.tolist()):
        alone, state = plain(x[:long, b : b + 1])
        torch.testing.assert_close(y[:long, b], alone[:, 0])
        torch.testing.assert_close(tuple(part[:, b : b + 1] for part in last), tuple(state))
        assert not y[long:, b].any()


def test_heads_do_not_see_each_other() -> None:
    layer, x = layer_of(1), input_of()
    with torch.no_grad():
        layer.weight_ih_l0.zero_()
    state = layer(x)[1]
    h = state[0].clone().index_fill_(-1, torch.tensor([0, 1, 2]), 0.7)
    before, after = layer(x[:1], state)[0], layer(x[:1], (h, *state[1:]))[0]
    assert not torch.isclose(before[..., :3], after[..., :3]).any()
    assert torch.equal(before[..., 3:], after[..., 3:])
    assert layer.weight_hh_l0.shape == (24, 3)


def test_dropout_lies_between_layers() -> None:
    x = input_of()
    assert not torch.equal(layer_of(dropout=0.5)(x)[0], layer_of()(x)[0])
    assert torch.equal(layer_of(dropout=0.5).eval()(x)[0], layer_of()(x)[0])


def test_forget_gates_begin_the_same_whichever_their_function() -> None:
    sigmoid, exponential = layer_of(1), layer_of(1, forget_gate="exponential")
    gates = sigmoid.bias_ih_l0[6:12].detach().sigmoid()
    torch.testing.assert_close(gates, exponential.bias_ih_l0[6:12].detach().exp())
    assert gates[0] == pytest.approx(0.9526, abs=1e-4)
    assert gates[-1] == pytest.approx(0.9975, abs=1e-4)
    assert not [name for name, _ in layer_of(bias=False).named_parameters() if "bias" in name]
    assert repr(sigmoid) == "sLSTM(3, 6, heads=2)"


def test_other_dtypes() -> None:
    x = input_of()
    y = layer_of(dtype=torch.bfloat16)(x.bfloat16())[0]
    assert y.dtype == torch.bfloat16
    layer = layer_of().bfloat16()
    whole, last = layer(x.bfloat16())
    _, state = layer(x[:3].bfloat16())
    torch.testing.assert_close(layer(x[3:].bfloat16(), state), (whole[3:], last))


def test_vmap_runs_an_ensemble() -> None:
    layers, x = [layer_of(), sLSTM(3, 6, 2, heads=2)], input_of()
    parameters, buffers = torch.func.stack_module_state(layers)
    outputs = torch.func.vmap(lambda p, b: torch.func.functional_call(layers[0], (p, b), (x,))[0])(parameters, buffers)
    torch.testing.assert_close(outputs, torch.stack([layer(x)[0] for layer in layers]))


def test_invalid_input_is_named() -> None:
    layer, x = layer_of(), input_of()
    h, _, n, m = layer(x)[1]
    with pytest.raises(
        SettingError, match=r"c0 must be \(layers\*directions, batch, width\) = \(2, 2, 6\), got \(2, 1"
    ):
        layer(x, (h, torch.zeros(2, 1, 6), n, m))
    with pytest.raises(SettingError, match=r"the state must be \(h0, c0, n0, m0\): 4 tensors, got 2"):
        layer(x, (h, h))
    half = layer_of(dtype=torch.bfloat16)
    with pytest.raises(SettingError, match=r"c0 must be torch.float32 with weights of torch.bfloat16, got torch.bfl"):
        half(x.bfloat16(), (h.bfloat16(),) * 4)
