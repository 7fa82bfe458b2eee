"""Command lines made at random: a sensible beginning, then options of the command's own with odd values."""

from __future__ import annotations

import argparse
from pathlib import Path
from random import Random

from gioconda import cli

_SHORT = ["--end", "0.2", "--size", "64"]
_BEGINNINGS = (
    ["animate", "a.png", "--driver", "talk.motion", "--out", "OUT/clip.mp4", *_SHORT],
    ["animate", "a.png", "--driver", "talk.mp4", "--out", "OUT/clip.webp", *_SHORT],
    ["animate", "a.png", "--driver", "talk.motion", "--resume", "--out", "OUT/clip.mp4", *_SHORT],
    ["animate", "drawing.png", "--landmarks", "points.json", "--driver", "talk.motion", "--out", "OUT/c.png", *_SHORT],
    ["animate", "b.jpg", "--driver", "b.jpg", "--out", "OUT/frames/", *_SHORT],
    ["reel", "a.png", "--drivers", "talk.motion", "--height", "64", "--end", "0.2", "--out", "OUT/reel.mp4"],
    ["batch", "folder", "folder", "--out", "OUT/clips", *_SHORT],
    ["capture", "talk.mp4", "--out", "OUT/new.motion"],
    ["faces", "a.png", "--out", "OUT/faces.png"],
    ["portrait", "check", "a.png", "b.jpg"],
    ["performance", "edit", "talk.motion", "--out", "OUT/new.motion"],
    ["performance", "mix", "--out", "OUT/new.motion", "--head", "talk.motion"],
    ["performance", "export", "talk.motion", "--out", "OUT/new.csv"],
    ["performance", "import", "talk.motion", "talk.csv", "--out", "OUT/new.motion"],
    ["personalize", "a.png", "--weights", "talk.motion", "--out", "OUT/me.avatar"],
    ["personalize", "a.png", "--renderer", "sketch", "--weights", "talk.motion", "--out", "OUT/me.avatar"],
    ["score", "talk.mp4", "--driver", "talk.mp4", "--portrait", "a.png", "--out", "OUT/score.json"],
    ["dataset", "build", "folder", "--out", "OUT/data", "--eval-share", "0.5"],
    ["dataset", "export", "folder", "--out", "OUT/shards"],
    ["dataset", "unpack", "folder", "--out", "OUT/data"],
    ["train", "warp", "--data", "folder", "--out", "OUT/run", "--minutes", "0"],
    ["train", "sketch", "--data", "folder", "--out", "OUT/run", "--minutes", "0"],
    ["verify", "talk.mp4"],
    ["performances"],
)
"""All but the commands that wait for a person or work for minutes. OUT is a folder that may be written to."""

_NUMBERS = (
    "nan",
    "inf",
    "-inf",
    "-1",
    "0",
    "1",
    "0.5",
    "2",
    "1e9",
    "1e308",
    "1e-300",
    "-0",
    "",
    "x",
    "1,5",
    "٣",
    "1_0",
)
_WHOLE = (
    "-1",
    "0",
    "1",
    "2",
    "63",
    "64",
    "65",
    "8193",
    "1000000000",
    "9" * 30,
    "9" * 5000,
    "",
    "x",
    "1e3",
    "٣",
    "0x40",
)
_WORDS = ("", "-", "--", "0", "a=b", "0=talk.motion", "1=dramatic", "camera:0", "camera:/etc/passwd", "camera:x\ny")
_PLACES = (
    *("missing.png", "a.png", "b.jpg", "talk.mp4", "talk.motion", "talk.csv", "points.json", "folder", "drawing.png"),
    *(".", "..", "/", "", " ", "-", "/dev/null", "/dev/full", "/etc/passwd", "/proc/self/mem", "dramatic", "OUT"),
    *("http://192.0.2.1/a.mp4", "concat:talk.mp4|talk.mp4", "file:talk.mp4", "pipe:0", "a%03d.png", "x" * 300 + ".mp4"),
    *("\x1b[2J.png", "new\nline.motion", "b\udcff.png", "OUT/b\udcff.mp4", "OUT/\x1b[31m.mp4", "~/a.png", "$(id).png"),
    *("OUT/none/clip.mp4", "OUT/clip", "OUT/.mp4", "OUT/clip.MP4", "a.png/clip.mp4", "OUT/folder/", "OUT/c.gif"),
    *("OUT/new.motion", "OUT/new.csv", "OUT/new.png", "OUT/clip.webm", "OUT/" + "y" * 250 + ".mp4", "OUT/a:b.mp4"),
)
"""Files that are there, are not, cannot be, and should not be read or written."""


def command_line(random: Random, shelf: Path, out: Path) -> list[str]:
    """Words for `gioconda`; good files lie in `shelf`, and `out` is where it may write."""
    words = list(random.choice(_BEGINNINGS))
    actions = [a for a in _actions(words) if a.dest not in ("help", "debug", "minutes", "version")]
    for _ in range(random.choice((0, 1, 1, 2, 3))):
        action = random.choice(actions)
        if not action.option_strings:
            first = 2 if words[1:2] and words[0] in ("performance", "dataset", "train", "portrait") else 1
            words[min(first, len(words) - 1)] = _value(action, random)
        else:
            words.append(action.option_strings[-1])
            words += [_value(action, random)] if action.nargs is None else [] if action.nargs == 0 else ["a.png"]
    if random.random() < 0.05:
        del words[random.randrange(1, len(words) + 1) :]
    return [_placed(word, shelf, out) for word in words]


def _actions(words: list[str]) -> list[argparse.Action]:
    """The options of a command."""
    parser = cli._parser()
    for word in words:
        branches = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
        if not branches:
            break
        parser = branches[0].choices[word]
    return parser._actions


def _value(action: argparse.Action, random: Random) -> str:
    if action.choices:
        return random.choice((*map(str, action.choices), "x"))
    if action.type is float:
        return random.choice(_NUMBERS)
    if action.type is int:
        return random.choice(_WHOLE)
    if action.dest == "box":
        return ",".join(random.choice((*_NUMBERS, "20", "60")) for _ in range(4))
    return random.choice((*_PLACES, *_PLACES, *_WORDS))


def _placed(word: str, shelf: Path, out: Path) -> str:
    if word.startswith("OUT"):
        return word.replace("OUT", str(out), 1)
    kept = shelf / word
    if word in _PLACES and word and not word.startswith(("/", "~", ".")) and ":" not in word and len(word) < 200:
        return str(kept)
    return str(kept) if word and word[0].isalnum() and "\n" not in word and len(word) < 200 and kept.exists() else word
