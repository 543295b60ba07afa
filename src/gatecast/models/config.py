"""Shape of a network as options, which Python, TOML, the command line and the report read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import UNSET, Arg
from gatecast.base.options import Float, Int, OneOf, check_options, option
from gatecast.base.suggest import suggests

KINDS = ("auto", "segment", "direct", "seq2seq", "recursive")
BASES = ("auto", "mixture", "last", "season", "none")
CELLS = ("lstm", "gru", "rnn")
ACTIVATIONS = (  # the names of gatecast.ops.activations, which loads PyTorch
    *("tanh", "sigmoid", "relu", "hard_sigmoid", "softsign", "linear", "hard_tanh"),
    *("elu", "selu", "gelu", "silu", "softplus", "exponential"),
)


def _probability(default: float, help: str, highest: float) -> Any:
    """An option that is a probability, searched up to ``highest``."""
    return option(default, help, least=0, below=1, search=Float(0.0, highest))


def _switch(default: bool, help: str) -> Any:
    """An option that a search tries both ways, the default first."""
    return option(default, help, search=OneOf(default, not default))


def _net(name: str, value: Any = UNSET) -> Arg:
    return Arg(name, value, of="NetConfig")


@suggests()
@dataclass(frozen=True)
class NetConfig:
    """Shape of the LSTM network; every default can be left alone.

    The number of features that the recurrent layers read at each step follows from the data (targets, covariates,
    calendar); ``describe()["input_size"]`` of a fitted model gives it.
    """

    kind: str = option(
        "auto",
        "segment: patches of the context are the recurrent steps; direct: one step a row; seq2seq: encoder and "
        "decoder; recursive: one step ahead, fed back by sampling; auto: segment",
        one_of=KINDS,
        search=OneOf("segment", "direct", "recursive"),
    )
    cell: str = option(
        "lstm",
        "lstm; gru: two gates, no cell state; rnn: no gates at all (Elman)",
        one_of=CELLS,
        search=OneOf("lstm", "gru"),
    )
    hidden_size: int = option(
        128, "width of the hidden and cell state", least=1, limit=16_384, search=Int(16, 256, log=True)
    )
    num_layers: int = option(1, "stacked recurrent layers", least=1, limit=100, search=Int(1, 3))
    dropout: float = _probability(
        0.1, "probability of dropping an activation in training (embedding, between layers, output)", 0.5
    )
    input_dropout: float = _probability(
        0.0, "probability of dropping an input of the recurrent layers, one mask for all steps", 0.4
    )
    recurrent_dropout: float = _probability(
        0.0, "probability of dropping an entry of h on its way to the next step, one mask for all steps", 0.4
    )
    zoneout: float = _probability(0.0, "probability that a unit keeps its previous state at a step (Krueger 2017)", 0.3)
    activation: str = option(
        "tanh",
        "activation of the candidate and the cell: tanh, relu, softsign … (the names of gatecast.ops.activations)",
        one_of=ACTIVATIONS,
        search=OneOf("tanh", "relu", "softsign"),
    )
    recurrent_activation: str = option(
        "sigmoid",
        "activation of the gates: sigmoid, hard_sigmoid …",
        one_of=ACTIVATIONS,
        search=OneOf("sigmoid", "hard_sigmoid"),
    )
    bidirectional: bool = _switch(False, "let the encoder read the context backwards as well")
    go_backwards: bool = _switch(
        False,
        "let the encoder read the context from the newest row to the oldest only, as in Keras; bidirectional reads "
        "both ways",
    )
    bias: bool = _switch(True, "learn a bias in each gate")
    layer_norm: bool = _switch(False, "normalise the gates and the cell at each step (lstm only)")
    peephole: bool = _switch(False, "let the gates see the cell state (lstm only)")
    residual: bool = option(False, "add a layer's input to its output, from the second layer on")
    segment: int | None = option(
        None, "rows in one segment (kind=segment); None: about the season, at most the horizon", least=1, limit=100_000
    )
    embedding: int | None = option(
        None, "width of the segment embedding (kind=segment); None: hidden_size", least=1, limit=16_384
    )
    id_embedding: int = option(
        0, "width of a learned vector for each series of a global model; 0: no vector", least=0, limit=16_384
    )
    base: str = option(
        "auto",
        "what the network corrects: last value, last season, or a mixture of naive forecasts weighted by the LSTM; "
        "none; auto: mixture",
        one_of=BASES,
        search=OneOf("mixture", "last", "season"),
    )
    linear: bool = _switch(True, "add a linear autoregression, fitted in closed form, to the mixture's forecasts")
    skip: bool = _switch(False, "add a linear map from the scaled context to the horizon to the LSTM's output")

    def __post_init__(self) -> None:
        check_options(self)
        self._check_direction()
        self._check_cell()

    def _check_direction(self) -> None:
        """Refuse directions that the network cannot read in."""
        for name in ("bidirectional", "go_backwards"):
            if self.kind == "recursive" and getattr(self, name):
                raise SettingError(
                    _net("kind", "recursive") + " reads forwards only: it continues from the newest row",
                    "take " + _net(name, False) + ", or " + _net("kind", "seq2seq"),
                )
        if self.bidirectional and self.go_backwards:
            raise SettingError(
                _net("bidirectional", True) + " already reads both ways",
                "leave out " + _net("go_backwards", True),
            )

    def _check_cell(self) -> None:
        """Refuse options that the cell does not have."""
        for name in ("layer_norm", "peephole"):
            if getattr(self, name) and self.cell != "lstm":
                raise SettingError(
                    _net(name, True) + f" is an option of the LSTM, not of the cell {self.cell}",
                    "take " + _net("cell", "lstm"),
                )
        if self.cell == "rnn" and self.recurrent_activation != "sigmoid":
            raise SettingError(
                _net("recurrent_activation", self.recurrent_activation)
                + " is for gates, and the cell rnn has no gates",
                "set " + _net("activation"),
            )
        if self.residual and self.num_layers == 1:
            raise SettingError(
                _net("residual", True) + " adds a layer's input to its output from the second layer on",
                "take " + _net("num_layers", 2) + " or more",
            )

    def layer_options(self) -> dict[str, Any]:
        """Options of the recurrent layers that depend on the cell, without sizes, bias, dropout and directions."""
        options = {name: getattr(self, name) for name in ("input_dropout", "recurrent_dropout", "zoneout", "residual")}
        if self.cell == "rnn":
            return {**options, "nonlinearity": self.activation}
        options |= {"activation": self.activation, "recurrent_activation": self.recurrent_activation}
        if self.cell == "gru":
            return options
        return {**options, "layer_norm": self.layer_norm, "peephole": self.peephole}


@dataclass(frozen=True)
class Shapes:
    """Sizes of the data that a network is built for.

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
