"""The networks of `sketch` as they take up a person.

Source: Zakharov et al. 2019, section 3.3. The embedder names the person once and is dropped: its
embedding gives the generator's personal parameters and the discriminator's column their start, and
both are then trained on the person's pictures.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gioconda.avatar import About, Avatar, picture_hash
from gioconda.drivers import builtin
from gioconda.inference import CPU
from gioconda.learning.base import Base, load_base
from gioconda.learning.episodes import Wildness, vary
from gioconda.learning.fine_tuning import Pace, Watch, check_fidelity, fine_tuned, spread, unwatched
from gioconda.learning.footage import FACE_SHARE
from gioconda.learning.losses import attention, feature_matching, hinge, pyramid_loss
from gioconda.learning.networks import Generator
from gioconda.learning.precision import fast
from gioconda.learning.raster import draw_sketch
from gioconda.learning.running_mean import follow
from gioconda.learning.tracker_features import TrackerFeatures
from gioconda.performance import Motion
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.network_frame import NetworkFrame
from gioconda.rendering.renderer import DEFAULT_RENDERER
from gioconda.retarget import Gains, Sitter, retarget

PERSONAL = "personal"
"""Name of the personal parameters among an avatar's numbers."""
GENERATOR = "generator."
"""Beginning of the names of the generator's."""

_PROJECTION = GENERATOR + "project"
"""Beginning of the names of what made the personal parameters, and is not kept."""
_HELD_OUT = "dramatic"
"""The built-in performance whose movements the fine-tuned face is tried on."""
_LENT = ("orator", "playful")
"""The built-in performances whose movements the person's pictures are lent."""
_MOMENTS = 8
"""Of a performance, as unlike each other as can be."""
_MOST_MOVED = 4
"""Pictures of a person, at most, that are moved."""


@dataclass(frozen=True)
class SketchTuning:
    """Settings of the fine-tuning.

    Attributes:
        rate: learning rate of generator and personal parameters.
        critic_rate: of the discriminator.
        average: how much of the running mean of the networks, which is what is kept, stays at each step.
        batch: pictures a step.
        pixels, tracker, matching, emphasis: as in `gioconda.learning.meta.SketchTraining`.
        lent: share of the pictures learned from that are not the person's own, but these moved to other expressions.
        pace: when it is enough.
        seed: of everything that is drawn at random.
    """

    rate: float = 4e-4
    critic_rate: float = 4e-4
    average: float = 0.98
    batch: int = 4
    pixels: float = 30.0
    tracker: float = 3.0
    matching: float = 10.0
    emphasis: float = 3.0
    lent: float = 0.5
    pace: Pace = field(default_factory=Pace)
    seed: int = 0


def personalize_sketch(
    portrait: Portrait,
    weights: Path,
    *,
    fidelity: float = 1.0,
    consent: str = "",
    settings: SketchTuning | None = None,
    progress: Progress = quiet,
    watch: Watch = unwatched,
) -> Avatar:
    """Fine-tune the renderer `sketch` to a person.

    The person's own pictures, moved by the default renderer to other expressions and poses, are lent, so that a face
    known from one picture does not forget how others move, and others of these are held out.

    Args:
        portrait: 1 to 32 views.
        weights: the sketch.safetensors of a training run.
        fidelity: as in `fine_tuned`; 0 is the paper's feed-forward mode.
        consent: a note to keep in the avatar.
        settings: of the fine-tuning.
        progress: told about every step.
        watch: shown every look at the held-out pictures.

    Raises:
        UsageError: weights that are of no use, or a fidelity out of range.
    """
    check_fidelity(fidelity)
    settings = settings or SketchTuning()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(settings.seed)
    person = _Person(load_base(weights, device), portrait, settings, device)
    steps, state = fine_tuned(person, fidelity, settings.pace, progress, watch)
    about = About(
        renderer="sketch",
        shape={name: int(value) for name, value in asdict(person.base.shape).items()},
        base=person.base.sha256,
        steps=steps,
        consent=consent,
        pictures=tuple(map(picture_hash, portrait.views)),
    )
    return Avatar(portrait, about, {name: value.half().cpu().numpy() for name, value in state.items()})


