"""Spoiled files and senseless commands at every door of the program: does each end in a result or in one clear error?

    python benchmarks/reliability/fuzz.py --cases 12000 --out fuzz.json
    python benchmarks/reliability/fuzz.py --door pictures --case 4711

The first tries some thousands of cases in processes with limits (`guard.py`) and writes how they ended. The second
does one of them again, here, without limits: what the first reports can so be looked at. The parts: `doors.py` knows
the ways in, `mutation.py` spoils files, `command_lines.py` makes up commands.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from doors import DOORS, Door, case
from guard import MEMORY, SECONDS, Outcome, outcomes, work

REHEARSALS = 4
"""Cases that a worker does before it counts."""


def command(door: Door, examples: Path, first: int) -> list[str]:
    """Starts a worker at a door."""
    return [sys.executable, __file__, "--work", str(examples), "--door", door.name, "--case", str(first)]


def shared_out(cases: int, doors: Sequence[Door]) -> dict[Door, int]:
    """How many cases each door gets."""
    whole = sum(door.share for door in doors)
    return {door: max(1, round(cases * door.share / whole)) for door in doors}


def tried(door: Door, examples: Path, numbers: range, seconds: float) -> dict[str, Any]:
    """What became of a door's cases, in numbers."""
    began = time.monotonic()
    verdicts: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    bad: list[Outcome] = []
    slowest, largest = 0.0, 0
    for outcome in outcomes(lambda first: command(door, examples, first), numbers, seconds):
        verdicts[outcome.verdict] += 1
        if outcome.verdict == "refused":
            refusals[outcome.detail] += 1
        if not outcome.good:
            bad.append(outcome)
            print(f"  {door.name} {outcome.number}: {outcome.verdict}: {outcome.detail}", flush=True)
        slowest, largest = max(slowest, outcome.seconds), max(largest, outcome.grown)
    return {
        "door": door.name,
        "cases": len(numbers),
        "taken": verdicts["taken"],
        "refused": verdicts["refused"],
        "errors": dict(refusals.most_common()),
        "bad": [f"{outcome.number}: {outcome.verdict}: {outcome.detail}" for outcome in bad],
        "slowest_s": round(slowest, 1),
        "largest_mb": round(largest / 1e6),
        "seconds": round(time.monotonic() - began),
    }


def shut(door: Door) -> bool:
    """Whether an extra is missing for a door."""
    return importlib.util.find_spec(door.needs) is None


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case: others than the last run's")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--door", choices=[door.name for door in DOORS], action="append")
    parser.add_argument("--case", type=int, help="do this one case again, at one --door, without limits")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="for one case")
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    doors = [door for door in DOORS if door.name in (options.door or [door.name]) and not shut(door)]
    if options.work:
        _serve(doors[0], options.work, options.case)
        return
    with tempfile.TemporaryDirectory(prefix="gioconda-examples-") as place:
        for door in doors:
            made(door, Path(place) / door.name)
        if options.case is not None:
            here = Path(place) / "here"
            here.mkdir()
            print(case(doors[0], Path(place) / doors[0].name / "examples", options.case)(here))
            return
        rows = []
        for door, count in shared_out(options.cases, doors).items():
            numbers = range(options.first, options.first + count)
            rows.append(tried(door, Path(place) / door.name / "examples", numbers, options.seconds))
            print({key: value for key, value in rows[-1].items() if key != "bad"}, flush=True)
            if options.out:
                options.out.write_text(json.dumps(_report(rows, options.first), indent=1) + "\n")
    print(f"{sum(row['cases'] for row in rows)} cases, {sum(len(row['bad']) for row in rows)} bad")


def made(door: Door, folder: Path) -> Path:
    """The folder of a door's examples, inside another that has room for what is needed to make them."""
    examples = folder / "examples"
    examples.mkdir(parents=True)
    door.make(examples)
    return examples


def _serve(door: Door, examples: Path, first: int) -> None:
    """Do cases without end: the parent stops when it has enough."""
    rehearsals = [case(door, examples, -1 - number) for number in range(REHEARSALS)]
    work(((number, case(door, examples, number)) for number in range(first, 10**9)), rehearsals)


def _report(rows: list[dict[str, Any]], first: int) -> dict[str, Any]:
    return {
        "cases": sum(row["cases"] for row in rows),
        "first": first,
        "bad": sum(len(row["bad"]) for row in rows),
        "memory_limit_mb": round(MEMORY / 1e6),
        "seconds_limit": SECONDS,
        "doors": rows,
    }


if __name__ == "__main__":
    main()
