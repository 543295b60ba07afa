"""What is searched: fields of the options by the names that TOML and the command line use, and their ranges."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

import numpy as np

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.named import to_text
from gatecast.base.options import Float, Int, OneOf, Search
from gatecast.base.text import nearest
from gatecast.batches.scalers import SCALERS
from gatecast.data.panel import Panel
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.forecasters.window_plan import context_of, seasons_of
from gatecast.models.config import NetConfig
from gatecast.nn.heads import HEADS
from gatecast.nn.losses import LOSSES
from gatecast.training.config import FitConfig

FIELDS = (  # searched by default: those that changed the error most on development data
    "context",
    "scaler",
    "net.kind",
    "net.hidden_size",
    "net.num_layers",
    "net.dropout",
    "net.base",
    "fit.learning_rate",
    "fit.weight_decay",
)
_CONFIGS: dict[str, Any] = {"net": NetConfig, "fit": FitConfig}
_OF_FORECASTER: dict[str, Search] = {
    "scaler": OneOf("standard", "last", "robust", "mean_abs"),
    "members": Int(1, 3),
}
_AUTO = {"net.kind": "segment", "net.base": "mixture"}  # what "auto" stands for
_TABLES: dict[str, Any] = {"head": HEADS, "loss": LOSSES, "scaler": SCALERS}  # of choices that may be objects
OF_A_RUN = ("progress", "checkpoint", "checkpoint_every", "resume", "log_dir", "log", "gradients")  # not of the model


def searchable() -> dict[str, Search | None]:
    """Every field that can be searched, and its declared range (None: it depends on the data)."""
    declared = {
        f"{section}.{one.name}": one.metadata["search"]
        for section, config in _CONFIGS.items()
        for one in fields(config)
        if one.metadata.get("search") is not None
    }
    return {"context": None, **_OF_FORECASTER, **declared}


def ranges(
    wanted: Sequence[str] | Mapping[str, Search] | None, model: LSTMForecaster, panel: Panel
) -> dict[str, Search]:
    """The range of each field that is searched; the model's own value always lies in it.

    Args:
        wanted: names, or a mapping from names to ranges; None: those of :data:`FIELDS` that suit the model.
        model: whose settings are the default.
        panel: what the search sees.

    Raises:
        SettingError: no such field, or one without a range.
    """
    own = dict(wanted) if isinstance(wanted, Mapping) else {}
    names = list(wanted) if wanted is not None else _fitting(model, panel)
    if not names:
        raise SettingError(Arg("fields") + " is empty", f"the fields are {', '.join(searchable())}")
    found: dict[str, Search] = {}
    for name in names:
        value = usual(name, model, panel) if name in searchable() else None
        found[name] = _holding(name, own[name], value) if own.get(name) else _with(_declared(name, model, panel), value)
    return found


def _fitting(model: LSTMForecaster, panel: Panel) -> list[str]:
    """The default fields, without those that cannot vary here."""
    names = list(FIELDS)
    low, high = _contexts(model, panel)
    if low >= high:
        names.remove("context")
    if model._head().positive:  # heads and losses of counts and amounts need scaler="mean_abs"
        names.remove("scaler")
    return names


def _declared(name: str, model: LSTMForecaster, panel: Panel) -> Search:
    limits = _known(name)
    return Int(*_contexts(model, panel), log=True) if limits is None else limits


def _known(name: str) -> Search | None:
    known = searchable()
    if name not in known:
        near = nearest(name, known)
        hint = f"did you mean {near!r}?" if near else f"the fields are {', '.join(known)}"
        raise SettingError(f"no field {name!r} can be searched", hint)
    return known[name]


def _contexts(model: LSTMForecaster, panel: Panel) -> tuple[int, int]:
    """Half the default context to twice that context, as far as the rows allow."""
    usual = _context(model, panel)
    typical = int(np.median(panel.lengths))
    return max(2, usual // 2), max(usual, min(2 * usual, (typical - model.horizon) // 2))


def _context(model: LSTMForecaster, panel: Panel) -> int:
    return model.context or context_of(panel, model.horizon, seasons_of(model.season, panel))


def usual(name: str, model: LSTMForecaster, panel: Panel) -> Any:
    """The value of a field in the model that is given."""
    if name == "context":
        return _context(model, panel)
    if name == "scaler" and model.scaler == "auto":  # which depends on head and loss
        return model._scaler().name
    section, _, field = name.rpartition(".")
    owner: Any = {"net": model.net or NetConfig(), "fit": model.fit_config or FitConfig(), "": model}[section]
    value = _text(name, getattr(owner, field))
    return _AUTO.get(name, value) if value == "auto" else value


def _holding(name: str, limits: Search, value: Any) -> Search:
    """A range that the user gave, in which the model's own value must lie: it is the first trial."""
    _known(name)
    if _with(limits, value) != limits:
        raise SettingError(
            f"{name}={value!r} of the model, which is the first trial, lies outside its range {limits}",
            "widen the range, or take a model with another value",
        )
    return limits


