"""A panel with a gap and its backtest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from report.samples import backtest_of, daily

from gatecast.base.findings import Finding
from gatecast.data.panel import Panel
from gatecast.forecasters.backtest import Backtest


@pytest.fixture(scope="session")
def panel() -> Panel:
    repairs = (
        Finding("cases", "2 missing days were filled with missing values, first 2024-02-10.", kind="gap", count=2),
    )
    made = daily(repairs=repairs, source="cases.csv").with_schema(target=("cases",), time=("date",))
    values = made.target.copy()
    values[40:42] = np.nan
    return replace(made, target=values)


@pytest.fixture(scope="session")
def tested(panel: Panel) -> Backtest:
    return backtest_of(panel)
