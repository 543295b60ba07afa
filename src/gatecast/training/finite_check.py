"""Stop training when a loss or gradient is not finite, before the weights change.

The message names the step, the series and what to try; if the run has a folder, the batch is saved there.
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
from gatecast.base.findings import Arg, Text
from gatecast.batches.windows import BatchSource
from gatecast.training.config import FitConfig
from gatecast.training.step import not_finite

SHOWN = 5


@dataclass(frozen=True)
class FiniteCheck:
    """Stops training when a loss or gradient is not finite.

    Args:
        model: the network.
        windows: source of the batches.
        config: settings; the batch is saved in ``log_dir``, else in the folder of the checkpoint.
        name: of the run; prefix of the file names.
    """

    model: nn.Module
    windows: BatchSource
    config: FitConfig
    name: str

    def __call__(self, loss: float, norm: float, step: int, batches: Sequence[Any]) -> float:
        """Return the loss if it and the norm of the gradient are finite.

        Raises:
            TrainingError: naming step, series and what to try.
        """
        if math.isfinite(loss) and math.isfinite(norm):
            return loss
        raise self._error(loss, norm, step, _joined(batches))

    def _error(self, loss: float, norm: float, step: int, batch: Any) -> TrainingError:
        what = f"the loss is {loss}" if not math.isfinite(loss) else f"the gradient norm is {norm}"
        culprits = self._windows_not_finite(batch)
        ids = [str(self.windows.ids[i]) for i in batch.series.tolist()]
        named = list(dict.fromkeys(ids[k] for k in culprits or range(len(ids))))
        series = f"{'from' if culprits else 'in a batch with'} series {', '.join(named[:SHOWN])}"
        more = " …" if len(named) > SHOWN else ""
        facts = {"what": what, "step": step + 1, "loss": loss, "gradient_norm": norm}
        file = self._save(batch, facts | {"series": ids, "windows_not_finite": culprits})
        saved = f" (the batch is saved in {file})" if file else ""
        return TrainingError(f"{what} at step {step + 1}, {series}{more}{saved}", self._remedy(batch))

    def _remedy(self, batch: Any) -> Text:
        config = self.config
        remedy = "try a lower " + Arg("learning_rate", of="FitConfig") + f" (it is {config.learning_rate:g}), "
        if config.clip:
            remedy = remedy + "a lower " + Arg("clip", of="FitConfig") + f" (it is {config.clip:g})"
        else:
            remedy = remedy + Arg("clip", 1, of="FitConfig")
        if config.precision != "32":
            remedy = remedy + ", " + Arg("precision", "32", of="FitConfig")
        numbers = [value for one in fields(batch) if (value := getattr(batch, one.name)).is_floating_point()]
        largest = max(float(value.abs().max()) for value in numbers if value.numel())
        values = f" (the largest value is {largest:.3g})" if largest > 1e6 else ""
        return remedy + ", or " + Arg("scaler", "robust") + values

    @torch.no_grad()
    def _windows_not_finite(self, batch: Any) -> list[int]:
        """Windows whose loss is not finite; [] if that is true of all, which points to none of them."""
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
