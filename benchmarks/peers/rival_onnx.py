"""ONNX Runtime's LSTM operator, on a file that gatecast wrote, as a rival (see rival.py)."""

from __future__ import annotations

import numpy as np
import onnxruntime
import rival
from rival import Call, Case


def operator(case: Case) -> Call:
    """Inference alone: the file comes with the case."""
    if case.task != "inference" or case.option not in ("", "lengths"):
        raise rival.NotOffered("inference of the plain operator alone")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = rival.threads(), 1
    session = onnxruntime.InferenceSession(case.given["onnx"].tobytes(), options, ["CPUExecutionProvider"])
    inputs = {"x": np.ascontiguousarray(case.given["x"].swapaxes(0, 1))}
    if case.option == "lengths":
        inputs["lengths"] = case.given["lengths"].astype(np.int32)

    def run() -> np.ndarray:
        return session.run(["y"], inputs)[0]

    return Call(run, lambda: {"y": run().swapaxes(0, 1)})


if __name__ == "__main__":
    rival.serve({"ONNX Runtime": operator}, {"onnxruntime": onnxruntime.__version__})
