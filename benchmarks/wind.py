"""Wind power of GEFCom2012: the hidden 48 hours of 156 blocks, seven farms, weather as known at each block's start.

Rivals on the same weather: persistence, climatology, the power curve of the forecast wind, gradient boosting of
scikit-learn (by farm, fixed settings: wind at the hour and up to three hours around it, of all farms, lead, hour,
season), and the same network with an LSTM over the hours ahead, or without wavelets. All learn from the hours that were
not hidden, also those after a block, as in the competition. RMSE and CRPS are shares of capacity.

    python benchmarks/wind.py [--seeds 2] [--members 5] [--quick]
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import common
import numpy as np
import pandas as pd
import torch
from tasks import data_folder

from gatecast.power import Plant, PowerConfig, PowerForecaster, Vintages
from gatecast.power.clipped_normal import crps
from gatecast.power.config import DEFAULT_FIT
from gatecast.power.forecaster import training_rows
from gatecast.power.windows import Learned, PowerWindows

FARMS, HORIZON = 7, 48


def main() -> None:
    """Run all models on all blocks."""
    parser = common.arguments(__doc__)
    parser.add_argument("--seeds", type=int, default=2, help="ensembles of each kind")
    parser.add_argument("--members", type=int, default=5, help="networks of an ensemble")
    parser.add_argument("--quick", action="store_true", help="50 steps")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    plant, hidden, origins = gefcom()
    rows = [base_row(name, plant, hidden, origins) for name in ("persistence", "climatology", "curve")]
    rows.append(boosting(plant, hidden, origins))
    kinds = {
        "CNN, causal wavelets": {},
        "CNN without wavelets": {"levels": 0},
        "LSTM, causal wavelets": {"kind": "lstm"},
    }
    for title, change in kinds.items():
        for seed in range(args.seeds):
            fit = replace(DEFAULT_FIT, steps=50) if args.quick else DEFAULT_FIT
            model = PowerForecaster(HORIZON, members=args.members, net=PowerConfig(**change), fit_config=fit, seed=seed)
            rows.append(network(f"{title}, seed {seed}", model.fit(plant), plant, hidden, origins))
            print(rows[-1], flush=True)
    print(common.table(rows))
    common.write("wind", rows, args, title="Wind power of GEFCom2012")


def gefcom() -> tuple[Plant, np.ndarray, np.ndarray]:
    """The plant without the hidden hours, the hidden power ``(blocks, 48, farms)``, and the blocks' origins."""
    folder = data_folder() / "wind_gefcom2012"
    table = pd.read_csv(folder / "windpower.csv.gz")
    times = pd.to_datetime(table["date"].astype(str), format="%Y%m%d%H").to_numpy().astype("datetime64[h]")
    power = table[[f"wp{k + 1}" for k in range(FARMS)]].to_numpy(np.float32)
    test = (table["usage"] == "PrivateTest").to_numpy()
    whole = np.arange(times[0], times[-1] + np.timedelta64(1, "h"))
    place = ((times - times[0]) / np.timedelta64(1, "h")).astype(int)
    known, hidden_all = (np.full((len(whole), FARMS), np.nan, np.float32) for _ in range(2))
    known[place[~test]], hidden_all[place[test]] = power[~test], power[test]
    gone = np.isfinite(hidden_all[:, 0])
    first = np.flatnonzero(gone & ~np.r_[False, gone[:-1]])
    weather = tuple(
        Vintages.read(
            pd.read_csv(folder / f"windforecasts_wf{k + 1}.csv.gz"),
            issued="date",
            lead="hors",
            variables=("u", "v", "ws"),
        )
        for k in range(FARMS)
    )
    ids = tuple(f"farm {k + 1}" for k in range(FARMS))
    plant = Plant(ids, whole, known, np.ones(FARMS, np.float32), weather)
    blocks = np.minimum(first[:, None] + np.arange(HORIZON), len(whole) - 1)
    return plant, hidden_all[blocks], whole[first - 1]


