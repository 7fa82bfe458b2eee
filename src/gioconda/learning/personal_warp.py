"""The network of `warp` as it takes up a person.

Each picture is moved to the others' landmarks, and the network learns what they really show. Fewer
than three teach nothing: learned from the way back from expressions that the renderer made itself,
of which what is to come out is known, faces came out worse than without.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from gioconda.avatar import About, Avatar, picture_hash
from gioconda.face import eye_distance, face_model
from gioconda.learning.export import onnx_bytes, read_retoucher
from gioconda.learning.fine_tuning import Pace, State, Watch, check_fidelity, fine_tuned, spread, unwatched
from gioconda.learning.pairs import SHAPES, Sample, Sampler
from gioconda.learning.retoucher import Retoucher
from gioconda.learning.retouching import Batch, LossWeights, augmented, batch_of, losses, made_of
from gioconda.learning.running_mean import follow
from gioconda.media.files import sha256_of
from gioconda.neutral import head_pose
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.rendering.clues import FACE
from gioconda.rendering.renderer import OWN_NETWORK
from gioconda.rendering.warp import ONNX

Array = NDArray[Any]

LARGEST = 64.0
"""Pixels between the eyes: larger pictures are made smaller, the network sees no more."""
PAIRED = 3
"""Pictures that there must be: fewer leave nothing to hold out, or nothing to learn from."""
HELD = 4
"""One of so many is held out."""
TARGETS, SOURCES = 8, 3
"""To how many others each picture is moved at most, and from how many each that is held out is made."""
NEARLY = 0.25
"""Logarithm of a ratio of sizes, and distance in face heights, up to which faces are as large and lie in one place."""


@dataclass(frozen=True)
class WarpTuning:
    """Settings of the fine-tuning.

    Attributes:
        rate: AdamW's learning rate.
        batch: pairs a step.
        weights: of the losses.
        average: decay of the weights' running mean, which is what is kept.
        pace: when it is enough.
        seed: of everything that is drawn at random.
    """

    rate: float = 3e-4
    batch: int = 8
    weights: LossWeights = field(default_factory=LossWeights)
    average: float = 0.95
    pace: Pace = field(default_factory=lambda: Pace(check_every=20, patience=3, most=240))
    seed: int = 0


def personalize_warp(
    portrait: Portrait,
    weights: Path | None = None,
    *,
    fidelity: float = 1.0,
    consent: str = "",
    settings: WarpTuning | None = None,
    progress: Progress = quiet,
    watch: Watch = unwatched,
) -> Avatar:
    """Fine-tune the renderer `warp` to a person.

    Args:
        portrait: 1 to 32 views; from fewer than `PAIRED` nothing is learned.
        weights: the network to begin with, the warp.onnx of a training run; None for the package's own.
        fidelity: as in `fine_tuned`.
        consent: a note to keep in the avatar.
        settings: of the fine-tuning.
        progress: told about every step.
        watch: shown every look at the held-out pictures.

    Raises:
        UsageError: weights that are of no use, or a fidelity out of range.
    """
    check_fidelity(fidelity)
    settings, base = settings or WarpTuning(), weights or OWN_NETWORK
    network, steps = read_retoucher(base), 0
    if fidelity and len(portrait.views) >= PAIRED:
        torch.manual_seed(settings.seed)
        person = _Person(network, portrait, settings)
        steps, state = fine_tuned(person, fidelity, settings.pace, progress, watch)
        network.load_state_dict(state)
    about = About(
        renderer="warp",
        shape={},
        base=sha256_of(base),
        steps=steps,
        consent=consent,
        pictures=tuple(map(picture_hash, portrait.views)),
    )
    return Avatar(portrait, about, {ONNX: np.frombuffer(onnx_bytes(network), np.uint8)})


class _Person:
    """The network as it takes up a person."""

    def __init__(self, network: Retoucher, portrait: Portrait, settings: WarpTuning) -> None:
        self.settings, self.step = settings, 0
        self.retoucher: Retoucher = copy.deepcopy(network).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.mean = copy.deepcopy(network)
        known, unseen = _paired([_small(view) for view in portrait.views])
        self.known, self.unseen = _stacked(known), batch_of(_stacked(unseen))
        self.random = np.random.default_rng(settings.seed)
        self.steps = torch.optim.AdamW(self.retoucher.parameters(), settings.rate, betas=(0.9, 0.99))

    def learn(self) -> None:
        """One step."""
        picked = self.random.integers(0, len(self.known["shape"]), self.settings.batch)
        batch = augmented(batch_of({name: array[picked] for name, array in self.known.items()}), self.random)
        self.steps.zero_grad()
        losses(self.retoucher, batch, self.settings.weights).total.backward()  # type: ignore[no-untyped-call]
        self.steps.step()
        self.step += 1
        follow(self.mean, self.retoucher, self.settings.average, self.step)

    @torch.no_grad()
    def error(self) -> float:
        """Of the held-out pictures."""
        return float(losses(self.mean, self.unseen, self.settings.weights).total)

    @torch.no_grad()
    def sample(self) -> NDArray[np.uint8]:
        """One of them, and what is made of it."""
        first = Batch(**{name: values[:1] for name, values in vars(self.unseen).items()})
        pair = torch.cat([first.truth[0], made_of(self.mean, first)[0]], dim=2)
        return np.ascontiguousarray((255 * pair).round().byte().permute(1, 2, 0).numpy())

    def state(self) -> State:
        """A copy of the running mean."""
        return {name: value.detach().clone() for name, value in self.mean.state_dict().items()}


def _small(view: View) -> View:
    longest = max(view.rgb.shape[:2])
    return view.resized(round(longest * min(1.0, LARGEST / float(eye_distance(view.points)))))


def _paired(views: Sequence[View]) -> tuple[list[Sample], list[Sample]]:
    """Each picture moved to others' landmarks: those to learn from, and those that end at a held-out picture."""
    samplers = [Sampler(view) for view in views]
    held = range(HELD // 2, len(views), HELD)
    taught = [number for number in range(len(views)) if number not in held]

    def sample(source: int, target: int) -> Sample:
        placed = _placed(views[target], views[source])
        return _in_one_light(samplers[source].sample(placed.points, placed.rgb))

    known = [sample(source, to) for source in taught for to in spread([n for n in taught if n != source], TARGETS)]
    return known, [sample(source, to) for to in held for source in spread(taught, SOURCES)]


def _placed(target: View, view: View) -> View:
    """Another picture of a person so that the face lies nearly where it does in this one, and is nearly as large.

    Frames of one film stay as they are: how the head moves in them is to be learned too, and nothing is resampled.
    """
    shape = face_model().shape
    here, there = head_pose(shape, view.points), head_pose(shape, target.points)
    scale, apart = here.scale / there.scale, np.linalg.norm((here.translation - there.translation)[:2])
    if abs(np.log(scale)) < NEARLY and apart < NEARLY * float(np.ptp(view.points[:, 1])):
        return target
    points = (target.points * scale).astype(np.float32)
    shift = (view.points - points)[:, :2].mean(axis=0)
    matrix = np.column_stack([np.eye(2) * scale, shift + (scale - 1) / 2])
    size = view.rgb.shape[1::-1]
    rgb = cv2.warpAffine(target.rgb, matrix, size, flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return View(np.asarray(rgb, np.uint8), points + np.array([*shift, 0], np.float32))


def _in_one_light(sample: Sample) -> Sample:
    """A sample whose two pictures have one mean colour of the face: they may have been taken on different days."""
    face = np.kron(sample.shape[..., FACE] > 0, np.ones((2, 2), bool))
    if not face.any():
        return sample
    gain = sample.warped[face].mean(axis=0) / np.maximum(sample.truth[face].mean(axis=0), 1)
    return replace(sample, truth=np.clip(np.rint(sample.truth * gain), 0, 255).astype(np.uint8))


def _stacked(samples: Sequence[Sample]) -> dict[str, Array]:
    return {name: np.stack([getattr(sample, name) for sample in samples]) for name in SHAPES}
