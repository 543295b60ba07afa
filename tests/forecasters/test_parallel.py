"""Jobs spread over processes and over Ray give what one process gives, to the last bit."""

from __future__ import annotations

import operator
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.cases import panel_of, wave
from fixtures.errors import TwoWords, refuse
from fixtures.refused import refused

from gatecast.base.errors import DataError, GatecastError, MissingExtraError, SettingError
from gatecast.base.findings import Arg
from gatecast.data.panel import Panel
from gatecast.forecasters import Backtest, Forecaster, LSTMForecaster, Naive, SeasonalNaive, backtest, fit_each
from gatecast.forecasters.parallel import run_jobs
from gatecast.models.config import NetConfig
from gatecast.training.config import FitConfig

FIT = FitConfig(steps=3, batch_size=8, evaluations=2, progress=False)


def lstm(name: str = "LSTM", **settings: Any) -> LSTMForecaster:
    return LSTMForecaster(4, context=12, net=NetConfig(hidden_size=8), fit=FIT, name=name, **settings)


def panel() -> Panel:
    return panel_of(wave(90), wave(80, shift=3), freq="D", ids=["a", "b"])


@pytest.fixture(params=[2, "ray"])
def workers(request: pytest.FixtureRequest) -> int | str:
    """Two processes, and Ray."""
    if request.param == "ray":
        request.getfixturevalue("ray_cluster")
    return request.param


def test_results_come_in_the_order_of_the_jobs(ray_cluster: None) -> None:
    assert list(run_jobs(operator.sub, 10, [(3,), (2,), (1,)], workers="ray")) == [7, 8, 9]
    assert list(run_jobs(operator.sub, 10, [], workers="ray")) == []


def test_an_error_of_a_job_is_the_error_of_the_caller(ray_cluster: None) -> None:
    with pytest.raises(ZeroDivisionError):
        list(run_jobs(operator.truediv, 1, [(2,), (0,)], workers="ray"))


def test_a_job_counts_with_the_threads_of_its_caller(ray_cluster: None) -> None:
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert list(run_jobs(eval, "__import__('torch').get_num_threads()", [()], workers="ray")) == [3]
    finally:
        torch.set_num_threads(before)


def test_a_backtest_is_the_same_to_the_last_bit(workers: int | str) -> None:
    same(backtest, workers, refit=True)


def test_without_refit_it_is_so_too(ray_cluster: None) -> None:
    same(backtest, "ray", refit=False)


def same(run: Callable[..., Backtest], workers: int | str, *, refit: bool) -> None:
    models: list[Forecaster] = [lstm(), lstm("wide", head="student"), SeasonalNaive(), lstm("none", members=0)]
    alone, far = (run(models, panel(), 4, windows=3, refit=refit, progress=False, workers=w) for w in (None, workers))
    assert alone.models == far.models == ["LSTM", "wide", "SeasonalNaive"]
    assert alone.frame.equals(far.frame)
    assert alone.failed == far.failed == {"none": "SettingError: members must be at least 1, got 0"}


def test_a_model_for_each_series_is_the_same_to_the_last_bit(ray_cluster: None) -> None:
    alone, spread_out = fit_each(lstm(), panel()), fit_each(lstm(), panel(), workers="ray")
    assert list(alone) == list(spread_out) == ["a", "b"]
    for name, model in alone.items():
        np.testing.assert_array_equal(model.predict().quantiles, spread_out[name].predict().quantiles)
    own = lstm().fit(panel().select(["b"])).predict()
    np.testing.assert_array_equal(own.quantiles, alone["b"].predict().quantiles)


@pytest.mark.parametrize("workers", [None, "ray"])
def test_the_series_whose_fit_failed_is_named(ray_cluster: None, workers: str | None) -> None:
    with refused(DataError, place="series short", problem="needs at least 6 rows"):
        fit_each(lstm(), panel_of(wave(40), wave(5), freq="D", ids=["long", "short"]), workers=workers)


class Refuses(Naive):
    def fit(self, panel: Panel) -> Refuses:
        refuse()


def test_an_error_of_any_constructor_keeps_its_kind_and_names_the_series() -> None:
    with refused(TwoWords, place="series a", problem="not today") as caught:
        fit_each(Refuses(), panel())
    assert caught.value.first == "not"


def test_an_error_that_cannot_be_pickled_arrives_as_its_text() -> None:
    with refused(GatecastError, problem="TwoWords: not today"):
        list(run_jobs(refuse, 1, [(2,)], workers=2))


def test_a_worker_that_dies_is_reported() -> None:
    with refused(GatecastError, problem="a worker process died", remedy=Arg("workers", None)):
        list(run_jobs(os._exit, 1, [()], workers=2))


def test_an_argument_that_cannot_be_pickled_is_refused() -> None:
    with refused(
        SettingError, problem=[Arg("workers"), "cannot be sent to other processes"], remedy=Arg("workers", None)
    ):
        list(run_jobs(operator.sub, threading.Lock(), [(1,)], workers=2))


def test_a_function_without_a_module_runs_in_another_process() -> None:
    assert list(run_jobs(lambda shared, k: shared + k, 1, [(2,), (3,)], workers=2)) == [3, 4]


def test_arrays_can_be_written_to_on_both_sides(workers: int | str) -> None:
    large = np.zeros(2_000_000)  # beyond the size that joblib and Ray map into the memory of several processes
    (result,) = run_jobs(operator.iadd, large, [(1.0,)], workers=workers)
    result += 1
    assert result[0] == 2
    assert large[0] == 0


@pytest.mark.parametrize("workers", [0, -1, True, "dask"])
def test_other_workers_are_refused(workers: Any) -> None:
    with refused(
        SettingError, problem=[Arg("workers"), "a number of processes of at least 1, or 'ray'", repr(workers)]
    ):
        backtest([Naive()], panel(), 4, workers=workers)


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with refused(MissingExtraError, problem=["ray", "workers='ray'"], remedy='pip install "gatecast[ray]"'):
        backtest([Naive()], panel(), 4, workers="ray")
