"""Meta-learning of the `sketch` renderer: from many people's videos to networks that take up a new person.

Source: Zakharov et al. 2019, section 3.2. Each step is an episode: the embedder sees K frames of a
video, the generator makes another frame of it from its sketch, the discriminator judges both.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from torch import Tensor, nn

from gioconda.errors import OutputError, UsageError
from gioconda.learning.checkpoint import NAME, check_room, checkpoint_header, load_checkpoint, save_checkpoint
from gioconda.learning.episodes import Episode, Wildness, draw_episode
from gioconda.learning.footage import Footage, load_footage
from gioconda.learning.journal import Journal, gpu_use
from gioconda.learning.losses import attention, feature_matching, hinge, match_loss, pyramid_loss
from gioconda.learning.networks import Discriminator, Embedder, Generator, Network, Shape
from gioconda.learning.perceptual import VGG19, VGGFACE, Perceptual
from gioconda.learning.precision import fast
from gioconda.learning.running_mean import follow
from gioconda.learning.team import ALONE, Team
from gioconda.learning.tracker_features import TrackerFeatures
from gioconda.media.files import spoken_os_error
from gioconda.progress import Progress, quiet


@dataclass(frozen=True)
class SketchTraining:
    """Settings of a run; the defaults are the paper's where it gives them.

    Attributes:
        shape: how large the networks are.
        views: K, pictures the embedder sees.
        people: episodes a step.
        rate: learning rate of embedder and generator.
        critic_rate: of the discriminator.
        pixels, tracker: weights of the pixel loss and of the tracker's features, which stand in for the content losses
            unless a file is given for both.
        emphasis: how much more the pixel loss minds the lines of the sketch.
        vgg19, vggface: weights of the content losses, used where a file is given.
        matching: weight of feature matching.
        match: weight of the match loss; 0 trains the feed-forward variant of the paper.
        average: how much of the running mean of the networks stays at each step.
        wildness: how far pictures are changed at random.
        every: one frame of a video in so many is kept.
        share_of_people: the part of the people that is learned from.
        seed: of everything that is drawn at random.
    """

    shape: Shape = field(default_factory=Shape)
    views: int = 8
    people: int = 8
    rate: float = 5e-5
    critic_rate: float = 2e-4
    pixels: float = 30.0
    tracker: float = 3.0
    emphasis: float = 3.0
    vgg19: float = 1.5e-1
    vggface: float = 2.5e-2
    matching: float = 10.0
    match: float = 10.0
    average: float = 0.999
    wildness: Wildness = field(default_factory=Wildness)
    every: int = 1
    share_of_people: float = 1.0
    seed: int = 0


PRESETS = {
    "paper": SketchTraining(),
    "medium": SketchTraining(shape=Shape(narrowest=20, widest=160), people=16, rate=2e-4, critic_rate=4e-4, match=1.0),
    "narrow": SketchTraining(
        shape=Shape(size=128, narrowest=16, widest=160, residuals=3, attention=False),
        views=2,
        people=4,
        rate=4e-4,
        critic_rate=8e-4,
        match=1.0,
        every=2,
    ),
}
"""`paper`: as published. `medium`: what ships, 15 MB in half precision. `narrow`: for a processor without a GPU."""


@dataclass(frozen=True)
class ContentWeights:
    """Files of the content losses' networks; None leaves a loss out."""

    vgg19: Path | None = None
    vggface: Path | None = None


