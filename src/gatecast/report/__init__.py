"""The report: one HTML file that needs no network, and static plots by matplotlib."""

from gatecast.plots.draw import plot_backtest, plot_forecast
from gatecast.report.epidemic import write_epidemic_report
from gatecast.report.html import write_report
from gatecast.report.tuning import write_tuning

__all__ = ["plot_backtest", "plot_forecast", "write_epidemic_report", "write_report", "write_tuning"]
