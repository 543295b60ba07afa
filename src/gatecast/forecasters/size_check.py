"""Whether the network that the settings describe fits into the memory of the machine, roughly, before it is built."""

from __future__ import annotations

import os
from contextlib import suppress

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.models.config import NetConfig

_COPIES = 4  # weights, gradients, and the two averages of Adam
_SHARE = 0.9  # of the memory


def require_memory(net: NetConfig, *, members: int) -> None:
    """Refuse networks whose recurrent weights alone are too large.

    Args:
        net: width and layers.
        members: networks.

    Raises:
        SettingError: naming the memory needed, that of the machine, and the width that fits.
    """
    memory = _memory()
    needed = _size(net.hidden_size, net, members)
    if memory is None or needed <= _SHARE * memory:
        return
    width = net.hidden_size
    while width > 1 and _size(width, net, members) > _SHARE * memory / 4:
        width //= 2
    raise SettingError(
        f"{members} networks with " * (members > 1)
        + Arg("hidden_size", net.hidden_size, of="NetConfig")
        + f" and {net.num_layers} layers need about {needed / 1e9:,.0f} GB, "
        f"and this machine has {memory / 1e9:,.0f} GB",
        "take " + Arg("hidden_size", width, of="NetConfig") + " or less",
    )


def _size(width: int, net: NetConfig, members: int) -> int:
    """Bytes of the recurrent weights, four gates of two matrices a layer, while one network is trained."""
    one = 4 * 8 * width * width * net.num_layers * (2 if net.bidirectional else 1)
    return one * (_COPIES + members - 1)


def _memory() -> int | None:
    """Bytes of memory of this machine; None where the system does not say."""
    with suppress(AttributeError, ValueError, OSError):
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return None
