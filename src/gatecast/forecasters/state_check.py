"""Checks of a state that comes from a file: whatever its checksums say, each field has its kind, bounds and shape.

Everything is checked before a network is built, so that a size in the file that is not that of its tensors costs no
memory; the message names the field.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from gatecast.base.errors import SettingError
from gatecast.base.fields import COUNT, FINITE, check_field, entries, field, shown
from gatecast.base.options import CONTEXT, Bounds
from gatecast.batches.scalers import SCALERS
from gatecast.data.calendar import calendar_cycles, calendar_names
from gatecast.data.schema import Schema
from gatecast.forecasters.learned import under
from gatecast.nn.heads import HEADS
from gatecast.training.history import check_evaluation

Network = TypeVar("Network", bound=nn.Module)

LONGEST_CONTEXT = int(CONTEXT.limit or 0)  # rows; no tensor need have this size, and a forecast takes memory for it
_POSITIVE = Bounds(least=1)
_PLACES = ("begin", "end", "stop", "starts")  # of a series: its rows, and the time of the first
_TENSORS = re.compile(r"(scales|calibration|kept|member\d+|model)\..+|mean|spread")
_SCHEMA: dict[str, tuple[str, Bounds]] = {
    **dict.fromkeys(("layout", "duplicates", "infinite", "tz", "date_format", "decimal"), ("str", Bounds())),
    **dict.fromkeys(("delimiter", "encoding", "start"), ("str", Bounds())),
    "header": ("int", _POSITIVE),
}


def check_forecaster(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Check the state of a forecaster.

    Raises:
        SettingError: naming the field.
    """
    _check_settings(facts)
    check_named(facts, "head", HEADS)
    check_named(facts, "scaler", SCALERS)
    _check_names(tensors, members=facts["settings"]["members"])
    _check_layers(facts, tensors)
    shapes = _check_shapes(facts)
    _check_schema(facts)
    _check_widths(facts, shapes)
    _check_training(facts, members=facts["settings"]["members"])
    _check_kept(facts, under("kept", tensors))
    field(facts, "calibration.windows", "int", COUNT)
    entries(facts, "floor", "float", FINITE, optional=True)
    field(facts, "floor", "list", size=shapes["targets"])


