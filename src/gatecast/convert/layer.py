"""A recurrent layer as plain data: the arguments of its constructor, and its state dict."""

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

# Defaults of the constructors: PyTorch's arguments, then the fields of the options.
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
# Prefix of the tensors that exist for one option only.
_OPTION_TENSORS = {
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
# Options without effect on the equations of a forward pass: calling convention and outputs, initial weights, training.
CALLING = (
    "batch_first", "return_sequences", "return_state", "return_cells", "stateful", "zero_output_for_mask", "recompute",
)  # fmt: skip
INITIAL = ("kernel_initializer", "recurrent_initializer", "bias_initializer", "unit_forget_bias")
TRAINING = (
    "dropout", "input_dropout", "recurrent_dropout", "weight_drop", "variational", "gradient_clip",
    "kernel_regularizer", "recurrent_regularizer", "bias_regularizer", "activity_regularizer",
    "kernel_constraint", "recurrent_constraint", "bias_constraint",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class LayerWeights:
    """A recurrent layer, or a stack of equal ones, independent of the classes of any framework.

    ``arguments`` holds ``input_size``, ``hidden_size`` and the options that differ from the defaults of
    ``gatecast.nn``: a layer without options that PyTorch lacks is ``torch.nn.LSTM(**layer.arguments)``. ``state`` has
    PyTorch's names and gate order (LSTM: i, f, g, o; GRU: r, z, n), and with peepholes ``peephole_l{k}`` of shape
    (3, hidden): i, f, o.

    Args:
        kind: ``LSTM``, ``GRU`` or ``RNN``.
        arguments: arguments of the constructor.
        state: the state dict.
        name: name of the layer in its source, for messages.

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
        """1, or 2 for a bidirectional layer."""
        return 2 if self.option("bidirectional") else 1

    @property
    def biases(self) -> int:
        """Bias vectors of each gate: 0, 1 or PyTorch's 2."""
        return (1 if self.option("single_bias") else 2) if self.option("bias") else 0

    def suffixes(self) -> Iterator[tuple[int, str]]:
        """Layer number and suffix of the tensor names, in PyTorch's order: l0, l0_reverse, l1, …"""
        for k in range(self.option("num_layers")):
            for ending in ("", "_reverse")[: self.directions]:
                yield k, f"l{k}{ending}"

    def tensors(self, suffix: str) -> dict[str, Tensor]:
        """The tensors of one layer and direction, by their names without the suffix."""
        suffix = f"_{suffix}"
        return {name.removesuffix(suffix): tensor for name, tensor in self.state.items() if name.endswith(suffix)}

    def both_biases(self, suffix: str) -> dict[str, Tensor]:
        """The tensors of one layer and direction with both biases, missing ones as zeros."""
        tensors = self.tensors(suffix)
        zeros = tensors["weight_ih"].new_zeros(len(tensors["weight_ih"]))
        return {"bias_ih": zeros, "bias_hh": zeros, **tensors}

    def make(self, constructor: Callable[..., Module]) -> Module:
        """A module with these weights: ``layer.make(gatecast.nn.LSTM)``, or, without other options, ``torch.nn.LSTM``.

        Args:
            constructor: called with the arguments; its module has PyTorch's parameter names.

        Raises:
            SettingError: the module is a layer of another kind.
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
                    f"its weights are those of a {self.kind}, got the constructor {made.__name__}",
                    f"give gatecast.nn.{self.kind} or torch.nn.{self.kind}",
                    place=self.label,
                )

    def with_options(self, **options: Any) -> LayerWeights:
        """The same weights with other options, for instance ``dropout=0.1``.

        Switching off ``peephole``, ``layer_norm``, ``learn_initial_state`` or ``static_size`` removes its weights.

        Raises:
            SettingError: the layer has no such option.
        """
        known = DEFAULTS[self.kind].keys() | self.arguments.keys()
        for name in options:
            if name not in known:
                hint = did_you_mean(name, known, cutoff=NEAR) or f"see the arguments of gatecast.nn.{self.kind}"
                raise SettingError(f"{self.kind} has no option {name!r}", hint)
        gone = tuple(prefix for name, prefix in _OPTION_TENSORS.items() if name in options and not options[name])
        state = {name: tensor for name, tensor in self.state.items() if not name.startswith(gone)}
        return replace(self, arguments={**self.arguments, **options}, state=state)


def without_defaults(kind: Kind, arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments that differ from the defaults, and unknown ones."""
    defaults = DEFAULTS[kind]
    names = [*(name for name in defaults if name in arguments), *(name for name in arguments if name not in defaults)]
    return {name: arguments[name] for name in names if name not in defaults or arguments[name] != defaults[name]}


def expected_shapes(layer: LayerWeights) -> dict[str, tuple[int, ...]]:
    """Name and shape of each tensor of the layer with these arguments, without unknown ones."""
    known = [name for name in DEFAULTS[layer.kind] if name in layer.arguments]
    arguments = {name: layer.arguments[name] for name in known if name not in (*INITIAL, *TRAINING)}
    made = LAYERS[layer.kind](**arguments, device="meta")  # shapes only: no memory, no random numbers
    return {name: tuple(tensor.shape) for name, tensor in made.state_dict().items()}


def check_state(layer: LayerWeights) -> None:
    """Raise SettingError unless the state dict fits the arguments.

    Unknown arguments may add tensors, so that with them only the known tensors must be present.
    """
    shapes, foreign = expected_shapes(layer), set(layer.arguments) - set(DEFAULTS[layer.kind])
    missing, unexpected = sorted(shapes.keys() - layer.state.keys()), sorted(layer.state.keys() - shapes.keys())
    if missing:
        raise SettingError(f"the state dict must have {missing[0]}; it has {', '.join(layer.state)}", place=layer.label)
    if unexpected and not foreign:
        raise SettingError(
            f"the state dict holds {unexpected[0]}, which a layer with these arguments does not have: "
            f"{dict(layer.arguments)}",
            "leave the tensor out, or set its option",
            place=layer.label,
        )
    for name, shape in shapes.items():
        if tuple(layer.state[name].shape) != shape and not foreign:
            raise SettingError(f"{name} must be {shape}, got {tuple(layer.state[name].shape)}", place=layer.label)


def refuse_others(layer: LayerWeights, known: Collection[str], target: str) -> None:
    """Raise SettingError if the layer has an option that ``target`` lacks and that changes a forward pass."""
    sizes = tuple(_TORCH)
    for name in layer.arguments:
        if name not in (*sizes, *CALLING, *INITIAL, *TRAINING, "single_bias", *known):
            raise no_counterpart(layer, name, target)


def no_counterpart(layer: LayerWeights, name: str, target: str) -> SettingError:
    """The error for an option that ``target`` lacks, with a remedy that works."""
    default = DEFAULTS[layer.kind].get(name)
    try:
        layer.with_options(**{name: default})
        remedy = f"if it is not needed, layer.with_options({name}={default!r}) leaves it out"
    except SettingError:  # shape or meaning of other weights depends on it
        remedy = f"the weights depend on it, so the layer must be created and trained with {name}={default!r}"
    return SettingError(f"{target} has no counterpart of {name}={layer.option(name)!r}", remedy, place=layer.label)


def refuse_last_outputs(layer: LayerWeights, target: str) -> None:
    """Raise SettingError if the layer returns the last output only and ``target`` returns all of them."""
    if not layer.option("return_sequences"):
        raise SettingError(
            f"{target} gives the outputs of every step, and return_sequences=False is the last one only",
            "if the caller can take it from them, layer.with_options(return_sequences=True)",
            place=layer.label,
        )


def from_layer(module: Any) -> LayerWeights:
    """A ``gatecast.nn.LSTM``, ``GRU`` or ``RNN`` as plain data, with copies of its weights.

    `LayerWeights.make` is the way back. A parametrized weight (``torch.nn.utils.parametrizations``) is copied as the
    value that the layer computes with.

    Args:
        module: the layer.

    Raises:
        SettingError: it is another module.

    Example:
        >>> from gatecast import nn
        >>> from gatecast.convert import from_layer
        >>> from_layer(nn.LSTM(3, 8, batch_first=True, peephole=True)).arguments
        {'input_size': 3, 'hidden_size': 8, 'batch_first': True, 'peephole': True}
    """
    kind = next((name for name, known in LAYERS.items() if isinstance(module, known)), None)
    if kind is None:
        raise SettingError(
            f"from_layer reads gatecast.nn.LSTM, GRU or RNN, got {type(module).__module__}.{type(module).__name__}",
            "from_torch reads those of torch.nn",
        )
    sizes = {"input_size": module.input_size, "hidden_size": module.hidden_size}
    return LayerWeights(kind, sizes | module.settings(), _state(module))  # type: ignore[arg-type]


def _state(module: Stack) -> dict[str, Tensor]:
    """The state dict with the values of parametrized weights."""
    plain = [name for name in module.state_dict() if not name.startswith("parametrizations.")]
    parametrized = getattr(module, "parametrizations", {})
    return {name: getattr(module, name).detach().clone() for name in (*plain, *parametrized)}
