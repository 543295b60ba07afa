"""The optimiser of the loop against PyTorch's own."""

from __future__ import annotations

import torch
from torch import nn

from gatecast.training.config import FitConfig
from gatecast.training.optimizers import AdamW, optimizer_of


def trained(kind: type, *, steps: int = 20, **settings: float) -> tuple[nn.Module, AdamW | torch.optim.Optimizer]:
    """A small network after some steps, and its optimiser."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 17), nn.Tanh(), nn.Linear(17, 2))
    network.append(nn.Linear(5, 5))  # never used: its weights have no gradient
    optimizer = kind(network.parameters(), **settings)
    for step in range(steps):
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        network[2](network[1](network[0](x))).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return network, optimizer


def fused(*args: object, **settings: object) -> torch.optim.Optimizer:
    return torch.optim.AdamW(*args, **settings, fused=True)  # type: ignore[arg-type]


def test_twenty_steps_are_those_of_pytorch_to_the_bit() -> None:
    for settings in ({"lr": 1e-2, "weight_decay": 0.1}, {"lr": 3e-3, "weight_decay": 0.0}):
        ours, _ = trained(AdamW, **settings)
        theirs, _ = trained(fused, **settings)  # type: ignore[arg-type]
        for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
            assert torch.equal(a, b)


def test_the_state_has_the_names_of_pytorch_and_comes_back() -> None:
    _, ours = trained(AdamW, lr=1e-2)
    _, theirs = trained(fused, lr=1e-2)  # type: ignore[arg-type]
    assert {k: set(slots) for k, slots in ours.state_dict()["state"].items()} == {
        k: set(slots) for k, slots in theirs.state_dict()["state"].items()
    }
    _, again = trained(AdamW, steps=1, lr=1e-2)
    again.load_state_dict(ours.state_dict())
    assert again.state_dict()["state"][0]["step"] == 20
    assert again.param_groups[0]["lr"] == 1e-2


def test_the_optimiser_follows_the_accelerator() -> None:
    network = nn.Linear(2, 2)
    assert isinstance(optimizer_of(network, FitConfig()), AdamW)
    assert isinstance(optimizer_of(network, FitConfig(accelerator="auto")), torch.optim.AdamW)
