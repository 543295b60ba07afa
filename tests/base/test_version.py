"""Every file that states the version agrees with ``gatecast.base.version``."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import gatecast
from gatecast.base.version import VERSION

ROOT = Path(__file__).parents[2]


def test_the_package_has_the_version() -> None:
    assert gatecast.__version__ == VERSION


def test_the_citation_names_the_version() -> None:
    found = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE)
    assert found is not None
    assert found[1] == VERSION


def test_the_changelog_has_a_section_for_the_version() -> None:
    assert re.search(rf"^## {re.escape(VERSION)}\b", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)


def test_the_build_reads_the_version_without_importing_the_package() -> None:
    """In a separate process: an import of gatecast or torch while the version is read would break builds."""
    script = (
        "import sys\n"
        "from setuptools.config.pyprojecttoml import read_configuration\n"
        "print(read_configuration('pyproject.toml')['project']['version'])\n"
        "print('gatecast' in sys.modules, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [VERSION, "False", "False"]
