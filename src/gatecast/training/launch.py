"""Training in several processes: started here on one machine, or by ``torchrun`` on one or several.

Every process runs the same function on the same arguments and finds its rank in the environment variables of
``torchrun`` (``RANK``, ``WORLD_SIZE``, …); :func:`launch` sets the same ones. PyTorch starts the processes, gives the
others time to stop when one fails, and then ends them. Arguments, errors and the result travel through pipes between a
process and its parent, pickled in memory; nothing is pickled to disk.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any, NoReturn

from gatecast.base.errors import GatecastError, SettingError, TrainingError
from gatecast.base.findings import Arg, Text

if TYPE_CHECKING:
    from gatecast.training.config import FitConfig

GRACE = 30.0  # seconds for the others to notice a failed process, save and exit, before they are ended
_VARIABLES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class ProcessLost(TrainingError):
    """Another process of the run ended or failed; its own message is the one to read."""


@dataclass(frozen=True)
class World:
    """The processes of a run, and which of them this one is.

    Args:
        rank: of this process, from 0.
        size: processes on all machines.
        local_size: processes on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @classmethod
    def here(cls) -> World:
        """From the variables of ``torchrun``; one process if they are not set."""
        if any(name not in os.environ for name in _VARIABLES):
            return cls()
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))


def resolve_world(config: FitConfig) -> FitConfig:
    """The settings with ``devices`` and ``nodes`` of ``torchrun``, if it started this process.

    Raises:
        SettingError: the settings contradict ``torchrun``, or name several machines without it.
    """
    world, wanted = World.here(), config.devices * config.nodes
    if world.size == 1:
        _require_devices(config)
        _require_accelerator(config.accelerator)
        if config.nodes > 1:
            raise SettingError(
                Arg("nodes", config.nodes, of="FitConfig") + " needs torchrun",
                "start the program on each machine with "
                f"torchrun --nnodes {config.nodes} --nproc-per-node {config.devices} …; it sets devices and nodes",
            )
        return config
    if wanted not in (1, world.size):
        problem = f"devices={config.devices} and nodes={config.nodes} make {wanted} processes, torchrun started "
        raise SettingError(
            Text("FitConfig: " + problem + str(world.size)),
            "leave out " + Arg("devices", of="FitConfig") + " and " + Arg("nodes", of="FitConfig"),
        )
    return replace(config, devices=world.local_size, nodes=world.size // world.local_size)


def _require_devices(config: FitConfig) -> None:
    """Refuse more processes than the machine has processors for: each loads PyTorch and waits for the others."""
    most = max(16, 2 * (os.cpu_count() or 1))
    if config.devices > most:
        raise SettingError(
            Arg("devices", config.devices, of="FitConfig") + f" are processes on this machine, which has "
            f"{os.cpu_count()} processors",
            "take " + Arg("devices", os.cpu_count() or 1, of="FitConfig") + " or less, or leave it out",
        )


def _require_accelerator(name: str) -> None:
    """Refuse a device that this machine lacks, in PyTorch's own names."""
    import torch

    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()} if name != "cpu" else {}
    if not there.get("cuda" if name == "gpu" else name, True):
        raise SettingError(
            Arg("accelerator", name, of="FitConfig") + " names a device that PyTorch does not find on this machine",
            "take " + Arg("accelerator", "auto", of="FitConfig") + ", or leave it out",
        )


def needs_launch(config: FitConfig) -> bool:
    """Whether the processes have yet to be started."""
    return config.devices > 1 and World.here().size == 1


