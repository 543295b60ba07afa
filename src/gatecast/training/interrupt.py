"""Ctrl-C and SIGTERM during training: the step is finished first, since checkpoints hold the state between steps."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

_DEFAULTS: dict[int, Any] = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


@contextmanager
def deferred_stop(*, sigterm: bool) -> Iterator[Callable[[], int]]:
    """A function that returns the signal received, or 0; a second signal stops at once.

    Nothing is deferred outside the main thread, nor a signal that the program handles itself.

    Args:
        sigterm: also defer SIGTERM, which cluster schedulers and ``docker stop`` send; without a checkpoint to save,
            the process may end at once.
    """
    received: list[int] = []

    def receive(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    wanted = (signal.SIGINT, signal.SIGTERM) if sigterm else (signal.SIGINT,)
    main = threading.current_thread() is threading.main_thread()
    deferred = [number for number in wanted if main and signal.getsignal(number) == _DEFAULTS[number]]
    for number in deferred:
        signal.signal(number, receive)
    try:
        yield lambda: received[0] if received else 0
    finally:
        for number in deferred:
            signal.signal(number, _DEFAULTS[number])
