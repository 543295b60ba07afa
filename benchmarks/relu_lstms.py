"""Many small LSTMs side by side: every network of one kind, whatever its seed and region, in one batched product.

A network of 64 units on ten windows leaves a processor idle; thirty of them in one ``baddbmm`` do not. The cell is
that of ``gatecast.nn.LSTM(activation="relu", input_dropout=p)`` with Keras's first weights; :func:`difference` compares
the two, and the benchmark's gate prints it.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from gatecast.nn import LSTM


class Dense(nn.Module):
    """``networks`` dense layers side by side, with Glorot's uniform weights and zero biases."""

    def __init__(self, networks: int, width: int, outputs: int) -> None:
        super().__init__()
        limit = (6 / (width + outputs)) ** 0.5
        self.weight = nn.Parameter(torch.empty(networks, width, outputs).uniform_(-limit, limit))
        self.bias = nn.Parameter(torch.zeros(networks, 1, outputs))

    def forward(self, x: Tensor) -> Tensor:
        """``(networks, batch, width) → (networks, batch, outputs)``."""
        return torch.baddbmm(self.bias, x, self.weight)


class ReluLSTM(nn.Module):
    """``networks`` LSTM layers side by side, with relu instead of tanh; gates i, f, o, then the candidate g.

        i, f, o = sigmoid(x W + h U + b)    g = relu(x W + h U + b)
        c = f c + i g                       h = o relu(c)

    First weights as in Keras: Glorot uniform for x, orthogonal for h, forget bias 1. ``dropout`` drops an input for
    all steps and all four gates, one mask for each window (Keras with ``implementation=2``).
    """

    def __init__(self, networks: int, inputs: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        limit = (6 / (inputs + 4 * hidden)) ** 0.5
        self.hidden, self.dropout = hidden, dropout
        self.w_x = nn.Parameter(torch.empty(networks, inputs, 4 * hidden).uniform_(-limit, limit))
        square = [nn.init.orthogonal_(torch.empty(4 * hidden, hidden)).T for _ in range(networks)]
        self.w_h = nn.Parameter(torch.stack(square).contiguous())
        bias = torch.zeros(networks, 1, 4 * hidden)
        bias[..., hidden : 2 * hidden] = 1
        self.bias = nn.Parameter(bias)

    def forward(self, x: Tensor) -> list[Tensor]:
        """``(networks, batch, time, inputs)`` → h of every step, each ``(networks, batch, hidden)``."""
        networks, batch, time, inputs = x.shape
        if self.training and self.dropout:
            x = x * nn.functional.dropout(x.new_ones(networks, batch, 1, inputs), self.dropout)
        flat = torch.baddbmm(self.bias, x.reshape(networks, batch * time, inputs), self.w_x)
        gates_x = flat.view(networks, batch, time, -1).unbind(2)
        states, c = [], None
        for t in range(time):
            gates = gates_x[t] if c is None else torch.baddbmm(gates_x[t], states[-1], self.w_h)
            i, f, o = gates[..., : 3 * self.hidden].sigmoid().chunk(3, -1)
            new = i * gates[..., 3 * self.hidden :].relu()
            c = new if c is None else torch.addcmul(new, f, c)
            states.append(o * c.relu())
        return states


class Published(nn.Module):
    """The three networks of Chandra, Jain & Chauhan (2022), ``networks`` of one kind side by side.

    Args:
        kind: ``"LSTM"``, ``"BD-LSTM"`` or ``"ED-LSTM"``.
        networks: how many.
        inputs: series looked at.
        hidden: units.
        middle: width of the dense layer between; 0: none.
        dropout: of the inputs of each LSTM.
    """

    def __init__(self, kind: str, networks: int, inputs: int, hidden: int, middle: int, dropout: float) -> None:
        super().__init__()
        self.kind, self.networks = kind, networks
        directions = 2 if kind == "BD-LSTM" else 1
        self.encoder = ReluLSTM(directions * networks, inputs, hidden, dropout)
        if kind == "ED-LSTM":
            self.decoder, self.out = ReluLSTM(networks, hidden, hidden, dropout), Dense(networks, hidden, 1)
        else:
            width = directions * hidden
            layers = [Dense(networks, width, middle)] if middle else []
            self.out = nn.Sequential(*layers, Dense(networks, middle or width, 4))

    def forward(self, x: Tensor) -> Tensor:
        """``(networks, batch, 6, inputs) → (networks, batch, 4)``."""
        if self.kind == "BD-LSTM":
            both = self.encoder(torch.cat([x, x.flip(2)]))[-1]
            return self.out(torch.cat(both.split(self.networks), -1))
        last = self.encoder(x)[-1]
        if self.kind == "LSTM":
            return self.out(last)
        return torch.cat([self.out(h).relu() for h in self.decoder(last[:, :, None].expand(-1, -1, 4, -1))], -1)


def difference(hidden: int = 64, inputs: int = 2) -> float:
    """Largest difference between the batched cell and ``gatecast.nn.LSTM(activation="relu")`` with its weights."""
    ours = ReluLSTM(3, inputs, hidden)
    layer = LSTM(inputs, hidden, batch_first=True, activation="relu", single_bias=True)
    x = torch.rand(3, 5, 6, inputs)
    worst = 0.0
    for k in range(3):
        i, f, o, g = torch.arange(4 * hidden).chunk(4)
        order = torch.cat([i, f, g, o])  # as torch.nn.LSTM has them
        weights = {"weight_ih_l0": ours.w_x[k].T[order], "weight_hh_l0": ours.w_h[k].T[order]}
        layer.load_state_dict({**weights, "bias_ih_l0": ours.bias[k, 0][order]})
        batched = torch.stack([h[k] for h in ours(x)], 1)
        worst = max(worst, (layer(x[k])[0] - batched).abs().max().item())
    return worst
