"""Ways in through the program's own pages, and through the pipe of the mirror."""

from __future__ import annotations

import itertools
import json
import os
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import av
import numpy as np

HEAD = "HTTP/1.1\r\nHost: {host}\r\n"
FRAMES = 40
"""Of a stream that are read: a spoiled one may go on and on."""


def enter_mark(file: Path, folder: Path, random: Random) -> object:
    """A request to the page on which a face is marked."""
    return _entered(*_marking(), file)


def enter_mirror(file: Path, folder: Path, random: Random) -> object:
    """A request to the page of the mirror."""
    return _entered(*mirror(), file)


def mark_requests(folder: Path) -> None:
    """All that the page asks for."""
    from makers import faceless_drawing

    body = json.dumps({"points": faceless_drawing()[1]})
    sent = f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    for name, text in {
        "page": f"GET /{{token}}/ {HEAD}\r\n",
        "picture": f"GET /{{token}}/picture {HEAD}\r\n",
        "fit": f"POST /{{token}}/fit {HEAD}{sent}",
        "save": f"POST /{{token}}/save {HEAD}Origin: http://{{host}}\r\n{sent}",
    }.items():
        (folder / f"{name}.http").write_bytes(text.encode())


def mirror_requests(folder: Path) -> None:
    """All that the page asks for, and what strangers may ask: without the token, by web socket, with a vast body."""
    body = json.dumps({"x": "y" * 1_000_000})
    frame = f"GET /{{token}}/frame?after=0&at=1.5&driver=1 {HEAD}\r\n"
    socket_wanted = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    for name, text in {
        "page": f"GET /{{token}}/ {HEAD}\r\n",
        "frame": frame,
        "next": f"GET /{{token}}/frame?after=1&at=0.25&driver=0 {HEAD}\r\n",
        "frames": 3 * frame,
        "recalibrate": f"POST /{{token}}/recalibrate {HEAD}Origin: http://{{host}}\r\nContent-Length: 0\r\n\r\n",
        "vast": f"POST /{{token}}/recalibrate {HEAD}Content-Length: {len(body)}\r\n\r\n{body}",
        "stranger": f"GET /{'x' * 24}/frame?after=0 {HEAD}\r\n",
        "socket": f"GET /{{token}}/frame {HEAD}{socket_wanted}\r\n",
    }.items():
        (folder / f"{name}.http").write_bytes(text.encode())


def _entered(port: int, token: str, file: Path) -> object:
    """Ask, and then ask for the page: whatever was asked, it is still there, and nobody sees it without the token."""
    host = f"127.0.0.1:{port}".encode()
    request = file.read_bytes().replace(b"{host}", host).replace(b"{token}", token.encode())
    answer = asked(port, request)
    good = asked(port, b"GET /" + token.encode() + b"/ HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
    assert good[9:12] == b"200", good[:100]
    head = request.partition(b"\r\n\r\n")[0]
    whole = head.split(b"\r\n")[0].count(b" ") == 2 and b"\r\n\r\n" in request
    assert answer or not whole, f"no answer to {request[:300]!r}"
    if token.encode() not in request:
        assert answer[9:12] != b"200", f"an answer without the token to {request[:300]!r}"
    return answer[9:12].decode(errors="replace")


def asked(port: int, request: bytes) -> bytes:
    """All that comes back for some bytes."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection, suppress(ConnectionError):
        connection.sendall(request)
        with suppress(OSError):  # it may have hung up already
            connection.shutdown(socket.SHUT_WR)
        while got := connection.recv(65536):
            answer += got
    return answer


@cache
def _marking() -> tuple[int, str]:
    """The page of `gioconda mark` for the rest of the process; its port and token."""
    from gioconda.marking.server import MarkingServer
    from gioconda.media.pictures import Picture
    from makers import faceless_drawing

    def keep(marks: Mapping[str, Any]) -> str:
        from gioconda.errors import OutputError

        raise OutputError("no space is left")

    return _served(MarkingServer(Picture(faceless_drawing()[0]), "a.png", keep))


@cache
def mirror() -> tuple[int, str]:
    """The page of `gioconda live`, behind it a mirror that sees somebody move a little twice a second; likewise."""
    from gioconda.demo import demo_portrait
    from gioconda.live import server
    from gioconda.live.drawing import Drawing, Look
    from gioconda.live.driver import LiveDriver
    from gioconda.live.mirror import Mirror
    from gioconda.live.source import Captured
    from gioconda.tracking import default_tracker

    portrait = demo_portrait().framed(crop=True, size=96)

    def frames() -> Iterator[Captured]:
        for number in itertools.count():
            yield Captured(time.monotonic(), np.roll(portrait.views[0].rgb, number % 5, axis=1))
            time.sleep(0.5)

    server.WAIT = 2.0  # or the cases that ask for a picture far ahead would take nearly all the time
    mirror = Mirror(frames(), LiveDriver(default_tracker()), Drawing(portrait, Look())).__enter__()
    next(iter(mirror))
    return _served(server.LiveServer(mirror, "a <b>.png"))


def _served(server: Any) -> tuple[int, str]:
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server.server_address[1], server.token


# What another program writes to standard input


def streams(folder: Path) -> None:
    """Short films in the formats that are piped."""
    y, x = np.mgrid[:48, :64]
    for name, container, codec in (
        ("a.nut", "nut", "mjpeg"),
        ("b.nut", "nut", "rawvideo"),
        ("a.y4m", "yuv4mpegpipe", "wrapped_avframe"),
        ("a.mkv", "matroska", "libx264"),
        ("a.ts", "mpegts", "mpeg2video"),
        ("a.flv", "flv", "flv1"),
        ("a.h264", "h264", "libx264"),
    ):
        with av.open(str(folder / name), "w", format=container) as out:
            stream: Any = out.add_stream(codec, rate=25)
            stream.width, stream.height = 64, 48
            stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
            for number in range(8):
                rgb = np.stack([x * 4, y * 5, (x * y + 9 * number) % 256], axis=-1).astype(np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
            out.mux(stream.encode())


def enter_stream(file: Path, folder: Path, random: Random) -> None:
    """As `gioconda live --source -` reads it, from a pipe of its own."""
    from gioconda.media.stream import read_stream

    reading, writing = os.pipe()

    def write() -> None:
        with open(writing, "wb") as pipe, suppress(BrokenPipeError):
            pipe.write(file.read_bytes())

    writer = threading.Thread(target=write)
    writer.start()
    try:
        with closing(read_stream(f"pipe:{reading}")) as frames:
            for frame in itertools.islice(frames, FRAMES):
                assert frame.rgb.ndim == 3
    finally:
        os.close(reading)
        writer.join()