class Learner:
    """The three networks, their optimisers, the running means, and one step of learning."""

    def __init__(
        self, settings: SketchTraining, videos: int, device: str, content: ContentWeights | None = None
    ) -> None:
        torch.manual_seed(settings.seed)
        self.settings, self.device, self.step = settings, device, 0
        self.embedder = _placed(Embedder(settings.shape), device)
        self.generator = _placed(Generator(settings.shape), device)
        self.discriminator = _placed(Discriminator(settings.shape, videos), device)
        self.mean_embedder, self.mean_generator = copy.deepcopy(self.embedder), copy.deepcopy(self.generator)
        made = [*self.embedder.parameters(), *self.generator.parameters()]
        self.maker_steps = torch.optim.Adam(made, settings.rate, betas=(0.0, 0.999), eps=1e-5)
        self.critic_steps = torch.optim.Adam(
            self.discriminator.parameters(), settings.critic_rate, betas=(0.0, 0.999), eps=1e-5
        )
        content = content or ContentWeights()
        self.content = [
            (weight, Perceptual(plan, path).to(device))
            for plan, path, weight in (
                (VGG19, content.vgg19, settings.vgg19),
                (VGGFACE, content.vggface, settings.vggface),
            )
            if path
        ]
        self.stand_in = TrackerFeatures().to(device) if len(self.content) < 2 else None

    @property
    def networks(self) -> dict[str, nn.Module]:
        """What a checkpoint keeps, by name."""
        names = ("embedder", "generator", "discriminator", "mean_embedder", "mean_generator")
        return {name: getattr(self, name) for name in names}

    @property
    def optimisers(self) -> dict[str, torch.optim.Optimizer]:
        """Alike."""
        return {"maker": self.maker_steps, "critic": self.critic_steps}

    def learn(self, episode: Episode, team: Team = ALONE) -> dict[str, Tensor]:
        """One step of embedder and generator and one of the discriminator on the same frames; gives back the losses.

        Each of a team gives an episode of its own; all come out of it with the same networks.
        """
        settings = self.settings
        truth, sketch = episode.target, episode.target_sketch
        with fast(self.device):
            embeddings = self.embedder(episode.pictures, episode.sketches)
            made = self.generator(sketch, self.generator.personal(embeddings))
            columns = self.discriminator.columns(episode.videos)
            real_scores, real_features = self.discriminator(truth, sketch, columns)
            with _held(self.discriminator):
                scores, features = self.discriminator(made, sketch, columns.detach())
            losses = {
                "adversarial": -scores.mean(),
                "matching": settings.matching * feature_matching(real_features, features),
                "match": settings.match * match_loss(embeddings, columns.detach()),
            }
            for weight, network in self.content:
                losses[network.plan.name] = weight * network(made, truth)
            if self.stand_in:
                losses["pixels"] = settings.pixels * pyramid_loss(made, truth, attention(sketch, settings.emphasis))
                losses["tracker"] = settings.tracker * self.stand_in(made, truth)
        _descend(self.maker_steps, torch.stack(list(losses.values())).sum(), team)
        with fast(self.device):
            # The discriminator does not learn to make its columns unlike what it was shown of them.
            made_scores, _ = self.discriminator(made.detach(), sketch, columns.detach())
            losses["critic"] = hinge(real_scores, made_scores)
            judged = losses["critic"] + settings.match * match_loss(embeddings.detach(), columns)
        _descend(self.critic_steps, judged, team)
        self.step += 1
        follow(self.mean_embedder, self.embedder, settings.average, self.step)
        follow(self.mean_generator, self.generator, settings.average, self.step)
        return {name: value.detach() for name, value in losses.items()}

    @torch.no_grad()
    def show(self, episode: Episode) -> Tensor:
        """A sheet, (people, 4, 3, s, s): a picture the embedder saw, the sketch, what is made of it, the truth."""
        embeddings = self.mean_embedder(episode.pictures, episode.sketches)
        made = self.mean_generator(episode.target_sketch, self.mean_generator.personal(embeddings))
        return torch.stack([episode.pictures[:, 0], episode.target_sketch, made, episode.target], dim=1)


