import sys

import gatecast

panel = gatecast.read_panel(sys.argv[1])
forecast = gatecast.LSTMForecaster(12).fit(panel).predict()
print(forecast.to_frame())
