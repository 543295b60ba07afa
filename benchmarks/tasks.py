"""The three tasks that every library gets: air passengers, M4 hourly, ETTh1. Needs NumPy alone.

The parent writes a task to one ``.npz`` file; the workers read that file, so all libraries see the same numbers.
"""

from __future__ import annotations

import csv
import gzip
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np

ETT_TRAIN, ETT_TEST, ETT_STRIDE = 11_520, 2_880, 24  # 12 + 4 months, then 4 months, of 30 days; an origin a day


ETT_CHANNELS = ("HUFL", "HULL", "MUFL", "MULL", "LUFL", "LULL", "OT")


@dataclass(frozen=True)
class Task:
    """Series up to the first origin, and what came after it.

    Args:
        name: name in the tables.
        metric: what its accuracy is measured in: ``"MASE"`` or ``"MSE"`` (of values scaled by the training rows).
        horizon, context, season: in steps; ``context`` is what the peers get, gatecast's own default may differ.
        freq: pandas alias; all series begin at ``start``.
        ids: ``(series,)`` names.
        train: one ``(time,)`` array a series.
        test: ``(series, time)``: ``horizon`` rows, or more where the task has later origins too.
        stride: distance of two origins in ``test``.
    """

    name: str
    metric: str
    horizon: int
    context: int
    season: int
    freq: str
    start: str
    ids: list[str]
    train: list[np.ndarray]
    test: np.ndarray
    stride: int = 1

    @property
    def origins(self) -> list[int]:
        """Rows of ``test`` before each origin: ``[0]``, or one every ``stride`` rows."""
        return list(range(0, self.test.shape[1] - self.horizon + 1, self.stride))

    def score(self, forecasts: np.ndarray) -> float:
        """Accuracy of ``(origins, series, horizon)`` forecasts in the task's metric."""
        actual = np.stack([self.test[:, o : o + self.horizon] for o in self.origins])
        error = forecasts - actual
        if not np.isfinite(error).all():
            return float("nan")
        if self.metric == "MSE":
            return float(np.square(error).mean())
        scale = np.array([np.abs(y[self.season :] - y[: -self.season]).mean() for y in self.train])
        return float((np.abs(error).mean(axis=(0, 2)) / scale).mean())

    def naive(self) -> np.ndarray:
        """``(origins, series, horizon)`` seasonal naive forecasts: the yardstick."""
        steps = np.arange(self.horizon) % self.season
        rows = [
            [np.concatenate([y, t[:o]])[-self.season :][steps] for y, t in zip(self.train, self.test, strict=True)]
            for o in self.origins
        ]
        return np.array(rows)

    def save(self, path: Path) -> None:
        """Write everything to ``path`` (.npz, no pickle)."""
        plain = {n: getattr(self, n) for n in _PLAIN}
        lengths = np.array([len(y) for y in self.train])
        np.savez(
            path, ids=np.array(self.ids), lengths=lengths, train=np.concatenate(self.train), test=self.test, **plain
        )


_PLAIN = ("name", "metric", "horizon", "context", "season", "freq", "start", "stride")


def load(path: str | Path) -> Task:
    """Read what :meth:`Task.save` wrote."""
    with np.load(path) as file:
        plain = {name: file[name].item() for name in _PLAIN}
        train = np.split(file["train"], np.cumsum(file["lengths"])[:-1])
        return Task(ids=[str(i) for i in file["ids"]], train=train, test=file["test"], **plain)


def data_folder() -> Path:
    """Folder with the public data sets: ``GATECAST_DATA``, or ``../shared/data`` beside the checkout."""
    folder = Path(os.environ.get("GATECAST_DATA") or Path(__file__).resolve().parents[2] / "shared" / "data")
    if not folder.is_dir():
        raise SystemExit(f"no data at {folder}; set GATECAST_DATA to a folder with classics/, m4_hourly/ and ett/")
    return folder


def air_file() -> Path:
    """The CSV of the air passengers."""
    return data_folder() / "classics" / "airline-passengers.csv"


def air() -> Task:
    """Monthly air passengers, the last year held back."""
    with open(air_file(), newline="") as file:
        values = np.array([float(row[1]) for row in list(csv.reader(file))[1:] if len(row) > 1], np.float32)
    return Task("air passengers", "MASE", 12, 24, 12, "MS", "1949-01-01", ["y"], [values[:-12]], values[None, -12:])


def m4_hourly() -> Task:
    """The 414 hourly series of the M4 competition with their official test values (the M4 gives no dates)."""
    folder = data_folder() / "m4_hourly"
    train, test = (_rows(folder / f"Hourly-{part}.csv.gz") for part in ("train", "test"))
    later = np.stack([test[name] for name in train])
    return Task("M4 hourly", "MASE", 48, 168, 24, "h", "2000-01-01", list(train), list(train.values()), later)


def etth1() -> Task:
    """Seven channels as seven series, scaled by their 12 training months; one origin a day in the test months."""
    values = ett("ETTh1")[: ETT_TRAIN + ETT_TEST]
    values = ((values - values[:8_640].mean(0)) / values[:8_640].std(0)).astype(np.float32).T
    train = [np.ascontiguousarray(v[:ETT_TRAIN]) for v in values]
    return Task(
        "ETTh1",
        "MSE",
        96,
        336,
        24,
        "h",
        "2016-07-01",
        list(ETT_CHANNELS),
        train,
        values[:, ETT_TRAIN:],
        stride=ETT_STRIDE,
    )


def ett(name: str) -> np.ndarray:
    """``(time, 7)`` raw values of ETTh1 or ETTm1."""
    with gzip.open(data_folder() / "ett" / f"{name}.csv.gz", "rt", newline="") as file:
        _, *rows = list(csv.reader(file))
    return np.array([[float(x) for x in row[1:]] for row in rows])


ALL = {"air": air, "m4": m4_hourly, "ett": etth1}


def _rows(path: Path) -> dict[str, np.ndarray]:
    with gzip.open(path, "rt", newline="") as file:
        return {row[0]: np.array([v for v in row[1:] if v], np.float32) for row in list(csv.reader(file))[1:]}
