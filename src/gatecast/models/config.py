"""The shape of a network as data: fields that Python, TOML, the command line and the report all read."""

from __future__ import annotations

from dataclasses import dataclass

from gatecast.errors import SettingError
from gatecast.option import option

KINDS = ("auto", "segment", "direct", "seq2seq", "recursive")
BASES = ("auto", "mixture", "last", "season", "none")


@dataclass(frozen=True)
class NetConfig:
    """Shape of the LSTM network; every default can be left alone."""

    kind: str = option(
        "auto",
        "segment: patches of the context are the recurrent steps; direct: one step a row; seq2seq: encoder and "
        "decoder; recursive: one step ahead, fed back by sampling; auto: segment",
    )
    hidden_size: int = option(128, "width of the hidden and cell state")
    num_layers: int = option(1, "stacked LSTM layers")
    dropout: float = option(
        0.1, "probability of dropping an activation in training (embedding, between layers, output)"
    )
    bidirectional: bool = option(False, "let the encoder read the context backwards as well")
    bias: bool = option(True, "learn a bias in each gate")
    segment: int | None = option(
        None, "rows in one segment (kind=segment); None: about the season, at most the horizon"
    )
    embedding: int | None = option(None, "width of the segment embedding (kind=segment); None: hidden_size")
    id_embedding: int = option(0, "width of a learned vector for each series of a global model; 0 for none")
    base: str = option(
        "auto",
        "what the network corrects: last value, last season, or a mixture of naive forecasts weighted by the LSTM; "
        "none; auto: mixture",
    )
    linear: bool = option(True, "put a linear autoregression, fitted in closed form, among the mixture's forecasts")
    skip: bool = option(False, "add a linear map from the scaled context to the horizon beside the LSTM")

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, KINDS)
        _one_of("base", self.base, BASES)
        for name in ("hidden_size", "num_layers"):
            if getattr(self, name) < 1:
                raise SettingError(f"NetConfig.{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.dropout < 1:
            raise SettingError(f"NetConfig.dropout is a probability in [0, 1), got {self.dropout}")
        if self.segment is not None and self.segment < 1:
            raise SettingError(f"NetConfig.segment counts rows and must be at least 1, got {self.segment}")
        if self.kind == "recursive" and self.bidirectional:
            raise SettingError(
                "NetConfig(kind='recursive') reads forwards only: a backward pass would see the values it must "
                "forecast; take bidirectional=False, or kind='seq2seq' for a bidirectional encoder"
            )


@dataclass(frozen=True)
class Shapes:
    """What a network must know about the data besides its configuration.

    Args:
        context, horizon, targets: rows seen, rows to forecast, target columns.
        past_inputs, future_inputs: covariate and calendar columns over context and horizon.
        statics: static numeric columns.
        levels: number of levels of each categorical covariate (one more stands for unseen ones).
        series: number of training series (for ``id_embedding``).
        outputs: raw outputs of the head for each target and step.
        seasons: season lengths in rows that fit the context, shortest first; empty for none.
        lags: rows that the linear autoregression among the bases looks at; 0 for none.
        flags: feed whether a value was missing.
    """

    context: int
    horizon: int
    targets: int = 1
    past_inputs: int = 0
    future_inputs: int = 0
    statics: int = 0
    levels: tuple[int, ...] = ()
    series: int = 1
    outputs: int = 1
    seasons: tuple[int, ...] = ()
    lags: int = 0
    flags: bool = False


def _one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise SettingError(f"NetConfig.{name} must be one of {', '.join(allowed)}; got {value!r}")
