"""Heads: known losses, quantiles against closed forms, and quantiles that never cross."""

from __future__ import annotations

import math

import pytest
import torch
from fixtures.refused import refused
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import StudentT
from torch.nn.functional import softplus

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import from_text, to_text
from gatecast.nn.heads import (
    HEADS,
    Gaussian,
    Head,
    NegBinomial,
    Point,
    Poisson,
    Quantiles,
    Student,
    Tweedie,
    interpolate,
    point_head,
)
from gatecast.nn.losses import Huber, MeanAbsoluteError

TABLE = Quantiles().probabilities
P = torch.tensor(TABLE)


def inverse_softplus(value: float) -> float:
    return math.log(math.expm1(value))


def raw_of(head: Head, seed: int, size: float = 3.0) -> torch.Tensor:
    raw = torch.randn(4, 3, 2, head.outputs, generator=torch.Generator().manual_seed(seed)) * size
    return torch.cat([raw[..., :1].abs() + 1, raw[..., 1:]], -1) if head.positive else raw


@pytest.mark.parametrize("kind", list(HEADS))
@settings(max_examples=5, deadline=None)
@given(seed=st.integers(0, 10**6))
def test_quantiles_never_cross(kind: str, seed: int) -> None:
    head = HEADS[kind]()
    raw = raw_of(head, seed)
    for probabilities in (P, torch.tensor([0.001, 0.01, 0.33, 0.5, 0.66, 0.99, 0.999])):
        values = head.quantiles(raw, probabilities)
        assert values.shape == (4, 3, 2, len(probabilities))
        assert bool((values.diff(dim=-1) >= -1e-5).all())
        assert not head.counts or bool((values == values.round()).all())


def test_pinball_loss_by_hand() -> None:
    head = Quantiles((0.1, 0.5, 0.9))
    step = inverse_softplus(1.0)
    raw = torch.tensor([[10.0, step, step]])  # quantiles 9, 10, 11
    assert head.quantiles(raw, torch.tensor([0.1, 0.5, 0.9])).tolist()[0] == pytest.approx([9.0, 10.0, 11.0], abs=1e-5)
    # target 12: 0.1 · 3 + 0.5 · 2 + 0.9 · 1 = 2.2; target 8: 0.9 · 1 + 0.5 · 2 + 0.1 · 3 = 2.2; twice the mean of three
    assert float(head.cells(raw, torch.tensor([12.0]))) == pytest.approx(2 * 2.2 / 3, rel=1e-5)
    assert float(head.cells(raw, torch.tensor([8.0]))) == pytest.approx(2 * 2.2 / 3, rel=1e-5)
    # target 9.5: 0.1 · 0.5 + 0.5 · 0.5 + 0.1 · 1.5
    assert float(head.cells(raw, torch.tensor([9.5]))) == pytest.approx(2 * 0.45 / 3, rel=1e-5)


def test_pinball_loss_of_the_true_quantiles_is_least() -> None:
    target = torch.randn(20_000, generator=torch.Generator().manual_seed(0))
    head = Quantiles((0.1, 0.5, 0.9))
    losses = {}
    for width in (0.8, 1.2816, 1.8):
        step = inverse_softplus(width)
        raw = torch.tensor([0.0, step, step]).expand(20_000, 3)
        losses[width] = float(head.cells(raw, target).mean())
    assert min(losses, key=losses.__getitem__) == 1.2816


def test_initial_bias_gives_half_the_spread_of_a_normal() -> None:
    head = Quantiles()
    values = head.quantiles(torch.tensor(head.initial)[None], P)[0]
    torch.testing.assert_close(values, 0.5 * torch.special.ndtri(P), atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("loss", "expected"), [("mae", 3.0), ("mse", 9.0), ("huber", 2.5), ("huber(delta=2)", 4.0), (Huber(1.0), 2.5)]
)
def test_point_losses(loss: str | Huber, expected: float) -> None:
    assert float(Point(loss).cells(torch.tensor([[2.0]]), torch.tensor([5.0]))) == pytest.approx(expected)


def test_a_point_keeps_its_loss_as_text() -> None:
    assert Point("mean_absolute_error") == Point() == Point(MeanAbsoluteError())
    assert Point(Huber(delta=0.5)).loss == "huber(delta=0.5)"
    head = from_text("head", "point(loss='huber(delta=0.5)')", HEADS)
    assert head == Point(Huber(delta=0.5))
    assert from_text("head", to_text(head, HEADS), HEADS) == head
    assert (head.minimised, Quantiles().minimised, Student().minimised) == (
        "huber(delta=0.5)",
        "quantile",
        "negative log-likelihood",
    )


