"""Make src/gioconda/data/face_model.safetensors and face_variation.safetensors from the landmarks of many still faces.

    python tools/build_face_model.py DATA

DATA is a dataset folder with stills.jsonl and stills.npz (ids, landmarks). Relaxed, nearly frontal
photographs are aligned to each other on steady points (generalised Procrustes), averaged and made
mirror-symmetric; the triangles are the Delaunay triangulation of that mean, the openings of eyes
and mouth apart. How faces vary about it, identity and expression alike, is kept as principal
components of all training stills that are not turned far away.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file
from scipy.optimize import linear_sum_assignment
from scipy.spatial import Delaunay

from gioconda.face import CHIN, EYES, FOREHEAD, LANDMARKS, MOUTH_OUTLINE, OVAL, STEADY, eye_distance, eye_middles
from gioconda.geometry import align, angles, rotation

OUT = Path(__file__).parents[1] / "src/gioconda/data/face_model.safetensors"
VARIATION = OUT.with_name("face_variation.safetensors")
SKIN = 468
MODES = 24
"""Principal components kept: 32 make fits to five marks hardly better."""
MOST_YAW = 40.0
"""Degrees; beyond, a tracker guesses half of the face."""


def faces_with_mouth(data: Path, least: float, most: float) -> np.ndarray:
    """Landmarks of training photographs whose lip gap, over the eye distance, lies in a range: (n, 478, 3)."""
    rows = [json.loads(line) for line in (data / "stills.jsonl").read_text().splitlines()]
    rows = [r for r in rows if r["split"] == "train" and r["kind"] != "painting"]
    wanted = {r["id"] for r in rows if least <= r["mouth_open"] < most}
    archive = np.load(data / "stills.npz", allow_pickle=False)
    return np.array([p for i, p in zip(archive["ids"], archive["landmarks"] / 8.0, strict=True) if str(i) in wanted])


def mirror_map(shape: np.ndarray) -> np.ndarray:
    """Each landmark's counterpart: the assignment of least distance between the shape and its mirror image."""
    flipped = shape * (-1, 1, 1)
    mapping = np.arange(LANDMARKS)
    for part in (slice(0, SKIN), slice(SKIN, LANDMARKS)):
        distance = np.linalg.norm(flipped[part, None] - shape[None, part], axis=-1)
        mapping[part] = linear_sum_assignment(distance**2)[1] + part.start
    return mapping


def frontal(shape: np.ndarray) -> np.ndarray:
    """Eyes level, forehead and chin equally far from the camera, centred between the eyes, eye distance 1."""
    left, right = eye_middles(shape)
    shape = (shape - (left + right) / 2) / eye_distance(shape)
    for _ in range(4):
        left, right = eye_middles(shape)
        across, down = right - left, shape[CHIN] - shape[FOREHEAD]
        yaw = np.degrees(np.arctan2(across[2], across[0]))
        roll = np.degrees(np.arctan2(across[1], across[0]))
        pitch = np.degrees(np.arctan2(-down[2], down[1]))
        shape = shape @ rotation(yaw, pitch, roll)
    return shape


def mean_face(faces: np.ndarray) -> np.ndarray:
    """Mirror-symmetric median of the nearly frontal faces, aligned on steady points: (478, 3)."""
    steady = list(STEADY)
    mean = frontal(faces[0])
    for _ in range(8):
        pose = align(mean[steady], faces[:, steady])
        near_frontal = np.abs(angles(pose.rotation)[:, 0]) < 20
        mean = np.median(pose.undo(faces)[near_frontal], axis=0)
        mirror = mirror_map(frontal(mean))
        mean = frontal((mean + mean[mirror] * (-1, 1, 1)) / 2)
    print(f"mean of {near_frontal.sum()} faces out of {len(faces)}")
    return mean


