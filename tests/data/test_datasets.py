from __future__ import annotations

import numpy as np
from fixtures.refused import refused

from gatecast.base.errors import DataError, SettingError
from gatecast.base.findings import Arg
from gatecast.data import datasets


def test_every_listed_data_set_loads_and_names_its_source() -> None:
    assert datasets.list() == ("covid_india", "covid_india_states", "covid_china", "covid_canada", "air_passengers")
    for name in datasets.list():
        panel = datasets.load(name)
        assert panel.source == name
        assert datasets.path(name).is_file()
        assert datasets.path(name).name in (datasets.path(name).parent / "LICENSES.md").read_text()
        assert datasets.info(name).citation


def test_known_values() -> None:
    air = datasets.load("air_passengers")
    assert (air.freq.alias, len(air.series(0)), air.series(0)[0, 0]) == ("MS", 144, 112)
    india = datasets.load("covid_india")
    assert (india.freq.alias, len(india.series(0)), india.series(0)[0, 0]) == ("D", 526, 81)
    assert india.series(0).max() == 414280  # 2021-05-06
    assert india.times(0)[int(india.series(0).argmax())] == np.datetime64("2021-05-06")


def test_states_sum_to_the_total() -> None:
    states, total = datasets.load("covid_india_states"), datasets.load("covid_india")
    assert len(states) == 38
    assert "Maharashtra" in states.ids
    summed = np.sum([values[:, 0] for _, values in states], axis=0)
    assert np.mean(np.isclose(summed, total.series(0)[:, 0])) > 0.95


def test_options_go_to_read_panel() -> None:
    with refused(DataError, place="column 'date'", problem=[Arg("freq", "h"), "24"], remedy=Arg("freq")):
        datasets.load("covid_india", freq="h")


def test_unknown_name() -> None:
    with refused(SettingError, problem="'covid-india'", remedy=[", ".join(datasets.list()), "'covid_india'"]):
        datasets.load("covid-india")
