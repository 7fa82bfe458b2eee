"""The demonstration: a built-in portrait and three people's performances. No network, no files of the user's."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from gioconda.drivers import builtin, builtin_names
from gioconda.errors import MissingExtraError, OutputError
from gioconda.lids import fit_lids
from gioconda.media.clip import check_output
from gioconda.pipeline import Reel, animate
from gioconda.portrait import Portrait, View
from gioconda.progress import Progress, quiet
from gioconda.tracking import default_tracker

SIDE = 512


def demo_portrait() -> Portrait:
    """The astronaut Eileen Collins, a photograph by NASA in the public domain, from scikit-image.

    Raises:
        MissingExtraError: scikit-image is not installed.
    """
    try:
        from skimage.data import astronaut
    except ImportError as error:
        raise MissingExtraError(
            "the demo's portrait comes with scikit-image, which is not installed: pip install 'gioconda[demo]'"
        ) from error
    rgb = np.ascontiguousarray(astronaut()[:256, 96:352])
    rgb = np.asarray(cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_CUBIC), np.uint8)
    return Portrait((View(rgb, fit_lids(rgb, default_tracker().find(rgb).faces[0].points)),))


def make_demo(folder: Path, progress: Progress = quiet) -> list[Path]:
    """Write one clip per built-in performance and a reel of all into a folder; gives back their paths.

    Raises:
        MissingExtraError: as `demo_portrait`.
        OutputError: the folder cannot be written to.
    """
    portrait = demo_portrait()
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file; give a folder")
    check_output(folder.parent / "reel.mp4")
    folder.mkdir(exist_ok=True)
    performances = {name: builtin(name) for name in builtin_names()}
    paths = [
        animate(portrait, performance).save(folder / f"{name}.mp4", progress=progress)
        for name, performance in performances.items()
    ]
    reel = Reel.of(portrait, list(performances.values()), height=360)
    return [*paths, reel.save(folder / "reel.mp4", progress=progress)]
