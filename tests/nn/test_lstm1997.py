"""The layer of 1997: weight counts of the paper's networks, streams, lengths, and how it begins."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.nn import LSTM1997


def layer_of(**options: Any) -> LSTM1997:
    torch.manual_seed(0)
    return LSTM1997(3, 2, 2, **{"init_range": 1.0, **options})


def input_of(time: int = 5, batch: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, 3)


def count(*modules: nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize(
    ("inputs", "blocks", "size", "outputs", "bias", "readout_bias", "published"),
    [
        pytest.param(7, 4, 1, 7, "gates", False, 264, id="1, Reber grammar, 4 blocks"),
        pytest.param(7, 3, 2, 7, "gates", False, 276, id="1, Reber grammar, 3 blocks"),
        pytest.param(54, 2, 1, 2, "none", False, 364, id="2c, 50 distractors"),
        pytest.param(1004, 2, 1, 2, "none", False, 6064, id="2c, 1000 distractors"),
        pytest.param(1, 3, 1, 1, "all", False, 102, id="3, two sequences"),
        pytest.param(2, 2, 2, 1, "all", True, 93, id="4, adding"),
        pytest.param(8, 2, 2, 4, "all", True, 156, id="6a, temporal order"),
        pytest.param(8, 3, 2, 8, "all", True, 308, id="6b, temporal order"),
    ],
)
def test_weight_counts_of_the_paper(
    inputs: int, blocks: int, size: int, outputs: int, bias: str, readout_bias: bool, published: int
) -> None:
    layer = LSTM1997(inputs, blocks, size, bias=bias)
    assert count(layer, nn.Linear(blocks * size, outputs, bias=readout_bias)) == published


def test_weight_count_of_experiment_2a() -> None:
    """One cell and its input gate, no feedback, no output gate; inputs reach the outputs directly as well."""
    layer = LSTM1997(101, 1, bias="none", output_gate=False, feedback="none")
    assert count(layer, nn.Linear(101 + 1, 101, bias=False)) == 10_504


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_stream_of_steps_is_the_sequence(batch_first: bool) -> None:
    layer, x = layer_of(batch_first=batch_first), input_of()
    y, last = layer(x.transpose(0, 1) if batch_first else x)
    state, outputs = None, []
    for x_t in x:
        out, state = layer.step(x_t, state)
        outputs.append(out)
    torch.testing.assert_close(torch.stack(outputs, 1 if batch_first else 0), y)
    torch.testing.assert_close(state, last)
    torch.testing.assert_close(layer_of(return_state=False)(x[2:], layer_of()(x[:2])[1]), layer_of()(x)[0][2:])


def test_lengths_and_mask_keep_nan_out() -> None:
    layer, x = layer_of(), input_of()
    lengths = torch.tensor([2, 5])
    mask = torch.arange(5)[:, None] < lengths
    x[~mask] = float("nan")
    y, last = layer(x, lengths=lengths)
    torch.testing.assert_close(layer(x, mask=mask.T), (y, last))
    torch.testing.assert_close(y[:2, :1], layer(x[:2, :1])[0])
    final = layer_of(return_sequences=False)(x, lengths=lengths)[0]
    torch.testing.assert_close(final, torch.stack([y[1, 0], y[4, 1]]))
    y.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_biases_start_at_their_options() -> None:
    layer = LSTM1997(3, 3, 2, input_gate_bias=(-1, -2, -3), output_gate_bias=-4.0, init_range=0.2)
    assert layer.bias_ih_l0[:3].tolist() == [-1, -2, -3]
    assert layer.bias_ih_l0[-3:].tolist() == [-4] * 3
    assert 0 < layer.bias_ih_l0[3:9].abs().max() <= 0.2
    assert 0.1 < layer.weight_hh_l0.abs().max() <= 0.2
    gates = LSTM1997(3, 3, 2, bias="gates", input_gate_bias=-1.0)
    bias = gates.cell.operands(gates._weights("_l0")).bias
    assert bias.tolist()[:9] == [-1.0] * 3 + [0.0] * 6
    assert repr(gates) == "LSTM1997(3, 3, 2, bias='gates', input_gate_bias=(-1.0, -1.0, -1.0))"
    assert repr(LSTM1997(3, 3, init_range=0.2, truncate=False)) == "LSTM1997(3, 3, 1, init_range=0.2, truncate=False)"


def test_the_learning_rule_cuts_all_but_the_cells() -> None:
    """An error at the last step reaches the input of the first through the cell's own state alone."""
    x = input_of().requires_grad_()
    whole, cut = [torch.autograd.grad(layer_of(truncate=t)(x)[0][-1].sum(), x)[0] for t in (False, True)]
    assert not torch.allclose(whole, cut)
    assert cut[0].abs().max() > 0
    alone = layer_of(feedback="none")
    state = layer_of()(x[:4])[1]
    assert torch.autograd.grad(alone(x, state)[0][-1].sum(), x)[0].shape == x.shape


def test_other_dtypes() -> None:
    y, state = layer_of(dtype=torch.bfloat16)(input_of().bfloat16())
    assert {part.dtype for part in (y, *state)} == {torch.bfloat16}
    wide = layer_of().double()(input_of().double())[0]
    torch.testing.assert_close(layer_of()(input_of())[0].double(), wide, atol=1e-5, rtol=1e-5)


def test_invalid_input_is_named() -> None:
    layer, x = layer_of(), input_of()
    zeros = torch.zeros(1, 2, 4)
    with pytest.raises(SettingError, match=r"gates0 must be .* = \(1, 2, 4\), got \(1, 2, 3"):
        layer(x, (zeros, zeros, zeros[..., :3]))
    with pytest.raises(SettingError, match="blocks must be at least 1, got 0"):
        LSTM1997(3, 0)
