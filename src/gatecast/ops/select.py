"""Chooses the implementation of the LSTM operator; nothing else does. :func:`explain` gives the reason."""

from __future__ import annotations

import functools
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.utils.rnn import PackedSequence

from gatecast.base.errors import SettingError
from gatecast.ops.library import INSTRUCTION_SETS, Library, library, takes_tiles
from gatecast.ops.lstm_cell import transforms
from gatecast.ops.lstm_cell.checks import check_lstm
from gatecast.ops.lstm_cell.operators import ACTIVATIONS
from gatecast.ops.lstm_cell.spec import DEFAULT, CellSpec, LSTMWeights
from gatecast.ops.masks import NO_MASKS, LSTMMasks


class KernelChoice(NamedTuple):
    """The implementation that runs, and why.

    Args:
        name: ``cpu-avx2``, ``cpu-avx512``, ``cpu-amx``, ``cpu-neon`` or ``reference``.
        reason: why this one.
        slow: the caller could avoid it; warned of once.
        tiles: factors of products are rounded to bfloat16.
    """

    name: str
    reason: str
    slow: bool = False
    tiles: bool = False

    @property
    def kernel(self) -> bool:
        """Whether a compiled kernel runs."""
        return self.name != "reference"

    def spec(self, given: CellSpec) -> CellSpec:
        """The options to call the kernel with."""
        wanted = self.tiles or None
        return given if given.bfloat16_products is wanted else _with_products(given, wanted)


def explain(
    subject: Tensor | nn.Module,
    given: LSTMWeights | Tensor | PackedSequence,
    *,
    spec: CellSpec | None = None,
    masks: LSTMMasks | None = None,
    **call: Any,
) -> str:
    """Say which implementation of ``gatecast.ops.lstm`` runs, and why, for an input and weights or inside a layer.

    Args:
        subject: input ``(time, batch, input)``; or a layer (any module), which is run once without gradients; its
            kept states and statistics, and the random generators, are restored.
        given: weights of the operator; or the input of the layer.
        spec: options of the cell (operator only).
        masks: of steps, recurrent dropout and zoneout (operator only).
        **call: further arguments of the layer: ``lengths=…``, ``static=…``.

    Returns:
        A sentence, for a layer one for each distinct choice.

    Raises:
        SettingError: the arguments do not fit.

    Example:
        >>> import torch
        >>> from gatecast import nn, ops
        >>> ops.explain(nn.LSTM(3, 8).double(), torch.randn(5, 2, 3, dtype=torch.float64))
        'reference: the kernel computes in float32, x is torch.float64'
    """
    if isinstance(subject, nn.Module):
        with _restored(subject), torch.no_grad(), warnings.catch_warnings(), _recorded() as choices:
            warnings.simplefilter("ignore", SlowPathWarning)
            subject(given, **call)
        return "; ".join(dict.fromkeys(map(_sentence, choices))) or _without_operator(subject)
    if call:
        raise SettingError(
            f"explain passes {', '.join(call)} on to a layer, got {type(subject).__name__}", "the operator takes masks"
        )
    if isinstance(given, nn.Module):
        raise SettingError(
            f"explain takes the layer first, got {type(subject).__name__} before it", "call explain(layer, x)"
        )
    if not isinstance(given, LSTMWeights):
        raise SettingError(
            f"explain takes a layer and its input, or an input and gatecast.ops.LSTMWeights, "
            f"got {type(subject).__name__} and {type(given).__name__}"
        )
    spec, masks = spec or CellSpec(), masks or LSTMMasks()
    check_lstm(subject, given, None, spec, masks)
    return _sentence(kernel_for(subject, given.w_hh, spec, masks))


def _without_operator(module: nn.Module) -> str:
    theirs = any(isinstance(part, nn.LSTM) for part in module.modules())
    more = "; torch.nn.LSTM runs on PyTorch's own kernels, gatecast.nn.LSTM takes its place" if theirs else ""
    return f"no LSTM operator of gatecast runs inside this layer{more}"


@contextmanager
def _restored(module: nn.Module) -> Iterator[None]:
    """Restore attributes and buffers of a module, and the random generators, after the block."""
    kept = [(part, dict(vars(part)), dict(part._buffers)) for part in module.modules()]
    values = [(buffer, buffer.clone()) for buffer in module.buffers()]
    devices = {p.device for p in module.parameters() if not p.is_cpu}
    try:
        with torch.random.fork_rng(devices, device_type=next(iter(devices)).type if devices else "cuda"):
            yield
    finally:
        for part, attributes, buffers in kept:
            vars(part).update(attributes)
            part._buffers.clear()
            part._buffers.update(buffers)
        with torch.no_grad():
            for buffer, value in values:
                buffer.copy_(value)


def _sentence(choice: KernelChoice) -> str:
    return f"{choice.name}: {choice.reason}"


def kernel_for(x: Tensor, w_hh: Tensor, spec: CellSpec, masks: LSTMMasks) -> KernelChoice:
    """The implementation for a checked call; x of a single step may be ``(batch, input)``."""
    choice = _other_number(x) or _unsupported(spec, masks) or _transformed()
    if choice is None:
        loaded = library()
        choice = _on_tiles(x, w_hh, spec) if loaded.tiles else None
        if choice is None:
            choice = _KERNELS[x.dtype][loaded.isa] if loaded.isa else _missing(loaded)
    for record in _RECORDS:
        record.append(choice)
    return choice


