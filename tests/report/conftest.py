"""A panel with a gap and its backtest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report.samples import backtest_of, daily

from gatecast.data.panel import Panel, Repair
from gatecast.forecasters.backtest import Backtest


@pytest.fixture(scope="session")
def panel() -> Panel:
    repairs = (Repair("gap", "2 missing days were filled with missing values, first 2024-02-10.", 2, "cases"),)
    made = daily(repairs=repairs, source="cases.csv", target_names=("cases",), time_name="date")
    values = made.target.copy()
    values[40:42] = np.nan
    return replace(made, target=values)


@pytest.fixture(scope="session")
def tested(panel: Panel) -> Backtest:
    return backtest_of(panel)
