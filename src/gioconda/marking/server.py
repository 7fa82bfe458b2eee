"""The page on which a person marks a face, and its server (see `local_server.py` for who may ask).

Only the page and the one picture are served. The fit is made here, so that the page shows exactly
what `animate` will use.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from typing import Any, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from gioconda.errors import GiocondaError
from gioconda.face import BROWS, EYES, LIPS_OUTER_LOWER, LIPS_OUTER_UPPER, MOUTH_OUTLINE, OVAL, Points, face_model
from gioconda.local_server import LocalRequest, LocalServer
from gioconda.marks import FORMAT, NAMES, VERSION, Marks, marks_from_json, marks_of
from gioconda.media.pictures import Picture
from gioconda.untrusted import parse_json

MOST_SHOWN = 2400
"""Longest side, in pixels, of the picture as the page shows it."""
MOST_SENT = 64 * 1024
"""Bytes that the page may send at once; all marks take less than 2,000."""

_LIPS = (*LIPS_OUTER_UPPER, *LIPS_OUTER_LOWER[-2:0:-1])
_NOSE = (168, 6, 197, 195, 5, 4, 1)
_NOSTRILS = (129, 98, 2, 327, 358)
_CLOSED = (OVAL, _LIPS, MOUTH_OUTLINE, *(eye.outline for eye in EYES), *(eye.iris[1:] for eye in EYES))
_OPEN = (_NOSE, _NOSTRILS, *(brow[:5] for brow in BROWS), *(brow[5:] for brow in BROWS))


class Save(Protocol):
    """Keeps the marks, and says how to go on. Raises GiocondaError; the page shows it and stays."""

    def __call__(self, marks: Marks) -> str:
        """Called once a face fits the marks."""
        ...


def face_lines(points: Points, digits: int = 1) -> str:
    """The features of a face, (478, 3), as the data of an SVG path."""
    return "".join(
        ("M" + "L".join(f"{x:.{digits}f} {y:.{digits}f}" for x, y in points[list(line), :2])) + "Z" * closed
        for lines, closed in ((_CLOSED, True), (_OPEN, False))
        for line in lines
    )


def mesh_lines(points: Points) -> str:
    """The mesh of a face, (478, 3), as the data of an SVG path."""
    triangles = face_model().triangles.astype(int)
    sides = np.sort(np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), axis=1)
    ends = points[np.unique(sides, axis=0), :2]
    return "".join(f"M{a[0]:.1f} {a[1]:.1f}L{b[0]:.1f} {b[1]:.1f}" for a, b in ends)


@dataclass(frozen=True)
class _Page:
    html: bytes
    picture: bytes


def _page(picture: Picture, name: str, marks: Marks, found: str, nonce: str) -> _Page:
    height, width = picture.rgb.shape[:2]
    canonical = face_model().shape
    at = marks_of(canonical)
    left, top = canonical[:, :2].min(axis=0) - 0.15
    right, bottom = canonical[:, :2].max(axis=0) + 0.15
    data = {
        "name": name,
        "width": width,
        "height": height,
        "marks": {key: [float(v) for v in place] for key, place in marks.items()},
        "found": found,
        "names": {key: {"text": named.text, "first": named.first, "at": at[key]} for key, named in NAMES.items()},
        "guide": {
            "box": f"{left:.2f} {top:.2f} {right - left:.2f} {bottom - top:.2f}",
            "line": face_lines(canonical, 3),
        },
    }
    html = resources.files("gioconda.marking").joinpath("page.html").read_text(encoding="utf-8")
    # A "</script>" in a file name would end the script.
    filled = html.replace("{{NONCE}}", nonce).replace("{{DATA}}", json.dumps(data).replace("<", "\\u003c"))
    return _Page(filled.encode(), _encoded(picture))


def _encoded(picture: Picture) -> bytes:
    """PNG of the picture, at most `MOST_SHOWN` pixels a side: it need not be sharper than a screen zoomed in."""
    shown: NDArray[Any] = picture.rgb if picture.alpha is None else np.dstack((picture.rgb, picture.alpha))
    scale = MOST_SHOWN / max(shown.shape[:2])
    if scale < 1:
        shown = cv2.resize(shown, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    file = io.BytesIO()
    Image.fromarray(shown).save(file, "PNG", compress_level=1)
    return file.getvalue()


class MarkingServer(LocalServer):
    """Shows one picture until its marks are saved.

    `address` is where; `serve_forever` returns when the marks were saved or `shutdown` was called.
    """

    def __init__(self, picture: Picture, name: str, save: Save, marks: Marks | None = None, found: str = "") -> None:
        """The picture, what the page calls it, what keeps the marks, marks to begin with, and a word about them."""
        super().__init__(_Request)
        self.page = _page(picture, name, marks or {}, found, self.nonce)
        self.size = picture.rgb.shape[1], picture.rgb.shape[0]
        self.save = save


class _Request(LocalRequest):
    server: MarkingServer

    def get(self, wanted: str) -> None:
        page = self.server.page
        match wanted:
            case "":
                self.answer(HTTPStatus.OK, page.html, "text/html; charset=utf-8")
            case "picture":
                self.answer(HTTPStatus.OK, page.picture, "image/png")
            case _:
                self.refuse_unknown()

    def post(self, wanted: str) -> None:
        if wanted not in ("fit", "save"):
            return self.refuse_unknown()
        if self.headers.get_content_type() != "application/json":
            return self.refuse(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "JSON is wanted")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            return self.refuse(HTTPStatus.LENGTH_REQUIRED, "the length is wanted")
        # A number of thousands of digits is none that Python reads.
        if len(length) > 9 or int(length) > MOST_SENT:
            return self.refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {MOST_SENT} bytes")
        try:
            content = parse_json(self.rfile.read(int(length)))
            face = marks_from_json({"format": FORMAT, "version": VERSION, "points": content["points"]})
            points = face.points(*self.server.size)
            if wanted == "fit":
                return self.answer_json({"line": face_lines(points), "mesh": mesh_lines(points)})
            then = self.server.save(face.marks or {})
        except (ValueError, TypeError, KeyError):
            return self.refuse(HTTPStatus.BAD_REQUEST, "no points were sent")
        except GiocondaError as error:
            return self.refuse(HTTPStatus.UNPROCESSABLE_ENTITY, str(error))
        self.answer_json({"saved": True, "then": then})
        self.server.shutdown()
