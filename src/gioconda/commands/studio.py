"""`gioconda studio`."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import tempfile
import webbrowser
from pathlib import Path

from gioconda.commands.options import Verbs, number, verb
from gioconda.errors import MissingExtraError, UsageError

HERE = "127.0.0.1"


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "studio", _run, "a web page that does all this with the mouse (needs the extra 'studio')")
    added.add_argument(
        "--host", default=HERE, metavar="ADDRESS", help="where to listen; others than 127.0.0.1 want a token to get in"
    )
    added.add_argument("--port", type=int, default=7860, help="0 for any that is free (default: 7860)")
    added.add_argument("--no-browser", action="store_true", help="print the page's address only")
    added.add_argument(
        "--max-upload", type=int, default=300, metavar="MB", help="of what is sent at once (default: 300)"
    )
    added.add_argument(
        "--max-pixels", type=int, default=50_000_000, metavar="N", help="of a picture (default: 50 million)"
    )
    added.add_argument(
        "--max-seconds", type=number, default=60.0, metavar="S", help="of a video that are used (default: 60)"
    )
    added.add_argument(
        "--max-waiting", type=int, default=8, metavar="N", help="how many may wait in the queue (default: 8)"
    )


def _run(options: argparse.Namespace) -> None:
    for name in ("max_upload", "max_pixels", "max_seconds", "max_waiting"):
        if getattr(options, name) <= 0:
            raise UsageError(f"--{name.replace('_', '-')} {getattr(options, name):g}: use more than 0")
    token = None if options.host in (HERE, "localhost", "::1") else secrets.token_urlsafe(18)
    with (
        _listening(options.host, options.port) as bound,
        tempfile.TemporaryDirectory(prefix="gioconda-studio-", ignore_cleanup_errors=True) as folder,
    ):
        _tell_gradio(folder)
        try:
            from gioconda.studio.limits import MEGABYTE, Limits
            from gioconda.studio.server import serve
        except ImportError as error:
            raise MissingExtraError("the studio needs the extra 'studio': pip install 'gioconda[studio]'") from error
        limits = Limits(
            upload=options.max_upload * MEGABYTE,
            pixels=options.max_pixels,
            seconds=options.max_seconds,
            waiting=options.max_waiting,
        )
        host = f"[{options.host}]" if ":" in options.host else options.host
        address = f"http://{host}:{bound.getsockname()[1]}/" + (f"?token={token}" if token else "")

        def ready() -> None:
            print(f"the studio is open at {address}", flush=True)
            if not options.no_browser:
                webbrowser.open(address)

        serve(bound, token, limits, Path(folder), ready)


def _tell_gradio(folder: str) -> None:
    """What Gradio must know before it is loaded: where its files go, and to ask nobody for news and count nobody."""
    os.environ.update(
        GRADIO_TEMP_DIR=os.path.realpath(folder),
        GRADIO_ANALYTICS_ENABLED="False",
        HF_HUB_OFFLINE="1",
        HF_HUB_DISABLE_TELEMETRY="1",
    )


def _listening(host: str, port: int) -> socket.socket:
    """A socket that listens there. Raises UsageError."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(
            f"cannot listen at {host}, port {port}: {reason.lower()}; try another --host or --port"
        ) from None
