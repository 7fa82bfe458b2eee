"""The landmark network at work: from the crop of a face to its landmarks, on one core, in ONNX Runtime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gioconda.face import EYES, LANDMARKS, Points
from gioconda.inference import open_network
from gioconda.tracking.crops import CROP, Array, Crop

EXPRESSIONS = (
    *("_neutral", "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight", "cheekPuff"),
    *("cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight", "eyeLookDownLeft", "eyeLookDownRight"),
    *("eyeLookInLeft", "eyeLookInRight", "eyeLookOutLeft", "eyeLookOutRight", "eyeLookUpLeft", "eyeLookUpRight"),
    *("eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawForward", "jawLeft", "jawOpen"),
    *("jawRight", "mouthClose", "mouthDimpleLeft", "mouthDimpleRight", "mouthFrownLeft", "mouthFrownRight"),
    *("mouthFunnel", "mouthLeft", "mouthLowerDownLeft", "mouthLowerDownRight", "mouthPressLeft", "mouthPressRight"),
    *("mouthPucker", "mouthRight", "mouthRollLower", "mouthRollUpper", "mouthShrugLower", "mouthShrugUpper"),
    *("mouthSmileLeft", "mouthSmileRight", "mouthStretchLeft", "mouthStretchRight", "mouthUpperUpLeft"),
    *("mouthUpperUpRight", "noseSneerLeft", "noseSneerRight"),
)
"""Names of the expression coefficients, as ARKit and the teacher have them; left and right are the person's."""
IRIS_SHARE = 0.86
"""How far the network's irises go sideways of the way that they go in the picture: it was taught by least differences,
and is too careful with people it has not seen. Measured by `benchmarks/gaze.py`; see docs/tracker.md."""


@dataclass(frozen=True)
class Reading:
    """What the network saw in one crop.

    Attributes:
        points: (478, 3) landmarks in picture pixels, depth in the same unit.
        uncertainty: (478,) the expected error of each, in picture pixels.
        presence: 0 to 1, how sure it is that there is a face in the crop.
        expression: (52,) coefficients, 0 to 1, named by `EXPRESSIONS`.
    """

    points: Points
    uncertainty: Array
    presence: float
    expression: Array


class Landmarker:
    """A landmark network. `path` is what `gioconda train tracker` exports."""

    def __init__(self, path: Path) -> None:
        self._session = open_network(path, threads=1)

    def __call__(self, rgb: NDArray[np.uint8], crop: Crop) -> Reading:
        """Read the face in a crop of a picture, uint8 (height, width, 3)."""
        points, scale, presence, expression = self._session.run(None, {"crop": crop.cut(rgb)[None]})
        assert points.shape == (1, LANDMARKS, 3)
        return Reading(
            points=with_whole_gaze(crop.to_picture(points[0])).astype(np.float32),
            uncertainty=scale[0] * crop.side,
            presence=float(presence[0]),
            expression=expression[0],
        )


def with_whole_gaze(points: Points) -> Points:
    """Landmarks, (478, 3), whose irises are as far from the middle of their eyes, sideways, as in the picture."""
    moved = points.copy()
    for eye in EYES:
        left, right = points[list(eye.corners), :2]
        along = (right - left) / max(float(np.linalg.norm(right - left)), 1e-6)
        beside = (points[eye.iris[0], :2] - (left + right) / 2) @ along
        moved[list(eye.iris), :2] += (1 / IRIS_SHARE - 1) * beside * along
    return moved


__all__ = ["CROP", "EXPRESSIONS", "IRIS_SHARE", "Landmarker", "Reading", "with_whole_gaze"]
