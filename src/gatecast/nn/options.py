"""Options of the recurrent layers as data: one field each, with its default and its help text.

Names are those of Keras where Keras has the option (``dropout`` is PyTorch's: between layers).
"""

from __future__ import annotations

import inspect
import math
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.named import did_you_mean
from gatecast.base.options import option
from gatecast.nn.checks import check_probability, check_sizes, check_switches, one_of
from gatecast.nn.init import Initializer, Spread, initializer_of
from gatecast.nn.regularizers import Constraint, Regularizer, check_regularizer, constraint_of
from gatecast.ops import activation_of
from gatecast.ops.activations import Activation
from gatecast.ops.lstm1997_cell.spec import FEEDBACK
from gatecast.ops.lstm_cell.checks import is_number

FORGET_GATES = ("sigmoid", "exponential")
MERGE_MODES = ("concat", "sum", "mul", "ave", None)
KERAS = {  # arguments of Keras that have another name here; its dropout, here input_dropout, is PyTorch's name as well
    "units": "hidden_size",
    "use_bias": "bias",
    "filters": "hidden_channels",
    "strides": "stride",
    "dilation_rate": "dilation",
}
NEAR = 0.75  # share of letters in common from which on a name may be a slip of another


@dataclass(frozen=True)
class CellOptions:
    """What every recurrent cell takes: how weights begin, what binds them, and what is dropped inside the step."""

    has_cell: ClassVar[bool] = True  # a state c beside h

    kernel_initializer: Initializer = option("uniform", "of W_ih (and W_hr): a name, an object or a function")
    recurrent_initializer: Initializer = option("uniform", "of W_hh")
    bias_initializer: Initializer = option("uniform", "of the biases; all but `uniform` leave the second bias at 0")
    kernel_regularizer: Regularizer | None = option(None, "of W_ih: an object such as `L2(1e-4)`, or a function")
    recurrent_regularizer: Regularizer | None = option(None, "of W_hh")
    bias_regularizer: Regularizer | None = option(None, "of the biases")
    activity_regularizer: Regularizer | None = option(None, "of the output, divided by the batch size")
    kernel_constraint: Constraint | None = option(None, "on W_ih: a name, an object such as `MaxNorm(2)`, a function")
    recurrent_constraint: Constraint | None = option(None, "on W_hh")
    bias_constraint: Constraint | None = option(None, "on the biases")
    input_dropout: float = option(0.0, "probability of dropping an input: one mask for all steps (Keras: `dropout`)")
    recurrent_dropout: float = option(0.0, "probability of dropping an entry of h before W_hh: one mask for all steps")
    weight_drop: float = option(0.0, "probability of dropping a weight of W_hh: one mask for a call (DropConnect)")
    zoneout: float | tuple[float, float] = option(0.0, "probability that a unit keeps its old value: of h, or (h, c)")
    gradient_clip: float | None = option(None, "bound on each entry of the gradient that flows back through h")

    def __post_init__(self) -> None:
        check_probability(
            input_dropout=self.input_dropout, recurrent_dropout=self.recurrent_dropout, weight_drop=self.weight_drop
        )
        self._check_zoneout()
        check_positive("gradient_clip", self.gradient_clip)
        check_own_switches(self)
        for kind in ("kernel", "recurrent", "bias"):
            initializer, regularizer, constraint = f"{kind}_initializer", f"{kind}_regularizer", f"{kind}_constraint"
            initializer_of(getattr(self, initializer), initializer)
            check_regularizer(getattr(self, regularizer), regularizer)
            constraint_of(getattr(self, constraint), constraint)
        check_regularizer(self.activity_regularizer, "activity_regularizer")

    def _check_zoneout(self) -> None:
        """One probability; or two, where there is a cell."""
        given: Any = self.zoneout
        pair = isinstance(given, tuple) and len(given) == 2 and self.has_cell
        if isinstance(given, tuple | list) and not pair:
            wanted = "one probability, or a tuple of two: of h and of c" if self.has_cell else "one probability, of h"
            raise SettingError(f"zoneout must be {wanted}; got {given!r}")
        for p in self.zoneouts:
            check_probability(zoneout=p)

    @property
    def zoneouts(self) -> tuple[float, float]:
        """Of h and of c."""
        return self.zoneout if isinstance(self.zoneout, tuple) else (self.zoneout, self.zoneout)

    def masked(self, *, training: bool) -> bool:
        """A call multiplies something by a mask: in training by one that is drawn."""
        if training and (self.input_dropout > 0 or self.recurrent_dropout > 0 or self.weight_drop > 0):
            return True
        return self.zoneout not in (0, (0, 0))


@dataclass(frozen=True)
class TorchCellOptions(CellOptions):
    """What the cells that ``torch.nn`` has as well take besides."""

    single_bias: bool = option(False, "one bias vector, `bias_ih`, in place of PyTorch's two that are only ever added")


@dataclass(frozen=True)
class RNNCellOptions(TorchCellOptions):
    """Options of the plain recurrent cell."""

    has_cell: ClassVar[bool] = False


