"""The weights of the zero-shot network and their card: one safetensors file in half precision, and JSON beside it."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from gatecast.base.errors import ModelFileError
from gatecast.base.files import whole
from gatecast.base.version import VERSION
from gatecast.models.zeroshot.net import ZeroShotNet
from gatecast.models.zeroshot.sizes import CONTEXT, PROBABILITIES, STEPS

BUNDLED = Path(__file__).parent / "weights" / "zeroshot.safetensors"


def card_path(path: Path) -> Path:
    """The card beside the weights."""
    return path.with_suffix(".json")


def save_weights(path: Path, net: ZeroShotNet, facts: dict[str, Any]) -> None:
    """Write weights and card; each file appears whole or not at all."""
    data = save_tensors({name: value.to(torch.float16) for name, value in net.state_dict().items()})
    card = {
        "name": "gatecast zero-shot LSTM",
        "license": "Apache-2.0",
        "gatecast": VERSION,
        "training_data": "synthetic series only (gatecast.synthetic); no real series",
        "parameters": sum(value.numel() for value in net.parameters()),
        "width": net.norm.normalized_shape[0],
        "steps": STEPS,
        "context": CONTEXT,
        "probabilities": list(PROBABILITIES),
        **facts,
        "sha256": hashlib.sha256(data).hexdigest(),
    }
    with whole(path) as draft:
        draft.write_bytes(data)
    with whole(card_path(path)) as draft:
        draft.write_text(json.dumps(card, indent=1) + "\n")


def load_weights(path: Path | None = None) -> tuple[ZeroShotNet, dict[str, Any]]:
    """The network and its card.

    Args:
        path: of the weights; None: those of the package.

    Raises:
        ModelFileError: a file is missing, or weights and card do not belong together.
    """
    path = path or BUNDLED
    try:
        data = path.read_bytes()
        card = json.loads(card_path(path).read_text())
        if hashlib.sha256(data).hexdigest() != card["sha256"]:
            raise ModelFileError("weights and card do not belong together", "train them again", place=str(path))
        net = ZeroShotNet(card["width"])
        net.load_state_dict({name: value.float() for name, value in load_tensors(data).items()})
    except ModelFileError:
        raise
    except Exception as error:
        problem = f"the weights cannot be read ({type(error).__name__}: {str(error)[:200]})"
        raise ModelFileError(problem, "install gatecast again, or run gatecast pretrain", place=str(path)) from error
    return net.eval().requires_grad_(False), card


@cache
def bundled() -> tuple[ZeroShotNet, dict[str, Any]]:
    """The network of the package, read once."""
    return load_weights()
