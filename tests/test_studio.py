"""The studio as a visitor has it: the real command, and a real browser that clicks and types."""
# ruff: noqa: E402 (imports come after the check that what they need is there)

import base64
import http.client
import io
import json
import os
import re
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote, urlsplit

import cv2
import numpy as np
import pytest

pytest.importorskip("gradio", reason="the extra 'studio' (gradio) is not installed: no page to test")
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed: nothing drives a browser")

from PIL import Image

from browser import CHROMIUM
from company import QUIET, Company
from gioconda import Gains, Performance, Portrait, animate
from gioconda.credentials.verification import Verdict, verify
from gioconda.demo import demo_portrait
from gioconda.drivers import builtin_names
from gioconda.expression import controls
from gioconda.face import BROWS, face_model
from gioconda.faces import CHOSEN
from gioconda.geometry import angles
from gioconda.media.pictures import write_png
from gioconda.media.video import VideoReader
from gioconda.neutral import head_pose, lid_gaps, mouth_gap
from gioconda.performance import blank_recording
from gioconda.portrait_check import check
from gioconda.studio.still_editor import SIDE, Expression, StillEditor
from gioconda.studio.subject import open_subject
from gioconda.studio.visitors import Visitors
from gioconda.tracking import default_tracker
from makers import faceless_drawing, jaw, luma
from served import JSON, Served

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed: no browser to drive")

PATIENCE = 60_000
"""Milliseconds that anything may take on a busy machine."""
MOST_TRIPS = 8
"""Times of rendering alone that a change of the still may take on a machine so busy that milliseconds say nothing."""
LIMITS = ("--max-upload", "3", "--max-pixels", "1000000", "--max-waiting", "2")


@contextmanager
def serving(folder, *options, **more):
    """A studio that at the end has asked nobody for anything, had no fault and left nothing."""
    served = Served(folder, *options, **more)
    yield served
    served.end()
    log = served.log.read_text()
    assert "REACHED OUT" not in log, log
    assert "Traceback" not in log, log
    assert served.left() == []


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("studio") / "one", *LIMITS) as served:
        yield served


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory):
    """One that is not on 127.0.0.1, has no PyTorch, and takes half a second of a video."""
    options = ("--host", "127.0.0.2", "--max-seconds", "0.5")
    with serving(tmp_path_factory.mktemp("elsewhere") / "two", *options, without="torch") as served:
        yield served


@pytest.fixture(scope="module")
def webcam(media, driver):
    """What the browser's camera sees: the driver, over and over."""
    path = media / "webcam.mjpeg"
    with VideoReader(driver) as video:
        frames = [cv2.imencode(".jpg", cv2.resize(frame.rgb, (320, 320))[..., ::-1])[1].tobytes() for frame in video]
    path.write_bytes(b"".join(frames))
    return path


@pytest.fixture(scope="module")
def browser(webcam):
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE 127.0.0.2",
                "--use-fake-ui-for-media-stream",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={webcam}",
            ],
        )
        yield opened
        opened.close()


@pytest.fixture
def visit(studio, browser):
    """Opens the page for one more visitor; at the end, nothing may have been asked of anybody else."""

    @contextmanager
    def visiting(width=1280, height=900, scheme="light", address=None):
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme=scheme, permissions=["camera", "microphone"]
        )
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        asked, wrong = [], []
        page.on("request", lambda request: asked.append(request.url))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(address or studio.address)
        page.wait_for_selector("#pictures")
        yield page
        context.close()
        here = urlsplit(address or studio.address).netloc
        assert {url for url in asked if urlsplit(url).scheme not in ("data", "blob") and here not in url} == set()
        assert wrong == []

    return visiting


@pytest.fixture
def page(visit):
    with visit() as opened:
        yield opened


@pytest.fixture(scope="module")
def group(media, portrait):
    """Two people side by side, the one on the right smaller."""
    rgb = portrait.views[0].rgb
    both = np.full((256, 480, 3), rgb[0, 0], np.uint8)
    both[:, :256] = rgb
    both[28:228, 270:470] = cv2.resize(np.ascontiguousarray(rgb[:, ::-1]), (200, 200))
    path = media / "group.png"
    write_png(path, both)
    return path


@pytest.fixture(scope="module")
def drawing(media):
    """A face that no tracker sees."""
    path = media / "a drawing.png"
    write_png(path, faceless_drawing()[0])
    return path


def give(page, *pictures, found=True):
    page.set_input_files("#pictures input[type=file]", [str(picture) for picture in pictures])
    if found:
        page.wait_for_selector("#guide .good")


def give_driver(page, video):
    page.get_by_label("a video or the webcam").check()
    page.set_input_files("#driver-video input[type=file]", str(video))
    page.wait_for_selector("#driver-video video")


def small(page, tab="animate"):
    """The smallest clip there is to choose."""
    page.click(f"#{tab}-size input")
    page.get_by_role("option", name="256").click()


def begin(page, tab="animate"):
    page.click(f"#{tab}-start")


def finished(page, tab="animate"):
    """What came out, as the page offers it: its name and its bytes."""
    page.wait_for_selector(f"#{tab}-status .good")
    page.wait_for_selector(f"#{tab}-files a[download]")
    made = {}
    for link in page.query_selector_all(f"#{tab}-files a[download]"):
        answer = page.request.get(link.get_attribute("href"))
        assert answer.ok
        made[link.get_attribute("download")] = answer.body()
    return made


def fault(page, tab="animate"):
    return page.wait_for_selector(f"#{tab}-status .fault").inner_text()


def kept(folder, made):
    """The files, and the first of them."""
    for name, body in made.items():
        (folder / name).write_bytes(body)
    return folder / next(iter(made))


def frames_of(path):
    with VideoReader(path) as video:
        return np.stack([frame.rgb for frame in video])


def moving(frames):
    """How much most pixels change, in levels."""
    return float(np.abs(np.diff(luma(frames.astype(np.float32)), axis=0)).mean(axis=(1, 2)).max())


