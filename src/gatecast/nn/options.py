"""Options of the recurrent layers: default, bounds and help text of each.

Names are those of Keras where Keras has the option (``dropout`` is PyTorch's: between layers).
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from functools import cache
from typing import Any, ClassVar

import torch
from torch import nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import did_you_mean
from gatecast.base.options import check_options, check_value, option
from gatecast.nn.checks import SHARE
from gatecast.nn.init import Initializer, Spread, initializer_of
from gatecast.nn.regularizers import Constraint, Regularizer, check_regularizer, constraint_of
from gatecast.ops import activation_of
from gatecast.ops.activations import Activation
from gatecast.ops.lstm1997_cell.spec import FEEDBACK

ACTIVATIONS = ("activation", "recurrent_activation")  # options of the cells that have them
FORGET_GATES = ("sigmoid", "exponential")
MERGE_MODES = ("concat", "sum", "mul", "ave", None)
KERAS = {  # names of Keras's arguments here; its dropout, here input_dropout, is also a name of PyTorch's
    "units": "hidden_size",
    "use_bias": "bias",
    "filters": "hidden_channels",
    "strides": "stride",
    "dilation_rate": "dilation",
}
NEAR = 0.75  # similarity from which a name counts as misspelt


@dataclass(frozen=True)
class WeightPlace:
    """Where the weights of a layer or cell are, and their type."""

    device: torch.device | str | int | None = None
    dtype: torch.dtype | None = None


@dataclass(frozen=True)
class Passes:
    """How a stack of layers passes over a sequence."""

    batch_first: bool = False
    dropout: float = 0.0
    bidirectional: bool = False


@dataclass(frozen=True)
class CellOptions:
    """Options of every cell: initializers, regularizers, constraints, dropout."""

    has_cell: ClassVar[bool] = True  # the state has c as well as h

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
    input_dropout: float = option(
        0.0, "probability of dropping an input: one mask for all steps (Keras: `dropout`)", least=0, below=1
    )
    recurrent_dropout: float = option(
        0.0, "probability of dropping an entry of h before W_hh: one mask for all steps", least=0, below=1
    )
    weight_drop: float = option(
        0.0, "probability of dropping a weight of W_hh: one mask for a call (DropConnect)", least=0, below=1
    )
    zoneout: float | tuple[float, float] = option(0.0, "probability that a unit keeps its old value: of h, or (h, c)")
    gradient_clip: float | None = option(
        None, "bound on each entry of the gradient that flows back through h", above=0, below=math.inf
    )

    def __post_init__(self) -> None:
        check_options(self, of="")
        self._check_zoneout()
        for kind in ("kernel", "recurrent", "bias"):
            initializer, regularizer, constraint = f"{kind}_initializer", f"{kind}_regularizer", f"{kind}_constraint"
            initializer_of(getattr(self, initializer), initializer)
            check_regularizer(getattr(self, regularizer), regularizer)
            constraint_of(getattr(self, constraint), constraint)
        check_regularizer(self.activity_regularizer, "activity_regularizer")
        check_activations(**{name: getattr(self, name) for name in ACTIVATIONS if hasattr(self, name)})

    def _check_zoneout(self) -> None:
        """One probability, or a pair if the state has a cell."""
        given: Any = self.zoneout
        pair = isinstance(given, tuple) and len(given) == 2 and self.has_cell
        if isinstance(given, tuple | list) and not pair:
            wanted = "one probability, or a tuple of two: of h and of c" if self.has_cell else "one probability, of h"
            raise SettingError(Arg("zoneout") + f" must be {wanted}, got {given!r}")
        for p in self.zoneouts:
            check_value(Arg("zoneout"), p, "float", SHARE)

    @property
    def zoneouts(self) -> tuple[float, float]:
        """Of h and of c."""
        return self.zoneout if isinstance(self.zoneout, tuple) else (self.zoneout, self.zoneout)

    def masked(self, *, training: bool) -> bool:
        """Whether a call uses masks; in training they are drawn."""
        if training and (self.input_dropout > 0 or self.recurrent_dropout > 0 or self.weight_drop > 0):
            return True
        return self.zoneout not in (0, (0, 0))


@dataclass(frozen=True)
class TorchCellOptions(CellOptions):
    """Options of the cells that ``torch.nn`` also has."""

    single_bias: bool = option(False, "one bias vector, `bias_ih`; PyTorch adds two")


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
        if self.single_bias and self.reset_after:
            raise SettingError(
                Arg("reset_after", True) + " multiplies one of the two biases by the reset gate and needs both",
                "keep " + Arg("single_bias", False) + ", or use " + Arg("reset_after", False),
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
    cell_clip: float | None = option(None, "bound on |c| (Sak 2014: 50)", above=0, below=math.inf)
    recompute: bool = option(False, "keep no gates for the gradient but compute them again: less memory, more time")


@dataclass(frozen=True)
class SLSTMCellOptions(CellOptions):
    """Options of the sLSTM cell."""

    heads: int = option(1, "groups of units that W_hh does not mix; must divide `hidden_size`", least=1)
    forget_gate: str = option("sigmoid", "`sigmoid` or `exponential`", one_of=FORGET_GATES)
    bias_initializer: Initializer = option(Spread(), "of the biases; by default forget gates begin spread, others at 0")


@dataclass(frozen=True)
class LSTM1997CellOptions(CellOptions):
    """Options of the original cell."""

    output_gate: bool = option(True, "False: blocks without output gates (experiment 2a)")
    feedback: str = option(
        "all", "what every unit sees of the step before: `all` units, the `cells`, or `none`", one_of=FEEDBACK
    )
    truncate: bool = option(True, "the paper's learning rule: errors go back in time through the cells alone")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.truncate and self.gradient_clip is not None:
            raise SettingError(
                Arg("gradient_clip") + " bounds the gradient through h, and " + Arg("truncate", True) + " cuts it off",
                "leave it out, or use " + Arg("truncate", False),
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


@dataclass(frozen=True)
class StackOptions:
    """Options of a stack of layers: reading order, outputs, connections between layers, initial state."""

    variational: bool = option(False, "one mask for all steps between layers too (Gal & Ghahramani 2016)")
    residual: bool = option(False, "from the second layer on, a layer's output is its own plus its input (Wu 2016)")
    skip: bool = option(False, "layers above the first also read the input of the stack (Graves 2013)")
    merge_mode: str | None = option(
        "concat", "how directions are joined: concat, sum, mul, ave; None: a tuple of both", one_of=MERGE_MODES
    )
    go_backwards: bool = option(False, "read the sequence from its end; outputs come in the order of reading (Keras)")
    stateful: bool = option(False, "begin with the last state of the call before, detached; see `reset_state()`")
    return_sequences: bool = option(True, "return outputs of every step; False: of the last step of each direction")
    return_state: bool = option(True, "return the last states as well; False: the output alone")
    zero_output_for_mask: bool = option(True, "outputs at masked steps are 0 (PyTorch); False: the last one repeats")
    learn_initial_state: bool = option(False, "the initial state is a parameter of each layer and direction")
    static_size: int = option(
        0, "features of a context known for all steps, mapped to the initial state; 0: none", least=0
    )

    def __post_init__(self) -> None:
        check_options(self, of="")


@dataclass(frozen=True)
class LSTMStackOptions(StackOptions):
    """Options of a stack of LSTM layers."""

    return_cells: bool = option(False, "return the cell state of every step as well, of all layers and directions")


def check_reads_forwards(stack: StackOptions, *, bidirectional: bool) -> None:
    """Reject steps of a stream where the layer reads from the end."""
    if bidirectional or stack.go_backwards:
        raise SettingError(
            "step reads forwards, one step at a time; a layer with "
            + Arg("bidirectional", True)
            + " or "
            + Arg("go_backwards", True)
            + " needs the whole sequence",
            "call the layer",
        )


def check_can_be_packed(stack: StackOptions) -> None:
    """Reject a packed input where the output would begin with its padding."""
    if stack.go_backwards:
        raise SettingError(
            Arg("go_backwards", True) + " puts the padding first, which a PackedSequence cannot hold",
            "give a padded tensor with " + Arg("lengths", ...),
        )


def read_options(
    layer: str, own: Collection[str], given: Mapping[str, Any], kinds: tuple[type, ...]
) -> tuple[Any, ...]:
    """Create the options of each kind from keyword arguments.

    Args:
        layer: name of the layer, for messages.
        own: arguments of the constructor that are not options.
        given: options by name.
        kinds: classes of options.

    Raises:
        SettingError: ``LSTM has no option 'zone_out'; did you mean 'zoneout'?``
    """
    if not given:
        return tuple(kind() for kind in kinds)
    known = _names(kinds)
    for name in given:
        if name not in known:
            raise SettingError(f"{layer} has no option {name!r}", _remedy(name, own, known, kinds))
    return tuple(kind(**{name: value for name, value in given.items() if known[name] is kind}) for kind in kinds)


@cache
def _names(kinds: tuple[type, ...]) -> dict[str, type]:
    """The class of each option."""
    return {f.name: kind for kind in kinds for f in fields(kind)}


def _remedy(name: str, own: Collection[str], known: Collection[str], kinds: tuple[type, ...]) -> str:
    """The name that was probably meant, or all names."""
    if KERAS.get(name) in {*own, *known}:
        return f"it is {KERAS[name]!r} here"
    every = f"it takes {', '.join(own)} and the fields of {' and '.join(kind.__name__ for kind in kinds)}"
    return did_you_mean(name, [*own, *known], cutoff=NEAR) or every


def with_options(own: inspect.Signature, kinds: tuple[type, ...]) -> inspect.Signature:
    """The signature with ``**options`` written out, for ``help()`` and editors."""
    options = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=f.type)
        for kind in kinds
        for f in fields(kind)
        if f.name not in own.parameters
    ]
    plain = [p for p in own.parameters.values() if p.kind is not inspect.Parameter.VAR_KEYWORD]
    return inspect.Signature([*plain, *options])


def check_activations(**activations: Activation) -> None:
    """Reject unknown activations, and modules whose parameters the layer would not hold."""
    for name, activation in activations.items():
        activation_of(activation, name)
        if isinstance(activation, nn.Module) and [*activation.parameters(), *activation.buffers()]:
            raise SettingError(
                Arg(name) + f" must be a name or a function of a tensor, got {activation!r}, whose parameters and "
                "buffers would be missing from the layer's",
                "give a function, and learn its parameters outside the layer",
            )


def differences(options: CellOptions | StackOptions) -> dict[str, Any]:
    """Options that differ from their defaults, by name."""
    return {f.name: value for f in fields(options) if (value := getattr(options, f.name)) != f.default}
