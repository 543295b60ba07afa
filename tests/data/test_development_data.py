"""Every folder of the development data: read as it is, with what must be found, listed or refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.refused import refused

from gatecast.base.errors import DataError
from gatecast.base.findings import Arg
from gatecast.data import Panel
from gatecast.data.read import read_panel

POWER = "messy_power_market_de"
PRICES = f"{POWER}/Grosshandelspreise_2023_2024_Stunde.csv.gz"
PRICE = "Deutschland/Luxemburg [€/MWh] Originalauflösungen"
LOAD = f"{POWER}/last_und_nettoexport_2023_2024.csv.gz"
TRAFFIC = "messy_traffic_i94/Metro_Interstate_Traffic_Volume.csv.gz"
CANADA = "covid19_canada/{}_timeseries_prov.csv.gz"
BERLIN = {"tz": "Europe/Berlin"}

# file, options, number of series, rows, frequency, kinds of repairs that must be listed
READ: list[tuple[str, dict[str, Any], int, int, str, set[str]]] = [
    ("air_beijing/Aotizhongxin.csv.gz", {"target": "PM2.5", "past": ["TEMP"]}, 1, 17520, "h", {"missing"}),
    ("air_beijing/Dingling.csv.gz", {"target": "PM2.5"}, 1, 17520, "h", {"missing", "column dropped"}),
    ("classics/airline-passengers.csv", {}, 1, 144, "MS", {"target column"}),
    ("classics/monthly-sunspots.csv", {}, 1, 2820, "MS", set()),
    ("classics/daily-min-temperatures.csv", {}, 1, 3652, "D", {"gap"}),
    ("classics/monthly-shampoo-sales.csv", {}, 1, 36, "MS", {"date format"}),
    (CANADA.format("cases"), {"target": "cases"}, 14, 11620, "D", {"date format", "series column"}),
    (CANADA.format("mortality"), {"target": "deaths"}, 14, 11018, "D", {"constant"}),
    (CANADA.format("recovered"), {"target": "recovered"}, 14, 11368, "D", {"column unused"}),
    (CANADA.format("testing"), {"target": "testing"}, 14, 10920, "D", {"column dropped"}),
    (
        "covid19_china/china_provinces_2020.csv.gz",
        {"target": "confirmed", "static": "population"},
        34,
        11730,
        "D",
        set(),
    ),
    ("covid19_china/jhu_wide_confirmed_china_to_2020-06-30.csv", {}, 33, 5313, "D", {"layout", "date format"}),
    ("covid19_china/jhu_wide_deaths_china_to_2020-06-30.csv", {}, 33, 5313, "D", {"layout"}),
    ("covid19_china/china_hubei_wuhan_2019-12_2020-06.csv", {"target": "confirmed"}, 3, 639, "D", {"gap"}),
    ("covid19_countries/countries.csv.gz", {"target": ["confirmed", "deaths"]}, 10, 11430, "D", set()),
    ("covid19_india/state_wise_daily.csv.gz", {"target": "TT"}, 3, 1578, "D", {"series column", "date format"}),
    ("electricity_tetouan/tetouan_power.csv.gz", {"target": "Temperature"}, 1, 52416, "10min", {"date format"}),
    ("ett/ETTh1.csv.gz", {"target": "OT"}, 1, 17420, "h", set()),
    ("ett/ETTm1.csv.gz", {"layout": "wide"}, 7, 7 * 69680, "15min", set()),
    ("grid_load_nl_287/model_input_287.csv.gz", {"target": "load", "known": "temp"}, 1, 11329, "15min", {"future"}),
    ("m4_hourly/Hourly-train.csv.gz", {}, 414, 353500, "", {"layout", "trimmed"}),
    ("m4_hourly/Hourly-test.csv.gz", {"freq": "h"}, 414, 414 * 48, "h", {"start"}),
    (PRICES, {"target": PRICE, **BERLIN}, 1, 17544, "h", {"clock change", "date format", "column dropped"}),
    (PRICES, {"layout": "wide", **BERLIN}, 16, 16 * 17544, "h", {"clock change"}),
    (
        f"{POWER}/Prognostizierte_Erzeugung_Day-Ahead_2023_2024_Stunde.csv.gz",
        {"layout": "wide", **BERLIN},
        6,
        6 * 17544,
        "h",
        {"missing code", "clock change"},
    ),
    (LOAD, {"target": "Netzlast (MWh)", **BERLIN}, 1, 17544, "h", {"clock change"}),
    *((f"{POWER}/open-meteo_{city}.csv.gz", {}, 1, 17544, "h", {"preamble"}) for city in ("frankfurt", "muenchen")),
    (TRAFFIC, {"target": "traffic_volume", "duplicates": "first"}, 1, 52551, "h", {"duplicates", "gap"}),
    ("power_germany_daily/opsd_germany_daily.csv.gz", {"target": "Wind"}, 1, 2922, "D", {"trimmed", "missing"}),
    ("power_germany_daily/opsd_germany_daily.csv.gz", {"layout": "wide"}, 4, 11689, "D", {"trimmed"}),
    ("weather_nyc_2013/weather.csv.gz", {"target": "temp"}, 3, 26190, "h", {"gap", "series column"}),
    ("wind_gefcom2012/windpower.csv.gz", {"layout": "wide"}, 7, 7 * 26257, "h", {"date format", "column dropped"}),
    ("wind_kelmarsh_2018/power_hourly.csv.gz", {"layout": "wide"}, 6, 52560, "h", {"missing"}),
    ("wind_kelmarsh_2018/cerra_100m_turbine1.csv.gz", {"target": "speed_k1"}, 1, 2920, "3h", {"column dropped"}),
]


@pytest.mark.parametrize(
    ("file", "options", "series", "rows", "freq", "kinds"), READ, ids=[f"{case[0]} {sorted(case[1])}" for case in READ]
)
def test_read(
    dev_data: Path, file: str, options: dict[str, Any], series: int, rows: int, freq: str, kinds: set[str]
) -> None:
    panel = read_panel(dev_data / file, **options)
    assert (len(panel), int(panel.lengths.sum()), panel.freq.alias) == (series, rows, freq)
    assert kinds <= {repair.kind for repair in panel.repairs}
    assert panel.target.dtype == np.float32


AUTUMN = {
    "place": "line 7228",
    "problem": ["2023-10-29 02:00", "lines 7227 and 7228"],
    "remedy": ["autumn", Arg("tz", "Europe/Berlin")],
}
GRIDS = {"problem": ["one length", "rain_mm_h"], "remedy": "grids"}
# file, options, fields of the finding
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("air_beijing/Aotizhongxin.csv.gz", {}, {"problem": "No, PM2.5", "remedy": Arg("target", ...)}),
    (
        "covid19_india/chandra_static_split/train_Delhi.csv",
        {},
        {"problem": ["Input1", "Output4"], "remedy": [Arg("target", ...), Arg("layout", "wide")]},
    ),
    (
        "covid19_india/chandra_raw_cumulative_2020-03-10_2020-12.csv.gz",
        {},
        {"place": "line 57", "problem": ["1113 cells", "got 1110"], "remedy": "cut off"},
    ),
    ("digits_mnist/digits.npz", {}, {"problem": ["one length", "images"], "remedy": "grids"}),
    ("radar_finland_20160928/fmi_20160928_2km.npz", {}, GRIDS),
    ("radar_melbourne_20180616/bom_melbourne_20180616_1km.npz", {}, GRIDS),
    ("radar_netherlands_20100826/knmi_20100826_1km.npz", {}, GRIDS),
    (PRICES, {"target": PRICE}, AUTUMN),
    (LOAD, {"target": "Netzlast (MWh)"}, AUTUMN),
    (
        TRAFFIC,
        {"target": "traffic_volume"},
        {"place": "line 181", "problem": "7,629 duplicate", "remedy": [Arg("duplicates", "first"), "agree"]},
    ),
    (
        "wind_gefcom2012/windforecasts_wf1.csv.gz",
        {"target": "ws"},
        {"place": "line 3", "problem": "102,648 duplicate", "remedy": Arg("id", ...)},
    ),
]


@pytest.mark.parametrize(("file", "options", "fields"), REFUSED, ids=[case[0] for case in REFUSED])
def test_refused(dev_data: Path, file: str, options: dict[str, Any], fields: dict[str, Any]) -> None:
    name = Path(file).name
    with refused(DataError, **{**fields, "place": [name, fields.get("place", "")]}):
        read_panel(dev_data / file, **options)


def test_every_folder_is_covered(dev_data: Path) -> None:
    tried = {case[0].partition("/")[0] for case in [*READ, *REFUSED]}
    assert {folder.name for folder in dev_data.iterdir() if folder.is_dir()} <= tried


def prices(dev_data: Path) -> Panel:
    return read_panel(dev_data / PRICES, target=PRICE, **BERLIN)


def test_german_prices_have_their_values_at_their_hours(dev_data: Path) -> None:
    panel = prices(dev_data)
    frame = panel.to_frame().set_index(panel.time_name)[PRICE]
    assert frame.iloc[0] == pytest.approx(-5.17)
    assert str(frame.index[0]) == "2023-01-01 00:00:00+01:00"
    assert str(frame.index[-1]) == "2024-12-31 23:00:00+01:00"
    assert len(frame["2024-10-27"]) == 25
    assert len(frame["2024-03-31"]) == 23
    assert not frame.isna().any()


def test_missing_hours_and_duplicates_of_the_traffic_are_counted(dev_data: Path) -> None:
    panel = read_panel(dev_data / TRAFFIC, target="traffic_volume", duplicates="first")
    counts = {repair.kind: repair.count for repair in panel.repairs}
    assert (counts["duplicates"], counts["gap"], counts["missing"]) == (7629, 11976, 11976)
    assert np.isnan(panel.series(0)).sum() == 11976


def test_last_two_days_of_the_dutch_load_are_the_future(dev_data: Path) -> None:
    panel = read_panel(dev_data / "grid_load_nl_287/model_input_287.csv.gz", target="load", known=["sjv_E1A"])
    assert (panel.stop - panel.end).tolist() == [192]
    assert str(panel.cutoffs[0])[:16] == "2021-01-28T09:45"
