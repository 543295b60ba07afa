import sys

import pandas as pd
from darts import TimeSeries
from darts.dataprocessing.transformers import Scaler
from darts.models import BlockRNNModel

frame = pd.read_csv(sys.argv[1], parse_dates=["Month"])
series, scaler = TimeSeries.from_dataframe(frame, "Month", "Passengers"), Scaler()
model = BlockRNNModel(input_chunk_length=24, output_chunk_length=12, model="LSTM")
model.fit(scaler.fit_transform(series))
print(scaler.inverse_transform(model.predict(12)).to_dataframe())
