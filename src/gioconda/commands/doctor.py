"""`gioconda doctor`."""

from __future__ import annotations

import argparse

from gioconda.commands.options import Verbs, verb
from gioconda.errors import UsageError


def add(verbs: Verbs) -> None:
    """Register the command."""
    verb(verbs, "doctor", _run, "what is installed, what runs where, what is missing and how to get it")


def _run(options: argparse.Namespace) -> None:
    from gioconda.doctor import examine

    broken = 0
    for finding in examine():
        print(f"{finding.state:8} {finding.what:22} {finding.detail}")
        broken += finding.state == "broken"
    if broken:
        raise UsageError(f"{broken} of the above is broken; the line says how to mend it")
