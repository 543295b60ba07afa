"""ConvLSTM layers: stacks, directions, states, masks, dropout, the paper's networks, Keras, and the compiler."""

from __future__ import annotations

import importlib.util
import os
from typing import Any

import pytest
import torch
from fixtures.refused import refused
from torch import Tensor

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Call
from gatecast.convert import conv_from_keras_arrays, conv_to_keras_arrays
from gatecast.nn import ConvLSTM1d, ConvLSTM2d, ConvLSTM3d, Spread
from gatecast.nn.convlstm import ConvLSTM
from gatecast.ops.convlstm_cell.reference import convlstm
from gatecast.ops.convlstm_cell.spec import ConvSpec
from gatecast.ops.masks import LSTMMasks

SPACES = {1: (6,), 2: (6, 5), 3: (3, 4, 5)}
KERAS = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="Keras is not installed")


def layer_of(kind: type[ConvLSTM] = ConvLSTM2d, **options: Any) -> ConvLSTM:
    """A layer of 3 channels in and 4 hidden, with random weights throughout."""
    torch.manual_seed(0)
    layer = kind(3, 4, options.pop("kernel_size", 3), **options)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(torch.randn(parameter.shape) / 3)
    return layer


def input_of(*space: int, time: int = 3, batch: int = 2) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, 3, *(space or (6, 5)))


def count(*modules: torch.nn.Module) -> int:
    return sum(parameter.numel() for module in modules for parameter in module.parameters())


@pytest.mark.parametrize(
    ("kernel", "recurrent", "hidden", "published"),
    [
        (5, 5, (256,), 13_524_496),
        (5, 5, (128, 128), 10_042_896),
        (5, 5, (128, 64, 64), 7_585_296),
        (9, 1, (128, 128), 11_550_224),
        (9, 1, (128, 64, 64), 8_830_480),
    ],
)
def test_parameter_counts_of_the_paper(kernel: int, recurrent: int, hidden: tuple[int, ...], published: int) -> None:
    """Shi et al. 2015, table 1: an encoder, a forecaster in reverse order that begins without input, a 1x1 readout."""

    def stack(inputs: tuple[int, ...], widths: tuple[int, ...]) -> list[torch.nn.Module]:
        options: dict[str, Any] = {"recurrent_kernel_size": recurrent, "peephole": "channel", "device": "meta"}
        return [ConvLSTM2d(i, f, kernel, **options) for i, f in zip(inputs, widths, strict=True)]

    encoder = stack((16, *hidden[:-1]), hidden)
    forecaster = stack((0, *hidden[:0:-1]), hidden[::-1])
    readout = torch.nn.Conv2d(sum(hidden), 16, 1, device="meta")
    assert count(*encoder, *forecaster, readout) == published


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_stack_of_two_directions_is_its_layers_one_by_one(batch_first: bool) -> None:
    layer = layer_of(num_layers=2, bidirectional=True, stride=2, peephole="channel", batch_first=batch_first)
    x = input_of()
    y, (h, c) = layer(x.transpose(0, 1) if batch_first else x)
    expected, states = x, []
    for number in range(2):
        ways = [
            convlstm(
                expected,
                layer.weights(f"_l{number}{end}"),
                spec=ConvSpec(stride=(2, 2) if number == 0 else (), reverse=bool(end)),
            )
            for end in ("", "_reverse")
        ]
        expected, states = torch.cat([way.y for way in ways], 2), [*states, *ways]
    torch.testing.assert_close(y, expected.transpose(0, 1) if batch_first else expected)
    torch.testing.assert_close(h, torch.stack([state.h for state in states]))
    torch.testing.assert_close(c, torch.stack([state.c for state in states]))
    assert layer.state_space(6, 5) == h.shape[-2:] == (3, 3)


