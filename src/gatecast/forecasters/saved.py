"""Saved models by the kind that their file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from safetensors import SafetensorError

from gatecast.base.errors import ModelFileError
from gatecast.forecasters.classifier import LSTMClassifier
from gatecast.forecasters.model_file import read
from gatecast.forecasters.neural import LSTMForecaster

KINDS: dict[str, Any] = {"forecaster": LSTMForecaster, "classifier": LSTMClassifier}


def load(path: str | Path) -> Any:
    """Read a forecaster or a classifier that was saved by its ``save``; it needs no training.

    Raises:
        ModelFileError: the file is missing, truncated, altered, not gatecast's, or of a newer format.
    """
    try:
        facts, tensors = read(Path(path))
        return KINDS[facts["kind"]].from_state(facts, tensors)
    except ModelFileError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, SafetensorError) as error:
        problem = f"the model's parts do not fit together ({error})"
        raise ModelFileError(problem, "save the model again", place=str(path)) from error
