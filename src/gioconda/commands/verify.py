"""`gioconda verify`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gioconda.commands.options import Verbs, verb
from gioconda.untrusted import printable

if TYPE_CHECKING:
    from gioconda.credentials.reading import Credentials
    from gioconda.credentials.verification import Finding

SPOKEN = {
    "INTACT": "made with Gioconda, unchanged since it was signed",
    "CHANGED": "says that it was made with Gioconda, but was changed after it was signed",
    "MARKED": "made with Gioconda by its mark, but its credentials are gone",
    "FOREIGN": "nothing says that it was made with Gioconda",
    "UNREADABLE": "cannot be read",
}
"""What each verdict says, by its name."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "verify", _run, "what a clip is: who signed it, whether it was changed, whether it is marked")
    added.add_argument("file", type=Path, metavar="FILE", help="a clip or a picture, anybody's")
    added.add_argument("--json", action="store_true", help="print it as JSON")


def _run(options: argparse.Namespace) -> int:
    from gioconda.credentials.verification import verify

    finding = verify(options.file)
    if options.json:
        print(json.dumps(as_json(finding), indent=2))
    else:
        print(f"{printable(str(finding.path))}: {SPOKEN[finding.verdict.name]}")
        for what, text in lines_of(finding):
            print(f"  {what:12} {printable(text)}")
    return finding.verdict.value


def as_json(finding: Finding) -> dict[str, Any]:
    """The finding for machines; `docs/credentials.md` describes it."""
    found = {"file": str(finding.path), "verdict": finding.verdict.name.lower(), "reason": finding.reason}
    told, mark = finding.credentials, finding.mark
    credentials = told and {**vars(told), "sidecar": str(told.sidecar) if told.sidecar else None}
    return {
        **found,
        "credentials": credentials,
        "mark": mark and {"found": mark.found, "score": round(mark.score, 2), "frames": mark.frames},
    }


def lines_of(finding: Finding) -> list[tuple[str, str]]:
    """What is known, one line each."""
    lines = []
    told, mark = finding.credentials, finding.mark
    if told is None:
        lines.append(("credentials", "none"))
    else:
        lines.append(("made by", told.program + (f", renderer {told.renderer}" if told.renderer else "")))
        if told.source_type:
            lines.append(("kind", told.source_type))
        lines.append(("signed by", _signer(told)))
        if told.problems:
            lines.append(("not valid", ", ".join(told.problems)))
        if told.within:
            lines.append(("made from", ", ".join(told.within)))
        lines += [("portrait", f"SHA-256 {value}") for value in told.portraits]
        lines += [("performance", f"SHA-256 {value}") for value in told.performances]
        if told.weights:
            lines.append(("weights", f"SHA-256 {told.weights}"))
        if told.consent:
            lines.append(("consent", told.consent))
        if told.sidecar:
            lines.append(("sidecar", str(told.sidecar)))
    if mark is not None:
        frames = "1 frame" if mark.frames == 1 else f"{mark.frames} frames"
        lines.append(("mark", f"{'found' if mark.found else 'not found'} (score {mark.score:.1f} in {frames})"))
    if finding.reason:
        lines.append(("pixels", finding.reason))
    return lines


def _signer(told: Credentials) -> str:
    """Whose certificate it is, and whether that says who they are."""
    if told.this_machine:
        return "this machine's own certificate, which nobody vouches for"
    vouched = "a known authority vouches for it" if told.trusted else "nobody known here vouches for it"
    return f"{told.signer} ({vouched})"
