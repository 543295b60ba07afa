"""Behaviour is what the golden file says: a move or a new name must not change it unseen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from golden import numeric
from golden.record import DATA, FILE, SECTIONS, plain

GOLDEN = json.loads(FILE.read_text("utf-8"))


def differences(was: Any, now: Any, place: str) -> Iterator[str]:
    """Each place where the two differ, with both values."""
    if isinstance(was, dict) and isinstance(now, dict):
        if "digits" in was and "digits" in now and not _same_numbers(was, now):
            yield f"{place}: {was['values'][:8]} → {now['values'][:8]}"
        for key in sorted({*was, *now} - {"digits", "values"}):
            missing = "was absent" if key not in was else "is absent now" if key not in now else ""
            if missing:
                yield f"{place} / {key}: {missing}"
            else:
                yield from differences(was[key], now[key], f"{place} / {key}")
    elif isinstance(was, list) and isinstance(now, list) and len(was) + len(now) > 6:
        lost, new = [one for one in was if one not in now], [one for one in now if one not in was]
        if was != now:
            yield f"{place}: lost {lost}, new {new}" if lost or new else f"{place}: another order: {was} → {now}"
    elif was != now:
        yield f"{place}: {was!r} → {now!r}"


def _same_numbers(was: dict[str, Any], now: dict[str, Any]) -> bool:
    """Equal up to one unit in the last digit of the largest number."""
    if len(was["values"]) != len(now["values"]):
        return False
    largest = max(map(abs, was["values"]), default=0.0)
    tolerance = largest * 10.0 ** (1 - was["digits"])
    return bool(np.allclose(was["values"], now["values"], rtol=0, atol=tolerance))


@pytest.mark.parametrize("section", SECTIONS)
def test_behaviour_is_as_recorded(section: str) -> None:
    if section == "development data" and not DATA.is_dir():
        pytest.skip(f"no development data in {DATA} (set GATECAST_DATA)")
    found = list(differences(GOLDEN[section], plain(SECTIONS[section]()), section))
    shown = "\n  ".join(found[:40])
    assert not found, f"{len(found)} differences from golden.json (recorded → now):\n  {shown}"


def test_the_recorded_model_forecast_is_the_one_stored_with_the_file() -> None:
    stored = numeric.rounded(numeric.stored(), 6)
    assert not list(differences(stored, GOLDEN["model file"]["quantiles"], "quantiles"))


@pytest.mark.parametrize(
    ("was", "now", "count"),
    [
        ({"a": 1, "b": [1]}, {"a": 1, "b": [1]}, 0),
        ({"a": 1}, {"b": 1}, 2),
        ({"a": {"b": 1}}, {"a": {"b": 2}}, 1),
        (list("abcd"), list("abdc"), 1),
        (list("abcd"), list("abce"), 1),
        ({"digits": 4, "values": [1000.0, 0.1]}, {"digits": 4, "values": [1000.9, 0.5]}, 0),
        ({"digits": 4, "values": [1000.0, 0.1]}, {"digits": 4, "values": [1001.1, 0.1]}, 1),
        ({"digits": 4, "values": [1.0]}, {"digits": 4, "values": [1.0, 1.0]}, 1),
    ],
)
def test_every_difference_is_found(was: Any, now: Any, count: int) -> None:
    assert len(list(differences(was, now, "here"))) == count
