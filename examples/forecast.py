"""Forecast a file: read it, compare models on past origins, forecast the next year, save the model.

python examples/forecast.py [FILE.csv]     without a file: airline passengers by month, 1949 to 1960
"""

import sys

import gatecast
from gatecast import FitConfig, LinearAR, LSTMForecaster, SeasonalNaive, datasets

HORIZON = 12


def main() -> None:
    panel = gatecast.read_panel(sys.argv[1] if len(sys.argv) > 1 else datasets.path("air_passengers"))
    print(panel)
    for repair in panel.repairs:  # what reading decided or changed
        print(f"  {repair.kind}: {repair.problem}")

    # Every model forecasts the last five years, each from the data before it.
    lstm = LSTMForecaster(HORIZON, fit=FitConfig(steps=60, progress=False), seed=1)
    tested = gatecast.backtest([lstm, LinearAR(HORIZON), SeasonalNaive()], panel, HORIZON, windows=5)
    print(tested.scores(metrics=["MASE", "RMSE", "coverage-80"]).round(2))
    print(tested.verdict().text)

    # The final model learns from all rows.
    forecast = lstm.fit(panel).predict(levels=[80, 95])
    frame = forecast.to_frame()[["ds", "LSTM", "LSTM-lo-80", "LSTM-hi-80"]]
    print(frame.head(3).to_string(index=False))

    # The file holds numbers and JSON, no pickle; a server that loads it needs no training data.
    path = lstm.save("passengers.gatecast")
    again = gatecast.load(path).predict(panel=panel)
    print(f"{path}: the loaded model forecasts {again.mean[0, 0, 0]:.0f} for the first step")


if __name__ == "__main__":
    main()
