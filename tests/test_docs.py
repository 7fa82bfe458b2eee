"""The documentation does what it says: its snippets and commands run, its lists are whole, its links lead somewhere."""

import json
import re
import shlex
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import gioconda
from gioconda import GiocondaError, Performance, cli
from gioconda.curve_file import write_curves
from gioconda.expression import controls
from gioconda.face import face_model
from gioconda.geometry import Similarity, rotation
from gioconda.marks import NAMES, MarkedFace, fit_marks, write_marks
from gioconda.media import pictures
from gioconda.media.video import VIDEO_CONTAINERS
from makers import faceless_drawing

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")])
PACKAGE = Path(gioconda.__file__).parent
FACE_MODEL = PACKAGE / "data/face_model.safetensors"
SLOW = {"demo", "train", "--weights", "me.avatar", "--preview", "camera:0", "mark", "live", "studio"}
"""Words of commands that are parsed only: they take longer than all the rest together, need what is not there, or wait
for a person."""


def text_of(page: str) -> str:
    return (ROOT / page).read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[str]:
    """Contents of a page's fenced blocks in a language (a regular expression)."""
    return [
        text
        for kind, text in re.findall(r"^```(\w*)\n(.*?)^```$", text_of(page), re.DOTALL | re.MULTILINE)
        if re.fullmatch(language, kind)
    ]


def commands(page: str) -> list[str]:
    shown = "\n".join(blocks(page, r"\w*")).replace("\\\n", " ")
    return [line for line in shown.splitlines() if line.startswith("gioconda ")]


def words(line: str) -> list[str]:
    return shlex.split(line, comments=True)[1:]


DOCUMENTED = sorted({line for page in PAGES for line in commands(str(page.relative_to(ROOT)))})
RUN = [
    line
    for line in dict.fromkeys([*commands("docs/commands.md"), *commands("docs/performances.md")])
    if not SLOW.intersection(line.split())
]


@pytest.fixture(scope="session")
def shelf(tmp_path_factory, portrait, driver, motion_file):
    """A folder with every file that the documentation names; skips, with the reason, where scikit-image is missing."""
    folder = tmp_path_factory.mktemp("documented")
    rgb = portrait.views[0].rgb
    for name in ("mona_lisa", "statue", "smile", "a", "b", "c"):
        Image.fromarray(rgb).save(folder / f"{name}.jpg", quality=95)
    group = np.full((256, 480, 3), rgb[0, 0], np.uint8)
    group[:, :256] = rgb
    group[28:228, 270:470] = np.asarray(Image.fromarray(rgb[:, ::-1]).resize((200, 200)))
    Image.fromarray(group).save(folder / "group.jpg", quality=95)
    drawing, marks = faceless_drawing()
    Image.fromarray(drawing).save(folder / "drawing.png")
    write_marks(folder / "points.json", MarkedFace(marks, None, "drawing.png", (320, 320)))
    shutil.copy(driver, folder / "talk.mp4")
    shutil.copy(driver, folder / "found.mp4")
    shutil.copy(motion_file, folder / "talk.motion")
    write_curves(Performance.load(motion_file), folder / "talk.csv")
    for name, kept in (("portraits", "a.jpg"), ("drivers", "talk.motion")):
        (folder / name).mkdir()
        shutil.copy(folder / kept, folder / name)
    shutil.copy(FACE_MODEL, folder)
    (folder / "videos").mkdir()
    shutil.copy(driver, folder / "videos")
    return folder


@pytest.fixture
def folder(shelf, tmp_path, monkeypatch):
    """A copy of it to work in."""
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run_python(page: str) -> dict:
    """Run a page's snippets one after the other, as a reader would; gives back what they defined."""
    names: dict = {}
    snippets = blocks(page, "python")
    assert snippets, f"{page} has no snippets"
    for number, snippet in enumerate(snippets):
        exec(compile(snippet, f"{page}, snippet {number}", "exec"), names)
    return names


# Snippets


@pytest.mark.parametrize("page", ["README.md", "docs/library.md", "docs/many.md"])
def test_library_snippets_run(page, folder):
    run_python(page)
    assert list(folder.glob("**/*.mp4"))


def test_snippets_on_performances(folder):
    run_python("docs/performances.md")


def test_contact_sheets(folder):
    (folder / "demo").mkdir()
    shutil.copy("talk.mp4", "demo/talk.mp4")
    run_python("CONTRIBUTING.md")
    assert Image.open("demo/talk.png").size == (8 * 256, 256)


