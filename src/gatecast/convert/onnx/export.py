"""A layer as an ONNX model: a recurrent operator for each layer, and what joins them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import SettingError, require
from gatecast.convert.gates import ONNX, ONNX_PEEPHOLES, PEEPHOLES, TORCH, reorder
from gatecast.convert.layer import LayerWeights, refuse_last_outputs, refuse_others
from gatecast.convert.onnx_activations import OnnxActivation, check_symmetric, write_activation

OPSET = 18
IR_VERSION = 10
ONNX_OPTIONS = (
    "activation", "recurrent_activation", "nonlinearity", "merge_mode", "peephole", "coupled", "reset_after",
)  # fmt: skip
FUNCTIONS = {
    "LSTM": ("recurrent_activation", "activation", "activation"),
    "GRU": ("recurrent_activation", "activation"),
    "RNN": ("nonlinearity",),
}
JOINS = {"sum": "ReduceSum", "ave": "ReduceMean", "mul": "ReduceProd"}


def to_onnx(layer: LayerWeights, path: str | Path | None = None, *, state: bool = False, lengths: bool = False) -> Any:
    """The layer as an ``onnx.ModelProto``, for inference.

    Inputs: ``x`` ``(time, batch, input)``, or ``(batch, time, input)`` with ``batch_first``. Outputs: ``y`` of every
    step, and the last states ``h`` and, of an LSTM, ``c``, ``(layers*directions, batch, hidden)``. Dropout is left out;
    so are ``return_state`` and ``stateful``: all outputs are there for the caller to choose from.

    Args:
        layer: plain data of a layer or a stack.
        path: file to write; None: none.
        state: the model also reads ``h0`` and, of an LSTM, ``c0``, of the shape of ``h``.
        lengths: the model also reads ``lengths`` ``(batch,)`` of int32; outputs after the end are 0. With ``state``
            they should be 1 or more: of a sequence without steps onnxruntime gives 0 as the last state, not the first.

    Raises:
        SettingError: an option that ONNX's operator lacks: a projection, cell_clip, some activations; or a layer that
            gives its last output alone.
        MissingExtraError: onnx is not installed.
    """
    onnx = require("onnx", extra="onnx", purpose="writing ONNX files")
    _check(layer, lengths=lengths)
    graph = _Graph(layer, onnx, state=state, lengths=lengths)
    graph.build()
    model = onnx.helper.make_model(
        graph.proto(),
        opset_imports=[onnx.helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="gatecast",
    )
    onnx.checker.check_model(model, full_check=True)
    if path is not None:
        Path(path).write_bytes(model.SerializeToString())
    return model


def onnx_arrays(layer: LayerWeights, k: int = 0) -> dict[str, np.ndarray]:
    """W, R, B and P of one layer of the stack, as ONNX's operators read them: `from_onnx_arrays` in reverse.

    Raises:
        SettingError: a projection, which ONNX does not have.
    """
    refuse_others(layer, (*ONNX_OPTIONS, "go_backwards"), "ONNX")
    dtype = layer.state["weight_ih_l0"].dtype
    if dtype not in (torch.float32, torch.float64, torch.float16):
        raise SettingError(f"{layer.label}: ONNX export needs float32, float64 or float16 weights, got {dtype}")
    parts = [_arrays(layer, suffix) for number, suffix in layer.suffixes() if number == k]
    return {name: torch.stack([part[name] for part in parts]).cpu().numpy() for name in parts[0]}


def _check(layer: LayerWeights, *, lengths: bool) -> None:
    refuse_others(layer, ONNX_OPTIONS, "ONNX")
    refuse_last_outputs(layer, "ONNX")
    if layer.option("merge_mode") is None:
        raise SettingError(f"{layer.label}: to_onnx joins the directions; use layer.with_options(merge_mode='concat')")
    if lengths and not layer.option("zero_output_for_mask"):
        raise SettingError(
            f"{layer.label}: ONNX gives 0 after the end of a sequence; where that will do, "
            "layer.with_options(zero_output_for_mask=True)"
        )


def _arrays(layer: LayerWeights, suffix: str) -> dict[str, Tensor]:
    tensors = {name: tensor.detach() for name, tensor in layer.both_biases(suffix).items()}
    if layer.option("coupled"):
        tensors = {name: _uncoupled(t, name, layer) for name, t in tensors.items()}
    have, want = TORCH[layer.kind], ONNX[layer.kind]
    rows = {name: reorder(t, have, want) for name, t in tensors.items() if name != "peephole"}
    arrays = {"W": rows["weight_ih"], "R": rows["weight_hh"]}
    if layer.biases:
        arrays["B"] = torch.cat([rows["bias_ih"], rows["bias_hh"]])
    if "peephole" in tensors:
        arrays["P"] = reorder(tensors["peephole"], PEEPHOLES, ONNX_PEEPHOLES).flatten()
    return arrays


def _uncoupled(rows: Tensor, name: str, layer: LayerWeights) -> Tensor:
    """ONNX couples the other way round, f = 1 - i: the rows of i are those of -f, and f's are not read."""
    check_symmetric(layer.option("recurrent_activation"), layer.label)
    f, *rest = rows.chunk(2 if name == "peephole" else 3)
    return torch.cat([-f, torch.zeros_like(f), *rest])


