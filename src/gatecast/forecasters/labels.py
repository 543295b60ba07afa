"""Sequences and labels of a classifier: validation, classes, weights, and the sequences held back."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg

Table = np.ndarray  # (time, features), float32

HELD_BACK = 6  # one sequence in six of each class is held back


def sequences_of(X: Any, *, features: int | None = None) -> list[Table]:
    """The sequences of an array ``(sequences, time, features)``, or of a list of arrays ``(time, features)``.

    Args:
        X: as the user gives it.
        features: that each step must have; None: those of the first sequence.

    Raises:
        DataError: naming the sequence, and the step and feature of a value that is not finite.
    """
    if not isinstance(X, list | tuple):
        X = np.asarray(X)
        if X.ndim != 3:
            raise DataError(
                f"X must be (sequences, time, features) or a list of (time, features) arrays, got the shape {X.shape}",
                _missing_axis(X.shape, features),
            )
    if not len(X):
        raise DataError("X has no sequences")
    tables = [_table(one, k) for k, one in enumerate(X)]
    wanted = tables[0].shape[1] if features is None else features
    for k, table in enumerate(tables):
        if table.shape[1] != wanted:
            where = "X[0]" if features is None else "the sequences of fit"
            raise DataError(
                f"X[{k}] has {table.shape[1]} features, {where} {'has' if features is None else 'have'} {wanted}",
                "give all sequences the same features",
            )
    return tables


def _missing_axis(shape: tuple[int, ...], features: int | None) -> str:
    """How to add the axis that lacks."""
    if len(shape) != 2:
        return ""
    if features is not None and features > 1 and shape[1] == features:
        return "for one sequence, add the axis of sequences with X[None]"
    return "add the axis of a single feature with X[..., None]"


def _table(one: Any, k: int) -> Table:
    """One sequence as float32."""
    try:
        table = np.asarray(one, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"X[{k}] must hold numbers: {error}") from error
    if table.ndim != 2 or not table.size:
        hint = "add the axis of a single feature with x[:, None]" if table.ndim == 1 and table.size else ""
        raise DataError(f"X[{k}] must be (time, features), at least one of each, got the shape {table.shape}", hint)
    if not np.isfinite(table).all():
        step, feature = np.argwhere(~np.isfinite(table))[0]
        raise DataError(
            f"X[{k}] is {table[step, feature]} at step {step}, feature {feature}",
            "fill missing values (and mark them in an additional feature), or leave the sequence out",
        )
    return table


def labels_of(y: Any, count: int) -> list[Hashable]:
    """The labels as Python values.

    Raises:
        DataError: not one for each sequence, or a label that is missing or not hashable.
    """
    values = list(y.tolist() if hasattr(y, "tolist") else y)
    if len(values) != count:
        raise DataError(f"y must hold one label for each sequence: X has {count}, y has {len(values)}")
    for k, label in enumerate(values):
        if label is None or label != label:
            raise DataError(f"y[{k}] is {label}", "give every sequence a label, or leave it out")
        if not isinstance(label, Hashable):
            raise DataError(
                f"y[{k}] is {label!r}, and a label must be hashable: a number, a text, a tuple",
                "for one-hot rows, pass y.argmax(axis=1)",
            )
    return values


def classes_of(labels: Sequence[Hashable]) -> np.ndarray:
    """The distinct labels in ascending order; by type and text where they cannot be compared.

    Raises:
        DataError: fewer than two.
    """
    known = set(labels)
    if len(known) < 2:
        raise DataError(f"y has only the class {next(iter(known))!r}", "a classifier needs examples of at least two")
    try:
        ordered = sorted(known)  # type: ignore[type-var]
    except TypeError:
        ordered = sorted(known, key=lambda label: (type(label).__name__, str(label)))
    return as_array(ordered)


def as_array(labels: Sequence[Hashable]) -> np.ndarray:
    """An array of the labels' type; of objects where they are of several types, or are tuples."""
    kinds = {type(label) for label in labels}
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return np.array(labels)
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def weights_of(class_weight: Any, classes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Weight of each sequence in the loss.

    Args:
        class_weight: None: all equal; ``"balanced"``: all classes equal; or a weight for each label.
        classes: the labels.
        numbers: number of the class of each sequence.

    Raises:
        SettingError: another word, an unknown label, or a weight below 0.
    """
    if class_weight is None:
        return np.ones(len(numbers))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise _not_a_weight(class_weight)
        count = np.bincount(numbers, minlength=len(classes))
        return (len(numbers) / (len(classes) * count))[numbers]
    if not isinstance(class_weight, Mapping):
        raise _not_a_weight(class_weight)
    known = classes.tolist()
    for label, weight in class_weight.items():
        if label not in known:
            labels = ", ".join(map(repr, known))
            raise SettingError(Arg("class_weight") + f" names {label!r}, y has the labels {labels}")
        if not weight >= 0:
            raise SettingError(Arg("class_weight") + f"[{label!r}] must be at least 0, got {weight}")
    return np.array([float(class_weight.get(label, 1.0)) for label in known])[numbers]


def _not_a_weight(given: Any) -> SettingError:
    return SettingError(Arg("class_weight") + f" must be 'balanced', a dict or None, got {given!r}")


def split(
    numbers: Int[np.ndarray, " sequences"], validation: int | None, seed: int
) -> tuple[Int[Tensor, " training"], Int[Tensor, " others"]]:
    """Positions of the sequences to learn from and to hold back: the same share of each class, drawn at random.

    Raises:
        SettingError: ``validation`` is not below the number of sequences.
    """
    if validation is not None and not 0 <= validation < len(numbers):
        raise SettingError(
            Arg("validation", validation, of="FitConfig") + f": there are {len(numbers)} sequences", "hold back fewer"
        )
    share = 1 / HELD_BACK if validation is None else validation / len(numbers)
    random, held = np.random.default_rng(seed), []
    for number in range(int(numbers.max()) + 1):
        own = random.permutation(np.flatnonzero(numbers == number))
        wanted = int(len(own) * share) if validation is None else round(len(own) * share)
        held.append(own[: min(wanted, len(own) - 1)])
    positions = np.sort(np.concatenate(held))
    return torch.from_numpy(np.setdiff1d(np.arange(len(numbers)), positions)), torch.from_numpy(positions)