@dataclass(frozen=True)
class GRUCellOptions(TorchCellOptions):
    """Options of the GRU cell."""

    has_cell: ClassVar[bool] = False

    activation: Activation = option("tanh", "of the candidate: a name, or a function of a tensor")
    recurrent_activation: Activation = option("sigmoid", "of the gates, likewise")
    reset_after: bool = option(True, "reset gate after the product with W_hn (PyTorch, cuDNN); else before (Cho 2014)")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activations(activation=self.activation, recurrent_activation=self.recurrent_activation)
        if self.single_bias and self.reset_after:
            raise SettingError(
                "reset_after=True multiplies one of the two biases by the reset gate and needs both; "
                "leave single_bias=False, or take reset_after=False"
            )


@dataclass(frozen=True)
class LSTMCellOptions(TorchCellOptions):
    """Options of the LSTM cell."""

    activation: Activation = option("tanh", "of the candidate and of the cell: a name, or a function of a tensor")
    recurrent_activation: Activation = option("sigmoid", "of the gates, likewise")
    unit_forget_bias: bool = option(False, "forget gates begin with bias 1 (Gers 2000), but for `Chrono` and `Spread`")
    peephole: bool = option(False, "gates see the cell state: a weight for each unit and gate (Gers 2002)")
    coupled: bool = option(False, "the input gate is 1 - f: three gates, rows f, g, o (CIFG, Greff 2017)")
    layer_norm: bool = option(False, "layer normalisation of W_ih x, of W_hh h and of c (Ba 2016, eq. 20-22)")
    cell_clip: float | None = option(None, "bound on |c| (Sak 2014: 50)")
    recompute: bool = option(False, "keep no gates for the gradient but compute them again: less memory, more time")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activations(activation=self.activation, recurrent_activation=self.recurrent_activation)
        check_positive("cell_clip", self.cell_clip)


@dataclass(frozen=True)
class SLSTMCellOptions(CellOptions):
    """Options of the sLSTM cell."""

    heads: int = option(1, "groups of units that see only themselves through W_hh; must divide `hidden_size`")
    forget_gate: str = option("sigmoid", "`sigmoid` or `exponential`")
    bias_initializer: Initializer = option(Spread(), "of the biases; by default forget gates begin spread, others at 0")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_sizes(heads=self.heads)
        one_of(FORGET_GATES, forget_gate=self.forget_gate)


@dataclass(frozen=True)
class LSTM1997CellOptions(CellOptions):
    """Options of the original cell."""

    output_gate: bool = option(True, "False: blocks without output gates (experiment 2a)")
    feedback: str = option("all", "what every unit sees of the step before: `all` units, the `cells`, or `none`")
    truncate: bool = option(True, "the paper's learning rule: errors go back in time through the cells alone")

    def __post_init__(self) -> None:
        super().__post_init__()
        one_of(FEEDBACK, feedback=self.feedback)
        if self.truncate and self.gradient_clip is not None:
            raise SettingError(
                "gradient_clip bounds what flows back through h, and with truncate=True nothing does; "
                "leave it out, or take truncate=False"
            )


@dataclass(frozen=True)
class ConvLSTMCellOptions(CellOptions):
    """Options of the convolutional LSTM cell; weights begin as in Keras."""

    kernel_initializer: Initializer = option("glorot_uniform", "of W_ih: a name, an object or a function")
    recurrent_initializer: Initializer = option("orthogonal", "of W_hh")
    bias_initializer: Initializer = option("zeros", "of the biases")
    activation: Activation = option("tanh", "of the candidate and of the cell: a name, or a function of a tensor")
    recurrent_activation: Activation = option("sigmoid", "of the gates, likewise")
    unit_forget_bias: bool = option(True, "forget gates begin with bias 1, but for `Chrono` and `Spread`")

    def __post_init__(self) -> None:
        super().__post_init__()
        check_activations(activation=self.activation, recurrent_activation=self.recurrent_activation)


@dataclass(frozen=True)
class StackOptions:
    """What every stack of layers takes: how it reads time, what it gives back, and how layers are joined."""

    variational: bool = option(False, "one mask for all steps between layers too (Gal & Ghahramani 2016)")
    residual: bool = option(False, "from the second layer on, a layer's output is its own plus its input (Wu 2016)")
    skip: bool = option(False, "layers above the first also read the input of the stack (Graves 2013)")
    merge_mode: str | None = option("concat", "how directions are joined: concat, sum, mul, ave; None: a tuple of both")
    go_backwards: bool = option(False, "read the sequence from its end; outputs come in the order of reading (Keras)")
    stateful: bool = option(False, "begin with the last state of the call before, detached; see `reset_state()`")
    return_sequences: bool = option(True, "outputs of every step; False: of the last step that each direction read")
    return_state: bool = option(True, "give the last states as well; False: the output alone")
    zero_output_for_mask: bool = option(True, "outputs at masked steps are 0 (PyTorch); False: the last one repeats")
    learn_initial_state: bool = option(False, "the initial state is a parameter of each layer and direction")
    static_size: int = option(
        0, "features of a context known for all steps, mapped to the initial state where none is kept; 0: none"
    )

    def __post_init__(self) -> None:
        check_own_switches(self)
        one_of(MERGE_MODES, merge_mode=self.merge_mode)
        check_sizes(0, static_size=self.static_size)


