"""The user study: can people tell? A page with three frames at a time, one of which is of another kind.

As in Zakharov et al. 2019: two real frames of a person and one made, or the reverse; whoever looks at them says
which is the odd one. 0.33 is found out by chance, which is the goal.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np

from gioconda.errors import OutputError, UsageError
from gioconda.evaluation import results
from gioconda.evaluation.renderers import STILL
from gioconda.evaluation.store import ClipFolder, write_text

TRIPLETS = 30
FRAMES = 3


@dataclass(frozen=True)
class Triplet:
    """Three frames of one person.

    Attributes:
        clip: the shot.
        maker: renderer and number of views.
        kinds: "real" or "made", in the order shown.
        frames: numbers of the test frames, all different.
        odd: which of the three is of the other kind, 0 to 2.
    """

    clip: str
    maker: str
    kinds: tuple[str, str, str]
    frames: tuple[int, int, int]
    odd: int


def choose(found: Mapping[tuple[str, str], list[int]], seed: int, most: int = TRIPLETS) -> list[Triplet]:
    """Choose triplets at random.

    Args:
        found: for each clip and maker, the frames of which both the true and the made one are there.
        seed: same seed, same triplets.
        most: number of triplets; fewer where there are not as many clips and makers.
    """
    rng = np.random.default_rng(seed)
    usable = sorted(key for key, frames in found.items() if len(frames) >= FRAMES)
    order = rng.permutation(len(usable))[:most]
    triplets = []
    for number, place in enumerate(order):
        clip, maker = usable[place]
        frames = rng.choice(sorted(found[usable[place]]), FRAMES, replace=False)
        odd = int(rng.integers(FRAMES))
        # As many made ones among real ones as real ones among made ones.
        rare, common = ("made", "real") if number % 2 == 0 else ("real", "made")
        kinds = tuple(rare if k == odd else common for k in range(FRAMES))
        triplets.append(Triplet(clip, maker, kinds, tuple(int(f) for f in frames), odd))  # type: ignore[arg-type]
    return [triplets[k] for k in rng.permutation(len(triplets))]


def write(folder: Path, out: Path, seed: int = 0, most: int = TRIPLETS) -> int:
    """Make the page from a folder of results; give back the number of triplets.

    Raises:
        UsageError: no results, none of the `self` track, or no frames kept.
        OutputError: it cannot be written.
    """
    if out.suffix.lower() not in (".html", ".htm"):
        raise OutputError(f"{out}: the study is a page; let the name end in .html")
    whole = results.read(folder)
    about = whole["runs"].get("self")
    if about is None:
        raise UsageError(f"{folder} has no figures of the track 'self'; a study needs true frames to compare with")
    root = folder / "runs" / about["fingerprint"]
    triplets = choose(available(root, about), seed, most)
    if not triplets:
        raise UsageError(f"{folder} keeps no frames of a renderer; run 'gioconda evaluate --track self' into it again")
    write_text(out, page([_with_pictures(root, triplet) for triplet in triplets], seed))
    return len(triplets)


def available(root: Path, about: Mapping[str, Any]) -> dict[tuple[str, str], list[int]]:
    """For each clip and maker, the frames of which both the true and the made one are kept."""
    found = {}
    for entry in about["clips"]:
        folder = ClipFolder(root, entry["clip"])
        for renderer in about["renderers"]:
            for views in about["views"]:
                kept = None if renderer == STILL else folder.load(renderer, views)
                if kept is not None:
                    maker = f"{renderer}-{views}"
                    found[entry["clip"], maker] = [
                        i
                        for i in kept.facts["places"]
                        if folder.frame("truth", i).is_file() and folder.frame(maker, i).is_file()
                    ]
    return found


def page(triplets: list[dict[str, Any]], seed: int) -> str:
    """The page as HTML."""
    template = resources.files("gioconda.evaluation").joinpath("study.html").read_text(encoding="utf-8")
    # "</" inside a script would end it.
    data = json.dumps({"seed": seed, "triplets": triplets}).replace("</", "<\\/")
    return template.replace("{{DATA}}", data)


def _with_pictures(root: Path, triplet: Triplet) -> dict[str, Any]:
    folder = ClipFolder(root, triplet.clip)
    pictures = []
    for kind, index in zip(triplet.kinds, triplet.frames, strict=True):
        data = folder.frame("truth" if kind == "real" else triplet.maker, index).read_bytes()
        pictures.append("data:image/jpeg;base64," + base64.b64encode(data).decode("ascii"))
    return asdict(triplet) | {"pictures": pictures}
