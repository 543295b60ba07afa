"""``ConvLSTMForecaster``: learns from events of rain, and forecasts the next fields of another one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

import torch
from torch.nn import functional as F

from gatecast.base.errors import DataError, ModelFileError, NotFittedError, SettingError
from gatecast.base.fields import field
from gatecast.base.findings import Arg, Call
from gatecast.base.options import SEED, Bounds, check_value, require_configs
from gatecast.batches.windows import WindowOrigins
from gatecast.data.grid.grid import Grid
from gatecast.forecasters.model_file import read, write
from gatecast.nn.draws import drawing, injected
from gatecast.nowcast.config import DEFAULT_FIT, RainConfig
from gatecast.nowcast.context import CONTEXT, context_of, factor_of
from gatecast.nowcast.forecast import Nowcast
from gatecast.nowcast.motion import motion_of
from gatecast.nowcast.network import RainNet
from gatecast.nowcast.rivals import nowcast_of
from gatecast.nowcast.windows import RainWindows
from gatecast.training.config import FitConfig
from gatecast.training.loop import train
from gatecast.training.threads import threads_of

LEAST_FIELDS = 3  # fields that a forecast needs


class ConvLSTMForecaster:
    """A ConvLSTM that corrects naive nowcasts, in coordinates that move with the rain.

    Args:
        minutes: the farthest time ahead that it learns.
        net: settings of the network.
        fit: settings of the training.
        seed: of weights and windows.

    Example:
        >>> import gatecast
        >>> from gatecast.nowcast import ConvLSTMForecaster
        >>> ConvLSTMForecaster(minutes=60, seed=1)
        ConvLSTMForecaster(minutes=60, seed=1)
    """

    name = "ConvLSTM"

    def __init__(
        self, minutes: float = 90, *, net: RainConfig | None = None, fit: FitConfig = DEFAULT_FIT, seed: int = 0
    ) -> None:
        check_value(Arg("minutes"), minutes, "float", Bounds(above=0, most=1440))
        check_value(Arg("seed"), seed, "int", SEED)
        require_configs(net=(net, RainConfig), fit=(fit, FitConfig))
        self.minutes, self.net, self.fit_config, self.seed = minutes, net or RainConfig(), fit, seed

    def __repr__(self) -> str:
        return f"ConvLSTMForecaster(minutes={self.minutes:g}, seed={self.seed})"

    def fit(self, grids: Grid | Sequence[Grid]) -> Self:
        """Learn from one event or several, in mm/h.

        Raises:
            DataError: an event is too short, or not rain.
            MissingExtraError: pysteps is not installed.
        """
        events = [grids] if isinstance(grids, Grid) else list(grids)
        if not events:
            raise SettingError("there is nothing to learn from", "give one Grid or several")
        for one in events:
            _require_rain(one, CONTEXT + 1)
        windows = RainWindows(events, CONTEXT, self.minutes, self.net, self.seed)
        origins = windows.origins()
        none = WindowOrigins(origins.series[:0], origins.first[:0], origins.count[:0])
        steps = self.fit_config.steps or DEFAULT_FIT.steps or 0
        with threads_of(self.fit_config.threads), drawing(self.seed):
            with injected():
                model = RainNet(self.net)
            self.history_ = train(model, windows, origins, none, self.fit_config, steps=steps, seed=self.seed)
        self.model_ = model.eval()
        self.events_ = tuple(one.source for one in events)
        return self

    def predict(self, grid: Grid, steps: int | None = None) -> Nowcast:
        """Forecast the fields that follow a grid.

        Args:
            grid: its last six fields are read; three suffice.
            steps: fields ahead; None: up to ``minutes``.

        Raises:
            NotFittedError: before ``fit``.
            DataError: too few fields, or not rain.
        """
        if not hasattr(self, "model_"):
            raise NotFittedError("predict needs a fitted forecaster", "call " + Call("fit", ...) + " first")
        _require_rain(grid, LEAST_FIELDS)
        if steps is None:
            steps = max(1, int(self.minutes // grid.step))
        check_value(Arg("steps"), steps, "int", Bounds(least=1, most=1000))
        recent = grid.rows(max(0, len(grid) - CONTEXT), len(grid))
        factor = factor_of(grid, self.net.pixel_km)
        thresholds = torch.tensor(self.net.thresholds)
        context = context_of(recent.values, recent.missing, motion_of(grid), thresholds, factor)
        with torch.inference_mode(), threads_of(self.fit_config.threads):
            chances = self.model_.probabilities(context, steps, grid.step / 60)
            inside = self.model_.inside(context, steps)
            height, width = grid.shape
            fine = F.interpolate(chances, scale_factor=factor, mode="bilinear") if factor > 1 else chances
            known = F.interpolate(inside[:, None], scale_factor=factor)[:, 0] if factor > 1 else inside
        parts = fine[..., :height, :width], known[:, :height, :width]
        return nowcast_of(self.name, grid, self.net.thresholds, *parts)

    # ── files ─────────────────────────────────────────────────────────────────────────────────────────────────────
    def save(self, path: str | Path) -> Path:
        """Write the fitted forecaster to one ``.gatecast`` file.

        Raises:
            NotFittedError: before ``fit``.
        """
        if not hasattr(self, "model_"):
            raise NotFittedError("save needs a fitted forecaster", "call " + Call("fit", ...) + " first")
        facts = {
            "kind": "nowcast",
            "minutes": self.minutes,
            "seed": self.seed,
            "net": asdict(self.net),
            "events": list(self.events_),
        }
        return write(path, facts, {name: value.contiguous() for name, value in self.model_.state_dict().items()})

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a forecaster that :meth:`save` wrote.

        Raises:
            ModelFileError: the file is missing, altered, or of another kind.
        """
        facts, tensors = read(Path(path))
        try:
            if field(facts, "kind", "str") != "nowcast":
                raise SettingError(f"it holds a {facts['kind']}, which gatecast.load reads")
            net: Any = field(facts, "net", "dict")
            net = {key: tuple(one) if isinstance(one, list) else one for key, one in net.items()}
            made = cls(facts["minutes"], net=RainConfig(**net), seed=facts["seed"])
            made.model_ = RainNet(made.net).eval()
            made.model_.load_state_dict(tensors)
            made.events_ = tuple(map(str, field(facts, "events", "list")))
        except Exception as error:  # a file with right checksums and wrong parts may fail anywhere
            problem = f"the parts of the nowcast do not fit together ({str(error)[:300]})"
            raise ModelFileError(problem, "save the model again", place=str(path)) from error
        return made


def _require_rain(grid: Any, fields: int) -> None:
    """Check that a grid holds rain and enough fields."""
    if not isinstance(grid, Grid):
        problem = f"expected a Grid, got a {type(grid).__name__}"
        raise SettingError(problem, "read it first: " + Call("gatecast.read_grid", ...))
    if grid.units != "mm/h":
        raise DataError(f"expected rain in mm/h, got {grid.units}", "read it as rain", place=grid.source)
    if len(grid) < fields:
        raise DataError(f"{len(grid)} fields are too few: {fields} are needed", "give more fields", place=grid.source)
    if grid.missing[-1].all():
        raise DataError("the last field has no observed pixel", "end with a field that was observed", place=grid.source)
