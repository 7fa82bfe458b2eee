"""Known holes in the pinned versions of what is installed, as far as the Python Package Index tells them.

    python benchmarks/reliability/holes.py .ci/constraints.txt

For places that reach the index but not the databases that pip-audit asks. The index tells the holes of a version where
it has a page for it, and always those of a package's latest version; what it tells nothing of is listed.
"""

from __future__ import annotations

import argparse
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

INDEX = "https://pypi.org/pypi"


def pinned(path: Path) -> Iterator[tuple[str, str]]:
    """Names and versions in a file of constraints."""
    for line in path.read_text().splitlines():
        name, equals, version = line.partition("==")
        if equals and not name.startswith("#"):
            yield name.strip(), version.strip()


def told(name: str, version: str) -> list[str] | None:
    """Names of the holes of a version that are known; None where the index says nothing of that version."""
    for page in (f"{INDEX}/{name}/{version}/json", f"{INDEX}/{name}/json"):
        try:
            with urllib.request.urlopen(page, timeout=60) as answer:
                content: dict[str, Any] = json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code != 404:
                raise
            continue
        if content["info"]["version"] == version:
            return [hole["id"] for hole in content["vulnerabilities"] if not hole.get("withdrawn")]
    return None


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("constraints", type=Path)
    packages = list(pinned(parser.parse_args().constraints))
    with ThreadPoolExecutor(8) as pool:
        answers = dict(zip(packages, pool.map(lambda package: told(*package), packages), strict=True))
    for (name, version), holes in answers.items():
        if holes:
            print(f"{name} {version}: {', '.join(holes)}")
    unknown = [f"{name} {version}" for (name, version), holes in answers.items() if holes is None]
    known = len(packages) - len(unknown)
    print(f"{len(packages)} packages: {sum(map(bool, answers.values()))} of {known} with known holes")
    print(f"nothing told of {len(unknown)}: {', '.join(unknown)}")


if __name__ == "__main__":
    main()
