"""The verdict: its words follow from the numbers."""

from __future__ import annotations

import json

import numpy as np
import pytest

from gatecast.evaluation.significance import holm
from gatecast.evaluation.verdict import judge
from gatecast.evaluation.wording import percent


def noisy(mean: float, *, series: int = 1, origins: int = 30, seed: int = 1, spread: float = 0.02) -> np.ndarray:
    return mean + spread * np.random.default_rng(seed).standard_normal((series, origins))


def test_better_than_one_and_no_different_from_another() -> None:
    losses = {
        "LSTM": noisy(0.88, seed=1),
        "SeasonalNaive": noisy(1.0, seed=2),
        "AutoETS": noisy(0.88, seed=1) - noisy(0.003, seed=3),
    }
    verdict = judge(losses, candidate="LSTM")
    assert verdict.text.startswith(
        "The LSTM is 12 % better in MASE than seasonal naive (p < 0.001) and no different from"
    )
    assert verdict.text.endswith("use AutoETS here unless you need covariates.")
    assert [c.outcome for c in verdict.comparisons] == ["no different", "better"]
    assert verdict.recommended == verdict.best == "AutoETS"


def test_the_winner_is_recommended() -> None:
    verdict = judge({"LSTM": noisy(0.5), "Naive": noisy(1.0, seed=2)}, candidate="LSTM")
    assert verdict.text == "The LSTM is 50 % better in MASE than naive (p < 0.001); use the LSTM here."


def test_the_verdict_names_a_loser() -> None:
    verdict = judge({"LSTM": noisy(1.5), "Naive": noisy(1.0, seed=2)}, candidate="LSTM")
    assert verdict.text == "The LSTM is 50 % worse in MASE than naive (p < 0.001); use naive here."


def test_a_rival_without_error_gives_no_infinite_percentage() -> None:
    losses = {"LSTM": noisy(1.5), "Naive": np.zeros((1, 30)), "Mean": np.zeros((1, 30)), "Drift": noisy(2.0, seed=2)}
    text = judge(losses, candidate="LSTM", metric="MAE").text
    assert text.startswith("The LSTM is behind naive and the mean in MAE (they make no error here) and 25 % better")
    few = {"LSTM": np.zeros((1, 2)), "Naive": np.zeros((1, 2))}
    assert judge(few, candidate="LSTM", metric="MAE").text.startswith("The LSTM is equal in MAE to naive; use naive")


def test_missing_covariates_are_not_blamed_where_they_were_used() -> None:
    losses = {"LSTM": noisy(0.88), "AutoETS": noisy(0.88) - noisy(0.003, seed=3)}
    assert "unless" not in judge(losses, candidate="LSTM", covariates_used=True).text


def test_too_few_origins_for_a_test() -> None:
    losses = {"LSTM": noisy(0.9, origins=3), "Naive": noisy(1.0, origins=3, seed=2)}
    verdict = judge(losses, candidate="LSTM")
    assert "With only 3 origins no test is possible (it takes 4): take it as a hint." in verdict.text
    assert "p =" not in verdict.text
    assert verdict.comparisons[0].outcome == "untested"
    assert "its lead over naive is not proven" in verdict.text


def test_one_origin_is_singular() -> None:
    losses = {"LSTM": noisy(0.9, origins=1), "Naive": noisy(1.0, origins=1, seed=2)}
    assert "With only 1 origin no test" in judge(losses, candidate="LSTM").text


def test_low_power_is_reported() -> None:
    losses = {"LSTM": noisy(0.9, origins=5), "Naive": noisy(1.0, origins=5, seed=2)}
    assert "With only 5 origins the test can see large differences only." in judge(losses, candidate="LSTM").text


