"""The recurrent nodes of an ONNX file, with their arrays."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from gatecast.base.errors import ModelFileError, require
from gatecast.convert.layer import GATES

LIMIT_FILE = 2**31  # the largest protobuf message
INPUTS = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
WEIGHTS = ("W", "R", "B", "P")


@dataclass(frozen=True)
class Node:
    """An LSTM, GRU or RNN node.

    Args:
        name: of the node, or of its output if it has no name.
        kind: the operator.
        arrays: W, R, B, P and constant initial states that are present.
        attributes: as ONNX names them.
        file: that it is from, for messages.
    """

    name: str
    kind: str
    arrays: dict[str, np.ndarray] = field(repr=False)
    attributes: dict[str, Any]
    file: str = ""

    @property
    def label(self) -> str:
        """The node in messages."""
        return f"{self.file}{', ' if self.file else ''}node {self.name!r} ({self.kind})"


def nodes_of(path: str | Path) -> list[Node]:
    """The recurrent nodes of a file, in the order of its graph.

    Raises:
        ModelFileError: not an ONNX file, or its weights are elsewhere.
        MissingExtraError: onnx is not installed.
    """
    onnx = require("onnx", extra="onnx", purpose="reading ONNX files")
    path = Path(path)
    if not path.exists():
        raise ModelFileError("no such file", place=str(path))
    if not path.is_file() or path.stat().st_size > LIMIT_FILE:
        raise ModelFileError(f"must be an ONNX file of at most {LIMIT_FILE} bytes", place=str(path))
    try:
        graph = onnx.load_model(str(path), load_external_data=False).graph
    except Exception as error:  # protobuf's errors have no public base
        raise ModelFileError(f"not an ONNX model: {error}", place=str(path)) from error
    constants = _Constants(graph, str(path))
    return [constants.node(node) for node in graph.node if node.op_type in GATES and node.domain in ("", "ai.onnx")]


class _Constants:
    """The constants of a graph: initializers, Constant nodes, and Identity aliases of both."""

    def __init__(self, graph: Any, place: str) -> None:
        self.place = place
        self.tensors = {tensor.name: tensor for tensor in graph.initializer}
        self.same: dict[str, str] = {}
        for node in graph.node:
            if node.op_type == "Identity":
                self.same.update(zip(node.output, node.input, strict=False))
            elif node.op_type == "Constant":
                values = [a.t for a in node.attribute if a.name == "value"]
                self.tensors.update(zip(node.output, values, strict=False))

    def node(self, node: Any) -> Node:
        onnx = require("onnx", extra="onnx", purpose="reading ONNX files")
        name = node.name or next(iter(node.output), "")
        arrays: dict[str, np.ndarray] = {}
        for slot, source in zip(INPUTS, node.input, strict=False):
            array = self._array(source, f"{slot} of node {name!r}") if source else None
            if array is None and source and slot in WEIGHTS:
                raise ModelFileError(
                    f"{slot} of node {name!r} must be an initializer, but {source!r} is computed by the graph",
                    "fold the constants first (onnxsim, or onnxruntime's optimized model)",
                    place=self.place,
                )
            arrays |= {} if array is None else {slot: array}
        attributes = {a.name: _plain(onnx.helper.get_attribute_value(a)) for a in node.attribute}
        return Node(name, node.op_type, arrays, attributes, self.place)

    def _array(self, name: str, what: str) -> np.ndarray | None:
        onnx = require("onnx", extra="onnx", purpose="reading ONNX files")
        for _ in range(len(self.same) + 1):
            name = self.same.get(name, name)
        tensor = self.tensors.get(name)
        if tensor is None:
            return None
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            raise ModelFileError(
                f"{what} is stored in another file, which is not followed",
                "write one file: onnx.save(onnx.load(path), new_path, save_as_external_data=False)",
                place=self.place,
            )
        try:
            return onnx.numpy_helper.to_array(tensor)
        except Exception as error:
            raise ModelFileError(f"{what}: the tensor {name!r} is malformed: {error}", place=self.place) from error


def _plain(value: Any) -> Any:
    """Bytes decoded to text."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return [_plain(item) for item in value] if isinstance(value, list | tuple) else value
