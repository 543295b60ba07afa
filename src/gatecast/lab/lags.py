"""Vanishing gradients: the norm of the gradient of a recurrent layer by time lag.

The gradient of a loss with respect to the state ``h_t`` passes through every step from ``t`` to the end. In a plain
RNN it is a product of Jacobians, which shrinks or grows by a factor at each step (Hochreiter 1991; Bengio, Simard &
Frasconi 1994; Pascanu, Mikolov & Bengio 2013, eq. 5); the cell state of the LSTM was designed to avoid this (Hochreiter
& Schmidhuber 1997, section 3.2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg

if TYPE_CHECKING:
    from gatecast.data.panel import Panel
    from gatecast.forecasters.neural import LSTMForecaster

Loss = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class LagGradients:
    """Norm of the gradient with respect to the state at each time lag.

    Args:
        lags: steps before the last one, 0 first.
        norms: for each layer and state (``h0``, ``c0``, ``h1`` …) the root mean square over the batch of the norm of
            ``dL/dh_t`` (``dL/dc_t``), by lag.
    """

    lags: np.ndarray
    norms: dict[str, np.ndarray]

    def factor(self, state: str = "h0") -> float:
        """Geometric mean of the factor by which the gradient changes per step further back; below 1 it vanishes.

        Lags at which the gradient underflows to 0 are left out. Only one or no lag left gives NaN.
        """
        values = self.norms[state]
        seen = np.flatnonzero(values > 0)
        if len(seen) < 2:
            return float("nan")
        first, last = seen[0], seen[-1]
        return float((values[last] / values[first]) ** (1 / (last - first)))

    def plot(self, *, ax: Any = None) -> Any:
        """One line for each layer and state on a logarithmic scale; returns the axes (matplotlib, extra ``plot``)."""
        from gatecast.plots import plot_lags

        return plot_lags(self.lags, self.norms, ax=ax)


def gradient_by_lag(
    layer: nn.Module, x: Float[Tensor, ...], *, loss: Loss | None = None, hx: Any = None
) -> LagGradients:
    """Norm of ``dL/dh_t`` for every lag ``T - t`` of a recurrent layer, and of ``dL/dc_t`` for an LSTM.

    ``(h_t, c_t)`` is the state after step ``t``: the derivative with respect to each part includes every path from
    there to the loss, with the other part fixed. The layer runs in evaluation mode, one call per step; its mode is
    restored.

    Args:
        layer: LSTM, GRU or RNN of ``gatecast.nn`` or ``torch.nn``, of one direction and without a projection.
        x: ``(time, batch, feature)``, or as the layer's ``batch_first`` says.
        loss: of the last layer's outputs ``(time, batch, hidden)``; None: the sum of the last step's outputs.
        hx: initial state as the layer takes it; None: zeros.

    Raises:
        SettingError: for another kind of layer.

    Example:
        >>> import torch
        >>> from gatecast.lab import gradient_by_lag
        >>> from gatecast.nn import LSTM, RNN
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(60, 8, 4)
        >>> plain = gradient_by_lag(RNN(4, 16), x).norms["h0"]
        >>> gated = gradient_by_lag(LSTM(4, 16, unit_forget_bias=True), x).norms["c0"]
        >>> bool(gated[40] / gated[1] > 1000 * plain[40] / plain[1])
        True
    """
    _require_plain(layer)
    steps = x.transpose(0, 1) if getattr(layer, "batch_first", False) else x
    states = _states(layer, steps, hx)
    outputs = torch.stack([state[0][-1] for state in states])
    total = outputs[-1].sum() if loss is None else loss(outputs)
    return _norms(states, torch.autograd.grad(total, [part for state in states for part in state], allow_unused=True))


def gradient_by_lag_of(forecaster: LSTMForecaster, panel: Panel | None = None, *, windows: int = 64) -> LagGradients:
    """The gradient by lag of the network of a fitted forecaster, for its training loss.

    Lags are steps of the network: rows, or segments of rows (``NetConfig.kind="segment"``).

    Args:
        forecaster: fitted; its first member is used.
        panel: data; None: those of ``fit``.
        windows: largest number of windows, spread evenly over the panel.

    Raises:
        SettingError: for a recursive or bidirectional network.
    """
    from gatecast.batches.windows import Windows, split_origins

    panel = forecaster._panel(panel)
    model, context = forecaster.models_[0], forecaster.shapes_.context
    every = Windows(panel, context, forecaster.horizon, scales=forecaster.scales_, cycles=forecaster.cycles_)
    origins, _ = split_origins(panel, context, forecaster.horizon, held_back=0)
    batch = every.gather(*origins.locate(origins.evenly(windows)))
    if model.recursive:
        raise SettingError(
            "gradient_by_lag_of needs a network that reads the context once, not "
            + Arg("kind", "recursive", "NetConfig")
        )
    layer: Any = model.network.lstm
    seen: list[list[tuple[Tensor, ...]]] = []
    _require_plain(layer)

    def by_steps(module: nn.Module, args: tuple[Any, ...], result: Any) -> Any:
        """The encoder's call repeated step by step, so that each state is a node of the graph."""
        if seen:
            return result
        steps = args[0].transpose(0, 1) if layer.batch_first else args[0]
        seen.append(_states(layer, steps, args[1] if len(args) > 1 else None))
        outputs = torch.stack([state[0][-1] for state in seen[0]])
        return outputs.transpose(0, 1) if layer.batch_first else outputs, seen[0][-1]

    handle = layer.register_forward_hook(by_steps)
    try:
        loss = model(batch)
    finally:
        handle.remove()
    parts = [part for state in seen[0] for part in state]
    return _norms(seen[0], torch.autograd.grad(loss, parts, allow_unused=True))


