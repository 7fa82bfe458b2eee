"""An hour of driver in the memory of a minute; and what is said where files are amiss while a command runs.

    python benchmarks/reliability/long.py --out long.json [--minutes 1 60] [--rate 2]

The driver is a film of the demonstration's portrait, moved by the program itself, at a low rate and size: what matters
is the number of frames and the hours on the clock. Full disks are real: a small file system in memory, for which the
superuser of Linux is needed; without, that part is left out and said so.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from gioconda import animate
from gioconda.demo import demo_portrait
from gioconda.media.clip import ClipWriter
from gioconda.media.pictures import write_png
from growth import forth_and_back
from makers import acting
from speed import measured

SIDE = 160
COMMAND = [sys.executable, "-m", "gioconda.cli"]


def driver(path: Path, minutes: float, rate: float) -> Path:
    """A film of somebody moving, to and fro over and over."""
    frames = [frame.rgb for frame in animate(demo_portrait(), acting(2, 10), size=SIDE)]
    with ClipWriter(path, SIDE, SIDE, rate) as clip:
        for rgb in islice(forth_and_back(frames), round(60 * minutes * rate)):
            clip.write(rgb)
    return path


def hours(folder: Path, minutes: list[float], rate: float) -> list[dict[str, Any]]:
    """Peak memory and time of the real command, by the driver's length."""
    write_png(folder / "a.png", demo_portrait().framed(size=SIDE).views[0].rgb)
    rows = []
    for length in minutes:
        film = driver(folder / "driver.mp4", length, rate)
        words = ["animate", f"{folder}/a.png", "--driver", str(film), "--size", "64", "--out", f"{folder}/clip.mp4"]
        run = measured(COMMAND + words, cores=2)
        rows.append({"minutes": length, "frames": round(60 * length * rate), **run})
        print(rows[-1], flush=True)
    return rows


def said(words: list[str], meanwhile: Callable[[subprocess.Popen[str]], object] | None = None) -> dict[str, Any]:
    """The exit code of a command, the id of its error, and its last line."""
    process = subprocess.Popen(COMMAND + words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    if meanwhile:
        meanwhile(process)
    told = process.communicate(timeout=600)[1]
    found = re.findall(r"error \[([a-z-]+)\]", told)
    return {"exit": process.returncode, "error": found[-1] if found else None, "traceback": "Traceback" in told}


def amiss(folder: Path) -> dict[str, dict[str, Any]]:
    """What commands say where files are not as they should be."""
    picture, film = folder / "a.png", folder / "talk.mp4"
    write_png(picture, demo_portrait().framed(size=128).views[0].rgb)
    driver(film, 0.5, 20)
    acting(2, 10).save(folder / "talk.motion")
    (folder / "folder.mp4").mkdir()
    (folder / "folder.mp4" / "precious.txt").write_text("precious")

    def words(driver: Path, out: str) -> list[str]:
        return ["animate", str(picture), "--driver", str(driver), "--size", "64", "--out", f"{folder}/{out}"]

    def vanish(process: subprocess.Popen[str]) -> None:
        while not open_in(process, film) and process.poll() is None:
            pass
        film.unlink()

    motion = folder / "talk.motion"
    return {
        "a folder where the clip should be": said(words(motion, "folder.mp4")),
        "no such folder": said(words(motion, "none/clip.mp4")),
        "a file where a folder should be": said(words(motion, "a.png/clip.mp4")),
        "a folder in place of the picture": said(["faces", str(folder), "--out", f"{folder}/faces.png"]),
        "a folder in place of the driver": said(words(folder, "clip.mp4")),
        "the driver vanishes while it is read": said(words(film, "clip.mp4"), vanish),
    } | full_disk(folder, words(motion, "clip.mp4"))


def open_in(process: subprocess.Popen[str], path: Path) -> bool:
    """Whether a process has a file open."""
    try:
        return any(os.readlink(link) == str(path) for link in Path(f"/proc/{process.pid}/fd").iterdir())
    except OSError:
        return False


def full_disk(folder: Path, words: list[str]) -> dict[str, dict[str, Any]]:
    """Commands whose output, or whose temporary folder, is on a disk that fills up; {} where none can be made."""
    if os.geteuid() or not shutil.which("unshare"):
        print("full disks are left out: they need the superuser of Linux", flush=True)
        return {}
    disk = folder / "disk"
    disk.mkdir()
    made = f"mount -t tmpfs -o size=200k none {disk} && head -c 190000 /dev/zero > {disk}/full"
    film = driver(folder / "long.mp4", 0.5, 20)
    kinds = {
        "the disk is full": (f"{disk}/clip.mp4", None, words[3]),
        "the disk is full, with --resume": (f"{disk}/clip.mp4", "--resume", words[3]),
        "the disk is full, a folder of pictures": (f"{disk}/frames/", None, words[3]),
        "the folder for temporary files is full": (f"{folder}/clip.mp4", None, str(film)),
    }
    found = {}
    for kind, (out, more, moved) in kinds.items():
        command = [*COMMAND, *words[:2], "--driver", moved, "--size", "64", "--out", out, *([more] if more else [])]
        temporary = f"TMPDIR={disk} " if "temporary" in kind else ""
        script = f"{made} && {temporary}{' '.join(command)}; code=$?; ls -A {disk} | tr '\\n' ' '; exit $code"
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True, check=False)
        errors = re.findall(r"error \[([a-z-]+)\]", done.stderr)
        found[kind] = {
            "exit": done.returncode,
            "error": errors[-1] if errors else None,
            "traceback": "Traceback" in done.stderr,
            "left": [name for name in done.stdout.splitlines()[-1].split() if name != "full"],
        }
    return found


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--minutes", type=float, nargs="+", default=[1, 60])
    parser.add_argument("--rate", type=float, default=2.0, help="frames per second of the driver")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gioconda-long-") as place:
        report: dict[str, Any] = {"amiss": amiss(Path(place))}
        for kind, told in report["amiss"].items():
            print(f"{kind}: {told}", flush=True)
    with tempfile.TemporaryDirectory(prefix="gioconda-long-") as place:
        report["hours"] = hours(Path(place), options.minutes, options.rate)
    if options.out:
        options.out.write_text(json.dumps(report, indent=1) + "\n")


if __name__ == "__main__":
    main()
