"""One network for many series: daily COVID-19 cases of the Indian states, as counts.

A network that learns from all series at once sees waves that a single series had only once. The negative binomial head
gives whole numbers, and intervals that grow with the level.
"""

import gatecast
from gatecast import FitConfig, LinearAR, LSTMForecaster, SeasonalNaive, datasets
from gatecast.epidemic import daily_counts

HORIZON = 14
STATES = ["Kerala", "Delhi", "Maharashtra", "Karnataka", "Tamil Nadu", "Goa", "West Bengal", "Punjab"]


def main() -> None:
    panel = daily_counts(datasets.load("covid_india_states").select(STATES))  # repairs withdrawn cases and backlogs
    print(panel)

    lstm = LSTMForecaster(HORIZON, head="negative_binomial", fit=FitConfig(steps=60, progress=False), seed=1)
    models = [lstm, LinearAR(HORIZON), SeasonalNaive()]
    tested = gatecast.backtest(models, panel, HORIZON, windows=4)

    print(tested.scores(metrics=["MASE", "WQL", "coverage-80"]).round(2))
    print(tested.scores(by="series", metrics=["MASE"]).round(2).head(9))
    print(tested.verdict().text)

    # A fitted global model also forecasts series that it has not seen.
    lstm.fit(panel)
    unseen = daily_counts(datasets.load("covid_india_states").select(["Bihar", "Odisha"]))
    forecast = lstm.predict(panel=unseen, levels=[50, 90])
    frame = forecast.to_frame()[["unique_id", "ds", "LSTM", "LSTM-lo-90", "LSTM-hi-90"]]
    print(frame.groupby("unique_id").head(2).to_string(index=False))


if __name__ == "__main__":
    main()
