"""The recursive network: draws are fed back, and training has the inputs of sampling."""

from __future__ import annotations

import pytest
import torch
from fixtures.cases import batch_of
from torch import Tensor

from gatecast.batches.windows import Batch
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.recursive import RecursiveLSTM

CONTEXT, HORIZON = 8, 5


def network(base: str = "auto", **sizes: object) -> RecursiveLSTM:
    torch.manual_seed(0)
    shapes = Shapes(CONTEXT, HORIZON, **{"outputs": 1, "seasons": (3,), **sizes})  # type: ignore[arg-type]
    config = NetConfig(kind="recursive", hidden_size=8, num_layers=2, dropout=0.0, base=base)
    return RecursiveLSTM(shapes, config, (0.0,) * shapes.outputs).eval()


def rich_batch() -> tuple[Tensor, Batch, Tensor]:
    """Context, batch with one past-only and two known inputs, and targets."""
    torch.manual_seed(1)
    past, target = torch.randn(2, CONTEXT, 1), torch.randn(2, HORIZON, 1)
    inputs = {"past_inputs": torch.randn(2, CONTEXT, 3), "future_inputs": torch.randn(2, HORIZON, 2)}
    return past, batch_of(past, HORIZON, target, **inputs), target


def test_sampling_without_noise_is_the_step_by_step_roll_out() -> None:
    model, (past, batch, _) = network(past_inputs=3, future_inputs=2), rich_batch()
    paths = model.sample(past, batch, lambda raw: raw[..., 0], 3)
    assert paths.shape == (2, 3, HORIZON, 1)
    assert torch.equal(paths[:, 0], paths[:, 2])
    values = torch.zeros(2, HORIZON, 1)
    for step in range(HORIZON):  # training's own pass, with what was forecast so far in place of the truth
        values[:, step] = model(past, batch, values)[:, step, :, 0].detach()
    torch.testing.assert_close(paths[:, 0], values, atol=1e-5, rtol=1e-4)


def test_teacher_forcing_is_sampling_whose_draws_are_the_true_values() -> None:
    model, (past, batch, target) = network(past_inputs=3, future_inputs=2), rich_batch()
    seen: list[Tensor] = []

    def draw(raw: Tensor) -> Tensor:
        seen.append(raw)
        return target[:, len(seen) - 1]

    model.sample(past, batch, draw, 1)
    torch.testing.assert_close(torch.stack(seen, 1), model(past, batch, target), atol=1e-5, rtol=1e-4)


def test_a_step_does_not_see_its_own_target_nor_later_ones() -> None:
    model, (past, batch, target) = network(past_inputs=3, future_inputs=2), rich_batch()
    target.requires_grad_()
    for step in range(HORIZON):
        (gradient,) = torch.autograd.grad(model(past, batch, target)[:, step].sum(), target, retain_graph=True)
        moved = (gradient.abs().amax((0, 2)) > 0).tolist()
        assert moved == [row < step for row in range(HORIZON)]


def test_the_first_step_depends_on_the_last_observation_without_a_base() -> None:
    model, (past, batch, target) = network("none", past_inputs=3, future_inputs=2), rich_batch()
    past.requires_grad_()
    (gradient,) = torch.autograd.grad(model(past, batch, target)[:, 0].sum(), past)
    assert bool((gradient.abs().amax((0, 2)) > 0).all())


def test_paths_of_a_random_walk_spread_with_the_root_of_the_step() -> None:
    model = network(seasons=())
    torch.nn.init.zeros_(model.out.weight)  # the centre is then the value before: a random walk
    past = torch.zeros(1, CONTEXT, 1)
    torch.manual_seed(0)
    paths = model.sample(past, batch_of(past, HORIZON), lambda raw: raw[..., 0] + torch.randn(len(raw), 1), 4000)
    spread = paths.std(dim=(0, 1))[:, 0]
    torch.testing.assert_close(spread, torch.arange(1.0, HORIZON + 1).sqrt(), rtol=0.05, atol=0)


def test_the_context_of_another_window_does_not_leak_into_the_paths() -> None:
    model = network()
    past = torch.randn(3, CONTEXT, 1)
    together = model.sample(past, batch_of(past, HORIZON), lambda raw: raw[..., 0], 2)
    alone = model.sample(past[2:], batch_of(past[2:], HORIZON), lambda raw: raw[..., 0], 2)
    torch.testing.assert_close(together[2:], alone)


@pytest.mark.parametrize("hole", [0, CONTEXT - 1])
def test_a_missing_value_in_the_context(hole: int) -> None:
    past = torch.randn(1, CONTEXT, 1)
    past[0, hole] = float("nan")
    batch = batch_of(past, HORIZON)
    paths = network().sample(batch.past, batch, lambda raw: raw[..., 0], 1)
    assert bool(paths.isfinite().all())
    whole = batch_of(batch.past, HORIZON)
    assert not torch.equal(paths, network().sample(batch.past, whole, lambda raw: raw[..., 0], 1)) or hole == 0