# A clip


def test_a_picture_and_a_video_become_a_clip(page, picture, driver, tmp_path):
    give(page, picture)
    assert "no teeth" in page.wait_for_selector("#card .card").inner_text() or page.query_selector("#card .good")
    give_driver(page, driver)
    small(page)
    page.get_by_label("Who agreed").first.fill("tests/test_studio.py")
    begin(page)
    page.wait_for_selector("#animate-status progress")
    made = finished(page)
    assert list(made) == ["portrait driver.mp4"]
    frames = frames_of(kept(tmp_path, made))
    assert frames.shape == (30, 256, 256, 3)
    assert moving(frames) > 0.3
    assert "unchanged since it was signed" in page.inner_text("#animate-told")
    assert "tests/test_studio.py" in page.inner_text("#animate-told")
    assert verify(tmp_path / "portrait driver.mp4").verdict is Verdict.INTACT
    # Both play in the browser, side by side and together.
    page.wait_for_function("['clip', 'driver'].every(id => document.getElementById(id).readyState >= 2)")
    page.evaluate("(() => { const clip = document.getElementById('clip'); clip.muted = true; return clip.play(); })()")
    page.wait_for_function("['clip', 'driver'].every(id => document.getElementById(id).currentTime > 0.2)")
    assert page.evaluate("document.getElementById('clip').duration") == pytest.approx(1.5, abs=0.1)


def test_a_preview_is_seen_while_a_built_in_performance_is_rendered_and_stop_stops_it(page, studio, picture):
    give(page, picture)
    page.get_by_label("orator").first.check()
    small(page)
    begin(page)
    page.wait_for_selector("#animate-status img.preview")
    assert re.search(r"\d+ of 210", page.inner_text("#animate-status"))
    page.wait_for_function("document.querySelector('#animate-status').innerText.includes('left')")
    page.click("#animate-stop")
    page.wait_for_selector("#animate-status .note:has-text('Nothing is left of it')")
    assert not [path for path in studio.files() if "orator" in path.name]
    assert page.query_selector("#animate-result video") is None


def test_the_webcam_drives(page, picture, tmp_path):
    give(page, picture)
    page.get_by_label("a video or the webcam").check()
    page.click("#driver-video [aria-label='Capture from camera']")
    page.get_by_text("Click to Access Webcam").click()
    page.click("#driver-video [aria-label='start recording']")
    page.wait_for_timeout(1500)
    page.wait_for_selector("#driver-video [title='stop recording']")
    page.click("#driver-video [aria-label='start recording']")  # the name of the button does not change
    page.wait_for_selector("#driver-video video[src*='file=']")
    small(page)
    begin(page)
    frames = frames_of(kept(tmp_path, finished(page)))
    assert len(frames) >= 5
    assert frames.shape[1:] == (256, 256, 3)


def test_webm_comes_with_its_sidecar_and_can_be_checked(page, picture, driver, tmp_path):
    give(page, picture)
    give_driver(page, driver)
    page.get_by_label("WebM").first.check()
    small(page)
    begin(page)
    made = finished(page)
    assert sorted(made) == ["portrait driver.webm", "portrait driver.webm.c2pa"]
    clip = kept(tmp_path, {name: made[name] for name in sorted(made)})
    page.get_by_role("tab", name="Check a clip").click()
    page.set_input_files("#check-files input[type=file]", [str(clip), f"{clip}.c2pa"])
    assert "unchanged since it was signed" in page.wait_for_selector("#check-told .good").inner_text()
    page.reload()
    page.get_by_role("tab", name="Check a clip").click()
    page.set_input_files("#check-files input[type=file]", str(clip))
    assert "its credentials are gone" in page.wait_for_selector("#check-told .note").inner_text()


@pytest.fixture(scope="module")
def mover(media, portrait):
    """A video, 0.8 seconds, of the person moving head, mouth, lids, brows and eyes, first and last at rest."""
    recorded = blank_recording(16)
    share = np.sin(np.linspace(0, np.pi, 16)) ** 2
    recorded.angles[:, 0] = 12 * share
    recorded.lids[:] = 1 - 0.8 * share[:, None]
    recorded.gaze[:, 0] = 0.3 * share
    brows = np.isin(controls(), [point for brow in BROWS for point in brow])
    recorded.offsets[:] = share[:, None, None] * (jaw(0.25) - 0.25 * brows[:, None] * np.array([0, 1, 0]))
    performance = Performance(np.arange(16) / 20, recorded, np.ones(16, bool), 20.0)
    return animate(portrait, performance).save(media / "mover.mp4")


def test_each_gain_takes_its_part_of_the_movement_away(page, picture, mover, tmp_path):
    """One slider after the other goes to 0, by keyboard; what comes out is what the library makes of those gains."""
    parts = ("gaze", "brows", "mouth", "eyes", "head")
    portrait, performance = Portrait.from_pictures([picture]), Performance.from_video(mover)
    meant = [
        np.stack([f.rgb for f in animate(portrait, performance, size=256, gains=Gains(**dict.fromkeys(gone, 0.0)))])
        for gone in (parts[:count] for count in range(len(parts) + 1))
    ]
    give(page, picture)
    give_driver(page, mover)
    small(page)
    page.get_by_text("How much of the movement").click()
    for number, part in enumerate(parts, 1):
        for _ in range(20):  # a page that is still busy forgets
            page.press(f"#gain-{part} input[type=range]", "Home")
            page.wait_for_timeout(250)
            if page.input_value(f"#gain-{part} input[type=number]") == "0":
                break
        playwright.expect(page.locator(f"#gain-{part} input[type=number]")).to_have_value("0")
        begin(page)
        page.wait_for_selector("#animate-status .good", state="detached")
        frames = frames_of(kept(tmp_path, finished(page)))
        # Where that slider makes a difference, the clip is as it is without that part, and not as it was with it.
        with_it, without = meant[number - 1].astype(int), meant[number].astype(int)
        there = np.abs(with_it - without).max(axis=3) > 16
        off = [np.abs(frames.astype(int) - one).mean(axis=3)[there].mean() for one in (with_it, without)]
        print(f"{part}: {there.sum()} pixels, {off[0]:.1f} levels from what moves it, {off[1]:.1f} from what does not")
        assert there.sum() > 50, part
        assert off[1] < 0.6 * off[0], part
    assert moving(frames) < 0.2