@pytest.mark.parametrize(("kind", "space"), [(ConvLSTM1d, (5,)), (ConvLSTM2d, (5, 3)), (ConvLSTM3d, (3, 4, 5))])
def test_state_carries_a_sequence_on(kind: type[ConvLSTM], space: tuple[int, ...]) -> None:
    layer = layer_of(kind, kernel_size=2, num_layers=2, peephole="pixel", space=space)
    x = input_of(*space, time=5, batch=1)
    whole, last = layer(x)
    first, state = layer(x[:2])
    second, state = layer(x[2:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(state, last)


@pytest.mark.parametrize("mode", ["concat", "sum", "mul", "ave", None])
def test_merge_modes(mode: str | None) -> None:
    layer = layer_of(bidirectional=True, merge_mode=mode)
    x = input_of()
    there = convlstm(x, layer.weights("_l0")).y
    back = convlstm(x, layer.weights("_l0_reverse"), spec=ConvSpec(reverse=True)).y
    expected = {
        "concat": torch.cat([there, back], 2),
        "sum": there + back,
        "mul": there * back,
        "ave": (there + back) / 2,
        None: (there, back),
    }
    torch.testing.assert_close(layer(x)[0], expected[mode])
    assert layer_of(num_layers=2, bidirectional=True, merge_mode=mode)(x)[1][0].shape[0] == 4


def test_go_backwards_gives_outputs_in_the_order_of_reading() -> None:
    x, lengths = input_of(), [3, 2]
    backwards, plain = layer_of(go_backwards=True), layer_of()
    torch.testing.assert_close(backwards(x), plain(x.flip(0)))
    mask = torch.arange(3)[:, None] < torch.tensor(lengths)
    torch.testing.assert_close(backwards(x, lengths=lengths), plain(x.flip(0), mask=mask.flip(0).T))


def test_outputs_and_states_by_option() -> None:
    x = input_of()
    y, (h, _) = layer_of()(x)
    torch.testing.assert_close(layer_of(return_state=False)(x), y)
    torch.testing.assert_close(layer_of(return_sequences=False, return_state=False)(x), y[-1])
    two = layer_of(num_layers=2, bidirectional=True, return_sequences=False)
    every = layer_of(num_layers=2, bidirectional=True)(x, lengths=[3, 2])[0]
    last, (h, _) = two(x, lengths=[3, 2])
    torch.testing.assert_close(last, torch.cat([h[2], h[3]], 1))
    torch.testing.assert_close(last, torch.stack([torch.cat([every[2 - b, b, :4], every[0, b, 4:]]) for b in range(2)]))


@pytest.mark.parametrize("batch_first", [False, True])
def test_lengths_and_mask_are_the_sequences_alone_and_keep_nan_out(batch_first: bool) -> None:
    layer = layer_of(num_layers=2, bidirectional=True, batch_first=batch_first)
    x = input_of(time=4, batch=3)
    lengths = torch.tensor([2, 4, 0])
    mask = torch.arange(4)[:, None] < lengths
    x[~mask] = float("nan")
    given = x.transpose(0, 1) if batch_first else x
    y, (h, c) = layer(given, lengths=lengths)
    by_mask = layer(given, mask=mask.T)
    torch.testing.assert_close((y, (h, c)), by_mask)
    y = y.transpose(0, 1) if batch_first else y
    for b, long in enumerate(lengths.tolist()):
        alone = x[:long, b : b + 1].transpose(0, 1) if batch_first else x[:long, b : b + 1]
        expected, state = layer(alone)
        torch.testing.assert_close(y[:long, b], expected[0, :long] if batch_first else expected[:, 0])
        torch.testing.assert_close((h[:, b : b + 1], c[:, b : b + 1]), state)
        assert not y[long:, b].any()
    y.sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in layer.parameters())


def test_recurrent_dropout_is_one_mask_for_a_sequence() -> None:
    layer = layer_of(recurrent_dropout=0.5)
    x = torch.zeros(3, 2, 3, 6, 5)
    torch.manual_seed(3)
    masks = LSTMMasks(recurrent=torch.nn.functional.dropout(torch.ones(1, 2, 4, 6, 5), 0.5).expand(3, -1, -1, -1, -1))
    torch.manual_seed(3)
    dropped = layer(x)[0]
    torch.testing.assert_close(dropped, convlstm(x, layer.weights("_l0"), masks=masks).y)
    layer.eval()
    torch.testing.assert_close(layer(x)[0], layer_of()(x)[0])


def test_input_dropout_is_one_mask_and_dropout_lies_between_layers() -> None:
    x = torch.ones(3, 2, 3, 6, 5)
    layer = layer_of(input_dropout=0.5)
    torch.manual_seed(3)
    keep = torch.nn.functional.dropout(torch.ones(1, 2, 3, 6, 5), 0.5)
    torch.manual_seed(3)
    torch.testing.assert_close(layer(x)[0], layer_of()(x * keep)[0])
    assert not torch.equal(layer_of(num_layers=2, dropout=0.5)(x)[0], layer_of(num_layers=2)(x)[0])
    assert torch.equal(layer_of(num_layers=2, dropout=0.5).eval()(x)[0], layer_of(num_layers=2)(x)[0])


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.05), (torch.float32, 1e-5)])
def test_other_dtypes_follow_float64(dtype: torch.dtype, tolerance: float) -> None:
    layer, x = layer_of(num_layers=2, peephole="channel"), input_of()
    expected = layer.double()(x.double())[0]
    got = layer.to(dtype)(x.to(dtype))[0]
    assert got.dtype == dtype
    torch.testing.assert_close(got.double(), expected, atol=tolerance, rtol=tolerance)
    assert ConvLSTM2d(3, 4, 3, dtype=dtype).weight_hh_l0.dtype == dtype


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_memory_formats_agree(memory_format: torch.memory_format) -> None:
    layer, x = layer_of(), input_of()
    other = layer_of().to(memory_format=memory_format)
    turned = x.flatten(0, 1).contiguous(memory_format=memory_format).unflatten(0, x.shape[:2])
    torch.testing.assert_close(other(turned)[0], layer(x)[0])


