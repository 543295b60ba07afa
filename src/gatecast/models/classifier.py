"""A network that reads a sequence to its end and classifies it."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from gatecast.batches.sequences import SequenceBatch
from gatecast.models.config import NetConfig
from gatecast.models.lstm import recurrent_layers
from gatecast.nn.draws import Dropout
from gatecast.nn.losses import Loss, weighted_mean
from gatecast.nn.recurrent import last_hidden


class SequenceClassifier(nn.Module):
    """``logits = W h_T + b``, where ``h_T`` is the hidden state after the last step read.

    Args:
        features: of each step.
        classes: number of classes.
        config: shape of the network.
        loss: of logits and class numbers.
    """

    def __init__(self, features: int, classes: int, config: NetConfig, loss: Loss) -> None:
        super().__init__()
        self.config, self.loss = config, loss
        self.lstm = recurrent_layers(
            config, features, bidirectional=config.bidirectional, go_backwards=config.go_backwards
        )
        self.dropout = Dropout(config.dropout)
        self.out = nn.Linear(config.hidden_size * (2 if config.bidirectional else 1), classes)

    def forward(self, batch: SequenceBatch) -> Float[Tensor, ""]:
        """Weighted mean loss of the sequences."""
        return weighted_mean(self.loss.cells(self.logits(batch), batch.label), weight=batch.weight)

    def weight_of(self, batch: SequenceBatch) -> float:
        """Total weight of a batch."""
        return float(batch.weight.sum())

    def logits(self, batch: SequenceBatch) -> Float[Tensor, "batch classes"]:
        """Logits of the classes."""
        longest = int(batch.lengths.max())
        ragged = bool((batch.lengths < longest).any())
        _, state = self.lstm(batch.values[:, :longest], lengths=batch.lengths if ragged else None)
        logits: Tensor = self.out(self.dropout(last_hidden(state, bidirectional=self.config.bidirectional)))
        return logits.float() if logits.dtype == torch.bfloat16 else logits  # autocast: the loss keeps its precision
