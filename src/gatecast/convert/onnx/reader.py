"""Layers of ONNX: the LSTM, GRU and RNN operators, from a file or from arrays.

W is ``(directions, gates*hidden, input)``, R is ``(directions, gates*hidden, hidden)``, B is the bias of the input and
that of the state, one after the other, ``(directions, 2*gates*hidden)``, P are the peepholes of i, o and f.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from gatecast.base.errors import ModelFileError, SettingError
from gatecast.base.findings import Arg
from gatecast.convert.gates import ONNX, ONNX_PEEPHOLES, PEEPHOLES, TORCH, reorder
from gatecast.convert.layer import GATES, Kind, LayerWeights
from gatecast.convert.onnx.activations import check_symmetric, read_activations
from gatecast.convert.onnx.nodes import Node, nodes_of
from gatecast.ops.activations import Activation

DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
ATTRIBUTES: dict[str, type] = {  # with the type of the value, or of the values of a list
    "activation_alpha": float,
    "activation_beta": float,
    "activations": str,
    "clip": float,
    "direction": str,
    "hidden_size": int,
    "input_forget": int,
    "layout": int,
    "linear_before_reset": int,
}
DEFAULT_ACTIVATIONS = {"LSTM": ["Sigmoid", "Tanh", "Tanh"], "GRU": ["Sigmoid", "Tanh"], "RNN": ["Tanh"]}


def from_onnx(
    path: str | Path,
    node: str | int | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    ignore: Collection[str] = (),
) -> LayerWeights:
    """One recurrent node of an ONNX file.

    Args:
        path: of the file; it must contain the weights.
        node: name, or index in the order of the graph; None: the only one.
        options: arguments that replace the node's.
        ignore: attributes of the node to leave out: ``["clip"]``.

    Raises:
        ModelFileError: not an ONNX file, or a malformed one.
        SettingError: unknown node, or an attribute without counterpart.
        MissingExtraError: onnx is not installed.
    """
    nodes = nodes_of(path)
    found = nodes[node : node + 1] if isinstance(node, int) else [n for n in nodes if node in (None, n.name)]
    if len(found) != 1:
        raise SettingError(
            f"the file has no single LSTM, GRU or RNN node {node!r}"
            if node is not None
            else f"the file has {len(nodes)} LSTM, GRU and RNN nodes",
            f"choose one by name from {[n.name for n in nodes]}",
            place=str(path),
        )
    return _layer(found[0], options, ignore)


def read_onnx(
    path: str | Path, *, options: Mapping[str, Any] | None = None, ignore: Collection[str] = ()
) -> dict[str, LayerWeights]:
    """All recurrent nodes of an ONNX file by their names, in the order of the graph; arguments as in `from_onnx`."""
    found: dict[str, LayerWeights] = {}
    for node in nodes_of(path):
        if node.name in found:
            remedy = "take them by number: from_onnx(path, 0)"
            raise ModelFileError(f"two nodes are named {node.name!r}", remedy, place=str(path))
        found[node.name] = _layer(node, options, ignore)
    return found


def from_onnx_arrays(
    kind: Kind,
    w: Any,
    r: Any,
    b: Any = None,
    p: Any = None,
    *,
    attributes: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> LayerWeights:
    """A layer from the inputs W, R, B and P of an ONNX operator and its attributes.

    Args:
        kind: ``LSTM``, ``GRU`` or ``RNN``.
        w: ``(directions, gates*hidden, input)``; gates i, o, f, c (LSTM) or z, r, h (GRU).
        r: ``(directions, gates*hidden, hidden)``.
        b: ``(directions, 2*gates*hidden)``; None: no bias.
        p: ``(directions, 3*hidden)``: i, o, f; None: no peepholes.
        attributes: ``direction``, ``activations``, ``clip``, ``linear_before_reset`` and so on, by ONNX's names.
        options: arguments that replace those of the attributes.

    Raises:
        SettingError: shapes do not fit, or an attribute has no counterpart.

    Example:
        >>> import numpy as np
        >>> from gatecast.convert import from_onnx_arrays
        >>> from_onnx_arrays("LSTM", np.zeros((1, 32, 3)), np.zeros((1, 32, 8))).arguments
        {'input_size': 3, 'hidden_size': 8, 'bias': False}
    """
    arrays = {name: np.asarray(a) for name, a in zip("WRBP", (w, r, b, p), strict=True) if a is not None}
    return _layer(Node("", kind, arrays, dict(attributes or {})), options)


def _layer(node: Node, options: Mapping[str, Any] | None, ignore: Collection[str] = ()) -> LayerWeights:
    kind: Kind = node.kind  # type: ignore[assignment]
    node = replace(node, attributes={key: value for key, value in node.attributes.items() if key not in ignore})
    for name in sorted(set(node.attributes) - set(ATTRIBUTES)):
        raise SettingError(
            f"{name} has no counterpart here", "leave it out with " + Arg("ignore", [name]), place=node.label
        )
    _check_attributes(node)
    options = options or {}
    arguments = {**_sizes(node), **_functions(node), **_modes(node, options), **options}
    state: dict[str, Tensor] = {}
    for d in range(DIRECTIONS[_direction(node)]):
        part = _state(node, d, coupled=bool(arguments.get("coupled")))
        state |= {f"{name}_l0{'_reverse' if d else ''}": tensor for name, tensor in part.items()}
    if arguments.get("coupled"):
        check_symmetric(arguments["recurrent_activation"], node.label)
    return LayerWeights(kind, arguments, state, node.name)


def _check_attributes(node: Node) -> None:
    """Check the types of the attributes, which a damaged file may have wrong."""
    for name, value in node.attributes.items():
        several, kind = name.startswith("activation"), ATTRIBUTES[name]
        values = value if isinstance(value, list | tuple) else [value]
        fits = all(isinstance(one, (float, int) if kind is float else kind) for one in values)
        if isinstance(value, list | tuple) != several or not fits:
            wanted = f"a list of {kind.__name__}" if several else f"one {kind.__name__}"
            raise ModelFileError(f"the attribute {name} must be {wanted}, got {value!r}", place=node.label)


def _sizes(node: Node) -> dict[str, Any]:
    """Sizes from the shapes of W and R; checks the shapes and types of all arrays."""
    width, hidden = (_last(node.arrays.get(name)) for name in "WR")
    hidden = int(node.attributes.get("hidden_size") or hidden)
    directions, rows = DIRECTIONS[_direction(node)], GATES[node.kind] * hidden
    shapes: dict[str, tuple[int, ...]] = {"W": (directions, rows, width), "R": (directions, rows, hidden)}
    shapes |= {"B": (directions, 2 * rows), "P": (directions, 3 * hidden)}
    for name, shape in shapes.items():
        array = node.arrays.get(name)
        wrong = name in "WR" if array is None else array.shape != shape or array.dtype.kind != "f"
        if wrong:
            got = "nothing" if array is None else f"{array.shape} of {array.dtype}"
            raise ModelFileError(f"{name} must be floating-point numbers of shape {shape}, got {got}", place=node.label)
    return {"input_size": width, "hidden_size": hidden, "bias": "B" in node.arrays}


def _last(array: np.ndarray | None) -> int:
    """Length of the last axis; 0 without an array or axis."""
    return array.shape[-1] if array is not None and array.ndim else 0


def _functions(node: Node) -> dict[str, Activation]:
    """Activations of gates and candidate, which both directions must share."""
    directions = DIRECTIONS[_direction(node)]
    names = node.attributes.get("activations") or DEFAULT_ACTIVATIONS[node.kind] * directions
    alphas, betas = (node.attributes.get(f"activation_{name}") or [] for name in ("alpha", "beta"))
    found = read_activations(names, alphas, betas, node.attributes.get("clip"), node.label)
    count = len(DEFAULT_ACTIVATIONS[node.kind])
    if len(found) != count * directions or found[:count] * directions != found:
        raise SettingError(f"activations must be {count}, the same in each direction; got {names}", place=node.label)
    if count == 3 and found[1] != found[2]:
        raise SettingError(
            f"candidate and output must have one activation; got {names[1]} and {names[2]}", place=node.label
        )
    if count == 3 and getattr(found[1], "clip", None) is not None:
        raise SettingError(
            f"clip={node.attributes['clip']} bounds the arguments of the gates but not of the output, "
            "which no option here does",
            "leave it out with " + Arg("ignore", ["clip"]),
            place=node.label,
        )
    keys = ("nonlinearity",) if count == 1 else ("recurrent_activation", "activation")
    return dict(zip(keys, found, strict=False))


def _modes(node: Node, options: Mapping[str, Any]) -> dict[str, Any]:
    """Direction, layout, coupling and the place of the reset gate."""
    for name in ("initial_h", "initial_c"):
        if name in node.arrays and np.any(node.arrays[name]):
            raise SettingError(
                f"{name} is a constant other than 0, which no option of a layer holds",
                "remove the input from the node, and give the state at each call",
                place=node.label,
            )
    if _direction(node) == "reverse" and not options.get("go_backwards"):
        raise SettingError(
            "direction=reverse gives outputs in time order, go_backwards=True here in reading order",
            'if that will do, give options={"go_backwards": True}',
            place=node.label,
        )
    modes: dict[str, Any] = {"batch_first": bool(node.attributes.get("layout", 0))}
    modes["bidirectional"] = _direction(node) == "bidirectional"
    if node.kind == "LSTM":
        modes |= {"peephole": "P" in node.arrays, "coupled": bool(node.attributes.get("input_forget", 0))}
    if node.kind == "GRU":
        modes["reset_after"] = bool(node.attributes.get("linear_before_reset", 0))
    return modes


def _direction(node: Node) -> str:
    direction = node.attributes.get("direction", "forward")
    if direction not in DIRECTIONS:
        raise SettingError(f"direction must be one of {', '.join(DIRECTIONS)}, got {direction!r}", place=node.label)
    return direction


def _state(node: Node, d: int, *, coupled: bool) -> dict[str, Tensor]:
    """The tensors of one direction."""
    have, want = ONNX[node.kind], TORCH[node.kind]
    arrays = {name: torch.from_numpy(np.array(node.arrays[name][d])) for name in "WRBP" if name in node.arrays}
    state = {"weight_ih": reorder(arrays["W"], have, want), "weight_hh": reorder(arrays["R"], have, want)}
    if "B" in arrays:
        state |= {
            name: reorder(b, have, want) for name, b in zip(("bias_ih", "bias_hh"), arrays["B"].chunk(2), strict=True)
        }
    if "P" in arrays:
        state["peephole"] = reorder(arrays["P"], ONNX_PEEPHOLES, PEEPHOLES).view(3, -1)
    if coupled:
        state = {name: _coupled(t, "ifo" if name == "peephole" else "ifgo") for name, t in state.items()}
    return state


def _coupled(rows: Tensor, gates: str) -> Tensor:
    """Rows without those of i. ONNX has f = 1 - i and ignores the rows of f; here i = 1 - f, so f takes those of -i."""
    blocks = dict(zip(gates, rows.chunk(len(gates)), strict=True))
    return torch.cat([-blocks["i"], *(blocks[gate] for gate in gates[2:])])
