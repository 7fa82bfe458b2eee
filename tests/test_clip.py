import os
import resource
import stat
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from gioconda.errors import OutputError, VideoError
from gioconda.media.clip import OUTPUT_SUFFIXES, ClipWriter, Sound, check_output, size_in_file
from gioconda.media.pictures import read_picture
from gioconda.media.video import VideoReader

WITH_SOUND = (".mp4", ".mov", ".webm")
QUALITY = {".mp4": 37, ".mov": 37, ".webm": 35, ".webp": 35, ".gif": 26, ".apng": 100}


def scene(height=96, width=128, shift=0):
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack((x * 255 / width, y * 255 / height, 0 * x + 40 + 4 * (shift % 50)), axis=2)
    return rgb.astype(np.uint8)


def scenes(count, height=96, width=128):
    return [scene(height, width, index) for index in range(count)]


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2)))


def write(path, frames, fps=25, sound=None, alpha=None):
    height, width = frames[0].shape[:2]
    with ClipWriter(path, width, height, fps, sound) as clip:
        for rgb in frames:
            clip.write(rgb, alpha)
    return path


def names(folder):
    return sorted(path.name for path in folder.iterdir())


# Pictures


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
@pytest.mark.parametrize("fps", [25, Fraction(30000, 1001), 12.5])
def test_what_is_written_can_be_read(tmp_path, suffix, fps):
    path = write(tmp_path / f"clip{suffix}", scenes(20), fps)
    assert names(tmp_path) == [path.name]
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~_umask()
    with VideoReader(path) as video:
        assert (video.width, video.height) == (128, 96)
        assert video.fps == pytest.approx(float(fps), rel=0.04)
        if suffix != ".apng":  # which says its length nowhere
            assert video.duration == pytest.approx(20 / fps, abs=0.05)
            assert video.frame_count_estimate == 20
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(20) / float(fps), abs=0.011)
    assert all(psnr(frame.rgb, rgb) > QUALITY[suffix] for frame, rgb in zip(frames, scenes(20), strict=True))


def _umask():
    mask = os.umask(0)
    os.umask(mask)
    return mask


@pytest.mark.parametrize("suffix", [".MP4", ".Gif"])
def test_endings_in_capitals(tmp_path, suffix):
    assert len(list(VideoReader(write(tmp_path / f"clip{suffix}", scenes(3))))) == 3


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_odd_sizes(tmp_path, suffix):
    path = write(tmp_path / f"clip{suffix}", scenes(4, 65, 97))
    height, width = (66, 98) if suffix in WITH_SOUND else (65, 97)
    assert size_in_file(path, 97, 65) == (width, height)
    for frame, rgb in zip(VideoReader(path), scenes(4, 65, 97), strict=True):
        assert frame.rgb.shape == (height, width, 3)
        assert psnr(frame.rgb[:65, :97], rgb) > min(QUALITY[suffix], 30)
        assert np.abs(frame.rgb[-1].astype(int) - frame.rgb[64]).mean() < 8


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".webm"])
def test_colours_survive(tmp_path, suffix):
    colours = [(255, 255, 255), (0, 0, 0), (128, 128, 128), (200, 150, 120), (90, 60, 40), (230, 20, 30)]
    write(tmp_path / f"clip{suffix}", [np.tile(np.uint8(c), (64, 64, 1)) for c in colours for _ in range(3)])
    frames = [frame.rgb for frame in VideoReader(tmp_path / f"clip{suffix}")]
    for colour, rgb in zip(colours, frames[1::3], strict=True):
        assert np.abs(rgb.mean((0, 1)) - colour).max() <= 1.5
    with av.open(str(tmp_path / f"clip{suffix}")) as container:
        frame = next(container.decode(video=0))
        context = container.streams.video[0].codec_context
        tags = (context.colorspace, context.color_range, context.color_primaries, context.color_trc)
        assert tags == (1, 1, 1, 1)
        assert frame.format.name == "yuv420p"


def test_mp4_starts_playing_before_it_is_whole(tmp_path):
    data = write(tmp_path / "clip.mp4", scenes(3)).read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".apng"])
