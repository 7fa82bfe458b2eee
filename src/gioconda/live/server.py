"""The page that shows the mirror, and its server (see `local_server.py` for who may ask).

The page asks for the next picture when it has drawn the last, and gets the newest there is: so nothing queues up on
the way to it either. By asking it says what it has drawn, and that is how the whole latency is measured, by one clock.
"""

from __future__ import annotations

import html
import json
import math
import time
from dataclasses import dataclass
from http import HTTPStatus
from importlib import resources
from urllib.parse import parse_qsl

import cv2
import numpy as np
from numpy.typing import NDArray

from gioconda.errors import GiocondaError
from gioconda.live.drawing import Reflection
from gioconda.live.mirror import Mirror
from gioconda.live.newest import EndError
from gioconda.local_server import LOCAL, LocalRequest, LocalServer
from gioconda.media.pictures import jpeg

QUALITY = 90
"""Of the pictures, as JPEG counts it."""
WAIT = 10.0
"""Seconds after which a request for the next picture is answered without one."""
INSET, MARGIN = 0.3, 0.025
"""Width of the driver's small picture, and its distance from the edges, over the portrait's width."""
INFO = "Gioconda-Frame"
"""The header that says what a picture is."""

Rgb = NDArray[np.uint8]


@dataclass(frozen=True)
class Asked:
    """What the page wants.

    Attributes:
        after: number of the picture that it has drawn last; 0 for none.
        at: when the frame of that came, as it was told.
        driver: whether it wants to see the driver, too.
    """

    after: int = 0
    at: float | None = None
    driver: bool = False

    @staticmethod
    def of(query: str) -> Asked:
        """From the address. Raises ValueError."""
        given = dict(parse_qsl(query))
        at = float(given["at"]) if "at" in given else None
        if at is not None and not math.isfinite(at):
            raise ValueError(f"{at} is no time")
        return Asked(int(given.get("after", 0)), at, given.get("driver") == "1")


def with_driver(portrait: Rgb, driver: Rgb) -> Rgb:
    """A picture with that of the driver, small, in its lower right corner."""
    height, width = portrait.shape[:2]
    across = max(1, round(INSET * width))
    down = max(1, min(round(across * driver.shape[0] / driver.shape[1]), height))
    margin = round(MARGIN * width)
    right, bottom = width - margin, max(down, height - margin)
    both = portrait.copy()
    both[bottom - down : bottom, right - across : right] = cv2.resize(
        driver, (across, down), interpolation=cv2.INTER_AREA
    )
    return both


def encoded(reflection: Reflection, driver: bool) -> bytes:
    """A reflection as JPEG, with the frame that it was drawn from in the corner if that is wanted."""
    rgb = with_driver(reflection.rgb, reflection.moved.frame.rgb) if driver else reflection.rgb
    return jpeg(rgb, QUALITY)


class LiveServer(LocalServer):
    """Shows a mirror at `address` while `serve_forever` runs."""

    def __init__(self, mirror: Mirror, name: str, host: str = LOCAL, port: int = 0) -> None:
        """The mirror, what the page calls the portrait, and where to serve."""
        super().__init__(_Request, host, port)
        self.mirror = mirror
        page = resources.files("gioconda.live").joinpath("page.html").read_text(encoding="utf-8")
        self.page = page.replace("{{NONCE}}", self.nonce).replace("{{NAME}}", html.escape(name)).encode()


class _Request(LocalRequest):
    server: LiveServer
    protocol_version = "HTTP/1.1"  # one connection for all pictures
    disable_nagle_algorithm = True  # a picture must not wait for the receipt of its headers

    def get(self, wanted: str) -> None:
        what, _, query = wanted.partition("?")
        match what:
            case "":
                self.answer(HTTPStatus.OK, self.server.page, "text/html; charset=utf-8")
            case "frame":
                self._frame(query)
            case _:
                self.refuse_unknown()

    def post(self, wanted: str) -> None:
        if wanted != "recalibrate":
            return self.refuse_unknown()
        self.server.mirror.recalibrate()
        self.answer_json({"recalibrating": True})

    def _frame(self, query: str) -> None:
        now = time.monotonic()
        try:
            asked = Asked.of(query)
        except ValueError:
            return self.refuse(HTTPStatus.BAD_REQUEST, "numbers are wanted")
        try:
            found = self.server.mirror.reflections.after(asked.after, WAIT)
        except (EndError, GiocondaError):
            return self.refuse(HTTPStatus.GONE, "the mirror has ended")
        if found is None:
            return self.answer(HTTPStatus.NO_CONTENT, b"", "image/jpeg")
        number, reflection = found
        height, width = reflection.rgb.shape[:2]
        info = {
            "number": number,
            "at": reflection.moved.frame.at,
            "state": reflection.moved.state,
            "size": [width, height],
            "drawn_ms": round(1000 * reflection.latency, 1),
            "shown_ms": None if asked.at is None else round(1000 * (now - asked.at), 1),
        }
        self.answer(
            HTTPStatus.OK, encoded(reflection, asked.driver), "image/jpeg", **{INFO.replace("-", "_"): json.dumps(info)}
        )