def test_vmap_runs_an_ensemble() -> None:
    layers, x = [layer_of(), layer_of(kernel_size=3, unit_forget_bias=False)], input_of()
    with torch.no_grad():
        layers[1].weight_ih_l0.mul_(-1)
    parameters, buffers = torch.func.stack_module_state(layers)
    outputs = torch.func.vmap(
        lambda p, b: torch.func.functional_call(layers[0], (p, b), (x,))[0], randomness="different"
    )(parameters, buffers)
    torch.testing.assert_close(outputs, torch.stack([layer(x)[0] for layer in layers]))


def test_start_of_the_weights() -> None:
    layer = ConvLSTM2d(3, 4, 3, peephole="channel")
    assert layer.bias_ih_l0.reshape(4, 4)[:, 0].tolist() == [0, 1, 0, 0]
    for rows in layer.weight_hh_l0.flatten(1).chunk(4):
        torch.testing.assert_close(rows @ rows.T, torch.eye(4), atol=1e-5, rtol=0)
    assert not layer.peephole_l0.any()
    assert not ConvLSTM2d(3, 4, 3, unit_forget_bias=False).bias_ih_l0.any()
    assert ConvLSTM2d(3, 4, 3, bias=False).bias_ih_l0 is None
    assert "kernel_size=(3, 3)" in repr(layer)


@pytest.mark.parametrize(
    ("options", "problem", "remedy"),
    [
        (
            {"kernel_size": (3, 3, 3)},
            [Arg("kernel_size"), "1 number or 2 (height, width)", "1 or more", "got (3, 3, 3)"],
            (),
        ),
        ({"stride": 0}, [Arg("stride"), "1 or more", "got 0"], ()),
        ({"padding": -1}, [Arg("padding"), "0 or more", "got -1"], ()),
        ({"padding": "full"}, [Arg("padding"), "same, valid", "got 'full'"], ()),
        ({"skip": True, "stride": 2}, Arg("skip", True), [Arg("stride", 1), Arg("padding", "same")]),
        ({"zone_out": 0.1}, ["ConvLSTM2d", "'zone_out'"], "'zoneout'"),
        (
            {"peephole": "pixel"},
            [Arg("space"), "(height, width)", Arg("peephole", "pixel"), "space=None, peephole='pixel'"],
            (),
        ),
        ({"space": 3}, [Arg("space"), Arg("peephole", "pixel"), "space=3, peephole='none'"], ()),
        ({"peephole": "all"}, [Arg("peephole"), "none, channel, pixel", "got 'all'"], ()),
        ({"merge_mode": "max"}, [Arg("merge_mode"), "concat, sum, mul, ave, None", "got 'max'"], ()),
        ({"dropout": 1.0}, [Arg("dropout"), "at least 0 and below 1", "got 1"], ()),
        ({"num_layers": 0}, [Arg("num_layers"), "at least 1", "got 0"], ()),
        ({"activation": "tan"}, [Arg("activation"), "tanh, sigmoid", "got 'tan'"], "'tanh'"),
        (
            {"num_layers": 2, "residual": True, "bidirectional": True, "return_sequences": False},
            [Arg("return_sequences", False), Arg("residual", True), "two directions"],
            Arg("return_sequences", True),
        ),
    ],
)
def test_invalid_settings_are_named(options: dict[str, Any], problem: Any, remedy: Any) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        layer_of(**options)


