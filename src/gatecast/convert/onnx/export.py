"""A layer as an ONNX model, by ``torch.onnx.export``: one recurrent operator for each layer of the stack."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gatecast.base.errors import SettingError, require
from gatecast.convert.gates import ONNX, ONNX_PEEPHOLES, PEEPHOLES, TORCH, reorder
from gatecast.convert.layer import LayerWeights, refuse_last_outputs, refuse_others
from gatecast.convert.onnx.activations import check_symmetric, write_activation

OPSET = 18
ONNX_OPTIONS = (
    "activation", "recurrent_activation", "nonlinearity", "merge_mode", "peephole", "coupled", "reset_after",
)  # fmt: skip
FUNCTIONS = {
    "LSTM": ("recurrent_activation", "activation", "activation"),
    "GRU": ("recurrent_activation", "activation"),
    "RNN": ("nonlinearity",),
}
JOINS: dict[str, Callable[..., Tensor]] = {"sum": torch.sum, "ave": torch.mean, "mul": torch.prod}


def to_onnx(layer: LayerWeights, path: str | Path | None = None, *, state: bool = False, lengths: bool = False) -> Any:
    """The layer as an ``onnx.ModelProto``, for inference.

    Inputs: ``x`` ``(time, batch, input)``, or ``(batch, time, input)`` with ``batch_first``; time and batch may have
    any size. Outputs: ``y`` of every step, and the last states ``h`` and, of an LSTM, ``c``,
    ``(layers*directions, batch, hidden)``. Dropout, ``return_state`` and ``stateful`` are left out.

    Args:
        layer: a layer or a stack.
        path: file to write; None: none.
        state: add the inputs ``h0`` and, of an LSTM, ``c0``, of the shape of ``h``.
        lengths: add the input ``lengths`` ``(batch,)`` of int32; outputs after the end are 0. A sequence without
            steps keeps its first state.

    Raises:
        SettingError: an option that ONNX's operator lacks: a projection, cell_clip, some activations; or a layer that
            returns its last output only.
        MissingExtraError: onnxscript is not installed.
    """
    require("onnxscript", extra="onnx", purpose="writing ONNX files")
    _check(layer, lengths=lengths)
    module = _OnnxLayer(layer)
    time, batch = torch.export.Dim("time"), torch.export.Dim("batch")
    first = bool(layer.option("batch_first"))
    x = torch.zeros((2, 3, layer.option("input_size")) if first else (3, 2, layer.option("input_size")))
    rows = layer.option("num_layers") * layer.directions
    given, sizes = {"x": x}, {"x": {0: batch, 1: time} if first else {0: time, 1: batch}}
    if state:
        given |= {name: torch.zeros(rows, 2, layer.option("hidden_size")) for name in module.states}
        sizes |= {name: {1: batch} for name in module.states}
    given = {name: value.to(layer.state["weight_ih_l0"].dtype) for name, value in given.items()}
    if lengths:
        given["lengths"], sizes["lengths"] = torch.full((2,), 3, dtype=torch.int32), {0: batch}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter, about its own internals
        program: Any = torch.onnx.export(
            module, kwargs=given, dynamic_shapes=sizes, output_names=["y", *"hc"[: len(module.states)]],
            opset_version=OPSET, dynamo=True, verbose=False,
        )  # fmt: skip
    nodes = [node for node in program.model.graph if node.op_type == layer.kind]
    for k, node in enumerate(nodes):
        node.name = f"l{k}"
    model = program.model_proto
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
        raise SettingError(f"ONNX export needs float32, float64 or float16 weights, got {dtype}", place=layer.label)
    parts = [_arrays(layer, suffix) for number, suffix in layer.suffixes() if number == k]
    return {name: torch.stack([part[name] for part in parts]).cpu().numpy() for name in parts[0]}


class _OnnxLayer(nn.Module):
    """The layer as calls of ONNX's operator, for ``torch.onnx.export``; it cannot be run."""

    def __init__(self, layer: LayerWeights) -> None:
        super().__init__()
        self.layer, self.attributes = layer, _attributes(layer)
        self.states = ("h0", "c0") if layer.kind == "LSTM" else ("h0",)
        for k in range(layer.option("num_layers")):
            for name, array in onnx_arrays(layer, k).items():
                self.register_buffer(f"{name}_l{k}", torch.from_numpy(array))

    def forward(
        self, x: Tensor, h0: Tensor | None = None, c0: Tensor | None = None, lengths: Tensor | None = None
    ) -> tuple[Tensor, ...]:
        """Outputs of every step, and the last states."""
        layer, first = self.layer, bool(self.layer.option("batch_first"))
        y, ends = x.transpose(0, 1) if first else x, []
        for k in range(layer.option("num_layers")):
            rows = slice(k * layer.directions, (k + 1) * layer.directions)
            starts = [None if start is None else start[rows] for start in (h0, c0)][: len(self.states)]
            weights = [getattr(self, f"{name}_l{k}", None) for name in "WRBP"]
            y, *states = self._call([y, *weights[:3], lengths, *starts, *weights[3:]])
            if lengths is not None:  # of a sequence without steps onnxruntime gives 0 as the state
                some = (lengths > 0)[None, :, None]
                pairs = zip(states, starts, strict=True)
                states = [part if start is None else torch.where(some, part, start) for part, start in pairs]
            y = self._join(y)
            ends.append(states)
        return y.transpose(0, 1) if first else y, *(torch.cat(parts) for parts in zip(*ends, strict=True))

    def _call(self, inputs: list[Tensor | None]) -> tuple[Tensor, ...]:
        """The operator; its first output is ``(time, directions, batch, hidden)``."""
        while inputs[-1] is None:
            inputs.pop()
        x: Any = inputs[0]
        end = [self.layer.directions, x.shape[1], self.layer.option("hidden_size")]
        shapes = [[x.shape[0], *end], *(end for _ in self.states)]
        found: Any = torch.onnx.ops.symbolic_multi_out(
            self.layer.kind, inputs, self.attributes, dtypes=[x.dtype] * len(shapes), shapes=shapes, version=OPSET
        )
        return tuple(found)

    def _join(self, y: Tensor) -> Tensor:
        """Directions concatenated, added, averaged or multiplied."""
        if self.layer.directions == 1:
            return y.squeeze(1)
        mode = self.layer.option("merge_mode")
        return y.transpose(1, 2).flatten(2) if mode == "concat" else JOINS[mode](y, 1)