def test_animated_pictures_loop(tmp_path, suffix):
    write(tmp_path / f"clip{suffix}", scenes(3))
    assert Image.open(tmp_path / f"clip{suffix}").info["loop"] == 0


def test_the_same_frames_give_the_same_clip(tmp_path):
    """Whatever lies in the memory that an encoder is given."""
    picture = cv2.resize(np.random.default_rng(0).integers(0, 255, (24, 24, 3), np.uint8), (96, 96))
    ways = [np.array([[1, 0.01 * shift, shift], [0, 1, 0]]) for shift in range(24)]
    frames = [cv2.warpAffine(picture, way, (96, 96), borderMode=cv2.BORDER_REPLICATE) for way in ways]
    clips = set()
    for number in range(6):
        litter = [np.random.default_rng(number).integers(0, 255, 100_000 * size, np.uint8) for size in range(1, 12)]
        del litter
        clips.add(write(tmp_path / "clip.mp4", [frame.copy() for frame in frames]).read_bytes())
    assert len(clips) == 1


def test_gif_is_not_faster_than_browsers_show(tmp_path):
    write(tmp_path / "clip.gif", scenes(60), fps=60)
    times = [frame.time for frame in VideoReader(tmp_path / "clip.gif")]
    assert 25 <= len(times) <= 50
    assert np.diff(times).min() > 0.0199
    assert times[-1] == pytest.approx(59 / 60, abs=0.03)


def test_gif_keeps_its_palette_while_it_fits(tmp_path):
    still = write(tmp_path / "still.gif", [scene()] * 10).stat().st_size
    single = write(tmp_path / "single.gif", [scene()]).stat().st_size
    assert still < single + 10 * 60
    sudden = [scene()] * 3 + [scene()[..., ::-1]] * 3
    frames = [frame.rgb for frame in VideoReader(write(tmp_path / "sudden.gif", sudden))]
    assert psnr(frames[-1], sudden[-1]) > QUALITY[".gif"]


@pytest.mark.parametrize("suffix", [".webp", ".apng", ".gif"])
def test_transparency(tmp_path, suffix):
    y, x = np.mgrid[0:96, 0:128]
    alpha = np.clip((45 - np.hypot(x - 64, y - 48)) * 60, 0, 255).astype(np.uint8)
    write(tmp_path / f"clip{suffix}", scenes(4), alpha=alpha)
    with Image.open(tmp_path / f"clip{suffix}") as image:
        for index in range(4):
            image.seek(index)
            pixels = np.asarray(image.convert("RGBA"))
            kept = np.where(alpha < 128, 0, 255) if suffix == ".gif" else alpha
            assert (pixels[..., 3] == kept).all()
            assert psnr(pixels[alpha == 255][:, :3], scene(shift=index)[alpha == 255]) > 26


def test_transparency_that_comes_and_goes(tmp_path):
    alpha = np.full((96, 128), 99, np.uint8)
    for first, second in ((alpha, None), (None, alpha)):
        with ClipWriter(tmp_path / "clip.apng", 128, 96, 25) as clip:
            clip.write(scene(), first)
            clip.write(scene(shift=9), second)
        assert len(list(VideoReader(tmp_path / "clip.apng"))) == 2


def test_white_shows_through_where_there_is_no_transparency(tmp_path):
    alpha = np.zeros((96, 128), np.uint8)
    alpha[:, :64] = 255
    frame = next(iter(VideoReader(write(tmp_path / "clip.mp4", scenes(3), alpha=alpha)))).rgb
    assert frame[:, 72:].min() > 250
    assert psnr(frame[:, :56], scene()[:, :56]) > 30


@pytest.mark.parametrize("exists", [False, True])
def test_numbered_pictures(tmp_path, exists):
    if exists:
        (tmp_path / "frames").mkdir()
    alpha = np.full((96, 128), 7, np.uint8)
    write(f"{tmp_path}/frames/", scenes(3), alpha=alpha)
    assert names(tmp_path) == ["frames"]
    assert names(tmp_path / "frames") == ["000000.png", "000001.png", "000002.png"]
    for index, rgb in enumerate(scenes(3)):
        picture = read_picture(tmp_path / "frames" / f"{index:06d}.png")
        assert (picture.rgb == rgb).all()
        assert (picture.alpha == 7).all()


