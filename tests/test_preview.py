import numpy as np
import pytest

from gioconda.cli import main
from gioconda.drivers import builtin_names
from gioconda.media.video import VideoReader
from gioconda.preview import EYE_WHITE, FPS, MOUTH, PAPER, preview, save_preview
from makers import acting, jaw, movement, still
from test_editing import of


def share(rgb, colour):
    """How much of a picture has about a colour."""
    return (np.abs(rgb.astype(int) - colour).max(axis=2) < 12).mean()


def shown(motion):
    return next(preview(of(motion, motion), 96))


def middle(rgb):
    """Across, of what is not paper."""
    return np.argwhere(np.abs(rgb.astype(int) - PAPER).max(axis=2) > 30)[:, 1].mean()


def test_mouth_eyes_and_head_can_be_seen_to_move():
    relaxed, opened, shut = shown(movement()), shown(movement(offsets=jaw(0.4))), shown(movement(lids=(0, 0)))
    assert relaxed.shape == (96, 96, 3)
    assert share(opened, MOUTH) > share(relaxed, MOUTH) + 0.005
    assert share(shut, EYE_WHITE) < share(relaxed, EYE_WHITE)
    assert middle(shown(movement(shift=(0.2, 0, 0)))) > middle(relaxed) + 2
    assert middle(shown(movement(shift=(-0.2, 0, 0)))) < middle(relaxed) - 2


def test_a_preview_lasts_as_long_as_the_performance(tmp_path):
    save_preview(acting(), tmp_path / "a.webp", 64)
    with VideoReader(tmp_path / "a.webp") as video:
        frames = list(video)
    assert len(frames) == round(1.5 * FPS)
    assert any((frame.rgb != frames[0].rgb).any() for frame in frames)


def test_a_single_frame_is_moved_into():
    assert len(list(preview(still(1), 64))) == 19


def test_every_built_in_performance_is_drawn(tmp_path, capsys):
    folder = tmp_path / "previews"
    assert main(["performances", "--preview", str(folder)]) == 0
    assert sorted(p.name for p in folder.iterdir()) == [f"{name}.webp" for name in builtin_names()]
    assert len(capsys.readouterr().out.splitlines()) == len(builtin_names())


def test_any_driver_can_be_drawn(motion_file, tmp_path):
    assert main(["performance", "preview", str(motion_file), "--out", str(tmp_path / "a.gif")]) == 0
    with VideoReader(tmp_path / "a.gif") as video:
        assert (video.width, video.height) == (192, 192)


@pytest.mark.parametrize("folder", ["file", "nowhere/previews"])
def test_folders_that_cannot_be(tmp_path, monkeypatch, capsys, folder):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    assert main(["performances", "--preview", folder]) == 2
    assert "bad-output" in capsys.readouterr().err
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
