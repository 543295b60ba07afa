"""Sequences of any length and form: each equals the same sequence run alone, without padding."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from fixtures.layers import PAIRS, like_torch, random_state, tensors
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from gatecast.nn import LSTM
from gatecast.nn.sequences import last_step, merged

TIME, BATCH = 6, 4
LENGTHS = [3, 6, 0, 1]


def batch(seed: int = 0) -> Tensor:
    return torch.randn(TIME, BATCH, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def rows(hx: Any, row: int) -> Any:
    return tuple(part[:, row : row + 1] for part in hx) if isinstance(hx, tuple) else hx[:, row : row + 1]


def check_against_single_runs(rival: nn.Module, output: Any, x: Tensor, hx: Any, steps: Tensor) -> None:
    """Each sequence on its own through PyTorch's layer: outputs where a step counts, zeros elsewhere, final states."""
    y, *states = tensors(output)
    for row in range(x.shape[1]):
        on = steps[:, row]
        assert (y[~on, row] == 0).all()
        if not on.any():
            for state, first in zip(states, tensors(hx), strict=True):
                torch.testing.assert_close(state[:, row], first[:, row])
            continue
        alone, *ends = tensors(rival(x[on, row : row + 1], rows(hx, row)))
        torch.testing.assert_close(y[on, row], alone[:, 0])
        for state, end in zip(states, ends, strict=True):
            torch.testing.assert_close(state[:, row : row + 1], end)


@pytest.mark.parametrize("shape", [{}, {"num_layers": 2, "bidirectional": True}], ids=str)
@pytest.mark.parametrize("kind", list(PAIRS))
def test_lengths_in_any_order(kind: str, shape: dict[str, Any]) -> None:
    layer, rival = like_torch(kind, **shape)
    x, hx = batch(), random_state(kind, layer.num_layers * layer.directions, BATCH)
    steps = torch.arange(TIME)[:, None] < torch.tensor(LENGTHS)
    for lengths in (LENGTHS, torch.tensor(LENGTHS), torch.tensor(LENGTHS, dtype=torch.int32)):
        check_against_single_runs(rival, layer(x, hx, lengths=lengths), x, hx, steps)


@settings(max_examples=15, deadline=None)
@given(holes=st.lists(st.booleans(), min_size=TIME * BATCH, max_size=TIME * BATCH), seed=st.integers(0, 99))
@pytest.mark.parametrize("kind", list(PAIRS))
def test_any_mask(kind: str, holes: list[bool], seed: int) -> None:
    layer, rival = like_torch(kind, num_layers=2, bidirectional=True, batch_first=False)
    x, hx, mask = batch(seed), random_state(kind, 4, BATCH), torch.tensor(holes).reshape(BATCH, TIME)
    check_against_single_runs(rival, layer(x, hx, mask=mask), x, hx, mask.T)


def test_lengths_and_mask_together() -> None:
    layer, rival = like_torch("LSTM")
    x, hx, mask = batch(), random_state("LSTM", 1, BATCH), torch.ones(BATCH, TIME, dtype=torch.bool)
    mask[:, 1] = False
    steps = (torch.arange(TIME)[:, None] < torch.tensor(LENGTHS)) & mask.T
    check_against_single_runs(rival, layer(x, hx, lengths=LENGTHS, mask=mask), x, hx, steps)


@pytest.mark.parametrize("poison", [float("nan"), float("inf")])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_nan_in_padding_reaches_no_output_and_no_gradient(kind: str, poison: float) -> None:
    layer, _ = like_torch(kind, num_layers=2, bidirectional=True)
    gradients = []
    for padding in (0.0, poison):
        x = batch()
        for row, length in enumerate(LENGTHS):
            x[length:, row] = padding
        x.requires_grad_()
        layer.zero_grad()
        outputs = tensors(layer(x, lengths=LENGTHS))
        sum(t.sin().sum() for t in outputs).backward()
        gradients.append([x.grad, *outputs, *(p.grad.clone() for p in layer.parameters())])
    for clean, poisoned in zip(*gradients, strict=True):
        assert poisoned.isfinite().all()
        torch.testing.assert_close(clean, poisoned)