class _Graph:
    """The graph, built from the input up."""

    def __init__(self, layer: LayerWeights, onnx: Any, *, state: bool, lengths: bool) -> None:
        self.layer, self.onnx = layer, onnx
        self.helper = onnx.helper
        self.states = ("h", "c") if layer.kind == "LSTM" else ("h",)
        self.state, self.lengths = state, lengths
        self.nodes: list[Any] = []
        self.constants: dict[str, np.ndarray] = {}
        self.dtype = self.helper.np_dtype_to_tensor_dtype(onnx_arrays(layer)["W"].dtype)

    def build(self) -> None:
        """Nodes from ``x`` to ``y`` and the states."""
        batch_first, count = self.layer.option("batch_first"), self.layer.option("num_layers")
        below = self._add("Transpose", ["x"], "x_time", perm=[1, 0, 2]) if batch_first else "x"
        if self.state:
            self._split_states(count)
        for k in range(count):
            top = k == count - 1 and not batch_first
            below = self._join(self._recurrent(below, k), "y" if top else f"y_l{k}")
        if batch_first:
            self._add("Transpose", [below], "y", perm=[1, 0, 2])
        for s in self.states:
            self._add("Concat", [f"{s}_l{k}" for k in range(count)], s, axis=0)

    def proto(self) -> Any:
        """The finished ``GraphProto``."""
        sizes = ["batch", "time"] if self.layer.option("batch_first") else ["time", "batch"]
        hidden, rows = self.layer.option("hidden_size"), self.layer.directions * self.layer.option("num_layers")
        joined = self.layer.option("merge_mode") == "concat"
        width = hidden * (self.layer.directions if joined else 1)
        ends = [rows, "batch", hidden]
        inputs = [self._value("x", [*sizes, self.layer.option("input_size")])]
        inputs += [self._value(f"{s}0", ends) for s in self.states if self.state]
        inputs += [self.helper.make_tensor_value_info("lengths", self.onnx.TensorProto.INT32, ["batch"])] * self.lengths
        outputs = [self._value("y", [*sizes, width]), *(self._value(s, ends) for s in self.states)]
        constants = [self.onnx.numpy_helper.from_array(array, name) for name, array in self.constants.items()]
        return self.helper.make_graph(self.nodes, "gatecast", inputs, outputs, constants)

    def _recurrent(self, x: str, k: int) -> str:
        """The operator of layer ``k``; its output is ``(time, directions, batch, hidden)``."""
        arrays = {f"{name}_l{k}": array for name, array in onnx_arrays(self.layer, k).items()}
        self.constants |= arrays
        weights = [name if (name := f"{slot}_l{k}") in arrays else "" for slot in "WRB"]
        lengths = ["lengths" if self.lengths else ""]
        states = [f"{s}0_l{k}" if self.state else "" for s in self.states]
        peepholes = [f"P_l{k}"] if f"P_l{k}" in arrays else []
        inputs = [x, *weights, *lengths, *states, *peepholes]
        while not inputs[-1]:
            inputs.pop()
        outputs = [f"all_l{k}", *(f"{s}_l{k}" for s in self.states)]
        self.nodes.append(self.helper.make_node(self.layer.kind, inputs, outputs, name=f"l{k}", **self._attributes()))
        return outputs[0]

    def _join(self, y: str, name: str) -> str:
        """Directions side by side, or added, averaged or multiplied."""
        mode = self.layer.option("merge_mode")
        if self.layer.directions == 1 or mode != "concat":
            axes = self._constant("axis_of_directions", [1])
            if self.layer.directions == 1:
                return self._add("Squeeze", [y, axes], name)
            return self._add(JOINS[mode], [y, axes], name, keepdims=0)
        beside = self._add("Transpose", [y], f"{name}_beside", perm=[0, 2, 1, 3])
        return self._add("Reshape", [beside, self._constant("joined_shape", [0, 0, -1])], name)

    def _split_states(self, count: int) -> None:
        for s in self.states:
            names = [f"{s}0_l{k}" for k in range(count)]
            sizes = self._constant("directions_of_layers", [self.layer.directions] * count)
            self.nodes.append(self.helper.make_node("Split", [f"{s}0", sizes], names, axis=0))

    def _attributes(self) -> dict[str, Any]:
        layer = self.layer
        names = FUNCTIONS[layer.kind]
        functions = [write_activation(layer.option(name), layer.label) for name in names] * layer.directions
        attributes: dict[str, Any] = {"hidden_size": layer.option("hidden_size")}
        attributes |= _activation_attributes(functions, layer)
        if layer.directions == 2:
            attributes["direction"] = "bidirectional"
        if layer.option("coupled"):
            attributes["input_forget"] = 1
        if layer.kind == "GRU":
            attributes["linear_before_reset"] = int(layer.option("reset_after"))
        return attributes

    def _add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(self.helper.make_node(operator, inputs, [output], **attributes))
        return output

    def _constant(self, name: str, values: list[int]) -> str:
        self.constants[name] = np.array(values, np.int64)
        return name

    def _value(self, name: str, shape: list[Any]) -> Any:
        return self.helper.make_tensor_value_info(name, self.dtype, shape)


def _activation_attributes(functions: list[OnnxActivation], layer: LayerWeights) -> dict[str, Any]:
    """Names, and the two lists from which the functions take their parameters in order."""
    attributes: dict[str, Any] = {"activations": [f.name for f in functions]}
    alphas = [f.parameters[0] for f in functions if len(f.parameters) > 0]
    betas = [f.parameters[1] for f in functions if len(f.parameters) > 1]
    attributes |= {"activation_alpha": alphas} if alphas else {}
    attributes |= {"activation_beta": betas} if betas else {}
    clips = {f.clip for f in functions}
    if len(clips) > 1:
        raise SettingError(f"{layer.label}: ONNX clips the arguments of all activations or of none; got bounds {clips}")
    clip = clips.pop()
    if clip is not None and layer.kind == "LSTM":
        raise SettingError(
            f"{layer.label}: runtimes differ in what clip={clip} of an LSTM does, and it is not written; "
            "use activations without it"
        )
    return attributes if clip is None else {**attributes, "clip": clip}
