"""The table of the operators' arguments, against the weights, the masks and the C++ that implements it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch

from gatecast.ops import CellSpec, LSTMMasks, LSTMWeights
from gatecast.ops.lstm_cell import operators
from gatecast.ops.lstm_cell.operators import Call

BIND = (Path(__file__).parents[3] / "csrc" / "bind.cpp").read_text("utf-8")


def test_cpp_reads_the_weights_of_a_layer_in_the_order_of_the_table() -> None:
    places = re.search(r"enum RunWeight {([^}]*), RUN_WEIGHTS}", BIND.replace(" }", "}").replace("{ ", "{"))
    assert places is not None
    assert places[1].lower().split(", ") == list(operators.LAYER_WEIGHTS)


def test_the_schemas_name_the_arguments_of_the_table() -> None:
    for operator, arguments in (
        (operators.FORWARD, operators.ARGUMENTS),
        (operators.BACKWARD, operators.BACKWARD_ARGUMENTS),
        (operators.LAYERS, operators.LAYERS_ARGUMENTS),
    ):
        assert [argument.name for argument in operator._schema.arguments] == list(arguments)


def test_tensors_and_operands_are_each_others_inverse() -> None:
    def named(name: str) -> Any:
        return torch.full((), float(operators.PLACES[name]))

    weights = LSTMWeights(*map(named, LSTMWeights._fields))
    masks = LSTMMasks(*map(named, LSTMMasks._fields))
    tensors = (*operators.tensors_of(named("x"), weights, (named("h0"), named("c0"))), *masks)
    assert [int(t) for t in tensors if t is not None] == list(range(len(operators.TENSORS)))
    assert operators.operands_of(tensors) == (tensors[0], weights, (named("h0"), named("c0")), masks)
    assert operators.operands_of([None if name == "h0" else named(name) for name in operators.TENSORS])[2] is None


def test_the_kinds_of_tensors_of_a_call() -> None:
    assert Call._fields[: len(operators.TENSORS)] == operators.TENSORS
    assert set(operators.INPUTS) == {"x", "h0", "c0", *LSTMWeights._fields}
    assert operators.wants([name in ("x", "c0") for name in operators.INPUTS]) == [True, False, True]


def test_options_are_in_the_order_of_the_flags() -> None:
    given = {"activation": "relu", "recurrent_activation": "softsign"}
    for name in ("coupled", "reverse", "zero_output", "bfloat16_products"):
        flags, *_ = operators.options_of(CellSpec(**{**given, "zero_output": False, name: True}))
        found = operators.Flags(*flags)._asdict()
        assert {name for name, on in found.items() if on is True} == {name}
        assert [operators.ACTIVATIONS[found[kind]] for kind in given] == list(given.values())
