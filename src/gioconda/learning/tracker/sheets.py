"""Sample sheets: what the networks see and say, as one picture to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from gioconda.learning.tracker.batches import Batch
from gioconda.learning.tracker.canvases import CANVAS, Canvases
from gioconda.learning.tracker.networks import DetectorNet, LandmarkNet
from gioconda.media.pictures import write_png
from gioconda.tracking.detector import SURE, peaks

ZOOM = 2
COLUMNS = 8
TAUGHT, SAID = (0, 200, 255), (255, 60, 60)
"""Colours of the teacher's points and of the network's."""


def landmark_sheet(path: Path, network: LandmarkNet, treated: Batch, clean: Batch) -> None:
    """Write crops with the teacher's landmarks and the network's: the clean ones, then some treated ones."""
    rows = []
    for batch in (clean, treated):
        count = min(2 * COLUMNS, len(batch.points))
        with torch.no_grad():
            said = network(batch.crops[:count]).points
        shown = [
            _drawn(crop, [(TAUGHT, taught), (SAID, points)])
            for crop, taught, points in zip(batch.crops[:count], batch.points[:count], said, strict=True)
        ]
        shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
        rows += [np.hstack(shown[i : i + COLUMNS]) for i in range(0, len(shown), COLUMNS)]
    write_png(path, np.vstack(rows))


def detector_sheet(path: Path, network: DetectorNet, batch: Canvases) -> None:
    """Write canvases with the five points of each face, pasted and found."""
    with torch.no_grad():
        heat, shapes = network(batch.pictures)
    shown = []
    for number, picture in enumerate(batch.pictures):
        found = peaks(torch.sigmoid(heat[number, 0]).cpu().numpy(), shapes[number].cpu().numpy(), SURE)
        clouds = [(TAUGHT, five / CANVAS - 0.5) for five in batch.five[number] if not five.isnan().any()]
        clouds += [(SAID, torch.from_numpy(five) / CANVAS - 0.5) for five, _ in found]
        shown.append(_drawn(picture, clouds))
    shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
    write_png(path, np.vstack([np.hstack(shown[i : i + COLUMNS]) for i in range(0, len(shown), COLUMNS)]))


def _drawn(crop: Tensor, clouds: list[tuple[tuple[int, int, int], Tensor]]) -> NDArray[Any]:
    picture = np.rint(crop.clamp(0, 1).permute(1, 2, 0).cpu().numpy() * 255).astype(np.uint8)
    picture = np.asarray(cv2.resize(picture, None, fx=ZOOM, fy=ZOOM, interpolation=cv2.INTER_CUBIC), np.uint8)
    for colour, points in clouds:
        for x, y in (points[:, :2].cpu().numpy() + 0.5) * len(picture):
            cv2.circle(picture, (round(float(x)), round(float(y))), 1, colour, -1, cv2.LINE_AA)
    return picture
