"""`gioconda live`."""

from __future__ import annotations

import argparse
import sys
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from statistics import median
from typing import TYPE_CHECKING

from gioconda.commands.options import Verbs, add_face, add_look, add_pictures, look, portrait_of, read_portrait, verb

if TYPE_CHECKING:
    from gioconda.live.mirror import Mirror
    from gioconda.live.server import LiveServer

SIZE = 512
"""Longer side, in pixels, unless another is asked for."""
REMEMBERED = 5000
"""Pictures whose latency the last line is about."""


def add(verbs: Verbs) -> None:
    """Register the command."""
    added = verb(verbs, "live", _run, "a mirror: a camera drives the portrait at once, on a local page")
    add_pictures(added)
    add_face(added)
    source = added.add_mutually_exclusive_group()
    source.add_argument("--camera", default="0", metavar="N", help="which camera: its number, from 0, or its name")
    source.add_argument(
        "--source", metavar="FILE", help="a video in place of a camera, or - for one that another program writes"
    )
    added.add_argument(
        "--mirror",
        action=argparse.BooleanOptionalAction,
        help="your left is the portrait's left, as in a mirror (default: for cameras)",
    )
    added.add_argument(
        "--size", type=int, default=SIZE, metavar="PIXELS", help=f"longer side, if the machine keeps up ({SIZE})"
    )
    add_look(added)
    added.add_argument("--label", action="store_true", help="draw a small visible label on every frame")
    added.add_argument("--virtual-camera", action="store_true", help="be a camera for other programs, too")
    added.add_argument(
        "--host", default="127.0.0.1", help="address to serve at; 0.0.0.0: all who know the page's address"
    )
    added.add_argument("--port", type=int, default=0, help="port to serve at (default: any that is free)")
    added.add_argument("--no-browser", action="store_true", help="print the page's address only")


def _run(options: argparse.Namespace) -> None:
    import webbrowser

    from gioconda.live.drawing import Drawing, Look
    from gioconda.live.driver import LiveDriver
    from gioconda.live.mirror import Mirror
    from gioconda.live.source import captured, open_source
    from gioconda.live.virtual_camera import VirtualCamera
    from gioconda.tracking import tracker_named

    tracker = tracker_named(options.tracker)
    subject = read_portrait(options, options.face, tracker)
    portrait = portrait_of(subject).framed(options.crop, options.size)
    drawing = Drawing(portrait, Look(**look(options, subject), label=options.label))
    mirrored = options.source is None if options.mirror is None else options.mirror
    frames = captured(open_source(options.camera, options.source), mirrored)
    late: deque[float] = deque(maxlen=REMEMBERED)
    with ExitStack() as stack:
        camera = stack.enter_context(VirtualCamera()) if options.virtual_camera else None
        mirror = stack.enter_context(Mirror(frames, LiveDriver(tracker), drawing))
        reflections = iter(mirror)
        next(reflections, None)  # a camera that is not there is told of before a page opens
        server = stack.enter_context(_serving(mirror, options))
        print(f"the mirror is at {server.address}", flush=True)
        if camera:
            print(f"and it is the camera {camera.name}", flush=True)
        print("Ctrl-C ends it", flush=True)
        if not options.no_browser:
            webbrowser.open(server.address)
        try:
            for reflection in reflections:
                late.append(reflection.latency)
                if camera:
                    camera.send(reflection.rgb)
        except KeyboardInterrupt:
            print(file=sys.stderr)  # behind the terminal's ^C
    if late:
        print(f"{1000 * median(late):.0f} ms from a frame's coming to its picture, in the middle")


@contextmanager
def _serving(mirror: Mirror, options: argparse.Namespace) -> Iterator[LiveServer]:
    """A server at work in a thread of its own."""
    from gioconda.live.server import LiveServer

    with LiveServer(mirror, options.pictures[0].name, options.host, options.port) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