def test_an_existing_empty_folder_needs_no_slash(tmp_path):
    (tmp_path / "frames").mkdir()
    write(tmp_path / "frames", scenes(2))
    assert names(tmp_path / "frames") == ["000000.png", "000001.png"]


def test_strided_and_reused_arrays(tmp_path):
    buffer = np.empty((96, 128, 3), np.uint8)
    for suffix in OUTPUT_SUFFIXES:
        with ClipWriter(tmp_path / f"clip{suffix}", 128, 96, 25) as clip:
            for rgb in scenes(6):
                buffer[:] = rgb
                clip.write(buffer[:, ::-1])
        frames = [frame.rgb for frame in VideoReader(tmp_path / f"clip{suffix}")]
        for frame, rgb in zip(frames, scenes(6), strict=True):
            assert psnr(frame, rgb[:, ::-1]) > min(QUALITY[suffix], 34)


def test_frames_of_another_kind(tmp_path):
    with ClipWriter(tmp_path / "clip.mp4", 128, 96, 25) as clip:
        clip.write(scene())
        with pytest.raises(ValueError, match="frame is"):
            clip.write(scene(96, 126))
        with pytest.raises(ValueError, match="alpha is"):
            clip.write(scene(), np.zeros((3, 3), np.uint8))
    with pytest.raises(ValueError, match="with"):
        clip.write(scene())
    with pytest.raises(ValueError, match="frames per second"):
        ClipWriter(tmp_path / "clip.mp4", 128, 96, 0)


# Sound

BEEP = 0.6  # seconds after the first video frame
LENGTH = 2.0


def source(
    path,
    codec,
    video_start=0.0,
    sound_start=0.0,
    rate=48_000,
    layout="mono",
    fps=25,
    beep=BEEP,
    length=LENGTH,
):
    """A film with silence, a beep of 0.1 s, and silence again.

    The starts are the stream's own, in seconds on the file's clock.
    """
    with av.open(str(path), "w") as output:
        coding = ("wmv2", {}) if path.suffix == ".wmv" else ("libx264", {"preset": "ultrafast"})
        video = output.add_stream(coding[0], rate=fps, options=coding[1])
        video.width, video.height, video.pix_fmt = 64, 64, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        sound = output.add_stream(codec, rate=rate, layout=layout)
        if codec == "wmav2":
            sound.bit_rate = 128_000  # it has no default
        channels = sound.codec_context.layout.nb_channels
        packets = []
        for index in range(int(length * fps)):
            frame = av.VideoFrame.from_ndarray(np.full((64, 64, 3), index % 256, np.uint8))
            frame.pts = round(1000 * (video_start + index / fps))
            frame.time_base = Fraction(1, 1000)
            packets += video.encode(frame)
        packets += video.encode()
        count = int((video_start + length - sound_start) * rate)
        times = sound_start + np.arange(count) / rate - video_start
        tone = np.sin(2 * np.pi * 1000 * times) * ((times >= beep) & (times < beep + 0.1)) * 0.8
        for begin in range(0, count, 1024):
            block = np.tile(tone[begin : begin + 1024], (channels, 1))
            if "pcm" in codec:
                packed = np.ascontiguousarray((block * 32767).astype(np.int16).T.reshape(1, -1))
                frame = av.AudioFrame.from_ndarray(packed, "s16", layout)
            else:
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block, np.float32), "fltp", layout)
            frame.sample_rate = rate
            frame.time_base = Fraction(1, rate)
            frame.pts = round(sound_start * rate) + begin
            packets += sound.encode(frame)
        packets += sound.encode()
        for packet in sorted(packets, key=lambda p: p.dts * p.time_base):
            output.mux(packet)
    return path


