"""One setting of benchmarks/layers.py: correctness gate, then rivals in turns; writes rows as JSON.

python layers_worker.py '{"part": "shapes", "threads": 1, "rounds": 5, "result": "out.json"}'
"""

from __future__ import annotations

import json
import math
import resource
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import gatecast.nn
from gatecast import ops, testing

SHAPES = [
    (32, 96, 1, 64, 1), (32, 96, 7, 128, 2), (256, 48, 8, 128, 1), (1, 512, 8, 64, 1),
    (64, 336, 7, 256, 2), (512, 168, 1, 128, 2), (32, 512, 512, 512, 1), (128, 24, 16, 32, 1),
]  # fmt: skip
BLOCK = 0.15  # seconds of one rival before the next has its turn
Job = Callable[[], Any]


def main() -> None:
    """Run one part and write what it found."""
    job = json.loads(sys.argv[1])
    torch.set_num_threads(job["threads"])
    gate()
    rows = {"shapes": shapes, "options": options, "steps": steps, "halves": halves}[job["part"]](job)
    found = {"rows": rows, "versions": {"torch": torch.__version__, "gatecast": version("gatecast")}}
    Path(job["result"]).write_text(json.dumps(found))


def gate() -> None:
    """No time is taken where a result is wrong."""
    for case in (*testing.SHAPES, *testing.OPTIONS):
        worst = max(testing.errors(case).values())
        if not worst < testing.TOLERANCE:
            raise SystemExit(f"{case}: relative error {worst:.1e}; no times are reported")


def in_turns(rivals: dict[str, Job], rounds: int) -> dict[str, list[float]]:
    """Seconds per call, by rival and round: of CPU time with one thread, of wall time with more."""
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    calls = {}
    for name, job in rivals.items():
        job()
        start = time.perf_counter()
        job()
        calls[name] = max(1, round(BLOCK / (time.perf_counter() - start)))
    seconds: dict[str, list[float]] = {name: [] for name in rivals}
    for _ in range(rounds):
        for name, job in rivals.items():
            start = clock()
            for _ in range(calls[name]):
                job()
            seconds[name].append((clock() - start) / calls[name])
    return seconds


def times_ours(seconds: dict[str, list[float]], rival: str) -> float:
    """Median over the rounds of rival / gatecast."""
    return statistics.median(a / b for a, b in zip(seconds[rival], seconds["gatecast"], strict=True))


