"""Curves as a table in a CSV file: out of a performance, and, edited, back onto it.

One row a frame, one column a curve (`curves.py`), numbers with a point and four decimals.
"""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gioconda.curves import add_to_curves, curves_of
from gioconda.errors import MotionFileError, OutputError
from gioconda.media.files import is_file, spoken_os_error, whole_file
from gioconda.performance import Performance

DECIMALS = 4
"""Of every value; a cell that was not edited is recognised by its text's value."""
LARGEST_TABLE = 500_000_000
"""Bytes: many hours."""
SAME_TIME = 0.002
"""Seconds by which a row's time may differ from its frame's: spreadsheets round."""


def check_curves_path(path: Path) -> None:
    """See to it, before any work is done, that a table can be kept under a name; raises `OutputError`."""
    if path.suffix.lower() != ".csv":
        raise OutputError(f"{path}: curves are kept in a table ending in .csv")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: cannot be written, its folder does not exist; create it first")


def write_curves(performance: Performance, path: Path) -> None:
    """Write the curves of a performance; the file appears under its name only when it is whole.

    Raises:
        OutputError: another ending than .csv, or the file cannot be written there.
    """
    check_curves_path(path)
    columns = _rounded(performance)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["time", "seen", *columns])
    for frame, (time, seen) in enumerate(zip(performance.times, performance.seen, strict=True)):
        values = (f"{values[frame]:.{DECIMALS}f}" for values in columns.values())
        table.writerow([f"{time:.{DECIMALS}f}", int(seen), *values])
    try:
        with whole_file(path) as file:
            file.write(text.getvalue().encode())
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {spoken_os_error(error)}") from error


def apply_curves(performance: Performance, path: Path) -> Performance:
    """The performance that a table was written from, with what was edited in the table.

    What a cell says more or less than `write_curves` wrote is added to the movement; all else stays
    as it is. Columns may be left out, all but `time`; rows may not.

    Raises:
        MotionFileError: the table cannot be read or is not of this performance.
    """
    table = _read(path)
    times = table.pop("time")
    table.pop("seen", None)
    if len(times) != len(performance) or np.abs(times - performance.times).max() > SAME_TIME:
        raise MotionFileError(
            f"{path}: it has {len(times)} rows from {times[0]:.2f} to {times[-1]:.2f} s, the performance "
            f"{len(performance)} frames from {performance.times[0]:.2f} to {performance.times[-1]:.2f} s; "
            "give the performance that it was exported from, and keep every row"
        )
    columns = _rounded(performance)
    unknown = [name for name in table if name not in columns]
    if unknown:
        raise MotionFileError(f"{path}: no curve is named {unknown[0]!r}; there are {', '.join(columns)}")
    return add_to_curves(performance, {name: values - columns[name] for name, values in table.items()})


def _rounded(performance: Performance) -> dict[str, NDArray[Any]]:
    """Curves as the file shows them; adding 0 turns -0 into 0."""
    return {name: np.round(values, DECIMALS) + 0.0 for name, values in curves_of(performance).items()}


def _read(path: Path) -> dict[str, NDArray[Any]]:
    """Columns of numbers by name, at least one row and a column `time`."""
    if not is_file(path):
        raise MotionFileError(f"{path}: no such table of curves; write one with 'gioconda performance export'")
    try:
        if path.stat().st_size > LARGEST_TABLE:
            raise MotionFileError(f"{path}: {path.stat().st_size} bytes are too much for a table of curves")
        rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8-sig"))))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise MotionFileError(f"{path}: not a table that can be read ({error}); save it as CSV in UTF-8") from error
    head = [name.strip() for name in rows[0]] if rows else []
    body = [row for row in rows[1:] if any(cell.strip() for cell in row)]
    if "time" not in head or len(set(head)) != len(head) or not body:
        raise MotionFileError(
            f"{path}: not a table of curves: it needs a first row of different names, 'time' among them, "
            "and rows below it; save it with commas between the columns"
        )
    for number, row in enumerate(body, 2):
        if len(row) != len(head):
            raise MotionFileError(f"{path}: row {number} has {len(row)} cells, the first row {len(head)}")
    values = np.array([[_number(path, number, cell) for cell in row] for number, row in enumerate(body, 2)])
    return dict(zip(head, values.T, strict=True))


def _number(path: Path, row: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise MotionFileError(f"{path}: {cell!r} in row {row} is not a number; use a point for decimals")
    return value