def beep_time(path):
    """Seconds from the first video frame to the onset of the beep, and to the end of the sound."""
    with av.open(str(path)) as container:
        zero = next(container.decode(video=0)).time
    with av.open(str(path)) as container:
        onset, end = None, 0.0
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().reshape(-1))
            loud = np.flatnonzero(samples > (0.2 * 32767 if samples.dtype.kind == "i" else 0.2))
            if onset is None and len(loud):
                per_sample = len(samples) // frame.samples if "p" not in frame.format.name else 1
                onset = frame.time + loud[0] / per_sample / frame.sample_rate - zero
            end = frame.time + frame.samples / frame.sample_rate - zero
    return onset, end


def sound_codec(path):
    with av.open(str(path)) as container:
        return container.streams.audio[0].codec_context.codec.canonical_name


def payloads(path):
    with av.open(str(path)) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


STARTS = [(0.0, 0.0), (0.0, 0.35), (0.45, 0.0), (1.0, 1.2), (10.0, 10.0)]


@pytest.mark.parametrize("suffix", WITH_SOUND)
@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "libopus"), ("a.ts", "aac"), ("a.mov", "pcm_s16le")]
)
@pytest.mark.parametrize(("video_start", "sound_start"), STARTS)
def test_sound_is_in_step(tmp_path, suffix, name, codec, video_start, sound_start):
    source(tmp_path / name, codec, video_start, sound_start)
    assert beep_time(tmp_path / name)[0] == pytest.approx(BEEP, abs=0.01), "the test's own source"
    clip = write(tmp_path / f"clip{suffix}", scenes(50), 25, Sound(tmp_path / name))
    onset, end = beep_time(clip)
    assert onset == pytest.approx(BEEP, abs=0.02)
    assert end == pytest.approx(2.0, abs=0.03)
    assert sound_codec(clip) == ("opus" if suffix == ".webm" else "aac")
    assert len(list(VideoReader(clip))) == 50


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.flv", "libmp3lame"),
        ("a.wmv", "wmav2"),
        ("a.3gp", "aac"),
        ("a.mpg", "mp2"),
        ("a.mxf", "pcm_s16le"),
        ("a.mkv", "flac"),
        ("a.ts", "ac3"),
        ("a.nut", "pcm_s16le"),
    ],
)
def test_sound_of_other_containers_is_in_step(tmp_path, name, codec):
    source(tmp_path / name, codec)
    onset, end = beep_time(write(tmp_path / "clip.mp4", scenes(50), 25, Sound(tmp_path / name)))
    assert onset == pytest.approx(BEEP, abs=0.02)
    assert end == pytest.approx(LENGTH, abs=0.05)


@pytest.mark.parametrize(("name", "codec", "suffix"), [("a.mp4", "aac", ".mp4"), ("a.webm", "libopus", ".webm")])
def test_sound_that_fits_is_copied(tmp_path, name, codec, suffix):
    if suffix == ".mp4":
        source(tmp_path / name, codec)
    else:
        source(tmp_path / "a.mkv", codec)
        name = "a.mkv"
    clip = write(tmp_path / f"clip{suffix}", scenes(25), 25, Sound(tmp_path / name))
    assert set(payloads(clip)) <= set(payloads(tmp_path / name))


@pytest.mark.parametrize("suffix", WITH_SOUND)
@pytest.mark.parametrize("start", [0.3, -0.5, 0.512345])
@pytest.mark.parametrize("codec", ["aac", "libopus"])
def test_clip_of_a_part(tmp_path, suffix, start, codec):
    source(tmp_path / "a.mkv", codec, video_start=0.2)
    clip = write(tmp_path / f"clip{suffix}", scenes(37), 25, Sound(tmp_path / "a.mkv", start))
    onset, end = beep_time(clip)
    assert onset == pytest.approx(BEEP - start, abs=0.02)
    assert end == pytest.approx(min(37 / 25, LENGTH - start), abs=0.03)


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_clip_from_deep_inside(tmp_path, suffix):
    source(tmp_path / "a.mp4", "aac", beep=20.6, length=22)
    clip = write(tmp_path / f"clip{suffix}", scenes(30), 25, Sound(tmp_path / "a.mp4", 20.0))
    onset, end = beep_time(clip)
    assert onset == pytest.approx(0.6, abs=0.02)
    assert end == pytest.approx(1.2, abs=0.03)