def test_nan_in_padding_stays_out_with_every_option() -> None:
    layer = LSTM(
        3, 4, 3, residual=True, skip=True, layer_norm=True, input_dropout=0.3, recurrent_dropout=0.3, zoneout=0.2,
        dropout=0.3, return_sequences=False, activation="relu", dtype=torch.float64,
    )  # fmt: skip
    x = batch()
    for row, length in enumerate(LENGTHS):
        x[length:, row] = float("nan")
    outputs = tensors(layer(x, lengths=LENGTHS))
    sum(t.sum() for t in outputs).backward()
    assert all(t.isfinite().all() for t in outputs)
    assert all(p.grad.isfinite().all() for p in layer.parameters())


@pytest.mark.parametrize("enforce_sorted", [True, False])
@pytest.mark.parametrize("with_state", [True, False])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_packed_sequences_go_in_and_out(kind: str, enforce_sorted: bool, with_state: bool) -> None:
    layer, rival = like_torch(kind, num_layers=2, bidirectional=True)
    lengths = [6, 4, 4, 1] if enforce_sorted else [4, 1, 6, 4]
    packed = pack_padded_sequence(batch(), torch.tensor(lengths), enforce_sorted=enforce_sorted)
    hx = random_state(kind, 4, BATCH) if with_state else None
    (ours, states), (theirs, ends) = layer(packed, hx), rival(packed, hx)
    torch.testing.assert_close(ours.data, theirs.data)
    torch.testing.assert_close(states, ends)
    assert torch.equal(ours.batch_sizes, theirs.batch_sizes)
    torch.testing.assert_close(pad_packed_sequence(ours), pad_packed_sequence(theirs))


def test_packed_directions_apart() -> None:
    layer, rival = like_torch("LSTM", bidirectional=True)
    apart = LSTM(3, 4, bidirectional=True, merge_mode=None, dtype=torch.float64)
    apart.load_state_dict(rival.state_dict())
    packed = pack_padded_sequence(batch(), torch.tensor([4, 1, 6, 4]), enforce_sorted=False)
    (forwards, backwards), _ = apart(packed)
    torch.testing.assert_close(torch.cat([forwards.data, backwards.data], -1), layer(packed)[0].data)


@pytest.mark.parametrize("batch_first", [True, False])
@pytest.mark.parametrize("kind", list(PAIRS))
def test_without_batch(kind: str, batch_first: bool) -> None:
    layer, rival = like_torch(kind, num_layers=2, bidirectional=True, batch_first=batch_first)
    x, hx = batch()[:, 0], random_state(kind, 4, 1)
    single = tuple(part[:, 0] for part in hx) if kind == "LSTM" else hx[:, 0]
    torch.testing.assert_close(layer(x), rival(x))
    torch.testing.assert_close(layer(x, single), rival(x, single))
    y, _ = layer(x, lengths=2)
    torch.testing.assert_close(y[:2], layer(x[:2])[0])
    assert (y[2:] == 0).all()
    torch.testing.assert_close(layer(x, mask=torch.arange(TIME) < 2), layer(x, lengths=2))


def test_batch_first_moves_axes_and_nothing_else() -> None:
    options = {"bidirectional": True, "num_layers": 2, "return_cells": True, "dtype": torch.float64}
    time_first, batch_first = LSTM(3, 4, **options), LSTM(3, 4, batch_first=True, **options)
    batch_first.load_state_dict(time_first.state_dict())
    y, states, cells = time_first(batch(), lengths=LENGTHS)
    other_y, other_states, other_cells = batch_first(batch().transpose(0, 1), lengths=LENGTHS)
    torch.testing.assert_close(other_y, y.transpose(0, 1))
    torch.testing.assert_close(other_states, states)
    torch.testing.assert_close(other_cells, cells.transpose(1, 2))


def test_a_strided_input_is_read_as_it_is() -> None:
    layer, rival = like_torch("LSTM")
    x = torch.randn(3, 4, 12, dtype=torch.float64).permute(2, 1, 0)[::2]
    torch.testing.assert_close(layer(x), rival(x))


def test_the_last_step_that_counts() -> None:
    x = torch.arange(4.0)[:, None, None].expand(4, 3, 2)
    steps = torch.tensor([[True, False, False, False], [True, False, True, False], [False] * 4]).T
    assert last_step(x, steps)[:, 0].tolist() == [0, 2, 0]
    assert last_step(x, None)[:, 0].tolist() == [3, 3, 3]


def test_one_way_is_itself_and_two_are_merged_along_the_axis() -> None:
    a, b = torch.randn(3, 2, 1), torch.randn(3, 2, 1)
    assert merged([a], "sum", 2) is a
    assert torch.equal(merged([a, b], None, 2), torch.cat([a, b], 2))
    assert torch.equal(merged([a, b], "ave", 2), (a + b) / 2)
