"""Requests that make no sense, to the studio: does each get an answer that is no fault of the program?

    python benchmarks/reliability/requests_fuzz.py --cases 1500 --schema 600 --out requests.json
    python benchmarks/reliability/requests_fuzz.py --case 4711

The real `gioconda studio` in a process of its own is asked for everything that its page and its API can ask for, as its
own configuration lists it, with one thing spoiled: method, address, length, headers, body (`mutation.py`). Where
Schemathesis is installed (the extra `dev`), it makes up further requests from the studio's OpenAPI schema:
`--schema` for each of the operations. The second command does one case again and shows request and answer.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import re
import socket
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote, urlsplit

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from guard import Outcome
from mutation import changed_request
from visitors import driver, pictures

from served import JSON, Memory, Served, Visitor

SECONDS = 30.0
"""For an answer, or for the end of the work that was asked for."""
MEMORY = 2_000_000_000
"""Bytes by which the studio may grow, all cases together: it serves one clip at a time, and these are tiny."""
SETTLED = 5
"""Cases after which the tab is given its picture again: some of them take it away."""
CUT_SHORT = 1.0
"""Seconds for an answer to a request that is not whole: the studio may wait for the rest."""
OPTIONS = ("--max-upload", "3", "--max-pixels", "1000000", "--max-seconds", "2")
_VALUES: dict[str, Any] = {
    **{"performances": "a video or the webcam", "animate-size": "256", "reel-performances": [], "reel-height": 128},
    **{"numbers": "20 20 60 60", "faces": 0, "size": "the picture's own"},
    **dict.fromkeys(("consent", "animate-consent", "reel-consent", "avatar-consent"), "benchmarks"),
}
"""What a visitor sets, by the name of what it is set with; all the rest stays as the page has it."""


@dataclass(frozen=True)
class Said:
    """What came back for a request.

    Attributes:
        status: of the answer; 0 where none came.
        body: its beginning.
        ended: whether it came to its end; a stream has ended when the work has.
    """

    status: int
    body: bytes
    ended: bool


class Guest:
    """A visitor with files, whose tab shows a picture with a face; and all that such a tab can ask for."""

    def __init__(self, served: Served, given: tuple[Path, Path], name: str) -> None:
        self.served, self._given = served, given
        self.visitor = Visitor(served, name)
        self.config = json.loads(self.visitor.ask("/config")[1])
        self.settle()

    def settle(self) -> None:
        """Hand in the files, again where they are gone, and let the page look at the picture."""
        if not getattr(self, "files", None) or not all(Path(file["path"]).exists() for file in self.files):
            self.files = self.visitor.upload(*self._given)
            self._run("arrive")
        self._run("opened")
        drawn = json.dumps(self._run("draw"))
        self.key = (re.findall(r'data-key=\W*"([\w-]+)', drawn) or ["none"])[0]

    def requests(self) -> dict[str, bytes]:
        """Good requests by name."""
        picture, clip = self.files
        read = {
            "page": "/",
            "config": "/config",
            "preview": "/previews/orator.webp",
            "still": f"/still/{self.key}?yaw=3&smile=0.5",
            "file": f"/gradio_api/file={quote(picture['path'])}",
            "info": "/gradio_api/info",
            "schema": "/gradio_api/openapi.json",
            "progress": "/gradio_api/upload_progress?upload_id=x",
            "heartbeat": "/gradio_api/heartbeat/other",
            "news": "/gradio_api/queue/data?session_hash=other",
            "result": f"/gradio_api/call/animate/{'0' * 32}",
        }
        tab = {"session_hash": self.visitor.tab, "fn_index": 0, "event_id": "0" * 32}
        animate = {"pictures": [picture], "video": clip, "size": "the picture's own", "format": "WebP", "head": 0.5}
        upload = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n1\r\n--x--\r\n'
        written = {
            "upload": ("upload?upload_id=x", upload, "multipart/form-data; boundary=x"),
            **{
                name: (path, json.dumps(body).encode(), JSON["Content-Type"])
                for name, path, body in (
                    ("cancel", "cancel", tab),
                    ("reset", "reset", tab),
                    ("animate by name", "call/v2/animate", animate),
                    ("check by name", "call/v2/check", {"file": clip}),
                    ("animate in order", "call/animate", {"data": self._data("animate")}),
                    ("check in order", "call/check", {"data": [clip]}),
                    *((name, *self._asked(name)) for name in self._functions),
                )
            },
        }
        return {
            **{name: self._request("GET", path) for name, path in read.items()},
            **{
                name: self._request("POST", f"/gradio_api/{path}", body, kind)
                for name, (path, body, kind) in written.items()
            },
        }

    def _request(self, method: str, path: str, body: bytes = b"", kind: str = "") -> bytes:
        head = f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(self.served.address).netloc}\r\nConnection: close\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.visitor.headers.items())
        head += f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n" if method == "POST" else ""
        return f"{head}\r\n".encode() + body

    @property
    def _functions(self) -> list[str]:
        """Names of the page's functions, each once though several events may call it; but the one that ends it all."""
        found = {
            (one["api_name"].rstrip("_0123456789"), *one["inputs"]): one["api_name"]
            for one in reversed(self.config["dependencies"])
            if one["backend_fn"] and one["api_name"] != "leave"
        }
        return list(found.values())

    def _asked(self, name: str) -> tuple[str, dict[str, Any]]:
        """Where the page asks for one of its functions, and with what."""
        one = next(one for one in self.config["dependencies"] if one["api_name"] == name)
        body = {
            "data": self._data(name),
            "event_data": {"index": [48, 48], "value": None, "selected": True},
            "fn_index": one["id"],
            "trigger_id": (one["targets"] or [[None]])[0][0],
            # What a program's call leaves behind goes with it: a tab's must stay.
            "session_hash": "program" if name in ("animate", "check") else self.visitor.tab,
        }
        return "queue/join" if one["queue"] else "run/predict", body

    def _data(self, name: str) -> list[Any]:
        """What the page hands to a function."""
        parts = {part["id"]: part for part in self.config["components"]}
        one = next(one for one in self.config["dependencies"] if one["api_name"] == name)
        return [self._value(parts[number]["props"]) for number in one["inputs"]]

    def _value(self, part: dict[str, Any]) -> Any:
        picture, clip = self.files
        name = part.get("elem_id") or part.get("label")
        files = {"pictures": [picture], "driver-video": clip, "video": clip, "reel-videos": [clip], "file": clip}
        return {**_VALUES, **files, "check-files": [clip]}.get(name, part.get("value"))

    def _run(self, name: str) -> Any:
        path, body = self._asked(name)
        return json.loads(self.visitor.ask(f"/gradio_api/{path}", json.dumps(body).encode(), **JSON)[1])


