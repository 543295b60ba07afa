"""Experiments on memory and gradients."""

from gatecast.lab.lags import LagGradients, gradient_by_lag, gradient_by_lag_of
from gatecast.lab.record import Record, record

__all__ = ["LagGradients", "Record", "gradient_by_lag", "gradient_by_lag_of", "record"]
