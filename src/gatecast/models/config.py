"""The shape of a network as data: fields that Python, TOML, the command line and the report all read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.named import did_you_mean
from gatecast.base.options import Float, Int, OneOf, check_options, option

KINDS = ("auto", "segment", "direct", "seq2seq", "recursive")
BASES = ("auto", "mixture", "last", "season", "none")
CELLS = ("lstm", "gru", "rnn")
ACTIVATIONS = (  # the names of gatecast.ops.activations, which loads PyTorch
    *("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh"),
    *("elu", "selu", "gelu", "silu", "softplus", "exponential"),
)


@dataclass(frozen=True)
class NetConfig:
    """Shape of the LSTM network; every default can be left alone.

    The number of features that the recurrent layers read at each step follows from the data (targets, covariates,
    calendar) and is told by ``describe()["input_size"]`` of a fitted model.
    """

    kind: str = option(
        "auto",
        "segment: patches of the context are the recurrent steps; direct: one step a row; seq2seq: encoder and "
        "decoder; recursive: one step ahead, fed back by sampling; auto: segment",
        search=OneOf("segment", "direct", "recursive"),
    )
    cell: str = option(
        "lstm", "lstm; gru: two gates, no cell state; rnn: no gates at all (Elman)", search=OneOf("lstm", "gru")
    )
    hidden_size: int = option(128, "width of the hidden and cell state", search=Int(16, 256, log=True))
    num_layers: int = option(1, "stacked recurrent layers", search=Int(1, 3))
    dropout: float = option(
        0.1,
        "probability of dropping an activation in training (embedding, between layers, output)",
        search=Float(0.0, 0.5),
    )
    input_dropout: float = option(
        0.0, "probability of dropping an input of the recurrent layers, one mask for all steps", search=Float(0.0, 0.4)
    )
    recurrent_dropout: float = option(
        0.0, "probability of dropping an entry of h on its way to the next step, one mask for all", search=Float(0, 0.4)
    )
    zoneout: float = option(
        0.0, "probability that a unit keeps its old state at a step (Krueger 2017)", search=Float(0.0, 0.3)
    )
    activation: str = option(
        "tanh",
        "of the candidate and of the cell: tanh, relu, softsign … (the names of gatecast.ops.activations)",
        search=OneOf("tanh", "relu", "softsign"),
    )
    recurrent_activation: str = option(
        "sigmoid", "of the gates: sigmoid, hard_sigmoid …", search=OneOf("sigmoid", "hard_sigmoid")
    )
    bidirectional: bool = option(False, "let the encoder read the context backwards as well", search=OneOf(False, True))
    go_backwards: bool = option(
        False,
        "let the encoder read the context from the newest row to the oldest, and only so: one direction, as in Keras; "
        "bidirectional reads both ways",
        search=OneOf(False, True),
    )
    bias: bool = option(True, "learn a bias in each gate", search=OneOf(True, False))
    layer_norm: bool = option(
        False, "normalise the gates and the cell at each step (lstm only)", search=OneOf(False, True)
    )
    peephole: bool = option(False, "let the gates see the cell state (lstm only)", search=OneOf(False, True))
    residual: bool = option(False, "add a layer's input to its output, from the second layer on")
    segment: int | None = option(
        None, "rows in one segment (kind=segment); None: about the season, at most the horizon"
    )
    embedding: int | None = option(None, "width of the segment embedding (kind=segment); None: hidden_size")
    id_embedding: int = option(0, "width of a learned vector for each series of a global model; 0 for none")
    base: str = option(
        "auto",
        "what the network corrects: last value, last season, or a mixture of naive forecasts weighted by the LSTM; "
        "none; auto: mixture",
        search=OneOf("mixture", "last", "season"),
    )
    linear: bool = option(
        True,
        "put a linear autoregression, fitted in closed form, among the mixture's forecasts",
        search=OneOf(True, False),
    )
    skip: bool = option(
        False, "add a linear map from the scaled context to the horizon beside the LSTM", search=OneOf(False, True)
    )

    def __post_init__(self) -> None:
        check_options(self)
        _one_of("kind", self.kind, KINDS)
        _one_of("base", self.base, BASES)
        _one_of("cell", self.cell, CELLS)
        for name in ("activation", "recurrent_activation"):
            _one_of(name, getattr(self, name), ACTIVATIONS)
        for name in ("hidden_size", "num_layers"):
            if getattr(self, name) < 1:
                raise SettingError(f"NetConfig.{name} must be at least 1, got {getattr(self, name)}")
        for name in ("dropout", "input_dropout", "recurrent_dropout", "zoneout"):
            if not 0 <= getattr(self, name) < 1:
                raise SettingError(f"NetConfig.{name} is a probability in [0, 1), got {getattr(self, name)}")
        if self.segment is not None and self.segment < 1:
            raise SettingError(f"NetConfig.segment counts rows and must be at least 1, got {self.segment}")
        self._check_reading()
        self._check_cell()

    def _check_reading(self) -> None:
        """The context can be read in the direction that was asked for."""
        if self.kind == "recursive" and self.bidirectional:
            raise SettingError(
                "NetConfig(kind='recursive') reads forwards only: a backward pass would see the values it must "
                "forecast; take bidirectional=False, or kind='seq2seq' for a bidirectional encoder"
            )
        if self.kind == "recursive" and self.go_backwards:
            raise SettingError(
                "NetConfig(kind='recursive') reads forwards only: it goes on from the newest row; take "
                "go_backwards=False, or kind='seq2seq' for an encoder that reads backwards"
            )
        if self.bidirectional and self.go_backwards:
            raise SettingError(
                "NetConfig(bidirectional=True) reads both ways already, and go_backwards=True would only exchange the "
                "two; take one of them"
            )

    def _check_cell(self) -> None:
        """The cell has what was asked for."""
        for name in ("layer_norm", "peephole"):
            if getattr(self, name) and self.cell != "lstm":
                raise SettingError(
                    f"NetConfig.{name}=True is an option of the LSTM, and cell={self.cell!r} has none; take cell='lstm'"
                )
        if self.cell == "rnn" and self.recurrent_activation != "sigmoid":
            raise SettingError(
                f"NetConfig.recurrent_activation={self.recurrent_activation!r} is of the gates, and cell='rnn' has "
                "none; its one function is activation"
            )
        if self.residual and self.num_layers == 1:
            raise SettingError(
                "NetConfig.residual=True adds a layer's input to its output from the second layer on and needs "
                "num_layers of at least 2, got 1"
            )

    def layer_options(self) -> dict[str, Any]:
        """The options of the recurrent layers beside their sizes, bias, dropout and directions: those of the cell."""
        options = {name: getattr(self, name) for name in ("input_dropout", "recurrent_dropout", "zoneout", "residual")}
        if self.cell == "rnn":
            return {**options, "nonlinearity": self.activation}
        options |= {"activation": self.activation, "recurrent_activation": self.recurrent_activation}
        if self.cell == "gru":
            return options
        return {**options, "layer_norm": self.layer_norm, "peephole": self.peephole}


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
        said = f"NetConfig.{name} must be one of {', '.join(allowed)}; got {value!r}"
        raise SettingError(said, did_you_mean(str(value), allowed))
