"""What one step of meta-learning sees: K pictures of a person and one more to make, recoloured and moved at random."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from gioconda.face import face_model
from gioconda.learning.footage import Footage
from gioconda.learning.raster import draw_sketch

STILLS = 0.3
"""Share of episodes made from a single picture: it shows no movement, but one more person, or a painting."""
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class Wildness:
    """How far pictures are changed at random.

    Attributes:
        turn: rotation, degrees either way.
        zoom: enlargement either way, as a share.
        shift: either way, as a share of the frame.
        colour: gain of each channel either way, as a share; contrast and brightness go with it.
        grey: share of episodes that lose their colour.
        mirror: whether half of the episodes are mirrored.
    """

    turn: float = 6.0
    zoom: float = 0.08
    shift: float = 0.03
    colour: float = 0.15
    grey: float = 0.1
    mirror: bool = True


@dataclass(frozen=True)
class Episode:
    """A batch of n people.

    Attributes:
        videos: (n,), which training video each is of.
        pictures, sketches: (n, K, 3, s, s), what the embedder sees.
        target, target_sketch: (n, 3, s, s), a further frame, and its sketch: what is asked for.
    """

    videos: Tensor
    pictures: Tensor
    sketches: Tensor
    target: Tensor
    target_sketch: Tensor


def draw_episode(footage: Footage, people: int, views: int, wildness: Wildness, random: torch.Generator) -> Episode:
    """Fresh frames: every person equally likely, then every video of theirs, then K + 1 frames of it.

    The frames differ where the video has as many; a short one lends the same frame twice, moved
    otherwise. Source: Zakharov et al. 2019, section 3.2.
    """
    device = footage.frames.device

    def pick(below: int) -> int:
        return int(torch.randint(below, (1,), generator=random))

    videos, numbers = [], []
    for _ in range(people):
        if footage.stills and float(torch.rand((), generator=random)) < STILLS:
            video = footage.stills[pick(len(footage.stills))]
        else:
            theirs = footage.people[pick(len(footage.people))]
            video = theirs[pick(len(theirs))]
        start, end = (int(x) for x in footage.starts[video : video + 2])
        order = torch.randperm(end - start, generator=random)
        videos.append(video)
        numbers.append(start + order[torch.arange(views + 1) % (end - start)])
    chosen = torch.stack(numbers).to(device)
    pictures, points = vary(footage.frames[chosen], footage.points[chosen], wildness, random)
    sketches = draw_sketch(points.flatten(0, 1), pictures.shape[-1]).view_as(pictures)
    return Episode(
        torch.tensor(videos, device=device), pictures[:, 1:], sketches[:, 1:], pictures[:, 0], sketches[:, 0]
    )


def vary(frames: Tensor, points: Tensor, wildness: Wildness, random: torch.Generator) -> tuple[Tensor, Tensor]:
    """Frames, uint8 (n, k, 3, s, s), and landmarks, (n, k, 478, 2), changed at random -> floats 0 to 1, landmarks.

    Colours and mirroring are one person's, movement is each frame's own.
    """
    people, views, _, size, _ = frames.shape
    device = frames.device

    def draw(width: float, *shape: int) -> Tensor:
        return ((torch.rand(*shape, generator=random) * 2 - 1) * width).to(device)

    pictures = frames.float() / 255
    if wildness.mirror:
        mirrored = (torch.rand(people, generator=random) < 0.5).to(device)
        counterpart = torch.from_numpy(face_model().mirror.astype("int64")).to(device)
        turned = points[:, :, counterpart].clone()
        turned[..., 0] = size - 1 - turned[..., 0]
        points = torch.where(mirrored[:, None, None, None], turned, points)
        pictures = torch.where(mirrored[:, None, None, None, None], pictures.flip(-1), pictures)
    angle = draw(wildness.turn, people, views) * torch.pi / 180
    zoom = torch.exp(draw(wildness.zoom, people, views))
    shift = draw(wildness.shift, people, views, 2)
    pictures, points = _moved(pictures, points, angle, zoom, shift)
    luma = torch.tensor(_LUMA, device=device)[:, None, None]
    grey = (torch.rand(people, 1, 1, 1, 1, generator=random) < wildness.grey).to(device)
    pictures = torch.where(grey, (pictures * luma).sum(2, keepdim=True), pictures)
    gain, contrast, light = (
        draw(wildness.colour, people, 1, 3, 1, 1),
        draw(wildness.colour, people, 1, 1, 1, 1),
        draw(wildness.colour / 2, people, 1, 1, 1, 1),
    )
    pictures = ((pictures - 0.5) * (1 + contrast) + 0.5 + light) * (1 + gain)
    return pictures.clamp(0, 1), points


def _moved(pictures: Tensor, points: Tensor, angle: Tensor, zoom: Tensor, shift: Tensor) -> tuple[Tensor, Tensor]:
    """Turned about the middle by `angle` (n, k), enlarged by `zoom` (n, k), moved by `shift` (n, k, 2) frames."""
    size = pictures.shape[-1]
    cosine, sine = torch.cos(angle), torch.sin(angle)
    matrix = torch.stack([torch.stack([cosine, -sine], -1), torch.stack([sine, cosine], -1)], -2)
    middle = (size - 1) / 2
    forth = matrix * zoom[..., None, None]
    placed = (points - middle) @ forth.transpose(-1, -2) + middle + size * shift[..., None, :]
    # The grid says where each pixel comes from, in halves of the frame.
    back = matrix.transpose(-1, -2) / zoom[..., None, None]
    offset = -(back @ (2 * shift)[..., None])
    theta = torch.cat([back, offset], -1).flatten(0, 1)
    flat = pictures.flatten(0, 1)
    grid = functional.affine_grid(theta, list(flat.shape), align_corners=False)
    moved = functional.grid_sample(flat, grid, padding_mode="reflection", align_corners=False)
    return moved.view_as(pictures), placed
