"""What a classifier is given: sequences of numbers and their labels, checked once at the border."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import numpy as np

from gatecast.base.errors import DataError, SettingError

Table = np.ndarray  # (time, features), float32


def sequences_of(X: Any, *, features: int | None = None) -> list[Table]:
    """The sequences of an array ``(sequences, time, features)``, or of a list of arrays ``(time, features)``.

    Args:
        X: as the user gives it.
        features: that each step must have; None: those of the first sequence.

    Raises:
        DataError: naming the sequence, and the step and feature of a value that is no number.
    """
    if not isinstance(X, list | tuple):
        X = np.asarray(X)
        if X.ndim != 3:
            raise DataError(
                f"X must be (sequences, time, features) or a list of (time, features) arrays, got the shape {X.shape}"
                f"{'; add the axis of a single feature with X[..., None]' if X.ndim == 2 else ''}"
            )
    if not len(X):
        raise DataError("X has no sequences")
    tables = [_table(one, k) for k, one in enumerate(X)]
    wanted = tables[0].shape[1] if features is None else features
    for k, table in enumerate(tables):
        if table.shape[1] != wanted:
            where = "X[0]" if features is None else "the sequences of fit"
            raise DataError(
                f"X[{k}] has {table.shape[1]} features a step, and {where} {'has' if features is None else 'have'} "
                f"{wanted}; bring all to the same features"
            )
    return tables


def _table(one: Any, k: int) -> Table:
    """One sequence as float32, when it is one."""
    try:
        table = np.asarray(one, np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"X[{k}] must hold numbers: {error}") from error
    if table.ndim != 2 or not table.size:
        hint = "; add the axis of a single feature with x[:, None]" if table.ndim == 1 and table.size else ""
        raise DataError(f"X[{k}] must be (time, features) with at least one of each, got the shape {table.shape}{hint}")
    if not np.isfinite(table).all():
        step, feature = np.argwhere(~np.isfinite(table))[0]
        raise DataError(
            f"X[{k}] is {table[step, feature]} at step {step}, feature {feature}; fill missing values (and "
            "tell of them by a feature of their own), or leave the sequence out"
        )
    return table


def labels_of(y: Any, count: int) -> list[Hashable]:
    """The labels as Python's own values.

    Raises:
        DataError: not one for each sequence, or a label that cannot be one.
    """
    values = list(y.tolist() if hasattr(y, "tolist") else y)
    if len(values) != count:
        raise DataError(f"y must hold one label for each sequence: X has {count}, y has {len(values)}")
    for k, label in enumerate(values):
        if label is None or label != label:
            raise DataError(f"y[{k}] is {label}; give every sequence a label, or leave it out")
        if not isinstance(label, Hashable):
            raise DataError(
                f"y[{k}] is {label!r}, and a label must be hashable: a number, a text, a tuple; of one-hot rows take "
                "y.argmax(axis=1)"
            )
    return values


def classes_of(labels: Sequence[Hashable]) -> np.ndarray:
    """The different labels in ascending order; by kind and text where they have none.

    Raises:
        DataError: fewer than two.
    """
    known = set(labels)
    if len(known) < 2:
        raise DataError(f"y has one class only, {next(iter(known))!r}; a classifier needs examples of at least two")
    try:
        ordered = sorted(known)  # type: ignore[type-var]
    except TypeError:
        ordered = sorted(known, key=lambda label: (type(label).__name__, str(label)))
    return as_array(ordered)


def as_array(labels: Sequence[Hashable]) -> np.ndarray:
    """An array of the labels' own kind; of objects where they are of several, or are tuples."""
    kinds = {type(label) for label in labels}
    if len(kinds) == 1 and kinds <= {bool, int, float, str}:
        return np.array(labels)
    array = np.empty(len(labels), dtype=object)
    array[:] = labels
    return array


def weights_of(class_weight: Any, classes: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """What each sequence counts for.

    Args:
        class_weight: None: all alike; ``"balanced"``: every class as much as every other; or a weight for each label.
        classes: the labels.
        numbers: number of the class of each sequence.

    Raises:
        SettingError: another word, a label that is none, or a weight below 0.
    """
    if class_weight is None:
        return np.ones(len(numbers))
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise SettingError(f"class_weight must be 'balanced', a dict or None; got {class_weight!r}")
        count = np.bincount(numbers, minlength=len(classes))
        return (len(numbers) / (len(classes) * count))[numbers]
    if not isinstance(class_weight, Mapping):
        raise SettingError(f"class_weight must be 'balanced', a dict or None; got {class_weight!r}")
    known = classes.tolist()
    for label, weight in class_weight.items():
        if label not in known:
            raise SettingError(f"class_weight names {label!r}, and y has the labels {', '.join(map(repr, known))}")
        if not weight >= 0:
            raise SettingError(f"class_weight[{label!r}] must be at least 0, got {weight}")
    return np.array([float(class_weight.get(label, 1.0)) for label in known])[numbers]