def test_the_built_in_performances_are_seen_moving(page):
    page.wait_for_selector("#performances label")
    shown = page.evaluate(
        """() => [...document.querySelectorAll("#performances label")].map(label => {
            const style = getComputedStyle(label, "::before");
            return [label.innerText.trim(), style.display, style.backgroundImage, parseFloat(style.width)];
        })"""
    )
    assert [name for name, display, *_ in shown if display != "none"] == builtin_names()
    for name, _, image, width in shown[: len(builtin_names())]:
        (address,) = re.findall(r'url\("(.+)"\)', image)
        assert address.endswith(f"/previews/{name}.webp")
        assert width > 60
        film = Image.open(io.BytesIO(page.request.get(address).body()))
        assert film.n_frames > 20
        first = np.asarray(film.convert("L"), int)
        film.seek(film.n_frames // 2)
        assert np.abs(np.asarray(film.convert("L"), int) - first).max() > 40


def test_three_drivers_become_a_reel(page, picture, driver, motion_file, tmp_path):
    give(page, picture)
    page.get_by_role("tab", name="Reel").click()
    for name in ("dramatic", "orator", "playful"):
        page.locator("#reel-performances").get_by_label(name).uncheck()
    names = [tmp_path / f"{name}.mp4" for name in "abc"]
    for name in names:
        name.write_bytes(driver.read_bytes())
    page.set_input_files("#reel-videos input[type=file]", [str(name) for name in names])
    page.wait_for_selector("#reel-videos a[download='c.mp4']")
    page.locator("#reel-height input[type=number]").fill("128")
    begin(page, "reel")
    frames = frames_of(kept(tmp_path, finished(page, "reel")))
    assert frames.shape == (30, 128, 4 * 128, 3)
    still, *moved = np.split(frames, 4, axis=2)
    assert moving(still) < 0.2 * min(map(moving, moved))


# Stills


def drawn(page):
    """The still as it is shown now, uint8 (height, width, 3)."""
    shown = page.evaluate(
        """async () => {
            const image = document.querySelector("#still img");
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
            canvas.getContext("2d").drawImage(image, 0, 0);
            return canvas.toDataURL("image/png").split(",")[1];
        }"""
    )
    return np.array(Image.open(io.BytesIO(base64.b64decode(shown))).convert("RGB"))


def after(page, change):
    """The still that comes of a change."""
    before = page.get_attribute("#still img", "src")
    change()
    page.wait_for_function(f"document.querySelector('#still img').src !== {json.dumps(before)}")
    return drawn(page)


def measured(rgb):
    """What a tracker sees of the face in a picture, by the dial that is to change it."""
    points = default_tracker().find(rgb).faces[0].points
    yaw, pitch, roll = angles(head_pose(face_model().shape, points).rotation)
    eyes, mouth = float(lid_gaps(points).mean()), float(mouth_gap(points)) / float(np.ptp(points[:, 0]))
    return {"yaw": yaw, "pitch": pitch, "roll": roll, "eyes": eyes, "mouth": mouth}


def test_every_dial_does_what_it_says(page, picture):
    give(page, picture)
    page.get_by_role("tab", name="Still picture").click()
    page.wait_for_selector("#still img.still")
    rest = drawn(page)
    before = measured(rest)
    # As far as the key takes it, and the least and the most that it then differs, in degrees or shares.
    wanted = {
        "pitch": ("End", 10, 25),
        "roll": ("Home", -25, -15),
        "yaw": ("End", 20, 45),
        "eyes": ("Home", -0.9 * before["eyes"], -0.4 * before["eyes"]),
        "mouth": ("End", 0.05, 0.5),
        **dict.fromkeys(("smile", "right", "up", "brows"), ("End", None, None)),
    }
    for name, (key, least, most) in wanted.items():
        turned = after(page, lambda name=name, key=key: page.press(f"#dial-{name} input[type=range]", key))
        assert np.abs(turned.astype(int) - rest).max() > 40, name
        if least is not None:
            differs = measured(turned)[name] - before[name]
            assert least < differs < most, (name, differs)
        # And back, typed.
        typed = f"#dial-{name} input[type=number]", "1" if name == "eyes" else "0"
        back = after(page, lambda typed=typed: page.fill(*typed))
        assert np.abs(back.astype(int) - rest).mean() < 0.5, name


def test_a_still_follows_a_slider_at_once(page, media):
    """From the movement of a slider to the new picture on the screen, at the largest size that is edited."""
    path = media / "large enough.png"
    write_png(path, demo_portrait().framed(size=2 * SIDE).views[0].rgb)
    editor = StillEditor.of(open_subject([path], 10**6))
    give(page, path)
    page.get_by_role("tab", name="Still picture").click()
    page.wait_for_selector("#still img.still")
    for _ in range(3):
        with Company() as company:
            bare = [timed(lambda yaw=yaw: editor.draw(Expression(yaw=yaw))) for yaw in range(9)]
            took = page.evaluate(
                """async () => {
                    const slider = document.querySelector("#dial-yaw input[type=range]"), took = [];
                    for (let step = 0; step < 15; step++) {
                        const image = document.querySelector("#still img"), was = image.src, began = performance.now();
                        slider.value = 2 * step - 15;
                        slider.dispatchEvent(new Event("input", { bubbles: true }));
                        while (image.src === was) await new Promise(requestAnimationFrame);
                        await image.decode();
                        took.push(performance.now() - began);
                        await new Promise(resolve => setTimeout(resolve, 50));
                    }
                    return took;
                }"""
            )
        change, render = np.median(took), np.median(bare)
        told = f"{change:.0f} ms in the median, {min(took):.0f} at best, to render it alone {render:.0f} ms"
        told = f"a change of the still takes {told}; others used {company.cores:.1f} cores"
        print(told)
        if change < 100:
            return
        if company.cores < QUIET:
            pytest.fail(told)
    assert change < MOST_TRIPS * render, told
    pytest.skip(f"the machine is busy: {told}")


def timed(work):
    """Milliseconds that some work takes."""
    began = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - began)


