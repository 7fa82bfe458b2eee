"""Small real media, made once a session with the product itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings

from gioconda import Performance, Portrait, animate
from gioconda.errors import MissingExtraError
from gioconda.media.pictures import write_png
from makers import acting, beep, film, noise

settings.register_profile("gioconda", deadline=None, max_examples=40)
settings.load_profile("gioconda")

BEEP = 0.6
"""Second of the driver at which the beep begins."""


@pytest.fixture(scope="session", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for the user's settings, the local certificate among them, instead of the real one."""
    folder = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder))
        yield folder


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what the session's fixtures make."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="session")
def portrait() -> Portrait:
    """A photograph of a person, 256 pixels a side."""
    from gioconda.demo import demo_portrait

    try:
        return demo_portrait().framed(size=256)
    except MissingExtraError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def picture(media: Path, portrait: Portrait) -> Path:
    """That photograph in a file."""
    path = media / "portrait.png"
    write_png(path, portrait.views[0].rgb)
    return path


@pytest.fixture(scope="session")
def couple(media: Path, portrait: Portrait) -> Path:
    """Two heads, cheek by cheek; the larger one on the right."""
    view = portrait.views[0]
    left, right = view.cropped_to_head(), view.cropped_to_head().resized(240)
    left = left.resized(200)
    rgb = np.full((240, 440, 3), 90, np.uint8)
    rgb[20:220, :200] = left.rgb[:200, :200]
    rgb[:, 200:] = right.rgb[:240, :240]
    path = media / "couple.png"
    write_png(path, rgb)
    return path


@pytest.fixture(scope="session")
def driver(media: Path, portrait: Portrait) -> Path:
    """A video, 1.5 seconds, of the person making the movements of `acting`, with a beep."""
    sound = beep(media / "beep.wav", 1.5, BEEP)
    return animate(portrait, acting()).save(media / "driver.mp4", sound=sound)


@pytest.fixture(scope="session")
def captured(driver: Path) -> Performance:
    """The performance recorded from that video."""
    return Performance.from_video(driver)


@pytest.fixture(scope="session")
def motion_file(media: Path, captured: Performance) -> Path:
    """That performance in a file."""
    path = media / "driver.motion"
    captured.save(path)
    return path


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network for `warp` that has learned nothing, but paints; its card does not say whom it was trained on."""
    torch = pytest.importorskip("torch", reason="torch is not installed: no network to render with")
    from gioconda.learning.export import export_warp
    from gioconda.learning.train_warp import WarpTraining, _Learner

    run = tmp_path_factory.mktemp("run")
    learner = _Learner(WarpTraining(seed=5), "cpu")
    for part in learner.mean.leave.parameters():
        torch.nn.init.normal_(part, std=0.3)
    learner.save(run)
    export_warp(run, run / "warp.onnx", {"name": "warp"})
    return run / "warp.onnx"


@pytest.fixture(scope="session")
def faceless_video(media: Path) -> Path:
    """A video of noise."""
    return film(media / "noise.mp4", noise(6))


@pytest.fixture(scope="session")
def faceless_picture(media: Path) -> Path:
    """A picture of noise."""
    path = media / "noise.png"
    write_png(path, next(noise(1)))
    return path


@pytest.fixture(scope="session")
def text_video(media: Path) -> Path:
    """A text with the name of a video."""
    path = media / "text.mp4"
    path.write_text("This is not a video.\n" * 40)
    return path
