"""JSON and arrays of files that anybody may have written: bounded, without pickles, and with one kind of error."""

from __future__ import annotations

import json
import lzma
import math
import re
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

MOST_BYTES = 2_000_000_000
"""Of an array, as it lies in memory."""
_HALVES = re.compile(rb"\\u[dD][89a-fA-F]")
"""How JSON writes characters of two halves; it may as well write one half alone."""
_LZMA_MEMORY = 256_000_000
"""Bytes that unpacking may take besides what is unpacked."""


def parse_json(text: str | bytes) -> Any:
    """What a JSON text says. Raises ValueError, also for one that is nested beyond measure or not UTF-8."""
    try:
        value = json.loads(text)
        if _HALVES.search(text if isinstance(text, bytes) else text.encode(errors="surrogatepass")):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except UnicodeEncodeError:  # nothing could be written that says the same
        raise ValueError("holds half a character") from None
    return value


def one_line(said: object) -> str:
    """What an error says, or a file, cut to the length of a line: some list all that would have been right."""
    text = printable(" ".join(str(said).split()))
    return text if len(text) <= 160 else text[:157] + "..."


def printable(text: str) -> str:
    """A text of anybody's on one line, and without characters that steer a terminal."""
    return "".join(character if character.isprintable() else " " for character in text)


def read_array(file: IO[bytes], most: int = MOST_BYTES) -> NDArray[Any]:
    """An array in NumPy's own format. Raises ValueError: not one, cut short, or of more bytes than `most`."""
    try:
        version = npy.read_magic(file)
        read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
        shape, by_columns, kind = read_header(file)
        size = math.prod(shape) * kind.itemsize
        if kind.hasobject or min(shape, default=0) < 0 or size > most:
            raise ValueError(f"no array of {kind} and shape {shape} is read")
        content = file.read(size)
        return np.frombuffer(content, kind).reshape(shape, order="F" if by_columns else "C")
    except Exception as error:  # a header is Python text, and unpacking has errors of its own
        raise ValueError(f"not a whole array ({error})") from error


def read_arrays(path: Path, *names: str) -> list[NDArray[Any]]:
    """Some arrays of an `.npz` file. Raises ValueError, as `read_array`, and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = []
            for name in names:
                with archive.open(f"{name}.npy") as file:
                    found.append(read_array(file))
            return found
    except OSError:
        raise
    except Exception as error:  # of a damaged archive nearly anything is raised
        raise ValueError(f"not a whole archive ({error})") from error


def unpack_xz(content: bytes, most: int = MOST_BYTES) -> bytes:
    """What an `.xz` file holds. Raises ValueError: damaged, cut short, or of more bytes than `most`."""
    try:
        unpacking = lzma.LZMADecompressor(memlimit=_LZMA_MEMORY)
        unpacked = unpacking.decompress(content, max_length=most)
    except (lzma.LZMAError, EOFError, MemoryError) as error:
        raise ValueError(f"cannot be unpacked ({error})") from error
    if not unpacking.eof:
        raise ValueError(f"is cut short, or holds more than {most} bytes")
    return unpacked
