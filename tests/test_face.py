from collections import Counter

import numpy as np
import pytest

from gioconda.face import (
    BROWS,
    EYES,
    LANDMARKS,
    LIPS_INNER_LOWER,
    LIPS_INNER_UPPER,
    MOUTH_OUTLINE,
    OVAL,
    bounds,
    eye_distance,
    eye_middles,
    face_model,
)

SKIN = range(468)


def sides(triangles):
    """How often each directed side occurs."""
    triangles = triangles.astype(int)
    return Counter(map(tuple, np.concatenate([triangles[:, [i, (i + 1) % 3]] for i in range(3)]).tolist()))


def rim(triangles):
    """The sides that only one triangle has, without direction."""
    found = sides(triangles)
    return {frozenset(side) for side in found if side[::-1] not in found}


def closed(outline):
    return {frozenset(side) for side in zip(outline, outline[1:] + outline[:1], strict=True)}


def test_shapes_and_types():
    model = face_model()
    assert model.shape.shape == (LANDMARKS, 3)
    assert model.shape.dtype == np.float32
    assert model.mirror.shape == (LANDMARKS,)
    assert model.triangles.shape[1] == model.openings.shape[1] == 3


def test_unit_is_the_eye_distance_and_origin_between_the_eyes():
    shape = face_model().shape
    left, right = eye_middles(shape)
    assert eye_distance(shape) == pytest.approx(1, abs=1e-5)
    assert (left + right) / 2 == pytest.approx(np.zeros(3), abs=1e-5)
    assert left[0] < 0 < right[0]


def test_the_mirror_map_undoes_itself_and_the_face_is_symmetric():
    model = face_model()
    assert (model.mirror[model.mirror] == np.arange(LANDMARKS)).all()
    assert model.shape[model.mirror] * (-1, 1, 1) == pytest.approx(model.shape, abs=1e-5)


def test_the_mirror_map_exchanges_left_and_right():
    mirror = face_model().mirror
    assert set(mirror[list(EYES[0].outline)]) == set(EYES[1].outline)
    assert set(mirror[list(BROWS[0])]) == set(BROWS[1])
    assert mirror[EYES[0].iris[0]] == EYES[1].iris[0]
    assert mirror[list(MOUTH_OUTLINE[:11])].tolist() == list(MOUTH_OUTLINE[10::-1])


def test_all_skin_triangles_face_the_camera():
    model = face_model()
    corners = model.shape[model.triangles.astype(int)]
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    assert (normal[:, 2] > 0).all()


def test_triangles_are_one_sheet_wound_one_way():
    model = face_model()
    whole = np.concatenate([model.triangles, model.openings])
    assert set(whole.ravel().tolist()) == set(SKIN)
    assert set(sides(whole).values()) == {1}
    assert rim(whole) == closed(OVAL)
    # Euler: one disc without holes.
    assert len(SKIN) - len({frozenset(side) for side in sides(whole)}) + len(whole) == 1


@pytest.mark.parametrize("eye", EYES)
def test_an_eye_is_a_hole_in_the_skin(eye):
    model = face_model()
    of_eye = model.openings[np.isin(model.openings, eye.outline).all(axis=1)]
    assert closed(eye.outline) <= rim(model.triangles)
    assert rim(of_eye) == closed(eye.outline)


def test_the_mouth_is_a_hole_in_the_skin():
    model = face_model()
    of_mouth = model.openings[np.isin(model.openings, MOUTH_OUTLINE).all(axis=1)]
    assert rim(of_mouth) == closed(MOUTH_OUTLINE)
    assert closed(MOUTH_OUTLINE) <= rim(model.triangles)


def test_openings_close_eyes_and_mouth_and_nothing_else():
    outlines = [set(EYES[0].outline), set(EYES[1].outline), set(MOUTH_OUTLINE)]
    owners = [[set(t) <= outline for outline in outlines] for t in face_model().openings.tolist()]
    assert all(sum(owner) == 1 for owner in owners)
    assert np.any(owners, axis=0).all()


@pytest.mark.parametrize("eye", EYES)
def test_lids_run_from_the_left_corner_to_the_right(eye):
    shape = face_model().shape
    for lid in (eye.upper, eye.lower):
        assert (np.diff(shape[list(lid), 0]) > 0).all()
    assert (eye.upper[0], eye.upper[-1]) == (eye.lower[0], eye.lower[-1]) == eye.corners
    assert (shape[list(eye.upper[1:-1]), 1] < shape[list(eye.lower[1:-1]), 1]).all()
    middle = (shape[list(eye.corners)]).mean(axis=0)
    assert np.abs(shape[eye.iris[0], :2] - middle[:2]).max() < 0.1


def test_lips_pair_up():
    shape = face_model().shape
    across = shape[list(LIPS_INNER_UPPER), 0] - shape[list(LIPS_INNER_LOWER), 0]
    assert np.abs(across).max() < 0.05


def test_bounds():
    points = np.zeros((LANDMARKS, 3), np.float32)
    points[0], points[1] = (10, 20, 5), (-5, 4, 7)
    assert bounds(points) == (-5, 0, 15, 20)
