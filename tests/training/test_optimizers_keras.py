"""Twenty steps of a small network here and in Keras: same weights, or the difference in docs/learn/optimizers.md.

What differs is where epsilon stands: with one near 0 on both sides, all are equal.
"""

from __future__ import annotations

from typing import Any

import pytest
from fixtures.keras_optimizers import DEFAULTS, SETTLED, difference, moved, ours, theirs

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras's Nadam

EQUAL = 1e-6
# Largest difference of a weight where definitions differ; the way the weights went is larger by far only for Adam.
BOUNDS = {
    "rmsprop(alpha=0.9, eps=1e-7)": 0.15,
    "rmsprop(alpha=0.9, eps=1e-7, momentum=0.9, centered=True)": 1.2,
    "adam(eps=1e-7)": 0.007,
    "adam(eps=1e-7, amsgrad=True)": 0.007,
    "adamw(eps=1e-7)": 0.007,
}


@pytest.mark.parametrize("text", list(SETTLED))
def test_twenty_steps_match_keras(text: str) -> None:
    name, settings = SETTLED[text]
    mine = ours(text)
    found = difference(mine, theirs(name, **settings))
    bound = BOUNDS.get(text, EQUAL)
    assert (bound / 10 if text in BOUNDS else -1) < found < bound
    assert moved(mine) > 2e-4


@pytest.mark.parametrize(
    ("text", "name", "settings"),
    [
        ("rmsprop(alpha=0.9, eps=1e-18)", "RMSprop", {"epsilon": 1e-30}),
        ("rmsprop(alpha=0.9, eps=1e-18, momentum=0.9)", "RMSprop", {"epsilon": 1e-30, "momentum": 0.9}),
        ("adam(eps=1e-18)", "Adam", {"epsilon": 1e-18}),
        ("adam(eps=1e-18, amsgrad=True)", "Adam", {"epsilon": 1e-18, "amsgrad": True}),
        ("adamw(eps=1e-18)", "AdamW", {"epsilon": 1e-18, "weight_decay": 0.01}),
    ],
)
def test_the_place_of_epsilon_is_all_that_differs(text: str, name: str, settings: dict[str, Any]) -> None:
    assert difference(ours(text), theirs(name, **settings)) < EQUAL


@pytest.mark.parametrize("text", ["sgd", "adamax(eps=1e-7)", "rmsprop(alpha=0.9, eps=1e-18)"])
def test_weight_decay_means_what_it_means_in_keras(text: str) -> None:
    name = {"s": "SGD", "a": "Adamax", "r": "RMSprop"}[text[0]]
    settings = {"epsilon": 1e-30} if name == "RMSprop" else {}
    assert difference(ours(text, weight_decay=0.1), theirs(name, weight_decay=0.1, **settings)) < EQUAL


def test_every_name_is_compared() -> None:
    assert {text.partition("(")[0] for text in SETTLED} == set(DEFAULTS)
