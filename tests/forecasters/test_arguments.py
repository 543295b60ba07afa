"""What is no panel, no forecaster and no config is refused, tried without the type checker of the tests."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fixtures.fresh import run_here

CODE = """
import json
import numpy as np, pandas as pd
import gatecast
from gatecast import FitConfig, LSTMClassifier, LSTMForecaster, NetConfig, Panel, backtest
from gatecast.forecasters import AutoSelect, Ensemble, LinearAR, Naive, SeasonalNaive
from gatecast.epidemic import SEIRForecaster

frame = pd.DataFrame({"ds": pd.date_range("2024-01-01", periods=40), "y": np.arange(40.0)})
p = Panel.from_arrays([np.arange(40.0)], freq="D")
fitted = Naive().fit(p)
said = {}
for line in json.loads(LINES):
    try:
        eval(line)
        said[line] = "nothing"
    except gatecast.base.errors.GatecastError as error:
        said[line] = str(error)
    except Exception as error:
        said[line] = "raw " + repr(error)
print(json.dumps(said))
"""
PANEL = "must be a Panel, got "
READ = "read it first: gatecast.read_panel("
CASES: dict[str, list[str]] = {
    **{
        f"{model}.fit(frame)": [f"panel {PANEL}a DataFrame", f"{READ}…)"]
        for model in (
            "LSTMForecaster(12)",
            "Naive()",
            "SeasonalNaive()",
            "LinearAR(3)",
            "Ensemble([Naive()])",
            "SEIRForecaster(7, 1e6)",
            "AutoSelect(3)",
        )
    },
    "LSTMForecaster(12).fit('x.csv')": [f"panel {PANEL}'x.csv'", f'{READ}"x.csv")'],
    "fitted.predict(3, panel=frame)": [f"panel {PANEL}a DataFrame", f"{READ}…)"],
    "fitted.predict(3, panel='x.csv')": [f"panel {PANEL}'x.csv'", f'{READ}"x.csv")'],
    "fitted.predict('x.csv')": ["is horizon, a whole number, got 'x.csv'; give the data to forecast", "panel=…"],
    "fitted.predict(p)": ["is horizon, a whole number, got a Panel", "panel=…"],
    "backtest([Naive()], 'x.csv', 12)": [f"panel {PANEL}'x.csv'", f'{READ}"x.csv")'],
    "backtest(Naive(), p, 12)": ["models must be a list of forecasters, got Naive(); put it in a list: [Naive()]"],
    "backtest(['naive'], p, 12)": ["models must hold forecasters, got 'naive'; give an object: Naive()"],
    "backtest([Naive], p, 12)": ["models must hold forecasters, got the class Naive; give an object: Naive()"],
    "Ensemble(['naive']).fit(p)": ["members must hold forecasters, got 'naive'"],
    "LSTMForecaster(12, fit={'steps': 3}).fit(p)": [
        "fit must be a FitConfig, got {'steps': 3}; give fit=FitConfig(steps=3)"
    ],
    "LSTMForecaster(12, net=64).fit(p)": ["net must be a NetConfig, got 64; give net=NetConfig(…)"],
    "LSTMClassifier(fit={'steps': 3}).fit([[1.0]], [1])": ["give fit=FitConfig(steps=3)"],
    "fitted.save('m')": ["Naive cannot be saved: only a single LSTM has a file; save an LSTMForecaster, or"],
    "p.cut(40)": ["to cut 40 rows leaves nothing: the longest series has 40 rows; cut at most 39"],
    "p.cut(-1)": ["steps must be at least 0, got -1"],
    "FitConfig(lr=0.1)": ["FitConfig has no argument 'lr'; did you mean learning_rate?"],
    "FitConfig(epoch=1)": ["did you mean epochs?"],
    "NetConfig(units=8)": ["did you mean hidden_size?"],
    "NetConfig(foo=8)": ["NetConfig has no argument 'foo'; its arguments are kind, cell, hidden_size"],
    "LSTMForecaster(12, hidden_size=8)": ["it is a field of NetConfig: net=NetConfig(hidden_size=8)"],
    "LSTMForecaster(12, lr=0.1)": ["it is a field of FitConfig: fit=FitConfig(learning_rate=0.1)"],
    "LSTMClassifier(epochs=3)": ["it is a field of FitConfig: fit=FitConfig(epochs=3)"],
    "p.select(p.ids[0]).ids.tolist() == p.ids.tolist() or 1 / 0": ["nothing"],
}


@pytest.fixture(scope="module")
def said() -> dict[str, Any]:
    """What each line is answered with, in a process without the type checker."""
    return dict(json.loads(run_here(f"LINES = {json.dumps(list(CASES))!r}\n{CODE}").splitlines()[-1]))


@pytest.mark.parametrize("line", CASES)
def test_an_argument_of_the_wrong_kind_is_refused_with_what_to_do(said: dict[str, Any], line: str) -> None:
    assert all(words in said[line] for words in CASES[line]), said[line]
