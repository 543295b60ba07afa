"""Saved models by the kind that their file names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from gatecast.base.errors import GatecastError, ModelFileError, SettingError
from gatecast.base.fields import field, shown
from gatecast.forecasters.classifier import LSTMClassifier
from gatecast.forecasters.model_file import read
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.zeroshot import ZeroShotLSTM

KINDS: dict[str, Any] = {"forecaster": LSTMForecaster, "classifier": LSTMClassifier, "zeroshot": ZeroShotLSTM}


def load(path: str | Path) -> Any:
    """Read a forecaster or a classifier that was saved by its ``save``; it needs no training.

    Raises:
        ModelFileError: the file is missing, truncated, altered, not gatecast's, or of a newer format.
    """
    try:
        facts, tensors = read(Path(path))
        kind = field(facts, "kind", "str")
        if kind not in KINDS:
            raise SettingError(f"kind must be one of {', '.join(KINDS)}, got {shown(kind)}")
        return KINDS[kind].from_state(facts, tensors)
    except ModelFileError:
        raise
    except Exception as error:  # a file with right checksums and wrong parts may fail anywhere while it is put together
        said = str(error) if isinstance(error, GatecastError) else f"{type(error).__name__}: {error}"
        problem = f"the model's parts do not fit together ({said[:300]})"
        raise ModelFileError(problem, "save the model again", place=str(path)) from error
