import numpy as np
import pytest

from gioconda import Motion, Performance, animate
from gioconda.capture import capture
from gioconda.errors import NoFaceError, UsageError, VideoError
from gioconda.face import face_model
from gioconda.neutral import estimate_neutral, mouth_gap
from gioconda.tracking import default_tracker
from makers import Puppeteer, acting, film, jaw, movement, noise, performed, posed, still, stretched

FPS = 20


@pytest.fixture(scope="module")
def canvas(tmp_path_factory):
    """Videos of some length whose pixels do not matter."""
    folder = tmp_path_factory.mktemp("canvas")

    def of(count):
        path = folder / f"{count}.mp4"
        return path if path.exists() else film(path, [next(noise(1))] * count, FPS)

    return of


def performed_by(sitter, performance):
    return list(performed(sitter, performance).astype(np.float32))


def correlation(one, other):
    return np.corrcoef(one, other)[0, 1]


# A real video and the real tracker


def test_a_performance_is_what_the_driver_did(captured):
    meant = acting()
    assert len(captured) == len(meant)
    assert captured.times == pytest.approx(meant.times, abs=0.01)
    assert captured.fps == pytest.approx(20, rel=0.01)
    assert captured.seen.all()
    assert captured.cuts == 0
    assert correlation(captured.motion.angles[:, 0], meant.motion.angles[:, 0]) > 0.95
    assert correlation(lip_gap(captured), lip_gap(meant)) > 0.9
    assert correlation(captured.motion.lids.mean(axis=1), meant.motion.lids.mean(axis=1)) > 0.7
    assert 0.7 < np.std(captured.motion.angles[:, 0]) / np.std(meant.motion.angles[:, 0]) < 1.3
    assert captured.motion.lids.mean(axis=1).min() < 0.75


def lip_gap(performance):
    return performance.motion.offsets[:, :, 1].astype(float) @ (jaw(1)[:, 1] > 0.9)


def test_a_portrait_under_its_own_performance_follows_it(portrait, captured):
    tracked = default_tracker()
    follow = tracked.follow()
    faces = [follow(frame.rgb) for frame in animate(portrait, captured)]
    follow.close()
    points = np.stack([face.points for face in faces]).astype(float)
    size = estimate_neutral(points).size
    assert correlation(mouth_gap(points) / size, lip_gap(captured)) > 0.85


def test_only_a_part_is_recorded(driver):
    part = Performance.from_video(driver, start=0.5, end=1.0)
    assert len(part) == 10
    assert part.times[0] == pytest.approx(0.5, abs=0.01)


def test_no_face(faceless_video):
    with pytest.raises(NoFaceError, match=r"noise\.mp4: no face found in any of its 6 frames"):
        Performance.from_video(faceless_video)


def test_no_video(text_video, tmp_path):
    with pytest.raises(VideoError, match=r"text\.mp4"):
        Performance.from_video(text_video)
    with pytest.raises(VideoError, match=r"missing\.mp4"):
        Performance.from_video(tmp_path / "missing.mp4")


def test_nothing_between_the_times(driver):
    with pytest.raises(UsageError, match="no frame between 5 s and the end"):
        capture(driver, start=5)


# A tracker of our own: the landmarks are known


def test_any_tracker_will_do(canvas):
    sitter = posed(stretched(1.08, 1.1, 1))
    meant = acting()
    recorded = capture(canvas(len(meant)), tracker=Puppeteer(performed_by(sitter, meant)))
    assert recorded.motion.angles[:, 0] == pytest.approx(meant.motion.angles[:, 0], abs=2.5)
    assert recorded.motion.offsets[..., 1].max() == pytest.approx(0.25, abs=0.06)


def test_a_face_that_leaves_is_held_eased_and_counted(canvas):
    there = [movement(angles=(15 * (i % 20 < 10), 0, 0)) for i in range(30)]
    frames = [*frames_of(there), *[None] * 40, *frames_of(there)]
    recorded = capture(canvas(100), tracker=Puppeteer(frames))
    assert recorded.seen.tolist() == [True] * 30 + [False] * 40 + [True] * 30
    yaw = recorded.motion.angles[:, 0]
    assert yaw[30:36] == pytest.approx(yaw[29])
    assert np.abs(np.diff(yaw[29:80])).max() < 4
    gone = recorded.at(recorded.times[69])
    assert gone.angles == pytest.approx(np.zeros(3), abs=1e-4)
    assert gone.lids == pytest.approx(np.ones(2), abs=1e-3)


def frames_of(motions, size=60.0, at=(128, 110)):
    sitter = posed(face_model().shape, size=size, at=at)
    performance = still(len(motions), FPS)
    for index, motion in enumerate(motions):
        performance.motion.put(index, motion)
    return performed_by(sitter, performance)


def test_a_cut_is_counted_and_each_shot_has_its_own_neutral(canvas):
    still_head = [Motion.neutral()] * 40
    frames = [*frames_of(still_head), *frames_of(still_head, size=110.0, at=(300, 200))]
    recorded = capture(canvas(80), tracker=Puppeteer(frames))
    assert recorded.cuts == 1
    assert np.abs(recorded.motion.shift).max() < 0.02
    assert np.abs(recorded.motion.angles).max() < 0.5


def test_quick_movement_is_no_cut(canvas):
    quick = [movement(angles=(15 * np.sin(i), 0, 0), shift=(0.2 * np.sin(i), 0, 0)) for i in range(40)]
    assert capture(canvas(40), tracker=Puppeteer(frames_of(quick))).cuts == 0


def test_a_driver_who_begins_with_an_open_mouth_shuts_it(canvas):
    talking = [movement(offsets=jaw(0.3 if i < 10 or i % 4 == 0 else 0)) for i in range(60)]
    recorded = capture(canvas(60), tracker=Puppeteer(frames_of(talking)))
    assert recorded.motion.offsets[0, :, 1].max() > 0.25
    assert np.abs(recorded.motion.offsets[30:, :, 1]).min(axis=0).max() < 0.1
