"""From a file name and flags to a panel."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gatecast.cli.flags import DataFlags
    from gatecast.data import Panel


def read(file: Path, flags: DataFlags, roles: dict[str, Any] | None = None) -> Panel:
    """The file as a panel; flags override the roles given."""
    from gatecast.base.files import require_file

    require_file(file)  # before pandas is loaded
    from gatecast.data import read_panel

    return read_panel(file, **{**(roles or {}), **settings(flags)})


def roles_of(forecaster: Any) -> dict[str, Any]:
    """The columns that a fitted forecaster was trained on, as arguments of ``read_panel``."""
    contract = getattr(forecaster, "contract_", None)
    if contract is None:
        return {}
    roles = {
        role: list(getattr(contract, f"{role}_names")) for role in ("target", "past", "known", "static", "category")
    }
    if contract.tz:
        roles["tz"] = contract.tz
    ids = contract.id_name.split("/") if contract.id_name else ()
    if contract.layout == "rows":  # a row a series: times and values are no columns; "series" stands for no id column
        del roles["target"]
        return {**roles, "layout": "rows", "id": None if contract.id_name == "series" else ids}
    if contract.time_name not in ("step", "row", ""):
        roles["time"] = contract.time_name.split(" + ")
    if contract.layout == "wide" or (contract.layout == "" and _looks_wide(contract)):
        return {**roles, "layout": "wide", "target": list(contract.ids)}
    return {**roles, "id": ids}


def _looks_wide(contract: Any) -> bool:
    """A column a series, as the first model files show it: they do not tell the layout."""
    return bool(contract.id_name == "series" and contract.target_names == ("y",))


def settings(flags: DataFlags) -> dict[str, Any]:
    """Arguments of ``read_panel``: what was not said is left to be found out."""
    said = {field.name: getattr(flags, field.name) for field in fields(flags)}
    return {field.name: said[field.name] for field in fields(flags) if said[field.name] != field.default}
