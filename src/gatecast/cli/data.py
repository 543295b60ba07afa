"""``gatecast data``: what is understood of a file."""

from __future__ import annotations

from gatecast.cli.console import Console, repair_line
from gatecast.cli.flags import DataFlags, File, ShowFlags
from gatecast.cli.output_frames import summary
from gatecast.cli.read_args import read

MOST_SERIES = 10
_FORM = ("layout", "date_format", "decimal", "delimiter", "encoding", "header")


def data(
    file: File,
    /,
    *,
    flags: DataFlags = DataFlags(),  # noqa: B008  frozen
    show: ShowFlags = ShowFlags(),  # noqa: B008
) -> None:
    """Show what is understood of a file and what is repaired. Nothing is written."""
    console = Console(show)
    panel = read(file, flags)
    facts = summary(panel)
    schema = panel.schema
    columns = {"time": list(schema.time or [panel.time_name]), "id": list(schema.id or ()) or facts["id"]}
    form = {name: getattr(schema, name) for name in _FORM}
    labels = {"source": "file", "time": "time column", "id": "id column", "missing": "missing values"}
    plain = {
        labels.get(key, key.replace("_", " ")): value
        for key, value in (facts | columns | form).items()
        if key != "repairs"
    }
    shown = {
        key: value for key, value in plain.items() if value not in (None, [], "") and (value or key != "future rows")
    }
    width = max(map(len, shown))
    for key, value in shown.items():
        console.say(f"{key:<{width}}  {', '.join(map(str, value)) if isinstance(value, list) else _plain(value)}")
    if len(panel) > 1:
        first = ", ".join(map(str, panel.ids[:MOST_SERIES])) + (" …" if len(panel) > MOST_SERIES else "")
        console.say(f"{'names':<{width}}  {first}")
    console.say(f"\n{len(panel.repairs) or 'No'} repair{'' if len(panel.repairs) == 1 else 's'} and decisions")
    for one in panel.repairs:
        console.say(f"  {repair_line(one)}")
    names = [str(name) for name in panel.ids]
    console.document({"command": "data", **facts, "ids": names, "schema": schema.to_dict()})


def _plain(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("\t", "tab")
