"""Independent jobs one after the other, over local processes (joblib), or over a Ray cluster. The results are equal.

Each job runs with as many PyTorch threads as its caller has, so that sums agree to the last bit wherever they are
formed. Arguments, results and errors travel as bytes: arrays that Ray or joblib shares between processes would be
read-only.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from gatecast.base.errors import GatecastError, SettingError, require
from gatecast.base.findings import Arg

Workers = int | str | None
Job = Callable[..., Any]


def run_jobs(function: Job, shared: Any, jobs: Sequence[tuple[Any, ...]], *, workers: Workers = None) -> Iterator[Any]:
    """``function(shared, *job)`` of every job, in the order of the jobs.

    Args:
        function: called for each job.
        shared: first argument of every job.
        jobs: the other arguments.
        workers: None: in this process; a number of local processes; ``"ray"``: the Ray cluster that this program is
            connected to, that ``RAY_ADDRESS`` names, or else one started on this machine.

    Raises:
        SettingError: ``workers`` is of another kind, or an argument cannot be sent to another process.
        GatecastError: a worker died.
    """
    check_workers(workers)
    if workers is None or not jobs:
        return (function(shared, *job) for job in jobs)
    return _in_parallel(function, shared, jobs, workers)


def check_workers(workers: Workers) -> None:
    """Check that ``workers`` is ``None``, ``"ray"`` or a number of processes.

    Raises:
        SettingError: another value.
        MissingExtraError: Ray is not installed.
    """
    if workers == "ray":
        require("ray", extra="ray", purpose="workers='ray'")
    elif workers is not None and (not isinstance(workers, int) or isinstance(workers, bool) or workers < 1):
        expected = " must be None, a number of processes of at least 1, or 'ray'"
        raise SettingError(Arg("workers") + f"{expected}, got {workers!r}")


def _in_parallel(function: Job, shared: Any, jobs: Sequence[tuple[Any, ...]], workers: int | str) -> Iterator[Any]:
    task, packed = _packed((function, shared)), [_packed(job) for job in jobs]
    results = _on_ray(task, packed) if workers == "ray" else _on_processes(task, packed, int(workers))
    for result in results:
        value, error = pickle.loads(result)  # from a process that was started for this user
        if error is not None:
            raise error
        yield value


def _on_processes(task: bytes, jobs: list[bytes], count: int) -> Iterator[bytes]:
    from joblib import Parallel, delayed
    from joblib.externals.loky.process_executor import BrokenProcessPool

    array, threads = np.frombuffer(task, np.uint8), _threads()  # joblib writes a large array once and maps it
    try:
        yield from Parallel(count, return_as="generator")(delayed(_run)(array, job, threads) for job in jobs)
    except BrokenProcessPool as error:
        remedy = "use fewer " + Arg("workers") + ", or " + Arg("workers", None)
        raise GatecastError("a worker process died, perhaps because memory ran out", remedy) from error


def _on_ray(task: bytes, jobs: list[bytes]) -> Iterator[bytes]:
    """As Ray tasks: their processes stay for later calls, where joblib's back end for Ray starts its own each time."""
    import ray

    if not ray.is_initialized():
        local: dict[str, Any] = {} if os.environ.get("RAY_ADDRESS") else {"include_dashboard": False}
        ray.init(log_to_driver=False, logging_level=logging.ERROR, **local)
    run, known, threads = ray.remote(_run), ray.put(task), _threads()
    # After an error the other jobs run to their end: Ray aborts its caller where one ends while it is being cancelled.
    waiting = [run.remote(known, job, threads) for job in jobs]
    try:
        for one in waiting:
            yield ray.get(one)
    except ray.exceptions.RayError as error:
        raise GatecastError(f"a Ray worker died ({type(error).__name__}: {str(error).strip()[:300]})") from error


def _run(task: Any, job: bytes, threads: int | None) -> bytes:
    """One job, in another process: its result or its error. The task is bytes, or an array of them."""
    if threads is not None:
        import torch

        torch.set_num_threads(threads)
    function, shared = pickle.loads(task)  # from the process that started this one
    try:
        return _packed((function(shared, *pickle.loads(job)), None))
    except Exception as error:
        return _packed((None, _portable(error)))


def _portable(error: Exception) -> Exception:
    """The error itself, or a GatecastError with its text where another process could not unpickle it."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return GatecastError(f"{type(error).__name__}: {error}")
    return error


def _packed(value: Any) -> bytes:
    """The value as bytes, classes and functions of ``__main__`` included."""
    import cloudpickle

    try:
        return cloudpickle.dumps(value)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise SettingError(
            Arg("workers") + f": an argument cannot be sent to other processes ({error})", "use " + Arg("workers", None)
        ) from error


def _threads() -> int | None:
    """Threads of PyTorch, where it is loaded."""
    torch = sys.modules.get("torch")
    return int(torch.get_num_threads()) if torch is not None else None
