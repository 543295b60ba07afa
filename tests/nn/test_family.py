"""What every recurrent layer promises, for the whole family: LSTM, GRU, RNN, sLSTM, LSTM1997, ConvLSTM."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from fixtures.layers import tensors
from fixtures.refused import refused
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence
from torch.utils.data import DataLoader, Dataset

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg, Call
from gatecast.nn import GRU, L2, LSTM, LSTM1997, RNN, ConvLSTM1d, ConvLSTM2d, ConvLSTM3d, MaxNorm, sLSTM
from gatecast.nn.masks import keep_mask
from gatecast.ops import LSTMMasks

SPACE = {"ConvLSTM1d": (5,), "ConvLSTM2d": (4, 3), "ConvLSTM3d": (2, 3, 2)}
MAKERS: dict[str, Callable[..., Any]] = {
    "LSTM": lambda **options: LSTM(3, 4, **options),
    "GRU": lambda **options: GRU(3, 4, **options),
    "RNN": lambda **options: RNN(3, 4, **options),
    "sLSTM": lambda **options: sLSTM(3, 4, **{"heads": 2, **options}),
    "LSTM1997": lambda **options: LSTM1997(3, 2, 2, **{"init_range": 0.7, "truncate": False, **options}),
    "ConvLSTM1d": lambda **options: ConvLSTM1d(3, 4, 2, **options),
    "ConvLSTM2d": lambda **options: ConvLSTM2d(3, 4, 3, peephole="channel", **options),
    "ConvLSTM3d": lambda **options: ConvLSTM3d(3, 4, 2, **options),
}
EVERY = pytest.mark.parametrize("kind", list(MAKERS))
LENGTHS = [5, 2, 0, 3]


def layer_of(kind: str, **options: Any) -> Any:
    torch.manual_seed(0)
    return MAKERS[kind](**options)


def input_of(kind: str, time: int = 5, batch: int = 4, dtype: torch.dtype = torch.float32) -> Tensor:
    torch.manual_seed(1)
    return torch.randn(time, batch, 3, *SPACE.get(kind, ()), dtype=torch.float64).to(dtype)


def state_of(result: Any) -> list[Tensor]:
    return tensors(result[1])


# ── the forms in which sequences come ────────────────────────────────────────────────────────────────────────────────
@EVERY
@pytest.mark.parametrize("batch_first", [False, True])
def test_without_batch_it_is_a_batch_of_one(kind: str, batch_first: bool) -> None:
    layer, x = layer_of(kind, num_layers=2, bidirectional=True, batch_first=batch_first), input_of(kind, batch=1)
    y, state = layer(x[:, 0])
    batch, behind = layer(x.transpose(0, 1) if batch_first else x)
    torch.testing.assert_close(y, batch[0] if batch_first else batch[:, 0])
    torch.testing.assert_close(tensors(state), [part[:, 0] for part in tensors(behind)])
    again = layer(x[:, 0], state)[0]
    torch.testing.assert_close(again, layer(x.transpose(0, 1) if batch_first else x, behind)[0].reshape(again.shape))
    assert layer_of(kind, return_sequences=False)(x[:, 0], lengths=3)[0].shape == batch[0, 0][:4].shape


@EVERY
def test_the_input_has_pytorchs_keyword(kind: str) -> None:
    layer, x = layer_of(kind), input_of(kind)
    y, state = layer(input=x)
    assert torch.equal(y, layer(x)[0])
    assert torch.equal(layer(input=x, hx=state)[0], layer(x, state)[0])


@EVERY
def test_a_packed_sequence_is_its_lengths(kind: str) -> None:
    layer, x = layer_of(kind, num_layers=2, bidirectional=True), input_of(kind)
    lengths = torch.tensor([5, 2, 1, 3])
    packed, state = layer(pack_padded_sequence(x, lengths, enforce_sorted=False))
    y, last = layer(x, lengths=lengths)
    torch.testing.assert_close(pad_packed_sequence(packed)[0], y)
    torch.testing.assert_close(tensors(state), tensors(last))
    with refused(SettingError, problem="PackedSequence", remedy=[Arg("lengths"), Arg("mask")]):
        layer(pack_padded_sequence(x, lengths, enforce_sorted=False), lengths=lengths)


@EVERY
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_mask_is_batch_before_time_and_hides_padding(kind: str, batch_first: bool) -> None:
    layer, x = layer_of(kind, num_layers=2, batch_first=batch_first), input_of(kind)
    mask = torch.arange(5) < torch.tensor(LENGTHS)[:, None]
    x[~mask.T] = float("nan")
    given = x.transpose(0, 1) if batch_first else x
    y, state = layer(given, mask=mask)
    torch.testing.assert_close((y, state), layer(given, lengths=LENGTHS))
    y.sum().backward()
    assert all(parameter.grad is None or parameter.grad.isfinite().all() for parameter in layer.parameters())
    y = y.transpose(0, 1) if batch_first else y
    assert not y[~mask.T].any()
    for row, length in enumerate(LENGTHS):
        alone = x[:length, row : row + 1]
        expected, last = layer(alone.transpose(0, 1) if batch_first else alone)
        torch.testing.assert_close(y[:length, row].reshape(expected.shape), expected)
        torch.testing.assert_close([part[:, row] for part in tensors(state)], [part[:, 0] for part in tensors(last)])
    with refused(SettingError, problem=[Arg("mask"), "(batch, time) = (4, 5), got (5, 4)"], remedy="mask.T"):
        layer(given, mask=mask.T)


@EVERY
def test_holes_in_a_mask_are_as_if_the_steps_were_not_there(kind: str) -> None:
    layer, x = layer_of(kind), input_of(kind, batch=1)
    mask = torch.tensor([[True, False, True, True, False]])
    y, state = layer(x, mask=mask)
    expected, last = layer(x[mask[0]])
    torch.testing.assert_close((y[mask[0]], state), (expected, last))
    repeated = layer_of(kind, zero_output_for_mask=False)(x, mask=mask)[0]
    torch.testing.assert_close(repeated, y[torch.tensor([0, 0, 2, 3, 3])])


@EVERY
def test_an_empty_time_or_batch_axis_is_accepted(kind: str) -> None:
    layer, x = layer_of(kind, num_layers=2), input_of(kind)
    y, state = layer(x[:0])
    assert y.shape[:3] == (0, 4, 4)
    assert all(part.isfinite().all() or part.isneginf().all() for part in tensors(state))
    assert layer(x[:, :0])[0].shape[:3] == (5, 0, 4)


@EVERY
def test_strided_input_is_its_copy(kind: str) -> None:
    layer, x = layer_of(kind, bidirectional=True), input_of(kind, time=10, batch=8)
    for strided in (x[::2, ::2], x.transpose(0, 1), x[:, :1].expand(-1, 3, *x.shape[2:])):
        torch.testing.assert_close(layer(strided), layer(strided.contiguous()))


# ── how time is read, and what is kept ───────────────────────────────────────────────────────────────────────────────
@EVERY
def test_two_directions_are_two_layers(kind: str) -> None:
    both, x = layer_of(kind, bidirectional=True), input_of(kind)
    forwards, backwards = layer_of(kind), layer_of(kind, go_backwards=True)
    weights = both.state_dict()
    forwards.load_state_dict({name: value for name, value in weights.items() if not name.endswith("_reverse")})
    backwards.load_state_dict(
        {name.removesuffix("_reverse"): value for name, value in weights.items() if name.endswith("_reverse")}
    )
    ahead, back = forwards(x), backwards(x)
    torch.testing.assert_close(both(x)[0], torch.cat([ahead[0], back[0].flip(0)], 2))
    torch.testing.assert_close(
        state_of(both(x)), [torch.cat(p) for p in zip(state_of(ahead), state_of(back), strict=True)]
    )
    last = layer_of(kind, bidirectional=True, return_sequences=False, return_state=False)(x)
    torch.testing.assert_close(last, torch.cat([ahead[0][-1], back[0][-1]], 1))
    for mode, joined in (("sum", ahead[0] + back[0].flip(0)), ("mul", ahead[0] * back[0].flip(0))):
        torch.testing.assert_close(layer_of(kind, bidirectional=True, merge_mode=mode)(x)[0], joined)


@EVERY
def test_a_stateful_layer_continues_from_its_last_state(kind: str) -> None:
    layer, x = layer_of(kind, num_layers=2, stateful=True), input_of(kind)
    whole = layer_of(kind, num_layers=2)(x)[0]
    torch.testing.assert_close(torch.cat([layer(x[:2])[0], layer(x[2:])[0]]), whole)
    with refused(SettingError, problem=["state of a batch of 4", "got a batch of 2"], remedy=Call("reset_state")):
        layer(x[:, :2])
    layer.reset_state()
    torch.testing.assert_close(layer(x)[0], whole)


@EVERY
def test_a_stream_of_steps_is_the_sequence(kind: str) -> None:
    layer, x = layer_of(kind, num_layers=2), input_of(kind)
    y, last = layer(x)
    state, outputs = None, []
    for x_t in x:
        output, state = layer.step(x_t, state)
        outputs.append(output)
    torch.testing.assert_close((torch.stack(outputs), tensors(state)), (y, tensors(last)))
    torch.testing.assert_close(layer.step(x[0, 0])[0], y[0, 0])
    with refused(SettingError, problem=["step", Arg("bidirectional", True)], remedy="call the layer"):
        layer_of(kind, bidirectional=True).step(x[0])


@EVERY
def test_a_learned_and_a_static_state_begin_the_sequence(kind: str) -> None:
    layer, x = layer_of(kind, num_layers=2, learn_initial_state=True, static_size=2), input_of(kind)
    learned = [name for name, _ in layer.named_parameters() if name.startswith(("initial_", "weight_static_"))]
    assert len(learned) == 4 - 2 * (kind in ("GRU", "RNN"))
    y = layer(x, static=torch.ones(4, 2))[0]
    gradients = torch.autograd.grad(y.square().sum(), [getattr(layer, name) for name in learned])
    assert all(gradient.any() for gradient in gradients)
    learns = layer_of(kind, num_layers=2, learn_initial_state=True)
    with torch.no_grad():
        for name in learned:
            if name.startswith("initial_"):
                getattr(learns, name).fill_(0.5)
    rest = {"sLSTM": (1.0, 0.0), "LSTM1997": (0.0,)}.get(kind, ())  # a cell seen once; gates that gave nothing yet
    ends = tensors(learns(x)[1])
    values = (0.5,) * (len(learned) // 2) + rest
    given = tuple(torch.full_like(end, value) for end, value in zip(ends, values, strict=True))
    torch.testing.assert_close(learns(x)[0], learns(x, given if len(given) > 1 else given[0])[0])


@EVERY
def test_layers_are_joined_by_residuals_and_skips(kind: str) -> None:
    x = input_of(kind)
    plain, residual = layer_of(kind, num_layers=2), layer_of(kind, num_layers=2, residual=True)
    first = layer_of(kind)
    first.load_state_dict({name: value for name, value in plain.state_dict().items() if "_l0" in name})
    torch.testing.assert_close(residual(x)[0], plain(x)[0] + first(x)[0])
    last = layer_of(kind, num_layers=2, residual=True, return_sequences=False)(x, lengths=[5, 2, 1, 3])[0]
    every = residual(x, lengths=[5, 2, 1, 3])[0]
    torch.testing.assert_close(last, torch.stack([every[n - 1, row] for row, n in enumerate([5, 2, 1, 3])]))
    skip = layer_of(kind, num_layers=2, skip=True)
    assert skip.weight_ih_l1.shape[1] == plain.weight_ih_l1.shape[1] + 3
    assert skip(x)[0].shape == plain(x)[0].shape


# ── weights ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@EVERY
def test_initializers_set_the_weights(kind: str) -> None:
    layer = layer_of(
        kind, num_layers=2, kernel_initializer="ones", recurrent_initializer="zeros", bias_initializer="ones",
        **({"unit_forget_bias": False} if "Conv" in kind else {}),
    )  # fmt: skip
    for name, parameter in layer.named_parameters():
        expected = 0.0 if name.startswith(("weight_hh", "bias_hh", "peephole")) else 1.0
        assert (parameter == expected).all(), name
    for name in ("glorot_normal", "he_uniform", "lecun_normal", "orthogonal", "random_normal"):
        assert layer_of(kind, kernel_initializer=name).weight_ih_l0.std() > 0
    with refused(
        SettingError,
        problem=[Arg("kernel_initializer"), "uniform, glorot_uniform", "got 'glorot'"],
        remedy="'glorot_normal'",
    ):
        layer_of(kind, kernel_initializer="glorot")


@EVERY
def test_penalties_and_constraints_bind_each_kind_of_weight(kind: str) -> None:
    layer = layer_of(
        kind, num_layers=2, kernel_regularizer=L2(1.0), recurrent_regularizer=L2(10.0), bias_regularizer=L2(100.0),
        activity_regularizer=L2(1000.0), kernel_constraint=MaxNorm(0.1), recurrent_constraint="non_neg",
    )  # fmt: skip
    factors = {"weight_ih": 1.0, "weight_hh": 10.0, "bias_ih": 100.0, "bias_hh": 100.0}
    expected = sum(
        factors.get(name.rpartition("_")[0], 0.0) * value.square().sum() for name, value in layer.named_parameters()
    )
    torch.testing.assert_close(layer.regularization(), expected)
    y = layer(input_of(kind))[0]
    torch.testing.assert_close(layer.regularization(), expected + 1000 * y.square().sum() / 4)
    copy.deepcopy(layer)
    layer.constrain_()
    assert layer.weight_ih_l1.flatten(1).norm(dim=1).max() <= 0.1001
    assert layer.weight_hh_l1.min() >= 0


# ── what is dropped ──────────────────────────────────────────────────────────────────────────────────────────────────
@EVERY
@pytest.mark.parametrize("option", ["input_dropout", "recurrent_dropout", "weight_drop", "zoneout", "dropout"])
def test_drops_in_training_alone_and_the_same_from_one_seed(kind: str, option: str) -> None:
    x, layer = input_of(kind), layer_of(kind, num_layers=2, **{option: 0.5})
    plain = layer_of(kind, num_layers=2)
    runs = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        runs.append(layer(x)[0])
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])
    assert not torch.equal(runs[0], plain(x)[0])
    still = layer.eval()(x)[0]
    assert torch.equal(still, layer(x)[0])
    if option != "zoneout":  # in evaluation its expectation
        torch.testing.assert_close(still, plain(x)[0])


@pytest.mark.parametrize("kind", [kind for kind in MAKERS if kind != "GRU"])  # whose h goes round W_hh as well
def test_recurrent_dropout_is_one_mask_for_all_steps(kind: str) -> None:
    layer, x = layer_of(kind, recurrent_dropout=0.5), input_of(kind)
    torch.manual_seed(5)
    y = layer(x)[0]
    torch.manual_seed(5)
    keep = keep_mask(torch.ones(1, 4, 4, *SPACE.get(kind, ())), 0.5)[0]
    spec, weights, state = layer.cell.spec(), layer._weights("_l0"), None
    for x_t, expected in zip(x, y, strict=True):
        before = None if state is None else (state[0] * keep, *state[1:])
        output, state, _ = layer.cell.run(x_t[None], weights, before, spec, LSTMMasks())
        torch.testing.assert_close(output[0], expected)


@EVERY
@pytest.mark.parametrize("zoneout", [(0.3, 0.0), (0.0, 0.3), 0.3])
def test_zoneout_keeps_a_share_of_the_old_state(kind: str, zoneout: float | tuple[float, float]) -> None:
    if isinstance(zoneout, tuple) and kind in ("GRU", "RNN"):
        return  # which have no second part
    x = input_of(kind)
    layer, plain = layer_of(kind, zoneout=zoneout).eval(), layer_of(kind)
    before = plain(x)[1]
    ours, theirs, old = (tensors(part) for part in (layer(x[:1], before)[1], plain(x[:1], before)[1], before))
    shares = zoneout if isinstance(zoneout, tuple) else (zoneout, zoneout)
    for number, share in enumerate(shares[: 1 if kind == "sLSTM" else len(ours)]):
        if share:
            torch.testing.assert_close(ours[number], share * old[number] + (1 - share) * theirs[number])


def test_zoneout_of_an_slstm_keeps_shares_of_cell_and_normaliser_in_one_scale() -> None:
    x, share = input_of("sLSTM"), 0.3
    layer, plain = layer_of("sLSTM", zoneout=(0.0, share)).eval(), layer_of("sLSTM")
    before = plain(x)[1]
    ours, theirs = layer(x[:1], before)[1], plain(x[:1], before)[1]
    for part in (1, 2):
        true = [state[part] * state[3].exp() for state in (ours, before, theirs)]
        torch.testing.assert_close(true[0], share * true[1] + (1 - share) * true[2])


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@EVERY
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.bfloat16, 0.06), (torch.float32, 1e-5)])
def test_every_dtype_follows_float64(kind: str, dtype: torch.dtype, tolerance: float) -> None:
    layer, x = layer_of(kind, num_layers=2, bidirectional=True, dtype=dtype), input_of(kind, dtype=dtype)
    y, _ = layer(x, lengths=LENGTHS)
    assert y.dtype == dtype
    y.float().sum().backward()
    assert all(p.grad is not None and p.grad.dtype == dtype and p.grad.isfinite().all() for p in layer.parameters())
    expected = copy.deepcopy(layer).double()(x.double(), lengths=LENGTHS)[0]
    torch.testing.assert_close(y.double(), expected, atol=tolerance, rtol=tolerance)
    with refused(
        SettingError,
        problem=[Arg("input"), str(dtype), "got torch.float64"],
        remedy=[f"x.to({dtype})", "layer.to(torch.float64)"],
    ):
        layer(x.double())


@EVERY
def test_gradients_of_gradients(kind: str) -> None:
    layer = layer_of(kind, dtype=torch.float64, zoneout=0.1).eval()
    x = input_of(kind, time=2, batch=2, dtype=torch.float64).requires_grad_()
    names, weights = zip(*layer.named_parameters(), strict=True)

    def run(x: Tensor, *weights: Tensor) -> Tensor:
        call = {"lengths": torch.tensor([2, 1])}
        return functional_call(layer, dict(zip(names, weights, strict=True)), (x,), call)[0]

    assert torch.autograd.gradcheck(run, (x, *weights), fast_mode=True)
    assert torch.autograd.gradgradcheck(run, (x, *weights), fast_mode=True)


@EVERY
def test_an_ensemble_runs_in_one_call(kind: str) -> None:
    members = [layer_of(kind, zoneout=0.1, gradient_clip=1.0).eval() for _ in range(2)]
    with torch.no_grad():
        members[1].weight_ih_l0.mul_(-1)
    x = input_of(kind)

    def run(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return functional_call(members[0], (parameters, buffers), (x,), {"lengths": torch.tensor(LENGTHS)})[0]

    together = vmap(run)(*stack_module_state(members))
    torch.testing.assert_close(together, torch.stack([member(x, lengths=LENGTHS)[0] for member in members]))


class Encoded(Dataset[Tensor]):
    """Sequences that layers encode in the worker."""

    def __init__(self, layer: nn.Module, x: Tensor) -> None:
        self.layer, self.x = layer, x

    def __len__(self) -> int:
        return 2

    @torch.no_grad()
    def __getitem__(self, index: int) -> Tensor:
        return self.layer(self.x[:, index])[0]


@EVERY
def test_a_layer_works_in_a_worker_of_a_data_loader_after_a_fork(kind: str) -> None:
    data = Encoded(layer_of(kind), input_of(kind))
    expected = torch.stack([data[index] for index in range(2)])  # the parent has run it, then forks
    loader = DataLoader(data, batch_size=2, num_workers=1, multiprocessing_context="fork")
    torch.testing.assert_close(next(iter(loader)), expected)


# ── errors ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@EVERY
def test_invalid_settings_of_every_layer_are_named(kind: str) -> None:
    with pytest.raises(SettingError, match=r"dropout must be at least 0 and below 1, got -0.1"):
        layer_of(kind, dropout=-0.1)
    with pytest.raises(SettingError, match="num_layers must be at least 1, got 0"):
        layer_of(kind, num_layers=0)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("sLSTM", {"heads": 3}, "heads must divide hidden_size = 4, got 3"),
        ("sLSTM", {"forget_gate": "tanh"}, "forget_gate must be one of sigmoid, exponential, got 'tanh'"),
        ("LSTM1997", {"bias": "some"}, "bias must be one of all, gates, none, got 'some'"),
        ("LSTM1997", {"feedback": "gates"}, "feedback must be one of all, cells, none, got 'gates'"),
        ("LSTM1997", {"input_gate_bias": (1.0, 2.0, 3.0)}, "input_gate_bias must be one number, or 2 for the blocks"),
        ("LSTM1997", {"input_gate_bias": 1.0, "bias": "none"}, "input_gate_bias needs gates with a bias, got bias="),
        ("LSTM1997", {"output_gate_bias": 1.0, "output_gate": False}, "output_gate_bias needs gates with a bias"),
    ],
)
def test_invalid_settings_of_one_layer_are_named(kind: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingError, match=message):
        layer_of(kind, **options)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN", "sLSTM", "LSTM1997"])
def test_an_input_of_another_width_is_named(kind: str) -> None:
    with pytest.raises(SettingError, match=r"input must have input_size = 3 features on its last axis, got 2"):
        layer_of(kind)(input_of(kind)[..., :2])