@dataclass(frozen=True)
class LSTMStackOptions(StackOptions):
    """Options of a stack of LSTM layers."""

    return_cells: bool = option(False, "give the cell state of every step as well, of all layers and directions")


def check_stack(stack: StackOptions, *, num_layers: int, dropout: float, bidirectional: bool) -> None:
    """What layers on layers can do together."""
    check_probability(dropout=dropout)
    if dropout > 0 and num_layers == 1:
        warnings.warn(
            f"dropout={dropout} drops outputs between layers and has no effect with num_layers=1; "
            "use input_dropout or recurrent_dropout, or leave it 0",
            stacklevel=4,
        )
    if stack.residual and bidirectional and not stack.return_sequences:
        raise SettingError(
            "return_sequences=False with residual=True needs one last step, and two directions have two; "
            "take return_sequences=True and choose steps of the output"
        )


def check_reads_forwards(stack: StackOptions, *, bidirectional: bool) -> None:
    """A stream, step by step, has no end yet to read from."""
    if bidirectional or stack.go_backwards:
        raise SettingError(
            "step reads forwards, one step at a time; a layer with bidirectional=True or go_backwards=True needs "
            "the whole sequence: call the layer"
        )


def check_can_be_packed(stack: StackOptions) -> None:
    """Outputs in the order of reading have their padding at the end."""
    if stack.go_backwards:
        raise SettingError(
            "go_backwards puts the padding first, which a PackedSequence cannot hold; "
            "give a padded tensor with lengths="
        )


def read_options(layer: type, given: dict[str, Any], *kinds: type[CellOptions] | type[StackOptions]) -> tuple[Any, ...]:
    """The options of each kind, from arguments by keyword.

    Raises:
        SettingError: ``LSTM has no option 'zone_out'; did you mean 'zoneout'?``
    """
    known = {f.name: kind for kind in kinds for f in fields(kind)}
    for name in given:
        if name not in known:
            raise SettingError(f"{layer.__name__} has no option {name!r}", _hint(name, layer, known, kinds))
    return tuple(kind(**{name: value for name, value in given.items() if known[name] is kind}) for kind in kinds)


def _hint(name: str, layer: type, known: Collection[str], kinds: tuple[type, ...]) -> str:
    """The name that may have been meant; where none is near, all that there are."""
    own = [p.name for p in _own_parameters(layer)]
    if KERAS.get(name) in {*own, *known}:
        return f"it is {KERAS[name]!r} here"
    whole = f"it takes {', '.join(own)} and the fields of {' and '.join(kind.__name__ for kind in kinds)}"
    return did_you_mean(name, [*own, *known], cutoff=NEAR) or whole


def _own_parameters(layer: type) -> list[inspect.Parameter]:
    """The constructor's arguments that are no options."""
    parameters = inspect.signature(layer.__init__).parameters.values()  # type: ignore[misc]
    return [p for p in parameters if p.name not in ("self", "options")]


def signed_with(*kinds: type[CellOptions] | type[StackOptions]) -> Callable[[type], type]:
    """Show the options in ``help()`` and in editors: the signature of ``**options`` written out."""

    def sign(layer: type) -> type:
        own = _own_parameters(layer)
        more = [
            inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
            for kind in kinds
            for f in fields(kind)
        ]
        layer.__signature__ = inspect.Signature([*own, *more])  # type: ignore[attr-defined]
        return layer

    return sign


def check_activations(**activations: Activation) -> None:
    """Each has a known name or is a function; what it learns would be no part of the layer."""
    for name, activation in activations.items():
        activation_of(activation, name)
        if isinstance(activation, nn.Module) and [*activation.parameters(), *activation.buffers()]:
            raise SettingError(
                f"{name} must be a name or a function of a tensor, got {activation!r}, whose parameters and buffers "
                "would be missing in those of the layer; give a function, and learn its parameters outside"
            )


def check_own_switches(options: CellOptions | StackOptions) -> None:
    """Options that are on or off by default are on or off."""
    check_switches(**{f.name: getattr(options, f.name) for f in fields(options) if isinstance(f.default, bool)})


def check_positive(name: str, value: float | None) -> None:
    """A bound above zero, or none."""
    if value is not None and not (is_number(value) and value > 0 and math.isfinite(value)):
        raise SettingError(f"{name} is a bound and must be a finite number above 0, got {value!r}; None for no bound")


def differences(options: CellOptions | StackOptions) -> dict[str, Any]:
    """Options that are not the default, by name."""
    return {f.name: value for f in fields(options) if (value := getattr(options, f.name)) != f.default}


def shown(**arguments: Any) -> list[str]:
    """Arguments as a representation has them: ``name=value``."""
    return [f"{name}={value!r}" for name, value in arguments.items()]
