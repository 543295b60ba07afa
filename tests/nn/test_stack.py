"""How layers are joined, in which order time is read, and what a call gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.layers import LSTM_OPTIONS, PAIRS, like_torch, random_state, tensors
from fixtures.refused import refused
from torch import Tensor, nn
from torch.autograd import gradcheck, gradgradcheck
from torch.func import functional_call

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, LSTM, RNN

X = torch.randn(6, 3, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
LENGTHS = torch.tensor([4, 6, 2])
FORWARDS = [name for name, options in LSTM_OPTIONS.items() if not {"bidirectional", "go_backwards"} & set(options)]


def twin(layer: nn.Module, **options: Any) -> LSTM:
    """An LSTM with the weights of another."""
    other = LSTM(3, 4, layer.num_layers, bidirectional=layer.bidirectional, dtype=torch.float64, **options)
    other.load_state_dict(layer.state_dict())
    return other.eval()


def checkable(layer: nn.Module, names: list[str], **call: Any) -> Any:
    """The layer as a function of its input and its weights."""

    def run(x: Tensor, *weights: Tensor) -> tuple[Tensor, ...]:
        return tuple(tensors(functional_call(layer, dict(zip(names, weights, strict=True)), (x,), call)))

    return run


# ── gradients ────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", list(LSTM_OPTIONS))
def test_gradients_of_every_option_against_finite_differences(name: str) -> None:
    torch.manual_seed(2)
    options = {"num_layers": 1, "dtype": torch.float64, **LSTM_OPTIONS[name]}
    layer = LSTM(2, 3, **options).eval()
    named = dict(layer.named_parameters())
    x = torch.randn(3, 2, 2, dtype=torch.float64, requires_grad=True)
    call = {"lengths": torch.tensor([3, 2])}
    assert gradcheck(checkable(layer, list(named), **call), (x, *named.values()), fast_mode=True)


@pytest.mark.parametrize("layer", [
    LSTM(2, 2, peephole=True, layer_norm=True, coupled=True, dtype=torch.float64),
    GRU(2, 2, dtype=torch.float64),
    GRU(2, 2, reset_after=False, dtype=torch.float64),
    RNN(2, 2, dtype=torch.float64),
], ids=repr)  # fmt: skip
def test_gradients_of_gradients(layer: nn.Module) -> None:
    named = dict(layer.named_parameters())
    x = torch.randn(2, 2, 2, dtype=torch.float64, requires_grad=True)
    run = checkable(layer, list(named))
    assert gradcheck(run, (x, *named.values()), fast_mode=True)
    assert gradgradcheck(run, (x, *named.values()), fast_mode=True)


def test_gradients_reach_static_context_and_learned_state() -> None:
    layer = LSTM(2, 3, 2, static_size=2, learn_initial_state=True, dtype=torch.float64)
    x, static = torch.randn(3, 2, 2, dtype=torch.float64), torch.randn(2, 2, dtype=torch.float64, requires_grad=True)
    names = ["initial_h", "initial_c", "weight_static_h", "weight_static_c"]

    def run(static: Tensor, *weights: Tensor) -> Tensor:
        return functional_call(layer, dict(zip(names, weights, strict=True)), (x,), {"static": static})[0]

    assert gradcheck(run, (static, *(getattr(layer, name) for name in names)), fast_mode=True)


@pytest.mark.parametrize("kind", list(PAIRS))
def test_the_gradient_through_h_is_cut(kind: str) -> None:
    layer, _ = like_torch(kind)
    cut = PAIRS[kind][0](3, 4, gradient_clip=1e-3, dtype=torch.float64)
    cut.load_state_dict(layer.state_dict())
    if kind == "GRU":  # h goes round the gates as well: shut that way, so that all of its gradient is cut
        with torch.no_grad():
            for module in (layer, cut):
                module.bias_ih_l0[4:8] = -1e4
    torch.testing.assert_close(layer(X), cut(X))
    ours, theirs = X[:2].clone().requires_grad_(), X[:2].clone().requires_grad_()
    cut(ours)[0][-1].mul(100).sum().backward()
    _, state = layer.step(theirs[0])
    h = state[0] if kind == "LSTM" else state
    h.register_hook(lambda gradient: gradient.clamp(-1e-3, 1e-3))
    layer.step(theirs[1], state)[0].mul(100).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)
    layer(plain := X[:2].clone().requires_grad_())[0][-1].mul(100).sum().backward()
    assert (ours.grad[0] - plain.grad[0]).abs().max() > 1e-3


# ── directions ───────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("mode", "join"),
    [
        ("concat", lambda f, b: torch.cat([f, b], -1)),
        ("sum", lambda f, b: f + b),
        ("mul", lambda f, b: f * b),
        ("ave", lambda f, b: (f + b) / 2),
        (None, lambda f, b: (f, b)),
    ],
)
def test_merge_modes(mode: str | None, join: Any) -> None:
    layer, rival = like_torch("LSTM", bidirectional=True)
    forwards, backwards = rival(X)[0].chunk(2, -1)
    torch.testing.assert_close(twin(layer, merge_mode=mode)(X)[0], join(forwards, backwards))
    last = twin(layer, merge_mode=mode, return_sequences=False)(X)[0]
    torch.testing.assert_close(last, join(forwards[-1], backwards[0]))


@pytest.mark.parametrize("mode", ["sum", "mul", "ave"])
def test_narrow_merges_feed_the_next_layer(mode: str) -> None:
    layer = LSTM(3, 4, 2, bidirectional=True, merge_mode=mode)
    assert layer.weight_ih_l1.shape == (16, 4)
    assert layer(X.float())[0].shape == (6, 3, 4)
    assert layer.output_size == 4
    assert LSTM(3, 4, bidirectional=True).output_size == 8
    assert LSTM(3, 4, bidirectional=True, proj_size=2).output_size == 4


def test_go_backwards_gives_outputs_in_the_order_of_reading() -> None:
    layer, rival = like_torch("LSTM", num_layers=2)
    torch.testing.assert_close(twin(layer, go_backwards=True)(X), rival(X.flip(0)))


def test_go_backwards_skips_padding() -> None:
    layer, rival = like_torch("LSTM")
    y, (h, c) = twin(layer, go_backwards=True)(X, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        alone, (last_h, last_c) = rival(X[:length, row : row + 1].flip(0))
        torch.testing.assert_close(y[6 - length :, row], alone[:, 0])  # padding was read first
        torch.testing.assert_close(h[:, row], last_h[:, 0])
        torch.testing.assert_close(c[:, row], last_c[:, 0])


# ── layers ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def by_hand(layer: nn.Module, number: int, x: Tensor) -> Tensor:
    """One layer of a stack through PyTorch's layer."""
    one = nn.LSTM(x.shape[-1], 4).double()
    one.load_state_dict(
        {k.replace(f"_l{number}", "_l0"): v for k, v in layer.state_dict().items() if f"_l{number}" in k}
    )
    return one(x)[0]


