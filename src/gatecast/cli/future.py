"""``gatecast future``: the file to fill in with the known covariates of the steps ahead."""

from __future__ import annotations

import sys

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import HORIZON, check_value
from gatecast.cli.console import Console
from gatecast.cli.flags import DataFlags, File, Horizon, ShowFlags
from gatecast.cli.output_frames import records
from gatecast.cli.read_args import read


def future(
    file: File,
    /,
    *,
    horizon: Horizon,
    flags: DataFlags = DataFlags(),  # noqa: B008  frozen
    show: ShowFlags = ShowFlags(),  # noqa: B008
) -> None:
    """Print a CSV file with a row for each series and step ahead, to be filled in. Nothing is written."""
    console = Console(show)
    check_value(Arg("horizon"), horizon, "int", HORIZON)
    if not flags.known:
        problem = "there is nothing to fill in without covariates that are known in advance"
        raise SettingError(problem, "name their columns: " + Arg("known", "price,holiday"))
    panel = read(file, flags)
    frame = panel.future_frame(horizon)
    if not (show.json or show.quiet):
        frame.to_csv(sys.stdout, index=False)
    console.document({"command": "future", "horizon": horizon, "future": records(frame)})
