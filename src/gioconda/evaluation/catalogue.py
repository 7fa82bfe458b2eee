"""All measures by name: how each is called, read and summed up. The report, the tables and the docs go by this."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Better = Literal["higher", "lower", "one", "none"]
Pool = Literal["mean", "median", "worst"]

LIKENESS_NOTE = "MobileFaceNet, trained on MS-Celeb-1M"


@dataclass(frozen=True)
class Measure:
    """How one measure is shown and summed up.

    Attributes:
        name: as in results.json.
        title: for people.
        family: the heading it stands under.
        unit: empty for a plain number.
        better: "higher", "lower", "one" (1 is right) or "none" (neither is better by itself).
        digits: decimals shown.
        meaning: one line for the report.
        pool: how the clips' figures become one: the weighted mean, or the median where single clips may be
            far out.
        tracks: where it is measured.
        pooled: computed over all clips together, not clip by clip.
    """

    name: str
    title: str
    family: str
    unit: str
    better: Better
    digits: int
    meaning: str
    pool: Pool = "mean"
    tracks: tuple[str, ...] = ("self", "cross")
    pooled: bool = False


_WHERE = {"frame": "whole frame", "face": "face", "mouth": "mouth", "eyes": "eyes"}
_SIGNALS = {
    "yaw": "turning (yaw)",
    "pitch": "nodding (pitch)",
    "roll": "tilting (roll)",
    "mouth": "mouth opening",
    "eye_left": "left eye closing",
    "eye_right": "right eye closing",
    "gaze_x": "gaze sideways",
    "gaze_y": "gaze up and down",
}


def _truth() -> list[Measure]:
    found = []
    for name, where in _WHERE.items():
        found += [
            Measure(f"l1_{name}", f"L1, {where}", "Against the truth", "levels", "lower", 1,
                    "mean absolute difference from the true frame, 0 to 255", tracks=("self",)),
            Measure(f"psnr_{name}", f"PSNR, {where}", "Against the truth", "dB", "higher", 1,
                    "signal to noise against the true frame", tracks=("self",)),
            Measure(f"ssim_{name}", f"SSIM, {where}", "Against the truth", "", "higher", 3,
                    "structural similarity of luma with the true frame", tracks=("self",)),
        ]  # fmt: skip
    return found


def _following() -> list[Measure]:
    found = []
    for name, what in _SIGNALS.items():
        found.append(
            Measure(f"correlation_{name}", f"Follows: {what}", "Movement", "", "higher", 2,
                    "correlation with the driver's, where the driver has it", "median")
        )  # fmt: skip
        found.append(
            Measure(f"amplitude_{name}", f"How far: {what}", "Movement", "", "one", 2,
                    "deviation over the driver's: 1 as far, 0 not at all", "median")
        )  # fmt: skip
    return found


MEASURES: tuple[Measure, ...] = (
    *_truth(),
    Measure("akd", "AKD", "Against the truth", "iris distances", "lower", 3,
            "mean distance of landmarks from the true frame's", tracks=("self",)),
    Measure("csim_truth", "CSIM to the true frame", "Against the truth", "", "higher", 3,
            f"likeness to the same instant of the real video ({LIKENESS_NOTE})", tracks=("self",)),
    Measure("lpips", "LPIPS", "Against the truth", "", "lower", 3,
            "distance of two pictures in features of a network that knows objects; needs --lpips", tracks=("self",)),
    Measure("fid", "FID", "Against the truth", "", "lower", 1,
            "Frechet distance of Inception features, made against true frames; needs --fid", tracks=("self",),
            pooled=True),
    Measure("csim_portrait", "CSIM to the portrait, median frame", "Identity", "", "none", 3,
            f"likeness to the portrait ({LIKENESS_NOTE}); a still picture scores highest", tracks=("cross",)),
    Measure("csim_worst", "CSIM to the portrait, worst frame", "Identity", "", "none", 3,
            f"likeness of each clip's least alike frame ({LIKENESS_NOTE})", tracks=("cross",)),
    Measure("csim_drift", "CSIM drift", "Identity", "per second", "none", 4,
            "how the likeness changes with time; negative: the person is lost, or more is moving", tracks=("cross",)),
    Measure("frechet_identity", "Frechet identity", "Identity", "", "lower", 4,
            f"Frechet distance of identity features, made against real ({LIKENESS_NOTE}); not FID", pooled=True),
    Measure("aed", "AED", "Movement", "eye distances", "lower", 4,
            "distance of the expression from the driver's"),
    Measure("apd", "APD", "Movement", "degrees", "lower", 2, "distance of the head's pose from the driver's"),
    *_following(),
    Measure("blink_recall", "Blinks kept", "Movement", "", "higher", 2,
            "share of the driver's blinks that the clip has; every blink counts alike"),
    Measure("blink_precision", "Blinks true", "Movement", "", "higher", 2,
            "share of the clip's blinks that the driver has"),
    Measure("personality", "Personality", "Movement", "", "higher", 2,
            "share of a portrait's clips told to be their own driver's by movement", tracks=("cross",)),
    Measure("jitter", "Jitter over the driver's", "Stability", "", "one", 2,
            "trembling of judged landmarks over the driver's; consecutive frames only", "median"),
    Measure("swim", "Background change", "Stability", "levels", "lower", 2,
            "change of the border strips against the portrait, worst side", tracks=("cross",)),
    Measure("swim_shift", "Background swim", "Stability", "% of face height", "lower", 3,
            "displacement of the border strips against the portrait, worst side", tracks=("cross",)),
    Measure("flicker", "Flicker", "Stability", "levels", "lower", 3,
            "brightness of the face's place from frame to frame", tracks=("cross",)),
    Measure("seam", "Seam", "Stability", "levels", "lower", 2,
            "step across the painted region's border beyond the portrait's own", tracks=("cross",)),
    Measure("faces_found", "Faces found", "Stability", "", "higher", 3,
            "share of frames in which the judge sees a face, where the driver's has one"),
)  # fmt: skip
BY_NAME = {measure.name: measure for measure in MEASURES}
FAMILIES = tuple(dict.fromkeys(measure.family for measure in MEASURES))
NOT_MEASURED = {
    "lpips": "not measured: LPIPS needs a network that is not free to ship; give its file with --lpips",
    "fid": "not measured: FID needs a network that is not free to ship; give its file with --fid",
}
"""Measures that are taken only where their networks are given; nothing else is ever put in their place."""


def measures(track: str) -> list[Measure]:
    """The measures of a track, in the order of the report."""
    return [measure for measure in MEASURES if track in measure.tracks]
