"""Few-shot fine-tuning: meta-learned networks take up one person from 1 to 32 pictures.

Source: Zakharov et al. 2019, section 3.3. The embedder names the person once and is dropped: its
embedding gives the generator's personal parameters and the discriminator's column their start, and
both are then trained on the person's pictures.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gioconda.avatar import About, Avatar, picture_hash
from gioconda.drivers import builtin
from gioconda.errors import UsageError
from gioconda.learning.base import Base, load_base
from gioconda.learning.episodes import Wildness, vary
from gioconda.learning.footage import FACE_SHARE
from gioconda.learning.losses import attention, feature_matching, hinge, pyramid_loss
from gioconda.learning.raster import draw_sketch
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.rendering import FlowRenderer, composite
from gioconda.rendering.network_frame import NetworkFrame
from gioconda.retarget import Gains, Sitter, retarget

MOST_STEPS = 400
MOST_FIDELITY = 3.0
PERSONAL = "personal"
"""Name of the personal parameters among an avatar's numbers."""
GENERATOR = "generator."
"""Beginning of the names of the generator's."""

_HELD_OUT = "dramatic"
"""The built-in performance whose movements the fine-tuned face is tried on."""


@dataclass(frozen=True)
class FineTuning:
    """Settings of the fine-tuning.

    Attributes:
        rate: learning rate of generator and personal parameters.
        critic_rate: of the discriminator.
        batch: pictures a step.
        pixels, matching, emphasis: as in `gioconda.learning.meta.SketchTraining`.
        check_every: steps from one look at the held-out pictures to the next.
        patience: looks without improvement after which it is enough.
        seed: of everything that is drawn at random.
    """

    rate: float = 2e-4
    critic_rate: float = 8e-4
    batch: int = 4
    pixels: float = 10.0
    matching: float = 10.0
    emphasis: float = 3.0
    check_every: int = 10
    patience: int = 5
    seed: int = 0


@dataclass(frozen=True)
class Look:
    """One look at the held-out pictures.

    Attributes:
        step: of the fine-tuning.
        error: of the held-out pictures: the less, the better.
        sample: uint8 (s, 2 s, 3), one of them, and beside it what the network paints.
    """

    step: int
    error: float
    sample: NDArray[np.uint8]


def personalize(
    portrait: Portrait,
    weights: Path,
    *,
    fidelity: float = 1.0,
    consent: str = "",
    settings: FineTuning | None = None,
    progress: Progress = quiet,
    watch: Callable[[Look], object] = lambda look: None,
) -> Avatar:
    """Fine-tune the `sketch` renderer to a person.

    Too little leaves somebody else's face, too much a face that has forgotten to move. So the
    person's own pictures, moved by the renderer `flow` to other expressions and poses, are held
    out: fine-tuning is enough when these get no better.

    Args:
        portrait: 1 to 32 views.
        weights: the sketch.safetensors of a training run.
        fidelity: 1 stops where the held-out pictures are best; 0 does not fine-tune at all
            (the paper's feed-forward mode), 0.5 stops half way there, 2 goes on for as long again, up to
            `MOST_STEPS`.
        consent: a note to keep in the avatar.
        settings: of the fine-tuning.
        progress: told about every step.
        watch: shown every look at the held-out pictures.

    Raises:
        UsageError: weights that are of no use, or a fidelity out of range.
    """
    if not 0 <= fidelity <= MOST_FIDELITY:
        raise UsageError(f"fidelity {fidelity:g}: use 0 to {MOST_FIDELITY:g}")
    settings = settings or FineTuning()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.manual_seed(settings.seed)
    person = _Person(load_base(weights, device), portrait, settings, device)
    kept = {0: person.state()}
    errors = {0: person.error()}
    watch(person.look(errors[0]))
    with progress("personalising", MOST_STEPS if fidelity else 0) as tick:
        while fidelity and person.step < MOST_STEPS:
            person.learn()
            tick()
            if person.step % settings.check_every:
                continue
            kept[person.step], errors[person.step] = person.state(), person.error()
            watch(person.look(errors[person.step]))
            best = min(errors, key=lambda step: errors[step])
            # The best step only ever moves on: what lies before the wanted one now is never wanted again.
            kept = {step: state for step, state in kept.items() if step >= _nearest(kept, fidelity * best)}
            if person.step >= max(best + settings.patience * settings.check_every, fidelity * best):
                break
    best = min(errors, key=lambda step: errors[step])
    taken = _nearest(kept, fidelity * best)
    about = About(
        renderer="sketch",
        shape={name: int(value) for name, value in asdict(person.base.shape).items()},
        base=person.base.sha256,
        steps=taken,
        consent=consent,
        pictures=tuple(map(picture_hash, portrait.views)),
    )
    numbers = {name: value.half().cpu().numpy() for name, value in kept[taken].items()}
    return Avatar(portrait, about, numbers)


def _nearest(steps: Iterable[int], wanted: float) -> int:
    return min(steps, key=lambda step: abs(step - wanted))


