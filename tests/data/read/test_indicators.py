"""Past and known covariates that are text become indicators of their levels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import gatecast
from gatecast import DataError, FitConfig, LSTMForecaster
from gatecast.base.errors import SettingError
from gatecast.data.read import add_future
from gatecast.data.schema import Schema
from gatecast.forecasters.state_check import _check_schema

DAYS = 60


def sales(**columns: Any) -> pd.DataFrame:
    days = np.arange(DAYS)
    promo = np.array(["big", "small", "-none-"])[days % 3]
    table = {"day": pd.date_range("2024-01-01", periods=DAYS, freq="D"), "sold": days % 7 + 3.0 * (days % 3 == 0)}
    return pd.DataFrame({**table, "promo": promo, **columns})


def plan(*levels: Any) -> pd.DataFrame:
    return pd.DataFrame({"day": pd.date_range("2024-03-01", periods=len(levels), freq="D"), "promo": levels})


def read(table: pd.DataFrame, **given: Any) -> gatecast.Panel:
    return gatecast.read_panel(table, target="sold", **{"known": "promo", **given})


def kinds(panel: gatecast.Panel) -> dict[str, int]:
    return {found.kind: found.count for found in panel.repairs}


@pytest.mark.parametrize("role", ["past", "known"])
def test_each_level_has_an_indicator(role: str) -> None:
    panel = read(sales(), **{"known": (), role: "promo"})
    assert getattr(panel, f"{role}_names") == ("promo=-none-", "promo=big", "promo=small")
    assert getattr(panel, role)[:4].tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 1, 0]]
    assert kinds(panel)["indicators"] == 3


@pytest.mark.parametrize("levels", [("open",), ("open", "closed"), ("a", "b", "c", "d", "e")])
def test_one_level_or_many(levels: tuple[str, ...]) -> None:
    panel = read(sales(promo=[levels[k % len(levels)] for k in range(DAYS)]))
    assert panel.known_names == tuple(f"promo={level}" for level in sorted(levels))
    assert (panel.known.sum(axis=1) == 1).all()


def test_categories_of_pandas_are_text() -> None:
    assert np.array_equal(read(sales(promo=pd.Categorical(sales()["promo"]))).known, read(sales()).known)


def test_an_empty_cell_is_a_level_of_its_own() -> None:
    holidays = np.where(np.arange(DAYS) % 30 == 5, "Eid", "")
    panel = read(sales(promo=holidays))
    assert panel.known_names == ("promo=Eid",)
    assert panel.known[:, 0].tolist() == (holidays == "Eid").astype(float).tolist()
    assert kinds(panel)["no level"] == DAYS - 2
    assert add_future(panel, plan("", "Eid")).known[-2:, 0].tolist() == [0, 1]


def test_numbers_stay_numbers_and_wrong_ones_are_refused() -> None:
    numbers = [str(1.5 * (k % 4)) for k in range(DAYS)]
    assert read(sales(promo=numbers)).known_names == ("promo",)
    numbers[7] = "1.5 EUR"
    with pytest.raises(DataError) as refused:
        read(sales(promo=numbers))
    assert "'1.5 EUR'" in str(refused.value)


def test_names_that_hardly_repeat_are_refused() -> None:
    with pytest.raises(DataError):
        read(sales(promo=[f"name {k}" for k in range(DAYS)]))


def test_the_future_is_given_as_text() -> None:
    panel = read(sales())
    assert add_future(panel, plan("small", "big")).known[-2:].tolist() == [[0, 0, 1], [0, 1, 0]]


def test_the_frame_to_fill_in_holds_text() -> None:
    panel = add_future(read(sales()), plan("small"))
    frame = panel.future_frame(2)
    assert frame.columns.tolist() == ["day", "promo"]
    assert frame["promo"].tolist() == ["small", None]
    filled = add_future(read(sales()), frame.assign(promo=["small", "big"]))
    assert filled.known[-2:].tolist() == [[0, 0, 1], [0, 1, 0]]


def test_a_new_level_is_listed_and_is_no_indicator() -> None:
    panel = add_future(read(sales()), plan("huge", "big"))
    assert panel.known[-2:].tolist() == [[0, 0, 0], [0, 1, 0]]
    assert kinds(panel)["unknown level"] == 1


def test_an_empty_cell_of_the_future_is_missing() -> None:
    with pytest.raises(DataError) as refused:
        add_future(read(sales()), plan("big", ""))
    assert "2024-03-02" in str(refused.value)


@pytest.mark.parametrize(
    ("table", "words"),
    [
        (sales().drop(columns="promo"), ["no column 'promo'", "big, small"]),
        (sales(promo=np.arange(DAYS) % 3), ["one of the levels", "big, small", "0, 1, 2"]),
    ],
)
def test_another_table_must_have_the_column(table: pd.DataFrame, words: list[str]) -> None:
    schema = read(sales()).schema.portable()
    with pytest.raises(DataError) as refused:
        gatecast.read(table, schema)
    assert all(word in str(refused.value) for word in words)


def test_levels_are_kept_with_the_schema() -> None:
    schema = read(sales()).schema
    assert schema.indicators == (("promo", ("-none-", "big", "small")),)
    assert Schema.from_dict(schema.to_dict()) == schema
    short = gatecast.read(sales()[:10].assign(promo="small"), schema.portable())
    assert short.known_names == read(sales()).known_names


def test_a_model_file_reads_text_as_it_was_trained(tmp_path: Any) -> None:
    fit = FitConfig(steps=3, progress=False)
    model = LSTMForecaster(2, fit=fit, seed=1).fit(read(sales()))
    model.save(tmp_path / "promo.gatecast")
    loaded = gatecast.load(tmp_path / "promo.gatecast")
    future = plan("small", "big")
    assert np.array_equal(loaded.predict(future=future).mean, model.predict(future=future).mean)


def test_levels_of_a_damaged_model_file_are_refused() -> None:
    facts = {"schema": read(sales()).schema.to_dict()}
    facts["schema"]["indicators"] = [["promo", [1, 2]]]
    with pytest.raises(SettingError):
        _check_schema(facts)
