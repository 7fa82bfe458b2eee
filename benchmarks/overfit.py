"""Can the `sketch` networks learn at all? One person, 32 frames of 128 pixels, until SSIM is above 0.9.

    python benchmarks/overfit.py --data DATA --out FOLDER

Writes overfit.json (SSIM by step and second) and overfit.png (above what was made, below the truth).
Needs the extra `learn`. No figure of it says anything about people the networks have not seen.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from gioconda.evaluation.pixels import ssim
from gioconda.learning.dataset import usable_shots
from gioconda.learning.episodes import Wildness, draw_episode
from gioconda.learning.footage import Footage, cut
from gioconda.learning.meta import PRESETS, Learner
from gioconda.learning.raster import draw_sketch
from gioconda.media.pictures import write_png

FRAMES, VIEWS = 32, 8


def main() -> None:
    """Learn one shot by heart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="a dataset folder")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--shot", type=int, default=0, help="which training shot of 100 frames or more (default: 0)")
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.out.mkdir(parents=True, exist_ok=True)

    shot = [shot for shot in usable_shots(options.data) if len(shot.points) >= 100][options.shot]
    numbers = np.unique(np.linspace(0, len(shot.points) - 1, FRAMES).astype(int))
    frames, points = cut(shot.frames(numbers), shot.points[numbers], PRESETS["narrow"].shape.size)
    starts = torch.tensor([0, len(frames)])
    footage = Footage(torch.from_numpy(frames), torch.from_numpy(points), starts, ((0,),), ())
    tame = Wildness(turn=0, zoom=0, shift=0, colour=0, grey=0, mirror=False)
    settings = replace(PRESETS["narrow"], wildness=tame, average=0.98)
    learner = Learner(settings, footage.videos, "cpu")
    sketches = draw_sketch(footage.points, settings.shape.size)
    truth = footage.frames.permute(0, 2, 3, 1).numpy()
    curve, began = [], time.monotonic()
    while (elapsed := time.monotonic() - began) < 60 * options.minutes:
        random = torch.Generator().manual_seed(learner.step)
        learner.learn(draw_episode(footage, settings.people, settings.views, tame, random))
        if learner.step % 25:
            continue
        with torch.no_grad():
            pictures = footage.frames[None, :VIEWS].float() / 255
            personal = learner.mean_generator.personal(learner.mean_embedder(pictures, sketches[None, :VIEWS]))
            made = (learner.mean_generator(sketches, personal) * 255).round().byte().permute(0, 2, 3, 1).numpy()
        curve.append({"step": learner.step, "seconds": round(elapsed, 1), "ssim": _ssim(made, truth)})
        print(json.dumps(curve[-1]), flush=True)
        write_png(options.out / "overfit.png", np.vstack([np.hstack(made[::4]), np.hstack(truth[::4])]))
        (options.out / "overfit.json").write_text(json.dumps({"shot": shot.id, "curve": curve}, indent=1) + "\n")
        if curve[-1]["ssim"] > 0.9:
            break


def _ssim(made: np.ndarray, truth: np.ndarray) -> float:
    return round(float(np.mean([ssim(a, b) for a, b in zip(made, truth, strict=True)])), 4)


if __name__ == "__main__":
    main()
