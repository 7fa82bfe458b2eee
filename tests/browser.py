"""A real headless Chromium, driven through its DevTools pipe."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


class Browser:
    """One page. Messages are JSON, ended by a zero byte, on file descriptors 3 and 4."""

    def __init__(self, profile: Path, width: int, height: int, dark: bool = False) -> None:
        from_us, self._to = os.pipe()
        self._from, to_us = os.pipe()
        # The shell puts the two ends where Chromium wants them; spare numbers, so that neither covers the other.
        script = f'exec "$0" "$@" 3<&{from_us} 4>&{to_us}'
        options = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")
        self._process = subprocess.Popen(
            ["bash", "-c", script, CHROMIUM, *options, f"--user-data-dir={profile}", "about:blank"],
            pass_fds=(from_us, to_us),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(from_us)
        os.close(to_us)
        self._number, self._unread, self._session = 0, b"", None
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.do("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.do("Emulation.setEmulatedMedia", features=[scheme])

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send one message and wait for its answer."""
        self._number += 1
        message = {"id": self._number, "method": method, "params": parameters}
        os.write(
            self._to, json.dumps(message | ({"sessionId": self._session} if self._session else {})).encode() + b"\0"
        )
        while True:
            while b"\0" not in self._unread:
                piece = os.read(self._from, 1 << 20)
                assert piece, "the browser has ended"
                self._unread += piece
            raw, _, self._unread = self._unread.partition(b"\0")
            answer = json.loads(raw)
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                return answer["result"]

    def open(self, address: str, ready: str) -> None:
        """Go to a page and wait until a JavaScript expression holds."""
        self.do("Page.navigate", url=address)
        self.wait(ready)

    def ask(self, expression: str) -> Any:
        """The value of a JavaScript expression."""
        result = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def wait(self, expression: str, seconds: float = 10) -> None:
        """Until a JavaScript expression holds."""
        end = time.monotonic() + seconds
        while not self.ask(f"(() => {{ try {{ return !!({expression}) }} catch {{ return false }} }})()"):
            assert time.monotonic() < end, f"never held: {expression}"
            time.sleep(0.05)

    def mouse(self, kind: str, x: float, y: float) -> None:
        """`Pressed`, `Moved` or `Released`, at a place on the screen."""
        self.do("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, button="left", buttons=1, clickCount=1)

    def click(self, x: float, y: float) -> None:
        """Press and release."""
        self.mouse("Pressed", x, y)
        self.mouse("Released", x, y)

    def key(self, key: str) -> None:
        """Press and release a key."""
        for kind in ("keyDown", "keyUp"):
            self.do("Input.dispatchKeyEvent", type=kind, key=key)

    def close(self) -> None:
        """End it."""
        os.close(self._to)
        os.close(self._from)
        self._process.terminate()
        self._process.wait(10)