def weights_of(layer: nn.LSTM, k: int) -> ops.LSTMWeights:
    w_ih, w_hh, b_ih, b_hh = (getattr(layer, f"{n}_l{k}") for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    return ops.LSTMWeights(w_ih, w_hh, b_ih + b_hh)


def ours(layer: nn.LSTM, x: Tensor, **more: Any) -> Tensor:
    for k in range(layer.num_layers):
        x = ops.lstm(x, weights_of(layer, k), **more).y
    return x


def without_onednn(job: Job) -> Job:
    def run() -> None:
        with torch.backends.mkldnn.flags(enabled=False):
            job()

    return run


def inference(function: Callable[[], Tensor]) -> Job:
    def run() -> None:
        with torch.no_grad():
            function()

    return run


def training(function: Callable[[], Tensor], layer: nn.Module, x: Tensor) -> Job:
    """Forward and backward, the gradient of x too; the gradient of y is given."""
    grad = torch.randn_like(function())

    def run() -> None:
        layer.zero_grad()
        x.grad = None
        function().backward(grad)

    return run


def shapes(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The eight shapes, inference and forward + backward."""
    rows = []
    for kind in ("inference", "forward + backward"):
        ratios: dict[str, list[float]] = {}
        for batch, steps_, features, hidden, layers in SHAPES[: job.get("shapes", 8)]:
            torch.manual_seed(0)
            layer, x = nn.LSTM(features, hidden, layers), torch.randn(steps_, batch, features, requires_grad=True)
            functions = {"oneDNN": lambda: layer(x)[0], "gatecast": lambda: ours(layer, x)}  # noqa: B023
            wrap = inference if kind == "inference" else lambda f: training(f, layer, x)  # noqa: B023
            rivals = {name: wrap(function) for name, function in functions.items()}
            if job["native"]:
                rivals["no oneDNN"] = without_onednn(wrap(functions["oneDNN"]))
            found = in_turns(rivals, job["rounds"])
            products = sum(4 * hidden * ((features if k == 0 else hidden) + hidden) for k in range(layers))
            flop = 2 * steps_ * batch * products * (1 if kind == "inference" else 3)
            fastest = statistics.median(found["gatecast"])
            row = {"B, T, I, H, layers": f"{batch}, {steps_}, {features}, {hidden}, {layers}", "ms": fastest * 1e3}
            for name in rivals:
                if name != "gatecast":
                    row[f"torch.nn.LSTM, {name}: ms"] = statistics.median(found[name]) * 1e3
                    row[f"{name} × ours"] = times_ours(found, name)
                    ratios.setdefault(name, []).append(row[f"{name} × ours"])
            row |= {"GFLOP/s": flop / fastest / 1e9, "of peak": flop / fastest / job["peak"] if job["peak"] else None}
            rows.append({"task": kind} | row)
            print(rows[-1], flush=True)
        means = {f"{n} × ours": math.exp(statistics.mean(map(math.log, values))) for n, values in ratios.items()}
        rows.append({"task": kind, "B, T, I, H, layers": "geometric mean"} | means)
    return rows


def short(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Under autocast to bfloat16."""

    def run() -> Tensor:
        with torch.autocast("cpu", torch.bfloat16):
            return function()

    return run


def halves(job: dict[str, Any]) -> list[dict[str, Any]]:
    """The eight shapes under autocast, beside PyTorch's layer there and beside our own float32."""
    rows = []
    for kind in ("inference", "forward + backward"):
        ratios: dict[str, list[float]] = {"torch.nn.LSTM × ours": [], "our float32 × ours": []}
        for batch, steps_, features, hidden, layers in SHAPES[: job.get("shapes", 8)]:
            torch.manual_seed(0)
            layer, own = nn.LSTM(features, hidden, layers), gatecast.nn.LSTM(features, hidden, layers)
            own.load_state_dict(layer.state_dict())
            x = torch.randn(steps_, batch, features, requires_grad=True)
            functions = {"torch.nn.LSTM": (layer, short(lambda: layer(x)[0])),  # noqa: B023
                         "gatecast": (own, short(lambda: own(x)[0])),  # noqa: B023
                         "our float32": (own, lambda: own(x)[0])}  # fmt: skip # noqa: B023
            errors = errors_of(functions)
            rivals = {
                name: inference(function) if kind == "inference" else training(function, module, x)
                for name, (module, function) in functions.items()
            }
            found = in_turns(rivals, job["rounds"])
            row = {"B, T, I, H, layers": f"{batch}, {steps_}, {features}, {hidden}, {layers}",
                   "ms": statistics.median(found["gatecast"]) * 1e3}  # fmt: skip
            for name in ("torch.nn.LSTM", "our float32"):
                row[f"{name} × ours"] = times_ours(found, name)
                ratios[f"{name} × ours"].append(row[f"{name} × ours"])
            rows.append({"task": kind} | row | errors)
            print(rows[-1], flush=True)
        means = {name: math.exp(statistics.mean(map(math.log, values))) for name, values in ratios.items()}
        rows.append({"task": kind, "B, T, I, H, layers": "geometric mean"} | means)
    return rows


def errors_of(functions: dict[str, tuple[nn.Module, Callable[[], Tensor]]]) -> dict[str, float]:
    """Relative errors of outputs; no time is taken where they are more than bfloat16 explains."""
    with torch.no_grad():
        exact = functions["our float32"][1]()
        names = {"torch.nn.LSTM": "its error", "gatecast": "our error"}
        errors = {said: testing.relative_error(functions[name][1](), exact) for name, said in names.items()}
    if not errors["our error"] < 0.02:
        raise SystemExit(f"products of bfloat16: relative error {errors['our error']:.1e}; no times are reported")
    return errors


def cell_loop(layer: nn.LSTM, x: Tensor, mask: Tensor) -> Tensor:
    """What a PyTorch user writes for recurrent dropout."""
    cell = nn.LSTMCell(layer.input_size, layer.hidden_size)
    names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    for name in names:
        setattr(cell, name, getattr(layer, f"{name}_l0"))
    h = c = x.new_zeros(x.shape[1], layer.hidden_size)
    outputs = []
    for t in range(len(x)):
        h, c = cell(x[t], (h * mask, c))
        outputs.append(h)
    return torch.stack(outputs)


def options(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Options against our own plain time and against what a PyTorch user does; forward + backward."""
    torch.manual_seed(0)
    batch, steps_, features, hidden = 64, 96, 8, 128
    layer, x = nn.LSTM(features, hidden), torch.randn(steps_, batch, features, requires_grad=True)
    lengths = torch.randint(steps_ // 4, steps_ + 1, (batch,)).sort(descending=True).values
    mask = torch.arange(steps_)[:, None] < lengths
    drop = (torch.rand(1, batch, hidden) < 0.8).float().div(0.8)

    def packed() -> Tensor:
        return layer(nn.utils.rnn.pack_padded_sequence(x, lengths))[0].data

    def kept(**masks: Tensor) -> Callable[[], Tensor]:
        return lambda: ours(layer, x, masks=ops.LSTMMasks(**masks))

    wide, zone = drop.expand(steps_, -1, -1), torch.tensor(0.1).expand(steps_, batch, hidden)
    spec = {"reverse": ops.CellSpec(reverse=True), "hard_sigmoid gates": ops.CellSpec("tanh", "hard_sigmoid"),
            "cell and gradient clip": ops.CellSpec(cell_clip=3.0, gradient_clip=1.0)}  # fmt: skip
    cases: dict[str, tuple[Callable[[], Tensor], Callable[[], Tensor] | None]] = {
        "plain": (lambda: ours(layer, x), lambda: layer(x)[0]),
        "lengths (rival: PackedSequence)": (kept(steps=mask), packed),
        "recurrent dropout (rival: LSTMCell loop)": (kept(recurrent=wide), lambda: cell_loop(layer, x, drop[0])),
        "zoneout h and c": (kept(zone_h=zone, zone_c=zone), None),
        **{name: ((lambda s=one: ours(layer, x, spec=s)), None) for name, one in spec.items()},
    }
    jobs = {name: training(function, layer, x) for name, (function, _) in cases.items()}
    own = in_turns({**jobs, "gatecast": jobs["plain"]}, job["rounds"])
    rows = []
    for name, (_, rival) in cases.items():
        row = {"task": "options, forward + backward of (64, 96, 8, 128, 1)", "what": name,
               "ms": statistics.median(own[name]) * 1e3, "× plain": times_ours(own, name)}  # fmt: skip
        if rival:
            beside = in_turns({"rival": training(rival, layer, x), "gatecast": jobs[name]}, job["rounds"])
            row |= {"rival ms": statistics.median(beside["rival"]) * 1e3, "rival × ours": times_ours(beside, "rival")}
        rows.append(row)
        print(row, flush=True)
    return rows


def step_of_layers(layer: nn.LSTM, own: gatecast.nn.LSTM, x: Tensor, rounds: int) -> dict[str, list[float]]:
    """One step of a stream through whole layers, checks and all, after one that gave the state."""
    one = x[0]
    with torch.inference_mode():
        _, state = layer(x)
        torch.testing.assert_close(own.step(one, state)[0], layer(x, state)[0][0])
        return in_turns({"rival": lambda: layer(x, state), "gatecast": lambda: own.step(one, state)}, rounds)


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    """One streaming step, decaying states, page faults."""
    torch.manual_seed(0)
    rows = []
    layer, x = nn.LSTM(8, 64), torch.randn(1, 1, 8)
    weights, state = weights_of(layer, 0), (torch.zeros(1, 64), torch.zeros(1, 64))
    weights = ops.LSTMWeights(*(t if t is None else t.detach() for t in weights))
    wide = state[0][None], state[1][None]
    jobs = {"rival": inference(lambda: layer(x, wide)[0]), "gatecast": inference(lambda: ops.lstm(x, weights, state).y)}
    rows.append(_pair("one streaming step, B = T = 1, H = 64", in_turns(jobs, job["rounds"])))

    for hidden, layers in ((64, 1), (128, 2)):
        layer, own = nn.LSTM(8, hidden, layers).eval(), gatecast.nn.LSTM(8, hidden, layers).eval()
        own.load_state_dict(layer.state_dict())
        what = f"gatecast.nn.LSTM.step, B = T = 1, H = {hidden}, {layers} layer{'s' * (layers > 1)}"
        rows.append(_pair(what, step_of_layers(layer, own, x, job["rounds"])))

    layer = nn.LSTM(1, 64)
    with torch.no_grad():  # forget gates at about 0.5 and no input: states halve until they are denormal
        for parameter in layer.parameters():
            parameter.mul_(1e-3)
    x = torch.zeros(336, 32, 1, requires_grad=True)
    h0 = torch.full((1, 32, 64), 1e-3)
    jobs = {
        "rival": training(lambda: layer(x, (h0, h0.clone()))[0], layer, x),
        "gatecast": training(lambda: ops.lstm(x, weights_of(layer, 0), (h0[0], h0[0].clone())).y, layer, x),
    }
    rows.append(_pair("decaying states (denormal numbers), forward + backward, T = 336", in_turns(jobs, job["rounds"])))

    layer, x = nn.LSTM(8, 128), torch.randn(48, 256, 8, requires_grad=True)
    row: dict[str, Any] = {"task": "steps", "what": "page faults of a training call (256, 48, 8, 128, 1)"}
    pairs = {"rival": lambda: layer(x)[0], "gatecast": lambda: ours(layer, x)}
    for name, function in pairs.items():
        run = training(function, layer, x)
        for _ in range(3):
            run()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(10):
            run()
        row[f"{name} faults"] = (resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before) // 10
    return [*rows, row]


def _pair(what: str, found: dict[str, list[float]]) -> dict[str, Any]:
    row = {"task": "steps", "what": what, "ms": statistics.median(found["gatecast"]) * 1e3,
           "torch.nn.LSTM ms": statistics.median(found["rival"]) * 1e3,
           "torch.nn.LSTM × ours": times_ours(found, "rival")}  # fmt: skip
    print(row, flush=True)
    return row


if __name__ == "__main__":
    main()