def test_dropout_between_layers_needs_two() -> None:
    with pytest.warns(UserWarning, match="has no effect with num_layers=1"):
        layer_of(num_layers=1, dropout=0.5)


def test_spread_forget_gates_stay_spread() -> None:
    f = ConvLSTM2d(1, 4, 3, bias_initializer=Spread(low=1.0, high=4.0)).bias_ih_l0.detach().chunk(4)[1]
    torch.testing.assert_close(f, torch.linspace(1.0, 4.0, len(f)))


def test_an_image_smaller_than_the_kernel_and_one_of_another_size() -> None:
    with refused(
        SettingError, problem=["size (2, 2)", "kernel of (3, 3)", "padding=(0, 0)"], remedy=Arg("padding", "same")
    ):
        ConvLSTM2d(1, 4, 3, padding="valid")(torch.zeros(3, 2, 1, 2, 2))
    layer = ConvLSTM2d(1, 4, 3, stateful=True)
    layer(torch.zeros(3, 2, 1, 8, 8))
    with refused(SettingError, problem=["size (8, 8)", "size (9, 8)"], remedy=Call("reset_state")):
        layer(torch.zeros(3, 2, 1, 9, 8))


def test_the_message_gives_the_size_of_a_state_for_all_axes() -> None:
    layer = ConvLSTM2d(1, 4, 3, stride=2)
    assert tuple(layer.state_space(8, 5)) == (4, 3)
    with refused(SettingError, problem=["state_space", "(height, width)", "got (8,)"]):
        layer.state_space(8)


def test_a_count_below_zero_is_refused() -> None:
    with refused(SettingError, problem=[Arg("in_channels"), "at least 0", "got -1"]):
        ConvLSTM2d(-1, 4, 3)


def test_invalid_input_is_named() -> None:
    layer, x = layer_of(), input_of()
    axes = "(time, batch, channels, height, width)"
    with refused(SettingError, problem=[Arg("input"), axes, "without batch", "got (3, 6, 5)"]):
        layer(x[:, 0, 0])
    with refused(SettingError, problem=[Arg("input"), axes, "3 channels", "got (3, 2, 2, 6, 5)"]):
        layer(x[:, :, :2])
    zeros = torch.zeros(1, 2, 4, 6, 4)
    with refused(SettingError, problem=[Arg("h0"), "space, space) = (1, 2, 4, 6, 5), got (1, 2, 4, 6, 4)"]):
        layer(x, (zeros, zeros))
    with refused(SettingError, problem=["peepholes", "space=(5, 5)", "size (6, 5)"]):
        layer_of(peephole="pixel", space=5)(x)
    with refused(SettingError, problem=[Arg("lengths"), "[0, 3]", "got 1 to 4"], remedy="clamp"):
        layer(x, lengths=[4, 1])
    with refused(SettingError, problem=[Arg("lengths"), "(batch,) = (2,)", "of shape (3,)"]):
        layer(x, lengths=[1, 1, 1])
    with refused(SettingError, problem=[Arg("mask"), "boolean", "got torch.float32"], remedy="mask.bool()"):
        layer(x, mask=torch.ones(2, 3))
    with refused(SettingError, problem=[Arg("mask"), "(batch, time) = (2, 3), got (3, 2)"], remedy="mask.T"):
        layer(x, mask=torch.ones(3, 2, dtype=torch.bool))


