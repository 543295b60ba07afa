"""One recurrent layer as plain data: what to call its constructor with, and its state dict."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from torch import Tensor, nn
from torch.nn import Module

from gatecast.base.errors import SettingError
from gatecast.base.named import did_you_mean
from gatecast.nn.options import (
    NEAR,
    CellOptions,
    GRUCellOptions,
    LSTMCellOptions,
    LSTMStackOptions,
    RNNCellOptions,
    StackOptions,
)
from gatecast.nn.recurrent import GRU, LSTM, RNN
from gatecast.nn.stack import Stack

Kind = Literal["LSTM", "GRU", "RNN"]

GATES: dict[str, int] = {"LSTM": 4, "GRU": 3, "RNN": 1}

# What the constructor takes when nothing is said: PyTorch's arguments, then the fields of the options.
_TORCH: dict[str, Any] = {
    "input_size": None,
    "hidden_size": None,
    "num_layers": 1,
    "bias": True,
    "batch_first": False,
    "dropout": 0.0,
    "bidirectional": False,
}
TORCH_OPTIONS = (*_TORCH, "proj_size", "nonlinearity")
LAYERS: dict[str, type[Stack]] = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}
MODULES: dict[str, type[nn.RNNBase]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
# How the names of those tensors begin that an option brings and that nothing else reads.
_OWN_TENSORS = {
    "peephole": "peephole_",
    "layer_norm": "norm_",
    "learn_initial_state": "initial_",
    "static_size": "weight_static_",
}


def _defaults(own: dict[str, Any], *options: type[CellOptions] | type[StackOptions]) -> dict[str, Any]:
    return _TORCH | own | {f.name: f.default for group in options for f in fields(group)}


DEFAULTS: dict[str, dict[str, Any]] = {
    "LSTM": _defaults({"proj_size": 0}, LSTMCellOptions, LSTMStackOptions),
    "GRU": _defaults({}, GRUCellOptions, StackOptions),
    "RNN": _defaults({"nonlinearity": "tanh"}, RNNCellOptions, StackOptions),
}
# How a layer is called and what it hands back, how its weights begin, and what acts in training: the equations of a
# forward run stay the same.
CALLING = (
    "batch_first", "return_sequences", "return_state", "return_cells", "stateful", "zero_output_for_mask", "recompute",
)  # fmt: skip
BEGINNING = ("kernel_initializer", "recurrent_initializer", "bias_initializer", "unit_forget_bias")
TRAINING = (
    "dropout", "input_dropout", "recurrent_dropout", "weight_drop", "variational", "gradient_clip",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """A recurrent layer, or a stack of equal ones, that is free of any framework's classes.

    ``arguments`` holds ``input_size``, ``hidden_size`` and whatever differs from the defaults of ``gatecast.nn``, so
    that a layer without options that PyTorch lacks is ``torch.nn.LSTM(**layer.arguments)``. ``state`` has PyTorch's
    names and gate order (LSTM: i, f, g, o; GRU: r, z, n), and with peepholes ``peephole_l{k}`` of shape (3, hidden):
    i, f, o.

    Args:
        kind: ``LSTM``, ``GRU`` or ``RNN``.
        arguments: of the constructor, by name.
        state: tensors by the names of ``state_dict``.
        name: the layer's name where it came from, for messages.

    Raises:
        SettingError: a tensor is missing, unexpected or of another shape.

    Example:
        >>> import torch
        >>> from gatecast.convert import from_torch
        >>> from_torch(torch.nn.GRU(3, 8, batch_first=True))
        LayerWeights(kind='GRU', arguments={'input_size': 3, 'hidden_size': 8, 'batch_first': True}, name='')
    """

    kind: Kind
    arguments: Mapping[str, Any]
    state: Mapping[str, Tensor] = field(repr=False)
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", without_defaults(self.kind, self.arguments))
        check_state(self)

    def option(self, name: str) -> Any:
        """An argument of the constructor, or its default; None for an option that this kind of layer lacks."""
        return self.arguments.get(name, DEFAULTS[self.kind].get(name))

    @property
    def label(self) -> str:
        """The layer in messages: ``layer 'encoder' (LSTM)``."""
        return f"layer {self.name!r} ({self.kind})" if self.name else f"the {self.kind} layer"

    @property
    def directions(self) -> int:
        """1, or 2 where the sequence is read backwards as well."""
        return 2 if self.option("bidirectional") else 1

    @property
    def biases(self) -> int:
        """Bias vectors of each gate: 0, 1 or PyTorch's 2."""
        return (1 if self.option("single_bias") else 2) if self.option("bias") else 0

    def suffixes(self) -> Iterator[tuple[int, str]]:
        """Layer number and ending of the tensors' names, in PyTorch's order: l0, l0_reverse, l1, …"""
        for k in range(self.option("num_layers")):
            for ending in ("", "_reverse")[: self.directions]:
                yield k, f"l{k}{ending}"

    def tensors(self, suffix: str) -> dict[str, Tensor]:
        """The tensors of one layer and direction, by their names without the ending."""
        return {name.removesuffix(f"_{suffix}"): tensor for name, tensor in self.state.items() if _ends(name, suffix)}

    def both_biases(self, suffix: str) -> dict[str, Tensor]:
        """The tensors of one layer and direction with both biases, zeros where there is none."""
        tensors = self.tensors(suffix)
        zeros = tensors["weight_ih"].new_zeros(len(tensors["weight_ih"]))
        return {"bias_ih": zeros, "bias_hh": zeros, **tensors}

    def make(self, constructor: Callable[..., Module]) -> Module:
        """A module with these weights: ``layer.make(gatecast.nn.LSTM)``, or, without other options, ``torch.nn.LSTM``.

        Args:
            constructor: takes the arguments by name; its module has PyTorch's names of parameters.

        Raises:
            SettingError: it makes a layer of another kind.
        """
        first = self.state["weight_ih_l0"]
        if isinstance(constructor, type):
            self._check_kind(constructor)
        module = constructor(**self.arguments).to(first.device, first.dtype)
        self._check_kind(type(module))
        module.load_state_dict(dict(self.state))
        return module

    def _check_kind(self, made: type) -> None:
        for kind in LAYERS:
            if kind != self.kind and issubclass(made, (LAYERS[kind], MODULES[kind])):
                raise SettingError(
                    f"{self.label}: these are weights of a {self.kind}, got {made.__name__} to make of them; "
                    f"give gatecast.nn.{self.kind} or torch.nn.{self.kind}"
                )

    def with_options(self, **options: Any) -> LayerWeights:
        """The same weights with other options, for instance ``dropout=0.1``.

        An option that is switched off takes its own weights with it: ``peephole``, ``layer_norm``,
        ``learn_initial_state`` and ``static_size``.

        Raises:
            SettingError: the layer has no such option.
        """
        known = DEFAULTS[self.kind].keys() | self.arguments.keys()
        for name in options:
            if name not in known:
                hint = did_you_mean(name, known, cutoff=NEAR) or f"see the arguments of gatecast.nn.{self.kind}"
                raise SettingError(f"{self.kind} has no option {name!r}", hint)
        gone = tuple(own for name, own in _OWN_TENSORS.items() if name in options and not options[name])
        state = {name: tensor for name, tensor in self.state.items() if not name.startswith(gone)}
        return replace(self, arguments={**self.arguments, **options}, state=state)


