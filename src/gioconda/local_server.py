"""The server behind the program's own pages, shown to this machine only unless told otherwise.

The address holds a token; requests without it, with another Host, or from another page are refused.
A page may load nothing from elsewhere.
"""

from __future__ import annotations

import json
import secrets
import socket
import time
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any

from gioconda.errors import UsageError

LOCAL = "127.0.0.1"
"""This machine only."""
EVERYWHERE = "0.0.0.0"
"""All networks that this machine is in."""
PATIENCE = 20
"""Seconds that a request may take to arrive."""
LINGER = 1.0
"""Seconds for which somebody who was answered already is heard out."""


class LocalServer(ThreadingHTTPServer):
    """A server whose `address` nobody can guess.

    Raises:
        UsageError: it cannot listen there.
    """

    daemon_threads = True

    def __init__(self, request: type[LocalRequest], host: str = LOCAL, port: int = 0) -> None:
        """What answers requests, the address to listen at, and the port, 0 for any that is free."""
        try:
            super().__init__((host, port), request)
        except (OSError, OverflowError) as error:
            raise UsageError(f"cannot serve at {host}, port {port} ({error}); give another --host or --port") from error
        self.token = secrets.token_urlsafe(18)
        self.nonce = secrets.token_urlsafe(16)
        shown = socket.gethostname() if host == EVERYWHERE else host
        self.host = f"{shown}:{self.server_address[1]}"
        self.address = f"http://{self.host}/{self.token}/"
        self._any_host = host == EVERYWHERE

    def server_bind(self) -> None:
        """As a plain server does it: one for the web would ask the network for this machine's name."""
        TCPServer.server_bind(self)

    def knows(self, host: str | None) -> bool:
        """Whether a request was for this server, by the Host it gives.

        This keeps a page elsewhere, whose name was made to mean this machine, from asking. Which names a server
        on all networks has is not known; there the token alone must do.
        """
        return host == self.host or (self._any_host and host is not None)

    def shutdown_request(self, request: Any) -> None:
        """Hear out who still sends before hanging up: else their machine would throw the answer away."""
        end = time.monotonic() + LINGER
        with suppress(OSError):
            request.shutdown(socket.SHUT_WR)
            request.settimeout(LINGER)
            while time.monotonic() < end and request.recv(1 << 16):
                pass
        self.close_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that hangs up is no news."""


class LocalRequest(BaseHTTPRequestHandler):
    """Answers to those who know the address. Further classes say what there is to get and to post."""

    server: LocalServer
    server_version, sys_version = "gioconda", ""
    timeout = PATIENCE

    def get(self, wanted: str) -> None:
        """Answer a request for what the address names behind the token."""
        self.refuse_unknown()

    def post(self, wanted: str) -> None:
        """Answer what a page of this server sends."""
        self.refuse_unknown()

    def do_GET(self) -> None:
        """Called by the base class."""
        wanted = self._wanted()
        if wanted is not None:
            self.get(wanted)

    def do_POST(self) -> None:
        """Called by the base class."""
        wanted = self._wanted()
        if wanted is None:
            return
        own = f"http://{self.headers.get('Host')}"
        if self.headers.get("Origin", own) != own:
            return self.refuse(HTTPStatus.FORBIDDEN, "another page asked")
        self.post(wanted)

    def _wanted(self) -> str | None:
        """What is asked for, behind the token; None if it was refused."""
        # A body may stay unread, and must not be taken for the next request.
        if self.headers.get("Content-Length", "0") != "0" or "Transfer-Encoding" in self.headers:
            self.close_connection = True
        if not self.server.knows(self.headers.get("Host")):
            self.refuse(HTTPStatus.FORBIDDEN, "this page is for this machine only")
            return None
        token, slash, wanted = self.path.removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self.refuse(HTTPStatus.FORBIDDEN, "open the whole address that the terminal shows")
            return None
        return wanted

    def refuse(self, status: HTTPStatus, why: str) -> None:
        """Answer with an error."""
        # What was not read of the request must not be taken for the next one.
        self.close_connection = True
        self.answer(status, json.dumps({"error": why}).encode(), "application/json")

    def refuse_unknown(self) -> None:
        """Answer that there is no such thing."""
        self.refuse(HTTPStatus.NOT_FOUND, "there is nothing of that name")

    def answer_json(self, content: dict[str, Any]) -> None:
        """Answer with an object."""
        self.answer(HTTPStatus.OK, json.dumps(content).encode(), "application/json")

    def answer(self, status: HTTPStatus, body: bytes, kind: str, **headers: str) -> None:
        """Answer with some bytes of a media type, and further headers (`_` for `-`)."""
        self.send_response(status)
        for name, value in {
            "Content-Type": kind,
            "Content-Length": str(len(body)),
            "Cache-Control": "no-store",
            "Referrer-Policy": "no-referrer",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": (
                f"default-src 'none'; img-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; "
                f"script-src 'nonce-{self.server.nonce}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            ),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """Silence: the terminal is the user's."""
