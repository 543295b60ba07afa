"""The command line: one thin shell over the library."""

from gatecast.cli.app import main

__all__ = ["main"]