def test_many_series_decide_where_origins_are_few() -> None:
    losses = {"LSTM": noisy(0.9, series=50, origins=2), "Naive": noisy(1.0, series=50, origins=2, seed=2)}
    verdict = judge(losses, candidate="LSTM")
    assert verdict.comparisons[0].test == "sign-flip permutation over series"
    assert verdict.comparisons[0].n == 50
    assert verdict.series == 50
    assert "With only" not in verdict.text


def test_p_values_are_adjusted_for_the_number_of_rivals() -> None:
    rng = np.random.default_rng(8)
    losses = {"LSTM": noisy(1.0)} | {f"rival {k}": noisy(1.0) + 0.05 * rng.standard_normal((1, 30)) for k in range(8)}
    comparisons = judge(losses, candidate="LSTM").comparisons
    raw = [comparison.raw_p_value for comparison in comparisons]
    adjusted = [comparison.p_value for comparison in comparisons]
    np.testing.assert_allclose(adjusted, holm(raw))
    assert any(p > q for p, q in zip(adjusted, raw, strict=True))


def test_failed_and_omitted_models_are_named() -> None:
    losses = {"LSTM": noisy(0.5), "Naive": noisy(1.0, seed=2)}
    text = judge(
        losses, candidate="LSTM", failed={"Drift": "ValueError: too short."}, left_out=["AutoETS (no stats)"]
    ).text
    assert "Drift failed: ValueError: too short." in text
    assert text.endswith("Left out: AutoETS (no stats).")


def test_a_model_alone() -> None:
    verdict = judge({"LSTM": noisy(0.5)}, candidate="LSTM")
    assert "there is no other model to compare it with" in verdict.text


def test_identical_forecasts_do_not_differ() -> None:
    verdict = judge({"LSTM": noisy(1.0), "Naive": noisy(1.0)}, candidate="LSTM")
    assert verdict.comparisons[0].outcome == "no different"
    assert "no different in MASE from naive (equal, p = 1.00); use naive here" in verdict.text


def test_a_tie_goes_to_the_simpler_model() -> None:
    losses = {"LSTM": noisy(1.0), "Naive": noisy(1.0) + noisy(0.001, seed=5) + 0.004}
    verdict = judge(losses, candidate="LSTM")
    assert verdict.best == "LSTM"
    assert verdict.recommended == "Naive"


def test_series_without_a_scale_are_skipped() -> None:
    lstm, naive = noisy(0.5, series=2), noisy(1.0, series=2, seed=2)
    lstm[1], naive[1] = np.nan, np.nan
    verdict = judge({"LSTM": lstm, "Naive": naive}, candidate="LSTM")
    assert verdict.series == 1
    assert verdict.scores["LSTM"] == pytest.approx(lstm[0].mean())


def test_to_dict_is_plain_json() -> None:
    losses = {"LSTM": noisy(0.9, origins=2), "Naive": noisy(1.0, origins=2, seed=2)}
    found = json.loads(json.dumps(judge(losses, candidate="LSTM").to_dict(), allow_nan=False))
    assert found["comparisons"][0]["p_value"] is None
    assert found["comparisons"][0]["outcome"] == "untested"


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.1234, "12 %"), (-0.056, "6 %"), (0.004, "0.4 %"), (0.0, "0 %"), (0.0099, "1 %"), (2.5, "250 %")],
)
def test_percentages_show_the_digits_that_count(share: float, text: str) -> None:
    assert percent(share) == text


def test_rivals_ahead_and_behind_are_distinguished() -> None:
    losses = {
        "LSTM": noisy(1.0, spread=0.5),
        "AutoETS": noisy(0.9, seed=2, spread=0.5),
        "Naive": noisy(1.1, seed=3, spread=0.5),
        "Drift": noisy(1.2, seed=4, spread=0.5),
    }
    assert judge(losses, candidate="LSTM").text == (
        "The LSTM is no different in MASE from drift and naive (14 % better, p = 0.65) "
        "and no different from AutoETS (12 % worse, p = 0.65); use AutoETS here unless you need covariates."
    )