def test_a_path_over_the_horizon_is_the_vector_of_a_cosine() -> None:
    raw = torch.tensor([[[1.0, 1.0], [2.0, 2.0]]])[..., None]  # one window, two steps, two targets
    target = torch.tensor([[[2.0, -2.0], [4.0, 1.0]]])
    cells = Point("cosine_similarity").cells(raw, target)
    torch.testing.assert_close(cells, torch.tensor([[[-1.0, 0.0], [-1.0, 0.0]]]))


@pytest.mark.parametrize(
    ("head", "loss", "expected"),
    [("auto", "mse", "mse"), ("point", "mse", "mse"), (Point(), "mase", "mase"), (Point("mse"), "mse", "mse")],
)
def test_a_loss_makes_a_point_head(head: str | Head, loss: str, expected: str) -> None:
    assert point_head(head, loss) == Point(expected)


@pytest.mark.parametrize(
    ("head", "name", "own"),
    [
        ("student(min_df=3)", "student(min_df=3)", "negative log-likelihood"),
        (Quantiles(), "quantiles", "quantile"),
        ("point(loss='huber')", "point(loss='huber')", "huber"),
    ],
)
def test_a_head_with_a_loss_refuses_another(head: str | Head, name: str, own: str) -> None:
    with refused(
        SettingError,
        problem=[Arg("loss", "mse"), Arg("head", name), f"its {own}"],
        remedy=[Arg("loss"), Arg("head", "point")],
    ):
        point_head(head, "mse")


def test_a_loss_of_classes_is_refused_for_a_forecast() -> None:
    with refused(SettingError, problem=[Arg("loss", "categorical_crossentropy"), "classes"], remedy="LSTMClassifier"):
        Point("categorical_crossentropy")


def test_gaussian_against_torch() -> None:
    raw = raw_of(Gaussian(), 3)
    normal = torch.distributions.Normal(raw[..., 0], softplus(raw[..., 1]) + 1e-4)
    expected = torch.stack([normal.icdf(p) for p in P], -1)
    torch.testing.assert_close(Gaussian().quantiles(raw, P), expected, rtol=1e-4, atol=1e-4)
    target = torch.zeros(raw.shape[:-1])
    torch.testing.assert_close(Gaussian().cells(raw, target), -normal.log_prob(target))


def test_gaussian_loss_by_hand() -> None:
    raw = torch.tensor([[0.0, inverse_softplus(1.0 - 1e-4)]])
    assert float(Gaussian().cells(raw, torch.tensor([2.0]))) == pytest.approx(
        0.5 * math.log(2 * math.pi) + 2.0, rel=1e-4
    )


def test_student_quantiles_against_the_t_table() -> None:
    df = inverse_softplus(3.0)  # 5 degrees of freedom
    raw = torch.tensor([[1.0, inverse_softplus(2.0 - 1e-4), df]])
    low, middle, high = Student().quantiles(raw, torch.tensor([0.05, 0.5, 0.95]))[0].tolist()
    assert middle == pytest.approx(1.0, abs=0.15)
    assert high == pytest.approx(1 + 2 * 2.015, abs=0.5)
    assert low == pytest.approx(1 - 2 * 2.015, abs=0.5)
    expected = -StudentT(5.0, 1.0, 2.0).log_prob(torch.tensor(4.0))
    assert float(Student().cells(raw, torch.tensor([4.0]))) == pytest.approx(float(expected), rel=1e-4)


def test_negative_binomial_mean_variance_and_quantiles() -> None:
    raw = torch.tensor([20.0, inverse_softplus(0.1)]).expand(20_000, 2)  # mean 20, variance 20 + 0.1 · 400 = 60
    torch.manual_seed(0)
    draws = NegBinomial().draw(raw)
    assert float(draws.mean()) == pytest.approx(20, rel=0.02)
    assert float(draws.var()) == pytest.approx(60, rel=0.05)
    assert bool((draws == draws.round()).all())
    got = NegBinomial().quantiles(raw[:1], torch.tensor([0.1, 0.5, 0.9]))[0]
    torch.testing.assert_close(got, torch.quantile(draws, torch.tensor([0.1, 0.5, 0.9])), atol=1.01, rtol=0)


def test_negative_binomial_likelihood_sums_to_one() -> None:
    raw = torch.tensor([3.0, inverse_softplus(0.5)]).expand(400, 2)
    total = (-NegBinomial().cells(raw, torch.arange(400.0))).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-4)


