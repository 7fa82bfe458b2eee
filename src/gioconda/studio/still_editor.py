"""One picture, changed as somebody drags: pose, smile, mouth, eyes and gaze."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gioconda.curves import WIDE, add_to_curves
from gioconda.performance import Motion, Performance
from gioconda.pipeline import animate, marked_pictures
from gioconda.studio.making import drawn_by, known_portrait
from gioconda.studio.subject import Subject

SIDE = 448
"""Longest side, in pixels, of the picture while it is edited."""


@dataclass(frozen=True)
class Dial:
    """A slider: what it is called, its ends, where it rests, and its step."""

    name: str
    least: float
    most: float
    rest: float = 0.0
    step: float = 0.02


DIALS = {
    "yaw": Dial("Turn (yaw)", -35, 35, step=0.5),
    "pitch": Dial("Nod (pitch)", -20, 20, step=0.5),
    "roll": Dial("Tilt (roll)", -20, 20, step=0.5),
    "smile": Dial("Smile", -1, 1),
    "mouth": Dial("Mouth open", 0, 1),
    "eyes": Dial("Eyes open", 0, 1.5, 1),
    "right": Dial("Look sideways", -1, 1),
    "up": Dial("Look up or down", -1, 1),
    "brows": Dial("Brows", -1, 1),
}
"""By the attributes of `Expression`."""


@dataclass(frozen=True)
class Expression:
    """A pose and an expression.

    Attributes:
        yaw, pitch, roll: degrees away from the pose in the picture; right, up, and to the right shoulder.
        smile: -1 corners of the mouth down, 0 as in the picture, 1 a broad smile.
        mouth: 0 as in the picture, 1 wide open.
        eyes: opening: 0 shut, 1 as in the picture, 1.5 wide.
        right, up: where the eyes look, -1 to 1.
        brows: -1 drawn down, 1 raised.
    """

    yaw: float = 0.0
    pitch: float = 0.0
    roll: float = 0.0
    smile: float = 0.0
    mouth: float = 0.0
    eyes: float = 1.0
    right: float = 0.0
    up: float = 0.0
    brows: float = 0.0

    @staticmethod
    def of(dials: Mapping[str, float]) -> Expression:
        """What dials say, each within its range; those that are missing are at rest."""
        return Expression(
            **{name: min(max(dials[name], dial.least), dial.most) for name, dial in DIALS.items() if name in dials}
        )

    def performance(self) -> Performance:
        """A performance of one frame."""
        both = {
            "mouthSmile": self.smile,
            "eyeBlink": max(1 - self.eyes, 0.0),
            "eyeWide": max(self.eyes - 1, 0.0) / WIDE,
            "eyeLookUp": self.up,
            "browOuterUp": self.brows,
        }
        curves = {
            "headYaw": self.yaw,
            "headPitch": self.pitch,
            "headRoll": self.roll,
            "jawOpen": self.mouth,
            "browInnerUp": self.brows,
            # The picture's right is the outer side of the person's left eye.
            "eyeLookOutLeft": self.right,
            "eyeLookInRight": self.right,
            **{f"{name}{side}": value for name, value in both.items() for side in ("Left", "Right")},
        }
        rest = Performance(np.zeros(1), Motion.neutral().map(lambda part: part[None]), np.ones(1, bool), 25.0)
        return add_to_curves(rest, {name: np.array([value]) for name, value in curves.items()})


@dataclass(frozen=True, eq=False)
class StillEditor:
    """A person ready to be drawn again and again, small."""

    subject: Subject
    picture: Callable[[Motion], NDArray[np.uint8]]

    @staticmethod
    def of(subject: Subject) -> StillEditor:
        """For a subject whose face is known."""
        portrait = known_portrait(subject)
        longest = max(portrait.views[0].rgb.shape[:2])
        scene = animate(portrait, Expression().performance(), size=max(64, min(SIDE, longest)), **drawn_by(subject))
        return StillEditor(subject, marked_pictures(scene.portrait.views[0], scene.painter(), label=False))

    def draw(self, expression: Expression) -> NDArray[np.uint8]:
        """The picture with an expression, uint8 (height, width, 3), marked as every picture that leaves here."""
        return self.picture(expression.performance().at(0.0))