def train_sketch(
    data: Path,
    run: Path,
    settings: SketchTraining,
    minutes: float,
    *,
    steps: int | None = None,
    content: ContentWeights | None = None,
    team: Team = ALONE,
    log_every: int = 100,
    progress: Progress = quiet,
    say: Callable[[str], object] | None = None,
) -> int:
    """Learn from a dataset folder for some minutes; a run that was stopped goes on where its checkpoint is.

    Args:
        data: laid out as `gioconda dataset build` does.
        run: folder for checkpoint, curves and sheets.
        settings: of the run; those of a checkpoint must be the same.
        minutes: how long to learn, reading apart.
        steps: after how many, those before a stop among them, the run ends even if there is time left.
        content: networks of the content losses.
        team: the processes that learn together, each of as many people a step as the settings say.
        log_every: steps from one line of the log, sheet and checkpoint to the next.
        progress: told about every video and step.
        say: told in a line or two what is learned from, and on what machine.

    Returns:
        How many steps the run has behind it.

    Raises:
        UsageError: no usable data, no time or no steps, or a run begun with other settings.
        OutputError: the run's folder cannot be written, or has no room for checkpoints.
    """
    check_run(run, settings, minutes, steps)
    checkpoint = run / NAME
    device = "cuda" if torch.cuda.is_available() else "cpu"
    shape = settings.shape
    footage = load_footage(
        data, shape.size, every=settings.every, share_of_people=settings.share_of_people, progress=progress
    ).to(device)
    if say:
        say(_told(footage, device))
    learner = Learner(settings, footage.videos, device, content)
    check_room(run, learner.networks, learner.optimisers)
    if checkpoint.exists():
        learner.step = load_checkpoint(checkpoint, learner.networks, learner.optimisers, device)
    ends, last = time.monotonic() + 60 * minutes, math.inf if steps is None else steps
    logged, since = learner.step, time.monotonic()
    try:
        with Journal(run) if team.leads else nullcontext() as journal, progress("learning", 0) as tick:
            done = learner.step >= last
            seen: list[dict[str, Tensor]] = []
            while not done:
                seen.append(learner.learn(_episode(footage, settings, learner.step, team.rank), team))
                tick()
                done = team.agreed(time.monotonic() >= ends or learner.step >= last, device)
                if done or learner.step % log_every == 0:
                    values = _means(seen, team)
                    seen = []
                    if journal is None:
                        continue
                    pace = team.size * settings.people * (learner.step - logged) / (time.monotonic() - since)
                    journal.losses(learner.step, values | gpu_use(device, pace))
                    journal.sheet(learner.step, learner.show(_episode(footage, replace(settings, people=8), -1)))
                    save_checkpoint(checkpoint, learner.step, asdict(settings), learner.networks, learner.optimisers)
                    logged, since = learner.step, time.monotonic()
    except OSError as error:
        raise OutputError(f"{run}: cannot be written: {spoken_os_error(error)}") from error
    return learner.step


def check_run(run: Path, settings: SketchTraining, minutes: float, steps: int | None = None) -> None:
    """See to it that a run can be begun, or gone on with, in a folder, which is made.

    Raises:
        UsageError: no time or no steps are given, or the run was begun with other settings.
        OutputError: the folder cannot be made.
    """
    if not minutes >= 0:
        raise UsageError(f"{minutes:g} minutes: training needs some, or 0 for a single step")
    if steps is not None and steps < 1:
        raise UsageError(f"{steps} steps: training needs at least one")
    checkpoint = run / NAME
    if checkpoint.exists() and (begun := checkpoint_header(checkpoint)[1]) != asdict(settings):
        other = sorted(key for key, value in asdict(settings).items() if begun.get(key) != value)
        raise UsageError(f"{run} was begun with another {', '.join(other)}; give the same again, or another folder")
    try:
        run.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{run}: cannot be made ({error.strerror}); choose another folder") from error


def _means(losses: list[dict[str, Tensor]], team: Team) -> dict[str, float]:
    """Of each loss, over some steps and the whole team: a single step says little."""
    table = torch.stack([torch.stack(list(step.values())) for step in losses])
    return dict(zip(losses[0], team.mean(table.mean(dim=0)).tolist(), strict=True))


def _told(footage: Footage, device: str) -> str:
    """In words, what is learned from and where."""
    moving = footage.videos - len(footage.stills)
    lines = [
        f"{len(footage.people)} people in {moving} shots, {len(footage.stills)} stills, {len(footage.frames)} frames; "
        + (f"learning on {torch.cuda.get_device_name()}" if device == "cuda" else "no GPU: learning on the processor")
    ]
    if footage.left_out:
        lines.append(f"left out, fewer than two frames that can be read: {', '.join(footage.left_out)}")
    if len(footage.people) == 1:
        lines.append("a single person: the networks learn that face, not how to take up another")
    return "\n".join(lines)


def _episode(footage: Footage, settings: SketchTraining, step: int, rank: int = 0) -> Episode:
    """That of a step: the same whether or not the run was stopped before it; step -1 is the sheet's."""
    # Torch's generator heeds 32 bits; large primes keep the steps of neighbouring seeds and ranks far apart.
    random = torch.Generator().manual_seed((settings.seed * 0x9E3779B1 + rank * 0x85EBCA6B + step + 1) % 2**32)
    return draw_episode(footage, settings.people, settings.views, settings.wildness, random)


def _placed(network: Network, device: str) -> Network:
    # Convolutions on a processor take a third of the time in this layout.
    return network.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]


@contextmanager
def _held(network: nn.Module) -> Iterator[None]:
    """Gradients go through a network but not into it."""
    network.requires_grad_(False)
    try:
        yield
    finally:
        network.requires_grad_(True)


def _descend(optimiser: torch.optim.Optimizer, loss: Tensor, team: Team) -> None:
    optimiser.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    team.average(parameter for group in optimiser.param_groups for parameter in group["params"])
    optimiser.step()
