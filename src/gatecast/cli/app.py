"""The ``gatecast`` command: its subcommands, and how a run ends.

Commands load on use, so that ``gatecast --help`` costs a tenth of a second.

Exit codes: 0 fine, 1 failure, 2 bad input or usage, 130 interrupted, 143 terminated.
"""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout, suppress
from io import TextIOWrapper
from pathlib import Path
from typing import get_args

from cyclopts import App, ArgumentCollection, CycloptsError
from cyclopts.config import Toml

from gatecast.base.errors import GatecastError, SettingError, Stopped, Terminated
from gatecast.base.stdin import STDIN
from gatecast.base.version import VERSION
from gatecast.cli import help_texts
from gatecast.cli.shell import visible
from gatecast.cli.usage import usage_message

_BEFORE_STDIN = ("--future", "--overwrite", "--json", "--quiet", "--refit", "--history", "--no-history")
OK, FAILURE, BAD_INPUT, INTERRUPTED, TERMINATED = 0, 1, 2, 130, 143


def build(config: Path | None = None) -> App:
    """The application; ``config`` is a TOML file whose settings the command line overrides."""
    toml = Toml(config, must_exist=True, use_commands_as_keys=False) if config else None
    app = App(
        name="gatecast",
        help=help_texts.MAIN,
        help_format="plaintext",
        version=VERSION,
        config=[*([toml] if toml else []), _refuse_parts],
        exit_on_error=False,
        print_error=False,
        suppress_keyboard_interrupt=False,
        result_action="return_value",
    )
    for position, (name, text) in enumerate(help_texts.COMMANDS.items()):
        module = name.replace("-", "_")
        app.command(f"gatecast.cli.{module}:{module}", name=name, help=text, sort_key=position)
    return app


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    # Threads that spin while they wait are ruinous on a busy machine; OpenMP reads this when PyTorch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without × or … shows ? for it; the run goes on
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        if arguments[:1] != ["build-kernels"]:  # which may give the instruction set that is missing
            _check_kernels()
        arguments, config = _take_config(_with_stdin(arguments))
        with _only_first_rank_prints():
            build(config)(arguments)
            sys.stdout.flush()
    except (CycloptsError, GatecastError, FileNotFoundError, IsADirectoryError, PermissionError) as error:
        return _stop(error, BAD_INPUT, as_json)
    except (Stopped, Terminated) as stopped:
        print("\ninterrupted" if isinstance(stopped, Stopped) else "terminated", file=sys.stderr)
        print(f"{stopped.file} holds the state: add --fit.resume to the same command to resume", file=sys.stderr)
        return INTERRUPTED if isinstance(stopped, Stopped) else TERMINATED
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return FAILURE
    except OSError as error:
        if error.filename is None:
            return _stop_output(error)
        return _stop(error, FAILURE, as_json)
    except Exception as error:
        if os.environ.get("GATECAST_TRACEBACK"):
            raise
        return _stop(error, FAILURE, as_json)
    return OK


def _check_kernels() -> None:
    """Refuse an unusable GATECAST_ISA before a run starts."""
    if os.environ.get("GATECAST_ISA"):
        from gatecast.ops.library import library

        library()


def _refuse_parts(app: App, commands: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Refuse 5.5 for a whole number, on the command line or in the file; cyclopts would round it silently."""
    for argument in arguments:
        if int not in (get_args(argument.hint) or (argument.hint,)):
            continue
        for token in argument.tokens:
            if _has_part(token.value):
                place = "" if token.source == "cli" else f" in {token.source}"
                raise SettingError(f"{argument.name} must be a whole number, got {token.value}{place}")


def _has_part(text: str) -> bool:
    """Whether the text is a number with a fractional part."""
    try:
        return "." in text and not float(text).is_integer()
    except ValueError:
        return False


@contextmanager
def _only_first_rank_prints() -> Iterator[None]:
    """Under ``torchrun``, only rank 0 prints (errors go to standard error)."""
    if os.environ.get("RANK", "0") == "0":
        yield
        return
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        yield


def _take_config(arguments: list[str]) -> tuple[list[str], Path | None]:
    """The arguments without ``--config FILE``, and the file."""
    for position, word in enumerate(arguments):
        if word.startswith("--config="):
            return arguments[:position] + arguments[position + 1 :], _existing(word.partition("=")[2])
        if word == "--config" and position + 1 < len(arguments):
            return arguments[:position] + arguments[position + 2 :], _existing(arguments[position + 1])
    return arguments, None


def _with_stdin(arguments: list[str]) -> list[str]:
    """The arguments with the name of standard input for a file that is called ``-``, which looks like an option."""
    words = []
    for before, word in zip(["", *arguments], arguments, strict=False):
        if word == "-" and (before in _BEFORE_STDIN or not before.startswith("--")):
            word = STDIN
        words.append(f"--future={STDIN}" if word == "--future=-" else word)
    return words


def _existing(name: str) -> Path:
    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"--config {name}: no such file; expected a TOML file of options")
    try:
        tomllib.loads(path.read_text("utf-8"))
    except RecursionError as error:
        raise SettingError(f"--config {name}: its brackets are nested too deeply", "correct it there") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingError(f"--config {name} is not valid TOML: {error}", "correct it there") from error
    except ValueError as error:
        raise SettingError(f"--config {name}: a number has too many digits", "correct it there") from error
    return path


def _stop(error: Exception, code: int, as_json: bool) -> int:
    """Print the error to standard error, and as JSON to standard output with ``--json``."""
    message = _message(error)
    if code == FAILURE:
        message = f"{type(error).__name__}: {message} (set GATECAST_TRACEBACK=1 to see where)"
    if as_json:
        print(json.dumps({"error": {"type": type(error).__name__, "message": message}}, ensure_ascii=False))
    print(f"gatecast: {visible(message)}", file=sys.stderr)
    return code


def _stop_output(error: OSError) -> int:
    """The output cannot be written: nothing more is, and Python does not try again at its end."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    print(f"gatecast: the output cannot be written ({error.strerror or error}); free some space", file=sys.stderr)
    return FAILURE


def _message(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}"
    if isinstance(error, GatecastError):
        from gatecast.cli.shell import in_shell

        return in_shell(error)
    if isinstance(error, CycloptsError):
        return usage_message(error)
    return str(error).strip() or "no reason given"
