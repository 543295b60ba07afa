"""What a source means: which column is what, how its cells are written, and the step of its rows.

:func:`gatecast.describe` finds a schema, :func:`gatecast.read` applies one. A model file keeps it, so that new data and
the covariates of the future are read as the training data was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value, option
from gatecast.data.frequency import Frequency

Names = tuple[str, ...]

LAYOUTS = ("auto", "long", "wide", "rows")
DUPLICATES = ("error", "first", "last", "mean", "sum", "min", "max", "median")
AGGREGATES = ("mean", "sum", "min", "max", "median", "first", "last")
_ROLES = ("time", "target", "id", "past", "known", "static", "category")
FORM = ("delimiter", "encoding", "header", "date_format")  # of the text of one file
ORDERS = ("day-first", "month-first", "year-first")


@dataclass(frozen=True)
class Schema:
    """Roles of the columns and form of the cells. None (for the layout ``"auto"``) is left to be found.

    The fields are the arguments of :func:`gatecast.read_panel` and the options of the command line.

    Args:
        levels: for each categorical covariate the names behind its codes.
        indicators: past and known covariates that are text, with their levels: each has a column of 0 and 1.
        given: fields of the form of the text that were given, not found; they hold for other files too.

    Example:
        >>> import gatecast
        >>> schema = gatecast.describe({"day": ["2024-01-01", "2024-01-02"], "sales": [3, 4]})
        >>> schema.time, schema.target, schema.freq.alias
        (('day',), ('sales',), 'D')
    """

    time: Names | None = option(None, "Column of the time, or several that belong together (date,clock).")
    target: Names | None = option(None, "Column(s) to forecast, e.g. --target cases.")
    id: Names | None = option(None, "Column(s) that tell the series apart.")
    past: Names = option((), "Covariates known up to now only.")
    known: Names = option((), "Covariates known in advance (prices, holidays, weather forecasts).")
    static: Names = option((), "Numbers that do not change within a series.")
    category: Names = option((), "Categories that do not change within a series.")
    freq: Frequency | None = option(None, "Frequency: D, h, 15min, MS …; checked.")
    layout: str = option(
        "auto", "long: a row a time and series; wide: a column a series; rows: a row a series.", one_of=LAYOUTS
    )
    missing: tuple[object, ...] = option((), "Further codes for missing values, e.g. --missing=-9999.")
    duplicates: str = option("error", "Rule for rows of the same series and time.", one_of=DUPLICATES)
    resample: Frequency | None = option(None, "Put rows at odd times onto steps of this width: 5min, h, D, MS …")
    aggregate: str = option("mean", "Value of a step that --resample makes of several rows.", one_of=AGGREGATES)
    infinite: str = option(
        "error", "Whether infinite values are an error or missing values.", one_of=("error", "missing")
    )
    tz: str | None = option(None, "Time zone of the clock: Europe/Berlin.")
    date_format: str | None = option(None, "day-first, month-first, year-first or a pattern such as %d.%m.%y.")
    decimal: str | None = option(None, "Decimal sign.", one_of=(".", ","))
    delimiter: str | None = option(None, "Character between the cells.")
    encoding: str | None = option(None, "Encoding of the text: utf-8, cp1252 …")
    header: int | None = option(None, "Line of the column names, counted from 1.", least=1)
    skip_rows: int = option(0, "Rows below the column names to leave out (units, notes).", least=0)
    start: object | None = option(None, "Time of the first row, for data without times.")
    levels: tuple[tuple[str, ...], ...] = ()
    indicators: tuple[tuple[str, Names], ...] = ()
    given: Names = ()

    def __post_init__(self) -> None:
        for one in fields(self):
            bounds, value = one.metadata.get("bounds", Bounds()), getattr(self, one.name)
            if value is not None and bounds != Bounds():
                check_value(Arg(one.name), value, str(one.type).removesuffix(" | None"), bounds)

    # ── names in frames and messages ──────────────────────────────────────────────────────────────────────────────
    @property
    def time_name(self) -> str:
        """Heading of the times; several columns are joined, for display only."""
        if self.time:
            return " + ".join(self.time)
        return "step" if self.freq is None or self.freq.is_integer else "ds"

    @property
    def id_name(self) -> str:
        """Heading of the series' names; several columns are joined, for display only. "" for one series."""
        return "/".join(self.id or ()) or ("series" if self.layout in ("wide", "rows") else "")

    @property
    def target_names(self) -> Names:
        """Names of the targets: in a table with a column a series, all series are values of one target."""
        several = self.layout == "wide" and len(self.target or ()) != 1
        return ("y",) if several or not self.target else self.target

    @property
    def covariates(self) -> Names:
        """All columns of covariates."""
        return (*self.past, *self.known, *self.static, *self.category)

    @property
    def roles(self) -> dict[str, Names]:
        """Columns by role, those still to be found left out."""
        return {role: getattr(self, role) for role in _ROLES if getattr(self, role)}

    def source_of(self, covariate: str) -> str:
        """The column of the source that a covariate is made of: ``promo`` for ``promo=small``."""
        made = {indicator_name(column, level): column for column, levels in self.indicators for level in levels}
        return made.get(covariate, covariate)

    # ── other files ───────────────────────────────────────────────────────────────────────────────────────────────
    def portable(self) -> Schema:
        """The schema for another file with the same columns.

        Delimiter, encoding, header line, date pattern and frequency are found anew in each file, unless they were
        given. An order of day and month is kept, and so are the frequency and start of rows without times.
        """
        counted = self.time == () and self.layout != "rows"
        changes: dict[str, Any] = {name: None for name in FORM if name not in self.given}
        if self.date_format in ORDERS:
            changes.pop("date_format", None)
        return replace(self, **changes) if counted else replace(self, **changes, freq=None, start=None)

    def to_dict(self) -> dict[str, Any]:
        """The schema as plain JSON; fields at their defaults are left out."""
        plain = asdict(self)
        if self.start is not None:
            plain["start"] = str(self.start)
        plain["missing"] = [code if isinstance(code, str | int | float) else str(code) for code in self.missing]
        usual = asdict(Schema())
        return {name: value for name, value in plain.items() if value != usual[name] and value != []}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """The schema that :meth:`to_dict` wrote."""
        plain: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
        }
        for name in ("freq", "resample"):
            if plain.get(name) is not None:
                plain[name] = Frequency(**{**plain[name], "seasons": tuple(plain[name]["seasons"])})
        if "levels" in plain:
            plain["levels"] = tuple(map(tuple, plain["levels"]))
        if "indicators" in plain:
            plain["indicators"] = tuple((name, tuple(levels)) for name, levels in plain["indicators"])
        return cls(**plain)


def indicator_name(column: str, level: str) -> str:
    """Name of the column of 0 and 1 that stands for a level of a covariate of text."""
    return f"{column}={level}"
