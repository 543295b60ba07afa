"""Every table of the development data, read as its users would."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from golden.panels import summary

from gatecast import read_panel

POWER = "messy_power_market_de"
PRICES = f"{POWER}/Grosshandelspreise_2023_2024_Stunde.csv.gz"
LOAD = f"{POWER}/last_und_nettoexport_2023_2024.csv.gz"
PLANS = f"{POWER}/Prognostizierte_Erzeugung_Day-Ahead_2023_2024_Stunde.csv.gz"
CANADA = "covid19_canada/{}_timeseries_prov.csv.gz"
CHINA, KELMARSH, OPSD = "covid19_china", "wind_kelmarsh_2018", "power_germany_daily/opsd_germany_daily.csv.gz"
TRAFFIC = "messy_traffic_i94/Metro_Interstate_Traffic_Volume.csv.gz"
BERLIN, WIDE = {"tz": "Europe/Berlin"}, {"layout": "wide"}

FILES: list[tuple[str, dict[str, Any]]] = [
    ("air_beijing/Aotizhongxin.csv.gz", {"target": "PM2.5", "past": ["TEMP"]}),
    ("air_beijing/Dingling.csv.gz", {"target": "PM2.5"}),
    ("classics/airline-passengers.csv", {}),
    ("classics/monthly-sunspots.csv", {}),
    ("classics/daily-min-temperatures.csv", {}),
    ("classics/monthly-shampoo-sales.csv", {}),
    (CANADA.format("cases"), {"target": "cases"}),
    (CANADA.format("mortality"), {"target": "deaths"}),
    (CANADA.format("recovered"), {"target": "recovered"}),
    (CANADA.format("testing"), {"target": "testing"}),
    (f"{CHINA}/china_provinces_2020.csv.gz", {"target": "confirmed", "static": "population"}),
    (f"{CHINA}/jhu_wide_confirmed_china_to_2020-06-30.csv", {}),
    (f"{CHINA}/jhu_wide_deaths_china_to_2020-06-30.csv", {}),
    (f"{CHINA}/china_hubei_wuhan_2019-12_2020-06.csv", {"target": "confirmed"}),
    ("covid19_countries/countries.csv.gz", {"target": ["confirmed", "deaths"]}),
    ("covid19_india/state_wise_daily.csv.gz", {"target": "TT"}),
    ("electricity_tetouan/tetouan_power.csv.gz", {"target": "Temperature"}),
    ("ett/ETTh1.csv.gz", {"target": "OT"}),
    ("ett/ETTm1.csv.gz", WIDE),
    ("grid_load_nl_287/model_input_287.csv.gz", {"target": "load", "known": "temp"}),
    ("m4_hourly/Hourly-train.csv.gz", {}),
    ("m4_hourly/Hourly-test.csv.gz", {"freq": "h"}),
    (PRICES, {"target": "Deutschland/Luxemburg [€/MWh] Originalauflösungen", **BERLIN}),
    (PRICES, {**WIDE, **BERLIN}),
    (PLANS, {**WIDE, **BERLIN}),
    (LOAD, {"target": "Netzlast (MWh)", **BERLIN}),
    (f"{POWER}/open-meteo_frankfurt.csv.gz", {}),
    (f"{POWER}/open-meteo_muenchen.csv.gz", {}),
    (TRAFFIC, {"target": "traffic_volume", "duplicates": "first"}),
    (OPSD, {"target": "Wind"}),
    (OPSD, WIDE),
    ("weather_nyc_2013/weather.csv.gz", {"target": "temp"}),
    ("wind_gefcom2012/windpower.csv.gz", WIDE),
    (f"{KELMARSH}/power_hourly.csv.gz", WIDE),
    (f"{KELMARSH}/cerra_100m_turbine1.csv.gz", {"target": "speed_k1"}),
]


def build(folder: Path) -> dict[str, Any]:
    """The summary of each file."""
    return {f"{file} {sorted(options)}": summary(read_panel(folder / file, **options)) for file, options in FILES}