def _with(limits: Search, value: Any) -> Search:
    """The range, made wide enough for the value."""
    if isinstance(limits, OneOf):
        return limits if value in limits.values else OneOf(*limits.values, value)
    if value is None:  # chosen from the data
        return limits
    return type(limits)(min(limits.low, value), max(limits.high, value), limits.log)


def applied(model: LSTMForecaster, settings: Mapping[str, Any]) -> LSTMForecaster:
    """An unfitted copy of the model with these settings.

    Raises:
        SettingError: they exclude each other.
    """
    twin = model.clone()
    parts: dict[str, dict[str, Any]] = {"net": {}, "fit": {}, "": {}}
    for name, value in settings.items():
        section, _, field = name.rpartition(".")
        parts[section][field] = value
    twin.net = replace(twin.net or NetConfig(), **parts["net"])
    twin.fit_config = replace(twin.fit_config or FitConfig(), **parts["fit"])
    for field, value in parts[""].items():
        setattr(twin, field, value)
    return twin


def settings_of(model: LSTMForecaster, named: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a model that are named or differ from gatecast's defaults, by their names."""
    plain = LSTMForecaster(model.horizon)
    found = {
        name: _text(name, getattr(model, name))
        for name in ("context", "head", "loss", "scaler", "members", "seed")
        if getattr(model, name) != getattr(plain, name)
    }
    net, fit = model.net or NetConfig(), model.fit_config or FitConfig()
    for section, config, values in (("net", net, asdict(net)), ("fit", fit, fit.to_dict())):
        for one in fields(config):
            name, value = f"{section}.{one.name}", values[one.name]
            if one.name not in OF_A_RUN and (value != one.default or name in named):
                found[name] = value
    return {**found, **named}


def _text(name: str, value: Any) -> Any:
    """The text of a choice that was given as an object; other values as they are."""
    table = _TABLES.get(name, {})
    return to_text(value, table) if type(value) in table.values() else value


def toml(settings: Mapping[str, Any]) -> str:
    """Settings as a TOML file for ``--config``."""
    lines = [f"{name} = {_value(value)}" for name, value in settings.items() if "." not in name and value is not None]
    for section in _CONFIGS:
        own = {name.partition(".")[2]: v for name, v in settings.items() if name.startswith(f"{section}.")}
        if own:
            lines += ["", f"[{section}]", *(f"{name} = {_value(v)}" for name, v in own.items() if v is not None)]
    return "\n".join(lines).strip() + "\n"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return repr(value) if isinstance(value, (int, float)) else json.dumps(str(value))


def plain(limits: Search) -> dict[str, Any]:
    """A range as JSON holds it."""
    if isinstance(limits, OneOf):
        return {"choices": list(limits.values)}
    return {"low": limits.low, "high": limits.high, "log": limits.log}


def distribution(limits: Search) -> Any:
    """A range as Optuna has it."""
    from optuna import distributions

    if isinstance(limits, OneOf):
        return distributions.CategoricalDistribution(limits.values)
    if isinstance(limits, Int):
        return distributions.IntDistribution(limits.low, limits.high, log=limits.log)
    assert isinstance(limits, Float)
    return distributions.FloatDistribution(limits.low, limits.high, log=limits.log)
