"""Options as keyword arguments: what type checkers see is what the dataclasses declare."""

from __future__ import annotations

import inspect
from dataclasses import fields
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from mypy import api

import gatecast
from gatecast import nn
from gatecast.nn import arguments, options

LAYERS: list[Any] = [nn.LSTM, nn.GRU, nn.RNN, nn.sLSTM, nn.LSTM1997, nn.ConvLSTM2d, nn.LSTMCell, nn.GRUCell, nn.RNNCell]


def typed(layer: Any) -> Any:
    """The TypedDict in the signature of a layer's constructor."""
    return getattr(arguments, layer.__init__.__annotations__["options"].removeprefix("Unpack[").removesuffix("]"))


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.__name__)
def test_the_arguments_are_the_options_of_the_layer(layer: Any) -> None:
    own = layer.__init__.__annotations__
    kinds = (*layer.shared, *layer.takes)
    shown = {f.name: get_type_hints(kind)[f.name] for kind in kinds for f in fields(kind) if f.name not in own}
    assert get_type_hints(typed(layer)) == shown
    assert [*shown] == [name for name in inspect.signature(layer).parameters if name not in own]
    assert all(issubclass(kind, (options.CellOptions, options.StackOptions)) for kind in layer.takes)


CALLS = """
from gatecast.nn import GRUCell, LSTM, ConvLSTM2d

LSTM(3, 8, 2, peephole=True, zoneout=(0.1, 0.2), return_cells=True, device="cpu", dtype=None)
ConvLSTM2d(1, 4, (3, 3), activation="relu", learn_initial_state=True, bidirectional=True)
GRUCell(3, 8, reset_after=False)
LSTM(3, 8, peepholes=True)
LSTM(3, 8, zoneout="0.1")
GRUCell(3, 8, peephole=True)
"""


CONFIG = f"""
[mypy]
python_version = 3.11
mypy_path = {Path(gatecast.__file__).parents[1]}
follow_imports = silent
disable_error_code = name-defined

[mypy-torch.*,numpy.*,jaxtyping.*]
follow_imports = skip
"""  # without PyTorch's own types, which take a minute to read


def test_a_type_checker_sees_names_and_types_of_options(tmp_path: Path) -> None:
    file, config = tmp_path / "calls.py", tmp_path / "mypy.ini"
    file.write_text(CALLS)
    config.write_text(CONFIG)
    found, errors, _ = api.run([f"--config-file={config}", f"--cache-dir={tmp_path}", str(file)])
    assert not errors
    wrong = [line.partition("calls.py:")[2] for line in found.splitlines() if "calls.py:" in line and "error:" in line]
    lines = CALLS.splitlines()
    assert [lines[int(line.partition(":")[0]) - 1] for line in wrong] == lines[-3:]
    assert ['"peepholes"' in wrong[0], "zoneout" in wrong[1], '"peephole"' in wrong[2]] == [True] * 3
