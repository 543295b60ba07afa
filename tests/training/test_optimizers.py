"""Optimisers: the choice, what it builds, weight decay, and that a stopped run resumes."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused
from torch import Tensor, nn

import gatecast
from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.batches.scalers import SCALERS
from gatecast.batches.windows import Batch, InputScales, Windows, split_origins
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import NetConfig, Shapes
from gatecast.models.model import ForecastModel
from gatecast.nn.heads import Quantiles
from gatecast.training.config import FitConfig
from gatecast.training.loop import train
from gatecast.training.optimizers import OPTIMIZERS, OptimizerSpec, optimizer_of, optimizer_spec, optimizer_text
from gatecast.training.optimizers.fused_adamw import FusedAdamW

# Each once as it comes and once with state of every kind.
CHOICES = (
    *OPTIMIZERS,
    "sgd(momentum=0.9, nesterov=True)",
    "rmsprop(momentum=0.9, centered=True)",
    "adam(amsgrad=True)",
    "ftrl(l1_regularization_strength=0.01, beta=1.0)",
)


def trained(make: Any, *, steps: int = 20) -> tuple[nn.Module, Any]:
    """A small network after some steps, and its optimiser; ``make`` takes the network."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 17), nn.Tanh(), nn.Linear(17, 2))
    network.append(nn.Linear(5, 5))  # never used: its weights have no gradient
    optimizer = make(network)
    for step in range(steps):
        x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
        network[2](network[1](network[0](x))).square().mean().backward()
        optimizer.step()
        optimizer.zero_grad()
    return network, optimizer


def by(optimizer: Any, **settings: Any) -> Any:
    config = FitConfig(**{"optimizer": optimizer, "learning_rate": 0.01, **settings})
    return lambda network: optimizer_of(network, config)


def equal(one: nn.Module, other: nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("settings", [{"weight_decay": 0.1}, {"weight_decay": 0.0}, {"amsgrad": True}])
def test_fused_adamw_is_that_of_pytorch_to_the_bit(settings: dict[str, Any]) -> None:
    ours, _ = trained(lambda network: FusedAdamW(network.parameters(), **settings))
    theirs, _ = trained(lambda network: torch.optim.AdamW(network.parameters(), **settings, fused=True))
    assert equal(ours, theirs)


def test_pytorch_still_has_the_private_function_that_fused_adamw_calls() -> None:
    """A new PyTorch that renames or reorders it must fail here, with the version in the message."""
    tensors = "Tensor(%s!)[] %s"
    names = ("self", "grads", "exp_avgs", "exp_avg_sqs", "max_exp_avg_sqs")
    lists = [tensors % (letter, name) for letter, name in zip("abcde", names, strict=True)]
    numbers = "Tensor[] state_steps, *, float lr, float beta1, float beta2, float weight_decay, float eps, bool amsgrad"
    schema = str(torch.ops.aten._fused_adamw_.default._schema)
    assert f"({', '.join(lists)}, {numbers}, bool maximize" in schema, f"PyTorch {torch.__version__}: {schema}"


@pytest.mark.parametrize(
    ("choice", "kind"),
    [
        ("adamw", FusedAdamW),
        ("adam", FusedAdamW),
        ("sgd", torch.optim.SGD),
        ("rmsprop", torch.optim.RMSprop),
        ("adadelta", torch.optim.Adadelta),
        ("adagrad", torch.optim.Adagrad),
        ("adamax", torch.optim.Adamax),
        ("adafactor", torch.optim.Adafactor),
        ("nadam", torch.optim.NAdam),
        (torch.optim.RAdam, torch.optim.RAdam),
        (partial(torch.optim.SGD, momentum=0.9), torch.optim.SGD),
    ],
)
def test_each_choice_builds_its_optimizer(choice: Any, kind: type) -> None:
    _, optimizer = trained(by(choice), steps=1)
    assert type(optimizer) is kind
    assert optimizer.param_groups[0]["lr"] == 0.01


def test_on_an_accelerator_the_default_is_pytorchs_own() -> None:
    assert type(by("adamw", accelerator="cuda")(nn.Linear(1, 1))) is torch.optim.AdamW


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("sgd(nesterov=True,  momentum=0.9, dampening=0)", "sgd(momentum=0.9, nesterov=True)"),
        ("adam(betas=(0.8, 0.99))", "adam(betas=(0.8, 0.99))"),
        ("nadam(momentum_decay=0.004)", "nadam"),
        ("ftrl( beta=1.0 )", "ftrl(beta=1.0)"),
    ],
)
def test_a_text_is_kept_in_one_spelling(text: str, kept: str) -> None:
    assert FitConfig(optimizer=text).optimizer == optimizer_text(text) == kept
    assert optimizer_spec(text) == optimizer_spec(kept)
    assert equal(trained(by(text))[0], trained(by(kept))[0])


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("adamw", "betas, eps, amsgrad"),
        ("sgd", "momentum, dampening, nesterov"),
        ("rmsprop", "alpha, eps, momentum, centered"),
        ("adadelta", "rho, eps"),
        ("adagrad", "lr_decay, initial_accumulator_value, eps"),
        ("adamax", "betas, eps"),
        ("adafactor", "beta2_decay, eps, d"),
        ("nadam", "betas, eps, momentum_decay"),
    ],
)
def test_settings_are_the_arguments_of_pytorchs_class(name: str, settings: str) -> None:
    with refused(SettingError, problem=f": {name} takes the settings {settings}; got 'lr'"):
        FitConfig(optimizer=f"{name}(lr=0.1)")


