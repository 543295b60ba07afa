"""What a rival of the LSTM layer does in its process: it builds a case, shows its numbers, and takes its turns.

The process reads one JSON object a line and answers each with one: ``{"do": "build", …}`` makes a call of a case and
writes what it gives to an ``.npz`` file; ``{"do": "time", "calls": n}`` runs it ``n`` times. Needs NumPy alone.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
Build = Callable[["Case"], "Call"]

LEARNING_RATE, EPSILON = 1e-3, 1e-8  # of Adam, on all sides
DROP = 0.2  # of recurrent dropout
NORM_EPSILON = 1e-5
NORM_GAIN = 0.5  # of the gates: with 1 the network is chaotic, and float32 cannot follow float64 for 96 steps


@dataclass(frozen=True)
class Case:
    """One call of the layer.

    Args:
        task: ``inference``, ``training`` (forward and backward, the gradient of x too), ``step`` (of a forecaster).
        option: ``""``, ``lengths``, ``recurrent_dropout`` or ``layer_norm``.
        batch, time, input, hidden, layers: sizes.
        given: x ``(batch, time, input)``, grad ``(batch, time, hidden)``, lengths, and weights by PyTorch's names with
            one bias; of a forecaster also target, head_w and head_b.
    """

    task: str
    option: str
    batch: int
    time: int
    input: int
    hidden: int
    layers: int
    given: Arrays

    def weights(self, layer: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """W_ih ``(4 hidden, input)``, W_hh and b of a layer."""
        return tuple(self.given[f"{name}_l{layer}"] for name in ("weight_ih", "weight_hh", "bias_ih"))  # type: ignore[return-value]

    @property
    def mask(self) -> np.ndarray:
        """True where a step counts, ``(batch, time)``."""
        return np.arange(self.time) < self.given["lengths"][:, None]


@dataclass(frozen=True)
class Call:
    """A case in a rival's hands.

    Args:
        run: one call, all of its results there when it returns.
        results: what it gives, to be compared: ``y`` ``(batch, time, hidden)``, in training ``grad_x`` and
            ``grad_w_hh`` (of the first layer), of a forecaster the ``losses`` of its next three steps. Without dropout.
    """

    run: Callable[[], Any]
    results: Callable[[], Arrays]


class NotOffered(Exception):
    """The rival has nothing for this case."""


def serve(builders: dict[str, Build], versions: dict[str, str]) -> None:
    """Answer until the input ends."""
    answers = os.fdopen(os.dup(1), "w")  # what libraries print goes to stderr
    os.dup2(2, 1)
    call: Call | None = None
    _say(answers, {"rivals": list(builders), "versions": versions})
    for line in sys.stdin:
        job = json.loads(line)
        if job.pop("do") == "build":
            name, found = job.pop("rival"), job.pop("found")
            with np.load(job.pop("given")) as file:
                case = Case(**job, given=dict(file))
            try:
                call = builders[name](case)
            except NotOffered as why:
                _say(answers, {"left_out": str(why)})
                continue
            np.savez(found, **call.results())  # type: ignore[arg-type]
            call.run()
            start = time.perf_counter()
            call.run()
            _say(answers, {"seconds": time.perf_counter() - start})
        else:
            assert call is not None
            wall, cpu = time.perf_counter(), time.process_time()
            for _ in range(job["calls"]):
                call.run()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            _say(answers, {"wall": wall / job["calls"], "cpu": cpu / job["calls"]})


def threads() -> int:
    """Threads that this process may use; its cores are already as many."""
    return int(os.environ["OMP_NUM_THREADS"])


def _say(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()
