"""The version of gatecast, written in this place only; ``pyproject.toml`` reads it without importing anything."""

VERSION = "0.1.0"
