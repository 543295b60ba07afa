"""Checks before any training: options that apply to nothing, and requests that the data cannot meet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, replace
from typing import TYPE_CHECKING, Any

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import CONTEXT, MEMBERS, SEED, check_value
from gatecast.cli import models

if TYPE_CHECKING:
    from gatecast.cli.flags import ModelFlags
    from gatecast.cli.output_folder import Folder
    from gatecast.cli.run import Task
    from gatecast.data import Panel

COVARIATES = ("past", "known", "static", "category")
_BYTES = 120  # of a row of forecast.csv or backtest.csv, for each model
_MODEL_BYTES = 20_000_000  # model file and report


def check_model(flags: ModelFlags) -> str:
    """The name of the model, after a check of the numbers beside it."""
    for name, bounds in (("context", CONTEXT), ("members", MEMBERS), ("seed", SEED)):
        value = getattr(flags, name)
        if value is not None:
            check_value(Arg(name), value, "int", bounds)
    return models.check_name(flags.model)


def check_applies(
    name: str, flags: ModelFlags, net: Any, fit: Any, *, data: Any = None, more: Mapping[str, Any] | None = None
) -> None:
    """Refuse options that a model without a network would leave aside.

    ``--seed`` is taken by every model: what draws nothing is reproducible with any seed.

    Args:
        name: of the model.
        flags, net, fit: options of the model, the network and the training.
        data: options of reading, whose covariates only a network uses; None for commands without data.
        more: other options of the command that only a network uses; None or False where they are not given.

    Raises:
        SettingError: naming the first such option, the model, and what to do.
    """
    if name not in models.CLASSES:
        return
    given = [*_changed(flags, skip=("model", "seed", *(("context",) if name == "linear" else ())))]
    given += [*_changed(net, of="NetConfig"), *_changed(fit, of="FitConfig")]
    if given:
        lack = " is trained already" if name == "zeroshot" else " has no network"
        problem = given[0] + " is an option of the LSTM, and " + Arg("model", name) + lack
        raise SettingError(problem, "leave " + given[0] + " out, or take " + Arg("model", "lstm"))
    covariates = [Arg(one) for one in COVARIATES if data is not None and getattr(data, one)]
    covariates += [Arg(one) for one, value in (more or {}).items() if value]
    if covariates:
        problem = covariates[0] + " applies to nothing: " + Arg("model", name) + " uses no covariates"
        raise SettingError(problem, "leave " + covariates[0] + " out, or take " + Arg("model", "lstm"))


def _changed(flags: Any, *, of: str = "", skip: tuple[str, ...] = ()) -> Iterator[Arg]:
    """The options whose values differ from the defaults."""
    for one in fields(flags):
        if one.name not in skip and getattr(flags, one.name) != one.default:
            yield Arg(one.name, of=of)


def prepared(panel: Panel, task: Task) -> tuple[Panel, Task]:
    """The panel with its future, after everything that can be known before training was checked.

    Raises:
        DataError, SettingError: what ``fit`` or ``predict`` would refuse later.
    """
    name = models.check_name(task.flags.model)
    if task.future is not None:
        from gatecast.data.read import add_future

        panel = add_future(panel, task.future, horizon=task.horizon)
        task = replace(task, future=None)
    check_models(panel, task)
    if name not in models.CLASSES:
        from gatecast.forecasters.panel_check import require_future

        require_future(panel, task.horizon)
    return panel, task


def check_models(panel: Panel, task: Task) -> None:
    """Check the model of a task against the data, without training.

    Raises:
        DataError, SettingError: what ``fit`` would refuse.
    """
    name = models.check_name(task.flags.model)
    if name in models.CLASSES:
        models.baseline(name, task.horizon, task.flags).check(panel)
        return
    _check_context(panel, task.flags.context)
    models.lstm(task.horizon, task.flags, task.net, task.fit).check(panel)


def _check_context(panel: Panel, context: int | None) -> None:
    """Refuse a context that no series fills."""
    longest = int(panel.lengths.max(initial=0))
    if context is not None and context >= longest:
        problem = (
            Arg("context", context) + f" reaches back further than the data: the longest series has {longest} rows"
        )
        remedy = "take " + Arg("context", max(2, longest // 2)) + " or less, or leave it out"
        raise SettingError(problem, remedy)


def check_space(folder: Folder, panel: Panel, task: Task) -> None:
    """Check that the results fit on the disk, roughly."""
    cells = len(panel) * panel.targets * task.horizon
    kept = panel.target.nbytes + panel.past.nbytes + panel.known.nbytes if task.history else 0
    folder.require_space(_MODEL_BYTES + kept + _BYTES * cells * (1 + 9 * task.windows))