def check_classifier(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Check the state of a classifier.

    Raises:
        SettingError: naming the field.
    """
    field(facts, "seed", "int")
    field(facts, "standardize", "bool")
    _check_labels(field(facts, "classes", "list"), field(facts, "class_weight", "any", optional=True))
    features = field(facts, "fitted.n_features_in_", "int", _POSITIVE)
    for name in ("best_step_", "sequences_", "held_back_", "longest_"):
        field(facts, f"fitted.{name}", "int", COUNT)
    field(facts, "fitted.fit_seconds_", "float", COUNT)
    for place, entry in enumerate(entries(facts, "fitted.history_", "dict")):
        check_evaluation(f"fitted.history_[{place}]", entry)
    _check_names(tensors, members=0)
    _check_layers(facts, tensors)
    _check_scales({name: tensors.get(name) for name in ("mean", "spread")}, "", features)


def check_calibration(state: Mapping[str, Tensor], horizon: int, targets: int, quantiles: int) -> None:
    """Check the tensors of a calibration."""
    sizes = {"factors": (horizon, quantiles), "steps": (horizon,), "targets": (targets, targets)}
    sizes |= {name: (horizon, targets) for name in ("spread", "naive") if name in state}
    _check_tensors(state, sizes, "calibration.")
    for name in ("factors", "spread", "naive"):
        if name in state and bool((state[name] < 0).any()):
            raise SettingError(f"calibration.{name} must be at least 0, got {float(state[name].min()):g}")
    for name in ("steps", "targets"):
        if bool((state[name].abs() > 1.001).any()):
            raise SettingError(f"calibration.{name} must hold correlations, got {float(state[name].abs().max()):g}")


def check_input_scales(state: Mapping[str, Tensor], schema: Schema) -> None:
    """Check the statistics of the covariates."""
    columns = {"past": schema.past, "known": schema.known, "static": schema.static}
    for role, names in columns.items():
        _check_scales(under(role, state), f"scales.{role}.", len(names))
    known = {f"{role}.{name}" for role in columns for name in ("mean", "spread")}
    if set(state) != known:
        raise SettingError(f"unknown tensors of scales: {shown(sorted(set(state) - known))}")


def with_weights(build: Callable[[], Network], weights: Mapping[str, Tensor], name: str) -> Network:
    """A network with these weights, to forecast.

    It is built without memory and takes the tensors as its own, so that a size in the file that is not that of its
    tensors is refused before anything of this size is made.

    Args:
        build: makes the network.
        weights: from the file.
        name: of the network, for messages.
    """
    with torch.device("meta"), _Unfilled():
        network = build()
    expected = network.state_dict()
    sizes = {key: tuple(value.shape) for key, value in expected.items()}
    _check_tensors(weights, sizes, f"{name}.", {key: value.dtype for key, value in expected.items()})
    network.load_state_dict(dict(weights), assign=True)
    network.eval()
    return network


class _Unfilled(TorchDispatchMode):
    """Tensors without memory get no first values: how to fill them, PyTorch looks up in its compiler, for a second."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # the other way imports the compiler

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func in (torch.ops.aten.eye.default, torch.ops.aten.randn.default) and _is_meta(kwargs.get("device")):
            size = [args[0], args[0]] if func is torch.ops.aten.eye.default else args[0]
            return torch.empty(size, device="meta")
        if (func is torch.ops.aten.mul.Tensor or func._schema.name.endswith("_")) and args[0].is_meta:
            return args[0]
        return func(*args, **kwargs)


def _is_meta(device: Any) -> bool:
    return device is not None and torch.device(device).type == "meta"


def check_named(facts: dict[str, Any], name: str, table: Mapping[str, type]) -> None:
    """Check name and settings of a head or scaler.

    Args:
        facts: of the file.
        name: of the field.
        table: classes by name.
    """
    chosen = field(facts, f"{name}.name", "str")
    if chosen not in table:
        raise SettingError(f"{name}.name must be one of {', '.join(table)}, got {shown(chosen)}")
    kinds = {one.name: str(one.type) for one in fields(table[chosen])}
    for setting in [one for one in facts[name] if one != "name"]:
        kind, path = kinds.get(setting, ""), f"{name}.{setting}"
        if kind.startswith("tuple"):
            entries(facts, path, "float", FINITE)
        elif kind.startswith("int"):
            field(facts, path, "int", _POSITIVE, optional=kind.endswith("None"))
        elif kind.startswith("float"):
            field(facts, path, "float", FINITE)
        elif kind.startswith("str"):
            field(facts, path, "str")
        else:
            raise SettingError(f"{path} is not a setting of {chosen}")


# ── parts ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _check_settings(facts: dict[str, Any]) -> None:
    horizon = field(facts, "settings.horizon", "int", _POSITIVE)
    if field(facts, "shapes.horizon", "int", _POSITIVE) != horizon:
        raise SettingError(f"shapes.horizon must be settings.horizon = {horizon}, got {facts['shapes']['horizon']}")
    field(facts, "settings.members", "int", _POSITIVE)
    field(facts, "settings.calendar", "bool")
    field(facts, "settings.nonnegative", "bool", optional=True)
    field(facts, "settings.seed", "int", Bounds(least=-(2**63), below=2**63))
    field(facts, "settings.name", "str")
    field(facts, "settings.calibrate", "any", Bounds(one_of=(True, False, "auto")))
    season = field(facts, "settings.season", "any", optional=True)
    for place, one in enumerate(season if isinstance(season, list) else [] if season is None else [season]):
        check_field(f"settings.season[{place}]", one, "int", _POSITIVE)


def _check_shapes(facts: dict[str, Any]) -> dict[str, Any]:
    context = field(facts, "shapes.context", "int", Bounds(least=1, most=LONGEST_CONTEXT))
    for name in ("targets", "outputs", "series"):
        field(facts, f"shapes.{name}", "int", _POSITIVE)
    for name in ("past_inputs", "future_inputs", "statics"):
        field(facts, f"shapes.{name}", "int", COUNT)
    field(facts, "shapes.lags", "int", Bounds(least=0, most=max(0, context - 1)))
    field(facts, "shapes.flags", "bool")
    entries(facts, "shapes.levels", "int", COUNT)
    seasons = entries(facts, "shapes.seasons", "int", Bounds(least=1, most=LONGEST_CONTEXT))
    if seasons != sorted(set(seasons)):
        raise SettingError(f"shapes.seasons must ascend, got {shown(seasons)}")
    return dict(facts["shapes"])


def _check_schema(facts: dict[str, Any]) -> None:
    schema = field(facts, "schema", "dict")
    for name in ("time", "target", "id", "past", "known", "static", "category"):
        if schema.get(name) is not None:
            entries(facts, f"schema.{name}", "str")
    for name, (kind, bounds) in _SCHEMA.items():
        if name in schema:
            check_field(f"schema.{name}", schema[name], kind, bounds, optional=True)
    for place, code in enumerate(schema.get("missing", [])):
        check_field(f"schema.missing[{place}]", code, "str" if isinstance(code, str) else "float")
    for place, names in enumerate(field(schema, "levels", "list") if "levels" in schema else []):
        check_field(f"schema.levels[{place}]", names, "list")
        entries({"names": names}, "names", "str")
    for place, pair in enumerate(field(schema, "indicators", "list") if "indicators" in schema else []):
        field({"pair": pair}, "pair", "list", size=2)
        check_field(f"schema.indicators[{place}][0]", pair[0], "str")
        entries({"names": pair[1]}, "names", "str")
    alias = field(facts, "schema.freq.alias", "str")
    if not re.fullmatch(r"|\d{0,9}[A-Za-z]+(-[A-Z]{3})?", alias):
        raise SettingError(f"schema.freq.alias must be a frequency, got {shown(alias)}")
    field(facts, "schema.freq.step", "int", _POSITIVE)
    entries(facts, "schema.freq.seasons", "int", _POSITIVE)


def _check_widths(facts: dict[str, Any], shapes: Mapping[str, Any]) -> None:
    """Check the sizes of the network against the columns of the schema."""
    schema, cycles = Schema.from_dict(facts["schema"]), entries(facts, "cycles", "str")
    assert schema.freq is not None
    known_cycles = calendar_cycles(schema.freq)
    if not set(cycles) <= set(known_cycles) or len(set(cycles)) != len(cycles):
        raise SettingError(f"cycles must be some of {list(known_cycles)}, got {shown(cycles)}")
    calendar = len(calendar_names(schema.freq, cycles))
    expected = {
        "targets": len(schema.target_names),
        "past_inputs": len(schema.past) + len(schema.known) + calendar,
        "future_inputs": len(schema.known) + calendar,
        "statics": len(schema.static),
        "levels": [len(names) for names in schema.levels],
    }
    for name, size in expected.items():
        if shapes[name] != size:
            raise SettingError(f"shapes.{name} must be {size}, that of the schema, got {shown(shapes[name])}")
    if len(schema.levels) != len(schema.category):
        raise SettingError(f"schema.levels must have {len(schema.category)} entries, got {len(schema.levels)}")
    ids = entries(facts, "ids", "str")
    if field(facts, "net.id_embedding", "int", COUNT) and len(ids) != shapes["series"]:
        raise SettingError(f"ids must have {shapes['series']} entries, got {len(ids)}")


def _check_kept(facts: dict[str, Any], state: Mapping[str, Tensor]) -> None:
    """Check the last rows of the training data, where the file keeps them."""
    if "least_rows" in facts:
        field(facts, "least_rows", "int", COUNT)
    if facts.get("kept") is None:
        if state:
            raise SettingError("the field kept is missing, and there are tensors of it")
        return
    schema, series = Schema.from_dict(facts["schema"]), len(entries(facts, "kept.ids", "str"))
    field(facts, "kept.source", "str")
    rows = len(state["target"]) if "target" in state and state["target"].dim() else 0
    names = {"target": schema.target_names, "past": schema.past, "known": schema.known}
    columns = {"static": schema.static, "category": schema.category}
    sizes: dict[str, tuple[int, ...]] = {role: (rows, len(given)) for role, given in names.items()}
    sizes |= {role: (series, len(given)) for role, given in columns.items()}
    sizes |= dict.fromkeys(_PLACES, (series,))
    whole = dict.fromkeys(("category", *_PLACES), torch.int64)
    _check_tensors({name: value.nan_to_num(posinf=torch.inf) for name, value in state.items()}, sizes, "kept.", whole)
    for column, levels in enumerate(schema.levels):
        codes = state["category"][:, column]
        if bool(((codes < -1) | (codes >= len(levels))).any()):
            raise SettingError(f"kept.category must be codes of the {len(levels)} levels of {schema.category[column]}")
    if bool((state["starts"] == -(2**63)).any()):
        raise SettingError("kept.starts must be times")


def _check_training(facts: dict[str, Any], *, members: int) -> None:
    """Check the record of the training."""
    for place, entry in enumerate(entries(facts, "history", "dict")):
        check_evaluation(f"history[{place}]", entry)
    entries(facts, "best_steps", "int", COUNT)
    field(facts, "best_steps", "list", size=members)
    field(facts, "windows", "int", COUNT)
    field(facts, "fit_seconds", "float", COUNT)
    if facts.get("diverged") is not None:  # the loss before and after; absent in files of version 0.1
        entries(facts, "diverged", "float")
        field(facts, "diverged", "list", size=2)


def _check_labels(classes: list[Any], weight: Any) -> None:
    if len(classes) < 2 or any(not isinstance(label, str | int | float) for label in classes):
        raise SettingError(f"classes must be two or more numbers or texts, got {shown(classes)}")
    if len(set(classes)) != len(classes):
        raise SettingError(f"classes must be different, got {shown(classes)}")
    if weight not in (None, "balanced"):
        for place, pair in enumerate(entries({"class_weight": weight}, "class_weight", "list")):
            field({"pair": pair}, "pair", "list", size=2)
            check_field(f"class_weight[{place}]", pair[1], "float", Bounds(above=0))


def _check_layers(facts: dict[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Check the number of layers, each of which has tensors, before they are built."""
    layers = field(facts, "net.num_layers", "int", _POSITIVE)
    if layers > len(tensors):
        raise SettingError(f"net.num_layers must be at most the number of tensors, {len(tensors)}, got {layers}")


def _check_names(tensors: Mapping[str, Tensor], *, members: int) -> None:
    unknown = [name for name in tensors if not _TENSORS.fullmatch(name)]
    numbers = (
        {int(name[6:].partition(".")[0]) for name in tensors if name.startswith("member")} if not unknown else set()
    )
    unknown += [f"member{number}" for number in numbers if number >= members]
    if unknown:
        raise SettingError(f"unknown tensors: {shown(sorted(unknown))}")
    if len(numbers) != members:
        raise SettingError(f"settings.members must be {len(numbers)}, the number of networks, got {members}")


def _check_scales(state: Mapping[str, Tensor | None], prefix: str, columns: int) -> None:
    given = {name: value for name, value in state.items() if value is not None}
    _check_tensors(given, {"mean": (columns,), "spread": (columns,)}, prefix)
    if bool((given["spread"] <= 0).any()):
        raise SettingError(f"{prefix}spread must be above 0, got {float(given['spread'].min()):g}")


def _check_tensors(
    given: Mapping[str, Tensor],
    sizes: Mapping[str, tuple[int, ...]],
    prefix: str,
    dtypes: Mapping[str, torch.dtype] | None = None,
) -> None:
    """Check names, shapes and dtypes of tensors, and that all values are finite."""
    for name, size in sizes.items():
        if name not in given:
            raise SettingError(f"the tensor {prefix}{name} is missing")
        value, dtype = given[name], (dtypes or {}).get(name, torch.float32)
        if tuple(value.shape) != size or value.dtype != dtype:
            form = f"{tuple(value.shape)} of {value.dtype}"
            raise SettingError(f"the tensor {prefix}{name} must have the shape {size} of {dtype}, got {form}")
        if value.is_floating_point() and not np.isfinite(value.float().numpy()).all():  # NumPy: no threads to wait for
            raise SettingError(f"the tensor {prefix}{name} must hold finite numbers")
    unknown = sorted(set(given) - set(sizes))
    if unknown:
        raise SettingError(f"unknown tensors: {shown([prefix + name for name in unknown])}")
