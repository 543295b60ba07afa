"""Independent jobs, one after the other, over local processes, or over a Ray cluster: the results are the same.

Each job runs with as many PyTorch threads as its caller has, so that a sum comes out to the same last bit wherever it
is formed. What travels is the panel, the settings and the results: between local processes and to Ray as Python objects
(pickle and cloudpickle, a transport between processes of one user, never a file).
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from gatecast.base.errors import GatecastError, SettingError, require
from gatecast.training.launch import packed

Workers = int | str | None
Job = Callable[..., Any]


def spread(function: Job, shared: Any, jobs: Sequence[tuple[Any, ...]], *, workers: Workers = None) -> Iterator[Any]:
    """``function(shared, *job)`` of every job, in the order of the jobs.

    Args:
        function: of a module, so that another process finds it.
        shared: what every job needs; sent once to each process.
        jobs: the other arguments.
        workers: None: in this process; a number of local processes; ``"ray"``: the Ray cluster that this program is
            connected to, that ``RAY_ADDRESS`` names, or else one started on this machine.

    Raises:
        SettingError: no such kind of workers, or something that cannot be handed to other processes.
        GatecastError: a worker died.
    """
    check_workers(workers)
    if workers is None or len(jobs) < 1:
        return (function(shared, *job) for job in jobs)
    threads = _threads()
    if workers == "ray":
        return _over_ray(function, shared, jobs, threads)
    return _over_processes(function, shared, jobs, threads, min(int(workers), len(jobs)))


def check_workers(workers: Workers) -> None:
    """``None``, ``"ray"`` or a number of processes.

    Raises:
        SettingError: something else.
        MissingExtraError: Ray was asked for and is not installed.
    """
    if workers == "ray":
        require("ray", extra="ray", purpose="workers='ray'")
    elif workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
        raise SettingError(f"workers must be None, a number of processes of at least 1, or 'ray'; got {workers!r}")


def _threads() -> int | None:
    """Threads of PyTorch, where it is loaded."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else None


def _alike(threads: int | None) -> None:
    """Let this process count as its caller does."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


# ── local processes ───────────────────────────────────────────────────────────────────────────────────────────────
_TASK: list[Any] = []  # function, what its jobs share, and the jobs, in a process that runs them


def _begin(task: bytes, threads: int | None) -> None:
    _alike(threads)
    _TASK[:] = pickle.loads(task)  # by the process that started this one


def _one(place: int) -> Any:
    function, shared, jobs = _TASK
    with _errors_that_travel():
        return function(shared, *jobs[place])


@contextmanager
def _errors_that_travel() -> Iterator[None]:
    """An error that another process could not make again (its constructor takes other arguments) goes as its text."""
    try:
        yield
    except Exception as error:
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            raise GatecastError(f"{type(error).__name__}: {error}") from error
        raise


def _over_processes(
    function: Job, shared: Any, jobs: Sequence[tuple[Any, ...]], threads: int | None, count: int
) -> Iterator[Any]:
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    task = packed("workers", (function, shared, jobs))
    fresh = multiprocessing.get_context("spawn")  # a forked process would inherit locks of PyTorch's threads
    with ProcessPoolExecutor(count, fresh, _begin, (task, threads)) as pool:
        waiting = [pool.submit(_one, place) for place in range(len(jobs))]
        try:
            for one in waiting:
                yield one.result()
        except BrokenProcessPool as error:
            raise GatecastError(
                "a worker process died, perhaps for want of memory: take fewer workers, or workers=None; a script that "
                "starts processes runs its own work under if __name__ == '__main__':"
            ) from error
        finally:
            for one in waiting:
                one.cancel()


# ── Ray ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def _over_ray(function: Job, shared: Any, jobs: Sequence[tuple[Any, ...]], threads: int | None) -> Iterator[Any]:
    ray = require("ray", extra="ray", purpose="workers='ray'")
    if not ray.is_initialized():
        own = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        ray.init(log_to_driver=False, logging_level="ERROR", **own)

    run, known = ray.remote(_on_ray), ray.put(ray.cloudpickle.dumps(shared))
    # After an error the other jobs run to their end: Ray aborts its caller where one ends while it is being cancelled.
    waiting = [run.remote(function, known, job, threads) for job in jobs]
    try:
        for one in waiting:
            yield ray.cloudpickle.loads(ray.get(one))
    except ray.exceptions.RayTaskError as error:
        if isinstance(error.cause, Exception):
            raise error.cause from error
        raise GatecastError(f"a job on Ray failed: {str(error).strip()[:300]}") from error
    except ray.exceptions.RayError as error:
        raise GatecastError(f"a Ray worker died ({type(error).__name__}: {str(error).strip()[:300]})") from error


def _on_ray(function: Job, known: bytes, job: tuple[Any, ...], threads: int | None) -> bytes:
    """One job. Objects travel as bytes: Ray's own lie in its memory, and their arrays cannot be written to."""
    from ray import cloudpickle

    _alike(threads)
    with _errors_that_travel():
        return cloudpickle.dumps(function(cloudpickle.loads(known), *job))
