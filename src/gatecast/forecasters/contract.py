"""The data contract of a fitted forecaster: the columns it was trained on, checked when it meets other data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np

from gatecast.base.errors import DataError
from gatecast.data.panel import Panel


@dataclass(frozen=True)
class Contract:
    """Names and levels that every panel given to the forecaster must have.

    Args:
        freq: alias of the frequency; "" for integer steps.
        target_names, past_names, known_names, static_names, category_names: columns in order.
        levels: levels of each categorical covariate, in the order of their codes.
        ids: series of training, in order (for models that learn a vector for each series).
        time_name, id_name: columns of the source.
        layout: of the source, as :class:`gatecast.data.panel.Panel` has it; "" where it is not known.
        tz: time zone; None for naive times, "" where it is not known (files of the first models).
        step: distance of two rows where the index is an integer; 0 where it is not known.
    """

    freq: str
    target_names: tuple[str, ...]
    past_names: tuple[str, ...]
    known_names: tuple[str, ...]
    static_names: tuple[str, ...]
    category_names: tuple[str, ...]
    levels: tuple[tuple[str, ...], ...]
    ids: tuple[str, ...]
    time_name: str
    id_name: str
    layout: str = ""
    tz: str | None = ""
    step: int = 0

    @classmethod
    def of(cls, panel: Panel) -> Self:
        """The contract that this panel sets."""
        return cls(
            freq=panel.freq.alias,
            target_names=panel.target_names,
            past_names=panel.past_names,
            known_names=panel.known_names,
            static_names=panel.static_names,
            category_names=panel.category_names,
            time_name=panel.time_name,
            id_name=panel.id_name,
            levels=tuple(tuple(level) for level in panel.levels),
            ids=tuple(map(str, panel.ids)),
            layout=panel.layout,
            tz=panel.tz,
            step=panel.freq.step,
        )

    def to_dict(self) -> dict[str, Any]:
        """As JSON holds it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> Self:
        """From what :meth:`to_dict` gave, through JSON."""
        frozen: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        frozen["levels"] = tuple(tuple(level) for level in fields["levels"])
        return cls(**frozen)

    def adapt(self, panel: Panel) -> Panel:
        """The panel with its categories coded as in training.

        Raises:
            DataError: columns, frequency or time zone differ from training.
        """
        for role in ("target", "past", "known", "static", "category"):
            mine, theirs = getattr(self, f"{role}_names"), getattr(panel, f"{role}_names")
            if mine != theirs:
                raise DataError(
                    f"{panel.source}: the forecaster was fitted with {role} columns {_list(mine)}, this panel has "
                    f"{_list(theirs)}; read it with the same roles ({role}={list(mine)})"
                )
        if panel.freq.alias != self.freq:
            raise DataError(
                f"{panel.source}: the forecaster was fitted on frequency {self.freq or 'integer'!r}, this panel has "
                f"{str(panel.freq)!r}; resample it, or fit a forecaster for it"
            )
        self._require_clock(panel)
        if panel.levels == self.levels:
            return panel
        codes = [
            np.array([*(mine.index(level) if level in mine else -1 for level in theirs), -1])[panel.category[:, column]]
            for column, (mine, theirs) in enumerate(zip(self.levels, panel.levels, strict=True))
        ]
        return replace(panel, category=np.stack(codes, 1), levels=self.levels)

    def _require_clock(self, panel: Panel) -> None:
        """Check the integer step and the time zone."""
        if self.step and panel.freq.is_integer and panel.freq.step != self.step:
            raise DataError(
                f"{panel.source}: the forecaster was fitted on integer steps of {self.step}, this panel has steps of "
                f"{panel.freq.step}; give it rows {self.step} apart, or fit a forecaster for it"
            )
        if self.tz != "" and panel.tz != self.tz:
            remedy = f'read it with tz="{self.tz}"' if self.tz else "read it without time zone"
            raise DataError(
                f"{panel.source}: the forecaster was fitted on {_zone(self.tz)}, this panel has {_zone(panel.tz)}; "
                f"{remedy}, or fit a forecaster for it"
            )

    def places(self, panel: Panel) -> np.ndarray:
        """``(series,)`` position of each series among those of training.

        Raises:
            DataError: naming a series that was not there.
        """
        known = {name: place for place, name in enumerate(self.ids)}
        new = [str(name) for name in panel.ids if str(name) not in known]
        if new:
            raise DataError(
                f"{panel.source}: the forecaster learned a vector for each of its {len(known)} series and has none for "
                f"{new[0]!r}; leave the series out, or fit with NetConfig(id_embedding=0)"
            )
        return np.array([known[str(name)] for name in panel.ids], dtype=np.int64)

    def require_future(self, panel: Panel, horizon: int) -> None:
        """Check that every known covariate is given over the horizon.

        Raises:
            DataError: naming series, columns and times that lack a value.
        """
        if not self.known_names:
            return
        rows = panel.end[:, None] + np.arange(horizon)
        inside = rows < panel.stop[:, None]
        values = np.where(inside[..., None], panel.known[np.where(inside, rows, 0)], np.nan)
        missing = np.argwhere(~np.isfinite(values))
        if not len(missing):
            return
        series, step, _ = missing[0]
        columns = sorted({self.known_names[k] for k in missing[:, 2]})
        when = panel.future_times(horizon)[series]
        raise DataError(
            f"{panel.source}: known covariate{'s' if len(columns) > 1 else ''} {_list(columns)} must be given for all "
            f"{horizon} steps of the forecast; {len(missing)} values are missing, the first for series "
            f"{panel.ids[series]} at {moment(when[step])}. Fill panel.future_frame({horizon}) and pass it as future="
        )


def _zone(tz: str | None) -> str:
    return f"times in {tz}" if tz else "times without a zone"


def _list(names: Any) -> str:
    return ", ".join(map(repr, names)) or "none"


def moment(time: Any) -> str:
    """A time as messages name it."""
    if not isinstance(time, np.datetime64):
        return str(time)
    return str(time.astype("datetime64[m]")).replace("T", " ").removesuffix(" 00:00")