def without_defaults(kind: Kind, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that differ from the defaults, and those that are unknown here."""
    defaults = DEFAULTS[kind]
    names = [*(name for name in defaults if name in arguments), *(name for name in arguments if name not in defaults)]
    return {name: arguments[name] for name in names if name not in defaults or arguments[name] != defaults[name]}


def expected_shapes(layer: LayerWeights) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor that the layer here has with these arguments, those apart that are unknown."""
    known = [name for name in DEFAULTS[layer.kind] if name in layer.arguments]
    arguments = {name: layer.arguments[name] for name in known if name not in (*BEGINNING, *TRAINING)}
    made = LAYERS[layer.kind](**arguments, device="meta")  # shapes alone: no memory, no random numbers
    return {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}


def check_state(layer: LayerWeights) -> None:
    """Raise a SettingError unless the state dict is what the arguments ask for.

    Arguments that are unknown here may bring tensors of their own; then only those that are known are checked.
    """
    shapes, foreign = expected_shapes(layer), set(layer.arguments) - set(DEFAULTS[layer.kind])
    missing, unexpected = sorted(shapes.keys() - layer.state.keys()), sorted(layer.state.keys() - shapes.keys())
    if missing:
        raise SettingError(f"{layer.label}: the state dict must have {missing[0]}; it has {', '.join(layer.state)}")
    if unexpected and not foreign:
        raise SettingError(
            f"{layer.label}: the state dict holds {unexpected[0]}, which a layer with these arguments does not have: "
            f"{dict(layer.arguments)}; leave the tensor out, or set the option that it belongs to"
        )
    for name, shape in shapes.items():
        if tuple(layer.state[name].shape) != shape and not foreign:
            raise SettingError(f"{layer.label}: {name} must be {shape}, got {tuple(layer.state[name].shape)}")


def refuse_others(layer: LayerWeights, known: Collection[str], target: str) -> None:
    """Raise a SettingError where the layer has an option that ``target`` lacks and that changes what a run gives."""
    sizes = tuple(_TORCH)
    for name in layer.arguments:
        if name not in (*sizes, *CALLING, *BEGINNING, *TRAINING, "single_bias", *known):
            raise no_counterpart(layer, name, target)


def no_counterpart(layer: LayerWeights, name: str, target: str) -> SettingError:
    """The error where ``target`` lacks an option, with a way out that works."""
    default = DEFAULTS[layer.kind].get(name)
    try:
        layer.with_options(**{name: default})
        way_out = f"if it may go, layer.with_options({name}={default!r}) leaves it out"
    except SettingError:  # other weights have their shape or their sense by it
        way_out = f"the weights depend on it, so that the layer has to be made and trained with {name}={default!r}"
    return SettingError(f"{layer.label}: {target} has no counterpart of {name}={layer.option(name)!r}; {way_out}")


def refuse_last_outputs(layer: LayerWeights, target: str) -> None:
    """Raise a SettingError where the layer gives the last output alone and ``target`` gives all of them."""
    if not layer.option("return_sequences"):
        raise SettingError(
            f"{layer.label}: {target} gives the outputs of every step, and return_sequences=False is the last one; "
            "where the caller takes it from them, layer.with_options(return_sequences=True)"
        )


def _ends(name: str, suffix: str) -> bool:
    return name.endswith(f"_{suffix}")
