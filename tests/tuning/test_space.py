"""What is searched: names, ranges, and the way from settings to a model and to a file."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.refused import refused

from gatecast.base.errors import SettingError
from gatecast.base.findings import Arg
from gatecast.base.options import Float, Int, OneOf
from gatecast.batches.scalers import SCALERS
from gatecast.forecasters.neural import LSTMForecaster
from gatecast.models.config import NetConfig
from gatecast.nn.heads import Student
from gatecast.nn.losses import Huber
from gatecast.training.config import FitConfig
from gatecast.tuning.space import FIELDS, applied, ranges, searchable, settings_of, toml, usual

PANEL = panel_of(wave(120), freq="MS")


def model(**settings: Any) -> LSTMForecaster:
    return LSTMForecaster(6, **settings)


def test_the_default_fields_can_all_be_searched() -> None:
    assert set(FIELDS) <= set(searchable())
    assert list(ranges(None, model(), PANEL)) == list(FIELDS)


def test_a_range_is_what_its_field_declares() -> None:
    found = ranges(["net.hidden_size", "fit.learning_rate", "scaler"], model(), PANEL)
    assert found["net.hidden_size"] == Int(16, 256, log=True)
    assert found["fit.learning_rate"] == Float(3e-4, 3e-2, log=True)
    assert found["scaler"] == OneOf("standard", "last", "robust", "mean_abs")


def test_a_range_holds_the_models_own_value() -> None:
    own = model(net=NetConfig(hidden_size=512, base="none"), fit=FitConfig(weight_decay=0.0), scaler="log1p")
    found = ranges(["net.hidden_size", "net.base", "fit.weight_decay", "scaler"], own, PANEL)
    assert found["net.hidden_size"].high == 512
    assert "none" in found["net.base"].values
    assert found["fit.weight_decay"].low == 0.0
    assert found["scaler"].values[-1] == "log1p"


def test_a_custom_range() -> None:
    own = {"net.hidden_size": Int(4, 8), "net.dropout": None}
    with refused(SettingError, problem=["net.hidden_size", "lies outside its range"]):
        ranges(own, model(), PANEL)  # type: ignore[arg-type]
    found = ranges({"net.hidden_size": Int(4, 200)}, model(), PANEL)
    assert found == {"net.hidden_size": Int(4, 200)}


def test_the_context_is_searched_around_its_default() -> None:
    (found,) = ranges(["context"], model(), PANEL).values()
    assert found == Int(18, 57, log=True)  # half of 36; twice of it is more than the rows allow
    assert usual("context", model(), PANEL) == 36


def test_fields_without_room_are_left_out() -> None:
    short = panel_of(wave(10), freq="MS")
    assert "context" not in ranges(None, LSTMForecaster(6, context=2), short)


@pytest.mark.parametrize("one", [{"head": "negative_binomial"}, {"loss": "poisson"}, {"head": "tweedie"}])
def test_amounts_keep_the_scaler_that_they_need(one: dict[str, Any]) -> None:
    assert "scaler" not in ranges(None, model(**one), PANEL)
    assert usual("scaler", model(**one), PANEL) == "mean_abs"


def test_the_automatic_scaler_is_that_of_head_and_loss() -> None:
    assert usual("scaler", model(), PANEL) == "standard"
    assert usual("scaler", model(loss="tweedie"), PANEL) == "mean_abs"
    assert usual("scaler", model(scaler=SCALERS["robust"]()), PANEL) == "robust"


@pytest.mark.parametrize(
    ("wanted", "problem", "remedy"),
    [
        (["net.hiden_size"], "no field 'net.hiden_size' can be searched", "did you mean 'net.hidden_size'?"),
        (["zzz"], "no field 'zzz'", "the fields are context, scaler, members, net.kind"),
        (["fit.threads"], "no field 'fit.threads'", ""),
        ([], Arg("fields"), "the fields are context"),
    ],
)
def test_unknown_fields_are_refused(wanted: list[str], problem: str | Arg, remedy: str) -> None:
    with refused(SettingError, problem=problem, remedy=remedy):
        ranges(wanted, model(), PANEL)


def test_settings_reach_the_model_and_leave_the_given_one_alone() -> None:
    base = model(net=NetConfig(num_layers=2))
    made = applied(base, {"net.hidden_size": 16, "fit.batch_size": 8, "scaler": "last", "context": 20})
    assert (made.net.hidden_size, made.net.num_layers, made.fit_config.batch_size) == (16, 2, 8)  # type: ignore[union-attr]
    assert (made.scaler, made.context) == ("last", 20)
    assert (base.net.hidden_size, base.fit_config, base.context) == (128, None, None)  # type: ignore[union-attr]


@pytest.mark.parametrize("loss", ["mse", Huber(delta=0.5)])
def test_a_loss_is_kept(loss: Any) -> None:
    said = settings_of(model(loss=loss), {})
    assert said == {"loss": loss if isinstance(loss, str) else "huber(delta=0.5)"}
    assert tomllib.loads(toml(said)) == said


def test_settings_go_through_a_file_and_back() -> None:
    base = model(head="student", net=NetConfig(num_layers=2), fit=FitConfig(steps=9, progress=False))
    named = {
        "net.hidden_size": 128,
        "fit.learning_rate": 0.001234,
        "net.kind": "direct",
        "net.skip": True,
        "context": 20,
    }
    said = settings_of(applied(base, named), named)
    read = tomllib.loads(toml(said))
    assert read == {
        "head": "student",
        "context": 20,
        "net": {"hidden_size": 128, "num_layers": 2, "kind": "direct", "skip": True},
        "fit": {"steps": 9, "learning_rate": 0.001234},
    }


def test_choices_given_as_objects_are_written_as_text() -> None:
    assert settings_of(model(head=Student(min_df=3.0), scaler=SCALERS["last"]()), {}) == {
        "head": "student(min_df=3.0)",
        "scaler": "last",
    }
    own = model(loss=Huber(delta=0.5), fit=FitConfig(optimizer=torch.optim.SGD))
    assert settings_of(own, {}) == {
        "loss": "huber(delta=0.5)",
        "fit.optimizer": "own(name='torch.optim.sgd.SGD')",
    }