def test_a_still_is_kept_and_set_back(page, picture, tmp_path):
    give(page, picture)
    page.get_by_role("tab", name="Still picture").click()
    page.wait_for_selector("#still img.still")
    rest = drawn(page)
    after(page, lambda: page.press("#dial-yaw input[type=range]", "End"))
    after(page, lambda: page.press("#dial-smile input[type=range]", "ArrowRight"))
    page.click("#still-save")
    path = kept(tmp_path, finished(page, "still"))
    saved = cv2.imread(str(path))
    assert saved.shape == (256, 256, 3)
    assert np.abs(saved.astype(int) - cv2.imread(str(picture))).mean() > 1
    assert verify(path).verdict is Verdict.INTACT
    page.click("#still-reset")
    page.wait_for_function("document.querySelector('#dial-yaw input[type=range]').value === '0'")
    end = time.monotonic() + 10
    while np.abs(drawn(page).astype(int) - rest).mean() > 1:
        assert time.monotonic() < end
        page.wait_for_timeout(100)


# Personalising


@pytest.fixture(scope="module")
def sketch_weights(tmp_path_factory):
    """A network of 32 pixels that has learned nothing."""
    pytest.importorskip("torch", reason="torch is not installed: nothing to personalise with")
    pytest.importorskip("tensorboard", reason="tensorboard is not installed: nothing to personalise with")
    from dataclasses import asdict

    from gioconda.learning.base import export_base
    from gioconda.learning.checkpoint import NAME, save_checkpoint
    from gioconda.learning.meta import Learner, SketchTraining
    from gioconda.learning.networks import Shape

    folder = tmp_path_factory.mktemp("weights")
    training = SketchTraining(shape=Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False))
    one = Learner(training, 2, "cpu")
    save_checkpoint(folder / NAME, 0, asdict(training), one.networks, one.optimisers)
    export_base(folder, folder / "sketch.safetensors", {"name": "sketch"})
    return folder / "sketch.safetensors"


def test_an_avatar_is_made_kept_and_used_again(page, picture, driver, tmp_path):
    pytest.importorskip("torch", reason="torch is not installed: nothing to personalise with")
    give(page, picture)
    page.get_by_role("tab", name="Personalise").click()
    page.locator("#fidelity input[type=number]").fill("0")  # one look, no step: fine-tuning has its own tests
    begin(page, "personalise")
    page.wait_for_selector("#personalise-status .good")
    page.wait_for_selector("#guide:has-text('An avatar')")
    link = page.wait_for_selector("#avatar a[download]").get_attribute("href")
    (tmp_path / "me.avatar").write_bytes(page.request.get(link).body())
    page.reload()
    give(page, tmp_path / "me.avatar")
    assert "An avatar" in page.inner_text("#guide")
    give_driver(page, driver)
    small(page)
    begin(page)
    assert moving(frames_of(kept(tmp_path, finished(page)))) > 0
    assert "renderer warp" in page.inner_text("#animate-told")


def test_a_fine_tuning_is_watched_and_stopped(page, picture, sketch_weights):
    give(page, picture)
    page.get_by_role("tab", name="Personalise").click()
    page.get_by_role("radio", name="sketch").check()
    page.set_input_files("#weights input[type=file]", str(sketch_weights))
    page.wait_for_selector("#weights a[download]")
    page.locator("#fidelity input[type=number]").fill("3")
    begin(page, "personalise")
    page.wait_for_function("document.querySelector('.chart polyline')?.points.numberOfItems >= 2")
    steps, samples = [], []
    while len(steps) < 3:
        told, sample = page.evaluate(
            "['.chart figcaption', '#personalise-status img.preview'].map(one => {"
            "  const found = document.querySelector(one); return found.src ?? found.innerText })"
        )
        step, error, at_first = re.fullmatch(
            r"step (\d+): error of held-out pictures ([\d.]+) \(at first ([\d.]+)\)", told
        ).groups()
        assert float(error) > 0
        assert float(at_first) > 0
        steps.append(int(step))
        samples.append(np.array(Image.open(io.BytesIO(base64.b64decode(sample.partition(",")[2])))))
        page.wait_for_function(f"document.querySelector('.chart figcaption').innerText !== {json.dumps(told)}")
    assert steps == sorted(set(steps))
    # A held-out picture, and beside it what is painted: that changes while it is watched.
    assert {sample.shape for sample in samples} == {(32, 64, 3)}
    was, now = (sample.astype(int) for sample in (samples[0], samples[-1]))
    assert np.abs(now[:, :30] - was[:, :30]).mean() < 2 < np.abs(now[:, 34:] - was[:, 34:]).mean()
    assert re.search(r"personalising · \d+ of 600 · about .* left", page.inner_text("#personalise-status .job"))
    page.click("#personalise-stop")
    page.wait_for_selector("#personalise-status .note:has-text('Nothing is left of it')")
    assert page.query_selector("#avatar a[download]") is None


# Pictures


