"""A folder of footage: which files lie in it, and what is said of them: whose faces, under which licence."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from gioconda.datasets.layout import NOT_STATED
from gioconda.errors import UsageError
from gioconda.media.pictures import PICTURE_SUFFIXES
from gioconda.media.video import VIDEO_SUFFIXES
from gioconda.untrusted import parse_json

LABEL_FILES = ("people.csv", "people.json", "licences.csv", "licences.json")
"""Names under which labels are found in the folder itself."""
LABELS = ("person", "licence", "kind")

People = Literal["folders", "videos"]


@dataclass(frozen=True)
class Label:
    """What is known of one file before it is opened.

    Attributes:
        person: whose face it is.
        named: whether somebody said so: in a list, or by the name of a folder.
        licence: as somebody stated it, or `NOT_STATED`.
        kind: of a picture: photo, painting, or whatever somebody called it.
    """

    person: str
    named: bool
    licence: str
    kind: str


def find_files(folder: Path) -> list[str]:
    """Videos and pictures anywhere below a folder, as sorted paths relative to it, with slashes. Hidden ones are not.

    Raises:
        UsageError: no such folder, or none in it.
    """
    if not folder.is_dir():
        raise UsageError(f"{folder} is not a folder; give a folder of videos")
    endings = VIDEO_SUFFIXES + PICTURE_SUFFIXES
    found = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in endings]
    files = sorted(path.as_posix() for path in found if not any(part.startswith(".") for part in path.parts))
    if not files:
        raise UsageError(f"{folder} holds no video and no picture ({', '.join(endings)})")
    return files


def read_labels(files: Iterable[Path]) -> dict[str, dict[str, str]]:
    """What lists say of files and folders: by path, some of `LABELS`.

    A `.csv` file has a line of names (`file` and some of `person`, `licence`, `kind`); a `.json` file is an object
    that gives for each path such an object, or, in a file whose name begins with `licences`, the licence alone,
    else the person alone.

    Raises:
        UsageError: a list cannot be read, or says something else.
    """
    labels: dict[str, dict[str, str]] = {}
    for path in files:
        try:
            text = path.read_text(encoding="utf-8-sig")
            said = _of_csv(path, text) if path.suffix.lower() == ".csv" else _of_json(path, parse_json(text))
        except (OSError, csv.Error, ValueError) as error:
            raise UsageError(f"{path} cannot be read: {error}") from error
        for name, entry in said.items():
            kept = labels.setdefault(PurePosixPath(name).as_posix(), {})
            kept.update({key: value.strip() for key, value in entry.items() if value and value.strip()})
    return labels


def _of_csv(path: Path, text: str) -> dict[str, dict[str, str]]:
    rows = csv.DictReader(text.splitlines())
    unknown = set(rows.fieldnames or ()) - {"file", *LABELS}
    if "file" not in (rows.fieldnames or ()) or unknown:
        raise UsageError(f"{path}: the first line must name the columns: file, and some of {', '.join(LABELS)}")
    entries = {}
    for row in rows:
        if None in row or not row["file"]:
            raise UsageError(f"{path}, line {rows.line_num}: not one value for each column")
        entries[row.pop("file")] = row
    return entries


def _of_json(path: Path, said: Any) -> dict[str, dict[str, str]]:
    single = "licence" if path.name.startswith("licences") else "person"
    if not isinstance(said, dict):
        raise UsageError(f"{path}: not an object that gives a label for each file")
    entries = {name: {single: label} if isinstance(label, str) else label for name, label in said.items()}
    for name, entry in entries.items():
        if (
            not isinstance(entry, dict)
            or set(entry) - set(LABELS)
            or not all(isinstance(v, str) for v in entry.values())
        ):
            raise UsageError(f"{path}: {name!r} has no label, or others than {', '.join(LABELS)}")
    return entries


def label(file: str, labels: Mapping[str, Mapping[str, str]], people: People, licence: str | None) -> Label:
    """What is known of a file.

    Of what lists say of it and of the folders it lies in, the nearest counts. Where no list names a person, the
    first folder on its way does, or the file itself (`people` is `videos`, or there is no folder).
    """
    path = PurePosixPath(file)
    said: dict[str, str] = {}
    for place in (path, *path.parents):
        said = {**labels.get(place.as_posix(), {}), **said}
    in_folder = people == "folders" and len(path.parts) > 1
    person = path.parts[0] if in_folder else path.with_suffix("").as_posix()
    return Label(
        person=said.get("person", person),
        named="person" in said or in_folder,
        licence=said.get("licence", licence or NOT_STATED),
        kind=said.get("kind", "photo"),
    )


def unused(labels: Mapping[str, Any], files: Iterable[str]) -> list[str]:
    """Paths that lists name and that are not there."""
    known = {place.as_posix() for file in files for place in (PurePosixPath(file), *PurePosixPath(file).parents)}
    return sorted(set(labels) - known)
