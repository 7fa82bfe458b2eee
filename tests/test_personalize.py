"""Fine-tuning to a person, and the renderer `sketch` with what comes of it, on networks of 32 pixels."""
# ruff: noqa: E402 (imports come after the check that torch is there)

import json
import shutil
from dataclasses import asdict, replace

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'learn' (torch) is not installed")
pytest.importorskip("tensorboard", reason="the extra 'learn' (tensorboard) is not installed")

from gioconda import Performance, Portrait, View
from gioconda.avatar import Avatar, picture_hash
from gioconda.cli import main
from gioconda.drivers import builtin
from gioconda.errors import AvatarError, UsageError
from gioconda.evaluation import results
from gioconda.evaluation.judges import Judges
from gioconda.evaluation.protocol import SIZES
from gioconda.evaluation.renderers import check, drawer, make, mode, painted
from gioconda.face import eye_distance, face_model
from gioconda.learning import personal_sketch
from gioconda.learning import personalize as personalize_module
from gioconda.learning.base import export_base, load_base
from gioconda.learning.checkpoint import NAME, save_checkpoint
from gioconda.learning.fine_tuning import Pace
from gioconda.learning.meta import Learner, SketchTraining
from gioconda.learning.networks import Shape
from gioconda.learning.personal_sketch import SketchTuning, _moved, _Person, _telling, personalize_sketch
from gioconda.learning.personalize import personalize
from gioconda.media.files import sha256_of
from gioconda.media.pictures import write_png
from gioconda.media.video import VideoReader
from gioconda.neutral import mouth_gap
from gioconda.performance import Motion
from gioconda.rendering import composite, make_renderer
from gioconda.rendering.renderer import OWN_BASE
from gioconda.rendering.sketch import SketchRenderer
from gioconda.retarget import Gains, Sitter, retarget
from gioconda.tracking import default_tracker
from makers import acting, still
from test_evaluation import plain_judges

torch.set_num_threads(1)

