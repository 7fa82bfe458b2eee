"""Whether the person stays the person, by a network that knows faces and had no part in the making.

An identity vector is what ``judges.IdentityJudge`` says of a face: (128,), length 1. MobileFaceNet was trained
on MS-Celeb-1M. **High is not better by itself**: a still picture against itself scores 1, a real video of a
person against its own first frame 0.64 to 0.90. So likeness is always read beside movement.
"""

from __future__ import annotations

import numpy as np

from gioconda.evaluation.frechet import frechet
from gioconda.evaluation.judges import Array


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

    The formula is that of FID (:func:`gioconda.evaluation.frechet.frechet`), **the features are not**: these are
    MobileFaceNet's of length 1, FID's are Inception's, so the two are never to be compared. Small sets make it
    larger than it is; compare only runs over the same frames. NaN for fewer than two rows on either side.
    """
    return frechet(made, real)
