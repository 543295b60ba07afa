"""Classify sequences: will a state of India have more COVID-19 cases next week than this week?

The input is four weeks of daily cases, relative to the mean of the last one. The last months are for testing only, with
the trend of the last two weeks as the rule to beat.
"""

import numpy as np

from gatecast import FitConfig, LSTMClassifier, NetConfig, datasets

PAST, AHEAD, TEST = 28, 7, 120  # days


def windows(cases: np.ndarray) -> tuple[list[np.ndarray], list[str], list[str]]:
    """Sequences, labels, and the label of a simple rule, one a week."""
    X, y, rule = [], [], []
    for end in range(PAST, len(cases) - AHEAD + 1, 7):
        past, week = cases[end - PAST : end], cases[end - 7 : end].mean()
        if np.isfinite(cases[end - PAST : end + AHEAD]).all() and week >= 50:  # below, chance decides
            X.append((past / week)[:, None])
            y.append("more" if cases[end : end + AHEAD].mean() > week else "fewer")
            rule.append("more" if week > cases[end - 14 : end - 7].mean() else "fewer")
    return X, y, rule


def main() -> None:
    series = [values[:, 0] for _, values in datasets.load("covid_india_states")]
    learn = [windows(cases[:-TEST]) for cases in series]
    test = [windows(cases[-TEST - PAST :]) for cases in series]
    X, y, _ = ([one for part in parts for one in part] for parts in zip(*learn, strict=True))
    X_test, y_test, rule = ([one for part in parts for one in part] for parts in zip(*test, strict=True))
    print(f"{len(X)} sequences to learn from, {len(X_test)} to test")

    model = LSTMClassifier(net=NetConfig(hidden_size=32), fit=FitConfig(epochs=20, progress=False), seed=1).fit(X, y)
    print(f"LSTM: {model.score(X_test, y_test):.1%} right")
    print(f"the trend continues: {np.mean(np.array(rule) == np.array(y_test)):.1%} right")
    print("probabilities of", model.classes_, model.predict_proba(X_test[:2]).round(2).tolist())


if __name__ == "__main__":
    main()
