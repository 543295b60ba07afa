"""Several LSTM layers in one call, where no gradient is asked for: a step of a stream is mostly the cost of calls."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from gatecast.ops.lstm_cell import kernel, transforms
from gatecast.ops.lstm_cell.checks import NO_MASKS, check_layers
from gatecast.ops.lstm_cell.spec import CellSpec, LSTMMasks
from gatecast.ops.select import kernel_for

NONE = torch.empty(0)  # in the place of a weight that is missing


def lstm_layers(
    x: Tensor,
    weights: list[Tensor],
    state: Sequence[Tensor] | None,
    spec: CellSpec,
    steps: Tensor | None,
    layers: int,
    directions: int,
) -> tuple[Tensor, Tensor, Tensor] | None:
    """Run layers one on the other: y of the last, h and c of all; None where no kernel runs.

    Args:
        x: checked input of the first layer ``(time, batch, input)``; or one step ``(batch, input)``, as is y then.
        weights: of each layer and direction, one after the other, in the order of ``checks.LAYER_WEIGHTS``; ``NONE``
            for one that is missing; those behind that are missing everywhere are left out.
        state: checked h and c before the first step, ``(layers*directions, batch, hidden)`` each; None: zeros.
        spec: options of the cell; each layer's second direction reads from the end.
        steps: True where a step counts ``(time, batch)``; None: everywhere.
        layers: how many.
        directions: 1 or 2; two stand side by side in the output.

    Raises:
        SettingError: a weight does not fit.
    """
    if torch.compiler.is_compiling() or transforms.active():  # which know the operator of one layer
        return None
    choice = kernel_for(x, weights[1], spec, NO_MASKS if steps is None else LSTMMasks(steps))
    if not choice.kernel:
        return None
    if x.dtype != torch.float32:  # once it is widened, a weight of another dtype would go unseen
        _check(x, weights, spec, layers, directions)
    try:
        return kernel.lstm_layers(x, weights, state, choice.spec(spec), steps, layers, directions)
    except RuntimeError:  # the kernel's own check is the quicker one; these are the words for it
        _check(x, weights, spec, layers, directions)
        raise


def _check(x: Tensor, weights: list[Tensor], spec: CellSpec, layers: int, directions: int) -> None:
    check_layers(x, [None if t is NONE else t for t in weights], spec, layers, directions)
