"""The still editor's picture, asked for by the page's own script: a change is seen within a tenth of a second."""

from __future__ import annotations

import math
import secrets
import threading
from dataclasses import dataclass

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from gioconda.media.pictures import jpeg
from gioconda.studio.fragments import QUALITY
from gioconda.studio.still_editor import DIALS, Expression, StillEditor
from gioconda.studio.subject import Subject
from gioconda.studio.visitors import visitor_of


@dataclass(frozen=True)
class _Open:
    visitor: str
    key: str
    editor: StillEditor


class Editors:
    """The still editor that is open in each tab. Calls may come from several threads."""

    def __init__(self) -> None:
        self._open: dict[str, _Open] = {}
        self._lock = threading.Lock()

    def open(self, visitor: str, tab: str, subject: Subject) -> tuple[StillEditor, str]:
        """The editor of a subject whose face is known, and the key under which its pictures are to be had."""
        with self._lock:
            now = self._open.get(tab)
            if now is None or now.editor.subject is not subject:
                now = self._open[tab] = _Open(visitor, secrets.token_urlsafe(18), StillEditor.of(subject))
            return now.editor, now.key

    def close(self, tab: str) -> None:
        """It is needed no longer."""
        with self._lock:
            self._open.pop(tab, None)

    def find(self, visitor: str, key: str) -> StillEditor | None:
        """A visitor's own editor."""
        with self._lock:
            return next((o.editor for o in self._open.values() if (o.visitor, o.key) == (visitor, key)), None)


def still_route(editors: Editors) -> APIRouter:
    """`/still/KEY?yaw=10&smile=0.5`: a JPEG."""
    route = APIRouter()

    @route.get("/still/{key}")
    def still(key: str, request: Request) -> Response:
        editor = editors.find(visitor_of(request.cookies, request.client.host if request.client else ""), key)
        if editor is None:
            return PlainTextResponse("there is no such picture of yours\n", 404)
        try:
            dials = {name: float(value) for name, value in request.query_params.items() if name in DIALS}
        except ValueError:
            dials = {"": math.nan}
        if not all(map(math.isfinite, dials.values())):
            return PlainTextResponse("a dial is set to a number\n", 422)
        picture = jpeg(editor.draw(Expression.of(dials)), QUALITY)
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "no-store"})

    return route
