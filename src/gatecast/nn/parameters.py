"""What all recurrent layers and cells share: parameters under PyTorch's names, how they begin, and what binds them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.nn.cell_kinds import Design
from gatecast.nn.checks import check_dtype
from gatecast.nn.init import GateInitializer, fill
from gatecast.nn.masks import weights_dropped
from gatecast.nn.regularizers import constraint_of
from gatecast.ops.dispatch import NONE

KINDS = {"kernel": ("weight_ih",), "recurrent": ("weight_hh",), "bias": ("bias_ih", "bias_hh")}


class Recurrent(nn.Module):
    """A module with the weights of one or several runs of a cell; subclasses give it ``forward``."""

    def __init__(self, design: Design) -> None:
        super().__init__()
        self.design = design
        self.suffixes: list[str] = []
        self.names: dict[str, dict[str, str]] = {}  # of the weights that there are, by suffix: short and whole
        self._first = ""  # whole name of one that every module has
        self._in_order: list[str | None] = []  # whole names, as the operator of all layers takes them; None: missing
        self._activity: Tensor | None = None

    @property
    def first_weight(self) -> Tensor:
        """One that every module has: for dtype and device."""
        return self._weight(self._first)

    def _weight(self, name: str) -> Tensor:
        """A weight by its whole name."""
        weight = self._parameters.get(name)  # quicker than getattr, which parametrizations need
        return getattr(self, name) if weight is None else weight

    def _add_weights(self, suffix: str, input_size: int, **factory: Any) -> None:
        """Parameters of one layer and direction; their names end in ``suffix``."""
        check_dtype(factory.get("dtype"))
        for name, shape in self.design.shapes(input_size).items():
            value = None if shape is None else nn.Parameter(torch.empty(shape, **factory))
            self.register_parameter(name + suffix, value)
            if value is not None:
                self.names.setdefault(suffix, {})[name] = name + suffix
                self._first = self._first or name + suffix
        self.suffixes.append(suffix)
        in_order = list(self.design.in_order)
        while in_order and in_order[-1] not in self.names[suffix]:  # the operator does without those behind the last
            in_order.pop()
        self._in_order += [self.names[suffix].get(name) for name in in_order]

    def _weights_in_order(self) -> list[Tensor]:
        """All weights, as the operator of all layers takes them."""
        return [NONE if whole is None else self._weight(whole) for whole in self._in_order]

    def _weights(self, suffix: str) -> dict[str, Tensor]:
        """Weights of one layer and direction for one call."""
        weights = {name: self._weight(whole) for name, whole in self.names[suffix].items()}
        p = self.design.options.weight_drop
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
        """Asked for, and not left to an initialiser that knows the gates."""
        options = self.design.options
        if isinstance(options.bias_initializer, GateInitializer) or not self.design.bias:
            return False
        return getattr(options, "unit_forget_bias", False)

    def _fill(self, name: str, weight: Tensor) -> None:
        options, gates, bound = self.design.options, self.design.gates, self.design.bound
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
        """Biases of the forget gates that sum to 1."""
        hidden, at = self.design.hidden_size, self.design.gates.index("f")
        rows = slice(at * hidden, (at + 1) * hidden)
        getattr(self, "bias_ih" + suffix)[rows] = 1.0
        if not self.design.single_bias:
            getattr(self, "bias_hh" + suffix)[rows] = 0.0

    def _of_kind(self, kind: str) -> Iterator[str]:
        """Whole names of the weights of a kind: kernel, recurrent, bias."""
        for suffix in self.suffixes:
            for name in KINDS[kind]:
                if name in self.names[suffix]:
                    yield self.names[suffix][name]

    def regularization(self) -> Float[Tensor, ""]:
        """What the regularizers add to the loss: of the weights, and of the last call's output.

        The penalty on the output is divided by the batch size, as in Keras.
        """
        total = self.first_weight.new_zeros(())
        for kind in KINDS:
            regularizer = getattr(self.design.options, f"{kind}_regularizer")
            if regularizer is not None:
                total = total + sum(regularizer(self._weight(name)) for name in self._of_kind(kind))
        return total if self._activity is None else total + self._activity

    @torch.no_grad()
    def constrain_(self) -> None:
        """Apply the constraints to the weights, in place: call it after each step of the optimiser."""
        for kind in KINDS:
            constraint = constraint_of(getattr(self.design.options, f"{kind}_constraint"))
            if constraint is not None:
                for name in self._of_kind(kind):
                    self._replace(name, constraint(self._weight(name)))

    def _replace(self, name: str, value: Tensor) -> None:
        """New values for a weight; a parametrized one takes them by way of what it is made from."""
        if name in self._parameters:
            self._weight(name).copy_(value)
        else:
            setattr(self, name, value)

    def _note_activity(self, output: Tensor, batch: int) -> None:
        """Keep the penalty on an output, whose axis ``batch`` is the batch's, for :meth:`regularization`."""
        regularizer = self.design.options.activity_regularizer
        if regularizer is not None:
            self._activity = regularizer(output) / max(output.shape[batch], 1)

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """With a single bias, PyTorch's two are added on their way in."""
        if getattr(self.design.options, "single_bias", False):
            for suffix in self.suffixes:
                first, second = (f"{prefix}{name}{suffix}" for name in KINDS["bias"])
                if first in state_dict and second in state_dict:
                    state_dict[first] = state_dict[first] + state_dict.pop(second)
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def __getstate__(self) -> dict[str, Any]:
        """Without the last call's penalty: it is part of a graph, which cannot be copied."""
        return {**self.__dict__, "_activity": None}

    def flatten_parameters(self) -> None:
        """Nothing: there for code written for ``torch.nn``."""
