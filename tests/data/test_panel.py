from __future__ import annotations

import numpy as np
from fixtures.refused import refused
from hypothesis import given, settings
from hypothesis import strategies as st

from gatecast.base.errors import DataError, UnknownNameError
from gatecast.data import Panel
from gatecast.data.read import read_panel

LENGTHS = st.lists(st.integers(1, 12), min_size=1, max_size=6)


def panel_of(lengths: list[int], freq: str = "D") -> Panel:
    return Panel.from_arrays(
        [np.arange(length, dtype=np.float32) + 100 * k for k, length in enumerate(lengths)], freq=freq
    )


@given(lengths=LENGTHS, steps=st.integers(0, 12))
def test_cut_is_a_view_of_the_past(lengths: list[int], steps: int) -> None:
    panel = panel_of(lengths)
    if steps >= max(lengths):
        with refused(DataError, problem="leaves nothing", remedy=f"cut at most {max(lengths) - 1}"):
            panel.cut(steps)
        return
    past = panel.cut(steps)
    assert np.shares_memory(past.target, panel.target)
    assert past.ids.tolist() == [name for name, length in zip(panel.ids, lengths, strict=True) if length > steps]
    for name, values in past:
        k = panel.ids.tolist().index(name)
        np.testing.assert_array_equal(values, panel.series(k)[: lengths[k] - steps])


@given(lengths=LENGTHS, steps=st.integers(0, 11))
def test_what_was_cut_off_is_the_actual(lengths: list[int], steps: int) -> None:
    panel = panel_of([length + steps for length in lengths])
    past = panel.cut(steps)
    for k, actual in enumerate(past.actual(steps)):
        np.testing.assert_array_equal(actual, panel.series(k)[len(panel.series(k)) - steps :])
    assert np.isnan(panel.actual(3)).all()


@given(lengths=LENGTHS, first=st.integers(0, 5), second=st.integers(0, 5))
def test_cuts_add_up(lengths: list[int], first: int, second: int) -> None:
    panel = panel_of([length + 10 for length in lengths])
    np.testing.assert_array_equal(panel.cut(first).cut(second).end, panel.cut(first + second).end)


@given(lengths=LENGTHS, horizon=st.integers(1, 5), freq=st.sampled_from(["h", "D", "MS", "W-SAT", ""]))
def test_the_future_follows_the_origin(lengths: list[int], horizon: int, freq: str) -> None:
    panel = panel_of(lengths, freq)
    future = panel.future_times(horizon)
    for k in range(len(panel)):
        times = panel.freq.times(panel.starts[k], 0, lengths[k] + horizon)
        np.testing.assert_array_equal(np.concatenate([panel.times(k), future[k]]), times)
        assert panel.cutoffs[k] == times[lengths[k] - 1]
        assert panel.future_times_of(k) == future[k, 0]


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(2, 10), min_size=1, max_size=4),
    missing=st.floats(0, 0.5),
    freq=st.sampled_from(["h", "D", "MS"]),
    seed=st.integers(0, 10_000),
)
def test_a_panel_read_back_from_its_frame_is_the_same(lengths: list[int], missing: float, freq: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    series = [rng.normal(size=length).astype(np.float32) for length in lengths]
    for values in series:
        values[1:-1][rng.random(len(values) - 2) < missing] = np.nan
    panel = Panel.from_arrays(series, freq=freq).with_schema(id=("shop",))
    again = read_panel(panel.to_frame(), id="shop", time="ds", target="y", freq=freq)
    np.testing.assert_array_equal(again.target, panel.target)
    np.testing.assert_array_equal(again.starts, panel.starts)
    np.testing.assert_array_equal(again.end, panel.end)
    assert again.freq == panel.freq


@settings(max_examples=60, deadline=None)
@given(length=st.integers(3, 40), seed=st.integers(0, 10_000))
def test_the_order_of_rows_does_not_matter(length: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = Panel.from_arrays([np.arange(length), np.arange(length + 2)], freq="D").with_schema(id=("shop",)).to_frame()
    shuffled = frame.sample(frac=1, random_state=rng.integers(2**31))
    panel = read_panel(shuffled, id="shop", target="y").select(["s0", "s1"])
    for k, (_, values) in enumerate(panel):
        np.testing.assert_array_equal(values[:, 0], np.arange(length + 2 * k))


def test_select_of_an_unknown_series_lists_the_known_ones() -> None:
    panel = panel_of([3, 4])
    assert panel.select(["s1"]).series(0)[0, 0] == 100
    with refused(UnknownNameError, problem="'x'", remedy="s0, s1"):
        panel.select(["x"])


def test_season_needs_two_cycles() -> None:
    assert panel_of([13], "D").season == 1
    assert panel_of([14], "D").season == 7
    assert panel_of([48], "h").season == 24


def test_panel_imports_no_pandas() -> None:
    import subprocess
    import sys

    code = "import sys, gatecast.batches.windows, gatecast.data.calendar; print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
