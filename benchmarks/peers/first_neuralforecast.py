import sys

import pandas as pd
from neuralforecast import NeuralForecast
from neuralforecast.models import LSTM

frame = pd.read_csv(sys.argv[1], parse_dates=["Month"]).rename(columns={"Month": "ds", "Passengers": "y"})
forecaster = NeuralForecast(models=[LSTM(h=12, input_size=24, max_steps=200, scaler_type="standard")], freq="MS")
forecaster.fit(frame.assign(unique_id="air"))
print(forecaster.predict())
