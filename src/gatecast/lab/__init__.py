"""Experiments on memory and gradients."""

from gatecast.lab.lags import LagGradients, gradient_by_lag, gradient_by_lag_of

__all__ = ["LagGradients", "gradient_by_lag", "gradient_by_lag_of"]
