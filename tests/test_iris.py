"""Irises of painted eyes whose circles are known, found from a tracker's wrong ones; whites without a trace of them."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from gioconda.face import EYES
from gioconda.rendering.iris import find_irises
from makers import movement, noise
from test_rendering import Studio, inside

BLUE, WHITE = (60, 130, 190), (226, 220, 214)


def painted(portrait, factor, aside, skin=(190, 150, 130)):
    """A face with blue irises: `factor` times the tracker's in size, and `aside` of it by some of its radii."""
    view = portrait.views[0].resized(640)
    rgb = np.full(view.rgb.shape, skin, np.uint8)
    circles = []
    for eye in EYES:
        centre, *ring = view.points[list(eye.iris), :2].astype(float)
        radius = float(np.linalg.norm(ring - centre, axis=1).mean())
        centre, radius = centre + np.array([aside * radius, 0]), factor * radius
        between = inside(eye.outline, view.points, rgb.shape)
        rgb[between] = WHITE
        y, x = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
        away = np.hypot(x - centre[0], y - centre[1]) / radius
        rgb[between & (away < 1)] = BLUE
        rgb[between & (away < 0.45)] = (12, 10, 10)
        circles.append((centre, radius))
    return type(view)(cv2.GaussianBlur(rgb, (0, 0), 0.8), view.points), circles


@pytest.mark.parametrize(("factor", "aside"), [(1.0, 0.0), (1.25, 0.0), (0.85, 0.1), (1.15, -0.2), (1.0, 0.3)])
def test_irises_are_where_the_picture_shows_them(portrait, factor, aside):
    view, circles = painted(portrait, factor, aside)
    for iris, (centre, radius) in zip(find_irises(view.rgb, view.points), circles, strict=True):
        assert iris.radius == pytest.approx(radius, rel=0.12)
        assert np.linalg.norm(iris.centre - centre) < 0.15 * radius


@pytest.mark.parametrize("empty", ["nothing", "noise"])
def test_where_there_is_no_edge_the_tracker_is_believed(portrait, empty):
    view = portrait.views[0]
    rgb = np.full_like(view.rgb, 140) if empty == "nothing" else next(noise(1, *view.rgb.shape[:2])) // 16
    for iris, eye in zip(find_irises(rgb, view.points), EYES, strict=True):
        assert iris.centre == pytest.approx(view.points[eye.iris[0], :2], abs=1e-6)


@pytest.mark.parametrize("gaze", [-0.25, 0.25])
def test_an_iris_that_looks_away_leaves_no_trace(portrait, gaze):
    """Larger than the tracker believes, and elsewhere: what it takes for the white is an iris in part."""
    view, circles = painted(portrait, 1.2, 0.3)
    shown = Studio(view).shown(movement(gaze=(gaze, 0))).astype(int)
    y, x = np.mgrid[: shown.shape[0], : shown.shape[1]]
    for eye, (centre, radius) in zip(EYES, circles, strict=True):
        width = float(np.ptp(view.points[list(eye.corners), 0]))
        moved = np.hypot(x - centre[0] - gaze * width, y - centre[1]) / radius
        between = cv2.erode(inside(eye.outline, view.points, shown.shape).astype(np.uint8), np.ones((7, 7))) > 0
        left = between & (moved > 1.25)
        assert left.sum() > 30
        blue = shown[..., 2] - shown[..., 0]
        assert (blue[left] > 15).mean() < 0.02
        assert (blue[between & (moved < 0.9) & (moved > 0.6)] > 40).mean() > 0.6
