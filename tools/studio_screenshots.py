"""The pictures of the studio in the documentation, made anew.

    python tools/studio_screenshots.py --picture mona_lisa.jpg [--out docs/media]

Starts the studio, opens it in the Chromium that is installed, works on each tab as a visitor would, and writes
studio.webp, and studio-NAME.webp for still, reel, check, personalise, dark and phone. Needs the extras 'studio',
'learn' and 'dev'.
"""

from __future__ import annotations

import argparse
import io
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

DESK, PHONE = (1280, 900), (390, 844)
"""Width and height of the window."""
TALLEST = 1260
"""Pixels of a page that are shown."""
QUALITY = 82
PATIENCE = 600_000
"""Milliseconds that a clip may take."""
POSE = {"yaw": 14, "pitch": 4, "smile": 0.8, "mouth": 0.25, "right": -0.5}
"""Of the still."""
SECOND = 2.6
"""Of the clips, at which they are shown."""
LOOKS = 8
"""At the held-out pictures, after which a fine-tuning is shown."""


@contextmanager
def studio() -> Iterator[str]:
    """The address of a studio at work."""
    command = [sys.executable, "-m", "gioconda.cli", "studio", "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().split()[-1]
        finally:
            process.terminate()


def visit(browser: Browser, address: str, picture: Path, size: tuple[int, int] = DESK, scheme: str = "light") -> Page:
    """The page with a picture given, and everything known of it."""
    width, height = size
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(PATIENCE)
    page.goto(address)
    page.set_input_files("#pictures input[type=file]", str(picture))
    page.wait_for_selector("#card .card")
    return page


def choose(page: Page, tab: str) -> None:
    """Open a tab, which on a telephone is in a menu."""
    choice = page.get_by_role("tab", name=tab)
    if not choice.is_visible():
        page.locator(".overflow-menu button").first.click()
        choice = page.locator(".overflow-dropdown button", has_text=tab)
    choice.click()


def pose(page: Page) -> None:
    """Turn the dials of the still."""
    choose(page, "Still picture")
    page.wait_for_selector("#still img.still")
    for dial, value in POSE.items():
        page.locator(f"#dial-{dial} input[type=number]").fill(str(value))
        page.wait_for_timeout(500)


def make(page: Page, tab: str) -> None:
    """Press the button of a tab, wait for its clip, and show the same moment of all players."""
    page.click(f"#{tab}-start")
    page.wait_for_selector(f"#{tab}-result video")
    page.wait_for_function("[...document.querySelectorAll('video')].every(video => video.readyState >= 2)")
    page.evaluate(
        f"document.querySelectorAll('video').forEach(v => {{ v.currentTime = {SECOND}; v.controls = false }})"
    )
    page.wait_for_timeout(1500)


def shoot(page: Page, path: Path, top: str = "body") -> None:
    """A picture of the page from some part on, with nothing in focus: a window of it, or as far as the tab goes."""
    page.evaluate(f"document.activeElement.blur(); document.querySelector('{top}').scrollIntoView()")
    page.mouse.move(0, 0)
    page.wait_for_timeout(700)
    end = page.evaluate(
        "Math.max(innerHeight, ...[...document.querySelectorAll('[role=tabpanel] *')]"
        ".filter(one => one.checkVisibility()).map(one => one.getBoundingClientRect().bottom + 16))"
    )
    shown = Image.open(io.BytesIO(page.screenshot(full_page=top == "body"))).convert("RGB")
    shown = shown.crop((0, 0, shown.width, min(round(end), TALLEST, shown.height)))
    shown.save(path, quality=QUALITY, method=6)
    print(f"{path}: {shown.width} x {shown.height}, {path.stat().st_size / 1000:.0f} kB", flush=True)


def shoot_all(browser: Browser, address: str, picture: Path, out: Path) -> None:
    """All pictures, one tab after the other."""
    page = visit(browser, address, picture)
    pose(page)
    shoot(page, out / "studio-still.webp")
    choose(page, "Animate")
    make(page, "animate")
    shoot(page, out / "studio.webp")
    link = page.locator("#animate-files a[download]").first
    with tempfile.TemporaryDirectory() as folder:
        clip = Path(folder, link.get_attribute("download") or "")
        clip.write_bytes(page.request.get(link.get_attribute("href") or "").body())
        choose(page, "Check a clip")
        page.set_input_files("#check-files input[type=file]", str(clip))
        page.wait_for_selector("#check-told .card")
    shoot(page, out / "studio-check.webp")
    choose(page, "Reel")
    page.locator("#reel-height input[type=number]").fill("320")
    make(page, "reel")
    shoot(page, out / "studio-reel.webp")
    choose(page, "Personalise")
    page.click("#personalise-start")
    page.wait_for_function(f"document.querySelector('.chart polyline')?.points.numberOfItems >= {LOOKS}")
    shoot(page, out / "studio-personalise.webp")
    page.click("#personalise-stop")
    for name, size, scheme, top in (("phone", PHONE, "light", "#still"), ("dark", DESK, "dark", "body")):
        other = visit(browser, address, picture, size, scheme)
        pose(other)
        shoot(other, out / f"studio-{name}.webp", top)


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--picture", type=Path, required=True, help="of somebody who is long dead")
    parser.add_argument("--out", type=Path, default=Path("docs/media"))
    options = parser.parse_args()
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    with studio() as address, sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        shoot_all(browser, address, options.picture, options.out)
        browser.close()


if __name__ == "__main__":
    main()
