"""Few-shot fine-tuning: a renderer's networks take up one person from 1 to 32 pictures."""

from __future__ import annotations

from pathlib import Path

from gioconda.avatar import Avatar
from gioconda.errors import UsageError
from gioconda.learning.fine_tuning import Watch, unwatched
from gioconda.learning.personal_sketch import personalize_sketch
from gioconda.learning.personal_warp import personalize_warp
from gioconda.portrait import Portrait
from gioconda.progress import Progress, quiet
from gioconda.rendering.renderer import DEFAULT_RENDERER, OWN_BASE


def personalize(
    portrait: Portrait,
    weights: Path | None = None,
    *,
    renderer: str = DEFAULT_RENDERER,
    fidelity: float = 1.0,
    consent: str = "",
    progress: Progress = quiet,
    watch: Watch = unwatched,
) -> Avatar:
    """Fine-tune a renderer to a person.

    Args:
        portrait: 1 to 32 views.
        weights: the network to begin with: of `warp` the warp.onnx of a training run, of `sketch` the
            sketch.safetensors of one; None for the package's own.
        renderer: `warp` or `sketch`.
        fidelity: 1 stops where held-out pictures are best; 0 does not fine-tune at all, 0.5 stops half way there, 2
            goes on for as long again, up to a limit.
        consent: a note to keep in the avatar.
        progress: told about every step.
        watch: shown every look at the held-out pictures.

    Raises:
        UsageError: no renderer that can be fine-tuned, weights that are of no use, or a fidelity out of range.
    """
    if renderer == "warp":
        return personalize_warp(portrait, weights, fidelity=fidelity, consent=consent, progress=progress, watch=watch)
    if renderer != "sketch":
        raise UsageError(f"the renderer {renderer!r} cannot be fine-tuned; warp and sketch can")
    base = weights or OWN_BASE
    return personalize_sketch(portrait, base, fidelity=fidelity, consent=consent, progress=progress, watch=watch)
