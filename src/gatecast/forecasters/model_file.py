"""One file for a fitted forecaster or classifier: safetensors and JSON in a zip, checked from end to end when loaded.

Inside: ``manifest.json`` (format, version, checksum of every other entry), ``model.json`` (settings, shapes, schema
of the data, what ran) and ``tensors.safetensors`` (weights of each member, covariate statistics, calibration). Nothing
in it can run code, and the training data is not in it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from contextlib import suppress
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor

from gatecast.base.errors import ModelFileError, NotFittedError
from gatecast.base.files import whole
from gatecast.base.version import VERSION
from gatecast.batches.scalers import SCALERS, Scaler
from gatecast.batches.windows import InputScales, Standardizer
from gatecast.data.schema import Schema
from gatecast.forecasters.classifier import LSTMClassifier
from gatecast.forecasters.classifier_file import facts_of, rebuild, tensors_of
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.predictor import PROBABILITIES
from gatecast.models.calibration import Calibration
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import HEADS, Head, Point
from gatecast.nn.losses import LOSSES
from gatecast.training.config import FitConfig

FORMAT = 1
SUFFIX = ".gatecast"
_ENTRIES = ("model.json", "tensors.safetensors")
_NOWHERE: dict[str, Any] = {
    "checkpoint": None,
    "resume": False,
    "log_dir": None,
    "log": "csv",
    "devices": 1,
    "nodes": 1,
}
_EPOCH = (2020, 1, 1, 0, 0, 0)  # a fixed date in the zip: the same model gives the same bytes


def save(model: LSTMForecaster | LSTMClassifier, path: str | Path) -> Path:
    """Write a fitted forecaster or classifier; the file appears whole or not at all.

    Raises:
        NotFittedError: before ``fit``.
        ModelFileError: a part of the user's own, which a file cannot hold.
    """
    path = Path(path)
    if path.suffix != SUFFIX:
        path = path.with_name(path.name + SUFFIX)
    if isinstance(model, LSTMClassifier):
        facts, tensors = facts_of(model, _NOWHERE), tensors_of(model)
    else:
        facts, tensors = _facts(model), _tensors(model)
    entries = {
        "model.json": json.dumps(facts, indent=1, default=_plain).encode(),
        "tensors.safetensors": save_tensors(tensors),
    }
    manifest = {
        "format": FORMAT,
        "gatecast": VERSION,
        "sha256": {name: hashlib.sha256(data).hexdigest() for name, data in entries.items()},
    }
    with whole(path) as draft, zipfile.ZipFile(draft, "w") as file:
        for name, data in {"manifest.json": json.dumps(manifest, indent=1).encode(), **entries}.items():
            file.writestr(zipfile.ZipInfo(name, _EPOCH), data)
    return path


def load(path: str | Path) -> Any:
    """Read a forecaster or a classifier that :func:`save` wrote; it needs no training.

    Raises:
        ModelFileError: the file is missing, truncated, altered, not gatecast's, or of a newer format.
    """
    path = Path(path)
    entries = _read(path)
    try:
        facts, tensors = json.loads(entries["model.json"]), load_tensors(entries["tensors.safetensors"])
        if facts.get("kind") == "classifier":
            return rebuild(facts, tensors, _NOWHERE)
        return _rebuild(facts, tensors)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, RuntimeError, SafetensorError) as error:
        raise ModelFileError(f"{path}: the model's parts do not fit together ({error}); save it again") from error


def _read(path: Path) -> dict[str, bytes]:
    """The checked entries of the file."""
    try:
        with zipfile.ZipFile(path) as file:
            names = set(file.namelist())
            packed = [one.filename for one in file.infolist() if one.compress_type != zipfile.ZIP_STORED]
            if packed:  # a few bytes could unpack to fill the memory
                raise ModelFileError(
                    f"{path}: {packed[0]} is compressed, which gatecast's own never are; do not use it"
                )
            if "manifest.json" not in names:
                raise ModelFileError(f"{path} is a zip but not a gatecast model: it has no manifest.json")
            manifest = json.loads(file.read("manifest.json"))
            if int(manifest.get("format", 0)) > FORMAT:
                raise ModelFileError(
                    f"{path} has format {manifest['format']}, written by gatecast {manifest.get('gatecast')}; this is "
                    f"gatecast {VERSION}, which reads up to {FORMAT}: upgrade with pip install -U gatecast"
                )
            missing = [name for name in _ENTRIES if name not in names]
            if missing:
                raise ModelFileError(f"{path} lacks {', '.join(missing)}; the file is incomplete, save the model again")
            entries = {name: file.read(name) for name in _ENTRIES}
            known = dict(manifest.get("sha256", {}))
    except FileNotFoundError as error:
        raise ModelFileError(f"there is no model file {path}") from error
    except ModelFileError:
        raise
    except (OSError, zipfile.BadZipFile, ValueError, TypeError, AttributeError, RuntimeError) as error:
        raise ModelFileError(_broken(path, error)) from error
    for name, data in entries.items():
        if hashlib.sha256(data).hexdigest() != known.get(name):
            raise ModelFileError(f"{path}: {name} was altered after it was saved (its checksum differs); do not use it")
    return entries


def _broken(path: Path, error: Exception) -> str:
    """What is said of a file that cannot be read: damaged where it begins as a model does."""
    with suppress(OSError), path.open("rb") as file:
        if isinstance(error, zipfile.BadZipFile) and file.read(2) == b"PK":
            return f"{path} is damaged or cut off ({error}); copy it again, or save the model again"
    return f"{path} is not a gatecast model: {error}"


def _facts(forecaster: LSTMForecaster) -> dict[str, Any]:
    """Everything but tensors, as JSON."""
    if not hasattr(forecaster, "models_"):
        raise NotFittedError("save needs a fitted forecaster; call fit(panel) first")
    head, scaler = forecaster._head(), forecaster._scaler()
    fit = replace(forecaster.fit_config or FitConfig(), **_NOWHERE)  # paths are this machine's own
    settings = ("horizon", "season", "calibrate", "members", "calendar", "nonnegative", "seed", "name")
    return {
        "kind": "forecaster",
        "settings": {name: _plain(getattr(forecaster, name)) for name in settings},
        "net": asdict(forecaster._net()),
        "fit": {name: _plain(value) for name, value in fit.to_dict().items()},
        "head": _head_facts(head),
        "scaler": {"name": _key(SCALERS, type(scaler)), **asdict(scaler)},
        "shapes": asdict(forecaster.shapes_),
        "schema": forecaster.schema_.to_dict(),
        "ids": forecaster.ids_,
        "cycles": forecaster.cycles_,
        "floor": forecaster.floor_,
        "calibration": {"windows": forecaster.calibration_.windows},
        "history": forecaster.history_,
        "best_steps": forecaster.best_steps_,
        "windows": forecaster.windows_,
        "fit_seconds": forecaster.fit_seconds_,
        "described": {**forecaster.describe(), "fit": fit.to_dict()},
    }


def _tensors(forecaster: LSTMForecaster) -> dict[str, Tensor]:
    """Weights, covariate statistics and calibration under plain names."""
    tensors = {
        f"member{k}.{name}": value.contiguous()
        for k, model in enumerate(forecaster.models_)
        for name, value in model.state_dict().items()
    }
    for role in fields(InputScales):
        scales: Standardizer = getattr(forecaster.scales_, role.name)
        tensors[f"scales.{role.name}.mean"] = torch.from_numpy(scales.mean.copy())
        tensors[f"scales.{role.name}.spread"] = torch.from_numpy(scales.spread.copy())
    calibration = forecaster.calibration_
    for name in ("factors", "spread", "steps", "targets"):
        value = getattr(calibration, name)
        if value is not None:
            tensors[f"calibration.{name}"] = value.clone().contiguous()
    return tensors


def _rebuild(facts: dict[str, Any], tensors: dict[str, Tensor]) -> LSTMForecaster:
    """A fitted forecaster from its parts."""
    net, head, scaler = NetConfig(**facts["net"]), _head(facts["head"]), _object(SCALERS, facts["scaler"])
    config = FitConfig(**{**facts["fit"], **_NOWHERE})  # a file names no place to write to
    if facts["settings"]["members"] < 1:
        raise ValueError("a model without a network")
    forecaster = LSTMForecaster(**facts["settings"], net=net, head=head, scaler=scaler, fit=config)
    forecaster.shapes_ = shapes = Shapes(**_tuples(facts["shapes"]))
    forecaster.context = shapes.context
    forecaster.seasons_ = shapes.seasons
    forecaster.schema_, forecaster.ids_ = Schema.from_dict(facts["schema"]), tuple(facts["ids"])
    forecaster.cycles_ = tuple(facts["cycles"])
    forecaster.floor_ = tuple(facts["floor"])
    forecaster.scales_ = InputScales(**{role.name: _standardizer(tensors, role.name) for role in fields(InputScales)})
    forecaster.calibration_ = _calibration(tensors, facts["calibration"]["windows"])
    forecaster.models_ = [_member(k, tensors, shapes, net, scaler, head, config) for k in range(forecaster.members)]
    forecaster.history_, forecaster.best_steps_ = facts["history"], facts["best_steps"]
    forecaster.windows_, forecaster.fit_seconds_ = facts["windows"], facts["fit_seconds"]
    return forecaster


def _member(
    index: int,
    tensors: dict[str, Tensor],
    shapes: Shapes,
    net: NetConfig,
    scaler: Scaler,
    head: Head,
    config: FitConfig,
) -> ForecastModel:
    model = ForecastModel(shapes, net, scaler, head, loss_weight=config.loss_weight)
    prefix = f"member{index}."
    model.load_state_dict({n.removeprefix(prefix): t for n, t in tensors.items() if n.startswith(prefix)})
    return model.eval()


def _standardizer(tensors: dict[str, Tensor], role: str) -> Standardizer:
    mean, spread = (tensors[f"scales.{role}.{name}"].numpy() for name in ("mean", "spread"))
    return Standardizer(np.array(mean), np.array(spread))


def _calibration(tensors: dict[str, Tensor], windows: int) -> Calibration:
    return Calibration(
        PROBABILITIES,
        tensors["calibration.factors"],
        tensors.get("calibration.spread"),
        tensors["calibration.steps"],
        tensors["calibration.targets"],
        windows,
    )


def _head_facts(head: Head) -> dict[str, Any]:
    """Name and fields of a head."""
    if isinstance(head, Point) and not isinstance(head.loss, str):
        raise ModelFileError(
            f"a loss of your own, {type(head.loss).__name__}, cannot be saved; only {', '.join(LOSSES)} can"
        )
    return {"name": _key(HEADS, type(head)), **asdict(head)}  # type: ignore[call-overload]


def _head(facts: dict[str, Any]) -> Head:
    """A head from its name and fields."""
    head: Head = _object(HEADS, facts)
    return head


def _object(table: dict[str, Any], facts: dict[str, Any]) -> Any:
    """A head or scaler from its name and fields."""
    return table[facts["name"]](**{k: v for k, v in _tuples(facts).items() if k != "name"})


def _tuples(facts: dict[str, Any]) -> dict[str, Any]:
    """Lists as tuples, which JSON does not know."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in facts.items()}


def _key(table: dict[str, Any], kind: type) -> str:
    found = next((name for name, known in table.items() if known is kind), None)
    if found is None:
        raise ModelFileError(f"a {kind.__name__} of your own cannot be saved; only {', '.join(table)} can")
    return found


def _plain(value: Any) -> Any:
    """A setting as JSON holds it."""
    if isinstance(value, np.generic):
        return value.item()
    return [int(v) for v in value] if isinstance(value, (tuple, list, np.ndarray)) else value
