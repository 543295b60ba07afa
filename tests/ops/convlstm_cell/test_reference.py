"""The convolutional LSTM against its equations, a loop over steps, finite differences, and the paper's counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from gatecast.ops.convlstm_cell.reference import convlstm, convolve, result_space
from gatecast.ops.convlstm_cell.spec import ConvSpec, ConvWeights
from gatecast.ops.masks import LSTMMasks

SHAPES: dict[int, tuple[int, ...]] = {1: (7,), 2: (7, 5), 3: (4, 5, 3)}


def weights_of(
    rank: int, *, kernel: int = 3, recurrent: int = 3, peephole: str = "none", dtype: torch.dtype = torch.float64
) -> ConvWeights:
    """Random weights: 3 channels in, 4 hidden."""
    torch.manual_seed(rank)
    pixels = SHAPES[rank] if peephole == "pixel" else (1,) * rank
    made = ConvWeights(
        torch.randn(16, 3, *(kernel,) * rank) / 4,
        torch.randn(16, 4, *(recurrent,) * rank) / 4,
        torch.randn(16),
        None if peephole == "none" else torch.randn(3, 4, *pixels),
    )
    return ConvWeights(*[None if w is None else w.to(dtype) for w in made])


def input_of(rank: int, *, time: int = 3, batch: int = 2, dtype: torch.dtype = torch.float64) -> Tensor:
    torch.manual_seed(10 + rank)
    return torch.randn(time, batch, 3, *SHAPES[rank], dtype=dtype)


def shifted(x: Tensor, weight: Tensor, bias: Tensor | None, stride: int = 1, dilation: int = 1) -> Tensor:
    """A "same" convolution over lines, place by place from its definition."""
    size, kernel = x.shape[-1], weight.shape[-1]
    out = -(-size // stride)
    lead = max((out - 1) * stride + dilation * (kernel - 1) + 1 - size, 0) // 2
    y = x.new_zeros(x.shape[0], weight.shape[0], out)
    for place in range(out):
        for tap in range(kernel):
            at = place * stride + tap * dilation - lead
            if 0 <= at < size:
                y[..., place] += x[..., at] @ weight[..., tap].T
    return y if bias is None else y + bias[:, None]


@pytest.mark.parametrize("peephole", ["none", "channel", "pixel"])
def test_lines_are_equation_3_gate_by_gate(peephole: str) -> None:
    w, x = weights_of(1, peephole=peephole), input_of(1)
    w_xi, w_xf, w_xc, w_xo = w.w_ih.chunk(4)
    w_hi, w_hf, w_hc, w_ho = w.w_hh.chunk(4)
    b_i, b_f, b_c, b_o = w.bias.chunk(4)
    w_ci, w_cf, w_co = torch.zeros(3, 4, 1, dtype=x.dtype) if w.peephole is None else w.peephole
    h = c = torch.zeros(2, 4, 7, dtype=x.dtype)
    for t in range(3):
        i = torch.sigmoid(shifted(x[t], w_xi, b_i) + shifted(h, w_hi, None) + w_ci * c)
        f = torch.sigmoid(shifted(x[t], w_xf, b_f) + shifted(h, w_hf, None) + w_cf * c)
        c = f * c + i * torch.tanh(shifted(x[t], w_xc, b_c) + shifted(h, w_hc, None))
        o = torch.sigmoid(shifted(x[t], w_xo, b_o) + shifted(h, w_ho, None) + w_co * c)
        h = o * torch.tanh(c)
        torch.testing.assert_close(convlstm(x[: t + 1], w).y[t], h)
    torch.testing.assert_close(convlstm(x, w)[1:], (h, c))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize(("kernel", "dilation"), [(1, 1), (2, 1), (3, 1), (4, 1), (5, 1), (2, 3), (3, 2)])
def test_same_padding_of_any_kernel_stride_and_dilation(kernel: int, dilation: int, stride: int) -> None:
    torch.manual_seed(0)
    for size in (1, 4, 7):
        x, weight = torch.randn(2, 3, size), torch.randn(5, 3, kernel)
        y = convolve(x, weight, None, (stride,), "same", (dilation,))
        torch.testing.assert_close(y, shifted(x, weight, None, stride, dilation))
        assert tuple(y.shape[2:]) == result_space((size,), (kernel,), (stride,), "same", (dilation,))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 9), st.integers(1, 5), st.integers(1, 4), st.integers(0, 3) | st.just("same"), st.integers(1, 3))
def test_sizes_of_any_convolution(size: int, kernel: int, stride: int, padding: int | str, dilation: int) -> None:
    zeros = padding if isinstance(padding, str) else (padding,)
    expected = result_space((size,), (kernel,), (stride,), zeros, (dilation,))
    if expected[0] > 0:
        y = convolve(torch.zeros(1, 2, size), torch.zeros(3, 2, kernel), None, (stride,), zeros, (dilation,))
        assert tuple(y.shape) == (1, 3, *expected)


@pytest.mark.parametrize(("stride", "dilation"), [(1, 2), (2, 1), (3, 2)])
def test_stride_and_dilation_belong_to_the_input_convolution(stride: int, dilation: int) -> None:
    w, x = weights_of(1), input_of(1)
    spec = ConvSpec(stride=(stride,), dilation=(dilation,))
    h, c = convlstm(x[:1], w, spec=spec)[1:]
    gates = shifted(x[1], w.w_ih, w.bias, stride, dilation) + shifted(h, w.w_hh, None)
    i, f, g, o = gates.chunk(4, 1)
    c = f.sigmoid() * c + i.sigmoid() * g.tanh()
    torch.testing.assert_close(convlstm(x[:2], w, spec=spec)[1:], (o.sigmoid() * c.tanh(), c))


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("padding", ["same", 0, 2])
def test_one_convolution_for_all_steps_is_a_loop_over_steps(rank: int, padding: str | int) -> None:
    w, x = weights_of(rank, kernel=2, recurrent=4), input_of(rank)
    zeros = padding if isinstance(padding, str) else (padding,) * rank
    spec = ConvSpec(stride=(2,) * rank, padding=zeros, dilation=(1,) * rank)
    space = result_space(SHAPES[rank], (2,) * rank, spec.stride, zeros, spec.dilation)
    state = torch.randn(2, 4, *space, dtype=x.dtype), torch.randn(2, 4, *space, dtype=x.dtype)
    whole = convlstm(x, w, state, spec=spec)
    for t in range(len(x)):
        one = convlstm(x[t : t + 1], w, state, spec=spec)
        torch.testing.assert_close(whole.y[t], one.h)
        state = one.h, one.c
    torch.testing.assert_close(whole.c, state[1])
    assert whole.y.shape == (3, 2, 4, *space)


def test_images_are_the_library_convolution_with_all_options_of_space() -> None:
    torch.manual_seed(0)
    x, weight, bias = torch.randn(2, 3, 9, 8), torch.randn(5, 3, 3, 2), torch.randn(5)
    ours = convolve(x, weight, bias, (2, 1), (1, 2), (2, 3))
    torch.testing.assert_close(ours, functional.conv2d(x, weight, bias, (2, 1), (1, 2), (2, 3)))


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_gradients_once_and_twice(rank: int) -> None:
    w = weights_of(rank, kernel=2, recurrent=2, peephole="pixel")
    small = tuple(part[..., :2].detach().clone() for part in w if part is not None and part.dim() > 1)
    peephole = torch.randn(3, 4, *(2,) * rank, dtype=torch.float64)
    inputs = [torch.randn(2, 1, 3, *(2,) * rank, dtype=torch.float64), small[0], small[1], w.bias.clone(), peephole]
    inputs = [tensor.requires_grad_() for tensor in inputs]

    def run(x: Tensor, *parts: Tensor) -> tuple[Tensor, ...]:
        return tuple(convlstm(x, ConvWeights(*parts)))

    assert torch.autograd.gradcheck(run, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(run, inputs, fast_mode=True)


def test_masked_steps_leave_the_state_and_let_no_nan_through() -> None:
    w, x = weights_of(2, peephole="channel"), input_of(2, time=4)
    steps = torch.tensor([[True, False], [True, True], [False, True], [True, False]])
    x[~steps] = float("nan")
    out = convlstm(x, w, masks=LSTMMasks(steps))
    for b in range(2):
        alone = convlstm(x[steps[:, b], b : b + 1], w)
        torch.testing.assert_close(out.y[steps[:, b], b : b + 1], alone.y)
        torch.testing.assert_close((out.h[b : b + 1], out.c[b : b + 1]), (alone.h, alone.c))
    assert (out.y[~steps] == 0).all()
    repeated = convlstm(x, w, masks=LSTMMasks(steps), spec=ConvSpec(zero_output=False)).y
    torch.testing.assert_close(repeated[2, 0], repeated[1, 0])


def test_reverse_reads_from_the_end_and_leaves_outputs_in_place() -> None:
    w, x = weights_of(2), input_of(2)
    torch.testing.assert_close(convlstm(x, w, spec=ConvSpec(reverse=True)).y, convlstm(x.flip(0), w).y.flip(0))


def test_recurrent_mask_multiplies_h_before_its_convolution() -> None:
    w, x = weights_of(2), input_of(2)
    state = torch.randn(2, 4, 7, 5, dtype=x.dtype), torch.randn(2, 4, 7, 5, dtype=x.dtype)
    keep = torch.bernoulli(torch.full_like(state[0], 0.5))
    masks = LSTMMasks(recurrent=keep.expand(3, -1, -1, -1, -1))
    masked = convlstm(x[:1], w, state, masks=masks)
    torch.testing.assert_close(masked.y, convlstm(x[:1], w, (state[0] * keep, state[1])).y)
    assert not torch.equal(convlstm(x, w, masks=masks).y, convlstm(x, w).y)


def test_a_layer_without_input_is_one_whose_input_is_zero() -> None:
    w, x = weights_of(2, peephole="channel"), input_of(2)
    state = torch.randn(2, 4, 7, 5, dtype=x.dtype), torch.randn(2, 4, 7, 5, dtype=x.dtype)
    for before in (None, state):
        without = convlstm(x[:, :, :0], w._replace(w_ih=None), before)
        torch.testing.assert_close(tuple(without), tuple(convlstm(torch.zeros_like(x), w, before)))
    assert convlstm(x[:, :, :0], w._replace(w_ih=None, bias=None)).y.shape == (3, 2, 4, 7, 5)


@pytest.mark.parametrize(
    ("activation", "gate"), [("relu", "hard_sigmoid"), ("softsign", "sigmoid"), (torch.sin, torch.sigmoid)]
)
def test_activations(activation: Any, gate: Any) -> None:
    w, x = weights_of(1), input_of(1, time=1)
    spec = ConvSpec(activation, gate)
    from gatecast.ops import activation_of

    act, squash = activation_of(activation), activation_of(gate)
    i, _, g, o = shifted(x[0], w.w_ih, w.bias).chunk(4, 1)
    torch.testing.assert_close(convlstm(x, w, spec=spec).h, squash(o) * act(squash(i) * act(g)))


def test_no_steps_give_the_state_back() -> None:
    w, x = weights_of(2), input_of(2, time=0)
    out = convlstm(x, w)
    assert out.y.shape == (0, 2, 4, 7, 5)
    assert out.c.shape == out.h.shape == (2, 4, 7, 5)
    assert not out.h.any()