class _Person:
    """The networks as they take up a person."""

    def __init__(self, base: Base, portrait: Portrait, settings: FineTuning, device: str) -> None:
        self.base, self.settings, self.step = base, settings, 0
        size = base.shape.size
        views = [_in_frame(view, size) for view in portrait.views]
        self.frames, self.points = _stacked(views, device)
        frames, points = _stacked([moved for view in _spread_over(views, 4) for moved in _moved(view)], device)
        self.unseen, self.unseen_sketches = frames.float() / 255, draw_sketch(points, size)
        with torch.no_grad():
            sketches = draw_sketch(self.points, size)
            embedding = base.embedder((self.frames.float() / 255)[None], sketches[None])
            self.personal = nn.Parameter(base.generator.personal(embedding))
            base.discriminator.common.add_(embedding[0])
        self.column = torch.zeros_like(embedding)
        self.random = torch.Generator().manual_seed(settings.seed)
        tuned = [p for name, p in base.generator.named_parameters() if not name.startswith("project")]
        self.maker_steps = torch.optim.Adam([*tuned, self.personal], settings.rate, betas=(0.0, 0.999), eps=1e-5)
        judging = [p for name, p in base.discriminator.named_parameters() if not name.startswith("columns")]
        self.critic_steps = torch.optim.Adam(judging, settings.critic_rate, betas=(0.0, 0.999), eps=1e-5)

    def learn(self) -> None:
        """One step of generator and personal parameters, one of the discriminator."""
        settings, critic = self.settings, self.base.discriminator
        number = torch.randint(0, len(self.frames), (settings.batch,), generator=self.random).to(self.frames.device)
        wildness = Wildness(colour=0, grey=0, mirror=False)
        varied, places = vary(self.frames[number][:, None], self.points[number][:, None], wildness, self.random)
        truth, sketch = varied[:, 0], draw_sketch(places[:, 0], varied.shape[-1])
        made = self.base.generator(sketch, self.personal)
        real_scores, real_features = critic(truth, sketch, self.column)
        scores, features = critic(made, sketch, self.column)
        loss = settings.pixels * pyramid_loss(made, truth, attention(sketch, settings.emphasis)) - scores.mean()
        loss = loss + settings.matching * feature_matching(real_features, features)
        self.maker_steps.zero_grad(set_to_none=True)
        loss.backward()
        self.maker_steps.step()
        self.critic_steps.zero_grad(set_to_none=True)
        hinge(real_scores, critic(made.detach(), sketch, self.column)[0]).backward()  # type: ignore[no-untyped-call]
        self.critic_steps.step()
        self.step += 1

    @torch.no_grad()
    def error(self) -> float:
        """Of the held-out pictures."""
        made = self.base.generator(self.unseen_sketches, self.personal)
        return float(pyramid_loss(made, self.unseen, attention(self.unseen_sketches, self.settings.emphasis)))

    @torch.no_grad()
    def look(self, error: float) -> Look:
        """How far it is."""
        made = self.base.generator(self.unseen_sketches[:1], self.personal)
        pair = torch.cat([self.unseen[0], made[0].clamp(0, 1)], dim=2)
        sample = (255 * pair.float()).round().byte().permute(1, 2, 0).cpu().numpy()
        return Look(self.step, error, np.ascontiguousarray(sample))

    def state(self) -> dict[str, Tensor]:
        """A copy of what an avatar keeps."""
        generator = {
            GENERATOR + name: value
            for name, value in self.base.generator.state_dict().items()
            if not name.startswith("project")
        }
        return {name: value.detach().clone() for name, value in {**generator, PERSONAL: self.personal}.items()}


def _in_frame(view: View, size: int) -> View:
    frame = NetworkFrame.of(view.points, size, FACE_SHARE)
    return View(frame.picture(view.rgb), frame.points(view.points))


def _moved(view: View) -> list[View]:
    """The view as `flow` moves it: half a dozen moments of a performance with much in it."""
    performance = builtin(_HELD_OUT)
    height, width = view.rgb.shape[:2]
    sitter, render = Sitter.of(view.points, width, height), FlowRenderer([view])
    moments = np.linspace(performance.times[0], performance.times[-1], 8)[1:-1]
    targets = [retarget(sitter, performance.at(float(time)), Gains(), False) for time in moments]
    return [View(composite(view, render(target))[0], target) for target in targets]


def _spread_over(views: list[View], most: int) -> list[View]:
    return [views[int(i)] for i in np.unique(np.linspace(0, len(views) - 1, most).round())]


def _stacked(views: list[View], device: str) -> tuple[Tensor, Tensor]:
    """uint8 (n, 3, s, s) and float32 (n, 478, 2)."""
    frames = np.stack([view.rgb.transpose(2, 0, 1) for view in views])
    points = np.stack([view.points[:, :2].astype(np.float32) for view in views])
    return torch.from_numpy(frames).to(device), torch.from_numpy(points).to(device)
