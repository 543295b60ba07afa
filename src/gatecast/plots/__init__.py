"""Static plots by matplotlib, loaded when a plot is drawn."""

from gatecast.plots.draw import plot_backtest, plot_forecast

__all__ = ["plot_backtest", "plot_forecast"]
