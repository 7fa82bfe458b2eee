"""The Frechet distance between two sets of features, whatever the features are."""

from __future__ import annotations

import numpy as np

from gioconda.evaluation.judges import Array

LEAST_SAMPLES = 2


def frechet(made: Array, real: Array) -> float:
    """Return the Frechet distance of two sets of vectors (N, D) and (M, D): 0 upwards, in squared units of theirs.

    Both sets are summed up as a Gaussian each: ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. Source: Heusel et al.,
    "GANs trained by a two time-scale update rule", 2017, after Dowson and Landau 1982. Rows of NaN are left out; NaN
    for fewer than two rows on either side.
    """
    a, b = (rows[np.isfinite(rows).all(axis=1)] for rows in (made, real))
    if min(len(a), len(b)) < LEAST_SAMPLES:
        return float("nan")
    between = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    # With C1 = A'A and C2 = B'B the eigenvalues of C1 C2 are the squared singular values of AB': no square root of a
    # matrix, no complex numbers, and exact where there are fewer samples than features.
    first, second = _factor(a), _factor(b)
    shared = np.linalg.svd(first @ second.T, compute_uv=False).sum()
    spread = np.square(first).sum() + np.square(second).sum() - 2 * shared
    return float(max(between + spread, 0.0))


def _factor(rows: Array) -> Array:
    """Return A (min(N, D), D) for which A'A is the covariance of rows (N, D)."""
    deviations = (rows - rows.mean(axis=0)) / np.sqrt(len(rows) - 1)
    return deviations if len(rows) <= rows.shape[1] else np.asarray(np.linalg.qr(deviations, mode="r"))
