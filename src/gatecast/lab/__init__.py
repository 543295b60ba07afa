"""Experiments on memory and gradients."""

from gatecast.lab.inside import Inside, InsideConfig, look_inside
from gatecast.lab.lags import LagGradients, gradient_by_lag, gradient_by_lag_of
from gatecast.lab.record import Record, record

__all__ = [
    "Inside",
    "InsideConfig",
    "LagGradients",
    "Record",
    "gradient_by_lag",
    "gradient_by_lag_of",
    "look_inside",
    "record",
]
