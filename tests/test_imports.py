"""What an import costs, and that every public name is there."""

from __future__ import annotations

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import gatecast

HEAVY = (
    "pandas",
    "plotly",
    "matplotlib",
    "lightning_fabric",
    "statsforecast",
    "scipy",
    "polars",
    "pyarrow",
    "utilsforecast",
    "cyclopts",
    "rich",
    "jinja2",
    "h5py",
    "keras",
    "onnx",
    "optuna",
    "ray",
)
PACKAGES = (
    "data",
    "evaluation",
    "forecasters",
    "epidemic",
    "epidemic.seir",
    "lab",
    "models",
    "nn",
    "convert",
    "ops",
    "report",
    "training",
    "training.optimizers",
    "synthetic",
    "tuning",
)


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in ``sys.modules`` of a fresh process after the statement."""
    code = f"{statement}\nimport sys\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "import gatecast",
        "from gatecast import LSTMForecaster, Panel, Forecast, NetConfig, FitConfig, Naive",
        "import gatecast.models, gatecast.nn, gatecast.convert, gatecast.training",
    ],
)
def test_an_import_costs_pytorch_at_most(statement: str) -> None:
    assert loaded_by(statement).isdisjoint(HEAVY)


def test_the_bare_import_is_light() -> None:
    assert "torch" not in loaded_by("import gatecast")
    assert "torch" in loaded_by("from gatecast import LSTMForecaster")


def test_a_forecast_on_a_cpu_loads_neither_fabric_nor_the_compiler() -> None:
    fit = "LSTMForecaster(2, fit=FitConfig(steps=2)).fit(Panel.from_arrays([range(40)], freq='D')).predict()"
    code = f"from gatecast import FitConfig, LSTMForecaster, Panel\n{fit}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    assert {"lightning_fabric", "torch._dynamo", "sympy"}.isdisjoint(done.stdout.split())


def test_help_loads_no_pytorch() -> None:
    loaded = loaded_by("from gatecast.cli.app import build\nbuild().parse_args(['--version'])")
    assert loaded.isdisjoint({"torch", "pandas", "numpy"})


def test_reading_on_the_command_line_loads_no_pytorch(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("day,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,3\n")
    run = "from gatecast.cli import main\nmain(['data', {!r}, '--quiet'])".format
    assert "pandas" in (loaded := loaded_by(run(str(tmp_path / "a.csv"))))
    assert "torch" not in loaded
    assert loaded_by(run(str(tmp_path / "none.csv"))).isdisjoint({"torch", "pandas"})


@pytest.mark.parametrize("name", gatecast.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(gatecast, name) is not None
    assert name in dir(gatecast)


@pytest.mark.parametrize("package", PACKAGES)
def test_every_listed_name_of_a_subpackage_resolves(package: str) -> None:
    module = importlib.import_module(f"gatecast.{package}")
    assert len(module.__all__) == len(set(module.__all__))
    missing = [name for name in module.__all__ if not hasattr(module, name)]
    assert missing == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'gatecast' has no attribute 'nonsense'"):
        _ = gatecast.nonsense
