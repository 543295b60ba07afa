"""Reports: one HTML file each, which needs no network."""

from gatecast.report.cell import write_cell
from gatecast.report.epidemic import write_epidemic_report
from gatecast.report.gradients import write_gradients
from gatecast.report.html import write_report
from gatecast.report.memory import write_memory
from gatecast.report.nowcast import write_nowcast_report
from gatecast.report.tuning import write_tuning

__all__ = [
    "write_cell",
    "write_epidemic_report",
    "write_gradients",
    "write_memory",
    "write_nowcast_report",
    "write_report",
    "write_tuning",
]
