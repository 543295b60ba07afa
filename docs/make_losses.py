"""Draw docs/img/losses.png, the shape of each loss and its gradient: ``python docs/make_losses.py``."""

from __future__ import annotations

from pathlib import Path

import matplotlib
import torch

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from PIL import Image

from gatecast.base.named import from_text
from gatecast.nn import LOSSES

IMG = Path(__file__).parent / "img"
ERRORS = ["mse", "mae", "huber", "log_cosh", "quantile(probability=0.9)"]
AMOUNTS = ["mape", "msle", "poisson", "negative_binomial", "tweedie"]
COLOURS = ["#d1495b", "#00798c", "#edae49", "#30638e", "#6a4c93"]


def curves(name: str, prediction: torch.Tensor, target: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Loss of each prediction, less that of the right one, and its gradient."""
    loss = from_text("loss", name, LOSSES)
    at = prediction.clone().requires_grad_()
    cells = loss.cells(at, torch.full_like(at, target))
    (slope,) = torch.autograd.grad(cells.sum(), at)
    best = loss.cells(torch.tensor([target]).double(), torch.tensor([target]).double())
    return (cells - best).detach(), slope


def crossentropy(axis: plt.Axes, below: plt.Axes) -> None:
    """Over the probability of the true class of two, from logits."""
    logit = torch.linspace(-6, 6, 400, dtype=torch.float64)
    for name, colour, smooth in (
        ("categorical_crossentropy", COLOURS[0], 0.0),
        ("… label_smoothing=0.1", COLOURS[1], 0.1),
    ):
        at = torch.stack([logit, torch.zeros_like(logit)], -1).requires_grad_()
        loss = LOSSES["categorical_crossentropy"](from_logits=True, label_smoothing=smooth)
        cells = loss.cells(at, torch.tensor([1.0, 0.0]).double().expand_as(at))
        (slope,) = torch.autograd.grad(cells.sum(), at)
        axis.plot(logit, cells.detach(), color=colour, label=name)
        below.plot(logit, slope[:, 0], color=colour)
    axis.set_title("classes: logit of the true class", loc="left")


def main() -> None:
    """Three columns: errors, amounts, classes; losses above, gradients below."""
    figure, axes = plt.subplots(2, 3, figsize=(13, 7), sharex="col", height_ratios=[3, 2])
    error = torch.linspace(-4, 4, 801, dtype=torch.float64)
    for name, colour in zip(ERRORS, COLOURS, strict=True):
        value, slope = curves(name, error, 0.0)
        axes[0, 0].plot(error, value, color=colour, label=name)
        axes[1, 0].plot(error, slope, color=colour)
    axes[0, 0].set_title("errors: prediction − target", loc="left")
    axes[0, 0].set_ylim(-0.2, 5)
    axes[1, 0].set_ylim(-3, 3)
    amount = torch.linspace(0.05, 10, 800, dtype=torch.float64)
    for name, colour in zip(AMOUNTS, COLOURS, strict=True):
        value, slope = curves(name, amount, 3.0)
        share = 100 if name == "mape" else 1
        axes[0, 1].plot(amount, value / share, color=colour, label=f"{name} / 100" if share > 1 else name)
        axes[1, 1].plot(amount, slope / share, color=colour)
    axes[0, 1].set_title("amounts: prediction, where the target is 3", loc="left")
    axes[0, 1].set_ylim(-0.1, 4)
    axes[1, 1].set_ylim(-2, 1)
    crossentropy(axes[0, 2], axes[1, 2])
    for axis in axes.flat:
        axis.axhline(0, color="#999999", linewidth=0.6, zorder=0)
        axis.spines[["top", "right"]].set_visible(False)
    for axis, below in zip(*axes, strict=True):
        lines, names = axis.get_legend_handles_labels()
        columns = 2 if len(names) > 2 else 1
        below.legend(lines, names, frameon=False, ncols=columns, loc="upper center", bbox_to_anchor=(0.5, -0.14))
    axes[0, 0].set_ylabel("loss above that of the right prediction")
    axes[0, 2].set_ylabel("loss")
    axes[1, 0].set_ylabel("gradient")
    figure.tight_layout()
    figure.savefig(IMG / "losses.png", dpi=110)
    with Image.open(IMG / "losses.png") as picture:
        small = picture.convert("RGB").quantize(64)
    small.save(IMG / "losses.png", optimize=True)


if __name__ == "__main__":
    main()
