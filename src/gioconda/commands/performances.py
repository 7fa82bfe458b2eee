"""`gioconda performances`."""

from __future__ import annotations

import argparse

from gioconda.commands.options import Verbs, verb


def add(verbs: Verbs) -> None:
    """Register the command."""
    verb(verbs, "performances", _run, "list the built-in performances")


def _run(options: argparse.Namespace) -> None:
    from gioconda.drivers import builtin, builtin_names

    for name in builtin_names():
        performance = builtin(name)
        print(f"{name}: {performance.duration:.1f} s, {performance.fps:g} frames per second")
