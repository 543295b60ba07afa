"""Signals during training wait for the end of the step."""

from __future__ import annotations

import os
import signal
import threading

import pytest

from gatecast.training.interrupt import deferred_stop


@pytest.mark.parametrize(("number", "error"), [(signal.SIGINT, KeyboardInterrupt), (signal.SIGTERM, SystemExit)])
def test_the_first_signal_waits_and_the_second_does_not(number: signal.Signals, error: type[BaseException]) -> None:
    before = signal.getsignal(number)
    with deferred_stop(sigterm=True) as stopped:
        assert stopped() == 0
        os.kill(os.getpid(), number)
        assert stopped() == number
        with pytest.raises(error):
            os.kill(os.getpid(), number)
    assert signal.getsignal(number) == before


def test_sigterm_is_left_alone_where_nothing_could_be_saved() -> None:
    with deferred_stop(sigterm=False):
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL
        assert signal.getsignal(signal.SIGINT) != signal.default_int_handler


def test_a_program_with_its_own_handler_keeps_it() -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: seen.append(number))
    try:
        with deferred_stop(sigterm=True) as stopped:
            os.kill(os.getpid(), signal.SIGTERM)
            assert (seen, stopped()) == ([signal.SIGTERM], 0)
    finally:
        signal.signal(signal.SIGTERM, before)


def test_other_threads_take_no_signals() -> None:
    found: list[int] = []

    def work() -> None:
        with deferred_stop(sigterm=True) as stopped:
            found.append(stopped())

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [0]
