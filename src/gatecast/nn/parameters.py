"""Base of all recurrent layers and cells: constructor, parameters under PyTorch's names, their initial values."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import fields
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.options import Bounds
from gatecast.nn.cell_kinds import CellKind
from gatecast.nn.checks import RULES, check_arguments, check_dtype
from gatecast.nn.init import GateInitializer, fill
from gatecast.nn.masks import weights_dropped
from gatecast.nn.options import KERAS, Passes, StackOptions, WeightPlace, differences, read_options, with_options
from gatecast.nn.regularizers import constraint_of
from gatecast.ops.dispatch import NONE

PLACE = tuple(f.name for f in fields(WeightPlace))
KINDS = {"kernel": ("weight_ih",), "recurrent": ("weight_hh",), "bias": ("bias_ih", "bias_hh")}


class Recurrent(nn.Module):
    """A module with the weights of one or several runs of a cell; subclasses define ``forward``.

    A layer or cell is declared by its class line and the signature of its constructor, which hands the arguments to
    :meth:`_build`::

        class LSTM(Stack, kind=LSTMKind, stack=LSTMStackOptions):
            def __init__(self, input_size: int, hidden_size: int, …, **options: Unpack[LSTMArguments]) -> None:
                self._build(locals())

    Checks, attributes, ``settings()`` and ``repr`` follow from the declaration. ``**options`` also takes the arguments
    of all layers that the constructor does not name itself: fields of ``Passes`` and ``WeightPlace``.
    """

    kind: ClassVar[type[CellKind]]
    takes: ClassVar[tuple[type, ...]] = ()  # classes of the options
    shared: ClassVar[tuple[type, ...]] = ()  # classes of the keyword arguments that are not options
    usual: ClassVar[dict[str, Any]] = {}  # the constructor's arguments that are not options, with their defaults
    leading: ClassVar[int] = 2  # arguments that `repr` shows without their names
    rules: ClassVar[Mapping[str, tuple[str, Bounds]]] = RULES
    cell: CellKind

    def __new__(cls, *_: Any, **given: Any) -> Self:
        """Name Keras's words for required arguments, which Python would report as missing ones."""
        for name in given.keys() & KERAS.keys():
            if KERAS[name] in cls.usual:
                raise SettingError(f"{cls.__name__} has no option {name!r}", f"it is {KERAS[name]!r} here")
        return super().__new__(cls)

    def __init_subclass__(
        cls, *, kind: type[CellKind] | None = None, stack: type[StackOptions] | None = None, **more: Any
    ) -> None:
        super().__init_subclass__(**more)
        own = inspect.signature(cls.__init__)
        own = own.replace(parameters=[p for p in own.parameters.values() if p.name != "self"])
        if kind is not None:
            cls.kind, cls.takes = kind, (kind.takes, stack) if stack else (kind.takes,)
            cls.shared = (Passes, WeightPlace) if stack else ()
            named = with_options(own, cls.shared).parameters.values()
            cls.usual = {p.name: p.default for p in named if p.name not in PLACE}
        if cls.takes:
            declared = any(p.kind is p.VAR_KEYWORD for p in own.parameters.values())
            cls.__signature__ = with_options(own, cls.shared + cls.takes) if declared else own  # type: ignore[attr-defined]

    def _build(self, given: dict[str, Any]) -> None:
        """Construct the module from the local variables of its constructor."""
        del given["self"]
        named = given.pop("options")
        factory = {name: given.pop(name, None) or named.pop(name, None) for name in PLACE}
        given |= {name: named.pop(name, usual) for name, usual in self.usual.items() if name not in given}
        given |= {name: bool(value) for name, value in given.items() if _is_switch(value, self.rules.get(name))}
        check_dtype(factory["dtype"])
        check_arguments(given, self.rules)
        options = read_options(type(self).__name__, (*self.usual, *factory), named, self.takes)
        self._settle(given, *options)
        super().__init__()
        vars(self).update(given)
        self.cell = self.kind.of(options[0], given)
        self.suffixes: list[str] = []
        self.names: dict[str, dict[str, str]] = {}  # of the existing weights, by suffix: short and full
        self._first = ""  # full name of a weight that every module has
        self._in_order: list[str | None] = []  # full names in the order of the operator of all layers; None: missing
        self._activity: Tensor | None = None
        self._add_parameters(*options[1:], **factory)
        self.reset_parameters()

    def _settle(self, given: dict[str, Any], *options: Any) -> None:
        """Check arguments against each other, and bring them into the form of the attributes."""

    def _add_parameters(self, *options: Any, **factory: Any) -> None:
        """Add the parameters and what else the module holds."""
        raise NotImplementedError

    def settings(self) -> dict[str, Any]:
        """Arguments of the constructor that differ from their defaults, except the leading sizes."""
        own = list(self.usual.items())[self.leading :]
        changed = {name: value for name, usual in own if (value := getattr(self, name)) != self._usual(name, usual)}
        return changed | differences(self.cell.options)

    def _usual(self, name: str, default: Any) -> Any:
        """A default in the form of the attribute."""
        return default

    def extra_repr(self) -> str:
        """Sizes, and the arguments that differ from their defaults."""
        sizes = [repr(getattr(self, name)) for name in list(self.usual)[: self.leading]]
        return ", ".join([*sizes, *(f"{name}={value!r}" for name, value in self.settings().items())])

    @property
    def first_weight(self) -> Tensor:
        """A weight that every module has, for dtype and device."""
        return self._weight(self._first)

    def _weight(self, name: str) -> Tensor:
        """A weight by its full name."""
        weight = self._parameters.get(name)  # faster than getattr, which parametrizations need
        return getattr(self, name) if weight is None else weight

    def _add_weights(self, suffix: str, input_size: int, **factory: Any) -> None:
        """Parameters of one layer and direction; their names end in ``suffix``."""
        for name, shape in self.cell.shapes(input_size).items():
            value = None if shape is None else nn.Parameter(torch.empty(shape, **factory))
            self.register_parameter(name + suffix, value)
            if value is not None:
                self.names.setdefault(suffix, {})[name] = name + suffix
                self._first = self._first or name + suffix
        self.suffixes.append(suffix)
        in_order = list(self.cell.in_order)
        while in_order and in_order[-1] not in self.names[suffix]:  # the operator takes no trailing missing weights
            in_order.pop()
        self._in_order += [self.names[suffix].get(name) for name in in_order]

    def _weights_in_order(self) -> list[Tensor]:
        """All weights in the order of the operator of all layers."""
        return [NONE if whole is None else self._weight(whole) for whole in self._in_order]

    def _weights(self, suffix: str) -> dict[str, Tensor]:
        """Weights of one layer and direction for one call."""
        weights = {name: self._weight(whole) for name, whole in self.names[suffix].items()}
        p = self.cell.options.weight_drop
        if p > 0 and self.training:
            weights["weight_hh"] = weights_dropped(weights["weight_hh"], p, training=True)
        return weights

    def reset_parameters(self) -> None:
        """Draw all weights anew, in PyTorch's order: the same seed gives ``torch.nn``'s weights by default."""
        for suffix in self.suffixes:
            for name, whole in self.names[suffix].items():
                self._fill(name, getattr(self, whole))
            if self._opens_forget_gates():
                self._open_forget_gates(suffix)

    def _opens_forget_gates(self) -> bool:
        """Whether ``unit_forget_bias`` applies: not with an initializer that knows the gates."""
        options = self.cell.options
        if isinstance(options.bias_initializer, GateInitializer) or not self.cell.bias:
            return False
        return getattr(options, "unit_forget_bias", False)

    def _fill(self, name: str, weight: Tensor) -> None:
        options, gates, bound = self.cell.options, self.cell.gates, self.cell.bound
        if name.startswith("norm"):
            nn.init.ones_(weight)
            if name == "norm_c":
                nn.init.zeros_(weight[1])
        elif name == "bias_hh" and options.bias_initializer != "uniform":
            nn.init.zeros_(weight)
        elif name.startswith("bias"):
            fill(weight, options.bias_initializer, gates=gates, bound=bound)
        elif name == "weight_hh":
            fill(weight, options.recurrent_initializer, gates=gates, bound=bound)
        elif name == "peephole":
            fill(weight, "uniform", gates=gates, bound=bound)
        else:
            one_block = "h" if name == "weight_hr" else gates
            fill(weight, options.kernel_initializer, gates=one_block, bound=bound)

    @torch.no_grad()
    def _open_forget_gates(self, suffix: str) -> None:
        """Set the biases of the forget gates so that they sum to 1."""
        hidden, at = self.cell.hidden_size, self.cell.gates.index("f")
        rows = slice(at * hidden, (at + 1) * hidden)
        getattr(self, "bias_ih" + suffix)[rows] = 1.0
        if not self.cell.single_bias:
            getattr(self, "bias_hh" + suffix)[rows] = 0.0

    def _of_kind(self, kind: str) -> Iterator[str]:
        """Full names of the weights of a kind: kernel, recurrent, bias."""
        for suffix in self.suffixes:
            for name in KINDS[kind]:
                if name in self.names[suffix]:
                    yield self.names[suffix][name]

    def regularization(self) -> Float[Tensor, ""]:
        """Penalties of the regularizers on the weights and on the last call's output, to be added to the loss.

        The penalty on the output is divided by the batch size, as in Keras.
        """
        total = self.first_weight.new_zeros(())
        for kind in KINDS:
            regularizer = getattr(self.cell.options, f"{kind}_regularizer")
            if regularizer is not None:
                total = total + sum(regularizer(self._weight(name)) for name in self._of_kind(kind))
        return total if self._activity is None else total + self._activity

    @torch.no_grad()
    def constrain_(self) -> None:
        """Apply the constraints to the weights, in place: call it after each step of the optimiser."""
        for kind in KINDS:
            constraint = constraint_of(getattr(self.cell.options, f"{kind}_constraint"))
            if constraint is not None:
                for name in self._of_kind(kind):
                    self._replace(name, constraint(self._weight(name)))

    def _replace(self, name: str, value: Tensor) -> None:
        """Assign a weight; a parametrized one through its parametrization."""
        if name in self._parameters:
            self._weight(name).copy_(value)
        else:
            setattr(self, name, value)

    def _note_activity(self, output: Tensor, batch: int) -> None:
        """Keep the penalty on an output for :meth:`regularization`; ``batch`` is its batch axis."""
        regularizer = self.cell.options.activity_regularizer
        if regularizer is not None:
            self._activity = regularizer(output) / max(output.shape[batch], 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Add PyTorch's two biases where the layer has a single one."""
        if getattr(self.cell.options, "single_bias", False):
            for suffix in self.suffixes:
                first, second = (f"{prefix}{name}{suffix}" for name in KINDS["bias"])
                if first in state_dict and second in state_dict:
                    state_dict[first] = state_dict[first] + state_dict.pop(second)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def __getstate__(self) -> dict[str, Any]:
        """State for copies, without the last call's penalty: its graph cannot be copied."""
        return {**self.__dict__, "_activity": None}

    def flatten_parameters(self) -> None:
        """Do nothing; for code written for ``torch.nn``."""


def _is_switch(value: Any, rule: tuple[str, Bounds] | None) -> bool:
    """Whether a value is 0 or 1 (also of NumPy) for an argument that is True or False."""
    return rule is not None and rule[0] == "bool" and isinstance(value, int | np.bool_ | np.integer) and value in (0, 1)
