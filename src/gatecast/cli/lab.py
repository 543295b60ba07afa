"""``gatecast lab``: the experiments of the memory lab, one subcommand each."""

from __future__ import annotations

from cyclopts import App

from gatecast.cli.help_texts import LAB, LAB_COMMANDS

lab = App(name="lab", help=LAB, help_format="plaintext", result_action="return_value")
for _position, (_name, _text) in enumerate(LAB_COMMANDS.items()):
    lab.command(f"gatecast.cli.lab_{_name}:{_name}", name=_name, help=_text, sort_key=_position)