def _check(layer: LayerWeights, *, lengths: bool) -> None:
    refuse_others(layer, ONNX_OPTIONS, "ONNX")
    refuse_last_outputs(layer, "ONNX")
    if layer.option("merge_mode") is None:
        raise SettingError(
            "to_onnx joins the directions", "use layer.with_options(merge_mode='concat')", place=layer.label
        )
    if lengths and not layer.option("zero_output_for_mask"):
        raise SettingError(
            "ONNX gives 0 after the end of a sequence",
            "where that will do, layer.with_options(zero_output_for_mask=True)",
            place=layer.label,
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


def _attributes(layer: LayerWeights) -> dict[str, Any]:
    """Attributes of the operator; the activations take their parameters from two lists, in order."""
    names = FUNCTIONS[layer.kind]
    functions = [write_activation(layer.option(name), layer.label) for name in names] * layer.directions
    attributes: dict[str, Any] = {"hidden_size": layer.option("hidden_size")}
    attributes["activations"] = [f.name for f in functions]
    for k, name in enumerate(("activation_alpha", "activation_beta")):
        if values := [float(f.parameters[k]) for f in functions if len(f.parameters) > k]:
            attributes[name] = values
    if layer.directions == 2:
        attributes["direction"] = "bidirectional"
    if layer.option("coupled"):
        attributes["input_forget"] = 1
    if layer.kind == "GRU":
        attributes["linear_before_reset"] = int(layer.option("reset_after"))
    clips = {f.clip for f in functions}
    if len(clips) > 1:
        raise SettingError(
            f"ONNX clips the arguments of all activations or of none; got bounds {clips}", place=layer.label
        )
    clip = clips.pop()
    if clip is not None and layer.kind == "LSTM":
        raise SettingError(
            f"runtimes differ in what clip={clip} of an LSTM does, and it is not written",
            "use activations without it",
            place=layer.label,
        )
    return attributes if clip is None else attributes | {"clip": float(clip)}
