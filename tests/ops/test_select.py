"""Which implementation runs, why, and when it is announced."""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import pytest
import torch
from fixtures.refusals import others_than

from gatecast import ops, testing
from gatecast.base.errors import SettingError
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
    with pytest.raises(
        SettingError, match="GATECAST_ISA must be one of amx, avx512, avx2, neon or reference, got 'mmx'"
    ):
        ops.lstm(x, weights)


def test_an_instruction_set_of_another_machine_is_refused() -> None:
    other = "neon" if library().isa != "neon" else "avx2"
    assert find(other).refused
    assert f"GATECAST_ISA={other} cannot be used" in find(other).reason


def test_the_reference_can_be_selected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gatecast.ops.library._FOUND", find("reference"))
    assert ops.explain(*testing.arguments(CASE)[:2]) == "reference: GATECAST_ISA=reference asks for the reference"


def test_a_missing_library_says_why(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("gatecast.ops.kernel_files.LIBRARY", tmp_path / "kernels.so")
    monkeypatch.setattr("gatecast.ops.kernel_files.REASON", tmp_path / "kernels.txt")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "kernels.txt").write_text("c++: not found\n")
    monkeypatch.setattr("gatecast.ops.library._FOUND", find(""))
    x, weights, *_ = testing.arguments(CASE)
    with pytest.warns(
        ops.SlowPathWarning, match=r"not compiled at installation \(c\+\+: not found\).* -m gatecast build-kernels"
    ):
        ops.lstm(x, weights)


BAD = [
    (lambda x, w: (x[0], w), "x must be \\(time, batch, input\\)"),
    (lambda x, w: (x.int(), w), "floating-point"),
    (lambda x, w: (x, w._replace(w_ih=w.w_ih[:, :3])), "w_ih must be of shape \\(20, 4\\)"),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:18])), "w_hh must be \\(4 \\* hidden, output\\)"),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:, :4])), "without a projection"),
    (lambda x, w: (x, w._replace(w_hh=w.w_hh[:0])), "hidden must be at least 1"),
    (lambda x, w: (x, w._replace(bias=w.bias[:5])), "bias must be of shape \\(20,\\)"),
    (lambda x, w: (x, w._replace(bias=w.bias.double())), "bias must be of the dtype of x"),
    (lambda x, w: (x, w._replace(bias=w.bias.to("meta"))), "bias must be on the device of x"),
    (lambda x, w: (x, w._replace(peephole=torch.ones(2, 5))), "peephole must be of shape \\(3, 5\\)"),
    (lambda x, w: (x, w._replace(norm_c=torch.ones(5))), "norm_c must be of shape \\(2, 5\\)"),
    (lambda x, w: (x, w._replace(norm_h=torch.ones(5))), "norm_h must be of shape \\(20,\\)"),
    (lambda x, w: (x, w._replace(w_proj=torch.ones(3, 5))), "w_proj must be of shape \\(5, 5\\)"),
]


@pytest.mark.parametrize(("spoil", "message"), BAD)
def test_invalid_arguments_are_named(spoil: object, message: str) -> None:
    x, weights, *_ = testing.arguments(CASE)
    with pytest.raises(SettingError, match=message):
        ops.lstm(*spoil(x, weights))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (ops.LSTMMasks(steps=torch.ones(3, 2)), "dtype bool"),
        (ops.LSTMMasks(steps=torch.ones(2, 3, dtype=torch.bool)), "masks.steps must be of shape \\(3, 2\\)"),
        (ops.LSTMMasks(zone_c=torch.ones(3, 2, 4)), "masks.zone_c must be of shape \\(3, 2, 5\\)"),
    ],
)
def test_masks_that_do_not_fit_are_named(masks: ops.LSTMMasks, message: str) -> None:
    x, weights, *_ = testing.arguments(CASE)
    with pytest.raises(SettingError, match=message):
        ops.lstm(x, weights, masks=masks)


def test_state_and_bounds_that_do_not_fit_are_named() -> None:
    x, weights, *_ = testing.arguments(CASE)
    with pytest.raises(SettingError, match="h must be of shape \\(2, 5\\)"):
        ops.lstm(x, weights, (torch.zeros(1, 5), torch.zeros(2, 5)))
    for bound in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(SettingError, match="cell_clip must be above 0 and finite"):
            ops.lstm(x, weights, spec=ops.CellSpec(cell_clip=bound))
    with pytest.raises(SettingError, match="activation must be one of"):
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
    with pytest.raises(
        SettingError, match="explain passes lengths on to a layer, got Tensor; the operator takes masks"
    ):
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


def test_errors_of_arguments_of_another_type() -> None:
    assert others_than(REFUSED) == {}


def test_an_unknown_activation_is_named_by_its_argument() -> None:
    x, weights, *_ = testing.arguments(CASE)
    with pytest.raises(SettingError, match=r"^recurrent_activation must be one of tanh, .*; did you mean 'sigmoid'"):
        ops.lstm(x, weights, spec=ops.CellSpec(recurrent_activation="sigmod"))