def test_the_card_says_which_pictures_are_of_use_and_what_would_help(page, picture, portrait, media):
    rgb = portrait.views[0].rgb
    again, blurred = media / "again.png", media / "blurred.png"
    write_png(again, rgb)
    write_png(blurred, cv2.GaussianBlur(rgb, (0, 0), 3))
    give(page, picture, again, blurred)
    page.wait_for_selector("#card .card")
    rows = page.locator("#card .card > ul li").all_inner_texts()
    assert [row.split()[-1] for row in rows] == ["portrait.png", "again.png", "blurred.png"]
    assert rows[0].startswith("of use")
    assert rows[1].startswith("of use: shows the same as another")
    assert rows[2].startswith("of no use: blurred")
    advice = page.locator("#card details li").all_inner_texts()
    assert advice == list(check([picture, again, blurred]).advice)
    for sentence in (
        "blurred.png is of no use (blurred): leave it out, or give a better one",
        "again.png shows the same as portrait.png: leave one out",
        "no view from the left: add a picture with the face turned to the picture's right",
        "no shut eyes seen: add a picture with lowered lids",
    ):
        assert sentence in advice


def test_thirty_two_pictures_are_taken_and_one_more_is_not(page, portrait, tmp_path):
    paths = [tmp_path / f"{number:02}.png" for number in range(33)]
    for path in paths:
        write_png(path, portrait.framed(size=128).views[0].rgb)
    give(page, *paths, found=False)
    said = page.wait_for_selector("#guide .fault").inner_text()
    assert said == "33 pictures given; a portrait has 1 to 32"
    assert not page.is_visible("#picture")
    begin(page)
    assert "Give a picture first" in fault(page)
    for count in (32, 2):
        page.click("#pictures [aria-label='Clear']")
        page.wait_for_selector("#guide .note")
        give(page, *paths[:count])
        page.wait_for_function(f"document.querySelectorAll('#card .card > ul li').length === {count}")


# Faces


def shown(page):
    """The picture with its outlines, uint8 (height, width, 3)."""
    address = page.locator("#picture img").get_attribute("src")
    return np.array(Image.open(io.BytesIO(page.request.get(address).body())).convert("RGB")).astype(int)


def test_the_faces_found_are_outlined(page, group, portrait):
    plain = cv2.imread(str(group))[..., ::-1].astype(int)
    give(page, group)
    page.wait_for_selector("#picture img")
    first = shown(page)
    page.locator("#faces input").nth(1).check()
    end = time.monotonic() + 10
    while not np.abs((second := shown(page)) - first).max() > 60:
        assert time.monotonic() < end
        page.wait_for_timeout(100)
    box, left, right = portrait.views[0].box, np.s_[:, :256], np.s_[:, 270:]
    x, y = box.centre
    middles = (left, (x, y)), (right, (200 - x / 1.28, 28 + y / 1.28))
    for outlined in (first, second):
        off = np.abs(outlined - plain).max(axis=2) > 60
        for side, middle in middles:
            assert 0.005 < off[side].mean() < 0.2
            down, across = np.nonzero(off[side])
            assert np.hypot(across.mean() - middle[0], down.mean() - middle[1]) < box.width / 4

    def chosen(picture, side):
        return int((np.abs(picture - CHOSEN).max(axis=2) < 40)[side].sum())

    assert chosen(first, left) > 4 * chosen(first, right)
    assert chosen(second, right) > 4 * chosen(second, left)


def test_another_face_is_chosen_with_a_click_or_with_the_keyboard(page, group, portrait):
    give(page, group)
    assert "Click the face you mean" in page.inner_text("#guide")
    assert page.locator("#faces input").count() == 2
    x, y = portrait.views[0].box.centre
    click_at(page, 270 + (256 - x) * 200 / 256, 28 + y * 200 / 256)
    page.wait_for_function("document.querySelectorAll('#faces input')[1].checked")
    page.focus("#faces input >> nth=0")
    page.keyboard.press("Space")
    page.wait_for_function("document.querySelectorAll('#faces input')[0].checked")


def click_at(page, x, y):
    """Click at a place in pixels of the picture, once it is loaded and in the window."""
    shown = page.wait_for_function(
        """() => {
            const image = document.querySelector("#picture img");
            if (!image?.complete || !image.naturalWidth) return false;
            image.scrollIntoView({block: "center", behavior: "instant"});
            const box = image.getBoundingClientRect();
            return [box.x, box.y, box.width / image.naturalWidth];
        }"""
    )
    left, top, scale = shown.json_value()
    page.mouse.click(left + x * scale, top + y * scale)


def test_a_face_that_is_not_found_is_clicked(page, drawing, driver, tmp_path):
    give(page, drawing, found=False)
    assert "No face is known" in page.wait_for_selector("#guide .fault").inner_text()
    give_driver(page, driver)
    small(page)
    begin(page)
    assert "No face is known yet" in fault(page)
    marks = faceless_drawing()[1]
    for name, word in (("left_eye", "right"), ("right_eye", "nose"), ("nose", "mouth"), ("mouth", "chin")):
        click_at(page, *marks[name])
        page.wait_for_selector(f"#guide .note:has-text('{word}')")
    click_at(page, *marks["chin"])
    page.wait_for_selector("#guide .good")
    begin(page)
    assert moving(frames_of(kept(tmp_path, finished(page)))) > 0.1


def test_a_face_that_is_not_found_is_shown_with_the_keyboard(page, drawing):
    """Arrow keys move a cross over the picture, Enter clicks; the picture keeps the focus all along."""
    give(page, drawing, found=False)
    page.wait_for_selector("#guide .fault")
    page.wait_for_selector("#picture button img")
    page.focus("#how input >> nth=0")
    page.keyboard.press("Shift+Tab")
    marks = faceless_drawing()[1]
    for name, word in (
        ("left_eye", "right"),
        ("right_eye", "nose"),
        ("nose", "mouth"),
        ("mouth", "chin"),
        ("chin", ""),
    ):
        assert page.evaluate("document.activeElement.closest('#picture') !== null")
        assert page.is_visible("#picture .cross")
        move_cross(page, *marks[name])
        page.keyboard.press("Enter")
        page.wait_for_selector(f"#guide .note:has-text('{word}')" if word else "#guide .good")
    assert "The face is found" in page.inner_text("#guide")
    assert np.abs(shown(page) - faceless_drawing()[0]).max() > 60
    page.mouse.click(700, 5)
    assert not page.is_visible("#picture .cross")


