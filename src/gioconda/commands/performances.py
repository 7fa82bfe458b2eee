"""`gioconda performances`."""

from __future__ import annotations

import argparse
from pathlib import Path

from gioconda.commands.options import Verbs, verb
from gioconda.errors import OutputError


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "performances", _run, "list the built-in performances")
    added.add_argument("--preview", type=Path, metavar="FOLDER", help="draw each there, as a small animated WebP")


def _run(options: argparse.Namespace) -> None:
    from gioconda.drivers import builtin, builtin_names
    from gioconda.media.clip import check_output
    from gioconda.preview import save_preview

    folder: Path | None = options.preview
    if folder:
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file; give a folder")
        check_output(folder.parent / "preview.webp")
        folder.mkdir(exist_ok=True)
    for name in builtin_names():
        performance = builtin(name)
        line = f"{name}: {performance.duration:.1f} s, {performance.fps:g} frames per second"
        if folder:
            save_preview(performance, folder / f"{name}.webp")
            line += f", drawn in {folder / f'{name}.webp'}"
        print(line)
