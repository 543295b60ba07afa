"""The library's messages as the command line says them: what is an argument in Python is an option to type.

The library names remedies by its own arguments (``target="load"``). Here is the one place that turns them into options
(``--target load``): the names come from the flags themselves, and the few remedies that are calls have a table.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import fields
from functools import cache

# Calls and bare words, which have no pattern of their own; the first that fits is taken, one after another.
_PHRASES = (
    (r"[Ff]ill panel\.future_frame\(\d+\) and pass it as future=", "Give them in a file: --future FILE"),
    (r"fill in panel\.future_frame\(\w+\)", "give every series a row for each step ahead in the --future file"),
    (r"use the times of panel\.future_frame\(\w+\)", "use the times of the steps ahead"),
    (r"make one with LSTMForecaster\((\d+)\) and fit it", r"make one with gatecast forecast FILE --horizon \1"),
    (r",? or (use )?time=False( to [a-z ]+)?", ""),
    (r"use time=False to count rows", "name the column of the times: --time …"),
    (r"FitConfig\(resume=True\)", "--fit.resume"),
    (r"\bcheckpoint=,", "--fit.checkpoint,"),
    (r"\blog_dir=,", "--fit.log-dir,"),
    (r"FitConfig\(steps=…\) or epochs=…", "--fit.steps or --fit.epochs"),
    (r": see find_lr\(\)", ""),
    (r" or an object of theirs", ""),
    (r"\bleave (resume) out", r"leave --fit.\1 out"),
    (r"\bleave (freq) out", r"leave --\1 out"),
    (r"^(head|scaler|context|horizon) (must|counts)", r"--\1 \2"),
)
_VALUE = r"""\[[^\]]*\]|(?:"[^"]*"|'[^']*')(?:(?:,| or) (?:"[^"]*"|'[^']*'))*|[\w.+\-]+|"""


def typed(message: str) -> str:
    """The message with options in the place of Python's arguments.

    Example:
        >>> typed('say which, e.g. target="y", or layout="wide"; missing=[-9]')
        'say which, e.g. --target y, or --layout wide; --missing=-9'
    """
    for pattern, words in _PHRASES:
        message = re.sub(pattern, words, message)
    message = re.sub(r"\b(Net|Fit)Config\((\w+)=([^)]*)\)", _config_field, message)
    message = re.sub(r"\b(Net|Fit)Config\.(\w+)", _config_field, message)
    names = "|".join(_names())
    return re.sub(rf"(?<![\w.\-])({names})=(?!=)({_VALUE})", _option, message)


@cache
def _names() -> tuple[str, ...]:
    """Arguments of Python that are options here."""
    from gatecast.cli.flags import DataFlags, ModelFlags

    own = (field.name for flags in (DataFlags, ModelFlags) for field in fields(flags))
    return ("horizon", "levels", "future", *own)


def _option(match: re.Match[str]) -> str:
    name, value = match.groups()
    option = f"--{name.replace('_', '-')}"
    if not value:
        return option
    if value.startswith("["):
        value = ",".join(part.strip(" \"'") for part in value[1:-1].split(","))
    first, *others = re.split(r"((?:,| or) )(?=[\"'])", value)
    sign = "=" if first.strip("\"'").startswith("-") else " "
    return f"{option}{sign}{_quoted(first)}{''.join(part.strip(chr(34) + chr(39)) for part in others)}"


def _quoted(value: str) -> str:
    """The value as a shell takes it."""
    bare = value.strip("\"'")
    return bare if "…" in bare else shlex.quote(bare)


def _config_field(match: re.Match[str]) -> str:
    kind, name, *value = match.groups()
    option = f"--{kind.lower()}.{name.replace('_', '-')}"
    return f"{option} {value[0].strip(chr(34) + chr(39))}" if value else option
