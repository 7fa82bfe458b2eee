"""Who is who, measured: a face-recognition network that the user brings, and the merging of what looks alike.

The network is an ONNX file with one input, float32 (1, 3, 112, 112): RGB, less ImageNet's mean, over ImageNet's
deviation, the face turned so that eyes, nose and mouth lie where ArcFace puts them. Its first output, (1, D), is
a vector whose direction says who it is. That is what `evaluation.judges.IdentityJudge` gives MobileFaceNet.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.errors import UsageError
from gioconda.evaluation.judges import IdentityJudge
from gioconda.face import Points
from gioconda.tracking.crops import five_points
from gioconda.tracking.tracker import Rgb

Vector = NDArray[Any]


@cache
def _network(path: Path) -> IdentityJudge:
    try:
        judge = IdentityJudge(path.parent, name=path.name)
        judge.embed(np.zeros((128, 128, 3), np.uint8), five_points(np.random.default_rng(0).random((478, 3)) * 100))
    except UsageError:
        raise
    except Exception as error:  # the runtime raises its own classes, one for each thing that does not fit
        raise UsageError(f"{path} is no network for faces of 3 x 112 x 112: {str(error).splitlines()[0]}") from error
    return judge


def check_network(path: Path) -> None:
    """See to it that a network can be used.

    Raises:
        UsageError: it is missing, or not of the kind described above.
    """
    _network(path)


def identify(network: Path, looks: Sequence[tuple[Rgb, Points]]) -> Vector:
    """The mean direction (D,), of length 1, of some pictures of one face with their landmarks."""
    judge = _network(network)
    mean = np.mean([judge.embed(rgb, five_points(points)) for rgb, points in looks], axis=0)
    return np.asarray(mean / max(float(np.linalg.norm(mean)), 1e-9))


def pack(vector: Vector) -> str:
    """A vector as text: base64 of float16, which keeps cosines to a thousandth."""
    return base64.b64encode(vector.astype("<f2").tobytes()).decode()


def unpack(text: str) -> Vector:
    """Undoes `pack`; float32 (D,)."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)


def merge(groups: Mapping[str, Sequence[Vector]], least: float) -> dict[str, str]:
    """Put groups of vectors that are the same person's together.

    Each group is summed up by its mean direction. In the groups' order, each joins the most alike of those before
    it, if the cosine of both is at least `least`; that is done again with the new means until nothing joins.

    Args:
        groups: by name, unit vectors (D,) of what is known to be one person; without vectors a group stays alone.
        least: cosine from which two groups are one person.

    Returns:
        For each name, the name of the first group that it was put together with; often its own.
    """
    leader = {name: name for name in groups}
    sums = {name: np.sum(vectors, axis=0) for name, vectors in groups.items() if len(vectors)}
    while True:
        kept: list[str] = []
        means = np.zeros((len(sums), len(next(iter(sums.values()), []))))
        joined: dict[str, str] = {}
        for name, total in sums.items():
            direction = total / max(float(np.linalg.norm(total)), 1e-9)
            alike = means[: len(kept)] @ direction
            best = int(alike.argmax()) if kept else -1
            if kept and alike[best] >= least:
                joined[name] = kept[best]
                sums[kept[best]] = sums[kept[best]] + total
                means[best] = sums[kept[best]] / max(float(np.linalg.norm(sums[kept[best]])), 1e-9)
            else:
                means[len(kept)] = direction
                kept.append(name)
        if not joined:
            return leader
        sums = {name: sums[name] for name in kept}
        leader = {name: joined.get(first, first) for name, first in leader.items()}
