"""Networks that forecast the whole horizon at once from a state that has seen the last observation.

All share one frame: scaled context → LSTM encoder → decoder, plus a naive base and a linear skip. They differ in what
one recurrent step is (a row or a segment of rows) and in how the horizon is read off the last state:

- ``segment``: patches of the context are the steps, and each patch of the horizon is one LSTM step from the last
  state with a learned query (after SegRNN: Lin et al. 2023; patches before an LSTM: Kong et al. 2025, P-sLSTM).
- ``direct``: each row is a step; one linear map takes the last state to the horizon.
- ``seq2seq``: each row is a step; a second LSTM runs over the horizon from the encoder's state
  (Sutskever, Vinyals & Le 2014), reading known covariates and the step ahead.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.batches.windows import Batch
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.naive_mixture import BaseMixture, SingleBase
from gatecast.nn.draws import Dropout
from gatecast.nn.recurrent import GRU, LSTM, RNN, State, last_hidden, make_recurrent, state_parts

MOST_SEGMENTS = 24

Scaled = Float[Tensor, "batch context targets"]
Raw = Float[Tensor, "batch horizon targets outputs"]


class StaticContext(nn.Module):
    """Static covariates, categories and the vector of the series as one vector that is added to every query."""

    def __init__(self, shapes: Shapes, config: NetConfig) -> None:
        super().__init__()
        widths = [min(16, 2 + levels // 2) for levels in shapes.levels]
        self.categories = nn.ModuleList(
            nn.Embedding(levels + 1, width) for levels, width in zip(shapes.levels, widths, strict=True)
        )
        self.ids = nn.Embedding(shapes.series, config.id_embedding) if config.id_embedding else None
        self.width = shapes.statics + sum(widths) + config.id_embedding

    def forward(self, batch: Batch) -> Float[Tensor, "batch width"]:
        """The vector of each window."""
        parts = [batch.static, *(table(batch.category[:, k]) for k, table in enumerate(self.categories))]
        if self.ids is not None:
            parts.append(self.ids(batch.series))
        return torch.cat(parts, -1)


class DirectForecaster(nn.Module):
    """The shared frame; subclasses encode the context and decode the horizon.

    Args:
        shapes: sizes of the data.
        config: shape of the network.
        initial: bias of the raw outputs (see :class:`gatecast.nn.heads.Head`).
    """

    initial: Tensor
    lstm: LSTM | GRU | RNN

    def __init__(self, shapes: Shapes, config: NetConfig, initial: tuple[float, ...]) -> None:
        super().__init__()
        self.shapes, self.config = shapes, config
        self.static = StaticContext(shapes, config)
        self.width = config.hidden_size * (2 if config.bidirectional else 1)
        self.row = shapes.targets * (2 if shapes.flags else 1) + shapes.past_inputs
        self.dropout = Dropout(config.dropout)
        if config.base in ("auto", "mixture"):
            self.base: BaseMixture | SingleBase = BaseMixture(shapes)
        else:
            self.base = SingleBase(shapes, config.base)
        self.skip = nn.Linear(shapes.context, shapes.horizon, bias=False) if config.skip else None
        if self.skip is not None:
            nn.init.zeros_(self.skip.weight)
        self.register_buffer("initial", torch.tensor(initial, device="cpu"), persistent=False)  # in no file
        self.build()

    def build(self) -> None:
        """Make the layers of the encoder (``lstm``) and the decoder."""
        raise NotImplementedError

    def encode(self, rows: Float[Tensor, "batch context row"]) -> State:
        """State after the last row of the context."""
        _, state = self.lstm(rows)
        return state_parts(state)

    def decode(self, state: State, static: Tensor, future: Tensor) -> Raw:
        """Raw outputs and gates of the base, ``(batch, horizon, targets, outputs + bases)``, from the last state."""
        raise NotImplementedError

    def forward(self, past: Scaled, batch: Batch) -> Raw:
        """Raw outputs of the head, in scaled units."""
        rows = [past]
        if self.shapes.flags:
            rows.append((~batch.observed).to(past.dtype))
        state = self.encode(torch.cat([*rows, batch.past_inputs], -1))
        raw = self.decode(state, self.static(batch), batch.future_inputs)
        raw, gates = raw[..., : self.shapes.outputs] + self.initial, raw[..., self.shapes.outputs :]
        centre = self.base(past, batch.observed, gates)
        if self.skip is not None:
            centre = centre + self.skip(past.transpose(1, 2)).transpose(1, 2)
        return torch.cat([raw[..., :1] + centre[..., None], raw[..., 1:]], -1)

    def _encoder(self, input_size: int) -> LSTM | GRU | RNN:
        """The recurrent layers that read the context."""
        config = self.config
        return recurrent_layers(
            config, input_size, bidirectional=config.bidirectional, go_backwards=config.go_backwards
        )

    def _out(self, width: int, steps: int) -> nn.Linear:
        layer = nn.Linear(width, steps * self.shapes.targets * (self.shapes.outputs + self.base.bases))
        if self.config.base != "none":  # begin near the base
            nn.init.normal_(layer.weight, std=0.1 * width**-0.5)
            nn.init.zeros_(layer.bias)
        return layer


class SegmentLSTM(DirectForecaster):
    """Segments of the context as steps, segments of the horizon as parallel queries from the last state."""

    def build(self) -> None:
        shapes, config = self.shapes, self.config
        self.segment = segment_length(shapes, config)
        self.ahead = min(self.segment, shapes.horizon)
        self.queries = -(-shapes.horizon // self.ahead)
        width = config.embedding or config.hidden_size
        self.embed = nn.Linear(self.segment * self.row, width)
        self.lstm = self._encoder(width)
        self.position = nn.Parameter(torch.randn(self.queries, width) * 0.1)
        given = self.static.width + self.ahead * shapes.future_inputs
        self.query = nn.Linear(given, width, bias=False) if given else None
        self.out = self._out(self.width, self.ahead)

    def encode(self, rows: Float[Tensor, "batch context row"]) -> State:
        missing = -rows.shape[1] % self.segment
        if missing:  # the front is padded, so that the last segment ends at the last observation
            rows = nn.functional.pad(rows, (0, 0, missing, 0))
        segments = rows.unflatten(1, (-1, self.segment)).flatten(2)
        _, state = self.lstm(self.dropout(self.embed(segments).relu()))
        return state_parts(state)

    def decode(self, state: State, static: Tensor, future: Tensor) -> Raw:
        batch, horizon = len(future), self.shapes.horizon
        query = self.position.expand(batch, -1, -1)
        if self.query is not None:
            query = query + self.query(self._given(static, future))
        start = tuple(part.repeat_interleave(self.queries, dim=1) for part in state)
        steps, _ = self.lstm(query.flatten(0, 1)[:, None], start)
        raw = self.out(self.dropout(steps[:, 0])).view(batch, self.queries * self.ahead, self.shapes.targets, -1)
        return raw[:, :horizon]

    def _given(self, static: Tensor, future: Tensor) -> Float[Tensor, "batch queries given"]:
        """What is known about each segment of the horizon."""
        missing = self.queries * self.ahead - future.shape[1]
        future = nn.functional.pad(future, (0, 0, 0, missing)).unflatten(1, (self.queries, self.ahead)).flatten(2)
        return torch.cat([static[:, None].expand(-1, self.queries, -1), future], -1)


class DirectLSTM(DirectForecaster):
    """Each row a step; the last hidden state and all that is known of the future give the whole horizon."""

    def build(self) -> None:
        shapes = self.shapes
        self.lstm = self._encoder(self.row)
        known = self.static.width + shapes.horizon * shapes.future_inputs
        self.known = nn.Linear(known, self.width, bias=False) if known else None
        self.out = self._out(self.width, shapes.horizon)

    def decode(self, state: State, static: Tensor, future: Tensor) -> Raw:
        if self.config.residual:  # what the top layer gives at its last step: the sum over all layers
            state = (state[0].unflatten(0, (self.config.num_layers, -1)).sum(0),)
        summary = last_hidden(state, bidirectional=self.config.bidirectional)
        if self.known is not None:
            summary = summary + self.known(torch.cat([static, future.flatten(1)], -1)).tanh()
        return self.out(self.dropout(summary)).view(len(future), self.shapes.horizon, self.shapes.targets, -1)


class Seq2SeqLSTM(DirectForecaster):
    """An encoder over the context, a decoder over the horizon that starts from its state."""

    def build(self) -> None:
        shapes, config = self.shapes, self.config
        self.lstm = self._encoder(self.row)
        position = 8
        self.position = nn.Parameter(torch.randn(shapes.horizon, position) * 0.1)
        states = 2 if config.cell == "lstm" else 1
        self.bridge = nn.Linear(states * self.width, states * config.hidden_size) if config.bidirectional else None
        self.decoder = recurrent_layers(config, position + self.static.width + shapes.future_inputs)
        self.out = self._out(config.hidden_size, 1)

    def decode(self, state: State, static: Tensor, future: Tensor) -> Raw:
        batch, horizon, _ = future.shape
        position = self.position.expand(batch, -1, -1)
        inputs = torch.cat([position, static[:, None].expand(-1, horizon, -1), future], -1)
        steps, _ = self.decoder(inputs, self._start(state))
        return self.out(self.dropout(steps)).view(batch, horizon, self.shapes.targets, -1)

    def _start(self, state: State) -> tuple[Tensor, ...]:
        """The encoder's state as the decoder's; two directions are joined by a learned map."""
        if self.bridge is None:
            return state
        layers = self.config.num_layers
        both = [s.unflatten(0, (layers, 2)).transpose(1, 2).flatten(2) for s in state]
        return tuple(part.contiguous() for part in self.bridge(torch.cat(both, -1)).chunk(len(both), -1))


def recurrent_layers(
    config: NetConfig, input_size: int, *, bidirectional: bool = False, go_backwards: bool = False
) -> LSTM | GRU | RNN:
    """The recurrent layers of a configuration, for ``input_size`` features at each step."""
    return make_recurrent(
        config.cell,
        input_size,
        config.hidden_size,
        num_layers=config.num_layers,
        bias=config.bias,
        dropout=config.dropout,
        bidirectional=bidirectional,
        go_backwards=go_backwards,
        **config.layer_options(),
    )


def segment_length(shapes: Shapes, config: NetConfig) -> int:
    """Rows in one segment: as set, else the shortest season, extended so that the context has at most 24 segments."""
    if config.segment is not None:
        return min(config.segment, shapes.context)
    season = shapes.seasons[0] if shapes.seasons else 12
    return max(1, min(max(season, -(-shapes.context // MOST_SEGMENTS)), 48, shapes.context))