def test_the_motion_reader_reads_what_the_product_wrote(folder):
    (reader,) = blocks("docs/motion-format.md", "python")
    assert "import gioconda" not in reader
    assert "from gioconda" not in reader
    assert len([line for line in reader.splitlines() if line]) <= 25
    read = run_python("docs/motion-format.md")
    performance = Performance.load("talk.motion")
    for name, values in vars(performance.motion).items():
        assert np.array_equal(read["motion"][name], values), name
    assert np.array_equal(read["motion"]["times"], performance.times)
    assert np.array_equal(read["motion"]["seen"], performance.seen)
    assert read["points"].shape == (len(performance), 128, 3)
    shape = face_model().shape[list(controls())].astype(float)
    for index, time in enumerate(performance.times):
        motion = performance.at(time)
        pose = Similarity(
            np.exp(motion.shift[2].astype(float)),
            rotation(*(motion.rest + motion.angles).astype(float)),
            np.append(motion.shift[:2], 0.0),
        )
        assert np.allclose(read["points"][index], pose.apply(shape + motion.offsets), atol=1e-5)


@pytest.mark.parametrize("file", ["talk.motion", "face_model.safetensors"])
def test_the_format_page_lists_every_tensor(file, folder):
    page = text_of("docs/motion-format.md")
    data = Path(file).read_bytes()
    (size,) = struct.unpack("<Q", data[:8])
    entries = json.loads(data[8 : 8 + size])
    header = json.loads(entries.pop("__metadata__", {"gioconda": "{}"})["gioconda"])
    for field in header:
        assert f"\n| `{field}` |" in page
    for name, entry in entries.items():
        shape = ", ".join(["f" if "frames" in header and i == 0 else str(n) for i, n in enumerate(entry["shape"])])
        assert f"\n| `{name}` | {entry['dtype']} | ({shape}) |" in page


def test_the_marking_page_lists_every_point_and_its_example_fits(tmp_path):
    page = text_of("docs/marking.md")
    listed = re.findall(r"^\| `(\w+)` \| (.+) \| ([\d, ]+) \|$", page, re.MULTILINE)
    assert listed == [(name, named.text, ", ".join(map(str, named.landmarks))) for name, named in NAMES.items()]
    (example,) = blocks("docs/marking.md", "json")
    assert fit_marks(json.loads(example)["points"]).shape == (478, 3)


# Commands


@pytest.mark.parametrize("line", DOCUMENTED)
def test_commands_are_understood(line):
    assert callable(cli._parser().parse_args(words(line)).command)


@pytest.mark.parametrize("line", RUN)
def test_commands_run(line, folder, capsys):
    arguments = words(line)
    assert cli.main(arguments) == 0, capsys.readouterr().err
    if "--out" in arguments:
        out = Path(arguments[arguments.index("--out") + 1])
        assert list(out.iterdir()) if out.is_dir() else out.stat().st_size > 0


def test_every_command_is_documented():
    documented = {line.split()[1] for line in DOCUMENTED}
    (verbs,) = (action.choices for action in cli._parser()._actions if isinstance(action.choices, dict))
    assert documented == set(verbs)


# Lists


def family(error: type[GiocondaError]) -> list[type[GiocondaError]]:
    return [error, *(descendant for child in error.__subclasses__() for descendant in family(child))]


def test_every_error_is_explained_and_no_other():
    page = text_of("docs/errors.md")
    errors = {error.id: error.__name__ for error in family(GiocondaError) if error.__module__ == "gioconda.errors"}
    assert set(re.findall(r"^## `([^`]+)`$", page, re.MULTILINE)) == set(errors)
    assert dict(re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|$", page, re.MULTILINE)) == errors


def test_the_library_page_names_the_public_interface():
    page = text_of("docs/library.md")
    assert [name for name in gioconda.__all__ if f"`{name}`" not in page] == []


def test_the_page_of_files_names_every_format():
    text = text_of("docs/files.md")
    rows = {row.split("|")[1].strip(): row.split("|")[2] for row in text.splitlines() if row.startswith("| ")}
    spoken = {"WEBP": "WebP", "JPEG2000": "JPEG 2000"}
    assert all(re.search(rf"\b{spoken.get(name, name)}\b", rows["formats"]) for name in pictures._FORMATS)
    assert all(re.search(rf"\b{name}\b", rows["containers"]) for name in VIDEO_CONTAINERS)


def test_the_map_of_the_code_has_every_module():
    page = text_of("CONTRIBUTING.md")
    modules = (path.relative_to(PACKAGE) for path in PACKAGE.rglob("*.py"))
    missing = [
        str(module)
        for module in modules
        if module.name != "__init__.py"
        and f"| `{module}` |" not in page
        and f"| `{module.parts[0]}/` |" not in page  # a folder described as a whole
    ]
    assert missing == []


# Links


def anchors(page: Path) -> set[str]:
    """Names of a page's headings, as they are linked to."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            dead.append(link)
    assert dead == []