def _states(layer: Any, x: Tensor, hx: Any) -> list[tuple[Tensor, ...]]:
    """The state after each step, ``(layers, batch, hidden)`` each, all in one graph."""
    x = x.detach()
    if not x.requires_grad:
        x = x.clone().requires_grad_()  # a frozen layer has a gradient with respect to its state, too
    first, training, states, state = getattr(layer, "batch_first", False), layer.training, [], hx
    layer.eval()
    try:
        for step in x.unbind(0):
            _, state = _call(layer, step[:, None] if first else step[None], state)
            states.append(state if isinstance(state, tuple) else (state,))
    finally:
        layer.train(training)
    return states


def _call(layer: Any, x: Tensor, state: Any) -> Any:
    return type(layer).forward(layer, x) if state is None else type(layer).forward(layer, x, state)


def _norms(states: list[tuple[Tensor, ...]], gradients: tuple[Tensor | None, ...]) -> LagGradients:
    """Root mean square over the batch of the norms, latest step first."""
    parts, layers, batch = len(states[0]), states[0][0].shape[0], states[0][0].shape[1]
    table = [torch.zeros(layers) if g is None else g.double().square().sum((1, 2)).div(batch).sqrt() for g in gradients]
    norms = torch.stack([value.double() for value in table]).unflatten(0, (-1, parts)).flip(0)  # (lag, part, layer)
    names = "hcu" if parts == 3 else "hcnm"[:parts]  # three parts: LSTM1997, with what its gates gave
    found = {f"{names[part]}{layer}": norms[:, part, layer].numpy() for layer in range(layers) for part in range(parts)}
    return LagGradients(np.arange(len(states)), found)


def _require_plain(layer: Any) -> None:
    if not hasattr(layer, "hidden_size") or not hasattr(layer, "num_layers"):
        raise SettingError(f"gradient_by_lag needs an LSTM, GRU or RNN layer, got {type(layer).__name__}")
    options = getattr(layer, "stack", None)
    special = any(getattr(options, name, False) for name in ("go_backwards", "residual", "stateful"))
    if layer.bidirectional or getattr(layer, "proj_size", 0) or special:
        raise SettingError(
            f"gradient_by_lag needs a layer of one direction without projection, residual or kept state, got {layer}",
            "for the other direction reverse the input: x.flip(0)",
        )
