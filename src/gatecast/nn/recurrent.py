"""The recurrent layer of every network in gatecast, made in one place.

Until gatecast's own layer takes over, this is ``torch.nn.LSTM`` (Hochreiter & Schmidhuber 1997, with the forget gate
of Gers, Schmidhuber & Cummins 2000), gates in the order i, f, g, o::

    i, f, g, o = (x_t @ W_ih.T + b_ih + h @ W_hh.T + b_hh).chunk(4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

State = tuple[Float[Tensor, "layers batch hidden"], Float[Tensor, "layers batch hidden"]]


def make_lstm(
    input_size: int,
    hidden_size: int,
    *,
    num_layers: int = 1,
    bias: bool = True,
    dropout: float = 0.0,
    bidirectional: bool = False,
) -> nn.LSTM:
    """A batch-first LSTM whose forget gates start open (bias 1: Jozefowicz, Zaremba & Sutskever 2015, §3).

    Args:
        input_size: features of each step.
        hidden_size: width of the hidden and the cell state.
        num_layers: stacked layers.
        bias: learn a bias for each gate.
        dropout: probability of dropping an output between two layers; has no effect with one layer.
        bidirectional: read the sequence backwards as well.
    """
    lstm = nn.LSTM(
        input_size,
        hidden_size,
        num_layers,
        bias=bias,
        batch_first=True,
        dropout=dropout if num_layers > 1 else 0.0,
        bidirectional=bidirectional,
    )
    for name, parameter in lstm.named_parameters():
        if name.startswith("bias_ih"):
            with torch.no_grad():
                parameter[hidden_size : 2 * hidden_size] = 1.0
    return lstm


def last_hidden(state: State, *, bidirectional: bool) -> Float[Tensor, "batch width"]:
    """Hidden state of the top layer; both directions side by side."""
    h, _ = state
    return torch.cat([h[-2], h[-1]], -1) if bidirectional else h[-1]
