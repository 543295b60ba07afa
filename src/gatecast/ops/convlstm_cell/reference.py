"""The convolutional LSTM in plain PyTorch: on images, lines or volumes instead of vectors.

One step, with the convolution * instead of the matrix product and per-element peepholes (Shi, Chen, Wang, Yeung,
Wong & Woo 2015, "Convolutional LSTM Network", equation 3, https://arxiv.org/abs/1506.04214)::

    i, f, g, o = (W_ih * x_t + W_hh * (m h) + b).chunk(4)
    i, f = sigmoid(i + p_i c), sigmoid(f + p_f c)
    c = f c + i tanh(g)
    o = sigmoid(o + p_o c)
    h = o tanh(c)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from gatecast.ops.activations import activation_of
from gatecast.ops.convlstm_cell.spec import ConvOutput, ConvSpec, ConvState, ConvWeights, Shape
from gatecast.ops.masks import LSTMMasks, without_masked
from gatecast.ops.scan import State, clip_gradient, scan

CONVOLUTIONS: dict[int, Callable[..., Tensor]] = {1: functional.conv1d, 2: functional.conv2d, 3: functional.conv3d}


def convlstm(
    x: Float[Tensor, "time batch input *space"],
    weights: ConvWeights,
    state: ConvState | None = None,
    *,
    spec: ConvSpec | None = None,
    masks: LSTMMasks | None = None,
) -> ConvOutput:
    """Run the cell over the time axis.

    Args:
        x: input of every step.
        weights: of the layer.
        state: h and c before the first step; None: zeros.
        spec: options of the cell.
        masks: of steps, recurrent dropout and zoneout, with the state's axes of space.
    """
    spec, masks = spec or ConvSpec(), masks or LSTMMasks()
    gates_x, shape = input_gates(without_masked(x, masks.steps), weights, spec)
    first = (x.new_zeros(shape), x.new_zeros(shape)) if state is None else state

    def run(gates: Tensor, h: Tensor | None, state: State) -> State:
        return step(gates, h, state[1], weights, spec)

    y, (h, c) = scan(gates_x, first, run, masks, spec, fresh=state is None)
    return ConvOutput(y, h, c)


def input_gates(x: Tensor, weights: ConvWeights, spec: ConvSpec) -> tuple[list[Tensor], Shape]:
    """The input's share of the gates at every step, and the shape of the state.

    All steps go through one convolution: time is a part of its batch axis.
    """
    hidden = weights.w_hh.shape[1]
    if weights.w_ih is None:
        bias = weights.w_hh.new_zeros(4 * hidden) if weights.bias is None else weights.bias
        return [bias.reshape(1, -1, *[1] * (x.dim() - 3))] * len(x), (x.shape[1], hidden, *x.shape[3:])
    gates = convolve(x.flatten(0, 1), weights.w_ih, weights.bias, spec.stride, spec.padding, spec.dilation)
    # unbind, not gates[t]: the gradient of each index would be a tensor of all steps
    return list(gates.unflatten(0, x.shape[:2]).unbind(0)), (x.shape[1], hidden, *gates.shape[2:])


def step(gates_x: Tensor, h: Tensor | None, c: Tensor, weights: ConvWeights, spec: ConvSpec) -> tuple[Tensor, Tensor]:
    """One step from the input's share of the gates ``(batch, gates, *space)`` and the state; h None: zeros."""
    act, gate = activation_of(spec.activation), activation_of(spec.recurrent_activation, "recurrent_activation")
    h = h if h is None or spec.gradient_clip is None else clip_gradient(h, spec.gradient_clip)
    gates = gates_x if h is None else gates_x + convolve(h, weights.w_hh)
    i, f, g, o = gates.chunk(4, 1)
    p_i, p_f, p_o = (None, None, None) if weights.peephole is None else weights.peephole
    i = gate(i if p_i is None else i + p_i * c)
    f = gate(f if p_f is None else f + p_f * c)
    c = f * c + i * act(g)
    o = gate(o if p_o is None else o + p_o * c)
    return o * act(c), c


def convolve(
    x: Float[Tensor, "batch input *space"],
    weight: Float[Tensor, "output input *kernel"],
    bias: Float[Tensor, " output"] | None = None,
    stride: Sequence[int] = (),
    padding: str | Sequence[int] = "same",
    dilation: Sequence[int] = (),
) -> Float[Tensor, "batch output *result"]:
    """A convolution over 1, 2 or 3 axes of space; ``"same"`` padding for any kernel and stride, as TensorFlow's.

    An odd number of zeros has one more behind than before.
    """
    rank = x.dim() - 2
    stride, dilation = tuple(stride) or (1,) * rank, tuple(dilation) or (1,) * rank
    if isinstance(padding, str):
        sides = _same(x.shape[2:], weight.shape[2:], stride, dilation)
        if any(before != after for before, after in sides):
            x = functional.pad(x, [zeros for before_after in reversed(sides) for zeros in before_after])
            sides = [(0, 0)] * rank
        padding = tuple(before for before, _ in sides)
    return CONVOLUTIONS[rank](x, weight, bias, stride, tuple(padding), dilation)


def result_space(
    space: Shape,
    kernel: Sequence[int],
    stride: Sequence[int],
    padding: str | Sequence[int],
    dilation: Sequence[int],
) -> Shape:
    """Size of a convolution's result in each axis of space."""
    if isinstance(padding, str):
        return tuple(-(-size // s) for size, s in zip(space, stride, strict=True))
    axes = zip(space, kernel, stride, padding, dilation, strict=True)
    return tuple((size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, s, p, d in axes)


def _same(space: Shape, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """Zeros before and after each axis, so that the result has ``ceil(size / stride)`` places."""
    totals = [
        max(d * (k - 1) - ((size - 1) % s if s > 1 else 0), 0)
        for size, k, s, d in zip(space, kernel, stride, dilation, strict=True)
    ]
    return [(total // 2, total - total // 2) for total in totals]
