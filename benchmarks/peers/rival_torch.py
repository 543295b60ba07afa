"""gatecast.nn.LSTM, torch.nn.LSTM and a loop over PyTorch's cell as rivals (see rival.py)."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.metadata import version
from typing import Any

import numpy as np
import rival
import torch
from rival import Arrays, Call, Case
from torch import Tensor, nn
from torch.nn import functional

Function = Callable[[Tensor, bool], Tensor]  # x (time, batch, input), dropping? → y (time, batch, hidden)


def state_of(case: Case) -> dict[str, Tensor]:
    """PyTorch's state dict; the second bias is 0."""
    state: dict[str, Tensor] = {}
    for layer in range(case.layers):
        w_ih, w_hh, bias = (torch.from_numpy(array) for array in case.weights(layer))
        state |= {f"weight_ih_l{layer}": w_ih, f"weight_hh_l{layer}": w_hh, f"bias_ih_l{layer}": bias}
        state[f"bias_hh_l{layer}"] = torch.zeros_like(bias)
    return state


def gatecast(case: Case) -> Call:
    """The layer of this package."""
    from gatecast.nn import LSTM

    options: dict[str, Any] = {"return_state": False}
    if case.option == "recurrent_dropout":
        options["recurrent_dropout"] = rival.DROP
    if case.option == "layer_norm":
        options["layer_norm"] = True
    layer = LSTM(case.input, case.hidden, case.layers, **options)
    norms = {name: torch.full((4 * case.hidden,), rival.NORM_GAIN) for name in ("norm_ih_l0", "norm_hh_l0")}
    layer.load_state_dict(layer.state_dict() | state_of(case) | (norms if case.option == "layer_norm" else {}))
    lengths = torch.from_numpy(case.given["lengths"]) if case.option == "lengths" else None

    def function(x: Tensor, dropping: bool) -> Tensor:
        if layer.training != dropping:
            layer.train(dropping)
        return layer(x, lengths=lengths)

    return finished(case, layer, function)


def plain(case: Case) -> Call:
    """``torch.nn.LSTM`` as installed: with oneDNN."""
    if case.option in ("recurrent_dropout", "layer_norm"):
        raise rival.NotOffered("torch.nn.LSTM has no such option")
    layer = nn.LSTM(case.input, case.hidden, case.layers)
    layer.load_state_dict(state_of(case))
    lengths = torch.from_numpy(case.given["lengths"])

    def function(x: Tensor, dropping: bool) -> Tensor:
        if case.option != "lengths":
            return layer(x)[0]
        packed = nn.utils.rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        return nn.utils.rnn.pad_packed_sequence(layer(packed)[0], total_length=case.time)[0]

    return finished(case, layer, function)


