"""``gatecast build-kernels``: compile the CPU kernels where the installation could not."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from gatecast.cli.console import Console
from gatecast.cli.flags import BASIC, ShowFlags


def build_kernels(
    *,
    force: Annotated[
        bool, Parameter(help="Compile them though they are there.", group=BASIC, negative=(), show_default=False)
    ] = False,
    show: ShowFlags = ShowFlags(),  # noqa: B008  frozen
) -> None:
    """Compile the CPU kernels, unless they are there. The library alone is written."""
    from gatecast.ops.build import build_kernels as build

    console = Console(show)
    with console.doing("Compiling the CPU kernels"):
        kernels = build(force=force)
    done = "Compiled the CPU kernels" if kernels.built else "The CPU kernels are there already"
    console.say(f"{done}: {kernels.isa}, {kernels.file}")
    facts = {"file": str(kernels.file), "isa": kernels.isa, "built": kernels.built}
    console.document({"command": "build-kernels", **facts})
