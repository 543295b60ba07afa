"""What an import costs, and that every public name is there."""

from __future__ import annotations

import importlib
import subprocess
import sys

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
)
PACKAGES = ("data", "evaluation", "forecasters", "models", "nn", "ops", "report", "training")


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
        "import gatecast.models, gatecast.nn, gatecast.training",
    ],
)
def test_an_import_costs_pytorch_at_most(statement: str) -> None:
    assert loaded_by(statement).isdisjoint(HEAVY)


def test_the_bare_import_is_light() -> None:
    assert "torch" not in loaded_by("import gatecast")
    assert "torch" in loaded_by("from gatecast import LSTMForecaster")


def test_help_loads_no_pytorch() -> None:
    loaded = loaded_by("from gatecast.cli.app import build\nbuild().parse_args(['--version'])")
    assert loaded.isdisjoint({"torch", "pandas", "numpy"})


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
