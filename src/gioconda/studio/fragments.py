"""Pieces of the page, as HTML. Every text that comes from outside is escaped here."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.commands.verify import SPOKEN, lines_of
from gioconda.credentials.verification import Finding
from gioconda.media.pictures import jpeg
from gioconda.portrait_check import Report
from gioconda.studio.jobs import Moment
from gioconda.studio.making import Made
from gioconda.untrusted import printable

if TYPE_CHECKING:
    from gioconda.learning.fine_tuning import Look

PREVIEW = 480
"""Longest side, in pixels, of the picture shown while a clip is rendered."""
QUALITY = 85
"""Of such a picture, as JPEG counts it."""
CHART = 320, 120
"""Width and height of the chart of a fine-tuning."""


def note(text: str, kind: str = "note") -> str:
    """A line: a 'note', a 'fault', or 'good' news."""
    role = ' role="alert"' if kind == "fault" else ' role="status"'
    return f'<p class="{kind}"{role}>{escape(text)}</p>'


def progress(moment: Moment, preview: NDArray[np.uint8] | None = None) -> str:
    """How far it is, how long it still takes, and what was made last."""
    counted = f"{moment.done} of {moment.total}" if moment.total else ""
    left = f"about {duration(moment.left)} left" if moment.left is not None else ""
    stage = escape(moment.stage)
    told = " · ".join(filter(None, (stage, counted, left)))
    bar = f'<progress max="1" value="{moment.share:.3f}" aria-label="{stage}"></progress>'
    shown = "" if preview is None else f'<img class="preview" alt="what was rendered last" src="{inline(preview)}">'
    return f'<div class="job" role="status"><p>{told}</p>{bar}{shown}</div>'


def duration(seconds: float) -> str:
    """For people: '40 s', '2 min 5 s'."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def inline(rgb: NDArray[np.uint8], most: int = PREVIEW) -> str:
    """A picture, at most so many pixels a side, as an address that holds it."""
    scale = most / max(rgb.shape[:2])
    if scale < 1:
        rgb = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg(rgb, QUALITY)).decode()}"


def still(rgb: NDArray[np.uint8], key: str) -> str:
    """The picture of the still editor, and where `page.js` gets it with other expressions."""
    return f'<img class="still" alt="the picture with this expression" data-key="{key}" src="{inline(rgb)}">'


def card(report: Report) -> str:
    """Which pictures are of use, and what would help."""
    rows = []
    for found in report.pictures:
        faults = "" if found.usable and not found.faults else ", ".join(found.faults) or _problem(found.problem)
        state, word = ("good", "of use") if found.usable else ("fault", "of no use")
        what = f"{word}: {faults}" if faults else word
        rows.append(f'<li><span class="{state}">{escape(what)}</span> {escape(found.path.name)}</li>')
    return (
        f'<section class="card" aria-label="Quality of the pictures"><ul>{"".join(rows)}</ul>'
        + _advice("What would help", report.advice)
        + "</section>"
    )


def _problem(problem: str | None) -> str:
    return (problem or "").partition(" (")[0]


def _advice(title: str, texts: Sequence[str]) -> str:
    if not texts:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in texts)
    return f"<details open><summary>{title}</summary><ul>{items}</ul></details>"


def side_by_side(made: Made) -> str:
    """The driver and the clip, playing together; or the clip alone."""
    pair = _moving(made.clip, "the clip", 'id="clip"')
    if made.driver is not None:
        pair = _moving(made.driver, "the driver", 'id="driver" muted') + pair
    notes = "".join(note(text) for text in made.notes)
    return f'<div class="pair">{pair}</div>{notes}'


_TOGETHER = (
    "const d=document.getElementById('driver');if(d){d.currentTime=this.currentTime;this.paused?d.pause():d.play()}"
)
"""What the clip's player does to the driver's when it is started, stopped or moved."""


def _moving(path: Path, name: str, attributes: str) -> str:
    address = address_of(path)
    if path.suffix.lower() in (".webp", ".png", ".gif"):
        shown = f'<img {attributes} src="{address}" alt="{name}">'
    else:
        follows = (
            "" if "driver" in attributes else f' onplay="{_TOGETHER}" onpause="{_TOGETHER}" onseeked="{_TOGETHER}"'
        )
        shown = f'<video {attributes} src="{address}" controls loop playsinline preload="auto"{follows}></video>'
    return f"<figure>{shown}<figcaption>{name}</figcaption></figure>"


def address_of(path: Path) -> str:
    """Where a visitor's own file is to be had."""
    return f"gradio_api/file={quote(str(path))}"


def credentials(finding: Finding) -> str:
    """What a file says of itself."""
    state = {"INTACT": "good", "CHANGED": "fault"}.get(finding.verdict.name, "note")
    rows = "".join(
        f"<tr><th>{escape(what)}</th><td>{escape(printable(text).replace(f'{finding.path.parent}/', ''))}</td></tr>"
        for what, text in lines_of(finding)
    )
    return (
        f'<section class="card" aria-label="Credentials"><p class="{state}">{escape(finding.path.name)}: '
        f"{escape(SPOKEN[finding.verdict.name])}</p><table>{rows}</table></section>"
    )


def fine_tuning(looks: Sequence[Look]) -> str:
    """What was seen of a fine-tuning: the error over the steps, and a sample beside what it should be."""
    if not looks:
        return ""
    steps, errors = [look.step for look in looks], [look.error for look in looks]
    width, height = CHART
    most, end = max(errors) or 1.0, max(steps[-1], 1)
    points = " ".join(
        f"{10 + (width - 20) * step / end:.1f},{height - 15 - (height - 30) * error / most:.1f}"
        for step, error in zip(steps, errors, strict=True)
    )
    told = f"step {steps[-1]}: error of held-out pictures {errors[-1]:.4f} (at first {errors[0]:.4f})"
    return (
        f'<figure class="chart"><svg viewBox="0 0 {width} {height}" role="img" aria-label="{told}">'
        f'<polyline points="{points}"/></svg><figcaption>{told}</figcaption></figure>'
        f'<figure><img class="preview" alt="a held-out picture, and what the network paints" '
        f'src="{inline(looks[-1].sample, 640)}">'
        "<figcaption>as it should be, and as it is painted now</figcaption></figure>"
    )
