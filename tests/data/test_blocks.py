"""Blocks: every value of every series arrives once, right-aligned, and memory stays bounded."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gatecast.data.blocks import blocks
from gatecast.data.panel import Panel


def ragged() -> Panel:
    return Panel.from_arrays([np.arange(n, dtype=np.float32) + 100 * n for n in (3, 7, 1, 5)])


def test_series_are_right_aligned_and_padded_with_missing() -> None:
    ((chosen, values),) = blocks(ragged())
    assert chosen.tolist() == [1, 3, 0, 2]  # longest first
    assert values.shape == (4, 7, 1)
    assert values[2, :, 0].tolist()[4:] == [300, 301, 302]
    assert np.isnan(values[2, :4]).all()


def test_small_blocks_hold_the_same_values() -> None:
    panel = ragged()
    parts = list(blocks(panel, cells=7))
    assert len(parts) == 3
    for chosen, values in parts:
        assert values.size <= 7
        for row, index in enumerate(chosen):
            assert np.array_equal(values[row][~np.isnan(values[row])], panel.series(index)[:, 0])


def test_only_the_last_rows_before_the_origin_are_read() -> None:
    panel = ragged().cut(2)  # the series of one row is gone
    (chosen, values), *rest = blocks(panel, last=2)
    assert not rest
    by_series = {panel.ids[c]: v[:, 0].tolist() for c, v in zip(chosen, values, strict=True)}
    assert by_series["s1"] == [703, 704]
    assert by_series["s3"] == [501, 502]


def test_rows_of_the_future_are_never_read() -> None:
    panel = ragged()
    hidden = replace(panel, end=panel.end - 1)
    values = np.concatenate([v[~np.isnan(v)] for _, v in blocks(hidden.take(np.array([0, 1, 3])))])
    assert 302 not in values
    assert 706 not in values