def move_cross(page, x, y):
    """To a place in pixels of the picture, by keys."""
    for axis, (less, more), wanted in (("x", ("Left", "Right"), x), ("y", ("Up", "Down"), y)):
        off = page.wait_for_function(
            f"""() => {{
                const [image, cross] = ["img", ".cross"].map(one => document.querySelector(`#picture ${{one}}`));
                if (!image?.complete || !image.naturalWidth) return null;
                const [box, at] = [image, cross].map(one => one.getBoundingClientRect());
                const scale = box.width / image.naturalWidth;
                return {{x: [box.x + {wanted} * scale - at.x - at.width / 2],
                         y: [box.y + {wanted} * scale - at.y - at.height / 2]}}.{axis};
            }}"""
        ).json_value()[0]
        far, near = divmod(round(abs(off)), 8)
        key = f"Arrow{more if off > 0 else less}"
        for press in (*[key] * far, *[f"Shift+{key}"] * near):
            page.keyboard.press(press)


def test_a_box_is_drawn_or_typed(page, group):
    give(page, group)
    page.get_by_label("draw a box").check()
    page.wait_for_selector("#guide .note:has-text('a corner')")
    click_at(page, 290, 60)
    page.wait_for_selector("#guide .note:has-text('the opposite corner')")
    click_at(page, 440, 200)
    page.wait_for_function("document.querySelector('#guide').innerText.includes('The face is found')")
    page.get_by_text("Where the face is, in numbers").click()
    page.locator("#numbers textarea, #numbers input").first.fill("10 10 20")
    page.click("#look-there")
    assert "four numbers" in page.wait_for_selector("#guide .fault").inner_text()
    page.locator("#numbers textarea, #numbers input").first.fill("0, 0, 9, 9")
    page.click("#look-there")
    assert "o face found" in page.wait_for_selector("#guide .fault:has-text('face')").inner_text()


# What goes wrong


def test_without_a_picture_nothing_begins(page):
    begin(page)
    assert "Give a picture first" in fault(page)


def test_bad_files_are_told_of_and_the_page_lives(page, studio, picture, driver, text_video, faceless_video, media):
    (media / "broken.png").write_bytes(picture.read_bytes()[:300])
    give(page, media / "broken.png", found=False)
    said = page.wait_for_selector("#guide .fault").inner_text()
    assert "roken.png" in said
    assert str(studio.temporary) not in said
    page.click("#pictures [aria-label='Clear']")
    page.wait_for_selector("#guide .note")
    write_png(media / "vast.png", np.zeros((1001, 1000, 3), np.uint8))
    give(page, media / "vast.png", found=False)
    assert "pixels" in page.wait_for_selector("#guide .fault:has-text('vast')").inner_text()
    page.click("#pictures [aria-label='Clear']")
    page.wait_for_selector("#guide .note")
    give(page, picture)
    for video, word in ((text_video, "text.mp4"), (faceless_video, "face")):
        page.get_by_label("a video or the webcam").check()
        page.set_input_files("#driver-video input[type=file]", str(video))
        page.wait_for_selector(f"#driver-video video[src*='{video.name}']", state="attached")
        begin(page)
        page.wait_for_selector(f"#animate-status .fault:has-text('{word}')")
        page.click("#driver-video [aria-label='Clear']")
    page.get_by_label("orator").first.check()
    small(page)
    begin(page)
    page.wait_for_selector("#animate-status progress")
    page.click("#animate-stop")


def test_too_large_a_file_is_refused(page, studio, media):
    (media / "large.png").write_bytes(os.urandom(4 << 20))
    give(page, media / "large.png", found=False)
    page.wait_for_selector("text=/exceed the maximum allowed size/i")
    # Nor does it help to ask without the page.
    assert (
        studio.ask("/gradio_api/upload", "POST", bytes(4 << 20), Content_Type="multipart/form-data; boundary=x")[0]
        == 413
    )


# Visitors


def test_two_visitors_wait_in_line_and_see_nothing_of_each_other(visit, studio, picture, driver, tmp_path):
    with visit() as first, visit() as second:
        give(first, picture)
        give(second, picture)
        give_driver(second, driver)
        small(first)
        small(second)
        begin(first)
        first.wait_for_selector("#animate-status progress")
        begin(second)
        second.wait_for_selector("text=/queue: 1/")
        empty = json.dumps({"data": [[], None, None, "MP4", "512", 1, 1, 1, 1, 1, ""]}).encode()
        statuses = [
            studio.ask("/gradio_api/call/animate", "POST", empty, Content_Type="application/json") for _ in range(2)
        ]
        assert statuses[0][0] == 200
        assert "Queue is full: 2 of 2 places are taken" in statuses[1][1]
        theirs = first.get_attribute("#picture img", "src")
        assert first.request.get(theirs).ok
        assert second.request.get(theirs).status == 404
        path = theirs.partition("file=")[2]
        file = {"path": path, "meta": {"_type": "gradio.FileData"}}
        asked = second.request.post(
            f"{studio.address}gradio_api/call/check", data=json.dumps({"data": [file]}), headers=JSON
        )
        assert asked.status == 403
        key = "not-a-key-of-anybody"
        assert second.request.get(f"{studio.address}still/{key}?yaw=3").status == 404
        first.click("#animate-stop")
        assert len(frames_of(kept(tmp_path, finished(second)))) == 30


def test_a_still_is_for_its_visitor_only(visit, studio, picture):
    with visit() as first, visit() as second:
        give(first, picture)
        first.get_by_role("tab", name="Still picture").click()
        key = first.wait_for_selector("#still img.still").get_attribute("data-key")
        assert first.request.get(f"{studio.address}still/{key}?yaw=3").ok
        assert first.request.get(f"{studio.address}still/{key}?yaw=nan").status == 422
        assert second.request.get(f"{studio.address}still/{key}?yaw=3").status == 404


