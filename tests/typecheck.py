"""The type checker of the test run: beartype on every function of gatecast, with jaxtyping's shapes."""

from __future__ import annotations

from typing import Any

import numpy as np
from beartype import BeartypeConf, FrozenDict, beartype

# NumPy's numbers are accepted where Python's are, and an int where a float is expected.
_NUMBERS = FrozenDict({int: int | np.integer, float: float | int | np.number, bool: bool | np.bool_})
_CHECK = beartype(conf=BeartypeConf(hint_overrides=_NUMBERS))


def check(function: Any) -> Any:
    """The function with its arguments checked; ``Self`` means nothing outside a decorated class and is left out."""
    hints = getattr(function, "__annotations__", {})
    for name in [name for name, hint in hints.items() if "Self" in str(hint)]:
        del hints[name]
    return _CHECK(function)
