"""Ctrl-C and SIGTERM during training: the step is finished first, so that what is saved is the state between two."""

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
    """A function that gives the signal that came, or 0; one that comes a second time stops at once.

    Outside the main thread, and where the program handles a signal itself, nothing is deferred.

    Args:
        sigterm: also wait for SIGTERM, by which schedulers of clusters and ``docker stop`` end a process; without
            anything to save it may as well end at once.
    """
    came: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1:
            raise KeyboardInterrupt if number == signal.SIGINT else SystemExit(128 + number)

    wanted = (signal.SIGINT, signal.SIGTERM) if sigterm else (signal.SIGINT,)
    main = threading.current_thread() is threading.main_thread()
    own = [number for number in wanted if main and signal.getsignal(number) == _DEFAULTS[number]]
    for number in own:
        signal.signal(number, note)
    try:
        yield lambda: came[0] if came else 0
    finally:
        for number in own:
            signal.signal(number, _DEFAULTS[number])