_RECORDS: list[list[KernelChoice]] = []  # one for each `explain` that is running


@contextmanager
def _recorded() -> Iterator[list[KernelChoice]]:
    """Record the choices made inside the block."""
    record: list[KernelChoice] = []
    _RECORDS.append(record)
    try:
        yield record
    finally:
        _RECORDS[:] = [other for other in _RECORDS if other is not record]


_AGAIN = "gradients of gradients run the reference"
_NUMBERS = {torch.float32: "float32", torch.bfloat16: "bfloat16, computed in float32"}
_NUMBERS[torch.float16] = "float16, computed in float32"
_KERNELS = {
    dtype: {isa: KernelChoice(f"cpu-{isa}", f"{number} on a CPU with {isa}; {_AGAIN}") for isa in INSTRUCTION_SETS}
    for dtype, number in _NUMBERS.items()
}

_SHORT = f"products of bfloat16 on a CPU with AMX, summed up in float32; {_AGAIN}"
_NUMBER, _ASKED, _AUTOCAST, _PRECISION = (
    KernelChoice("cpu-amx", f"{why}: {_SHORT}", tiles=True)
    for why in ("bfloat16", "CellSpec.bfloat16_products", "torch.autocast", "PyTorch's precision of float32 products")
)


def _on_tiles(x: Tensor, w_hh: Tensor, spec: CellSpec) -> KernelChoice | None:
    """The kernels for products of bfloat16, where the caller allows them and they are faster."""
    if x.dim() < 3 or spec.bfloat16_products is False or x.dtype == torch.float16:
        return None
    traced = torch.compiler.is_compiling()  # sizes may be symbols: the operator checks them itself
    if not traced and not takes_tiles(x.shape[0], x.shape[1], w_hh.shape[0] // spec.gates):
        return None
    if x.dtype == torch.bfloat16:
        return _NUMBER
    if spec.bfloat16_products:
        return _ASKED
    if torch.is_autocast_enabled("cpu") and torch.get_autocast_dtype("cpu") == torch.bfloat16:
        return _AUTOCAST
    if traced:  # tracing cannot read the settings below
        return None
    settings: Any = torch.backends.mkldnn
    precision = settings.rnn.fp32_precision
    precision = settings.matmul.fp32_precision if precision == "none" else precision
    return _PRECISION if precision == "bf16" else None


@functools.lru_cache(64)
def _with_products(spec: CellSpec, wanted: bool | None) -> CellSpec:
    return replace(spec, bfloat16_products=wanted)


def _missing(loaded: Library) -> KernelChoice:
    return KernelChoice("reference", loaded.reason, slow=not loaded.asked)


def _other_number(x: Tensor) -> KernelChoice | None:
    if not x.is_cpu:
        return KernelChoice("reference", f"there is no kernel for device {x.device.type!r}")
    if x.dtype in _KERNELS:
        return None
    return KernelChoice("reference", f"the kernel computes in float32, x is {x.dtype}", slow=x.dtype != torch.float64)


def _unsupported(spec: CellSpec, masks: LSTMMasks) -> KernelChoice | None:
    """The reference, where it alone has an option."""
    for name in ("activation", "recurrent_activation") if spec is not DEFAULT else ():
        kind = getattr(spec, name)
        if kind not in ACTIVATIONS:
            shown = repr(kind) if isinstance(kind, str) else "a function"
            reason = f"{name} is {shown}; the kernel has {', '.join(ACTIVATIONS)}"
            return KernelChoice("reference", reason, slow=True)
    if masks is not NO_MASKS and any(map(transforms.needs_gradient, masks)):
        return KernelChoice("reference", "a mask needs a gradient, which the kernel does not give", slow=True)
    return None


def _transformed() -> KernelChoice | None:
    """The reference inside jvp and forward mode; the kernels support vmap and grad."""
    if not transforms.active() and forward_ad._current_level < 0:
        return None
    if torch.compiler.is_compiling():
        compiled = transforms.active() and torch.is_grad_enabled()
        return (
            KernelChoice("reference", "inside a transform of torch.func that is being compiled") if compiled else None
        )
    if forward_ad._current_level >= 0 or not transforms.supported():
        return KernelChoice("reference", "inside jvp, functionalize or forward-mode differentiation", slow=True)
    return None


_PACKAGE = str(Path(__file__).parents[1])
# Warn at the first line outside gatecast (Python 3.12), else at the operator's caller.
_AT_THE_CALLER: dict[str, Any] = (
    {"skip_file_prefixes": (_PACKAGE,)} if sys.version_info >= (3, 12) else {"stacklevel": 3}
)
_announced: set[str] = set()


def announce(choice: KernelChoice) -> None:
    """Warn once for each reason that the slower reference runs."""
    if not choice.slow or choice.reason in _announced or torch.compiler.is_compiling():
        return
    _announced.add(choice.reason)
    warnings.warn(
        f"gatecast's LSTM runs its slower reference: {choice.reason} (gatecast.ops.explain says what runs)",
        SlowPathWarning,
        **_AT_THE_CALLER,
    )


class SlowPathWarning(UserWarning):
    """An option or input makes the slower reference run; results are the same."""