def asked(served: Served, request: bytes, enough: bytes = b"\0") -> Said:
    """The answer to some bytes, up to its end or to a word in it; of the pictures and pages only the beginning."""
    place = urlsplit(served.address)
    got, end = b"", time.monotonic() + (SECONDS if whole(request) else CUT_SHORT)
    with suppress(ConnectionError), socket.create_connection((place.hostname, place.port), SECONDS) as connection:
        with suppress(OSError):  # it may have hung up already
            connection.sendall(request)
        while (left := end - time.monotonic()) > 0:
            connection.settimeout(left)
            try:
                more = connection.recv(1 << 20)
            except TimeoutError:
                break
            got += more
            if not more or enough in got:
                return _said(got, True)
            if b"data: ALIVE" in got:  # a heartbeat has no end
                return _said(got, True)
    return _said(got, time.monotonic() < end)


def _said(got: bytes, ended: bool) -> Said:
    status = re.match(rb"HTTP/1\.[01] (\d{3})", got)
    return Said(int(status[1]) if status else 0, got.partition(b"\r\n\r\n")[2][:100_000], ended)


def whole(request: bytes) -> bool:
    """Whether a request says how long it is and is as long, so that an answer is due."""
    head, end, body = request.partition(b"\r\n\r\n")
    lengths = re.findall(rb"(?im)^content-length: *(\d{1,9})\r?$", head)
    chunked = re.search(rb"(?i)transfer-encoding", head)
    return bool(end) and not chunked and len(body) >= max(map(int, lengths), default=0)


def done(guest: Guest, request: bytes) -> Said:
    """A request, and the work that it began, if it did, to its end."""
    said = asked(guest.served, request)
    event = re.search(rb'"event_id":\s*"(\w+)"', said.body)
    if said.status != 200 or event is None or b"/gradio_api/cancel" in request[:60]:
        return said
    if b"/gradio_api/call/" in request[:60]:
        return asked(guest.served, guest._request("GET", f"/gradio_api/call/animate/{event[1].decode()}"))
    tab = re.search(rb'"session_hash":\s*"((?:[^"\\]|\\.)*)"', request)
    name = json.loads(b'"%s"' % tab[1]) if tab else guest.visitor.tab
    news = f"/gradio_api/queue/data?session_hash={quote(name, errors='replace')}"
    return asked(guest.served, guest._request("GET", news), b"close_stream")


class Watch:
    """What may not happen to the studio, whatever it is asked."""

    def __init__(self, served: Served, memory: Memory) -> None:
        self.served, self.memory, self._read = served, memory, 0

    def outcome(self, number: int, request: bytes, said: Said, seconds: float) -> Outcome:
        """How a case went."""
        with self.served.log.open("rb") as log:
            log.seek(self._read)
            said_there = log.read()
        self._read += len(said_there)
        new = said_there.decode(errors="replace")
        grown = max(0, self.memory.most - self.memory.first)
        verdict, detail = "taken" if said.status == 200 else "refused", str(said.status)
        if self.served.process.poll() is not None:
            verdict, detail = "crash", f"exit code {self.served.process.returncode}"
        elif "Traceback" in new or "Exception" in new:
            verdict, detail = "traceback", new[-500:]
        elif "REACHED OUT" in new:
            verdict, detail = "act", new[-300:]
        elif said.status >= 500 and not _proper(said):
            verdict, detail = "fault", f"{said.status} {said.body[:200]!r}"
        elif whole(request) and not (said.status and said.ended):
            verdict, detail = "hang", f"no answer, or no end of it, in {SECONDS:g} s"
        elif strays := self.served.strays():
            verdict, detail = "stray", " ".join(map(str, strays))[:300]
        elif grown > MEMORY:
            verdict, detail = "memory", f"{grown / 1e6:.0f} MB more than at first"
        return Outcome(number, verdict, detail, round(seconds, 2), grown)


