"""Counts as they were reported: what a model sees at an origin is what was known there."""

from __future__ import annotations

import numpy as np
import pytest
from fixtures.cases import panel_of
from fixtures.refused import refused

from gatecast import Mean, Naive, backtest
from gatecast.base.errors import NotFittedError, SettingError
from gatecast.epidemic import daily_counts
from gatecast.epidemic.as_reported import AsReported

VALUES = [40.0, 44, 38, 41, 45, 39, 42] * 4
BACKLOG = [*VALUES, 900, *VALUES[:6]]


def test_an_origin_before_the_backlog_knows_nothing_of_it() -> None:
    reported = panel_of(BACKLOG, freq="D")
    repaired = daily_counts(reported)
    assert repaired.series(0)[0, 0] > 60  # spread back over the weeks before
    model = AsReported(Mean(), reported)
    early = model.fit(repaired.cut(7)).predict(7)
    assert early.mean[0, 0, 0] == pytest.approx(np.mean(VALUES))
    late = model.predict(7, panel=repaired)
    assert late.mean[0, 0, 0] == pytest.approx(np.nanmean(repaired.series(0)))
    assert late.panel is repaired


def test_the_backtest_measures_against_the_repaired_counts() -> None:
    reported = panel_of(np.cumsum(BACKLOG), freq="D")
    repaired = daily_counts(reported, cumulative=True)
    tested = backtest([AsReported(Naive(), reported, cumulative=True)], repaired, 7, windows=1, progress=False)
    assert tested.failed == {}
    np.testing.assert_array_equal(tested.frame["y"], repaired.series(0)[-7:, 0])
    assert (tested.frame["Naive"] == VALUES[-1]).all()


def test_bad_input_is_refused() -> None:
    reported = panel_of(VALUES, freq="D")
    with refused(SettingError, problem="7 rows and the reported counts have 28", remedy="from the same file"):
        AsReported(Naive(), reported).fit(panel_of(VALUES[:7], freq="D"))
    with refused(NotFittedError, problem="Naive is not fitted yet"):
        AsReported(Naive(), reported).predict(3)
