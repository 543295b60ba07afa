"""The recurrent layers: LSTM, GRU and RNN, with the arguments of ``torch.nn`` and the options of Keras.

The LSTM (Hochreiter & Schmidhuber 1997, with the forget gate of Gers, Schmidhuber & Cummins 2000), gates in the order
i, f, g, o::

    i, f, g, o = (x_t @ W_ih.T + b_ih + h @ W_hh.T + b_hh).chunk(4)
    c = sigmoid(f) * c + sigmoid(i) * tanh(g)
    h = sigmoid(o) * tanh(c)
"""

from __future__ import annotations

from typing import Any, Unpack

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.nn.arguments import GRUArguments, LSTMArguments, RNNArguments
from gatecast.nn.cell_kinds import GRUKind, LSTMKind, RNNKind
from gatecast.nn.checks import check_arguments, one_of
from gatecast.nn.options import LSTMStackOptions, StackOptions
from gatecast.nn.stack import Stack
from gatecast.ops.activations import Activation

State = tuple[Float[Tensor, "layers batch hidden"], ...]  # h, and c where the cell has one


class LSTM(Stack, kind=LSTMKind, stack=LSTMStackOptions):
    """Long short-term memory, a replacement of ``torch.nn.LSTM``: ``load_state_dict`` works both ways.

    Args:
        input_size: features of each step.
        hidden_size: width of the hidden and the cell state.
        num_layers: stacked layers.
        bias: whether the gates have biases.
        batch_first: input and output are ``(batch, time, feature)``; else ``(time, batch, feature)``.
        dropout: probability of dropping an output between two layers.
        bidirectional: read the sequence backwards as well.
        proj_size: width of a projection of the output; 0: none.
        **options: ``device`` and ``dtype`` of the weights; fields of ``LSTMCellOptions`` and ``LSTMStackOptions``.

    Example:
        >>> import torch
        >>> from gatecast.nn import LSTM
        >>> layer = LSTM(3, 8, batch_first=True, recurrent_dropout=0.2, zoneout=0.1)
        >>> output, (h_n, c_n) = layer(torch.randn(4, 20, 3), lengths=[20, 3, 0, 7])
        >>> output.shape, h_n.shape
        (torch.Size([4, 20, 8]), torch.Size([1, 4, 8]))
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        **options: Unpack[LSTMArguments],
    ) -> None:
        self._build(locals())


class GRU(Stack, kind=GRUKind, stack=StackOptions):
    """Gated recurrent unit (Cho et al. 2014), a replacement of ``torch.nn.GRU``.

    Args:
        input_size: features of each step.
        hidden_size: width of the state.
        num_layers: stacked layers.
        bias: whether the gates have biases.
        batch_first: input and output are ``(batch, time, feature)``.
        dropout: probability of dropping an output between two layers.
        bidirectional: read the sequence backwards as well.
        **options: ``device`` and ``dtype`` of the weights; fields of ``GRUCellOptions`` and ``StackOptions``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Unpack[GRUArguments],
    ) -> None:
        self._build(locals())


class RNN(Stack, kind=RNNKind, stack=StackOptions):
    """Plain recurrent network (Elman 1990), a replacement of ``torch.nn.RNN``.

    Args:
        input_size: features of each step.
        hidden_size: width of the state.
        num_layers: stacked layers.
        nonlinearity: of the state: a name (tanh, relu, …) or a function of a tensor.
        bias: whether the state has biases.
        batch_first: input and output are ``(batch, time, feature)``.
        dropout: probability of dropping an output between two layers.
        bidirectional: read the sequence backwards as well.
        **options: ``device`` and ``dtype`` of the weights; fields of ``RNNCellOptions`` and ``StackOptions``.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        nonlinearity: Activation = "tanh",
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        **options: Unpack[RNNArguments],
    ) -> None:
        self._build(locals())


CELLS: dict[str, type[LSTM | GRU | RNN]] = {"lstm": LSTM, "gru": GRU, "rnn": RNN}


def make_recurrent(
    cell: str,
    input_size: int,
    hidden_size: int,
    *,
    num_layers: int = 1,
    bias: bool = True,
    dropout: float = 0.0,
    bidirectional: bool = False,
    **options: Any,
) -> LSTM | GRU | RNN:
    """Batch-first layers; an LSTM's forget gates begin open (Jozefowicz, Zaremba & Sutskever 2015, §3).

    Their first bias is 1, unless ``bias_initializer`` is given.

    Args:
        cell: ``"lstm"``, ``"gru"`` or ``"rnn"``.
        input_size: features of each step.
        hidden_size: width of the state.
        num_layers: stacked layers.
        bias: learn a bias for each gate.
        dropout: probability of dropping an output between two layers; has no effect with one layer.
        bidirectional: read the sequence backwards as well.
        **options: further options of the layer.
    """
    check_arguments({"num_layers": num_layers})
    layers = CELLS[one_of(tuple(CELLS), cell=cell)](
        input_size,
        hidden_size,
        num_layers,
        bias=bias,
        batch_first=True,
        dropout=dropout if num_layers > 1 else 0.0,
        bidirectional=bidirectional,
        **options,
    )
    if cell == "lstm" and bias and layers.cell.options.bias_initializer == "uniform":
        at = layers.cell.gates.index("f")
        for suffix in layers.suffixes:
            nn.init.ones_(layers.get_parameter(f"bias_ih{suffix}")[at * hidden_size : (at + 1) * hidden_size].detach())
    return layers


def make_lstm(
    input_size: int,
    hidden_size: int,
    *,
    num_layers: int = 1,
    bias: bool = True,
    dropout: float = 0.0,
    bidirectional: bool = False,
) -> LSTM:
    """A batch-first LSTM whose forget gates begin open: :func:`make_recurrent` without further options."""
    layers = make_recurrent(
        "lstm",
        input_size,
        hidden_size,
        num_layers=num_layers,
        bias=bias,
        dropout=dropout,
        bidirectional=bidirectional,
    )
    assert isinstance(layers, LSTM)
    return layers


def state_parts(state: Tensor | State) -> State:
    """The tensors of a state: h, and c if the cell has one."""
    return (state,) if isinstance(state, Tensor) else state


def last_hidden(state: Tensor | State, *, bidirectional: bool) -> Float[Tensor, "batch width"]:
    """Hidden state of the top layer; both directions concatenated."""
    h = state_parts(state)[0]
    return torch.cat([h[-2], h[-1]], -1) if bidirectional else h[-1]