def test_residuals_begin_at_the_second_layer() -> None:
    layer, _ = like_torch("LSTM", num_layers=3)
    first = by_hand(layer, 0, X)
    second = by_hand(layer, 1, first) + first
    third = by_hand(layer, 2, second) + second
    torch.testing.assert_close(twin(layer, residual=True)(X)[0], third)
    torch.testing.assert_close(twin(layer, residual=True, return_sequences=False)(X)[0], third[-1])


def test_the_last_output_of_residuals_is_that_of_the_last_valid_step() -> None:
    layer, _ = like_torch("LSTM", num_layers=2)
    y, _ = twin(layer, residual=True)(X, lengths=LENGTHS)
    last, _ = twin(layer, residual=True, return_sequences=False)(X, lengths=LENGTHS)
    torch.testing.assert_close(last, y[LENGTHS - 1, torch.arange(3)])


def test_skip_connections_pass_the_input_to_every_layer() -> None:
    layer = LSTM(3, 4, 2, skip=True, dtype=torch.float64)
    first = by_hand(layer, 0, X)
    torch.testing.assert_close(layer(X)[0], by_hand(layer, 1, torch.cat([first, X], -1)))


# ── what a call gives ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", list(PAIRS))
def test_returns(kind: str) -> None:
    layer, rival = like_torch(kind, num_layers=2, bidirectional=True)
    options = {"num_layers": 2, "bidirectional": True, "dtype": torch.float64}
    y, states = rival(X)
    ours = PAIRS[kind][0]
    alone = ours(3, 4, return_state=False, **options)
    last = ours(3, 4, return_sequences=False, return_state=False, **options)
    for module in (alone, last):
        module.load_state_dict(layer.state_dict())
    torch.testing.assert_close(alone(X), y)
    torch.testing.assert_close(last(X), torch.cat([y[-1, :, :4], y[0, :, 4:]], -1))
    torch.testing.assert_close(last(X[:, 0]), torch.cat([y[-1, 0, :4], y[0, 0, 4:]], -1))
    torch.testing.assert_close(layer(X)[1], states)


