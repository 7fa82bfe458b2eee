"""Whether the person stays the person, by a network that knows faces and had no part in the making.

An identity vector is what ``judges.IdentityJudge`` says of a face: (128,), length 1. MobileFaceNet was trained
on MS-Celeb-1M. **High is not better by itself**: a still picture against itself scores 1, a real video of a
person against its own first frame 0.64 to 0.90. So likeness is always read beside movement.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from gioconda.evaluation.judges import Array

LEAST_SAMPLES = 2


def csim(vectors: Array, reference: Array) -> Array:
    """Return the cosine similarity of identity vectors (T, 128) to one (128,) or to as many (T, 128): (T,), -1..1.

    About 0.8 for two pictures of one person, 0.0 for two people. NaN for rows of NaN (no face found). Source:
    Zakharov et al. 2019, there with ArcFace features: figures are not comparable with theirs, only with
    others of the same network.
    """
    lengths = np.linalg.norm(vectors, axis=-1) * np.linalg.norm(reference, axis=-1)
    return np.asarray((vectors * reference).sum(axis=-1) / lengths)


def drift(likeness: Array, times: Array) -> float:
    """Return how fast likeness (T,) is lost: the least-squares slope over times (T,) in seconds, per second.

    Negative where the person is slowly lost, 0 where nothing drifts. NaN for fewer than three judged frames.
    """
    known = np.isfinite(likeness)
    if known.sum() < 3 or np.ptp(times[known]) == 0:
        return float("nan")
    since = times[known] - times[known].mean()
    return float(since @ likeness[known] / (since @ since))


def frechet_identity(made: Array, real: Array) -> float:
    """Return the Frechet distance between two sets of identity vectors, (N, 128) and (M, 128): 0 upwards.

    Both sets are summed up as a Gaussian each: ``|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))``. The formula is
    that of FID (Heusel et al. 2017, after Dowson and Landau 1982), **the features are not**: these are
    MobileFaceNet's of length 1, FID's are Inception's, so the two are never to be compared. Small sets make it
    larger than it is; compare only runs over the same frames. Rows of NaN are left out; NaN for fewer than two
    rows on either side.
    """
    a, b = (rows[np.isfinite(rows).all(axis=1)] for rows in (made, real))
    if min(len(a), len(b)) < LEAST_SAMPLES:
        return float("nan")
    cov_a, cov_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = _root(cov_a)
    # The eigenvalues of root C2 root are those of C1 C2, but the matrix is symmetric: no complex numbers.
    shared = np.linalg.eigvalsh(root @ cov_b @ root)
    between = np.square(a.mean(axis=0) - b.mean(axis=0)).sum()
    spread = np.trace(cov_a) + np.trace(cov_b) - 2 * np.sqrt(np.maximum(shared, 0)).sum()
    return float(max(between + spread, 0.0))


def _root(matrix: npt.NDArray[Any]) -> Array:
    """Return the symmetric square root of a symmetric matrix without negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T)
