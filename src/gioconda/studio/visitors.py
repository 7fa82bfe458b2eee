"""A folder for each visitor, with a name that nobody else can know, and gone when the visitor is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import shutil
import threading
import time
from collections.abc import Mapping
from pathlib import Path

COOKIE = "gioconda-visitor"
_LEAST = 20
"""Characters of a visitor's name below which it is none that was given out here."""
_LATE = 60.0
"""Seconds in which what was under way for a visitor who has left may still write a file."""


def visitor_of(cookies: Mapping[str, str], address: str) -> str:
    """Who asks: the browser that holds a cookie, or, of programs that hold none, the machine they run on."""
    name = cookies.get(COOKIE, "")
    return name if len(name) >= _LEAST else f"machine {address}"


def new_visitor() -> str:
    """A name for a browser that has none."""
    return secrets.token_urlsafe(24)


class Visitors:
    """The folders of all visitors, inside one folder. Calls may come from several threads."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.root.mkdir(exist_ok=True)
        self._tabs: dict[str, set[str]] = {}
        self._left: dict[str, float] = {}
        """When those left who are not here any more."""
        self._lock = threading.Lock()

    def folder(self, visitor: str) -> Path:
        """The folder of a visitor. Its name does not tell the visitor's."""
        folder = self.root / hashlib.sha256(visitor.encode()).hexdigest()[:40]
        folder.mkdir(mode=0o700, exist_ok=True)
        os.utime(folder)
        return folder

    def new_folder(self, visitor: str) -> Path:
        """A new, empty folder inside it."""
        folder = self.folder(visitor) / secrets.token_hex(8)
        folder.mkdir()
        return folder

    def owns(self, visitor: str, path: str) -> bool:
        """Whether a path is that of a file in the visitor's folder."""
        try:
            file = Path(path).resolve(strict=True)
        except (OSError, ValueError, RuntimeError):
            return False
        return file.is_file() and file.is_relative_to(self.folder(visitor))

    def stored(self, visitor: str) -> int:
        """Bytes of the visitor's files."""
        return sum(file.stat().st_size for file in self.folder(visitor).rglob("*") if file.is_file())

    def arrive(self, visitor: str, tab: str) -> None:
        """A visitor has opened a tab."""
        with self._lock:
            self._tabs.setdefault(visitor, set()).add(tab)
            self._left.pop(visitor, None)

    def leave(self, visitor: str, tab: str) -> None:
        """A visitor has closed a tab; with the last one the folder goes."""
        with self._lock:
            tabs = self._tabs.get(visitor, set())
            tabs.discard(tab)
            if tabs:
                return
            if self._tabs.pop(visitor, None) is not None:
                self._left[visitor] = time.monotonic()
        shutil.rmtree(self.folder(visitor), ignore_errors=True)

    def sweep(self, seconds: float) -> None:
        """Remove the folders of those who have left, and of those who were not heard of for some seconds."""
        with self._lock:
            here = {self.folder(visitor) for visitor in self._tabs}
            for visitor, since in list(self._left.items()):
                shutil.rmtree(self.folder(visitor), ignore_errors=True)
                if time.monotonic() - since > _LATE:
                    del self._left[visitor]
        for folder in self.root.iterdir():
            with contextlib.suppress(FileNotFoundError):  # its visitor is just leaving
                if folder not in here and time.time() - folder.stat().st_mtime > seconds:
                    shutil.rmtree(folder, ignore_errors=True)