def test_settings_reach_the_optimiser() -> None:
    _, optimizer = trained(by("sgd(momentum=0.9, nesterov=True, dampening=0.0)"), steps=1)
    assert {"momentum": 0.9, "nesterov": True}.items() <= optimizer.param_groups[0].items()
    assert len(optimizer.state) == 4


@pytest.mark.parametrize(
    ("name", "value", "problem", "remedy"),
    [
        ("optimizer", "sdg", ["adamw, adam, sgd", "got 'sdg'"], "'sgd'"),
        ("optimizer", "sgd(speed=1)", ["sgd takes", "momentum, dampening, nesterov", "got 'speed'"], ()),
        ("optimizer", "sgd(momentm=1)", ["sgd takes", "got 'momentm'"], "'momentum'"),
        ("optimizer", "sgd(momentum=2)", ["sgd's momentum", "at least 0 and below 1", "got 2"], ()),
        ("optimizer", "adam(amsgrad=1)", ["adam's amsgrad", "True or False", "got 1"], ()),
        ("optimizer", "adam(eps='x')", ["adam's eps", "a number", "got 'x'"], ()),
        ("weight_decay", -1.0, ["at least 0", "got -1.0"], ()),
    ],
)
def test_invalid_settings_are_refused(name: str, value: Any, problem: list[str], remedy: Any) -> None:
    with refused(SettingError, problem=[Arg(name, of="FitConfig"), *problem], remedy=remedy):
        FitConfig(**{name: value})


def test_an_optimiser_that_needs_a_closure_is_refused() -> None:
    with refused(
        SettingError,
        problem=[Arg("optimizer", of="FitConfig"), "LBFGS", "closure"],
        remedy=Arg("optimizer", "adamw"),
    ):
        trained(by(torch.optim.LBFGS), steps=1)


def test_a_value_that_makes_no_optimizer_is_refused() -> None:
    with refused(SettingError, problem=[Arg("optimizer", of="FitConfig"), "(parameters, lr=…)", "got int 3"]):
        optimizer_spec(3)


@pytest.mark.parametrize(
    ("settings", "problem", "remedy"),
    [
        (
            {"optimizer": "sgd(nesterov=True)"},
            [Arg("optimizer", "sgd(nesterov=True)", of="FitConfig"), "Nesterov momentum requires"],
            (),
        ),
        (
            {"optimizer": "rmsprop(alpha=-1.0)"},
            [Arg("optimizer", "rmsprop(alpha=-1.0)", of="FitConfig"), "alpha value: -1.0"],
            (),
        ),
        ({"optimizer": "ftrl(beta=-1.0)"}, ["ftrl's beta", "at least 0", "got -1.0"], ()),
        ({"optimizer": "ftrl(learning_rate_power=0.5)"}, ["ftrl's learning_rate_power", "at most 0", "got 0.5"], ()),
        (
            {"optimizer": "ftrl", "weight_decay": 0.1},
            [Arg("weight_decay", 0.1, of="FitConfig"), "ftrl"],
            Arg("optimizer", "ftrl(l2_regularization_strength=0.05)"),
        ),
        (
            {"optimizer": lambda weights, lr: None, "weight_decay": 0.1},
            [Arg("weight_decay", 0.1, of="FitConfig"), "<lambda>", "no argument weight_decay"],
            ["leave it out", "argument"],
        ),
        ({"optimizer": "own(name='my.Adan')"}, "my.Adan", "FitConfig(optimizer=Adan)"),
    ],
)
def test_settings_that_the_optimizer_refuses(settings: dict[str, Any], problem: Any, remedy: Any) -> None:
    config = FitConfig(**settings)
    with refused(SettingError, problem=problem, remedy=remedy):
        optimizer_of(nn.Linear(2, 2), config)


