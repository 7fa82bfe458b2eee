"""Files up and down: Gradio's two routes for them, but with a folder for each visitor and with limits."""

from __future__ import annotations

import mimetypes
import re
import shutil
from pathlib import Path
from typing import BinaryIO

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from gioconda.studio.limits import MEGABYTE, Limits
from gioconda.studio.visitors import Visitors, visitor_of

MOST_FILES = 64
_LONGEST_NAME = 100
_SHOWN = re.compile(r"(image/(?!svg)|video/|audio/).+")
"""Kinds of files that a browser may show; all others it may keep."""


def file_routes(visitors: Visitors, limits: Limits) -> APIRouter:
    """Routes in place of Gradio's own."""
    routes = APIRouter(prefix="/gradio_api")

    @routes.post("/upload")
    async def upload(request: Request) -> Response:
        visitor = visitor_of(request.cookies, request.client.host if request.client else "")
        length = request.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()):
            return PlainTextResponse("the length is wanted\n", 411)
        room = min(limits.upload, limits.storage - await run_in_threadpool(visitors.stored, visitor))
        if int(length) > room:
            megabytes = f"{limits.upload / MEGABYTE:.0f} MB at once and {limits.storage / MEGABYTE:.0f} MB in all"
            return PlainTextResponse(f"File size exceeds the maximum allowed size: {megabytes}.", 413)
        try:
            form = await request.form(max_files=MOST_FILES, max_fields=8)
        except MultiPartException as error:
            return PlainTextResponse(error.message, 400)
        except ClientDisconnect:
            return PlainTextResponse("the file was cut short\n", 400)  # nobody reads it
        # Together in one folder: a clip and its sidecar belong together.
        folder = visitors.new_folder(visitor)
        sent = [part for part in form.getlist("files") if isinstance(part, UploadFile)]
        paths = [await run_in_threadpool(_keep, part.file, folder, part.filename or "file") for part in sent]
        await form.close()
        return JSONResponse([str(path) for path in paths])

    @routes.get("/upload_progress")
    def progress() -> Response:
        # The page asks; how far an upload is, only the browser knows.
        return Response('data: {"msg": "done"}\n\n', media_type="text/event-stream")

    @routes.api_route("/file={path:path}", methods=["GET", "HEAD"])
    def file(path: str, request: Request) -> Response:
        visitor = visitor_of(request.cookies, request.client.host if request.client else "")
        if not visitors.owns(visitor, path):
            return PlainTextResponse("there is no such file of yours\n", 404)
        kind = mimetypes.guess_type(path)[0] or ""
        shown = _SHOWN.fullmatch(kind)
        return FileResponse(
            path,
            media_type=kind if shown else "application/octet-stream",
            filename=Path(path).name,
            content_disposition_type="inline" if shown else "attachment",
            headers={"Cache-Control": "private, no-store"},
        )

    return routes


def _keep(source: BinaryIO, folder: Path, name: str) -> Path:
    path = _unused(folder, name)
    with path.open("xb") as file:
        shutil.copyfileobj(source, file)
    return path


def _unused(folder: Path, name: str) -> Path:
    """A path for a file that somebody named: never outside the folder, never hidden, never twice."""
    plain = re.sub(r"[^\w.() -]", "_", Path(name.replace("\\", "/")).name).lstrip(". ") or "file"
    stem, suffix = Path(plain).stem[-_LONGEST_NAME:], Path(plain).suffix[:12]
    path, number = folder / f"{stem}{suffix}", 2
    while path.exists():
        path, number = folder / f"{stem} ({number}){suffix}", number + 1
    return path
