"""Options, weights and output of one LSTM layer."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from gatecast.base.options import check_options, option
from gatecast.ops.activations import Activation, activation_of


@dataclass(frozen=True)
class CellSpec:
    """Options of an LSTM cell that are not tensors.

    Args:
        activation: of the candidate and of the cell on its way out: a name of
            :data:`gatecast.ops.activations.ACTIVATIONS`, or any function of a tensor.
        recurrent_activation: of the gates, likewise.
        coupled: the input gate is ``1 - f`` (Greff et al. 2017, "CIFG"); the weights then hold f, g, o.
        reverse: read the time axis from its end; outputs stay at their own time.
        cell_clip: bound on ``|c|``; None: no bound.
        gradient_clip: bound on each entry of the gradient that flows back through ``h``; None: no bound.
        zero_output: outputs at masked steps are 0; else they repeat the last one.
        recompute: compute the gates again for the gradient: less memory, more time, the same results.
        bfloat16_products: kernels may round the factors of matrix products to bfloat16 where the processor has
            units for that (AMX); sums stay in float32. None: for bfloat16 tensors, and for float32 where PyTorch's
            settings allow it. False: never.

    Raises:
        SettingError: an option does not fit.
    """

    activation: Activation = "tanh"
    recurrent_activation: Activation = "sigmoid"
    coupled: bool = False
    reverse: bool = False
    cell_clip: float | None = option(None, "bound on |c|", above=0, below=math.inf)
    gradient_clip: float | None = option(None, "bound on the gradient through h", above=0, below=math.inf)
    zero_output: bool = True
    recompute: bool = False
    bfloat16_products: bool | None = None

    def __post_init__(self) -> None:
        if torch.compiler.is_compiling():  # fields of dataclasses cannot be traced
            return
        activation_of(self.activation)
        activation_of(self.recurrent_activation, "recurrent_activation")
        check_options(self, of="")

    @property
    def gates(self) -> int:
        """Gates in the weights: i, f, g, o, or f, g, o."""
        return 3 if self.coupled else 4


DEFAULT = CellSpec()


class LSTMWeights(NamedTuple):
    """Weights of one layer and direction; rows of the gates in the order i, f, g, o (coupled: f, g, o).

    ``output`` is ``projection`` where there is one, else ``hidden``.
    """

    w_ih: Float[Tensor, "gates input"]
    w_hh: Float[Tensor, "gates output"]
    bias: Float[Tensor, " gates"] | None = None
    peephole: Float[Tensor, "peepholes hidden"] | None = None  # i, f, o (coupled: f, o)
    norm_x: Float[Tensor, " gates"] | None = None  # gains of the layer normalisations (Ba, Kiros & Hinton 2016)
    norm_h: Float[Tensor, " gates"] | None = None
    norm_c: Float[Tensor, "2 hidden"] | None = None  # gain and bias
    w_proj: Float[Tensor, "projection hidden"] | None = None


class LSTMOutput(NamedTuple):
    """Outputs of every step, last states, and the cell states of every step on request."""

    y: Float[Tensor, "time batch output"]
    h: Float[Tensor, "batch output"]
    c: Float[Tensor, "batch hidden"]
    cells: Float[Tensor, "time batch hidden"] | None = None
