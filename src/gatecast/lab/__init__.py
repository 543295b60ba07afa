"""Experiments on memory and gradients."""

from gatecast.lab.gradients import Gradients, GradientsConfig, measure_gradients
from gatecast.lab.inside import Inside, InsideConfig, look_inside
from gatecast.lab.lags import LagGradients, gradient_by_lag, gradient_by_lag_of
from gatecast.lab.memory import Outcome, run_memory
from gatecast.lab.products import product_by_lag
from gatecast.lab.record import Record, record

__all__ = [
    "Gradients",
    "GradientsConfig",
    "Inside",
    "InsideConfig",
    "LagGradients",
    "Outcome",
    "Record",
    "gradient_by_lag",
    "gradient_by_lag_of",
    "look_inside",
    "measure_gradients",
    "product_by_lag",
    "record",
    "run_memory",
]
