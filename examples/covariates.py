"""A covariate: deaths follow cases, so the cases known so far help to forecast the deaths of the next two weeks.

Daily COVID-19 counts of India, 2020 and 2021. Cases are a *past* covariate: nobody knows their future. A column that is
known in advance (a price, a holiday) is ``known=``; ``panel.future_frame(horizon)`` is the frame to fill in for it.
"""

import pandas as pd

import gatecast
from gatecast import FitConfig, LinearAR, LSTMForecaster, Panel, datasets

HORIZON = 14


def table() -> pd.DataFrame:
    """Columns ``date``, ``deaths`` and ``cases``, up to June 2021."""
    rows = pd.read_csv(datasets.path("covid_india"), parse_dates=["Date_YMD"])
    wide = rows.pivot(index="Date_YMD", columns="Status", values="TT").reset_index()
    return pd.DataFrame({"date": wide["Date_YMD"], "deaths": wide["Deceased"], "cases": wide["Confirmed"]}).iloc[:-60]


def mase(panel: Panel) -> str:
    """MASE of the LSTM and of a linear autoregression over ten origins."""
    lstm = LSTMForecaster(HORIZON, fit=FitConfig(steps=60, progress=False), seed=1)
    scores = gatecast.backtest([lstm, LinearAR(HORIZON)], panel, HORIZON, windows=10).scores(metrics=["MASE"])
    return ", ".join(f"{name} {value:.2f}" for name, value in scores["MASE"].items())


def main() -> None:
    data = table()
    alone = gatecast.read_panel(data[["date", "deaths"]], time="date", target="deaths")
    panel = gatecast.read_panel(data, time="date", target="deaths", past="cases")
    print("MASE, deaths alone:", mase(alone))
    print("MASE, with cases:  ", mase(panel))

    model = LSTMForecaster(HORIZON, fit=FitConfig(steps=60, progress=False), seed=1).fit(panel)
    frame = model.predict(levels=[80]).to_frame()
    print(frame[["ds", "LSTM", "LSTM-lo-80", "LSTM-hi-80"]].head(4).round().to_string(index=False))


if __name__ == "__main__":
    main()