class _Person:
    """The networks as they take up a person."""

    def __init__(self, base: Base, portrait: Portrait, settings: SketchTuning, device: str) -> None:
        self.base, self.settings, self.device, self.step = base, settings, device, 0
        size = base.shape.size
        views = [_in_frame(view, size) for view in portrait.views]
        movable = spread(views, _MOST_MOVED)
        lent = [moved for name in _LENT for moved in _moved(movable, name)]
        self.frames, self.points = _stacked([*views, *lent], device)
        shares = ((1 - settings.lent) / len(views), len(views)), (settings.lent / len(lent), len(lent))
        self.chances = torch.cat([torch.full((count,), share) for share, count in shares])
        frames, points = _stacked(_moved(movable, _HELD_OUT), device)
        self.unseen, self.unseen_sketches = frames.float() / 255, draw_sketch(points, size)
        with torch.no_grad():
            own = slice(len(views))
            sketches = draw_sketch(self.points[own], size)
            embedding = base.embedder((self.frames[own].float() / 255)[None], sketches[None])
            personal = nn.Parameter(base.generator.personal(embedding))
            base.discriminator.common.add_(embedding[0])
        self.column = torch.zeros_like(embedding)
        self.random = torch.Generator().manual_seed(settings.seed)
        self.tracker = TrackerFeatures().to(device)
        self.face = _Face(base.generator, personal)
        self.mean = copy.deepcopy(self.face)
        tuned = [p for name, p in self.face.named_parameters() if not name.startswith(_PROJECTION)]
        self.maker_steps = torch.optim.Adam(tuned, settings.rate, betas=(0.0, 0.999), eps=1e-5)
        judging = [p for name, p in base.discriminator.named_parameters() if not name.startswith("columns")]
        self.critic_steps = torch.optim.Adam(judging, settings.critic_rate, betas=(0.0, 0.999), eps=1e-5)

    def learn(self) -> None:
        """One step of generator and personal parameters, one of the discriminator."""
        settings, critic = self.settings, self.base.discriminator
        number = torch.multinomial(self.chances, settings.batch, replacement=True, generator=self.random)
        number = number.to(self.frames.device)
        wildness = Wildness(colour=0, grey=0, mirror=False)
        varied, places = vary(self.frames[number][:, None], self.points[number][:, None], wildness, self.random)
        truth, sketch = varied[:, 0], draw_sketch(places[:, 0], varied.shape[-1])
        with fast(self.device):
            made = self.face(sketch)
            real_scores, real_features = critic(truth, sketch, self.column)
            scores, features = critic(made, sketch, self.column)
            loss = settings.pixels * pyramid_loss(made, truth, attention(sketch, settings.emphasis)) - scores.mean()
            loss = loss + settings.matching * feature_matching(real_features, features)
            loss = loss + settings.tracker * self.tracker(made, truth)
        self.maker_steps.zero_grad(set_to_none=True)
        loss.backward()
        self.maker_steps.step()
        with fast(self.device):
            judged = hinge(real_scores, critic(made.detach(), sketch, self.column)[0])
        self.critic_steps.zero_grad(set_to_none=True)
        judged.backward()  # type: ignore[no-untyped-call]
        self.critic_steps.step()
        self.step += 1
        follow(self.mean, self.face, settings.average, self.step)

    @torch.no_grad()
    def error(self) -> float:
        """Of the held-out pictures."""
        with fast(self.device):
            made = self.mean(self.unseen_sketches)
        return float(pyramid_loss(made, self.unseen, attention(self.unseen_sketches, self.settings.emphasis)))

    @torch.no_grad()
    def sample(self) -> NDArray[np.uint8]:
        """One of them, and what is made of it."""
        made = self.mean(self.unseen_sketches[:1])
        pair = torch.cat([self.unseen[0], made[0].clamp(0, 1)], dim=2)
        sample = (255 * pair.float()).round().byte().permute(1, 2, 0).cpu().numpy()
        return np.ascontiguousarray(sample)

    def state(self) -> dict[str, Tensor]:
        """A copy of what an avatar keeps."""
        return {
            name: value.detach().clone()
            for name, value in self.mean.state_dict().items()
            if not name.startswith(_PROJECTION)
        }


class _Face(nn.Module):
    """A generator with one person's parameters. Its numbers have the names that an avatar keeps them under."""

    def __init__(self, generator: Generator, personal: nn.Parameter) -> None:
        super().__init__()
        self.generator, self.personal = generator, personal

    def forward(self, sketches: Tensor) -> Tensor:
        """Sketches, (n, 3, s, s) -> faces, alike."""
        return self.generator(sketches, self.personal)


def _in_frame(view: View, size: int) -> View:
    frame = NetworkFrame.of(view.points, size, FACE_SHARE)
    return View(frame.picture(view.rgb), frame.points(view.points))


def _moved(views: Sequence[View], performance: str) -> list[View]:
    """The views as the default renderer moves them to the most telling moments of a built-in performance."""
    acted = builtin(performance)
    telling = [acted.at(float(acted.times[frame])) for frame in _telling(acted.motion)]
    moved = []
    for view in views:
        height, width = view.rgb.shape[:2]
        sitter, render = Sitter.of(view.points, width, height), make_renderer(DEFAULT_RENDERER, [view], device=CPU)
        targets = [retarget(sitter, moment, Gains(), False) for moment in telling]
        moved += [View(composite(view, render(target))[0], target) for target in targets]
    return moved


def _telling(motion: Motion) -> list[int]:
    """The frame that is farthest from no movement at all, then whichever is farthest from those before."""
    places, frames = _place(motion), []
    apart = np.linalg.norm(places - _place(Motion.neutral()), axis=1)
    for _ in range(_MOMENTS):
        frames.append(int(apart.argmax()))
        apart = np.minimum(apart, np.linalg.norm(places - places[frames[-1]], axis=1))
    return frames


def _place(motion: Motion) -> NDArray[np.float32]:
    """Of an expression among all expressions: lids, gaze and controls as one vector, or a row for each frame."""
    controls = motion.offsets.reshape(*motion.offsets.shape[:-2], -1)
    return np.concatenate([motion.lids, motion.gaze, controls], axis=-1, dtype=np.float32)


def _stacked(views: list[View], device: str) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, s, s) and float32 (n, 478, 2)."""
    frames = np.stack([view.rgb.transpose(2, 0, 1) for view in views])
    points = np.stack([view.points[:, :2].astype(np.float32) for view in views])
    return torch.from_numpy(frames).to(device), torch.from_numpy(points).to(device)
