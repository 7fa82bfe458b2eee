"""Files that appear under their name only when they are whole."""

from __future__ import annotations

import errno
import hashlib
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from gioconda.errors import FileError


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file to write to, under a hidden name until the block ends well; gone if it does not. Raises OSError."""
    part = partial_path(path)
    try:
        with part.open("xb") as file:
            yield file
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def partial_path(path: Path) -> Path:
    """A hidden, unused name next to ``path``, with its ending, for a file still being written."""
    return path.with_name(f".{path.name}.part-{secrets.token_hex(4)}{path.suffix}")


def is_file(path: Path) -> bool:
    """Whether a file is there; of a name that no file can have, none is."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def sha256_of(path: Path) -> str:
    """SHA-256 of the contents of a file that is being used, in hexadecimal digits.

    Raises:
        FileError: it cannot be read any longer.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise FileError(
            f"{path} can no longer be read ({error.strerror}); leave it in its place until the work is done"
        ) from error


def spoken_os_error(error: OSError) -> str:
    """Why something could not be written, and what to do about it, in one line."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return "no space is left; free some space or choose another folder."
        case errno.EACCES | errno.EPERM | errno.EROFS:
            return "permission denied; choose another folder."
        case errno.ENOENT | errno.ENOTDIR:
            return "there is no such folder; create it first."
        case _:
            return f"{(error.strerror or str(error)).lower()}; choose another name or folder."
