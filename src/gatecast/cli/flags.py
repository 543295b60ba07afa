"""Options shared by the commands. ``--net.…`` and ``--fit.…`` are the fields of NetConfig and FitConfig themselves."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import Field, dataclass, field, fields, make_dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args, get_type_hints

from cyclopts import Group, Parameter, Token

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import HORIZON, check_value
from gatecast.data.schema import Schema
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig
from gatecast.training.own_files import FIRST, require_own_files

BASIC = Group("Main options", sort_key=1)
DATA = Group("Data", sort_key=2)
MODEL = Group("Model", sort_key=3)
OUTPUT = Group("Output", sort_key=4)
NET = Group("Network (fields of NetConfig)", sort_key=5)
FIT = Group("Training (fields of FitConfig)", sort_key=6)

LEVELS = (80.0, 95.0)
DEFAULT_OUT = Path("gatecast-out")


def split_commas(kind: Callable[[str], Any]) -> Callable[[Any, Sequence[Token]], tuple[Any, ...]]:
    """A converter for ``--known a,b`` and ``--known a --known b`` alike."""

    def convert(type_: Any, tokens: Sequence[Token]) -> tuple[Any, ...]:
        parts = [part.strip() for token in tokens for part in token.value.split(",")]
        return tuple(kind(part) for part in parts if part)

    return convert


def several(kind: Callable[[str], Any], help: str, group: Group) -> Parameter:
    """An option of several values, separated by commas or given one by one; the help text names the default."""
    return Parameter(help=help, group=group, converter=split_commas(kind), negative=(), n_tokens=1, show_default=False)


def switch(help: str, group: Group) -> Parameter:
    """An option that is on where it is given."""
    return Parameter(help=help, group=group, negative=(), show_default=False)


File = Annotated[Path, Parameter(help="CSV, TSV (also .gz) or Parquet file; -: standard input.", group=BASIC)]
Horizon = Annotated[int, Parameter(help="Steps ahead.", group=BASIC)]
Levels = Annotated[
    tuple[float, ...], several(float, "Interval levels in percent: --levels 50,90. [default: 80,95]", BASIC)
]
Future = Annotated[Path | None, Parameter(help="File with the known covariates of the steps ahead.", group=DATA)]
Out = Annotated[Path, Parameter(help="Folder for the results.", group=OUTPUT)]


@Parameter(name="*")
@dataclass(frozen=True)
class ShowFlags:
    """What is printed."""

    json: Annotated[bool, switch("Print one JSON document and nothing else.", OUTPUT)] = False
    quiet: Annotated[bool, switch("Print errors only.", OUTPUT)] = False


@Parameter(name="*")
@dataclass(frozen=True)
class OutputFlags(ShowFlags):
    """What is printed, and what may be overwritten."""

    overwrite: Annotated[
        bool,
        switch("Replace files in the folder that gatecast did not write.", OUTPUT),
    ] = False


@Parameter(name="*")
@dataclass(frozen=True)
class ModelFlags:
    """The model and its main options."""

    model: Annotated[
        str,
        Parameter(
            help="lstm, zeroshot, auto (the model that the backtest recommends), ensemble (a weighted blend of the "
            "best), naive, seasonal-naive, drift, mean, linear, ets, arima or theta.",
            group=MODEL,
        ),
    ] = "lstm"
    context: Annotated[int | None, Parameter(help="Rows of history that the network sees.", group=MODEL)] = None
    head: Annotated[
        str,
        Parameter(
            help="quantiles, normal, student, negative_binomial or poisson (counts), tweedie (amounts with zeros) or "
            "point; auto: quantiles, and point where a loss is given.",
            group=MODEL,
        ),
    ] = "auto"
    loss: Annotated[
        str | None,
        Parameter(
            help="Loss of a point forecast: mae, mse, huber(delta=0.5), log_cosh, quantile(probability=0.9), "
            "mase, mape, msle, tweedie …",
            group=MODEL,
        ),
    ] = None
    scaler: Annotated[
        str, Parameter(help="auto, standard, last, shift, robust, mean_abs, log1p, none.", group=MODEL)
    ] = "auto"
    members: Annotated[
        int, Parameter(help="Networks with different seeds, whose quantiles are averaged.", group=MODEL)
    ] = 1
    seed: Annotated[int, Parameter(help="Random seed.", group=MODEL)] = 1


def flags_of(config: type, group: Group, leave_out: Sequence[str] = ()) -> Any:
    """A dataclass of command-line flags with the fields, types, defaults and help texts of a config dataclass."""
    hints = get_type_hints(config)

    def flag(one: Field[Any]) -> tuple[str, Any, Any]:
        note = Parameter(help=_help_of(one), group=group, negative=None)
        return one.name, Annotated[_typed_as(hints[one.name]), note], field(default=one.default)

    wanted = [flag(one) for one in fields(config) if one.name not in leave_out]
    return make_dataclass(f"{config.__name__}Flags", wanted, frozen=True, namespace={"__module__": __name__})


def _typed_as(hint: Any) -> Any:
    """The type of a flag: an option that takes a name or an object takes the name."""
    kinds = get_args(hint)
    objects = [kind for kind in kinds if isinstance(kind, type) and kind.__module__.startswith("gatecast.")]
    return str if str in kinds and objects else hint


def _help_of(one: Field[Any]) -> str:
    """The help text of an option as a sentence, with its numeric bounds."""
    bounds = one.metadata["bounds"]
    return _sentence(one.metadata["help"]) + (f" ({bounds})" if str(bounds) and not bounds.one_of else "")


def _sentence(text: str) -> str:
    value = text.partition(" ")[0].endswith((":", ";", ","))  # "segment: …", "cpu, cuda …" begin with a value
    first = text if value else text[:1].upper() + text[1:]
    return first + ("" if text.endswith(".") else ".")


def _data_flag(one: Field[Any]) -> tuple[str, Any, Any]:
    """A field of :class:`Schema` as an option; names are given with commas, choices by name."""
    help, choices = one.metadata["help"], one.metadata["bounds"].one_of
    if "tuple" in str(one.type) or "Names" in str(one.type):
        return one.name, Annotated[tuple[str, ...], several(str, help, DATA)], field(default=())
    kind: Any = Literal[choices] if choices else int if "int" in str(one.type) else str
    hint = kind if one.default is not None else kind | None
    return one.name, Annotated[hint, Parameter(help=help, group=DATA)], field(default=one.default)


_COUNT_ROWS = Parameter(help="Count the rows: no column holds times.", group=DATA, negative=())
_NO_TIME: Any = ("no_time", Annotated[bool, _COUNT_ROWS], field(default=False))
DataFlags: Any = Parameter(name="*")(
    make_dataclass(
        "DataFlags",
        [*(_data_flag(one) for one in fields(Schema) if "help" in one.metadata), _NO_TIME],
        frozen=True,
        namespace={"__module__": __name__, "__doc__": "How the file is read; what is not given is found."},
    )
)
NetFlags = flags_of(NetConfig, NET)
FitFlags = flags_of(FitConfig, FIT, leave_out=("progress",))
_LSTM = {"model": ModelFlags, "net": NetFlags, "fit": FitFlags}
LSTMFlags: Any = Parameter(name="*")(
    make_dataclass(
        "LSTMFlags",
        [(name, kind, field(default=kind())) for name, kind in _LSTM.items()],
        frozen=True,
        namespace={"__module__": __name__, "__doc__": "The model, its network (--net.…) and its training (--fit.…)."},
    )
)


def net_config(flags: Any) -> NetConfig:
    """The NetConfig of ``--net.…``.

    Raises:
        SettingError: an option is out of its bounds, or is about segments where a row is one step.
    """
    config = NetConfig(**vars(flags))
    kind = Arg("kind", config.kind, of="NetConfig")
    for name in ("segment", "embedding"):
        value = getattr(config, name)
        if value is not None and config.kind not in ("auto", "segment"):
            option = Arg(name, value, of="NetConfig")
            remedy = "leave " + Arg(name, of="NetConfig") + " out, or take " + Arg("kind", "segment", of="NetConfig")
            raise SettingError(option + " is about segments, and " + kind + " has none", remedy)
    return config


def fit_config(flags: Any, *, progress: bool | None) -> FitConfig:
    """The FitConfig of ``--fit.…``; its checkpoint and log must not replace other files.

    Raises:
        SettingError: an option is out of its bounds, or names a file that gatecast did not write.
    """
    config = FitConfig(**vars(flags), progress=progress)
    require_own_files(config, FIRST)
    return config


def check_horizon(horizon: int) -> int:
    """Validate ``--horizon``."""
    check_value(Arg("horizon"), horizon, "int", HORIZON)
    return horizon
