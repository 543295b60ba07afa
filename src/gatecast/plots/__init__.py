"""Static plots by matplotlib on plain arrays; matplotlib loads when a plot is drawn.

Whatever can be plotted has a method ``plot`` that gathers its arrays and calls these functions.
"""

from gatecast.plots.axes import label_lines, make_axes
from gatecast.plots.curves import plot_lags, plot_losses, plot_rates
from gatecast.plots.forecasts import ACTUAL, draw_fan, draw_origins

__all__ = ["ACTUAL", "draw_fan", "draw_origins", "label_lines", "make_axes", "plot_lags", "plot_losses", "plot_rates"]
