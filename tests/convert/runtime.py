"""onnxruntime on one thread, and the sizes of its tests."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

TIME, BATCH, INPUT, HIDDEN = 7, 3, 4, 5
LENGTHS = [7, 1, 4]


def ran(model: Any, **inputs: Tensor) -> list[Tensor]:
    """What onnxruntime gives."""
    import onnxruntime as ort

    options = ort.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return [torch.from_numpy(y) for y in session.run(None, {name: x.numpy() for name, x in inputs.items()})]
