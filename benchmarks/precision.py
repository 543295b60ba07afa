"""Training with products of bfloat16: what it costs in accuracy, and what it saves.

    python benchmarks/precision.py [--seeds 3] [--steps 300]

ETTh1, horizon 96, by the split and the settings of ``accuracy.py`` with fewer steps: the same networks with
``FitConfig(precision="32")`` and ``"bf16"``, which take turns; weights are chosen on the validation months, errors are
those of every eighth window of the test months, beside the linear autoregression. CPU seconds of ``fit``. Forecasts are
made in float32. Where the processor has no AMX, nothing is measured: bfloat16 would be the slower one.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import replace
from typing import Any

import common
from accuracy import ETT_FIT, ETT_NET, MONTH, ett_panel, ett_scores

from gatecast import LinearAR, LSTMForecaster, Panel
from gatecast.ops.library import library

HORIZON, CONTEXT, TEST, EVERY = 96, 720, 4 * MONTH, 8
SIZES = (64, 256)
PRECISIONS = {"32": "float32", "bf16": "products of bfloat16"}


def main() -> None:
    """Measure, print, and write the result."""
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="seeds of each setting")
    parser.add_argument("--steps", type=int, default=300, help="steps of each training")
    args = parser.parse_args()
    if not library().tiles:
        raise SystemExit("this processor has no AMX: there is nothing to compare")
    import torch

    torch.set_num_threads(args.threads)
    (panel, _), rows = ett_panel("ETTh1"), []
    for hidden in SIZES:
        found: dict[str, list[dict[str, float]]] = {precision: [] for precision in PRECISIONS}
        for seed in range(1, args.seeds + 1):
            for precision in PRECISIONS:
                found[precision].append(trained(panel, hidden, precision, args.steps, seed))
                print(hidden, precision, found[precision][-1], flush=True)
        rows += [row(hidden, precision, found) for precision in PRECISIONS]
    linear = LinearAR(HORIZON, 336).fit(panel.cut(TEST))
    scores = ett_scores(panel, TEST, HORIZON, lambda cut: linear.predict(panel=cut).mean, EVERY)
    rows.append({"model": "LinearAR", **scores})
    print(common.table(rows))
    common.write("precision", rows, args, versions=common.versions(), title="Training with products of bfloat16")


def trained(panel: Panel, hidden: int, precision: str, steps: int, seed: int) -> dict[str, float]:
    """Errors on the test months, and the CPU seconds of the training."""
    fit = replace(ETT_FIT, validation=TEST - HORIZON + 1, precision=precision, steps=steps)
    net = replace(ETT_NET, hidden_size=hidden)
    model = LSTMForecaster(HORIZON, context=CONTEXT, net=net, scaler="shift", fit=fit, calendar=False, seed=seed)
    clock = time.process_time()
    model.fit(panel.cut(TEST))
    spent = time.process_time() - clock
    return {**ett_scores(panel, TEST, HORIZON, lambda cut: model.predict(panel=cut).mean, EVERY), "CPU s": spent}


def row(hidden: int, precision: str, found: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Means over the seeds, the range of MSE, and how many times float32's CPU seconds are these."""
    own, exact = found[precision], found["32"]
    errors = [one["MSE"] for one in own]
    return {
        "model": f"LSTM, {hidden} units", "precision": PRECISIONS[precision],
        **{key: statistics.mean(one[key] for one in own) for key in ("MSE", "MAE", "CPU s")},
        "least MSE": min(errors), "largest MSE": max(errors),
        "float32's time × ours": statistics.median(a["CPU s"] / b["CPU s"] for a, b in zip(exact, own, strict=True)),
    }  # fmt: skip


if __name__ == "__main__":
    main()
