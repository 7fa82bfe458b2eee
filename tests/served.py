"""The studio in a process of its own, watched from outside, and visitors who ask it without a browser."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import quote, urlsplit

WATCHED = """
import sys
def heard(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        place = arguments[1] if event == "socket.connect" else arguments[0]
        host = place[0] if isinstance(place, tuple) else place
        if str(host) not in ("127.0.0.1", "127.0.0.2", "::1", "localhost", "None", ""):
            print("REACHED OUT", event, place, file=sys.stderr, flush=True)
            raise OSError("there is no network here")
sys.addaudithook(heard)
from gioconda.cli import main
sys.exit(main(sys.argv[1:]))
"""
"""The command, without a network, and telling of every attempt to use one."""
JSON = {"Content-Type": "application/json"}
OWN_FOLDERS = ("gioconda-studio-", "gioconda-previews-")
"""Where the studio may write, inside the folder for temporary files."""
TORCH_FOLDER = "torchinductor_"
"""PyTorch makes this one for the user, in the folder for temporary files, and leaves it."""


class Served:
    """The studio in a process of its own; what it writes without being told where comes to lie in `folder`."""

    def __init__(self, folder: Path, *options: str, without: str = "") -> None:
        """Start it; `without` names a package that cannot be imported there."""
        folder.mkdir()
        self.folder = folder
        self.temporary = folder / "tmp"
        self.log = folder / "log"
        for place in ("tmp", "home", "cwd"):
            (folder / place).mkdir()
        lack = f"import sys; sys.modules[{without!r}] = None\n" if without else ""
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", lack + WATCHED, "studio", "--port", "0", "--no-browser", *options],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=folder / "cwd",
                env={
                    **os.environ,
                    "TMPDIR": str(self.temporary),
                    "HOME": str(folder / "home"),
                    # Where the user's signing key lies, and where Matplotlib, which the tracker's package loads,
                    # keeps a list of fonts for the user.
                    "XDG_CONFIG_HOME": str(folder / "config"),
                    "MPLCONFIGDIR": str(folder / "config"),
                },
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert "open at" in line, self.log.read_text()
        self.address = line.split()[-1]

    def connection(self, seconds: float = 30) -> http.client.HTTPConnection:
        """A new one, not opened yet."""
        place = urlsplit(self.address)
        assert place.hostname is not None
        return http.client.HTTPConnection(place.hostname, place.port, timeout=seconds)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> tuple[int, str]:
        """Status and text of one request that no browser makes."""
        connection = self.connection()
        try:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(errors="replace")
        finally:
            connection.close()

    def files(self) -> list[Path]:
        """All that lies in visitors' folders, some of which may just be going."""
        return [
            Path(place, name)
            for root in self.temporary.glob("gioconda-studio-*/visitors")
            for place, _, names in os.walk(root)
            for name in names
        ]

    def strays(self) -> list[Path]:
        """Files where none should be."""
        return [
            path
            for place in ("tmp", "home", "cwd")
            for path in (self.folder / place).iterdir()
            if not path.name.startswith((*OWN_FOLDERS, TORCH_FOLDER))
        ]

    def left(self) -> list[Path]:
        """What lies in the folder for temporary files."""
        return [path for path in self.temporary.iterdir() if not path.name.startswith(TORCH_FOLDER)]

    def __enter__(self) -> Served:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self.end()

    def end(self) -> int:
        """Ask it to end; its exit code, also when it has ended before."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(60)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


class Visitor:
    """Somebody with the cookie that the page gave, as a browser has one, and with a tab that can be closed."""

    def __init__(self, served: Served, name: str) -> None:
        self.served, self.tab = served, f"tab{name}"
        connection = served.connection()
        connection.request("GET", "/")
        answer = connection.getresponse()
        answer.read()
        connection.close()
        self.headers = {"Cookie": (answer.getheader("Set-Cookie") or "").partition(";")[0]}
        self._tab = served.connection(600)
        self._tab.request("GET", f"/gradio_api/heartbeat/{self.tab}", headers=self.headers)
        self._alive = self._tab.getresponse()

    def ask(self, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
        """Status and content of an answer."""
        connection = self.served.connection()
        try:
            connection.request("GET" if body is None else "POST", path, body, {**self.headers, **headers})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def upload(self, *files: Path) -> list[dict[str, Any]]:
        """Files given to the studio, as later requests name them."""
        parts = b"".join(
            b'--x\r\nContent-Disposition: form-data; name="files"; filename="%s"\r\n\r\n%s\r\n'
            % (file.name.encode(), file.read_bytes())
            for file in files
        )
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        status, said = self.ask("/gradio_api/upload", parts + b"--x--\r\n", **kind)
        assert status == 200, said
        return [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in json.loads(said)]

    def run(self, name: str, *values: Any) -> Any:
        """What a function of the page says to some values, asked as the page asks where it need not wait."""
        functions = json.loads(self.ask("/config")[1])["dependencies"]
        (number,) = [one["id"] for one in functions if one["api_name"] == name]
        asked = {"fn_index": number, "session_hash": self.tab, "data": values}
        return json.loads(self.ask("/gradio_api/run/predict", json.dumps(asked).encode(), **JSON)[1])

    def call(self, name: str, **wishes: Any) -> tuple[int, str]:
        """Ask for work by name: 200 and the number of the event, or another status and what was said."""
        status, said = self.ask(f"/gradio_api/call/v2/{name}", json.dumps(wishes).encode(), **JSON)
        return status, json.loads(said)["event_id"] if status == 200 else said.decode()

    def result(self, name: str, event: str, seconds: float) -> tuple[str, Any]:
        """How an event ended, `complete` or `error`, and what it gave."""
        connection = self.served.connection(seconds)
        try:
            connection.request("GET", f"/gradio_api/call/{name}/{event}", headers=self.headers)
            kind = ""
            for line in connection.getresponse():
                word, _, said = line.decode().rstrip("\n").partition(": ")
                kind = said if word == "event" else kind
                if word == "data" and kind in ("complete", "error"):
                    return kind, json.loads(said)
            return "silence", None
        finally:
            connection.close()

    def fetch(self, path: str) -> tuple[int, bytes]:
        """A file of the studio by its path there."""
        return self.ask(f"/gradio_api/file={quote(path)}")

    def leave(self) -> None:
        """Close the tab."""
        self._alive.close()
        self._tab.close()


class Memory:
    """The most memory that a process and those that it started have held, looked at ten times a second."""

    def __init__(self, process: int) -> None:
        self.process, self.first, self.most = process, resident(process), 0
        self._ended = threading.Event()
        self._watching = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Memory:
        self._watching.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, traceback: TracebackType | None) -> None:
        self._ended.set()
        self._watching.join()

    def _watch(self) -> None:
        while not self._ended.wait(0.1):
            self.most = max(self.most, resident(self.process))


def resident(process: int) -> int:
    """Bytes of memory that a process and those that it started hold now; 0 for one that has ended."""
    total = 0
    with suppress(OSError):
        total = int(Path(f"/proc/{process}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
        for task in Path(f"/proc/{process}/task").iterdir():
            total += sum(map(resident, map(int, (task / "children").read_text().split())))
    return total
