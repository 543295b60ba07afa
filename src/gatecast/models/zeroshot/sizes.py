"""Sizes of the zero-shot network, which its weights fix."""

from __future__ import annotations

PATCH = 16  # values of a token
STEPS = 64  # steps ahead of one pass
NEAR = 16  # steps whose past errors are counted apart from the later ones
CONTEXT = 1024  # values in training
SEASON = 400  # longest season, in steps
PROBABILITIES = (0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975)
MEDIAN = PROBABILITIES.index(0.5)
BASES = 8
SCALARS = 19
TOKEN = 4 * PATCH + SCALARS
ERRORS = 2 * (2 * BASES + 1)
HINTS = 4 * STEPS + 6 + SCALARS + ERRORS
EXTREME = 500.0  # largest value in units that the network sees
