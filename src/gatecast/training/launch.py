"""Several processes for one training: started here on one machine, or by ``torchrun`` on one or several.

Every process runs the same function on the same arguments and finds its place in the variables that ``torchrun`` sets
(``RANK``, ``WORLD_SIZE``, …); :func:`launch` sets the same ones. The first process alone writes and answers.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import GatecastError, SettingError, TrainingError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

    from gatecast.training.config import FitConfig

GRACE = 30.0  # seconds that the others have to notice a lost process, save and leave, before they are ended
_PLACE = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


class ProcessLost(TrainingError):
    """Another process of the run ended or met an error; its own message is the one to read."""


@dataclass(frozen=True)
class World:
    """Where this process stands among the processes of a run.

    Args:
        rank: number of this process, from 0.
        size: processes on all machines.
        local_size: processes on this machine.
    """

    rank: int = 0
    size: int = 1
    local_size: int = 1

    @classmethod
    def here(cls) -> World:
        """By the variables of ``torchrun``; one process where there are none."""
        if any(name not in os.environ for name in _PLACE):
            return cls()
        return cls(*(int(os.environ[name]) for name in ("RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE")))


def settled(config: FitConfig) -> FitConfig:
    """The settings with the numbers of processes of ``torchrun``, where it started this one.

    Raises:
        SettingError: the settings name other numbers, or several machines without ``torchrun``.
    """
    world, asked = World.here(), config.devices * config.nodes
    if world.size == 1:
        if config.nodes > 1:
            raise SettingError(
                f"FitConfig.nodes={config.nodes}: start the program by torchrun on each machine "
                f"(torchrun --nnodes {config.nodes} --nproc-per-node {config.devices} …); it sets devices and nodes"
            )
        return config
    if asked not in (1, world.size):
        raise SettingError(
            f"FitConfig(devices={config.devices}, nodes={config.nodes}) asks for {asked} processes, torchrun started "
            f"{world.size}; leave both out"
        )
    return replace(config, devices=world.local_size, nodes=world.size // world.local_size)


def to_launch(config: FitConfig) -> bool:
    """Whether the processes are still to be started."""
    return config.devices > 1 and World.here().size == 1


# ── the process that starts the others ───────────────────────────────────────────────────────────────────────────────
def launch(function: Callable[..., Any], *args: Any, processes: int, threads: int) -> Any:
    """Run ``function(*args)`` in so many processes at once and give what the first one returns.

    Ctrl-C and SIGTERM are handed on to all of them. When one is lost, the others are given time to save and leave.

    Args:
        function, args: to be pickled on their way to the processes; a script calls this under
            ``if __name__ == "__main__":``, since each process imports it.
        processes: how many.
        threads: CPU threads of each.

    Raises:
        SettingError: something cannot be handed to another process.
        TrainingError: a process was lost.
        GatecastError, KeyboardInterrupt, SystemExit: as a process raised it.
    """
    context, port = multiprocessing.get_context("spawn"), _free_port()
    task, group = packed("devices", (function, args)), _Group()
    try:
        for rank in range(processes):
            answers, pipe = context.Pipe(duplex=False)
            place: dict[str, Any] = {
                "RANK": rank,
                "LOCAL_RANK": rank,
                "WORLD_SIZE": processes,
                "LOCAL_WORLD_SIZE": processes,
            }
            place |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            process = context.Process(target=_work, args=(task, place, threads, pipe), daemon=True)
            process.start()
            pipe.close()
            group.add(process, answers)
        with group.signalled():
            group.gather()
    finally:
        group.end()
    return group.result()


@dataclass
class _Group:
    """The processes of a run, and what they have said.

    Args:
        processes: by rank.
        pipes: what is still listened to, by rank.
        began: ranks that have begun.
        done: what the first process returned.
        errors: what processes raised, by rank.
        lost: how processes ended that said nothing more, by rank.
        signal: that came and was handed on.
    """

    processes: list[SpawnProcess] = field(default_factory=list)
    pipes: dict[int, Connection] = field(default_factory=dict)
    began: set[int] = field(default_factory=set)
    done: bytes | None = None
    errors: dict[int, BaseException] = field(default_factory=dict)
    lost: dict[int, int] = field(default_factory=dict)
    signal: int = 0

    def add(self, process: SpawnProcess, pipe: Connection) -> None:
        """One more process."""
        self.pipes[len(self.processes)] = pipe
        self.processes.append(process)

    def gather(self) -> None:
        """Listen until all have ended, or until some have not ended in time after one was lost."""
        deadline = float("inf")
        while self.pipes and time.monotonic() < deadline:
            ready = wait(list(self.pipes.values()), timeout=0.5)
            for rank in [rank for rank, pipe in self.pipes.items() if pipe in ready]:
                self._listen(rank)
            if (self.errors or self.lost) and deadline == float("inf"):
                deadline = time.monotonic() + GRACE

    def _listen(self, rank: int) -> None:
        """Take one message; a pipe that has closed is a process that has ended."""
        try:
            kind, value = self.pipes[rank].recv()
        except (EOFError, OSError):
            del self.pipes[rank]
            self.processes[rank].join()
            if self.processes[rank].exitcode:
                self.lost[rank] = int(self.processes[rank].exitcode or 0)
            return
        if kind == "began":
            self.began.add(rank)
        elif kind == "done":
            self.done = value
        else:
            self.errors[rank] = _raised(*value)

    @contextmanager
    def signalled(self) -> Iterator[None]:
        """Hand Ctrl-C and SIGTERM on to the processes, which finish their step and save."""
        before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():

            def hand_on(number: int, frame: Any) -> None:
                self.signal = number
                for process in self.processes:
                    if process.is_alive() and process.pid:
                        os.kill(process.pid, number)

            before = {number: signal.signal(number, hand_on) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def end(self) -> None:
        """End whatever still runs."""
        for process in self.processes:
            if process.is_alive():
                process.kill()
            process.join()

    def result(self) -> Any:
        """What the first process returned; or the error that tells most."""
        own = [error for error in self.errors.values() if not isinstance(error, ProcessLost)]
        if own:
            raise own[0]
        if self.signal:
            raise KeyboardInterrupt if self.signal == signal.SIGINT else SystemExit(128 + self.signal)
        lost = {rank: code for rank, code in self.lost.items() if rank not in self.errors}
        if lost:
            raise TrainingError(self._about(*min(lost.items())))
        if self.errors:
            raise min(self.errors.items())[1]
        if self.done is None:
            raise TrainingError(f"the first of {len(self.processes)} processes did not answer in time and was ended")
        return pickle.loads(self.done)  # by the process that was started here

    def _about(self, rank: int, code: int) -> str:
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        what = f"process {rank} of {len(self.processes)} {how}"
        if not self.began:
            return (
                f"{what} before it began; a script that trains in several processes does so under "
                'if __name__ == "__main__":'
            )
        heard = next((str(error) for _, error in sorted(self.errors.items())), "")
        return f"{what}; {heard or 'the run is over'}"


def packed(option: str, task: Any) -> bytes:
    """A task as another process gets it.

    Args:
        option: that asks for the processes, for the message.
        task: functions and what they are called with.

    Raises:
        SettingError: a part of it cannot be handed on.
    """
    try:
        return pickle.dumps(task)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SettingError(
            f"{option}: the task cannot be handed to other processes ({error}); functions and classes of your own, "
            "such as an optimizer, must be defined at the top of a module"
        ) from error


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _raised(kind: type[BaseException], text: str, file: Any) -> BaseException:
    """The error of a process, here."""
    if file is not None:
        return kind(file)
    return SystemExit(int(text)) if kind is SystemExit and text.isdigit() else kind(text)


# ── the processes that are started ───────────────────────────────────────────────────────────────────────────────────
def _work(task: bytes, place: dict[str, Any], threads: int, pipe: Connection) -> None:
    """Take the place, do the task, and say how it went."""
    os.setpgid(0, 0)  # Ctrl-C in a terminal comes once, from the process that started this one
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.environ.update({name: str(value) for name, value in place.items()})
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    import torch

    torch.set_num_threads(threads)
    pipe.send(("began", None))
    try:
        function, args = pickle.loads(task)  # by the process that started this one
        answer = function(*args)
        if place["RANK"] == 0:
            pipe.send(("done", pickle.dumps(answer)))
    except (GatecastError, KeyboardInterrupt, SystemExit) as error:
        pipe.send(("raised", (type(error), str(error), getattr(error, "file", None))))
    except BaseException:
        pipe.send(("raised", (RuntimeError, f"in process {place['RANK']}: {traceback.format_exc()}", None)))
    finally:
        pipe.close()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(0)  # what is left of collective operations is not waited for


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