def _proper(said: Said) -> bool:
    """Whether an answer of 500 or more tells of no fault: the queue is full, or its page is handed an error's text."""
    if said.status == 503:
        return b"Queue is full" in said.body
    return re.match(rb'{"error":"(?!This is a fault)', said.body) is not None


def spoiled(guest: Guest, number: int) -> tuple[str, bytes]:
    """A case by its number: the name of what was asked for, and the request with something spoiled."""
    random, good = Random(f"studio {number}"), guest.requests()
    name = random.choice(sorted(good))
    return name, changed_request(good[name], random, [good[other] for other in sorted(good)])


def tried(cases: Iterator[tuple[int, str, bytes]], guest: Guest, watch: Watch) -> dict[str, Any]:
    """What became of some cases, in numbers."""
    began, statuses, kinds = time.monotonic(), Counter[str](), Counter[str]()
    bad, slowest = list[str](), 0.0
    for number, kind, request in cases:
        started = time.monotonic()
        said = done(guest, request)
        last = watch.outcome(number, request, said, time.monotonic() - started)
        kinds[kind] += 1
        statuses[str(said.status or "none")] += 1
        slowest = max(slowest, last.seconds)
        if sum(kinds.values()) % 100 == 0:
            print(f"{sum(kinds.values())} requests, {len(bad)} bad", flush=True)
        if not last.good:
            bad.append(f"{number}: {kind}: {last.verdict}: {last.detail}")
            print(bad[-1], flush=True)
        if last.verdict == "crash":
            break
    return {
        "cases": sum(kinds.values()),
        "statuses": dict(statuses.most_common()),
        "kinds": dict(sorted(kinds.items())),
        "bad": bad,
        "slowest_s": round(slowest, 1),
        "grown_mb": round((watch.memory.most - watch.memory.first) / 1e6),
        "seconds": round(time.monotonic() - began),
    }


def measured(cases: int, first: int, schema: int) -> dict[str, Any]:
    """So many spoiled requests, and so many from the schema for each operation; and whether all works after them."""
    with tempfile.TemporaryDirectory(prefix="gioconda-requests-") as place:
        folder = Path(place)
        given = pictures(folder, 1)[0], driver(folder / "driver.mp4")
        report: dict[str, Any] = {"seconds_limit": SECONDS, "memory_limit_mb": round(MEMORY / 1e6)}
        with Served(folder / "studio", *OPTIONS) as served, Memory(served.process.pid) as memory:
            guest, watch = Guest(served, given, "guest"), Watch(served, memory)
            wrong = [name for name, request in guest.requests().items() if done(guest, request).status >= 500]
            assert not wrong, f"requests as the page makes them: {wrong}"
            report["spoiled"] = tried(settled(guest, range(first, first + cases)), guest, watch)
            if schema and importlib.util.find_spec("schemathesis"):
                from schema_requests import from_schema

                numbered = enumerate(from_schema(guest.visitor, guest.files, schema))
                report["from_schema"] = tried(((n, *case) for n, case in numbered), guest, watch)
            elif schema:
                print("Schemathesis is not installed: no requests from the schema", flush=True)
            works = Visitor(served, "last")
            picture, video = works.upload(*given)
            event = works.call("animate", pictures=[picture], video=video, size="the picture's own")[1]
            report["works_after_all"] = works.result("animate", event, SECONDS)[0] == "complete"
        return {**report, "left_after_the_end": [path.name for path in served.left()]}


def settled(guest: Guest, numbers: range) -> Iterator[tuple[int, str, bytes]]:
    """Spoiled requests of a tab that shows a picture."""
    for number in numbers:
        if number % SETTLED == 0:
            guest.settle()
        yield number, *spoiled(guest, number)


def again(number: int) -> None:
    """One case, and what comes of it."""
    with tempfile.TemporaryDirectory(prefix="gioconda-requests-") as place:
        folder = Path(place)
        with Served(folder / "studio", *OPTIONS) as served:
            guest = Guest(served, (pictures(folder, 1)[0], driver(folder / "driver.mp4")), "guest")
            name, request = spoiled(guest, number)
            print(f"{name}: {request[:4000]!r}\n{done(guest, request)}\n{served.log.read_text()}")


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=1500, help="spoiled requests")
    parser.add_argument("--first", type=int, default=0, help="number of the first case: others than the last run's")
    parser.add_argument("--schema", type=int, default=600, help="requests from the schema for each operation")
    parser.add_argument("--case", type=int, help="do this one spoiled request again")
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    if options.case is not None:
        again(options.case)
        return
    report = measured(options.cases, options.first, options.schema)
    print(json.dumps({key: value for key, value in report.items() if key != "bad"}, indent=1))
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