def variation(data: Path, mean: np.ndarray, mirror: np.ndarray) -> np.ndarray:
    """Principal components of the training stills and their mirror images about the mean face, (MODES, 478, 3).

    In eye distances, each one standard deviation long. Painted faces are among them.
    """
    rows = [json.loads(line) for line in (data / "stills.jsonl").read_text().splitlines()]
    wanted = {r["id"] for r in rows if r["split"] == "train"}
    archive = np.load(data / "stills.npz", allow_pickle=False)
    faces = archive["landmarks"][[str(i) in wanted for i in archive["ids"]]] / 8.0
    pose = align(mean[list(STEADY)], faces[:, list(STEADY)])
    faces = pose.undo(faces)[np.abs(angles(pose.rotation)[:, 0]) < MOST_YAW]
    offsets = np.concatenate([faces - mean, (faces - mean)[:, mirror] * (-1, 1, 1)]).reshape(-1, LANDMARKS * 3)
    _, lengths, axes = np.linalg.svd(offsets, full_matrices=False)
    share = np.square(lengths[:MODES]).sum() / np.square(lengths).sum()
    print(f"{MODES} modes of {len(faces)} faces and their mirror images: {share:.1%} of how they vary")
    return (axes[:MODES] * lengths[:MODES, None] / np.sqrt(len(offsets))).reshape(MODES, LANDMARKS, 3)


def with_side(triangles: np.ndarray, a: int, b: int) -> np.ndarray:
    """The same triangulation with a and b joined: where one side crosses their line, it is turned."""
    with_a, with_b = (np.flatnonzero((triangles == i).any(axis=1)) for i in (a, b))
    if np.intersect1d(with_a, with_b).size:
        return triangles
    for i in with_a:
        for j in with_b:
            shared = set(triangles[i]) & set(triangles[j])
            if len(shared) == 2:
                c, d = shared
                turned = triangles.copy()
                turned[i], turned[j] = (a, b, c), (a, b, d)
                return turned
    raise ValueError(f"landmarks {a} and {b} are more than one side apart")


def with_rim(triangles: np.ndarray) -> np.ndarray:
    """The same triangulation out to the face's rim: what lies edge-on there, and has no area in front view."""
    sides = Counter(frozenset(t[k] for k in pair) for t in triangles.tolist() for pair in ((0, 1), (1, 2), (2, 0)))
    missing = []
    for a, b in zip(OVAL, (*OVAL[1:], OVAL[0]), strict=True):
        if frozenset((a, b)) not in sides:
            (c,) = (c for c in range(SKIN) if sides[frozenset((a, c))] == sides[frozenset((c, b))] == 1)
            missing.append((a, b, c))
    return np.concatenate([triangles, np.array(missing, triangles.dtype).reshape(-1, 3)])


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    data = parser.parse_args().data
    mean = mean_face(faces_with_mouth(data, -1.0, 0.04))
    mirror = mirror_map(mean)
    assert (mirror[mirror] == np.arange(LANDMARKS)).all(), "the mirror map must undo itself"

    # Triangulated with the mouth open, so that no triangle bridges the lips but those of the opening.
    opened = mean_face(faces_with_mouth(data, 0.2, 1.0))[:SKIN, :2]
    triangles = Delaunay(opened).simplices
    edges = np.linalg.norm(opened[triangles] - opened[np.roll(triangles, 1, axis=1)], axis=-1)
    triangles = triangles[edges.max(axis=1) < 0.6]
    outlines = [EYES[0].outline, EYES[1].outline, MOUTH_OUTLINE]
    for outline in outlines:
        for side in zip(outline, (*outline[1:], outline[0]), strict=True):
            triangles = with_side(triangles, *side)
    found = len(triangles)
    triangles = with_rim(triangles)
    inside = np.array([any(set(t) <= set(outline) for outline in outlines) for t in triangles.tolist()])
    a, b, c = (opened[triangles[:, i]] for i in range(3))
    clockwise = np.cross(b - a, c - a) < 0
    clockwise[found:] = False  # those follow the rim
    triangles[clockwise] = triangles[clockwise][:, ::-1]
    OUT.parent.mkdir(exist_ok=True)
    save_file(
        {
            "shape": mean.astype(np.float32),
            "triangles": triangles[~inside].astype(np.int16),
            "openings": triangles[inside].astype(np.int16),
            "mirror": mirror.astype(np.int16),
        },
        OUT,
    )
    save_file({"modes": variation(data, mean.astype(np.float32), mirror).astype(np.float16)}, VARIATION)
    print(f"{OUT}: {(~inside).sum()} triangles of skin, {inside.sum()} in openings, {OUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
