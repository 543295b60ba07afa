"""Windows hold what a slow loop finds, and nothing from after the origin."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from hypothesis import given, settings
from hypothesis import strategies as st

from gatecast.batches.windows import Batch, InputScales, Standardizer, WindowOrigins, Windows, split_origins
from gatecast.data.panel import Panel


def rich_panel(freq: str = "D") -> Panel:
    """Two series of unequal length with a missing value and all kinds of covariates."""
    random = np.random.default_rng(0)
    first, second = wave(20), wave(13, 5)
    first[7] = np.nan
    rows = 33
    past = random.normal(5, 2, (rows, 1)).astype(np.float32)
    past[3] = np.nan

    return panel_of(
        first,
        second,
        freq=freq,
        past=past,
        names={
            "past": ("p",),
            "known": ("k1", "k2"),
            "static": ("area",),
            "category": ("kind",),
            "levels": (("a", "b"),),
        },
        known=random.normal(-1, 3, (rows, 2)).astype(np.float32),
        static=np.array([[1.0], [3.0]], np.float32),
        category=np.array([[1], [-1]]),
    )


def windows_of(panel: Panel, context: int = 6, horizon: int = 3, calendar: bool = False) -> Windows:
    return Windows(panel, context, horizon, scales=InputScales.fit(panel), cycles=None if calendar else ())


def slow_past(panel: Panel, series: int, origin: int, context: int) -> tuple[list[float], list[bool]]:
    values, seen = [], []
    for row in range(origin - context, origin):
        value = panel.target[panel.begin[series] + row, 0] if row >= 0 else np.nan
        values.append(0.0 if np.isnan(value) else float(value))
        seen.append(bool(np.isfinite(value)))
    return values, seen


@pytest.mark.parametrize(("series", "origin"), [(0, 6), (0, 9), (0, 17), (1, 6), (1, 2), (0, 1), (1, 13), (0, 20)])
def test_a_window_holds_what_a_slow_loop_finds(series: int, origin: int) -> None:
    panel = rich_panel()
    batch = windows_of(panel).gather(torch.tensor([series]), torch.tensor([origin]))
    values, seen = slow_past(panel, series, origin, 6)
    assert batch.past[0, :, 0].tolist() == values
    assert batch.observed[0, :, 0].tolist() == seen
    for step in range(3):
        row = origin + step
        inside = row < panel.lengths[series] and np.isfinite(panel.target[panel.begin[series] + row, 0])
        assert bool(batch.mask[0, step, 0]) == inside
        wanted = panel.target[panel.begin[series] + row, 0] if inside else 0.0
        assert float(batch.target[0, step, 0]) == wanted


def test_rows_before_the_start_of_a_series_never_come_from_the_series_before_it() -> None:
    panel = panel_of(np.full(10, 7.0), np.full(10, 1.0))
    batch = windows_of(panel).gather(torch.tensor([1]), torch.tensor([2]))
    assert batch.past[0, :, 0].tolist() == [0, 0, 0, 0, 1, 1]
    assert batch.observed[0, :, 0].tolist() == [False] * 4 + [True] * 2


def test_covariates_are_standardised_rows_with_missing_at_the_mean() -> None:
    panel = rich_panel()
    batch = windows_of(panel).gather(torch.tensor([0]), torch.tensor([6]))
    p, k = panel.past[:, 0], panel.known
    expected = (p[:6] - np.nanmean(p)) / np.nanstd(p)
    expected[3] = 0.0
    np.testing.assert_allclose(batch.past_inputs[0, :, 0], expected, atol=1e-5)
    np.testing.assert_allclose(batch.past_inputs[0, :, 1:], (k[:6] - k.mean(0)) / k.std(0), atol=1e-5)
    np.testing.assert_allclose(batch.future_inputs[0], ((k - k.mean(0)) / k.std(0))[6:9], atol=1e-5)
    assert batch.static[0].tolist() == [-1.0]
    assert batch.category[0].tolist() == [2]


def test_an_unknown_category_is_code_zero() -> None:
    panel = rich_panel()
    batch = windows_of(panel).gather(torch.tensor([1]), torch.tensor([6]))
    assert batch.category[0].tolist() == [0]


def test_a_constant_and_an_all_missing_covariate_stay_finite() -> None:
    scale = Standardizer.fit(np.array([[2.0, np.nan], [2.0, np.nan]], np.float32))
    assert scale(torch.tensor([[2.0, 5.0]])).isfinite().all()
    assert scale.spread.tolist() == [1.0, 1.0]


def test_calendar_columns_belong_to_the_times_of_the_rows() -> None:
    starts = np.array(["2024-01-01", "2024-01-04"], "datetime64[ns]")  # a Monday and a Thursday
    panel = panel_of(wave(30), wave(30), freq="D", starts=starts)
    windows = windows_of(panel, 7, 7, calendar=True)
    batch = windows.gather(torch.tensor([0, 1]), torch.tensor([17, 14]))
    assert batch.past_inputs.shape[-1] == batch.future_inputs.shape[-1] == windows.calendar_width > 0
    assert torch.equal(batch.future_inputs[0], batch.future_inputs[1])  # both windows start on 2024-01-18
    later = windows.gather(torch.tensor([0]), torch.tensor([18]))
    assert not torch.equal(batch.future_inputs[0], later.future_inputs[0])
    assert torch.equal(batch.future_inputs[0, 1:], later.future_inputs[0, :-1])


def altered_after(panel: Panel, steps: int) -> Panel:
    """The panel with other targets and past covariates in the last ``steps`` rows of each series."""
    target, past = panel.target.copy(), panel.past.copy()
    for end in panel.end:
        target[end - steps : end] = 1e6
        past[end - steps : end] = -1e6
    return dataclasses.replace(panel, target=target, past=past)


def same(one: Batch, other: Batch) -> bool:
    return all(torch.equal(getattr(one, f.name), getattr(other, f.name)) for f in dataclasses.fields(Batch))


def test_windows_before_the_origin_do_not_see_what_comes_after_it() -> None:
    panel = rich_panel()
    parts = []
    for version in (panel, altered_after(panel, 4)):
        windows = windows_of(version.cut(4))
        training, _ = split_origins(version.cut(4), 6, 3, held_back=0)
        parts.append(
            (windows.gather(*training.locate(torch.arange(training.total))), windows.at_origin(torch.arange(2)))
        )
    assert same(parts[0][0], parts[1][0])
    assert same(parts[0][1], parts[1][1])
    assert not parts[0][1].mask.any()


def test_the_check_above_can_fail() -> None:
    panel = rich_panel()
    first, second = (windows_of(v).at_origin(torch.arange(2)) for v in (panel, altered_after(panel, 4)))
    assert not same(first, second)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.integers(1, 60), min_size=1, max_size=5),
    st.integers(1, 20),
    st.integers(1, 10),
    st.integers(0, 6),
    st.integers(1, 4),
)
def test_no_training_target_lies_in_the_held_back_range(
    lengths: list[int], context: int, horizon: int, held: int, stride: int
) -> None:
    panel = panel_of(*[np.arange(n, dtype=np.float32) for n in lengths])
    training, held_back = split_origins(panel, context, horizon, held_back=held, stride=stride)
    tried, kept = (o.locate(torch.arange(o.total)) for o in (training, held_back))
    for series in range(len(lengths)):
        origins, last = tried[1][tried[0] == series], kept[1][kept[0] == series]
        assert len(last) in (0, held)
        assert bool((origins >= 1).all())
        if len(last):
            assert int(last.max()) + horizon == lengths[series]
            assert int(origins.max()) + horizon <= int(last.min())
            assert bool((last.diff() == stride).all())


def test_windows_evenly_spaced_begin_and_end_with_the_first_and_the_last() -> None:
    origins, _ = split_origins(panel_of(np.zeros(30)), 10, 4, held_back=0)
    assert origins.total == 17
    assert origins.evenly(5).tolist() == [0, 4, 8, 12, 16]
    assert origins.evenly(99).tolist() == list(range(17))


def test_every_whole_window_is_trained_on() -> None:
    training, held_back = split_origins(panel_of(np.zeros(30)), 10, 4, held_back=3)
    _, origins = training.locate(torch.arange(training.total))
    assert origins.tolist() == list(range(10, 21))  # targets 20 … 23 end where the first held-back target starts
    assert held_back.locate(torch.arange(3))[1].tolist() == [24, 25, 26]


def test_locate_counts_through_the_series() -> None:
    origins = WindowOrigins(torch.tensor([2, 5]), torch.tensor([10, 3]), torch.tensor([2, 3]), stride=7)
    series, at = origins.locate(torch.arange(5))
    assert series.tolist() == [2, 2, 5, 5, 5]
    assert at.tolist() == [10, 17, 3, 10, 17]


def test_windows_read_the_panel_itself_not_a_copy() -> None:
    panel = panel_of(wave(30))
    assert windows_of(panel).values.data_ptr() == panel.target.ctypes.data


def test_windows_for_the_origin_alone_hold_the_same_as_all_windows() -> None:
    panel = rich_panel()
    every = torch.arange(len(panel))
    whole = windows_of(panel, calendar=True).at_origin(every)
    alone = Windows(panel, 6, 3, scales=InputScales.fit(panel), origin_only=True).at_origin(every)
    for field in dataclasses.fields(Batch):
        one, other = getattr(whole, field.name), getattr(alone, field.name)
        assert one is other or torch.equal(torch.nan_to_num(one), torch.nan_to_num(other)), field.name
    assert whole.future_inputs.shape[-1] > 2  # the calendar is among them


def test_a_constant_covariate_has_no_spread_of_rounding() -> None:
    one = Standardizer.fit(np.full((1000, 1), 0.1, np.float32))
    assert one.spread.tolist() == [1.0]
    assert float(one(torch.tensor([[0.2]]))) == pytest.approx(0.1, abs=1e-5)


def test_without_an_observed_context_nothing_is_scored() -> None:
    values = wave(40)
    values[10:22] = np.nan
    origins = torch.tensor([9, 20, 22, 23])  # the gap begins, nears its end, fills the context, leaves a row of it
    batch = windows_of(panel_of(values)).gather(torch.zeros(4, dtype=torch.int64), origins)
    assert batch.mask.sum(1)[:, 0].tolist() == [1, 0, 0, 3]


def test_a_series_shorter_than_the_horizon_does_not_read_the_next_ones_covariates() -> None:
    known = np.arange(1, 24, dtype=np.float32)[:, None]
    panel = panel_of(wave(3), wave(20), freq="D", known=known, names={"known": ("k",)})
    windows = windows_of(panel, 4, 6)
    batch = windows.gather(torch.tensor([0, 1]), torch.tensor([1, 14]))
    assert (batch.future_inputs[0, :, 0] == 0).tolist() == [False, False, True, True, True, True]
    assert (batch.future_inputs[1, :, 0] != 0).all()
    assert (windows.at_origin(torch.tensor([0, 1])).future_inputs == 0).all()