@KERAS
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"kernel_size": (2, 4)},
        {"strides": 2},
        {"dilation_rate": 2},
        {"padding": "valid", "recurrent_activation": "hard_sigmoid"},
        {"go_backwards": True},
        {"use_bias": False, "activation": "relu"},
        {"rank": 1, "strides": 3, "kernel_size": 4},
        {"rank": 1, "dilation_rate": 2, "padding": "valid"},
        {"rank": 3, "strides": (1, 2, 2)},
    ],
)
def test_keras_gives_the_same(options: dict[str, Any]) -> None:
    theirs, layer = keras_pair(**options)
    x = input_of(*SPACES[options.get("rank", 2)]).transpose(0, 1)
    expected, h, c = theirs(x)
    y, state = layer(x)
    torch.testing.assert_close(y, expected.to(y), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, (h.to(y)[None], c.to(y)[None]), atol=1e-5, rtol=1e-5)


@KERAS
@pytest.mark.filterwarnings("ignore")
def test_keras_masks_the_same() -> None:
    theirs, layer = keras_pair(zero_output_for_mask=False)
    x, mask = input_of(time=4).transpose(0, 1), torch.tensor([[True, False, True, True], [False, True, False, False]])
    expected, h, c = theirs(x, mask=mask)
    y, state = layer(x, mask=mask)
    torch.testing.assert_close(y, expected.to(y), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(state, (h.to(y)[None], c.to(y)[None]), atol=1e-5, rtol=1e-5)


def keras_pair(*, rank: int = 2, zero_output_for_mask: bool = True, **options: Any) -> tuple[Any, ConvLSTM]:
    """A layer of Keras, and ours with its weights."""
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    options = {"kernel_size": 3, "padding": "same", **options}
    theirs = getattr(keras.layers, f"ConvLSTM{rank}D")(
        4, data_format="channels_first", return_sequences=True, return_state=True, bias_initializer="normal", **options
    )
    theirs.build((2, 3, 3, *SPACES[rank]))
    names = {"strides": "stride", "dilation_rate": "dilation", "use_bias": "bias"}
    renamed = {names.get(name, name): value for name, value in options.items()}
    renamed |= {"zero_output_for_mask": zero_output_for_mask, "batch_first": True}
    layer = layer_of((ConvLSTM1d, ConvLSTM2d, ConvLSTM3d)[rank - 1], **renamed)
    return theirs, conv_from_keras_arrays(layer, theirs.get_weights())


@KERAS
@pytest.mark.filterwarnings("ignore")
def test_two_directions_convert_from_keras_and_back() -> None:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras

    options = {"padding": "same", "return_sequences": True}  # channels last: Bidirectional joins the last axis
    theirs = keras.layers.Bidirectional(keras.layers.ConvLSTM1D(4, 3, bias_initializer="normal", **options))
    x = input_of(6).transpose(0, 1)
    behind = x.movedim(2, -1)
    expected = theirs(behind).to(x).movedim(-1, 2)
    layer = ConvLSTM1d(3, 4, 3, bidirectional=True, batch_first=True, return_state=False)
    torch.testing.assert_close(conv_from_keras_arrays(layer, theirs.get_weights())(x), expected, atol=1e-5, rtol=1e-5)
    other = keras.layers.Bidirectional(keras.layers.ConvLSTM1D(4, 3, **options))
    other.build(tuple(behind.shape))
    other.set_weights(conv_to_keras_arrays(layer))
    torch.testing.assert_close(other(behind).to(x).movedim(-1, 2), expected)


def test_arrays_of_keras_that_do_not_fit_are_refused() -> None:
    layer = ConvLSTM1d(3, 4, 3)
    arrays = conv_to_keras_arrays(layer)
    with refused(SettingError, problem=["3 weights", "weight_ih_l0, weight_hh_l0, bias_ih_l0", "got 2"]):
        conv_from_keras_arrays(layer, arrays[:2])
    with refused(SettingError, problem=["weight_ih_l0", "(3, 3, 16), got (3, 4, 16)"]):
        conv_from_keras_arrays(layer, [arrays[1], arrays[1], arrays[2]])
    lacking: dict[str, tuple[Any, str]] = {
        "num_layers": (2, "num_layers=2"),
        "peephole": ("channel", "peephole='channel'"),
        "recurrent_kernel_size": (1, "recurrent_kernel_size=(1,)"),
    }
    for name, (value, came) in lacking.items():
        with refused(SettingError, problem=["Keras's ConvLSTM", came]):
            conv_to_keras_arrays(ConvLSTM1d(3, 4, 3, **{name: value}))
