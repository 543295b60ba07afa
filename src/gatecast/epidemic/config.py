"""The options of a study."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gatecast.base.findings import Arg
from gatecast.base.options import Bounds, check_value, option
from gatecast.evaluation.forecast import checked_levels

if TYPE_CHECKING:
    from gatecast.training import FitConfig

MODELS = ("seir", "lstm", "hybrid")


@dataclass(frozen=True)
class StudyConfig:
    """Options of :func:`gatecast.epidemic.study`; the command line reads the same fields.

    Scenarios are :class:`~gatecast.epidemic.seir.Scenario` objects, or texts such as ``"contacts=-0.3
    start=2020-03-01"``; ``transmission`` is what :class:`~gatecast.epidemic.SEIRForecaster` takes. Models and levels
    are kept without duplicates, levels ascending.

    Raises:
        SettingError: for a value out of bounds, or a scenario that cannot be understood.
    """

    horizon: int = option(28, "Days ahead.", least=1, limit=10_000)
    models: str | Sequence[str] = option(("seir", "lstm"), f"Models next to the baselines, of {', '.join(MODELS)}.")
    scenarios: Any = option(
        (),
        'What if: "shift_days=5" (measures five days later), "contacts=-0.3 start=2020-03-01"; may be given several '
        "times.",
    )
    transmission: Any = option(
        "exponential", "constant, exponential or piecewise, or with settings: piecewise(changes=('2020-01-23',))."
    )
    # a wave is longer than six weeks, and β falls or rises steadily only in a part of it
    history: int | None = option(42, "Days before each origin that SEIR is fitted on.", least=14)
    # levels of the forecast hubs
    levels: Sequence[float] = option((50.0, 80.0, 95.0), "Interval levels in percent.")
    windows: int = option(6, "Origins of the backtest; 0 for none.", least=0, limit=10_000)
    step: int | None = option(None, "Days between two origins. [default: half the horizon]", least=1)
    fit: FitConfig | None = option(None, "Training of the LSTM; None: 300 steps.")
    seed: int = option(1, "Random seed.", least=0, limit=2**53)

    def __post_init__(self) -> None:
        for one in fields(self):
            value, kind = getattr(self, one.name), str(one.type)
            if value is not None or not kind.endswith("None"):
                check_value(Arg(one.name), value, kind.removesuffix(" | None"), one.metadata["bounds"])
        models = tuple(dict.fromkeys(name.lower() for name in _several(self.models))) or MODELS[:1]
        for name in models:
            check_value(Arg("models"), name, "str", Bounds(one_of=MODELS))
        object.__setattr__(self, "models", models)
        object.__setattr__(self, "levels", checked_levels(list(dict.fromkeys(self.levels))))
        object.__setattr__(self, "scenarios", tuple(map(_scenario, _several(self.scenarios))))

    @property
    def origin_step(self) -> int:
        """Days between two origins of the backtest."""
        return self.step or max(1, self.horizon // 2)

    def record(self) -> dict[str, Any]:
        """The options as reports and ``run.json`` show them; training is left out."""
        shown = {one.name: getattr(self, one.name) for one in fields(self) if one.name != "fit"}
        return {
            **shown,
            "models": ", ".join(self.models),
            "scenarios": "; ".join(one.to_text() for one in self.scenarios) or "none",
        }


def _several(given: Any) -> Sequence[Any]:
    return given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)


def _scenario(given: Any) -> Any:
    from gatecast.epidemic.seir.scenarios import Scenario

    return Scenario.from_text(given) if isinstance(given, str) else given
