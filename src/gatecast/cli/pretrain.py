"""``gatecast pretrain``: train the zero-shot LSTM anew, on synthetic series only."""

from __future__ import annotations

import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Group, Parameter

from gatecast.cli.console import Console
from gatecast.cli.flags import BASIC, Out, OutputFlags, flags_of
from gatecast.cli.output_folder import Folder
from gatecast.models.zeroshot.pretrain import PretrainConfig

TRAINING = Group("Training (fields of PretrainConfig)", sort_key=2)
FILES = ("zeroshot.safetensors", "zeroshot.json")
PretrainFlags: Any = Parameter(name="*")(flags_of(PretrainConfig, TRAINING))


def pretrain(
    *,
    out: Out = Path("pretrain-out"),
    threads: Annotated[int, Parameter(help="Threads; the same number gives the same weights.", group=BASIC)] = 1,
    settings: PretrainFlags = PretrainFlags(),  # noqa: B008  frozen
    output: OutputFlags = OutputFlags(),  # noqa: B008
) -> None:
    """Train the zero-shot LSTM on synthetic series and write its weights and their card."""
    import torch

    from gatecast.base.findings import Arg
    from gatecast.base.options import Bounds, check_value
    from gatecast.models.zeroshot.pretrain import pretrain as train
    from gatecast.models.zeroshot.weights import save_weights

    check_value(Arg("threads"), threads, "int", Bounds(least=1, limit=1024))
    console = Console(output)
    config = PretrainConfig(**vars(settings))
    folder = Folder(out, FILES, overwrite=output.overwrite)
    torch.set_num_threads(threads)
    begun = time.perf_counter()
    with folder.writing("pretrain"):
        net, history = train(config, report=lambda line: console.say(_line(line)))
        facts: dict[str, Any] = {
            "torch": torch.__version__,
            "threads": threads,
            "settings": asdict(config),
            "seconds": round(time.perf_counter() - begun, 1),
            "history": history,
        }
        save_weights(folder.file(FILES[0]), net, facts)
        folder.file(FILES[1])
        paths = folder.close("pretrain", facts)
    console.files(paths)
    console.document({"command": "pretrain", **facts, "files": paths})


def _line(line: dict[str, float]) -> str:
    return (
        f"step {line['step']:,.0f}: {line['series']:,.0f} series, loss {line['loss']:.4f}, on held-back series "
        f"{line['validation']:.4f}, {line['cpu_seconds']:.0f} CPU seconds"
    )
