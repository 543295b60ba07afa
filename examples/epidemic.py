"""An epidemic: SEIR on the first wave of COVID-19 in China, with R_t, a scenario and a test against a simple rule.

Needs scipy: pip install "gatecast[epidemic]"
"""

from gatecast import Naive, SEIRForecaster, backtest, datasets
from gatecast.epidemic import daily_counts

HORIZON, POPULATION = 14, 1.4e9


def main() -> None:
    reported = datasets.load("covid_china").cut(128)  # cumulative cases up to 23 February 2020
    cases = daily_counts(reported)  # new cases a day
    for repair in cases.repairs:
        print(f"{repair.kind}: {repair.problem}")

    model = SEIRForecaster(HORIZON, population=POPULATION, draws=50, starts=4, seed=1).fit(cases)
    print(model.params_[["parameter", "estimate", "low", "high", "identifiable"]].to_string(index=False))
    print(model.summary()[["quantity", "estimate", "low", "high"]].to_string(index=False))

    forecast = model.predict(levels=[50, 95])
    late = model.scenario("measures five days later", shift_days=5)
    print(f"cases in {HORIZON} days: {forecast.mean.sum():,.0f}; with measures five days later {late.mean.sum():,.0f}")

    r_t = model.reproduction(horizon=HORIZON)  # R_t by day, with bands
    print(r_t[["ds", "estimate", "lo-95", "hi-95"]].tail(3).to_string(index=False))

    # Does it forecast better than repeating the last day? From one earlier origin, fitted on what was before it.
    tested = backtest([model, Naive()], cases, HORIZON, windows=1, refit=True, levels=(50, 80, 95))
    print(tested.scores(metrics=["MAE", "WIS"]).round(0))


if __name__ == "__main__":
    main()
