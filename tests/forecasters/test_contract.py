"""The data contract: other columns, other levels, missing future values."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.cases import panel_of

from gatecast.base.errors import DataError
from gatecast.data.frequency import Frequency
from gatecast.data.panel import Panel
from gatecast.forecasters.contract import Contract


def panel(**changes: Any) -> Panel:
    fields: dict[str, Any] = {
        "known": np.zeros((10, 2), np.float32),
        "known_names": ("price", "promo"),
        "category": np.array([[0], [1]]),
        "category_names": ("shop",),
        "levels": (("a", "b"),),
    }
    made = panel_of(np.zeros(6), np.zeros(4), freq="D", ids=["one", "two"], source="shop.csv", **fields)
    return replace(made, **changes)


def test_through_json_and_back() -> None:
    contract = Contract.of(panel())
    assert Contract.from_dict(json.loads(json.dumps(contract.to_dict()))) == contract


def test_a_panel_of_the_same_columns_passes_as_it_is() -> None:
    same = panel()
    assert Contract.of(panel()).adapt(same) is same


def test_levels_in_another_order_are_coded_as_in_training_and_new_ones_are_unknown() -> None:
    other = panel(levels=(("z", "b", "a"),), category=np.array([[2], [0]]))
    adapted = Contract.of(panel()).adapt(other)
    assert adapted.category.tolist() == [[0], [-1]]
    assert adapted.levels == (("a", "b"),)
    missing = panel(levels=(("b",),), category=np.array([[-1], [0]]))
    assert Contract.of(panel()).adapt(missing).category.tolist() == [[-1], [1]]


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"known_names": ("promo", "price")},
            r"shop.csv: the forecaster was fitted with known columns 'price', 'promo', this panel has 'promo', "
            r"'price'; read it with the same roles \(known=\['price', 'promo'\]\)",
        ),
        ({"target_names": ("sales",)}, "fitted with target columns 'y', this panel has 'sales'"),
        ({"category_names": ()}, "fitted with category columns 'shop', this panel has none"),
        ({"freq": Frequency("h")}, "fitted on frequency 'D', this panel has 'h'; resample it"),
        ({"tz": "Asia/Tokyo"}, r"fitted on times without a zone, this panel has times in Asia/Tokyo; read it without"),
    ],
)
def test_other_columns_or_frequency(changes: dict[str, Any], text: str) -> None:
    with pytest.raises(DataError, match=text):
        Contract.of(panel()).adapt(panel(**changes))


def test_missing_future_values_are_named() -> None:
    past = panel().cut(2)
    Contract.of(past).require_future(past, 2)
    known = past.known.copy()
    known[5, 1] = np.nan  # series one, second step ahead
    with pytest.raises(
        DataError,
        match=r"shop.csv: known covariate 'promo' must be given for all 2 steps of the forecast; 1 values are missing, "
        r"the first for series one at 2000-01-06. Fill panel.future_frame\(2\) and pass it as future=",
    ):
        Contract.of(past).require_future(replace(past, known=known), 2)
    with pytest.raises(DataError, match=r"covariates 'price', 'promo' must be given for all 3 steps.*4 values"):
        Contract.of(past).require_future(past, 3)


def test_without_known_covariates_nothing_is_asked_for() -> None:
    plain = panel_of(np.zeros(5))
    Contract.of(plain).require_future(plain, 100)


def test_another_time_zone_or_integer_step_is_named() -> None:
    berlin = panel(tz="Europe/Berlin")
    assert Contract.of(berlin).adapt(berlin) is berlin
    with pytest.raises(DataError, match=r'fitted on times in Europe/Berlin.* in UTC; read it with tz="Europe/Berlin"'):
        Contract.of(berlin).adapt(panel(tz="UTC"))
    twos = replace(panel_of(np.zeros(5)), freq=Frequency("", 2))
    with pytest.raises(DataError, match=r"fitted on integer steps of 2, this panel has steps of 1; give it rows 2"):
        Contract.of(twos).adapt(panel_of(np.zeros(5)))


def test_a_contract_of_the_first_model_files_knows_neither() -> None:
    fields = Contract.of(panel()).to_dict()
    for name in ("layout", "tz", "step"):
        del fields[name]
    old = Contract.from_dict(json.loads(json.dumps(fields)))
    zoned = panel(tz="UTC")
    assert old.adapt(zoned) is zoned