@pytest.mark.parametrize("layout", ["mono", "stereo", "5.1"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_rates_and_channels(tmp_path, layout, rate):
    source(tmp_path / "a.mkv", "flac" if layout != "5.1" else "aac", rate=rate, layout=layout)
    for suffix in (".mp4", ".webm"):
        clip = write(tmp_path / f"clip{suffix}", scenes(50), 25, Sound(tmp_path / "a.mkv"))
        assert beep_time(clip)[0] == pytest.approx(BEEP, abs=0.02)


def test_sound_shorter_than_the_clip(tmp_path):
    source(tmp_path / "a.mp4", "aac")
    clip = write(tmp_path / "clip.mp4", scenes(150), 25, Sound(tmp_path / "a.mp4"))
    assert len(list(VideoReader(clip))) == 150
    assert beep_time(clip)[1] == pytest.approx(LENGTH, abs=0.05)


def test_sound_file_without_pictures(tmp_path):
    source(tmp_path / "a.mkv", "pcm_s16le")
    with av.open(str(tmp_path / "a.mkv")) as film, av.open(str(tmp_path / "a.wav"), "w") as wav:
        stream = wav.add_stream("pcm_s16le", rate=48_000, layout="mono")
        for frame in film.decode(audio=0):
            wav.mux(stream.encode(frame))
        wav.mux(stream.encode())
    clip = write(tmp_path / "clip.mp4", scenes(50), 25, Sound(tmp_path / "a.wav"))
    assert beep_time(clip)[0] == pytest.approx(BEEP, abs=0.02)


@pytest.mark.parametrize("suffix", WITH_SOUND)
def test_source_without_sound(tmp_path, suffix):
    for name in ("silent.mp4", "silent.gif", "silent.webp"):
        silent = write(tmp_path / name, scenes(3))
        clip = write(tmp_path / f"clip{suffix}", scenes(5), 25, Sound(silent))
        assert not VideoReader(clip).has_sound


def test_formats_without_sound(tmp_path):
    source(tmp_path / "a.mp4", "aac")
    for name in ("clip.gif", "clip.webp", "clip.apng", "frames/"):
        write(f"{tmp_path}/{name}", scenes(3), 25, Sound(tmp_path / "a.mp4"))


def test_sound_file_that_is_none(tmp_path):
    (tmp_path / "text.mp4").write_text("no sound\n" * 99)
    for name in ("text.mp4", "missing.mp4"):
        with pytest.raises(VideoError, match=name):
            write(tmp_path / "clip.mp4", scenes(3), 25, Sound(tmp_path / name))
    assert names(tmp_path) == ["text.mp4"]


def test_damaged_sound(tmp_path):
    source(tmp_path / "a.mkv", "libopus")
    data = bytearray((tmp_path / "a.mkv").read_bytes())
    data[len(data) // 2 : len(data) // 2 + 300] = bytes(300)
    (tmp_path / "a.mkv").write_bytes(data)
    for suffix in WITH_SOUND:
        clip = write(tmp_path / f"clip{suffix}", scenes(50), 25, Sound(tmp_path / "a.mkv"))
        assert len(list(VideoReader(clip))) == 50


# All or nothing


@pytest.mark.parametrize("name", ["clip.mp4", "clip.gif", "clip.webm", "frames/"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_nothing_is_left_of_a_clip_broken_off(tmp_path, name, error):
    if "." in name:
        (tmp_path / name).write_bytes(b"the clip of before")
    before = names(tmp_path)
    with pytest.raises(error), ClipWriter(f"{tmp_path}/{name}", 128, 96, 25) as clip:  # noqa: PT012
        for rgb in scenes(30):
            clip.write(rgb)
        assert len(set(names(tmp_path)) - set(before)) == 1
        assert all(name.startswith(".") for name in set(names(tmp_path)) - set(before))
        raise error
    assert names(tmp_path) == before
    if "." in name:
        assert (tmp_path / name).read_bytes() == b"the clip of before"


@pytest.mark.parametrize("before", [None, b"the sidecar of before"])
def test_a_sidecar_comes_with_its_clip_or_not_at_all(tmp_path, before):
    path, sidecar = tmp_path / "clip.webm", tmp_path / "clip.webm.c2pa"
    if before:
        sidecar.write_bytes(before)
    with pytest.raises(OutputError), ClipWriter(path, 128, 96, 25, seal=lambda _: b"signed") as clip:  # noqa: PT012
        for rgb in scenes(3):
            clip.write(rgb)
        path.mkdir()  # where the clip cannot go
    assert names(tmp_path) == (["clip.webm", "clip.webm.c2pa"] if before else ["clip.webm"])
    assert before is None or sidecar.read_bytes() == before
    path.rmdir()
    with ClipWriter(path, 128, 96, 25, seal=lambda _: b"signed") as clip:
        clip.write(scene())
    assert sidecar.read_bytes() == b"signed"


def test_a_clip_replaces_the_one_before(tmp_path):
    (tmp_path / "clip.mp4").write_bytes(b"the clip of before")
    assert len(list(VideoReader(write(tmp_path / "clip.mp4", scenes(5))))) == 5


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webp", "frames/"])
def test_no_frames(tmp_path, name):
    with pytest.raises(OutputError, match="no frames"), ClipWriter(f"{tmp_path}/{name}", 128, 96, 25):
        pass
    assert names(tmp_path) == []


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm", "clip.gif", "clip.webp", "clip.apng", "frames/"])
def test_full_disk(tmp_path, name):
    noise = np.random.default_rng(0)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*space") as caught:
            write(f"{tmp_path}/{name}", [noise.integers(0, 255, (128, 128, 3), np.uint8) for _ in range(30)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(caught.value)
    assert names(tmp_path) == []


def test_check_output(tmp_path, monkeypatch):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "a.txt").touch()
    (tmp_path / "file").touch()
    for name in ("clip.mp4", "CLIP.WEBM", "frames/"):
        check_output(f"{tmp_path}/{name}")
    for name, words in {
        "clip.mkv": r"unknown ending \.mkv.*\.mp4, .*\.gif",
        "clip.tiff": r"unknown ending \.tiff.*\.png.*end in /",
        "clip": "no ending",
        "full": "files in it",
        "full/": "files in it",
        "file/": "is a file",
        "missing/clip.mp4": "does not exist",
        "missing/frames/": "does not exist",
        "file/clip.mp4": "does not exist",
        "full/../": "new folder inside",
        "a\0b.mp4": "another name",
        "x" * 400 + ".mp4": "another name",
    }.items():
        for attempt in (check_output, lambda path: ClipWriter(path, 64, 64, 25)):
            with pytest.raises(OutputError, match=words) as caught:
                attempt(f"{tmp_path}/{name}")
            assert "\n" not in str(caught.value)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(OutputError, match="cannot be written to"):
        check_output(tmp_path / "clip.mp4")


def test_clip_in_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    check_output("clip.mp4")
    for name in ("a:clip.mp4", "a %03d.gif", "frames/"):
        write(name, scenes(2))
    assert names(Path(".")) == ["a %03d.gif", "a:clip.mp4", "frames"]


def test_pictures_too_large_for_the_format(tmp_path):
    for suffix in (".mp4", ".webp"):
        with pytest.raises(OutputError, match="at most 16383"):
            ClipWriter(tmp_path / f"clip{suffix}", 20_000, 64, 25)


@pytest.mark.parametrize("suffix", OUTPUT_SUFFIXES)
def test_times_do_not_drift(tmp_path, suffix):
    write(tmp_path / f"clip{suffix}", [scene(64, 64, i) for i in range(240)], 23.976)
    times = np.array([frame.time for frame in VideoReader(tmp_path / f"clip{suffix}")])
    assert times == pytest.approx(np.arange(240) / 23.976, abs=0.006)
