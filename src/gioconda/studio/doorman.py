"""Who may ask for what: everything that reaches the studio passes here first.

Refused are: other names of this machine (a page elsewhere whose name was made to mean it), other pages that ask,
whoever has no token where one is wanted, all of Gradio's routes that the page does not need (some fetch addresses
or run code), and files that are not the visitor's own.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import cookie_parser
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gioconda.studio.turns import KEPT, Turns
from gioconda.studio.visitors import COOKIE, Visitors, new_visitor, visitor_of
from gioconda.untrusted import parse_json

TOKEN_COOKIE = "gioconda-token"
MOST_SAID = 1 << 20
"""Bytes of a message other than an upload."""

_API = "/gradio_api"
_CALLS = "(animate|check)"
"""What may be asked for by name: see `api.py`."""
_READ = re.compile(
    rf"/|/(config|theme\.css|favicon\.ico|manifest\.json|robots\.txt)|/(assets|static|previews|still)/.+"
    rf"|{_API}/(info|openapi\.json|startup-events|upload_progress|file=.+|heartbeat/\w+|queue/data|theme\.css)/?"
    rf"|{_API}/call/(v2/)?{_CALLS}/\w+"
)
_WRITTEN = re.compile(rf"{_API}/(upload|queue/join|cancel|reset|run/predict|call/(v2/)?{_CALLS})/?")

_QUEUED = re.compile(rf"{_API}/(queue/join|call/(v2/)?{_CALLS})/?")
"""What has to wait in the queue."""

_POLICY = (
    "default-src 'none'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; worker-src 'self' blob:; "
    "style-src 'self' 'unsafe-inline'; font-src 'self' data:; img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; "
    "connect-src 'self' data: blob:; manifest-src 'self'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Resource-Policy": "same-origin",
}


@dataclass(frozen=True)
class Doorman:
    """ASGI middleware.

    Attributes:
        app: what is behind the door.
        visitors: whose files are whose.
        hosts: names under which the studio may be asked for; none for any.
        token: what a visitor must bring, as `?token=` once or as a bearer's; None for nothing.
        waiting: how many are in the queue now.
        most: how many it takes.
        turns: who is next when it is full.
    """

    app: ASGIApp
    visitors: Visitors
    hosts: frozenset[str] = frozenset()
    token: str | None = None
    waiting: Callable[[], int] = lambda: 0
    most: int = 1
    turns: Turns = field(default_factory=Turns)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let through or refuse one request."""
        if scope["type"] == "lifespan":
            return await self.app(scope, receive, send)
        if scope["type"] != "http":
            return None  # the page opens no web sockets
        headers = Headers(scope=scope)
        cookies = cookie_parser(headers.get("cookie", ""))
        newcomer = scope["path"] == "/" and COOKIE not in cookies
        visitor = visitor_of(cookies, (scope.get("client") or ("",))[0])

        queued = scope["method"] == "POST" and _QUEUED.fullmatch(scope["path"]) is not None
        last: Message | None = None

        async def answer(message: Message) -> None:
            nonlocal last
            last = message
            if message["type"] == "http.response.start":
                sent = MutableHeaders(scope=message)
                sent.update(_HEADERS)
                if queued and message["status"] == 200:
                    self.turns.let_in(visitor)
                elif queued and message["status"] == 503:  # two came at the same moment for one place
                    self.turns.sent_away(visitor)
                if newcomer:
                    sent.append("Set-Cookie", _cookie(COOKIE, new_visitor()))
            await send(message)

        refusal = self._refusal(scope, headers) or self._stranger(scope, headers, cookies)
        if refusal is None and scope["method"] == "POST" and not scope["path"].startswith(f"{_API}/upload"):
            body = await _body(receive)
            refusal = self._misuse(body, visitor)
            receive = _again(body or b"", receive)
        if refusal is None and queued:
            refusal = self._full(visitor)
        try:
            await (refusal or self.app)(scope, receive, answer)
        except asyncio.CancelledError:  # the studio closes; tabs that are open listen for news
            if last is None:
                await PlainTextResponse("the studio closes\n", 503)(scope, receive, send)
            await _end(last, send)
        except RuntimeError as error:
            # Who asks for news of what there is not has been told so when Gradio raises this, after the answer began.
            if not isinstance(error.__cause__, HTTPException):
                raise
            await _end(last, send)

    def _refusal(self, scope: Scope, headers: Headers) -> Response | None:
        """Why nobody may ask for that."""
        host = headers.get("host", "")
        if self.hosts and _name(host) not in self.hosts:
            return PlainTextResponse("this page is for this machine only\n", 403)
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != host:
            return PlainTextResponse("another page asked\n", 403)
        wanted = {"GET": _READ, "HEAD": _READ, "POST": _WRITTEN}.get(scope["method"])
        if wanted is None or not wanted.fullmatch(scope["path"]):
            return PlainTextResponse("there is nothing of that name\n", 404)
        return None

    def _misuse(self, body: bytes | None, visitor: str) -> Response | None:
        """Why a message goes no further: it is too long, no JSON, or names a file that is not the visitor's."""
        if body is None:
            return PlainTextResponse(f"more than {MOST_SAID} bytes\n", 413)
        try:
            message = parse_json(body or b"{}")
            # Numbers and characters that JSON has not; answers that repeat them could not be written.
            json.dumps(message, ensure_ascii=False, allow_nan=False).encode()
        except ValueError:
            return PlainTextResponse("JSON is wanted\n", 400)
        if all(self.visitors.owns(visitor, path) for path in _paths(message)):
            return None
        return PlainTextResponse("there is no such file of yours\n", 403)

    def _full(self, visitor: str) -> Response | None:
        """What somebody is told for whom the queue has no room, since it is full or others were sent away before."""
        before, waiting = self.turns.before(visitor), self.waiting()
        if before < self.most - waiting:
            return None
        self.turns.sent_away(visitor)
        told = (
            f"Queue is full: {waiting} of {self.most} places are taken, and {before} were sent away before you. "
            f"Ask again within {KEPT:g} seconds, and your place among them is kept."
        )
        return JSONResponse({"detail": told}, 503, {"Retry-After": "2"})

    def _stranger(self, scope: Scope, headers: Headers, cookies: dict[str, str]) -> Response | None:
        """What somebody is told who has not shown the token yet; None for whoever has."""
        if self.token is None:
            return None
        bearer = headers.get("authorization", "").removeprefix("Bearer ")
        if any(
            secrets.compare_digest(self.token.encode(), word.encode())
            for word in (bearer, cookies.get(TOKEN_COOKIE, ""))
        ):
            return None
        (brought,) = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[:1]
        if scope["path"] == "/" and secrets.compare_digest(self.token.encode(), brought.encode()):
            welcome = RedirectResponse("/", 303)
            welcome.headers.append("Set-Cookie", _cookie(TOKEN_COOKIE, self.token))
            return welcome
        return PlainTextResponse("open the whole address that the terminal shows, with its token\n", 401)


async def _end(last: Message | None, send: Send) -> None:
    """End an answer that has begun and not come to its end; the last piece of it tells."""
    if last is not None and (last["type"] == "http.response.start" or last.get("more_body")):
        await send({"type": "http.response.body"})


def _name(host: str) -> str:
    """The host without its port."""
    return urlsplit(f"//{host}").hostname or ""


def _cookie(name: str, value: str) -> str:
    return f"{name}={value}; HttpOnly; Path=/; SameSite=Strict"


async def _body(receive: Receive) -> bytes | None:
    """All of a message; None where it is too long."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MOST_SAID:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes, receive: Receive) -> Receive:
    """A message that was read, to be read once more; after it whatever comes, such as the news of a hang-up."""
    unread = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return unread.pop() if unread else await receive()

    return replayed


def _paths(message: Any) -> Iterator[str]:
    """The files that a message names, wherever in it; also those that it gives as an address."""
    waiting = [message]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict):
            if isinstance(path := part.get("path"), str):
                yield path
            waiting += part.values()
        elif isinstance(part, list):
            waiting += part
