"""One step ahead, fed back: the recursive network, forecast by sampled trajectories.

After DeepAR (Salinas et al. 2020): trained with the true previous value (teacher forcing), forecast by drawing a value
from the head, feeding it back and going on, many times; the spread of the trajectories carries the errors of all steps
before. Feeding back a mean instead would make the intervals too narrow.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.batches.windows import Batch
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.lstm import StaticContext, recurrent_layers
from gatecast.nn.draws import Dropout
from gatecast.nn.recurrent import State, state_parts

Draw = Callable[[Float[Tensor, "batch targets outputs"]], Float[Tensor, "batch targets"]]


class RecursiveLSTM(nn.Module):
    """``raw_t = head(LSTM(y_{t-1}, y_{t-season}, covariates_t))`` for one step after another.

    The centre of each step is a mixture of the lagged values, weighted by the hidden state, plus what the network adds.

    Args:
        shapes: sizes of the data.
        config: shape of the network.
        initial: bias of the raw outputs.
    """

    def __init__(self, shapes: Shapes, config: NetConfig, initial: tuple[float, ...]) -> None:
        super().__init__()
        self.shapes, self.config = shapes, config
        self.lags = (1, *(season for season in shapes.seasons if season > 1))
        self.past_only = shapes.past_inputs - shapes.future_inputs
        self.static = StaticContext(shapes, config)
        row = shapes.targets * (len(self.lags) + 1) + self.past_only + 1 + shapes.future_inputs + self.static.width
        self.lstm = recurrent_layers(config, row)
        self.dropout = Dropout(config.dropout)
        self.out = nn.Linear(config.hidden_size, shapes.targets * shapes.outputs)
        nn.init.normal_(self.out.weight, std=0.1 * config.hidden_size**-0.5)
        nn.init.zeros_(self.out.bias)
        self.gate = nn.Linear(config.hidden_size, len(self.lags)) if config.base != "none" else None
        self.register_buffer("initial", torch.tensor(initial, device="cpu"), persistent=False)  # in no file

    def forward(
        self, past: Float[Tensor, "batch context targets"], batch: Batch, target: Float[Tensor, "batch horizon targets"]
    ) -> Float[Tensor, "batch horizon targets outputs"]:
        """Raw outputs of the horizon with the true values fed back (training)."""
        values = torch.cat([past, torch.where(batch.mask, target, 0.0)], 1)
        seen = torch.cat([batch.observed, batch.mask], 1)
        lagged = [_shifted(values, lag) for lag in self.lags]
        rows = torch.cat([*lagged, (~_shifted(seen, 1)).to(past.dtype), self._given(batch)], -1)
        hidden, _ = self.lstm(rows[:, 1:])  # row 0 has no value before it
        ahead = hidden[:, -self.shapes.horizon :]
        return self._raw(ahead, torch.stack([lag[:, -self.shapes.horizon :] for lag in lagged], -1))

    @torch.no_grad()
    def sample(
        self, past: Float[Tensor, "batch context targets"], batch: Batch, draw: Draw, paths: int
    ) -> Float[Tensor, "batch paths horizon targets"]:
        """Trajectories in scaled units: each drawn value is fed back to its own path."""
        context, horizon = self.shapes.context, self.shapes.horizon
        given = self._given(batch)
        state = self._warm_up(past, batch, given)
        state = tuple(part.repeat_interleave(paths, 1) for part in state)
        values = nn.functional.pad(past, (0, 0, 0, horizon)).repeat_interleave(paths, 0)
        given = given[:, context:].repeat_interleave(paths, 0)
        missing = (~batch.observed[:, -1:]).to(past.dtype).repeat_interleave(paths, 0)
        for step in range(horizon):
            now = context + step
            lagged = [values[:, now - lag : now - lag + 1] if lag <= now else 0 * missing for lag in self.lags]
            hidden, after = self.lstm(torch.cat([*lagged, missing, given[:, step : step + 1]], -1), state)
            state = state_parts(after)
            values[:, now] = draw(self._raw(hidden, torch.stack(lagged, -1))[:, 0])
            missing = torch.zeros_like(missing)
        return values[:, context:].unflatten(0, (-1, paths))

    def _warm_up(self, past: Tensor, batch: Batch, given: Tensor) -> State:
        """State after reading the context up to the row before the last; the last value is fed at the first step."""
        lagged = [_shifted(past, lag) for lag in self.lags]
        missing = (~_shifted(batch.observed, 1)).to(past.dtype)
        rows = torch.cat([*lagged, missing, given[:, : self.shapes.context]], -1)
        _, state = self.lstm(rows[:, 1:])
        return state_parts(state)

    def _given(self, batch: Batch) -> Float[Tensor, "batch rows given"]:
        """Covariates of each row: past-only ones of the row before (0 over the horizon), known ones of the row."""
        rows = self.shapes.context + self.shapes.horizon
        ahead = batch.past.new_zeros(len(batch), rows, 1, dtype=torch.float32)
        ahead[:, self.shapes.context + 1 :] = 1.0  # from the second step on, the row before is unknown
        past_only = nn.functional.pad(
            _shifted(nn.functional.pad(batch.past_inputs[..., : self.past_only], (0, 0, 0, 1)), 1),
            (0, 0, 0, self.shapes.horizon - 1),
        )
        known = torch.cat([batch.past_inputs[..., self.past_only :], batch.future_inputs], 1)
        static = self.static(batch)[:, None].expand(-1, rows, -1)
        return torch.cat([past_only, ahead, known, static], -1)

    def _raw(self, hidden: Tensor, lagged: Float[Tensor, "batch rows targets lags"]) -> Tensor:
        raw = self.out(self.dropout(hidden)).unflatten(-1, (self.shapes.targets, self.shapes.outputs)) + self.initial
        if self.gate is None:
            return raw
        centre = torch.einsum("brtl,brl->brt", lagged, self.gate(hidden).softmax(-1))
        return torch.cat([raw[..., :1] + centre[..., None], raw[..., 1:]], -1)


def _shifted(values: Tensor, lag: int) -> Tensor:
    """Row ``t`` holds the value of row ``t - lag``; zeros (False) before the start."""
    if lag >= values.shape[1]:
        return torch.zeros_like(values)
    return torch.cat([torch.zeros_like(values[:, :lag]), values[:, :-lag]], 1)
