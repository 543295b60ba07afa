"""Which implementation runs, why, and when it is announced."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import torch
from fixtures.refusals import others_than
from fixtures.refused import refused

from gatecast import ops, testing
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.ops import select
from gatecast.ops.library import find, library
from gatecast.testing import LSTMCase

CASE = LSTMCase("base", 3, 2, 4, 5)
KERNEL = pytest.mark.skipif(os.environ.get("GATECAST_ISA") == "reference", reason="the reference was selected")


@pytest.fixture(autouse=True)
def _nothing_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "_announced", set())


@KERNEL
def test_the_kernel_is_explained() -> None:
    x, weights, *_ = testing.arguments(CASE)
    assert ops.explain(x, weights).startswith(f"cpu-{library().isa}: float32 on a CPU")


@KERNEL
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (ops.CellSpec(activation="gelu"), "activation is 'gelu'; the kernel has tanh"),
        (ops.CellSpec(recurrent_activation=torch.sigmoid), "recurrent_activation is a function"),
    ],
)
def test_an_activation_of_the_reference_is_announced_once(spec: ops.CellSpec, reason: str) -> None:
    x, weights, *_ = testing.arguments(CASE)
    assert ops.explain(x, weights, spec=spec).startswith(f"reference: {reason}")
    with pytest.warns(ops.SlowPathWarning, match=reason.replace("(", r"\(")):
        ops.lstm(x, weights, spec=spec)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ops.lstm(x, weights, spec=spec)


@KERNEL
def test_projection_and_normalisation_run_in_the_kernel() -> None:
    for name in ("projection", "norm", "all with both"):
        case = next(case for case in testing.OPTIONS if case.name == name)
        x, weights, _, masks = testing.arguments(case)
        assert ops.explain(x, weights, spec=case.spec, masks=masks).startswith(f"cpu-{library().isa}")


def test_float64_runs_the_reference_in_silence() -> None:
    x, weights, *_ = testing.arguments(CASE)
    double = ops.LSTMWeights(*(t if t is None else t.double() for t in weights))
    assert "float64" in ops.explain(x.double(), double) or not library().isa
    assert ops.lstm(x.double(), double).y.dtype == torch.float64


@KERNEL
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_explained(dtype: torch.dtype) -> None:
    x, weights, *_ = testing.arguments(CASE)
    half = ops.LSTMWeights(*(t if t is None else t.to(dtype) for t in weights))
    assert ops.explain(x.to(dtype), half).startswith(f"cpu-{library().isa}: {str(dtype)[6:]}, computed in float32")


@KERNEL
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is deprecated")
def test_forward_mode_is_announced() -> None:
    x, weights, *_ = testing.arguments(CASE)
    with pytest.warns(ops.SlowPathWarning, match="inside jvp, functionalize or forward-mode"):
        y, _ = torch.func.jvp(lambda x: ops.lstm(x, weights).y, (x,), (x,))
    torch.testing.assert_close(y, ops.lstm(x, weights).y)


@KERNEL
def test_a_mask_with_a_gradient_runs_the_reference() -> None:
    x, weights, *_ = testing.arguments(CASE)
    mask = torch.ones(3, 2, 5, requires_grad=True)
    with pytest.warns(ops.SlowPathWarning, match="mask needs a gradient"):
        ops.lstm(x, weights, masks=ops.LSTMMasks(recurrent=mask)).y.sum().backward()
    assert mask.grad is not None


def test_an_unknown_instruction_set_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatecast.ops.library._FOUND", find("mmx"))
    x, weights, *_ = testing.arguments(CASE)
    with refused(SettingError, problem=["GATECAST_ISA", "amx, avx512, avx2, neon or reference", "got 'mmx'"]):
        ops.lstm(x, weights)


def test_an_instruction_set_of_another_machine_is_refused() -> None:
    other = "neon" if library().isa != "neon" else "avx2"
    assert find(other).refused
    assert f"GATECAST_ISA={other} cannot be used" in find(other).reason


def test_the_reference_can_be_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatecast.ops.library._FOUND", find("reference"))
    assert ops.explain(*testing.arguments(CASE)[:2]) == "reference: GATECAST_ISA=reference asks for the reference"


def test_a_missing_library_gives_the_reason(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gatecast.ops.kernel_files.LIBRARY", tmp_path / "kernels.so")
    monkeypatch.setattr("gatecast.ops.kernel_files.REASON", tmp_path / "kernels.txt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "kernels.txt").write_text("c++: not found\n")
    monkeypatch.setattr("gatecast.ops.library._FOUND", find(""))
    x, weights, *_ = testing.arguments(CASE)
    message = r"not compiled at installation \(c\+\+: not found\).* -m gatecast build-kernels"
    with pytest.warns(ops.SlowPathWarning, match=message):
        ops.lstm(x, weights)


BAD = [
    # arguments made of the valid ones, name of the invalid one, words of the problem, words of the remedy
    (lambda x, w: (x[0], w), "x", ["(time, batch, input)", "got (2, 4)"], "x[:, None]"),
    (lambda x, w: (x.int(), w), "x", ["floating-point", "got torch.int32"], "x.float()"),
    (lambda x, w: (x, w._replace(w_ih=w.w_ih[:, :3])), "w_ih", ["shape (20, 4)", "got (20, 3)"], ()),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:18])), "w_hh", ["(4 * hidden, output)", "got (18, 5)"], ()),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:, :4])), "w_hh", ["without a projection", "got (20, 4)"], ()),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:0])), "w_hh", ["hidden", "at least 1"], ()),
    (lambda x, w: (x, w._replace(bias=w.bias[:5])), "bias", ["shape (20,)", "got (5,)"], ()),
    (lambda x, w: (x, w._replace(bias=w.bias.double())), "bias", ["torch.float32, got torch.float64"], "convert"),
    (lambda x, w: (x, w._replace(bias=w.bias.to("meta"))), "bias", ["device", "cpu, got meta"], ".to(x.device)"),
    (lambda x, w: (x, w._replace(peephole=torch.ones(2, 5))), "peephole", ["shape (3, 5)", "got (2, 5)"], ()),
    (lambda x, w: (x, w._replace(norm_c=torch.ones(5))), "norm_c", ["shape (2, 5)", "got (5,)"], ()),
    (lambda x, w: (x, w._replace(norm_h=torch.ones(5))), "norm_h", ["shape (20,)", "got (5,)"], ()),
    (lambda x, w: (x, w._replace(w_proj=torch.ones(3, 5))), "w_proj", ["shape (5, 5)", "got (3, 5)"], ()),
]


@pytest.mark.parametrize(("spoil", "name", "problem", "remedy"), BAD)
def test_invalid_arguments_are_named(spoil: object, name: str, problem: list[str], remedy: str) -> None:
    x, weights, *_ = testing.arguments(CASE)
    with refused(SettingError, problem=[Arg(name), *problem], remedy=remedy):
        ops.lstm(*spoil(x, weights))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("masks", "name", "problem"),
    [
        (ops.LSTMMasks(steps=torch.ones(3, 2)), "masks.steps", ["bool", "got torch.float32"]),
        (ops.LSTMMasks(steps=torch.ones(2, 3, dtype=torch.bool)), "masks.steps", ["shape (3, 2)", "got (2, 3)"]),
        (ops.LSTMMasks(zone_c=torch.ones(3, 2, 4)), "masks.zone_c", ["shape (3, 2, 5)", "got (3, 2, 4)"]),
    ],
)
def test_masks_that_do_not_fit_are_named(masks: ops.LSTMMasks, name: str, problem: list[str]) -> None:
    x, weights, *_ = testing.arguments(CASE)
    with refused(SettingError, problem=[Arg(name), *problem]):
        ops.lstm(x, weights, masks=masks)


def test_state_and_bounds_that_do_not_fit_are_named() -> None:
    x, weights, *_ = testing.arguments(CASE)
    with refused(SettingError, problem=[Arg("h"), "shape (2, 5)", "got (1, 5)"]):
        ops.lstm(x, weights, (torch.zeros(1, 5), torch.zeros(2, 5)))
    for bound in (0.0, -1.0, float("nan"), float("inf")):
        with refused(SettingError, problem=[Arg("cell_clip"), "above 0 and finite", f"got {bound}"]):
            ops.lstm(x, weights, spec=ops.CellSpec(cell_clip=bound))
    with refused(SettingError, problem=[Arg("activation"), "tanh, sigmoid", "got 'tan'"], remedy="'tanh'"):
        ops.lstm(x, weights, spec=ops.CellSpec(activation="tan"))


# ── of a layer ────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_layer_is_explained_by_what_runs_inside() -> None:
    from gatecast import nn

    x, before = torch.randn(5, 2, 3), torch.get_rng_state()
    layer = nn.LSTM(3, 8, 2, dropout=0.5)
    reason = ops.explain(layer, x)
    assert reason == ops.explain(x, ops.LSTMWeights(torch.randn(32, 3), torch.randn(32, 8)))
    assert ops.explain(nn.LSTM(3, 8, activation="elu"), x).startswith("reference: activation is 'elu'")
    assert ops.explain(nn.GRU(3, 8), x) == "no LSTM operator of gatecast runs inside this layer"
    assert ops.explain(torch.nn.LSTM(3, 8), x).endswith("gatecast.nn.LSTM takes its place")
    assert ops.explain(nn.LSTM(3, 8, static_size=1), x, static=torch.randn(2, 1), lengths=[5, 2]) in reason
    with refused(SettingError, problem=["explain", "lengths", "got Tensor"], remedy="masks"):
        ops.explain(x, ops.LSTMWeights(torch.randn(32, 3), torch.randn(32, 8)), lengths=[5, 2])
    torch.set_rng_state(before)
    ops.explain(layer, x)
    assert torch.equal(torch.get_rng_state(), before)


def test_an_explained_layer_is_left_as_it_was() -> None:
    from gatecast import nn

    x = torch.randn(5, 2, 3)
    model = torch.nn.Sequential(torch.nn.BatchNorm1d(2), nn.LSTM(3, 8, stateful=True, activity_regularizer=nn.L2(1.0)))
    mean = model[0].running_mean.clone()
    ops.explain(model, x)
    assert torch.equal(model[0].running_mean, mean)
    assert model[0].num_batches_tracked == 0
    assert model[1].kept_h is None
    assert float(model[1].regularization()) == 0
    model(x)
    kept = model[1].kept_h.clone()
    ops.explain(model, x)
    assert torch.equal(model[1].kept_h, kept)


# Calls with arguments of another type, and their errors.
REFUSED = {
    "ops.explain(X, X)": "explain takes a layer and its input, or an input and .*LSTMWeights, got Tensor and Tensor",
    "ops.explain(X, LSTM(3, 8))": r"explain takes the layer first, got Tensor before it; call explain\(layer, x\)",
    "ops.explain(5, LSTM(3, 8))": "explain takes the layer first",
    "ops.lstm(X, tuple(W))": r"weights must be .*LSTMWeights\(w_ih, w_hh, ...\), got tuple",
    "ops.lstm(X, W, (torch.zeros(4, 8), None))": "state must be a tuple of two tensors, h and c, or None",
    "ops.lstm(X.numpy(), W)": r"x must be a tensor \(time, batch, input\), got ndarray",
    "ops.lstm(X.long(), W)": r"x must be of a floating-point type, got torch.int64; convert it with x.float",
    "ops.lstm(X, W, spec=ops.CellSpec(cell_clip='a'))": "cell_clip must be a number, got 'a'",
    "ops.lstm(X, W, spec=ops.CellSpec(reverse='yes'))": "reverse must be True or False, got 'yes'",
    "ops.lstm(X, W, spec=ops.CellSpec(bfloat16_products=1))": "bfloat16_products must be True or False, got 1",
    "ops.lstm(X, W, spec=ops.CellSpec('tanh', 2))": "^recurrent_activation must be one of .* got 2",
    "ops.lstm(X, W, spec=ops.CellSpec(torch.nn.Tanh))": "^activation must be one of .* got <class",
}


def test_arguments_of_another_type_are_refused() -> None:
    assert others_than(REFUSED) == {}


def test_an_unknown_activation_is_named_by_its_argument() -> None:
    x, weights, *_ = testing.arguments(CASE)
    with refused(
        SettingError, problem=[Arg("recurrent_activation"), "tanh, sigmoid", "got 'sigmod'"], remedy="'sigmoid'"
    ):
        ops.lstm(x, weights, spec=ops.CellSpec(recurrent_activation="sigmod"))
