"""Labelled sequences: what a batch of them holds."""

from __future__ import annotations

import numpy as np
import torch
from fixtures.cases import panel_of, wave

from gatecast.batches.sequences import LabelledSequences, one_window_each
from gatecast.batches.windows import BatchSource, InputScales, Windows


def three() -> LabelledSequences:
    """Of 2, 4 and 1 steps of two features."""
    values = np.arange(14, dtype=np.float32).reshape(7, 2)
    return LabelledSequences(np.split(values, [2, 6]), np.array([1, 0, 1]), np.array([1.0, 2.0, 0.5]))


def test_a_batch_holds_whole_sequences_in_the_requested_order() -> None:
    batch = three().gather(*one_window_each(torch.arange(3)).locate(torch.tensor([2, 0])))
    assert batch.series.tolist() == [2, 0]
    assert batch.lengths.tolist() == [1, 2]
    assert batch.values.shape == (2, 4, 2), "as long as the longest of all"
    assert batch.values[0].tolist() == [[12, 13], [0, 0], [0, 0], [0, 0]]
    assert batch.values[1].tolist() == [[0, 1], [2, 3], [0, 0], [0, 0]]
    assert (batch.label.tolist(), batch.weight.tolist()) == ([1, 1], [0.5, 1.0])
    moved = batch.to(torch.device("meta"))
    assert (len(moved), moved.values.device.type) == (2, "meta")


def test_a_subset_of_the_sequences_can_be_selected() -> None:
    some = one_window_each(torch.tensor([0, 2]))
    assert some.total == 2
    assert some.locate(torch.tensor([1, 0]))[0].tolist() == [2, 0]
    assert one_window_each(torch.arange(0)).total == 0


def test_sequences_and_windows_are_both_what_the_loop_takes() -> None:
    panel = panel_of(wave(30), ids=["a"])
    windows = Windows(panel, 6, 2, scales=InputScales.fit(panel))
    for data, task in ((three(), {"features": 2, "longest": 4}), (windows, {"horizon": 2, "context": 6})):
        assert isinstance(data, BatchSource)
        assert data.task == task
        assert all(isinstance(tensor, torch.Tensor) for tensor in data.tensors)
    assert (list(three().ids), list(windows.ids)) == ([0, 1, 2], ["a"])