def test_the_last_output_is_that_of_each_sequence() -> None:
    layer, rival = like_torch("LSTM")
    last = twin(layer, return_sequences=False, return_state=False)(X, lengths=LENGTHS)
    expected = [rival(X[:length, row : row + 1])[0][-1, 0] for row, length in enumerate(LENGTHS)]
    torch.testing.assert_close(last, torch.stack(expected))


def test_cells_of_every_step_are_the_states_of_shorter_runs() -> None:
    layer, rival = like_torch("LSTM", num_layers=2)
    _, (_, c), cells = twin(layer, return_cells=True)(X)
    assert cells.shape == (2, 6, 3, 4)
    torch.testing.assert_close(cells[:, -1], c)
    for t in range(6):
        torch.testing.assert_close(cells[:, t], rival(X[: t + 1])[1][1])
    assert twin(layer, return_cells=True)(X[:, 0])[2].shape == (2, 6, 4)


def test_outputs_at_masked_steps_repeat_if_asked() -> None:
    layer, _ = like_torch("LSTM")
    y, _ = layer(X, lengths=LENGTHS)
    repeated, _ = twin(layer, zero_output_for_mask=False)(X, lengths=LENGTHS)
    for row, length in enumerate(LENGTHS):
        torch.testing.assert_close(repeated[:length, row], y[:length, row])
        assert (repeated[length:, row] == y[length - 1, row]).all()
        assert (y[length:, row] == 0).all()


def test_no_steps_at_all() -> None:
    layer, _ = like_torch("LSTM", num_layers=2)
    y, (h, c) = layer(X[:0])
    assert y.shape == (0, 3, 4)
    assert (h == 0).all()
    assert (c == 0).all()


# ── one step at a time ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("kind", list(PAIRS))
def test_steps_are_the_whole_run(kind: str) -> None:
    layer, rival = like_torch(kind, num_layers=2)
    y, states = rival(X)
    state = None
    for t in range(6):
        out, state = layer.step(X[t], state)
        torch.testing.assert_close(out, y[t])
    torch.testing.assert_close(state, states)


@pytest.mark.parametrize("name", FORWARDS)
def test_steps_with_every_option(name: str) -> None:
    layer = LSTM(3, 4, **LSTM_OPTIONS[name], dtype=torch.float64).eval()
    full = LSTM(3, 4, **{**LSTM_OPTIONS[name], "return_sequences": True}, dtype=torch.float64).eval()
    full.load_state_dict(layer.state_dict())
    y, states = full(X[:, 0])[:2]
    state = None
    for t in range(6):
        out, state = layer.step(X[t, 0], state)
        torch.testing.assert_close(out, y[t])
    torch.testing.assert_close(state, states)


def test_steps_read_forwards_only() -> None:
    for name in ("bidirectional", "go_backwards"):
        with refused(SettingError, problem=["step", Arg(name, True)], remedy="call the layer"):
            LSTM(3, 4, **{name: True}).step(X[0].float())


def test_options_that_do_not_go_together() -> None:
    with refused(
        SettingError,
        problem=[Arg("return_sequences", False), Arg("residual", True), "two directions"],
        remedy=Arg("return_sequences", True),
    ):
        LSTM(3, 4, 2, residual=True, bidirectional=True, return_sequences=False)
    packed = nn.utils.rnn.pack_padded_sequence(X.float(), [6, 4, 2])
    with refused(SettingError, problem=[Arg("go_backwards", True), "PackedSequence"], remedy=Arg("lengths", ...)):
        LSTM(3, 4, go_backwards=True)(packed)
    with pytest.warns(UserWarning, match=r"dropout=0\.5 acts between layers"):
        LSTM(3, 4, dropout=0.5)


def test_a_given_state_is_where_each_layer_begins() -> None:
    layer, rival = like_torch("LSTM", num_layers=2, bidirectional=True)
    hx = random_state("LSTM", 4, 3)
    torch.testing.assert_close(layer(X, list(hx)), rival(X, hx))