def test_poisson_and_tweedie_by_their_moments() -> None:
    torch.manual_seed(0)
    counts = Poisson().draw(torch.full((20_000, 1), 4.0))
    assert (float(counts.mean()), float(counts.var())) == pytest.approx((4, 4), rel=0.05)
    assert float(Poisson().cells(torch.tensor([4.0]), torch.tensor(3.0))) == pytest.approx(
        4 - 3 * math.log(4) + math.log(6)
    )
    raw = torch.tensor([10.0, inverse_softplus(0.5)]).expand(20_000, 2)
    amounts = Tweedie(power=1.4).draw(raw)
    assert (float(amounts.mean()), float(amounts.var())) == pytest.approx((10, 50), rel=0.05)
    low, high = Tweedie(power=1.4).quantiles(raw[:1], torch.tensor([0.01, 0.99]))[0].tolist()
    assert low == 0
    assert high == pytest.approx(float(torch.quantile(amounts, 0.99)), rel=0.1)
    with refused(SettingError, problem=[Arg("power", of="Tweedie"), "above 1 and below 2", "got 1"]):
        Tweedie(power=1.0)


def test_quantiles_do_not_touch_the_random_state() -> None:
    raw = raw_of(Student(), 0)
    state = torch.get_rng_state()
    first = Student().quantiles(raw, P)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first, Student().quantiles(raw, P))


def test_quantiles_seed_the_generator_of_their_device_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    seeded: list[int] = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    Student().quantiles(raw_of(Student(), 0), P)
    assert not seeded


@pytest.mark.parametrize("head", [Quantiles(), Gaussian()], ids=["quantiles", "normal"])
@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_a_draw_at_the_edge_of_the_unit_interval_is_finite(
    head: Head, edge: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch, "rand_like", lambda like: torch.full_like(like, edge))
    assert head.draw(raw_of(head, 0)).isfinite().all()


@pytest.mark.parametrize("wrong", [(0.1, 0.9), (0.9, 0.5, 0.1), (-1.0, 0.5, 2.0), (0.1, 0.5, 0.8), (0.5,)], ids=str)
def test_invalid_quantiles(wrong: tuple[float, ...]) -> None:
    with refused(SettingError, problem=[Arg("probabilities", of="Quantiles"), "(0.1, 0.5, 0.9)", f"got {wrong}"]):
        Quantiles(wrong)


def test_degrees_of_freedom_are_not_below_zero() -> None:
    with refused(SettingError, problem=[Arg("min_df", of="Student"), "at least 0", "got -5"]):
        Student(min_df=-5)


@pytest.mark.parametrize("kind", ["quantiles", "normal", "student"])
def test_draws_follow_the_quantiles(kind: str) -> None:
    head = HEADS[kind]()
    raw = raw_of(head, 5, 1.0)[:1, :1, :1]
    torch.manual_seed(0)
    draws = head.draw(raw.expand(20_000, 1, 1, head.outputs)).flatten()
    probabilities = torch.tensor([0.1, 0.5, 0.9])
    wanted = head.quantiles(raw, probabilities).flatten()
    spread = float(wanted[2] - wanted[0])
    torch.testing.assert_close(torch.quantile(draws, probabilities), wanted, atol=0.08 * spread, rtol=0)


def test_interpolate_is_exact_for_a_normal() -> None:
    table = 3 + 2 * torch.special.ndtri(P)
    at = torch.tensor([0.001, 0.03, 0.25, 0.5, 0.77, 0.999])
    torch.testing.assert_close(interpolate(P, table, at), 3 + 2 * torch.special.ndtri(at), rtol=1e-4, atol=1e-4)


def test_interpolate_hits_its_knots() -> None:
    table = torch.tensor([[0.0, 1.0, 5.0], [2.0, 2.0, 2.0]])
    grid = torch.tensor([0.1, 0.5, 0.9])
    torch.testing.assert_close(interpolate(grid, table, grid.expand(2, 3)), table, atol=1e-5, rtol=0)


def test_an_unknown_loss_of_a_point_is_refused() -> None:
    with refused(SettingError, problem=[Arg("loss"), "mse, mae, huber", "got 'nonsense'"]):
        Point("nonsense")


def test_quantiles_from_draws_never_draw_for_all_cells_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []
    sample = StudentT.sample

    def counting(self: StudentT, shape: torch.Size) -> torch.Tensor:
        drawn.append(shape.numel() * self.loc.numel())
        return sample(self, shape)

    monkeypatch.setattr(StudentT, "sample", counting)
    raw = raw_of(Student(), 2).repeat(100, 1, 1, 1)  # 2,400 cells
    values = Student().quantiles(raw, P)
    assert max(drawn) <= 2000 * 2048
    assert torch.equal(values, Student().quantiles(raw, P))
    spread = values[:, 0, 0, P.tolist().index(0.5)].view(100, 4)[:, 0].std()
    assert float(spread) < 0.2 * float(values[0, 0, 0, -1] - values[0, 0, 0, 0])
