"""From one figure a clip to one figure with its interval. Pure functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gioconda.evaluation.catalogue import Pool
from gioconda.evaluation.judges import Array

FEW = 10
"""Clips below which an interval says little: the run warns."""
LEAST = 5
"""Clips below which no interval is given: too few draws differ, and it would come out far too narrow."""
DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True)
class Estimate:
    """A figure, the 95 % interval around it, and the number of clips it stands on; NaN where undefined."""

    value: float
    low: float
    high: float
    n: int


def pooled(values: Sequence[float], weights: Sequence[float], pool: Pool, seed: int, draws: int = DRAWS) -> Estimate:
    """Return one figure for many clips, with a percentile bootstrap interval over clips.

    ``pool``: "mean" is weighted; "median" and "worst" (the lowest) take every clip with a weight above 0 alike.
    Undefined clips are left out. Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    figures, shares = np.array(values, np.float64), np.array(weights, np.float64)
    counted = np.isfinite(figures) & (shares > 0)
    figures, shares = figures[counted], shares[counted]
    n = len(figures)
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    value = float(_pool(figures[None], shares[None], pool)[0])
    if n < LEAST:
        return Estimate(value, float("nan"), float("nan"), n)
    drawn = np.random.default_rng(seed).integers(0, n, (draws, n))
    found = _pool(figures[drawn], shares[drawn], pool)
    low, high = np.percentile(found, [50 - 50 * LEVEL, 50 + 50 * LEVEL])
    return Estimate(value, float(low), float(high), n)


def paired(a: Sequence[float], b: Sequence[float], pool: Pool, seed: int) -> Estimate:
    """Return by how much b exceeds a on the same clips, with its interval.

    Clips differ more from each other than two ways of making them do, so the intervals of two figures may overlap
    although one is better on every single clip: this interval says whether they differ.
    """
    return pooled(list(np.subtract(b, a)), [1.0] * len(a), pool, seed)


def over_sets(compute: Callable[[npt.NDArray[np.intp]], float], n: int, seed: int, draws: int = 60) -> Estimate:
    """Return a distance that is computed over all of n clips together, with its bootstrap interval.

    ``compute`` is given the numbers of the clips, some of them repeatedly. Repeated clips hold less variety than
    as many different ones, which shifts a distance between sets upwards; the interval is therefore the spread of
    the draws around their own median, laid around the figure itself.
    """
    if n == 0:
        return Estimate(float("nan"), float("nan"), float("nan"), 0)
    value = compute(np.arange(n))
    rng = np.random.default_rng(seed)
    drawn = np.array([compute(rng.integers(0, n, n)) for _ in range(draws)])
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(value) or not len(drawn) or n < LEAST:
        return Estimate(value, float("nan"), float("nan"), n if np.isfinite(value) else 0)
    low, middle, high = np.percentile(drawn, [50 - 50 * LEVEL, 50, 50 + 50 * LEVEL])
    return Estimate(value, max(0.0, value + float(low - middle)), value + float(high - middle), n)


def _pool(values: Array, weights: Array, pool: Pool) -> Array:
    """Return one figure for each row of (draws, n)."""
    if pool == "median":
        return np.asarray(np.median(values, axis=1))
    if pool == "worst":
        return np.asarray(values.min(axis=1))
    return np.asarray((values * weights).sum(axis=1) / weights.sum(axis=1))
