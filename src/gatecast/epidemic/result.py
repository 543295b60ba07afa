"""The result of a study."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from gatecast.base.files import whole
from gatecast.evaluation.output_frame import output_frame

if TYPE_CHECKING:
    import pandas as pd

    from gatecast.base.findings import Finding
    from gatecast.data.panel import Panel
    from gatecast.epidemic.cases import Cases, Population
    from gatecast.epidemic.config import StudyConfig
    from gatecast.epidemic.origins import OriginScores
    from gatecast.epidemic.seir import SEIRForecaster
    from gatecast.evaluation.forecast import Forecast
    from gatecast.forecasters.backtest import Backtest


@dataclass(frozen=True, eq=False)
class Study:
    """What :func:`gatecast.epidemic.study` found; :func:`gatecast.report.write_epidemic_report` makes a page of it.

    Args:
        config: the options.
        population: as given.
        cases: reported and repaired counts.
        seir: SEIR, fitted on all days.
        forecasts: model → forecast from the last day on.
        backtest: forecasts from past origins; None without.
        origins: its scores by origin.
        findings: models that could not forecast, a backtest that could not be run.
    """

    config: StudyConfig
    population: Population
    cases: Cases
    seir: SEIRForecaster
    forecasts: dict[str, Forecast]
    backtest: Backtest | None = None
    origins: OriginScores | None = None
    findings: tuple[Finding, ...] = ()

    def __repr__(self) -> str:
        found = self.origins.text if self.origins else "no backtest"
        return f"Study({self.config.horizon} days by {', '.join(self.forecasts)}, best {self.best.model}; {found})"

    @property
    def panel(self) -> Panel:
        """Daily new cases."""
        return self.cases.daily

    @property
    def verdict(self) -> str | None:
        """Which model wins in which phase, in words; None without a backtest."""
        return self.origins.text if self.origins else None

    @cached_property
    def best(self) -> Forecast:
        """The forecast of the model with the lowest score in the backtest; without one, that of the first model."""
        made = list(self.forecasts.values())
        if self.origins is None:
            return made[0]
        scores = self.origins.means.loc["all"]
        return min(made, key=lambda one: scores.get(one.model, float("inf")))

    @cached_property
    def summary(self) -> pd.DataFrame:
        """R0, R_t and doubling time at the origin, peak and final size by SEIR, with 95 % intervals."""
        return self.seir.summary()

    @property
    def parameters(self) -> pd.DataFrame:
        """Parameters of SEIR with 95 % intervals, and whether the counts identify them."""
        return self.seir.params_

    @cached_property
    def reproduction(self) -> pd.DataFrame:
        """R_t of every day, those of the forecast included, with 50 and 95 % bands."""
        return self.seir.reproduction(self.config.horizon)

    @cached_property
    def curves(self) -> dict[str, pd.DataFrame]:
        """Title of each scenario → course of the epidemic under it (see :meth:`SEIRForecaster.curve`)."""
        return {one.title: self.seir.curve(one, self.config.horizon) for one in self.config.scenarios}

    @cached_property
    def fitted_curve(self) -> pd.DataFrame:
        """Course of the epidemic as fitted."""
        return self.seir.curve(horizon=self.config.horizon)

    def scenario_ratios(self) -> dict[str, float]:
        """Title of each scenario → new cases over the horizon, relative to the fitted course."""
        usual = self._ahead(self.fitted_curve)
        return {title: self._ahead(curve) / usual for title, curve in self.curves.items()}

    def _ahead(self, curve: pd.DataFrame) -> float:
        return float(curve.groupby("unique_id").tail(self.config.horizon)["new"].sum())

    def record(self) -> dict[str, object]:
        """The settings as reports and ``run.json`` show them."""
        options = self.config.record()
        return {"horizon": options.pop("horizon"), "population": self.population, **options}

    def frames(self) -> dict[str, pd.DataFrame]:
        """The frames that :meth:`write` writes, by name."""
        import pandas as pd

        frames = {"forecast": pd.concat([output_frame(one) for one in self.forecasts.values()])}
        if self.backtest is not None:
            frames |= {"backtest": self.backtest.frame, "scores": self.backtest.scores().reset_index()}
        return {**frames, "parameters": self.parameters, "reproduction": self.reproduction}

    def write(self, folder: str | Path) -> list[Path]:
        """Write every frame as CSV, as ``gatecast epidemic`` does; returns the paths.

        Args:
            folder: is created; files of the same names are replaced.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        paths = []
        for name, frame in self.frames().items():
            paths.append(folder / f"{name}.csv")
            with whole(paths[-1]) as draft:
                frame.to_csv(draft, index=False, float_format="%.10g")
        return paths
