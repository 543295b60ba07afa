"""The layers' correctness gate: any shapes and options, long sequences, training, and input that is refused in time."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from fixtures.layers import PAIRS, tensors
from fixtures.refused import refused
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.nn import GRU, LSTM, LSTM1997, RNN, ConvLSTM1d, ConvLSTM2d, cell_kinds, sLSTM
from gatecast.ops import ACTIVATIONS
from gatecast.testing import TOLERANCE, relative_error

FUZZ = settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
SMOOTH = sorted(set(ACTIVATIONS) - {"linear", "relu", "hard_sigmoid", "hard_tanh", "exponential", "elu", "softplus"})

stacks = st.fixed_dictionaries(
    {
        "num_layers": st.integers(1, 3),
        "batch_first": st.booleans(),
        "bidirectional": st.booleans(),
        "merge_mode": st.sampled_from(["concat", "sum", "mul", "ave", None]),
        "residual": st.booleans(),
        "go_backwards": st.booleans(),
        "return_state": st.booleans(),
        "zero_output_for_mask": st.booleans(),
        "learn_initial_state": st.booleans(),
        "zoneout": st.sampled_from([0.0, (0.2, 0.1)]),
        "gradient_clip": st.sampled_from([None, 10.0]),
    }
)
lstms = st.fixed_dictionaries(
    {
        "bias": st.booleans(),
        "proj_size": st.sampled_from([0, 1]),
        "single_bias": st.booleans(),
        "peephole": st.booleans(),
        "coupled": st.booleans(),
        "cell_clip": st.sampled_from([None, 2.0]),
        "activation": st.sampled_from(SMOOTH),
        "recurrent_activation": st.sampled_from(["sigmoid", "tanh", "softsign"]),
    }
)
sizes = st.tuples(*(st.integers(least, most) for least, most in ((0, 7), (0, 5), (1, 5), (2, 9))))


def twins(layer: nn.Module, x: Tensor, **call: Any) -> dict[str, float]:
    """Relative errors of outputs, states and gradients: the layer in float32, its copy in float64."""
    found = []
    for one, own in ((layer, x), (copy.deepcopy(layer).double(), x.double())):
        inputs = {"x": own.clone().requires_grad_(), **dict(one.named_parameters())}
        results = tensors(one(inputs["x"], **call))
        draw = torch.Generator().manual_seed(3)
        loss = sum((y * torch.randn(y.shape, generator=draw).to(y)).sum() for y in results)
        found.append({f"output {n}": y for n, y in enumerate(results)})
        if isinstance(loss, Tensor) and loss.requires_grad:  # of no steps, nothing depends on the weights
            grads = torch.autograd.grad(loss, list(inputs.values()), allow_unused=True, materialize_grads=True)
            found[-1] |= dict(zip(inputs, grads, strict=True))
    single, double = found
    assert single.keys() == double.keys()
    assert all(t.isfinite().all() for t in (*single.values(), *double.values()))
    return {name: relative_error(single[name], t) for name, t in double.items()}


def close(errors: dict[str, float], tolerance: float = TOLERANCE) -> None:
    assert not (wrong := {name: error for name, error in errors.items() if not error < tolerance}), wrong


@FUZZ
@given(stacks, lstms, sizes, st.sampled_from(["all", "lengths", "mask"]))
def test_an_lstm_of_any_shape_and_options_follows_float64(
    stack: dict[str, Any], cell: dict[str, Any], size: tuple[int, ...], which: str
) -> None:
    time, batch, features, hidden = size
    torch.manual_seed(0)
    layer = LSTM(features, hidden, **stack, **cell).eval()
    x = torch.randn((batch, time, features) if stack["batch_first"] else (time, batch, features))
    call: dict[str, Any] = {}
    if which == "lengths":
        call["lengths"] = torch.randint(0, time + 1, (batch,))
    if which == "mask":
        call["mask"] = torch.rand(batch, time) < 0.6
    close(twins(layer, x, **call))


@FUZZ
@given(
    st.sampled_from(["GRU", "RNN", "sLSTM", "LSTM1997", "ConvLSTM1d", "ConvLSTM2d"]),
    stacks,
    st.tuples(st.integers(0, 5), st.integers(0, 3), st.integers(1, 3)),
    st.booleans(),
)
def test_the_family_in_any_shape_and_options_follows_float64(
    kind: str, stack: dict[str, Any], size: tuple[int, ...], masked: bool
) -> None:
    time, batch, features = size
    torch.manual_seed(0)
    if kind in ("GRU", "RNN") and stack["zoneout"]:
        stack = {**stack, "zoneout": 0.2}  # of h: there is no c
    made = {
        "GRU": lambda: GRU(features, 4, **stack),
        "RNN": lambda: RNN(features, 4, **stack),
        "sLSTM": lambda: sLSTM(features, 4, heads=2, **stack),
        "LSTM1997": lambda: LSTM1997(features, 2, 2, init_range=0.5, truncate=False, **stack),
        "ConvLSTM1d": lambda: ConvLSTM1d(features, 4, 2, stride=2, **stack),
        "ConvLSTM2d": lambda: ConvLSTM2d(features, 4, (2, 3), peephole="channel", **stack),
    }[kind]()
    space = {"ConvLSTM1d": (5,), "ConvLSTM2d": (3, 4)}.get(kind, ())
    lead = (batch, time) if stack["batch_first"] else (time, batch)
    call = {"mask": torch.rand(batch, time) < 0.6} if masked else {}
    close(twins(made.eval(), torch.randn(*lead, features, *space), **call), 3e-5)


@FUZZ
@given(
    st.sampled_from(list(PAIRS)),
    st.fixed_dictionaries({name: st.booleans() for name in ("bias", "batch_first", "bidirectional")}),
    st.tuples(*(st.integers(1, most) for most in (7, 5, 4, 9, 3))),
    st.booleans(),
)
def test_any_layer_of_pytorch_gives_the_same_here(
    kind: str, options: dict[str, bool], size: tuple[int, ...], with_state: bool
) -> None:
    time, batch, features, hidden, layers = size
    torch.manual_seed(0)
    ours, theirs = PAIRS[kind]
    rival = theirs(features, hidden, layers, **options)
    layer = ours(features, hidden, layers, **options)
    layer.load_state_dict(rival.state_dict())
    x = torch.randn((batch, time, features) if options["batch_first"] else (time, batch, features))
    state = torch.randn(layers * layer.directions, batch, hidden)
    hx = None if not with_state else (state, state.flip(0)) if kind == "LSTM" else state
    torch.testing.assert_close(layer(x, hx), rival(x, hx), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_a_very_long_sequence(batch: int) -> None:
    layer = LSTM(2, 6)
    errors = twins(layer, torch.randn(1500, batch, 2), lengths=torch.tensor([1500, 1, 1200])[:batch])
    close(errors)


@pytest.mark.parametrize(
    "options", [{}, {"peephole": True, "num_layers": 2}, {"bidirectional": True, "proj_size": 2}], ids=str
)
def test_ten_training_steps_follow_float64(options: dict[str, Any]) -> None:
    layer = LSTM(3, 8, **options)
    head = nn.Linear(layer.output_size, 1)
    models = [nn.ModuleList([layer, head]), copy.deepcopy(nn.ModuleList([layer, head])).double()]
    x, target = torch.randn(12, 5, 3), torch.randn(12, 5, 1)
    lengths, losses = torch.tensor([12, 3, 7, 0, 9]), []
    for model in models:
        dtype = next(model.parameters()).dtype
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
        losses.append([])
        for _ in range(10):
            optimizer.zero_grad()
            loss = (model[1](model[0](x.to(dtype), lengths=lengths)[0]) - target.to(dtype)).square().mean()
            loss.backward()
            optimizer.step()
            losses[-1].append(loss.item())
    assert losses[0][-1] < losses[0][0]
    torch.testing.assert_close(losses[0], losses[1], rtol=1e-4, atol=0)
    for (name, one), other in zip(models[0].named_parameters(), models[1].parameters(), strict=True):
        assert relative_error(one, other) < 1e-4, name


X = torch.zeros(5, 2, 3)
INPUT, TIMES, MASK, H0 = Arg("input"), Arg("lengths"), Arg("mask"), Arg("h0")
# input, arguments of the call, problem, remedy
MALFORMED: dict[str, tuple[Any, dict[str, Any], Any, Any]] = {
    "one axis": (X[0, 0], {}, [INPUT, "3 or 2 axes", "got 1 axes"], "x[..., None]"),
    "four axes": (X[None], {}, [INPUT, "3 or 2 axes", "got 4 axes"], ()),
    "features": (X[..., :2], {}, [INPUT, "input_size = 3", "got 2"], ()),
    "float64": (X.double(), {}, [INPUT, "torch.float32, got torch.float64"], "x.to(torch.float32)"),
    "whole numbers": (X.long(), {}, [INPUT, "torch.float32, got torch.int64"], "x.to(torch.float32)"),
    "complex": (X + 0j, {}, [INPUT, "torch.float32, got torch.complex64"], "x.to(torch.float32)"),
    "device": (X.to("meta"), {}, [INPUT, "cpu, got meta"], ".to("),
    "negative lengths": (X, {"lengths": [-1, 2]}, [TIMES, "[0, 5]", "got -1 to 2"], "clamp"),
    "lengths beyond": (X, {"lengths": [6, 2]}, [TIMES, "[0, 5]", "got 2 to 6"], "clamp"),
    "broken lengths": (X, {"lengths": torch.tensor([1.5, 2.0])}, [TIMES, "whole numbers", "got torch.float32"], ()),
    "too few lengths": (X, {"lengths": [5]}, [TIMES, "(batch,) = (2,)", "of shape (1,)"], ()),
    "turned mask": (X, {"mask": torch.ones(5, 2, dtype=torch.bool)}, [MASK, "(2, 5), got (5, 2)"], "mask.T"),
    "numbers as mask": (X, {"mask": torch.ones(2, 5)}, [MASK, "boolean", "got torch.float32"], "mask.bool()"),
    "state without layers": (X, {"hx": (torch.zeros(2, 4),) * 2}, [H0, "(1, 2, 4), got (2, 4)"], "h0[None]"),
    "one tensor for two": (X, {"hx": torch.zeros(1, 2, 4)}, ["(h0, c0)", "2 tensors", "got 1"], ()),
    "another batch": (X, {"hx": (torch.zeros(1, 3, 4),) * 2}, [H0, "= (1, 2, 4), got (1, 3, 4)"], ()),
    "state of float64": (
        X,
        {"hx": (torch.zeros(1, 2, 4).double(),) * 2},
        [H0, "torch.float32, got torch.float64"],
        "x.to(torch.float32)",
    ),
    "static": (
        X,
        {"static": torch.zeros(2, 1)},
        [Arg("static"), Arg("static_size", 0)],
        Arg("static_size", 1),
    ),
}


@pytest.mark.parametrize("name", list(MALFORMED))
def test_malformed_input_is_refused_before_any_operator_runs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: Any, **__: Any) -> None:
        raise AssertionError("the operator was reached")

    monkeypatch.setattr(cell_kinds, "lstm", never)
    x, call, problem, remedy = MALFORMED[name]
    with refused(SettingError, problem=problem, remedy=remedy):
        LSTM(3, 4)(x, **call)
