"""On-line learning of the network of 1997: gatecast.lab.online against a loop of PyTorch, one core.

``python benchmarks/lab_online.py``: milliseconds of a sequence of 100 to 110 steps with its update, by the number
of runs that learn together.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import torch

from gatecast.lab.online import Learners, Net
from gatecast.lab.sequences import adding
from gatecast.nn import LSTM1997

NET = Net(2, 2, 2, 1, in_bias=(-3.0, -6.0))


def milliseconds(call: Callable[[], object], times: int) -> float:
    """Median of five measurements, each of this many calls."""
    found = []
    for _ in range(5):
        clock = time.perf_counter()
        for _ in range(times):
            call()
        found.append(1e3 * (time.perf_counter() - clock) / times)
    return sorted(found)[2]


def torch_loop(fused: bool) -> float:
    """One sequence and update: LSTM1997 by automatic differentiation, or torch.nn.LSTM of 4 units."""
    layer = torch.nn.LSTM(2, 4) if fused else LSTM1997(2, 2, 2)
    readout = torch.nn.Linear(4, 1)
    optimizer = torch.optim.SGD([*layer.parameters(), *readout.parameters()], lr=0.5)
    x, target = torch.randn(105, 1, 2), torch.rand(1)

    def once() -> None:
        optimizer.zero_grad()
        (readout(layer(x)[0][-1, 0]).sigmoid() - target).square().sum().backward()
        optimizer.step()

    return milliseconds(once, 10)


def ours(runs: int) -> float:
    """One sequence and update of one run, where this many learn together."""
    learners = Learners(NET, range(runs))
    found = adding([np.random.default_rng(k) for k in range(runs)], 100)
    return milliseconds(lambda: learners.learn(found.x, found.lengths, found.target, rate=0.5), 50) / runs


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    loop, fused = torch_loop(fused=False), torch_loop(fused=True)
    print(f"{'':28}{'ms':>8}{'loop':>8}{'nn.LSTM':>9}")
    print(f"{'PyTorch loop (LSTM1997)':28}{loop:8.3f}")
    print(f"{'torch.nn.LSTM, 4 units':28}{fused:8.3f}")
    for runs in (1, 10, 30):
        value = ours(runs)
        print(f"{f'gatecast, {runs} runs together':28}{value:8.3f}{loop / value:7.0f}×{fused / value:8.1f}×")


if __name__ == "__main__":
    main()
