"""The guard of the loop: a loss or gradient that is not finite stops it, before the weights are touched.

The message names step and series and what to try; where the run has a folder, the batch is saved there with all that is
needed to look at it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from gatecast.base.errors import TrainingError
from gatecast.base.files import whole
from gatecast.batches.windows import BatchSource
from gatecast.training.config import FitConfig
from gatecast.training.step import not_finite

SHOWN = 5


@dataclass(frozen=True)
class Guard:
    """Refuses to go on from numbers that are not finite.

    Args:
        model: what is trained.
        windows: where batches come from.
        config: settings; ``log_dir``, else the checkpoint's folder, gets the batch.
        name: of the run, which begins the names of the files.
    """

    model: nn.Module
    windows: BatchSource
    config: FitConfig
    name: str

    def __call__(self, loss: float, norm: float, step: int, batches: Sequence[Any]) -> float:
        """The loss, when it and the gradient are finite.

        Raises:
            TrainingError: naming step, series and what to try.
        """
        if math.isfinite(loss) and math.isfinite(norm):
            return loss
        raise TrainingError(self._message(loss, norm, step, _joined(batches)))

    def _message(self, loss: float, norm: float, step: int, batch: Any) -> str:
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient's norm is {norm}"
        alone = self._windows_of_their_own(batch)
        ids = [str(self.windows.ids[i]) for i in batch.series.tolist()]
        named = list(dict.fromkeys(ids[k] for k in alone or range(len(ids))))
        holds = f"{'it comes from' if alone else 'the batch holds'} series {', '.join(named[:SHOWN])}"
        more = " …" if len(named) > SHOWN else ""
        facts = {"what": what, "step": step + 1, "loss": loss, "gradient_norm": norm, "series": ids, "alone": alone}
        file = self._save(batch, facts)
        saved = f" The batch is in {file}." if file else ""
        return f"{what} at step {step + 1}; {holds}{more}. {self._advice(batch)}.{saved}"

    def _advice(self, batch: Any) -> str:
        tries = [f"a lower FitConfig.learning_rate (it is {self.config.learning_rate:g})"]
        tries += [f"a lower clip (it is {self.config.clip:g})" if self.config.clip else "clip=1"]
        tries += ["precision='32'"] if self.config.precision != "32" else []
        numbers = [value for one in fields(batch) if (value := getattr(batch, one.name)).is_floating_point()]
        largest = max(float(value.abs().max()) for value in numbers if value.numel())
        values = f" (the largest value is {largest:.3g})" if largest > 1e6 else ""
        return f"Try {', '.join(tries)}, or scaler='robust'{values}"

    @torch.no_grad()
    def _windows_of_their_own(self, batch: Any) -> list[int]:
        """Windows whose own loss is not finite; none where it is that of all, which tells nothing."""
        training = self.model.training
        self.model.eval()
        bad = [k for k in range(len(batch)) if not math.isfinite(float(self.model(_row(batch, k))))]
        self.model.train(training)
        return bad if len(bad) < len(batch) else []

    def _save(self, batch: Any, facts: dict[str, Any]) -> Path | None:
        folder = self.config.log_dir or (self.config.checkpoint.parent if self.config.checkpoint else None)
        if folder is None:
            return None
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / f"{self.name}-not-finite-step-{facts['step']}.safetensors"
        tensors = {f"batch.{one.name}": getattr(batch, one.name) for one in fields(batch)}
        tensors |= {f"model.{name}": value for name, value in self.model.state_dict().items()}
        with whole(file) as draft:
            save_file({name: value.cpu().contiguous() for name, value in tensors.items()}, draft)
        weights = list(self.model.named_parameters())
        facts |= {
            "weights_not_finite": not_finite(weights),
            "gradients_not_finite": not_finite([(name, weight.grad) for name, weight in weights]),
            "fit": self.config.to_dict(),
        }
        with whole(file.with_suffix(".json")) as draft:
            draft.write_text(json.dumps(facts, indent=1, default=str) + "\n", encoding="utf-8")
        return file


def _joined(batches: Sequence[Any]) -> Any:
    parts: list[list[Tensor]] = [[getattr(batch, one.name) for batch in batches] for one in fields(batches[0])]
    return type(batches[0])(*(torch.cat(part) for part in parts))


def _row(batch: Any, row: int) -> Any:
    return type(batch)(*(getattr(batch, one.name)[row : row + 1] for one in fields(batch)))