def test_whoever_leaves_takes_everything_along(visit, studio, picture):
    with visit() as page:
        give(page, picture)
        small(page)
        begin(page)
        page.wait_for_selector("#animate-status progress")
        assert studio.files()
    end = time.monotonic() + 20
    while studio.files() and time.monotonic() < end:
        time.sleep(0.1)
    assert studio.files() == []


def test_what_is_written_just_after_its_visitor_left_goes_soon(tmp_path):
    visitors = Visitors(tmp_path / "visitors")
    for name in ("gone", "back again", "here"):
        visitors.arrive(name, "tab")
    for name in ("gone", "back again"):
        visitors.leave(name, "tab")
    visitors.arrive("back again", "another tab")
    late, *others = (visitors.new_folder(name) for name in ("gone", "back again", "here", "a program"))
    visitors.sweep(60)
    assert not late.exists()
    assert all(folder.exists() for folder in others)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/gradio_api/file=/etc/passwd", 404),
        ("/gradio_api/file=http://127.0.0.1:1/", 404),
        ("/gradio_api/proxy=http://127.0.0.1:1/", 404),
        ("/gradio_api/file/etc/passwd", 404),
        ("/gradio_api/runs", 404),
        ("/gradio_api/vibe-code", 404),
        ("/gradio_api/deep_link", 404),
        ("/monitoring", 404),
        ("/docs", 404),
        ("/previews/../visitors", 404),
    ],
)
def test_what_the_page_does_not_need_is_not_there(studio, path, status):
    assert studio.ask(path)[0] == status


def test_addresses_are_not_fetched(studio):
    file = {"path": "http://127.0.0.1:9/x.mp4", "url": "http://127.0.0.1:9/", "meta": {"_type": "gradio.FileData"}}
    asked = json.dumps({"data": [file]}).encode()
    for path in ("call/check", "run/predict", "queue/join"):
        assert studio.ask(f"/gradio_api/{path}", "POST", asked, Content_Type="application/json")[0] == 403


def test_other_pages_and_other_names_are_refused(studio):
    assert studio.ask("/", Host="example.org")[0] == 403
    assert studio.ask("/", Origin="http://example.org")[0] == 403
    assert studio.ask("/gradio_api/upload", "POST", b"x", Origin="http://example.org")[0] == 403
    assert studio.ask("/gradio_api/queue/join", "POST", b"x" * (2 << 20), Content_Type="application/json")[0] == 413
    assert studio.ask("/gradio_api/queue/join", "POST", b"[" * 99_999, Content_Type="application/json")[0] == 400
    assert studio.ask("/", "DELETE")[0] == 404


def test_file_names_are_only_names(studio):
    body = b'--x\r\nContent-Disposition: form-data; name="files"; filename="../../.hidden<b>.png"\r\n\r\n1\r\n--x--\r\n'
    status, answer = studio.ask("/gradio_api/upload", "POST", body, Content_Type="multipart/form-data; boundary=x")
    assert status == 200
    (path,) = map(Path, json.loads(answer))
    assert path.name == "hidden_b_.png"
    assert path.is_relative_to(studio.temporary)
    assert studio.ask(f"/gradio_api/file={quote(str(path))}") == (200, "1")


# Programs


def test_programs_ask_by_name(studio, picture, driver):
    from gradio_client import Client, handle_file
    from gradio_client.exceptions import AppError

    client = Client(studio.address, verbose=False)
    known = client.view_api(print_info=False, return_format="dict")
    assert set(known["named_endpoints"]) == {"/animate", "/check"}
    assert known["unnamed_endpoints"] == {}
    pictures = [handle_file(str(picture))]
    clip = client.predict(
        pictures=pictures, video=handle_file(str(driver)), size="256", format="WebP", api_name="/animate"
    )
    assert frames_of(clip).shape == (30, 256, 256, 3)
    assert client.predict(file=handle_file(clip), api_name="/check")["verdict"] == "intact"
    with pytest.raises(AppError, match="either the name of a performance or a video"):
        client.predict(pictures=pictures, api_name="/animate")


# Elsewhere than on this machine


def test_another_host_wants_a_token(elsewhere):
    (token,) = re.findall(r"\?token=([\w-]+)$", elsewhere.address)
    assert elsewhere.ask("/")[0] == 401
    assert elsewhere.ask("/config")[0] == 401
    assert elsewhere.ask("/?token=wrong")[0] == 401
    assert elsewhere.ask(f"/config?token={token}")[0] == 401
    assert elsewhere.ask(f"/?token={token}")[0] == 303
    assert elsewhere.ask("/config", Cookie=f"gioconda-token={token}")[0] == 200
    assert elsewhere.ask("/config", Authorization=f"Bearer {token}")[0] == 200


def test_a_browser_keeps_the_token_and_a_stranger_stays_out(visit, elsewhere, browser):
    address, _, token = elsewhere.address.partition("?token=")
    with visit(address=elsewhere.address) as page:
        assert page.url == address  # no token for others to read over a shoulder, or in the history
        (kept,) = [cookie for cookie in page.context.cookies() if cookie["name"] == "gioconda-token"]
        assert kept["value"] == token
        assert (kept["httpOnly"], kept["sameSite"], kept["expires"]) == (True, "Strict", -1)
        assert page.evaluate("document.cookie") == ""
        page.reload()
        page.wait_for_selector("#pictures")
        page.goto(address)
        page.wait_for_selector("#pictures")
    stranger = browser.new_page()
    assert stranger.goto(address).status == 401
    assert "open the whole address" in stranger.inner_text("body")
    stranger.close()


def test_of_a_long_video_only_the_beginning_is_used(visit, elsewhere, picture, driver, tmp_path):
    with visit(address=elsewhere.address) as page:
        give(page, picture)
        give_driver(page, driver)
        assert "at most 0.5 s are used" in page.inner_text("#driver-video")
        small(page)
        begin(page)
        frames = frames_of(kept(tmp_path, finished(page)))
    assert len(frames) == pytest.approx(0.5 * 20, abs=1)