TINY = SketchTraining(shape=Shape(size=32, narrowest=4, widest=8, residuals=1, attention=False))
SOON = Pace(check_every=3, patience=3, most=15)
QUICK = SketchTuning(rate=1e-2, critic_rate=1e-3, batch=2, pixels=100.0, pace=SOON)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of a run that has learned nothing."""
    folder = tmp_path_factory.mktemp("base")
    one = Learner(TINY, 2, "cpu")
    save_checkpoint(folder / NAME, 0, asdict(TINY), one.networks, one.optimisers)
    export_base(folder, folder / "sketch.safetensors", {"name": "sketch"})
    return folder / "sketch.safetensors"


@pytest.fixture(scope="module")
def three(portrait):
    """One person in three lights."""
    view = portrait.views[0]
    return Portrait(tuple(replace(view, rgb=(view.rgb * light).astype(np.uint8)) for light in (1.0, 0.8, 0.6)))


@pytest.fixture(scope="module")
def plain(weights, portrait):
    """An avatar without fine-tuning."""
    return personalize_sketch(portrait, weights, fidelity=0, consent="public domain")


@pytest.fixture(scope="module")
def file(plain, tmp_path_factory):
    return plain.save(tmp_path_factory.mktemp("avatar") / "me.avatar")


def held_out_error(avatar, weights, portrait):
    """How far an avatar is from the held-out pictures of its person."""
    person = _Person(load_base(weights), portrait, QUICK, "cpu")
    state = {name: torch.from_numpy(np.asarray(values)).float() for name, values in avatar.network.items()}
    person.mean.load_state_dict(state, strict=False)
    return person.error()


def test_without_fidelity_no_step_is_taken(plain, weights, portrait):
    assert plain.about.steps == 0
    assert plain.about.renderer == "sketch"
    assert plain.about.consent == "public domain"
    assert plain.about.pictures == (picture_hash(portrait.views[0]),)
    base = load_base(weights)
    assert plain.about.base == base.sha256
    assert plain.about.shape == {name: int(value) for name, value in asdict(TINY.shape).items()}
    for name, value in base.generator.state_dict().items():
        if not name.startswith("project"):
            assert np.array_equal(plain.network[f"generator.{name}"], value.half().numpy()), name
    assert not any("project" in name for name in plain.network)


@pytest.mark.parametrize("pictures", [1, 3])
def test_fidelity_brings_the_held_out_pictures_nearer(weights, portrait, three, pictures):
    person = portrait if pictures == 1 else three
    tuned = personalize_sketch(person, weights, settings=QUICK)
    feed_forward = personalize_sketch(person, weights, fidelity=0, settings=QUICK)
    assert 0 < tuned.about.steps <= 15
    assert tuned.about.steps % SOON.check_every == 0
    assert len(tuned.about.pictures) == len(tuned.portrait.views) == pictures
    before, after = (held_out_error(avatar, weights, person) for avatar in (feed_forward, tuned))
    assert after < 0.95 * before


def test_fine_tuning_is_that_of_its_seed(weights, portrait):
    settings = replace(QUICK, pace=Pace(check_every=1, patience=1, most=15))
    first, again = (personalize_sketch(portrait, weights, settings=settings) for _ in range(2))
    assert all(np.array_equal(first.network[name], again.network[name]) for name in first.network)


def test_fidelity_says_how_far_to_go(weights, portrait):
    half, whole, more = (
        personalize_sketch(portrait, weights, fidelity=fidelity, settings=QUICK).about.steps
        for fidelity in (0.5, 1.0, 3.0)
    )
    assert half == pytest.approx(0.5 * whole, abs=SOON.check_every / 2)
    assert half < whole <= more


@pytest.mark.parametrize("fidelity", [-0.1, 3.1, float("nan")])
def test_a_fidelity_out_of_range(weights, portrait, fidelity):
    with pytest.raises(UsageError, match="use 0 to 3"):
        personalize_sketch(portrait, weights, fidelity=fidelity)


def test_one_step_moves_what_must_move_and_nothing_else(weights, portrait):
    person = _Person(load_base(weights), portrait, QUICK, "cpu")
    base = person.base
    before = {name: p.detach().clone() for name, p in base.generator.named_parameters()}
    judged = {name: p.detach().clone() for name, p in base.discriminator.named_parameters()}
    embedded = {name: p.detach().clone() for name, p in base.embedder.named_parameters()}
    personal = person.face.personal.detach().clone()
    person.learn()
    idle = {name for name in before if name.endswith("one.bias")}
    still_there = {name for name, p in base.generator.named_parameters() if torch.equal(p, before[name])}
    assert {name for name in before if name.startswith("project")} <= still_there
    assert still_there <= idle | {name for name in before if name.startswith("project")}
    assert not torch.equal(person.face.personal, personal)
    unmoved = {name for name, p in base.discriminator.named_parameters() if torch.equal(p, judged[name])}
    assert unmoved == {"columns.weight"}
    assert all(torch.equal(p, embedded[name]) for name, p in base.embedder.named_parameters())


def test_what_is_kept_is_the_running_mean(weights, portrait):
    person = _Person(load_base(weights), portrait, QUICK, "cpu")
    means = [person.state()["personal"]]
    for _ in range(3):
        keep = min(QUICK.average, (2 + person.step) / (11 + person.step))
        person.learn()
        means.append(keep * means[-1] + (1 - keep) * person.face.personal.detach())
        assert torch.allclose(person.state()["personal"], means[-1], rtol=1e-5, atol=1e-7)
    assert not torch.equal(means[-1], person.face.personal)


def test_the_discriminator_begins_with_the_embedding(weights, three):
    base = load_base(weights)
    common = base.discriminator.common.detach().clone()
    embedder = load_base(weights).embedder
    person = _Person(base, three, QUICK, "cpu")
    # Of the person's own pictures alone.
    sketches = personal_sketch.draw_sketch(person.points[:3], 32)
    with torch.no_grad():
        embedding = embedder((person.frames[:3].float() / 255)[None], sketches[None])
    assert torch.allclose(base.discriminator.common.detach() - common, embedding[0], rtol=1e-3, atol=1e-4)
    assert torch.allclose(person.face.personal, base.generator.personal(embedding), rtol=1e-2, atol=1e-3)


def test_held_out_and_lent_pictures_are_the_persons_with_other_faces(weights, three):
    person = _Person(load_base(weights), three, QUICK, "cpu")
    # Eight moments of each of three pictures: of one performance to be tried on, of two to learn from.
    assert person.unseen.shape == person.unseen_sketches.shape == (24, 3, 32, 32)
    assert person.frames.shape == (3 + 48, 3, 32, 32)
    views = _moved([View(three.views[0].rgb, three.views[0].points)], "orator")
    assert len(views) == 8
    for view in views:
        assert np.abs(view.points - three.views[0].points).max() > 0.5
        assert 0.1 < np.abs(view.rgb.astype(int) - three.views[0].rgb).mean() < 40


def test_so_many_of_the_pictures_learned_from_are_lent(weights, three):
    person = _Person(load_base(weights), three, replace(QUICK, lent=0.25), "cpu")
    assert person.chances[:3].tolist() == pytest.approx([0.25] * 3)
    assert person.chances[3:].tolist() == pytest.approx([0.25 / 48] * 48)


@pytest.mark.parametrize(("name", "blinks"), [("dramatic", True), ("orator", False), ("playful", True)])
def test_what_is_lent_says_much(name, blinks):
    motion = builtin(name).motion
    frames = _telling(motion)
    assert len(set(frames)) == 8
    assert (motion.lids[frames].min() < 0.1) == blinks
    plain = Sitter.of(face_model().shape * 60 + 200, 400, 400)
    acted = [motion.map(lambda values, frame=frame: values[frame]) for frame in range(len(motion.lids))]
    gaps = np.array([mouth_gap(retarget(plain, moment, Gains(head=0))) for moment in acted])
    assert gaps[frames].max() > 0.8 * gaps.max()


# The renderer


def test_the_rest_of_the_picture_is_untouched(plain):
    canvas = plain.portrait.views[0]
    patch = SketchRenderer(canvas, plain)(canvas.points)
    height, width = canvas.rgb.shape[:2]
    assert patch.left >= 0
    assert patch.top >= 0
    assert patch.left + patch.rgb.shape[1] <= width
    assert patch.top + patch.rgb.shape[0] <= height
    assert patch.mask.shape == patch.rgb.shape[:2]
    assert patch.mask.min() >= 0
    assert patch.mask.max() == 1
    rgb, alpha = composite(canvas, patch)
    assert alpha is None
    outside = np.ones((height, width), bool)
    outside[patch.top : patch.top + len(patch.rgb), patch.left : patch.left + patch.rgb.shape[1]] = False
    assert outside.any()
    assert np.array_equal(rgb[outside], canvas.rgb[outside])
    # It fades in: nothing at the border, all of it in the middle, smoothly between.
    for edge, clipped in (
        (patch.mask[0], patch.top == 0),
        (patch.mask[-1], patch.top + len(patch.mask) == height),
        (patch.mask[:, 0], patch.left == 0),
        (patch.mask[:, -1], patch.left + patch.mask.shape[1] == width),
    ):
        assert clipped or edge.max() < 0.05
    assert max(np.abs(np.diff(patch.mask, axis=axis)).max() for axis in (0, 1)) < 0.2
    y, x = np.rint(canvas.points[1, 1::-1]).astype(int)
    assert patch.mask[y - patch.top, x - patch.left] == 1
    assert np.array_equal(rgb[y, x], patch.rgb[y - patch.top, x - patch.left])


def test_a_painted_face_lies_where_the_networks_frame_does(weights, portrait):
    """A generator that paints its own sketch, so to say: what it saw comes out in its place."""
    avatar = personalize_sketch(portrait, weights, fidelity=0)
    canvas = avatar.portrait.views[0]
    render = SketchRenderer(canvas, avatar)
    size = render._frame.size
    places = render._frame.points(canvas.points)[:, :2]
    y, x = np.mgrid[:size, :size].astype(np.float32)
    for number in (1, 152, 10):
        dot = np.exp(-((x - places[number, 0]) ** 2 + (y - places[number, 1]) ** 2) / 4)
        spread = render._enlarged((dot * 255).astype(np.uint8)).astype(float)
        rows, columns = np.mgrid[: spread.shape[0], : spread.shape[1]]
        found = np.array([(columns * spread).sum(), (rows * spread).sum()]) / spread.sum()
        found += np.array([render._left, render._top])
        assert np.abs(found - canvas.points[number, :2]).max() < 1.5


def test_another_pose_paints_another_face(plain):
    canvas = plain.portrait.views[0]
    render = make_renderer("sketch", plain.portrait.views, plain)
    straight, moved = render(canvas.points), render(canvas.points + np.array([9, 4, 0]))
    assert not np.array_equal(straight.rgb, moved.rgb)
    assert np.array_equal(straight.rgb, render(canvas.points).rgb)


@pytest.mark.parametrize(
    "change",
    [
        lambda avatar: replace(avatar, network={**avatar.network, "generator.more": np.zeros(1, np.float16)}),
        lambda avatar: replace(avatar, network={k: v for k, v in avatar.network.items() if "leave.bias" not in k}),
        lambda avatar: replace(avatar, network={k: v for k, v in avatar.network.items() if k != "personal"}),
        lambda avatar: replace(avatar, network={**avatar.network, "personal": np.zeros((1, 5), np.float16)}),
        lambda avatar: replace(avatar, about=replace(avatar.about, shape={**avatar.about.shape, "residuals": 2})),
        lambda avatar: replace(avatar, about=replace(avatar.about, shape={**avatar.about.shape, "residuals": 10**9})),
        lambda avatar: replace(avatar, about=replace(avatar.about, shape={"size": 32})),
        lambda avatar: replace(avatar, about=replace(avatar.about, renderer="a later one")),
    ],
)
def test_networks_that_do_not_fit(plain, change):
    with pytest.raises(AvatarError) as raised:
        make_renderer("sketch", plain.portrait.views, change(plain))
    assert "\n" not in str(raised.value)


# The commands


def tuning(subject, weights, out):
    """The command, without a step."""
    paths = [str(subject), "--weights", str(weights), "--out", str(out)]
    return ["personalize", "--renderer", "sketch", *paths, "--fidelity", "0"]


def test_personalize_and_animate(weights, picture, motion_file, tmp_path, capsys):
    out = tmp_path / "me.avatar"
    command = tuning(picture, weights, out)
    assert main([*command, "--consent", "mine"]) == 0
    assert "1 pictures, 0 steps" in capsys.readouterr().out
    assert Avatar.load(out).about.consent == "mine"
    clip = tmp_path / "clip.mp4"
    assert main(["animate", str(out), "--driver", str(motion_file), "--out", str(clip)]) == 0
    with VideoReader(clip) as video:
        frames = [frame.rgb for frame in video]
    assert len(frames) == len(Performance.load(motion_file))
    assert frames[0].shape == Avatar.load(out).portrait.views[0].rgb.shape


def test_avatars_say_themselves_who_draws_them(file, weights, tmp_path, capsys):
    driver = tmp_path / "x.motion"
    still(2).save(driver)
    command = ["animate", str(file), "--driver", str(driver), "--out"]
    clips = [tmp_path / f"{name}.apng" for name in ("own", "named", "flow")]
    assert main([*command, str(clips[0])]) == 0
    assert main([*command, str(clips[1]), "--renderer", "sketch", "--weights", str(weights)]) == 0
    assert main([*command, str(clips[2]), "--renderer", "flow"]) == 0
    own, named, flow = (path.read_bytes() for path in clips)
    assert own == named
    assert own != flow
    other = tmp_path / "other.safetensors"
    other.write_bytes(b"other weights")
    assert main([*command, str(tmp_path / "no.apng"), "--weights", str(other)]) == 2
    assert "error [bad-avatar]: the avatar was fine-tuned from weights" in capsys.readouterr().err


def test_the_renderer_needs_an_avatar(picture, tmp_path, capsys):
    driver = tmp_path / "x.motion"
    acting(0.1).save(driver)
    command = [
        "animate",
        str(picture),
        "--driver",
        str(driver),
        "--out",
        str(tmp_path / "x.mp4"),
        "--renderer",
        "sketch",
    ]
    assert main(command) == 2
    assert "make one with 'gioconda personalize'" in capsys.readouterr().err


def test_an_avatar_is_made_of_an_avatars_pictures(file, weights, tmp_path):
    out = tmp_path / "again.avatar"
    assert main(tuning(file, weights, out)) == 0
    assert Avatar.load(out).about.pictures == Avatar.load(file).about.pictures


def test_weights_and_names_that_are_no_use(picture, weights, tmp_path, capsys):
    assert main(tuning(picture, weights, tmp_path / "me.png")) == 2
    assert "bad-output" in capsys.readouterr().err
    assert main(tuning(picture, picture, tmp_path / "me.avatar")) == 2
    assert "not weights that can be read" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_both_modes_are_measured(weights, three):
    still, feed_forward, fine_tuned = check(["sketch-ff", "sketch-ft"], [1, 3], [weights, weights])
    assert (mode(still.name), mode(feed_forward.name), mode(fine_tuned.name)) == (
        "baseline",
        "feed-forward",
        "fine-tuned",
    )
    canvas = three.views[0]
    first, second = (drawer(one, three.views)(canvas.points) for one in (feed_forward, fine_tuned))
    assert first.shape == second.shape == canvas.rgb.shape
    assert (first != second).any()
    left, top, right, bottom = painted(make(feed_forward, three.views), canvas)
    assert 0 <= left < right <= canvas.rgb.shape[1]
    assert 0 <= top < bottom <= canvas.rgb.shape[0]
    with pytest.raises(UsageError, match="--weights"):
        check(["sketch-ff", "sketch-ft"], [1], [weights])


def test_everybody_drives_avatars_and_each_is_made_once(weights, three, driver, tmp_path, monkeypatch):
    made = []
    honest = personalize
    monkeypatch.setattr(
        personalize_module, "personalize", lambda *told, **how: made.append(how["fidelity"]) or honest(*told, **how)
    )
    monkeypatch.setattr(Judges, "load", plain_judges)
    monkeypatch.setitem(SIZES, "quick", replace(SIZES["quick"], tuned=1, seconds=0.3))
    folders = {name: tmp_path / name for name in ("portraits", "drivers")}
    for name, folder in folders.items():
        folder.mkdir()
        for number in range(2):
            if name == "portraits":
                write_png(folder / f"{number}.png", three.views[number].rgb)
            else:
                shutil.copy(driver, folder / f"{number}{driver.suffix}")
    command = ["evaluate", "--track", "cross", "--quick", "--models", ".", "--out", str(tmp_path / "out")]
    command += [part for name, folder in folders.items() for part in (f"--{name}", str(folder))]
    command += ["--renderer", "flow", "sketch-ff", "sketch-ft", "--weights", str(weights), str(weights)]
    assert main(command) == 0
    whole = results.read(tmp_path / "out")
    assert whole["runs"]["cross"]["failed"] == []

    def n(group):
        rows = results.pick(whole, group=group, measure="csim_portrait")
        return {row["renderer"]: row["n"] for row in rows}

    # Fine-tuning takes minutes: on one portrait only, and one avatar for both of its drivers.
    assert n("all") == {"still": 4, "flow": 4, "sketch-ff": 4, "sketch-ft": 2}
    assert n("tuned") == {"still": 2, "flow": 2, "sketch-ff": 2, "sketch-ft": 2}
    assert made.count(1.0) == 1


# The package's own networks


def test_the_card_of_the_packages_own_base():
    card = json.loads(OWN_BASE.with_suffix(".json").read_text())
    base = load_base(OWN_BASE)
    assert card["sha256"] == base.sha256 == sha256_of(OWN_BASE)
    assert card["settings"]["shape"] == asdict(base.shape)
    assert card["steps"] > 1000
    assert len(card["trained_on"]["people"]) > 100
    assert len(card["trained_on"]["shots"]) > len(card["trained_on"]["people"])
    assert "no release" in card["licence"]
    assert OWN_BASE.stat().st_size < 6_000_000


def test_the_packages_own_base_paints_a_face_where_it_is_asked_to(portrait):
    """The tracker finds, in what is painted of the picture's person, the landmarks that were asked for."""
    avatar = personalize(portrait, renderer="sketch", fidelity=0)
    assert avatar.about.base == sha256_of(OWN_BASE)
    view = portrait.views[0]
    sitter = Sitter.of(view.points, *view.rgb.shape[1::-1])
    turned = replace(Motion.neutral(), angles=np.float32([12, 0, 0]))
    target = retarget(sitter, turned, Gains())
    picture = composite(view, make_renderer("sketch", (view,), avatar)(target))[0]
    (seen,) = default_tracker().find(picture).faces
    apart = np.linalg.norm(seen.points[:, :2] - target[:, :2], axis=1) / eye_distance(target)
    assert np.median(apart) < 0.1
    unmoved = np.linalg.norm(seen.points[:, :2] - view.points[:, :2], axis=1) / eye_distance(target)
    assert np.median(apart) < 0.7 * np.median(unmoved)