# ── the parent ───────────────────────────────────────────────────────────────────────────────────────────────────────
def launch(function: Callable[..., Any], *args: Any, processes: int, threads: int) -> Any:
    """Run ``function(*args)`` in several processes at once; return the result of rank 0.

    Ctrl-C and SIGTERM are passed on to all of them. When one is lost, the others have time to save and exit.

    Args:
        function, args: pickled for the processes. Each process imports the caller's script, which must therefore call
            this under ``if __name__ == "__main__":``.
        processes: number of processes.
        threads: CPU threads of each.

    Raises:
        SettingError: the function or an argument cannot be pickled.
        TrainingError: a process was lost.
        GatecastError, KeyboardInterrupt, SystemExit: as raised in a process.
    """
    from torch.multiprocessing import start_processes

    task = packed("devices", (function, args))
    inboxes, outboxes = zip(*(get_context("spawn").Pipe(duplex=False) for _ in range(processes)), strict=True)
    world = {"WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes, "MASTER_ADDR": "127.0.0.1"}
    world["MASTER_PORT"] = _free_port()
    group: Any = start_processes(
        _run_rank, (task, world, threads, outboxes), processes, join=False, daemon=True, start_method="spawn"
    )
    for outbox in outboxes:
        outbox.close()
    with _signals_passed_on(group.processes) as received:
        messages, failed = _supervise(group, inboxes)
    return _result(messages, [process.exitcode for process in group.processes], failed, received)


def _supervise(group: Any, inboxes: Sequence[Connection]) -> tuple[list[dict[str, Any]], int | None]:
    """Messages of each rank by kind, and the first rank that failed."""
    from torch.multiprocessing import ProcessExitedException

    messages: list[dict[str, Any]] = [{} for _ in inboxes]
    failed, done = None, False
    while not done:
        try:
            done = group.join(timeout=0.1, grace_period=GRACE)
        except ProcessExitedException as error:
            failed, done = error.error_index, True
        for inbox, message in zip(inboxes, messages, strict=True):
            with suppress(EOFError, OSError):  # the process has ended
                while inbox.poll():
                    kind, value = inbox.recv()
                    message[kind] = value
    return messages, failed


def _result(messages: list[dict[str, Any]], codes: list[int], failed: int | None, received: list[int]) -> Any:
    """The result of rank 0, or the error that explains most."""
    errors = {rank: message["error"] for rank, message in enumerate(messages) if "error" in message}
    for error in errors.values():
        if not isinstance(error, ProcessLost):
            raise error
    if received:
        raise KeyboardInterrupt if received[-1] == signal.SIGINT else SystemExit(128 + received[-1])
    silent = [rank for rank, code in enumerate(codes) if code and rank not in errors]
    if silent:
        rank = failed if failed in silent else silent[0]
        raise _lost(rank, codes, errors, begun=any("begun" in message for message in messages))
    if errors:
        raise errors[min(errors)]
    return pickle.loads(messages[0]["result"])  # from the process that was started here


def _lost(rank: int, codes: list[int], errors: dict[int, BaseException], *, begun: bool) -> TrainingError:
    code = codes[rank]
    how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
    problem = f"process {rank} of {len(codes)} {how}"
    if not begun:
        guard = 'call it under if __name__ == "__main__": in a script that trains in several processes'
        return TrainingError(f"{problem} before it began", guard)
    if not errors:
        return TrainingError(problem, "see what it printed")
    first = errors[min(errors)].finding  # type: ignore[attr-defined]  # all of them are ProcessLost
    return TrainingError(Text(f"{problem}; ") + first.problem, first.remedy)


@contextmanager
def _signals_passed_on(processes: Sequence[Any]) -> Iterator[list[int]]:
    """Pass Ctrl-C and SIGTERM on to the processes, which finish their step and save; gives the signals received."""
    received: list[int] = []
    before: dict[int, Any] = {}

    def pass_on(number: int, frame: Any) -> None:
        received.append(number)
        for process in processes:
            if process.is_alive() and process.pid:
                os.kill(process.pid, number)

    if threading.current_thread() is threading.main_thread():
        before = {number: signal.signal(number, pass_on) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def packed(option: str, task: Any) -> bytes:
    """A task as another process gets it.

    Args:
        option: that needs the processes, for the message.
        task: functions and their arguments.

    Raises:
        SettingError: a part of it cannot be pickled.
    """
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SettingError(
            Arg(option) + f": the task cannot be passed to other processes ({error})",
            "define your own functions and classes, such as an optimizer, at the top of a module",
        ) from error


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# ── the processes ────────────────────────────────────────────────────────────────────────────────────────────────────
def _run_rank(rank: int, task: bytes, world: dict[str, Any], threads: int, outboxes: Sequence[Connection]) -> NoReturn:
    """Run the task as one rank and send its result or error to the parent."""
    os.setpgid(0, 0)  # Ctrl-C in a terminal arrives once, from the parent
    os.environ.update({name: str(value) for name, value in {**world, "RANK": rank, "LOCAL_RANK": rank}.items()})
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    torch.set_num_threads(threads)
    send = outboxes[rank].send
    send(("begun", None))
    code = 1
    try:
        function, args = pickle.loads(task)  # from the parent
        result = function(*args)
        if rank == 0:
            send(("result", pickle.dumps(result)))
        code = 0
    except (GatecastError, KeyboardInterrupt, SystemExit) as error:
        send(("error", error))
    except BaseException:
        send(("error", RuntimeError(f"in process {rank}: {traceback.format_exc()}")))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)  # without waiting for unfinished collective operations
