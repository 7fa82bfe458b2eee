"""The studio as a server: the page behind its doorman, for as long as the command runs."""

from __future__ import annotations

import socket
import tempfile
import threading
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import gradio as gr
import uvicorn
from fastapi import FastAPI
from gradio.routes import mount_gradio_app
from starlette.staticfiles import StaticFiles

from gioconda.drivers import builtin, builtin_names
from gioconda.preview import save_preview
from gioconda.studio.doorman import Doorman
from gioconda.studio.files import file_routes
from gioconda.studio.limits import Limits
from gioconda.studio.mistakes import TOLD
from gioconda.studio.page import build_page, theme
from gioconda.studio.still_route import still_route
from gioconda.studio.studio import PATIENCE, Studio
from gioconda.studio.visitors import Visitors

LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
PREVIEW_SECONDS, PREVIEW_SIDE = 4.0, 144
"""Of the moving pictures of the built-in performances."""
SWEEP_EVERY = 5.0
"""Seconds."""


def serve(bound: socket.socket, token: str | None, limits: Limits, folder: Path, ready: Callable[[], object]) -> None:
    """Serve the studio on a socket until the process is asked to end.

    Args:
        bound: where to listen.
        token: what visitors must bring; None for nothing, and then only this machine may ask.
        limits: what is too much.
        folder: for all files; the one that Gradio was told of before it was loaded.
        ready: called when the page can be opened.
    """
    studio = Studio(Visitors(folder / "visitors"), limits)
    with tempfile.TemporaryDirectory(prefix="gioconda-previews-") as previews:
        page = build_page(studio)
        app = _app(studio, page, Path(previews))
        hosts = frozenset() if token else LOCAL
        guarded = Doorman(app, studio.visitors, hosts, token, lambda: len(page._queue), limits.waiting)
        server = uvicorn.Server(
            uvicorn.Config(guarded, log_level="warning", timeout_graceful_shutdown=1, ws="none", server_header=False)
        )
        ended = threading.Event()
        for task in (lambda: _sweep(studio, ended), lambda: _tell(server, ended, ready)):
            threading.Thread(target=task, daemon=True).start()
        try:
            server.run([bound])
        finally:
            ended.set()
            studio.jobs.close_all(PATIENCE)


def _app(studio: Studio, page: gr.Blocks, previews: Path) -> FastAPI:
    for name in builtin_names():
        save_preview(builtin(name).trimmed(0, PREVIEW_SECONDS), previews / f"{name}.webp", PREVIEW_SIDE)
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(file_routes(studio.visitors, studio.limits))
    app.include_router(still_route(studio.editors))
    app.mount("/previews", StaticFiles(directory=previews))
    css, script = (
        resources.files("gioconda.studio").joinpath(name).read_text(encoding="utf-8")
        for name in ("page.css", "page.js")
    )
    return mount_gradio_app(
        app,
        page,
        path="/",
        app_kwargs={"exception_handlers": TOLD},
        server_name="127.0.0.1",
        footer_links=[],
        run_history=False,
        show_error=False,
        max_file_size=studio.limits.upload,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=css + _preview_styles(),
        head=f"<script>{script}</script>",
    )


def _preview_styles() -> str:
    """The moving picture of each performance, which come first among the choices; others have none."""
    styles = [
        f".performances label:nth-of-type({place}) {{ --preview: url(/previews/{name}.webp); }}"
        for place, name in enumerate(builtin_names(), 1)
    ]
    rest = f".performances label:nth-of-type(n + {len(styles) + 1})::before {{ display: none !important; }}"
    return "\n".join([*styles, rest])


def _sweep(studio: Studio, ended: threading.Event) -> None:
    while not ended.wait(SWEEP_EVERY):
        studio.visitors.sweep(studio.limits.kept)


def _tell(server: uvicorn.Server, ended: threading.Event, ready: Callable[[], object]) -> None:
    while not ended.wait(0.05):
        if server.started:
            ready()
            return