def cells(case: Case) -> Call:
    """What a user of PyTorch writes for an option that the layer lacks: a loop over time."""
    if case.option not in ("recurrent_dropout", "layer_norm"):
        raise rival.NotOffered("a loop over cells is for options that torch.nn.LSTM lacks")
    layer = nn.LSTMCell(case.input, case.hidden)
    layer.load_state_dict({name.removesuffix("_l0"): value for name, value in state_of(case).items()})
    gains = torch.full((4 * case.hidden,), rival.NORM_GAIN)
    norms = [gains, gains, torch.ones(case.hidden)]

    def step(x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        if case.option == "recurrent_dropout":
            return layer(x, (h, c))
        gates = [
            functional.layer_norm(t, t.shape[-1:], norm, None, rival.NORM_EPSILON)
            for t, norm in zip((x @ layer.weight_ih.T, h @ layer.weight_hh.T), norms, strict=False)
        ]
        i, f, g, o = (gates[0] + gates[1] + layer.bias_ih).chunk(4, -1)
        c = f.sigmoid() * c + i.sigmoid() * g.tanh()
        return o.sigmoid() * functional.layer_norm(c, c.shape[-1:], norms[2], None, rival.NORM_EPSILON).tanh(), c

    def function(x: Tensor, dropping: bool) -> Tensor:
        h = c = x.new_zeros(x.shape[1], case.hidden)
        keep = functional.dropout(torch.ones_like(h), rival.DROP, dropping and case.option == "recurrent_dropout")
        outputs = []
        for x_t in x.unbind(0):
            h, c = step(x_t, h * keep, c)
            outputs.append(h)
        return torch.stack(outputs)

    return finished(case, layer, function)


def without_onednn(case: Case) -> Call:
    """``torch.nn.LSTM`` by PyTorch's own kernels."""
    if case.task == "step" or case.option:
        raise rival.NotOffered("shown for the plain layer alone")
    call = plain(case)

    def off(job: Callable[[], Any]) -> Callable[[], Any]:
        def run() -> Any:
            with torch.backends.mkldnn.flags(enabled=False):
                return job()

        return run

    return Call(off(call.run), off(call.results))


def finished(case: Case, layer: nn.Module, function: Function) -> Call:
    """A layer as the call of the case's task."""
    return {"inference": inference, "training": training, "step": forecaster}[case.task](case, layer, function)


def inference(case: Case, layer: nn.Module, function: Function) -> Call:
    """Outputs without gradients."""
    x = turned(case.given["x"])

    @torch.no_grad()
    def results() -> Arrays:
        return {"y": function(x, False).transpose(0, 1).numpy()}

    return Call(torch.no_grad()(lambda: function(x, False)), results)


def training(case: Case, layer: nn.Module, function: Function) -> Call:
    """Forward and backward; the gradient of y is given, that of x is taken too."""
    x, grad = turned(case.given["x"]).requires_grad_(), turned(case.given["grad"])

    def run(dropping: bool = True) -> Tensor:
        layer.zero_grad()
        x.grad = None
        y = function(x, dropping)
        y.backward(grad)
        return y

    def results() -> Arrays:
        y = run(False).detach().transpose(0, 1).numpy()
        w_hh = next(weight for name, weight in layer.named_parameters() if name.startswith("weight_hh"))
        assert x.grad is not None
        return {"y": y, "grad_x": x.grad.transpose(0, 1).numpy(), "grad_w_hh": w_hh.grad.numpy()}  # type: ignore[union-attr]

    return Call(run, results)


def forecaster(case: Case, layer: nn.Module, function: Function) -> Call:
    """A training step of a small forecaster: the last output, a linear map, squared error, Adam."""
    head = nn.Linear(case.hidden, 1)
    with torch.no_grad():
        head.weight.copy_(torch.from_numpy(case.given["head_w"]))
        head.bias.copy_(torch.from_numpy(case.given["head_b"]))
    x, target = turned(case.given["x"]), torch.from_numpy(case.given["target"])
    # the second bias stays 0, so that one bias learns, as in the rivals that have one
    parameters = [own for name, own in layer.named_parameters() if "bias_hh" not in name] + [*head.parameters()]
    adam = torch.optim.Adam(parameters, rival.LEARNING_RATE, eps=rival.EPSILON)

    def run() -> Tensor:
        adam.zero_grad()
        loss = functional.mse_loss(head(function(x, True)[-1]), target)
        loss.backward()
        adam.step()
        return loss

    return Call(run, lambda: {"losses": np.array([run().item() for _ in range(3)])})


def turned(array: np.ndarray) -> Tensor:
    """``(batch, time, …)`` as a tensor of its own, time first."""
    return torch.from_numpy(array).transpose(0, 1).contiguous()


if __name__ == "__main__":
    torch.set_num_threads(rival.threads())
    if sys.argv[1] == "gatecast":
        rival.serve({"gatecast": gatecast}, {"torch": torch.__version__, "gatecast": version("gatecast")})
    else:
        found = {"torch.nn.LSTM": plain, "torch.nn.LSTM without oneDNN": without_onednn, "PyTorch cell loop": cells}
        rival.serve(found, {"torch": torch.__version__})
