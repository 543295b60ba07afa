"""The sequences of the experiments of 1997, drawn for several runs at once.

Each function takes one generator for each run and gives a :class:`Sequences`: the rows of one sequence a run, padded
with zeros to the longest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

Draws = Sequence[np.random.Generator]
Array = np.ndarray[Any, np.dtype[np.float64]]


@dataclass(frozen=True)
class Sequences:
    """One sequence for each run.

    Args:
        x: ``(runs, time, inputs)``.
        lengths: ``(runs,)``.
        target: ``(runs, outputs)`` of the last step, or ``(runs, time, outputs)`` of every step.
        truth: the target without its noise, or which outputs are legal; None: the target.
    """

    x: Array
    lengths: np.ndarray
    target: Array
    truth: np.ndarray | None = None


def adding(draws: Draws, steps: int, *, product: bool = False) -> Sequences:
    """Two marked values among many; their sum, scaled to 0 … 1 (§5.4), or their product (§5.5).

    The first marked pair is among the first ten, the second among the others of the first half. The first and the last
    pair have marker -1 unless they are marked; a marked first value counts as 0.

    Args:
        draws: one generator a run.
        steps: least length; each sequence is up to a tenth longer.
        product: ask for the product of values in 0 … 1.
    """
    runs, longest = len(draws), steps + steps // 10
    x, target = np.zeros((runs, longest, 2)), np.zeros((runs, 1))
    lengths = np.array([draw.integers(steps, longest + 1) for draw in draws])
    for k, draw in enumerate(draws):
        length = lengths[k]
        values = draw.random(length) if product else draw.uniform(-1, 1, length)
        first = int(draw.integers(10))
        second = int(draw.integers(steps // 2 - 2))
        second += second >= first
        x[k, :length, 0] = values
        x[k, 0, 1] = x[k, length - 1, 1] = -1
        x[k, [first, second], 1] = 1
        one, two = (0.0 if at == 0 else values[at] for at in (first, second))
        target[k] = one * two if product else 0.5 + (one + two) / 4
    return Sequences(x, lengths, target)


_PLACES = {2: ((10, 20), (50, 60)), 3: ((10, 20), (33, 43), (66, 76))}


def temporal_order(draws: Draws, marks: int) -> Sequences:
    """X or Y at two or three places among a, b, c, d; the class says in which order (§5.6).

    Symbols a, b, c, d, X, Y, E (start), B (end), one input each; 100 to 110 steps.

    Args:
        draws: one generator a run.
        marks: 2 for 4 classes, 3 for 8.
    """
    runs, longest = len(draws), 110
    symbols, target = np.full((runs, longest), -1), np.zeros((runs, 2**marks))
    lengths = np.array([draw.integers(100, longest + 1) for draw in draws])
    for k, draw in enumerate(draws):
        symbols[k, : lengths[k]] = draw.integers(0, 4, lengths[k])
        symbols[k, 0], symbols[k, lengths[k] - 1] = 6, 7
        answer = 0
        for low, high in _PLACES[marks]:
            which = int(draw.integers(2))
            symbols[k, draw.integers(low, high + 1)] = 4 + which
            answer = 2 * answer + which
        target[k, answer] = 1
    return Sequences(one_hot(symbols, 8), lengths, target)


def noise_free_lag(draws: Draws, p: int, *, regular: bool = True) -> Sequences:
    """x or y first, then p - 1 symbols, then the first again; each step predicts the next symbol (2a, §5.2).

    Args:
        draws: one generator a run.
        p: the lag. The symbols a_1 … a_{p-1} come in order, x and y are symbols p - 1 and p.
        regular: False: each is drawn at random (2b).
    """
    runs = len(draws)
    symbols = np.tile(np.arange(-1, p), (runs, 1))
    for k, draw in enumerate(draws):
        if not regular:
            symbols[k, 1:p] = draw.integers(0, p - 1, p - 1)
        symbols[k, 0] = symbols[k, p] = p - 1 + draw.integers(2)
    whole = one_hot(symbols, p + 1)
    return Sequences(whole[:, :-1], np.full(runs, p), whole[:, 1:])


def long_lag(draws: Draws, q: int, p: int) -> Sequences:
    """b, then x or y, then q or more of p distractors, then e; the end asks which of x and y it was (2c, §5.2).

    After q distractors, e follows with probability 1/10 at each step. Symbols: distractors, then e, b, x, y.

    Args:
        draws: one generator a run.
        q: least number of distractors.
        p: kinds of distractors.
    """
    runs = len(draws)
    more = np.array([draw.geometric(0.1) - 1 for draw in draws])
    lengths = 3 + q + more
    symbols, target = np.full((runs, int(lengths.max())), -1), np.zeros((runs, 2))
    for k, draw in enumerate(draws):
        which = int(draw.integers(2))
        symbols[k, : lengths[k]] = draw.integers(0, p, lengths[k])
        symbols[k, 0], symbols[k, 1], symbols[k, lengths[k] - 1] = p + 1, p + 2 + which, p
        target[k, which] = 1
    return Sequences(one_hot(symbols, p + 4), lengths, target)


def two_sequences(draws: Draws, steps: int, informative: int, *, noisy_target: bool = False) -> Sequences:
    """The class is in the first values; the rest is noise (Bengio 1994; 3a, 3c, §5.3).

    Args:
        draws: one generator a run.
        steps: least length; each sequence is up to a tenth longer.
        informative: values at the beginning that hold the class: 1 or -1.
        noisy_target: the values hold it with noise (0.2 or -0.2, variance 0.1), and so does the target: 0.8 or 0.2,
            variance 0.1 (3c).
    """
    runs, longest = len(draws), steps + steps // 10
    x, target, truth = np.zeros((runs, longest, 1)), np.zeros((runs, 1)), np.zeros((runs, 1))
    lengths = np.array([draw.integers(steps, longest + 1) for draw in draws])
    for k, draw in enumerate(draws):
        which = int(draw.integers(2))
        x[k, : lengths[k], 0] = draw.normal(0, 0.2**0.5, lengths[k])
        signal = 1.0 - 2.0 * which
        x[k, :informative, 0] = signal
        if noisy_target:
            x[k, :informative, 0] = 0.2 * signal + draw.normal(0, 0.1**0.5, informative)
        truth[k] = 0.8 - 0.6 * which if noisy_target else 1.0 - which
        target[k] = truth[k] + (draw.normal(0, 0.1**0.5) if noisy_target else 0)
    return Sequences(x, lengths, target, truth)


# ── the embedded Reber grammar ────────────────────────────────────────────────────────────────────────────────────────
_LETTERS = "BTPSXVE"
_ARCS = {0: "TP", 1: "SX", 2: "TV", 3: "XS", 4: "PV", 5: "E"}  # letters that may leave each node
_NEXT = {(0, "T"): 1, (0, "P"): 2, (1, "S"): 1, (1, "X"): 3, (2, "T"): 2, (2, "V"): 4, (3, "X"): 2, (3, "S"): 5,
         (4, "P"): 3, (4, "V"): 5, (5, "E"): -1}  # fmt: skip


def embedded_reber(draw: np.random.Generator) -> tuple[str, list[str]]:
    """A string of the embedded Reber grammar, and the letters that may follow each but its last (§5.1)."""
    outer = "TP"[draw.integers(2)]
    text, legal = ["B", outer, "B"], ["TP", "B"]
    node = 0
    while node != -1:
        legal.append(_ARCS[node])
        letter = _ARCS[node][draw.integers(len(_ARCS[node]))]
        text.append(letter)
        node = _NEXT[node, letter]
    return "".join([*text, outer, "E"]), [*legal, outer, "E"]


def reber(strings: Sequence[tuple[str, list[str]]]) -> Sequences:
    """Strings as sequences that predict the next letter at each step; their truth is which letters are legal."""
    lengths = np.array([len(text) - 1 for text, _ in strings])
    symbols = np.full((len(strings), int(lengths.max()) + 1), -1)
    legal = np.zeros((len(strings), int(lengths.max()), 7), bool)
    for k, (text, after) in enumerate(strings):
        symbols[k, : len(text)] = [_LETTERS.index(letter) for letter in text]
        for t, letters in enumerate(after):
            legal[k, t, [_LETTERS.index(letter) for letter in letters]] = True
    whole = one_hot(symbols, 7)
    return Sequences(whole[:, :-1], lengths, whole[:, 1:], legal)


def one_hot(symbols: np.ndarray, kinds: int) -> Array:
    """``(…, kinds)`` with a 1 for each symbol; zeros where it is -1."""
    return np.concatenate([np.eye(kinds), np.zeros((1, kinds))])[symbols]
