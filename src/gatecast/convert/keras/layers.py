"""Layers of Keras, from its files or from a layer object, without importing Keras."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from gatecast.base.errors import ModelFileError, SettingError, require
from gatecast.base.findings import Arg
from gatecast.convert.keras.arrays import Arrays, kind_of, layer_of, to_keras_arrays
from gatecast.convert.keras.entries import WRAPPERS, Entry, cells_of, in_config, in_store, parts_of
from gatecast.convert.keras.options import CELLS, KINDS, arguments_of
from gatecast.convert.keras.store import Store, opened
from gatecast.convert.layer import LayerWeights
from gatecast.convert.stack import stack

Read = Callable[[str, bool], Arrays]  # arrays of a cell, by its path and whether it has a bias


def from_keras(
    source: Any,
    layer: str | int | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    ignore: Collection[str] = (),
) -> LayerWeights:
    """One recurrent layer of a Keras model: LSTM, GRU, SimpleRNN, RNN of their cells, or Bidirectional of one.

    Keras's ``dropout`` becomes ``input_dropout``, the ``activation`` of a SimpleRNN becomes ``nonlinearity``. Options
    without effect on a trained layer (initializers, seed, unroll) are left out.

    Args:
        source: a ``.keras`` or ``.weights.h5`` file, or a Keras layer. A ``.weights.h5`` has no options: those that
            differ from the defaults must be given.
        layer: name, ``model/layer`` in a nested model, or index in the order of the model; None: the only one.
        options: arguments that replace the file's: ``{"activation": my_function}``.
        ignore: options of Keras to leave out: ``["kernel_regularizer"]``.

    Raises:
        ModelFileError: not a Keras file, or damaged or unsafe.
        SettingError: unknown layer, or an option without counterpart.
        MissingExtraError: h5py is not installed.
    """
    if not isinstance(source, str | Path):
        return _from_live(source, options, ignore)
    with opened(source) as (config, store):
        entry = _chosen(_entries(config, store), layer, store.place, ordered=config is not None)
        return _convert(entry, store, options, ignore)


def read_keras(
    path: str | Path, *, options: Mapping[str, Any] | None = None, ignore: Collection[str] = ()
) -> dict[str, LayerWeights]:
    """All recurrent layers of a Keras file by their names, in the order of the model; arguments as in `from_keras`."""
    with opened(path) as (config, store):
        return {entry.name: _convert(entry, store, options, ignore) for entry in _entries(config, store)}


def from_keras_arrays(
    arrays: Arrays, *, options: Mapping[str, Any] | None = None, bidirectional: bool = False
) -> LayerWeights:
    """A layer from ``layer.get_weights()``; the shapes show its kind.

    Args:
        arrays: kernel, recurrent kernel, bias; of a ``Bidirectional``, those of the forward layer first.
        options: arguments of the layer that differ from the defaults: ``{"activation": "relu"}``.
        bidirectional: the arrays are those of a ``Bidirectional``.

    Raises:
        SettingError: number or shapes of the arrays do not fit.

    Example:
        >>> import numpy as np
        >>> layer = from_keras_arrays([np.zeros((3, 32)), np.zeros((8, 32)), np.zeros(32)])
        >>> layer.kind, layer.arguments
        ('LSTM', {'input_size': 3, 'hidden_size': 8, 'batch_first': True})
    """
    half = len(arrays) // 2 if bidirectional else len(arrays)
    directions = [list(arrays[:half]), list(arrays[half:])][: 1 + bidirectional]
    kind = kind_of(directions[0], "the arrays")
    arguments = {"batch_first": True, **(options or {})}
    return layer_of(kind, directions, arguments, name="", label="the arrays")


def write_keras(layer: LayerWeights, path: str | Path) -> Path:
    """Write a ``.weights.h5`` for ``model.load_weights(path)`` of a ``keras.Sequential`` with just these layers.

    Args:
        layer: a layer, or a stack, which becomes several layers in Keras.
        path: must end in ``.weights.h5``, as Keras requires.

    Raises:
        SettingError: another suffix, or an option that Keras lacks.
        MissingExtraError: h5py is not installed.
    """
    h5py = require("h5py", extra="keras", purpose="writing Keras files")
    path = Path(path)
    if not path.name.endswith(".weights.h5"):
        raise SettingError(Arg("path") + f" must end in .weights.h5, got {path.name}")
    lists = to_keras_arrays(layer)
    group = (
        "bidirectional" if layer.directions == 2 else {"LSTM": "lstm", "GRU": "gru", "RNN": "simple_rnn"}[layer.kind]
    )
    sides = ("forward_layer/", "backward_layer/") if layer.directions == 2 else ("",)
    with h5py.File(path, "w") as file:
        for k, arrays in enumerate(lists):
            size = len(arrays) // len(sides)
            for i, array in enumerate(arrays):
                number = f"_{k}" if k else ""
                file[f"layers/{group}{number}/{sides[i // size]}cell/vars/{i % size}"] = array
    return path


def _entries(config: Mapping[str, Any] | None, store: Store) -> list[Entry]:
    """The layers of a file, from the model's configuration, or from the groups of a ``.weights.h5``."""
    return list(in_store(store) if config is None else in_config(config, store.place))