# ── weight decay ─────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("choice", [name for name in OPTIMIZERS if name != "ftrl"])
def test_weight_decay_is_decoupled(choice: str) -> None:
    """A step with decay is the shrinking, then the step without decay at the same gradient."""
    weights = [nn.Parameter(torch.tensor([2.0, -3.0])) for _ in range(2)]
    unused = nn.Parameter(torch.ones(1))
    network = nn.ParameterList([weights[0], unused])
    optimizer = by(choice, learning_rate=0.1, weight_decay=0.5)(network)
    plain = by(choice, learning_rate=0.1, weight_decay=0.0)(nn.ParameterList([weights[1]]))
    for _ in range(3):
        with torch.no_grad():
            weights[1].mul_(1 - 0.1 * 0.5)
        for weight in weights:
            weight.grad = torch.tensor([0.3, -0.2])
        optimizer.step()
        plain.step()
        torch.testing.assert_close(weights[0], weights[1], rtol=1e-6, atol=0)
    assert unused.item() == 1


@pytest.mark.parametrize(("choice", "decay"), [("adamw", 0.01), ("adam", 0.0), ("sgd", 0.0)])
def test_default_weight_decay(choice: str, decay: float) -> None:
    assert equal(trained(by(choice))[0], trained(by(choice, weight_decay=decay))[0])
    assert not equal(trained(by(choice))[0], trained(by(choice, weight_decay=0.2))[0])


def test_a_class_of_pytorch_takes_weight_decay_as_pytorch_defines_it() -> None:
    ours, _ = trained(by(torch.optim.SGD, weight_decay=0.3))
    theirs, _ = trained(lambda network: torch.optim.SGD(network.parameters(), lr=0.01, weight_decay=0.3))
    assert equal(ours, theirs)


# ── training with them ───────────────────────────────────────────────────────────────────────────────────────────────
class Dying(ForecastModel):
    """The process ends in the middle of the fourth step."""

    calls = 0

    def forward(self, batch: Batch) -> Tensor:
        self.calls += self.training
        if self.calls == 4:
            raise MemoryError
        return super().forward(batch)


def run(config: FitConfig, kind: type[ForecastModel] = ForecastModel, steps: int = 6) -> tuple[nn.Module, Any]:
    panel = panel_of(wave(80), wave(60, 5))
    windows = Windows(panel, 12, 4, scales=InputScales.fit(panel))
    torch.manual_seed(3)
    net = NetConfig(kind="direct", hidden_size=8, dropout=0.2)
    model = kind(Shapes(12, 4, outputs=13), net, SCALERS["standard"](), Quantiles())
    return model, train(model, windows, *split_origins(panel, 12, 4, held_back=3), config, steps=steps, seed=1)


@pytest.mark.parametrize("choice", [*CHOICES, torch.optim.RAdam])
def test_a_run_resumes_from_its_checkpoint_bit_for_bit(tmp_path: Path, choice: Any) -> None:
    whole, _ = run(FitConfig(optimizer=choice, batch_size=16, evaluations=2, progress=False))
    config = FitConfig(
        optimizer=choice,
        batch_size=16,
        evaluations=2,
        progress=False,
        checkpoint=tmp_path / "run.ckpt",
        checkpoint_every=3,
    )
    with pytest.raises(MemoryError):
        run(config, Dying)
    again, _ = run(replace(config, resume=True))
    assert equal(again, whole)


@pytest.mark.parametrize(
    ("choice", "rate"),
    [
        ("adam", 0.003),
        ("sgd(momentum=0.9)", 0.1),
        ("rmsprop", 0.003),
        ("adadelta", 1.0),
        ("adagrad", 0.03),
        ("adamax", 0.01),
        ("adafactor", 0.03),
        ("nadam", 0.003),
        ("ftrl", 0.1),
    ],
)
def test_each_of_them_learns(choice: str, rate: float) -> None:
    _, result = run(FitConfig(optimizer=choice, learning_rate=rate, evaluations=4, progress=False), steps=80)
    losses = [entry["train_loss"] for entry in result.entries]
    assert losses[-1] < 0.9 * losses[0]


@pytest.mark.parametrize(
    ("choice", "text"),
    [
        ("sgd(momentum=0.9)", "sgd(momentum=0.9)"),
        ("nadam(momentum_decay=1.0)", "nadam(momentum_decay=1.0)"),
        (partial(torch.optim.RAdam, eps=1e-7), "own(name='torch.optim.radam.RAdam')"),
    ],
)
def test_a_model_file_records_the_optimizer(tmp_path: Path, choice: Any, text: str) -> None:
    panel = panel_of(wave(70))
    config = FitConfig(steps=2, optimizer=choice, refit=False, progress=False)
    model = LSTMForecaster(4, context=12, fit=config).fit(panel)
    loaded = gatecast.load(model.save(tmp_path / "m.gatecast"))
    assert model.describe()["fit"]["optimizer"] == text
    assert loaded.fit_config is not None
    assert optimizer_text(loaded.fit_config.optimizer) == text
    assert (loaded.predict(panel=panel).mean == model.predict().mean).all()
    if text.startswith("own"):
        assert optimizer_spec(text) == OptimizerSpec("own", {"name": "torch.optim.radam.RAdam"})
        with refused(SettingError, problem="torch.optim.radam.RAdam", remedy="FitConfig(optimizer=RAdam)"):
            loaded.fit(panel)
