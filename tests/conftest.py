"""What all tests share: one thread, the folder of development data, where there is one, and a Ray cluster."""

from __future__ import annotations

import os
import signal
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

# Read when PyTorch loads, here and in each process that a test starts. Small tensors gain nothing from a second thread,
# and the threads of two test processes wait for each other's cores: more than twice the CPU time, spent in waiting.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def dev_data() -> Path:
    """Folder of the development data: ``GATECAST_DATA``, or ``../shared/data`` next to the checkout."""
    folder = Path(os.environ.get("GATECAST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no development data in {folder} (set GATECAST_DATA)")
    return folder


@pytest.fixture(scope="module")
def ray_cluster() -> Iterator[None]:
    """Ray with two workers, for the tests of one file; afterwards SIGTERM means what it meant before."""
    ray = pytest.importorskip("ray")
    before = signal.getsignal(signal.SIGTERM)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    yield
    ray.shutdown()
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., tuple[int, str, str]]:
    """Run the command line in an empty folder: exit code, standard output, standard error."""
    from gatecast.cli import main

    monkeypatch.chdir(tmp_path)

    def call(*arguments: object) -> tuple[int, str, str]:
        code = main([str(one) for one in arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return call
