"""The recurrent layers of a Keras model, found in its configuration or in its weights file."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from gatecast.base.errors import ModelFileError
from gatecast.convert.keras.options import CELLS, KINDS
from gatecast.convert.keras.store import LIMIT_DEPTH, Store
from gatecast.nn.options import MERGE_MODES

WRAPPERS = ("Bidirectional", "RNN")


@dataclass(frozen=True)
class Entry:
    """Location, class and configuration of a layer.

    Args:
        name: in Keras, with the names of enclosing models: ``encoder/lstm``.
        path: of its group in the weights file.
        layer: ``class_name`` and ``config``; None if only the weights are known.
    """

    name: str
    path: str
    layer: Mapping[str, Any] | None = None

    @property
    def label(self) -> str:
        """The layer in messages."""
        return f"layer {self.name!r}" + (f" ({self.layer['class_name']})" if self.layer else "")


def in_config(config: Mapping[str, Any], place: str, name: str = "", path: str = "", depth: int = 0) -> Iterator[Entry]:
    """The recurrent layers of a model and of nested models, in order.

    The weights file names a layer by its class in snake case and a counter (``layers/lstm_1``), not by its name.
    """
    if depth > LIMIT_DEPTH:
        raise ModelFileError(f"models must not be nested deeper than {LIMIT_DEPTH}: {name}", place=place)
    counts: dict[str, int] = {}
    for layer in _layers(config, place):
        group = snake(layer["class_name"])
        number = counts[group] = counts.get(group, -1) + 1
        inner = f"{path}layers/{group}" + (f"_{number}" if number else "")
        full = f"{name}{layer['config'].get('name', group)}"
        if layer["class_name"] in (*KINDS, *WRAPPERS):
            yield Entry(full, inner, layer)
        elif "layers" in layer["config"]:
            yield from in_config(layer, place, f"{full}/", f"{inner}/", depth + 1)


def in_store(store: Store) -> list[Entry]:
    """The recurrent layers of a weights file, recognised by their groups; it has no options."""
    cells = (re.fullmatch(r"(.*?)(/forward_layer|/backward_layer)?/cell(/cells/.*)?", path) for path in store.owners())
    paths = list(dict.fromkeys(match[1] for match in cells if match))
    names = [store.label(path) for path in paths]
    return [Entry(n if names.count(n) == 1 else path, path) for n, path in zip(names, paths, strict=True)]


def parts_of(entry: Entry) -> tuple[str, list[tuple[str, dict[str, Any]]], dict[str, Any]]:
    """Class, path and configuration of each direction, and the options of the wrapper around them.

    Raises:
        ModelFileError: the configuration is not that of a recurrent layer.
    """
    layer, path = entry.layer, entry.path
    assert layer is not None
    if layer["class_name"] != "Bidirectional":
        return layer["class_name"], [(path, layer["config"])], {}
    config = layer["config"]
    inner = [_checked(config.get(side), entry.label) for side in ("layer", "backward_layer") if config.get(side)]
    inner = inner * 2 if len(inner) == 1 else inner
    if len({part["class_name"] for part in inner}) != 1:
        raise ModelFileError(f"expected two directions of one class, got {inner}", place=entry.label)
    sides = ("forward_layer", "backward_layer")
    parts = [(f"{path}/{side}", part["config"]) for side, part in zip(sides, inner, strict=True)]
    mode = config.get("merge_mode", "concat")
    if mode not in MERGE_MODES:
        raise ModelFileError(f"merge_mode must be one of {MERGE_MODES}, got {mode!r}", place=entry.label)
    return inner[0]["class_name"], parts, {"merge_mode": mode}


def cells_of(config: Mapping[str, Any], label: str) -> list[tuple[str, str, dict[str, Any]]]:
    """Class, path and configuration of each cell of a ``keras.layers.RNN``.

    Raises:
        ModelFileError: a cell that is not one of Keras's.
    """
    cell = _checked(config.get("cell"), label)
    if cell["class_name"] != "StackedRNNCells":
        found = [("cell", cell)]
    else:
        found, counts = [], dict[str, int]()
        for part in (_checked(part, label) for part in cell["config"].get("cells") or [None]):
            group = snake(part["class_name"])
            number = counts[group] = counts.get(group, -1) + 1
            found.append((f"cell/cells/{group}" + (f"_{number}" if number else ""), part))
    for _, part in found:
        if part["class_name"] not in CELLS:
            raise ModelFileError(f"cells must be of {', '.join(CELLS)}, got {part['class_name']}", place=label)
    return [(part["class_name"], path, part["config"]) for path, part in found]


def snake(name: str) -> str:
    """The name of a class in Keras's paths: ``simple_rnn`` for ``SimpleRNN``."""
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _layers(config: Mapping[str, Any], place: str) -> list[Mapping[str, Any]]:
    inner = config.get("config")
    layers = inner.get("layers") if isinstance(inner, dict) else None
    if not isinstance(layers, list):
        raise ModelFileError(
            f"the configuration of {config.get('class_name')!r} does not list its layers, as Sequential and Functional "
            "models do",
            "save the weights: model.save_weights('model.weights.h5')",
            place=place,
        )
    return [_checked(layer, place) for layer in layers]


def _checked(layer: Any, place: str) -> dict[str, Any]:
    if (
        isinstance(layer, dict)
        and isinstance(layer.get("class_name"), str)
        and isinstance(layer.get("config"), dict)
        and isinstance(layer["config"].get("name", ""), str)
    ):
        return layer
    raise ModelFileError(f"a layer must have class_name and config, got {str(layer)[:80]}", place=place)
