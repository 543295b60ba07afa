"""Naive forecasts against answers worked out by hand, and the weights that mix them."""

from __future__ import annotations

import pytest
import torch
from fixtures.cases import batch_of

from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import NETWORKS
from gatecast.models.naive_mixture import BaseMixture, SingleBase, base_count, naive_forecasts

NAN = float("nan")


def candidates(values: list[float], horizon: int, seasons: tuple[int, ...]) -> list[list[float]]:
    """Each candidate as a list over the horizon."""
    past = torch.tensor(values)[None, :, None]
    table = naive_forecasts(past.nan_to_num(0.0), ~past.isnan(), horizon, seasons)
    assert table.shape == (1, horizon, 1, base_count(seasons))
    return [[round(v, 4) for v in row] for row in table[0, :, 0].T.tolist()]


def test_every_candidate_by_hand() -> None:
    got = candidates([1.0, 2, 3, 4, 5, 7], 4, (2,))
    assert got == [
        [7, 7, 7, 7],  # last value
        [3.6667] * 4,  # mean of the context
        [8.3333, 9.6667, 11, 12.3333],  # slope (7 - 3) / 3 over min(horizon, context / 2) = 3 rows
        [5, 7, 5, 7],  # last season
        [3, 4, 3, 4],  # the season before
        [3, 4.3333, 3, 4.3333],  # mean of three seasons
        [5.3333, 6.6667, 5.3333, 6.6667],  # that mean, moved to the level 6 of the last season
        [7.5, 9.5, 10, 12],  # last season, and the trend of 2.5 a season
    ]


def test_missing_values_are_passed_over() -> None:
    got = candidates([1.0, 2, 3, 4, 5, NAN], 2, (2,))
    assert got[0] == [5, 5]
    assert got[1] == [3, 3]
    assert got[3] == [5, 4]  # the last value seen at this place of the season
    assert got[5] == [3, 3]  # means of 1, 3, 5 and of 2, 4


def test_two_seasons() -> None:
    got = candidates([float(k) for k in range(8)], 3, (2, 4))
    assert got[8] == [4, 5, 6]  # last long season
    assert got[9] == [0, 1, 2]
    assert got[12] == [6, 7, 8]  # moved from the level 4.5 of the rows before to the level 6.5 of the newest ones


def test_a_season_longer_than_the_context_is_its_mean() -> None:
    assert candidates([1.0, 3], 2, (5,))[3:] == [[2, 2]] * 5


def test_a_context_without_a_value_gives_zeros() -> None:
    past, unseen = torch.zeros(1, 6, 1), torch.zeros(1, 6, 1, dtype=torch.bool)
    assert naive_forecasts(past, unseen, 3, (2,)).abs().sum() == 0


def mixture(context: int, horizon: int, seasons: tuple[int, ...]) -> BaseMixture:
    return BaseMixture(Shapes(context, horizon, seasons=seasons))


@pytest.mark.parametrize(
    ("context", "horizon", "seasons"), [(12, 4, (3,)), (12, 4, (12,)), (12, 20, (3, 12)), (4, 9, ())]
)
def test_weights_sum_to_one_so_a_constant_is_forecast_as_itself(
    context: int, horizon: int, seasons: tuple[int, ...]
) -> None:
    base = mixture(context, horizon, seasons)
    past = torch.full((2, context, 1), 3.0)
    gates = torch.randn(2, horizon, 1, base.bases)
    out = base(past, torch.ones_like(past, dtype=torch.bool), gates)
    torch.testing.assert_close(out, torch.full((2, horizon, 1), 3.0))


def test_a_strong_gate_picks_its_candidate() -> None:
    base = mixture(6, 2, (2,))
    past = torch.tensor([1.0, 2, 3, 4, 5, 7])[None, :, None]
    for which, expected in ((0, [7.0, 7.0]), (4, [3.0, 4.0])):
        gates = torch.zeros(1, 2, 1, base.bases)
        gates[..., which] = 50.0
        assert base(past, past > 0, gates).flatten().tolist() == pytest.approx(expected, abs=1e-4)


def test_before_training_the_candidate_that_did_well_counts_most() -> None:
    past = torch.tensor([0.0, 5, 9] * 6)[None, :, None]
    base = mixture(18, 3, (3,))
    seen = torch.ones_like(past, dtype=torch.bool)
    record = base._record(past, seen)[0, 0]
    weights = (record[None] @ base.trust.detach().T).softmax(-1)[0]
    assert float(weights[3:].sum()) > 0.9  # the seasonal ones are exact here, the flat ones are not
    out = base(past, seen, torch.zeros(1, 3, 1, base.bases)).detach()
    assert float((out.flatten() - torch.tensor([0.0, 5, 9])).abs().max()) < 1.0


@pytest.mark.parametrize(("kind", "expected"), [("none", [0, 0, 0]), ("last", [7, 7, 7]), ("season", [5, 7, 5])])
def test_single_bases(kind: str, expected: list[float]) -> None:
    past = torch.tensor([1.0, 2, 3, 4, 5, 7])[None, :, None]
    base = SingleBase(Shapes(6, 3, seasons=(2,)), kind)
    assert base(past, past > 0, torch.zeros(0)).flatten().tolist() == expected


def test_a_network_with_a_season_as_long_as_its_context() -> None:
    shapes = Shapes(6, 3, outputs=1, seasons=(6,))
    network = NETWORKS["direct"](shapes, NetConfig(kind="direct", hidden_size=8, dropout=0.0), (0.0,))
    past = torch.randn(2, 6, 1)
    assert bool(network(past, batch_of(past, 3)).isfinite().all())