def test_without_the_extra_learn_the_page_says_how_to_get_it(visit, elsewhere):
    with visit(address=elsewhere.address) as page:
        page.get_by_role("tab", name="Personalise").click()
        assert page.get_by_text("Personalising needs the extra 'learn': pip install 'gioconda[learn]'").is_visible()
        assert page.query_selector("#personalise-start") is None


def test_a_port_in_use_and_a_missing_extra_are_said():
    with http.client.socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        ended = subprocess.run(
            [sys.executable, "-m", "gioconda.cli", "studio", "--port", port], capture_output=True, text=True
        )
    assert ended.returncode == 2
    assert "error [usage]" in ended.stderr
    assert port in ended.stderr
    without = "import sys; sys.modules['gradio'] = None; from gioconda.cli import main; sys.exit(main(['studio']))"
    ended = subprocess.run([sys.executable, "-c", without], capture_output=True, text=True)
    assert ended.returncode == 2
    assert "error [missing-extra]" in ended.stderr
    assert "gioconda[studio]" in ended.stderr


# For everybody


def test_everything_is_reached_with_the_keyboard(page, picture, tmp_path):
    give(page, picture)
    page.locator("body").click(position={"x": 2, "y": 2})
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.closest('[id]:not(input):not(body)')?.id ?? ''"))
        reached.add(page.evaluate("document.activeElement.getAttribute('role') ?? ''"))
    assert {"pictures", "how", "performances", "animate-start", "animate-stop", "tab"} <= reached
    page.focus("#performances input >> nth=1")
    page.keyboard.press("Space")
    playwright.expect(page.locator("#performances input").nth(1)).to_be_checked()
    page.focus("#animate-start")
    page.keyboard.press("Enter")
    page.wait_for_selector("#animate-status progress")
    page.focus("#animate-stop")
    page.keyboard.press("Space")
    page.wait_for_selector("#animate-status .note:has-text('Stopped')")


TABS = ("Animate", "Still picture", "Reel", "Personalise", "Check a clip")
CUT_OFF = """() => [...document.querySelectorAll("body *")].filter(one => {
    const box = one.getBoundingClientRect();
    if (!box.width || !box.height || !one.checkVisibility({visibilityProperty: true})) return false;
    if (box.left >= -1 && box.right <= innerWidth + 1) return false;
    for (let outer = one.parentElement; outer !== document.body; outer = outer.parentElement) {
        const style = getComputedStyle(outer);
        if (style.overflowX !== "visible" || style.position === "absolute") return false;
    }
    return true;
}).map(one => one.outerHTML.slice(0, 120))"""
"""What sticks out of the window on either side, and is in nothing that scrolls or cuts it off on purpose."""
FAINT = """() => {
    const channels = colour => {
        const found = colour.match(/[\\d.]+/g).map(Number);
        return colour.startsWith("color(srgb") ? [...found.slice(0, 3).map(one => 255 * one), found[3] ?? 1]
            : [...found.slice(0, 3), found[3] ?? 1];
    };
    const over = (top, under) => [0, 1, 2].map(k => top[3] * top[k] + (1 - top[3]) * under[k]);
    const linear = one => one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4;
    const light = rgb => rgb.reduce((sum, one, k) => sum + [0.2126, 0.7152, 0.0722][k] * linear(one / 255), 0);
    const faint = [];
    const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walk.nextNode()) {
        const one = walk.currentNode.parentElement, text = walk.currentNode.data.trim();
        const box = one.getBoundingClientRect();
        if (!text || !/\\w/.test(text) || box.width < 2 || box.height < 2) continue;
        if (!one.checkVisibility({visibilityProperty: true, opacityProperty: true})) continue;
        const outer = [];
        for (let each = one; each; each = each.parentElement) outer.unshift(each);
        let ground = [255, 255, 255], opacity = 1;
        for (const each of outer) {
            const style = getComputedStyle(each);
            ground = over(channels(style.backgroundColor), ground);
            opacity *= Number(style.opacity);
        }
        const style = getComputedStyle(one), ink = channels(style.color);
        const inked = over([...ink.slice(0, 3), ink[3] * opacity], ground);
        const [dark, bright] = [light(inked), light(ground)].sort((p, q) => p - q);
        const ratio = (bright + 0.05) / (dark + 0.05);
        if (ratio < 4.5) faint.push(`${text.slice(0, 40)}: ${ratio.toFixed(2)}, ${inked} on ${ground}`);
    }
    return faint;
}"""
"""Texts with less contrast than 4.5 to 1, the least that WCAG 2.2 (1.4.3) allows for small ones."""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_telephone_and_can_be_read(visit, group, driver, scheme):
    with visit(390, 844, scheme) as page:
        give(page, group)
        page.wait_for_selector("#card .card")
        for tab in TABS:
            choose_tab(page, tab)
            if tab == "Still picture":
                page.wait_for_selector("#still img.still")
                assert page.evaluate("getComputedStyle(document.querySelector('#still img')).objectFit") == "contain"
            if tab == "Check a clip":
                page.set_input_files("#check-files input[type=file]", str(driver))
                page.wait_for_selector("#check-told .good")
            for width in (390, 360):
                page.set_viewport_size({"width": width, "height": 844})
                assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
                assert page.evaluate(CUT_OFF) == [], tab
            for _ in range(20):  # colours that change take a moment
                if not page.evaluate(FAINT):
                    break
                page.wait_for_timeout(250)
            assert page.evaluate(FAINT) == [], tab
        choose_tab(page, "Animate")
        for button in ("#animate-start", "#animate-stop"):
            place = page.locator(button).bounding_box()
            assert place["x"] >= 0
            assert place["x"] + place["width"] <= 360
            assert place["height"] >= 36
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (int(re.findall(r"\d+", paper)[0]) < 128) == (scheme == "dark")


def choose_tab(page, tab):
    choice = page.get_by_role("tab", name=tab)
    if not choice.is_visible():
        page.locator(".overflow-menu button").first.click()
        choice = page.locator(".overflow-dropdown button", has_text=tab)
    choice.click()