def _chosen(entries: Sequence[Entry], layer: str | int | None, place: str, *, ordered: bool) -> Entry:
    names = [entry.name for entry in entries]
    if not entries:
        raise ModelFileError("the file has no LSTM, GRU, SimpleRNN, RNN or Bidirectional layer", place=place)
    if isinstance(layer, int) and ordered and -len(entries) <= layer < len(entries):
        return entries[layer]
    found = [entry for entry in entries if layer is None or layer in (entry.name, entry.path)]
    if len(found) != 1:
        what = "several recurrent layers" if layer is None else f"no single layer {layer!r}"
        rest = "" if ordered else " (a .weights.h5 does not record their order)"
        raise SettingError(f"the file has {what}", f"choose by name from {names}{rest}", place=place)
    return found[0]


def _convert(entry: Entry, store: Store, options: Mapping[str, Any] | None, ignore: Collection[str]) -> LayerWeights:
    if entry.layer is not None:
        return _with_config(entry, lambda path, bias: store.arrays(path), options, ignore)
    if store.group(f"{entry.path}/cell/cells"):
        raise SettingError("stacked cells need their options", "save the whole model as .keras", place=entry.label)
    two = store.group(f"{entry.path}/forward_layer") is not None
    sides = ("forward_layer/", "backward_layer/") if two else ("",)
    directions = [store.arrays(f"{entry.path}/{side}cell") for side in sides]
    kind = kind_of(directions[0], entry.label)
    arguments = {"batch_first": True, **(options or {})}
    return layer_of(kind, directions, arguments, name=entry.name, label=entry.label)


def _with_config(entry: Entry, read: Read, options: Mapping[str, Any] | None, ignore: Collection[str]) -> LayerWeights:
    kind, parts, wrapper = parts_of(entry)
    if kind == "RNN" and not wrapper:
        return _of_cells(entry, read, options, ignore)
    if kind not in KINDS:
        raise SettingError(f"Bidirectional must wrap one of {', '.join(KINDS)}, got {kind}", place=entry.label)
    every = [arguments_of(KINDS[kind], config, entry.label, options=options, ignore=ignore) for _, config in parts]
    if wrapper:
        _check_directions(*every, label=entry.label)
    arrays = [read(f"{path}/cell", bool(config.get("use_bias", True))) for path, config in parts]
    return layer_of(KINDS[kind], arrays, {**every[0], **wrapper}, name=entry.name, label=entry.label)


def _check_directions(forward: dict[str, Any], backward: dict[str, Any], *, label: str) -> None:
    """Raise SettingError unless both directions have the same options."""
    for name in sorted({*forward, *backward} - {"go_backwards"}):
        if forward.get(name) != backward.get(name):
            raise SettingError(
                f"{name} is {forward.get(name)!r} forwards and {backward.get(name)!r} backwards",
                f'make them equal, options={{"{name}": ...}}, or make two layers from the arrays of each',
                place=label,
            )
    if forward.get("go_backwards"):
        raise SettingError("go_backwards=True of the layer inside Bidirectional has no counterpart here", place=label)


def _of_cells(entry: Entry, read: Read, options: Mapping[str, Any] | None, ignore: Collection[str]) -> LayerWeights:
    """``keras.layers.RNN`` of a cell or of ``StackedRNNCells``: a stack that reverses the time axis once."""
    assert entry.layer is not None
    outer = {name: value for name, value in entry.layer["config"].items() if name != "name"}
    layers = []
    for kind, path, config in cells_of(outer, entry.label):
        arguments = arguments_of(CELLS[kind], {**outer, **config}, entry.label, options=options, ignore=ignore)
        arrays = read(f"{entry.path}/{path}", bool(config.get("use_bias", True)))
        layers.append(layer_of(CELLS[kind], [arrays], arguments, name=entry.name, label=entry.label))
    outside = {name: layers[-1].option(name) for name in ("return_sequences", "go_backwards")}
    inner = [part.with_options(return_sequences=True, go_backwards=False) for part in layers]
    made = stack(inner)
    return LayerWeights(made.kind, {**made.arguments, **outside}, made.state, entry.name)


def _from_live(source: Any, options: Mapping[str, Any] | None, ignore: Collection[str]) -> LayerWeights:
    """A layer object of Keras, by ``get_config`` and ``get_weights``."""
    if not (hasattr(source, "get_config") and hasattr(source, "get_weights")):
        raise SettingError(
            Arg("source") + f" must be a .keras or .weights.h5 file or a Keras layer, got {type(source).__name__}"
        )
    kind = type(source).__name__
    entry = Entry(str(source.name), "", {"class_name": kind, "config": source.get_config()})
    if kind not in (*KINDS, *WRAPPERS):
        raise SettingError(
            "must be LSTM, GRU, SimpleRNN, RNN or Bidirectional",
            "give one layer of the model, model.get_layer(...)",
            place=entry.label,
        )
    rest = list(source.get_weights())

    def read(path: str, bias: bool) -> Arrays:
        taken, rest[:] = rest[: 2 + bias], rest[2 + bias :]
        return taken

    return _with_config(entry, read, options, ignore)