def scores(name: str, mean: np.ndarray, hidden: np.ndarray, **more: Any) -> dict[str, Any]:
    seen = np.isfinite(hidden)
    error = np.where(seen, mean - hidden, np.nan)
    return {
        "model": name,
        "RMSE": round(float(np.sqrt(np.nanmean(error**2))), 4),
        "MAE": round(float(np.nanmean(np.abs(error))), 4),
        **{key: round(float(value), 4) for key, value in more.items()},
    }


def windows_of(plant: Plant, origins: np.ndarray) -> PowerWindows:
    learned = Learned.of(plant, training_rows(plant, HORIZON), HORIZON)
    return PowerWindows(plant, ((origins - plant.times[0]) / np.timedelta64(1, "h")).astype(int), HORIZON, learned)


def base_row(name: str, plant: Plant, hidden: np.ndarray, origins: np.ndarray) -> dict[str, Any]:
    return scores(name, windows_of(plant, origins).bases[name], hidden)


def boosting(plant: Plant, hidden: np.ndarray, origins: np.ndarray) -> dict[str, Any]:
    """Gradient boosting by farm on the same weather."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    rows = training_rows(plant, HORIZON)
    train, test = windows_of(plant, plant.times[rows]), windows_of(plant, origins)
    mean = np.zeros_like(hidden)
    for farm in range(FARMS):
        x, y = table_of(train, farm), train.target[..., farm].ravel()
        known = np.isfinite(y)
        model = HistGradientBoostingRegressor(max_iter=300, learning_rate=0.05, max_leaf_nodes=31, random_state=0)
        model.fit(x[known], y[known])
        mean[..., farm] = model.predict(table_of(test, farm)).reshape(hidden.shape[:2]).clip(0, 1)
    return scores("gradient boosting", mean, hidden)


def table_of(windows: PowerWindows, farm: int) -> np.ndarray:
    """Rows of hours: inputs of all farms, and the farm's own three hours before and after."""
    own = windows._own[:, farm]
    padded = np.pad(own[:, :3], [(0, 0), (0, 0), (3, 3)], mode="edge")
    around = [padded[:, :, k : k + HORIZON] for k in range(7) if k != 3]
    return (
        np.concatenate([windows.inputs, own, *around], 1)
        .transpose(0, 2, 1)
        .reshape(-1, windows.inputs.shape[1] + own.shape[1] + 18)
    )


def network(name: str, model: PowerForecaster, plant: Plant, hidden: np.ndarray, origins: np.ndarray) -> dict[str, Any]:
    found = model.predict(plant, origins)
    seen = np.isfinite(hidden)
    spread = torch.from_numpy(np.sqrt(found.model + found.noise))
    losses = crps(torch.from_numpy(found.centre), spread, torch.from_numpy(np.nan_to_num(hidden))).numpy()
    inside = {
        f"inside {level} %": (
            (found.quantile(0.5 - level / 200) <= hidden) & (hidden <= found.quantile(0.5 + level / 200))
        )[seen].mean()
        for level in (50, 80, 90)
    }
    alone = [member_rmse(model, k, plant, hidden, origins) for k in range(model.members)]
    return scores(
        name, found.mean, hidden, CRPS=losses[seen].mean(), **inside, **{"mean member's RMSE": np.mean(alone)}
    )


def member_rmse(model: PowerForecaster, number: int, plant: Plant, hidden: np.ndarray, origins: np.ndarray) -> float:
    single = PowerForecaster(model.horizon, members=1, net=model.net, fit_config=model.fit_config)
    single.learned_, single.models_, single.scale_ = model.learned_, model.models_[number : number + 1], model.scale_
    return float(np.sqrt(np.nanmean((single.predict(plant, origins).mean - hidden) ** 2)))


if __name__ == "__main__":
    main()
