import itertools
import os
import struct
from fractions import Fraction

import av
import cv2
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from gioconda.drivers import record_driver
from gioconda.errors import VideoError
from gioconda.media.clip import ClipWriter, Sound
from gioconda.media.video import VIDEO_CONTAINERS, VideoReader, _Clock, _fit, open_media, probe_video, sound_origin


def scene(height=96, width=128, shift=0):
    """Something smooth whose corners, axes and moments can be told apart."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack((x * 255 / width, y * 255 / height, 0 * x + 40 + 4 * shift), axis=2)
    return rgb.astype(np.uint8)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2)))


def film(path, frames, rate=25, ticks=None, codec="libx264", pixels="yuv420p", start=0, **options):
    """Write uint8 RGB frames at the given ticks (of 1/1000 s), or evenly."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=rate, options={k: str(v) for k, v in options.items()})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt = pixels
        stream.codec_context.time_base = Fraction(1, 1000)
        if codec == "libx264":
            stream.codec_context.options = {"crf": "12", "preset": "veryfast", **stream.options}
        for index, rgb in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(rgb))
            frame.pts = start + (round(index * 1000 / rate) if ticks is None else ticks[index])
            frame.time_base = Fraction(1, 1000)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


def scenes(count, height=96, width=128):
    return [scene(height, width, index % 50) for index in range(count)]


def beep_only(path, codec):
    with av.open(str(path), "w") as output:
        stream = output.add_stream(codec, rate=48_000, layout="mono")
        samples = np.sin(np.arange(24_000) * 0.1).astype(np.float32)[None] * 0.5
        frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
        frame.sample_rate = 48_000
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return film(tmp_path_factory.mktemp("plain") / "plain.mp4", scenes(30))


def test_frames_times_and_facts(plain):
    with VideoReader(plain) as video:
        assert (video.width, video.height) == (128, 96)
        assert video.fps == pytest.approx(25)
        assert video.duration == pytest.approx(1.2, abs=0.01)
        assert video.frame_count_estimate == 30
        assert not video.has_sound
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(30) / 25)
    for index, frame in enumerate(frames):
        assert frame.rgb.dtype == np.uint8
        assert frame.rgb.flags.c_contiguous
        assert psnr(frame.rgb, scene(shift=index)) > 36


def test_each_iteration_starts_anew_and_closing_ends_it(plain):
    with VideoReader(plain) as video:
        first = iter(video)
        next(first)
        assert len(list(video)) == 30
        assert len(list(first)) == 29
        unfinished = iter(video)
        next(unfinished)
    assert list(unfinished) == []


def test_kept_frames_do_not_change(plain):
    frames = [frame.rgb for frame in VideoReader(plain)]
    assert len({frame.tobytes() for frame in frames}) == 30


def test_max_side(plain):
    assert next(iter(VideoReader(plain, max_side=64))).rgb.shape == (48, 64, 3)
    assert next(iter(VideoReader(plain, max_side=500))).rgb.shape == (96, 128, 3)
    half = cv2.resize(scene(), (64, 48), interpolation=cv2.INTER_AREA)
    assert psnr(next(iter(VideoReader(plain, max_side=64))).rgb, half) > 34
    video = VideoReader(plain, max_side=64)
    assert (video.width, video.height) == (128, 96)
    with pytest.raises(ValueError, match="max_side"):
        VideoReader(plain, max_side=0)


@given(st.integers(1, 9000), st.integers(1, 9000), st.integers(1, 9000))
def test_fit_never_enlarges(width, height, max_side):
    fitted = _fit(width, height, max_side)
    assert min(fitted) >= 1
    assert max(fitted) <= min(max_side, max(width, height))
    assert fitted[0] <= width
    assert fitted[1] <= height


@pytest.mark.parametrize(
    ("matrix", "turn"),
    [
        ((0, 1, -1, 0), lambda a: np.rot90(a, -1)),
        ((-1, 0, 0, -1), lambda a: np.rot90(a, 2)),
        ((0, -1, 1, 0), np.rot90),
        ((-1, 0, 0, 1), lambda a: a[:, ::-1]),
        ((1, 0, 0, -1), lambda a: a[::-1]),
        ((0, 1, 1, 0), lambda a: a.transpose(1, 0, 2)),
    ],
)
def test_display_matrix(plain, tmp_path, matrix, turn):
    a, b, c, d = (value << 16 for value in matrix)
    data = bytearray(plain.read_bytes())
    at = data.index(b"tkhd") + 44
    data[at : at + 36] = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    (tmp_path / "turned.mp4").write_bytes(data)
    expected = turn(scene())
    video = VideoReader(tmp_path / "turned.mp4")
    assert (video.height, video.width) == expected.shape[:2]
    assert psnr(next(iter(video)).rgb, expected) > 36
    small = next(iter(VideoReader(tmp_path / "turned.mp4", max_side=64))).rgb
    assert small.shape[:2] == (expected.shape[0] // 2, expected.shape[1] // 2)


def test_square_pixels(tmp_path):
    with av.open(str(tmp_path / "wide.mkv"), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        stream.codec_context.sample_aspect_ratio = Fraction(3, 2)
        for rgb in scenes(3):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(rgb)))
        output.mux(stream.encode())
    video = VideoReader(tmp_path / "wide.mkv")
    assert (video.width, video.height) == (192, 96)
    assert psnr(next(iter(video)).rgb, scene(96, 192)) > 30
    assert next(iter(VideoReader(tmp_path / "wide.mkv", max_side=96))).rgb.shape == (48, 96, 3)


CONTAINERS = {
    "a.mp4": ("mov,mp4", "libx264"),
    "a.mov": ("mov,mp4", "prores_ks"),
    "a.3gp": ("mov,mp4", "h263"),
    "a.3g2": ("mov,mp4", "mpeg4"),
    "a.mkv": ("matroska,webm", "libx264"),
    "a.webm": ("matroska,webm", "libvpx-vp9"),
    "a.avi": ("avi", "mpeg4"),
    "jpeg.avi": ("avi", "mjpeg"),
    "a.ts": ("mpegts", "libx264"),
    "a.m2ts": ("mpegts", "mpeg2video"),
    "a.mpg": ("mpeg", "mpeg1video"),
    "a.vob": ("mpeg", "mpeg2video"),
    "a.flv": ("flv", "flv"),
    "h264.flv": ("flv", "libx264"),
    "a.wmv": ("asf", "wmv2"),
    "a.asf": ("asf", "msmpeg4"),
    "a.mxf": ("mxf", "mpeg2video"),
    "vc3.mxf": ("mxf", "dnxhd"),
    "a.ogv": ("ogg", "libvpx"),
    "a.nut": ("nut", "ffv1"),
    "a.ivf": ("ivf", "libvpx"),
    "a.dv": ("dv", "dvvideo"),
    "a.y4m": ("yuv4mpegpipe", "wrapped_avframe"),
    "a.m2v": ("mpegvideo", "mpeg2video"),
    "a.m4v": ("m4v", "mpeg4"),
    "a.h264": ("h264", "libx264"),
    "a.hevc": ("hevc", "libx265"),
    "a.gif": ("gif", "gif"),
    "a.apng": ("apng", "apng"),
}
"""A file of each kind: its demuxer, and its encoder, as FFmpeg names them. None in AV1: where the tests run as the
superuser, SVT-AV1 gives the whole process real-time priority, and all that comes after it starves the machine."""
PIXELS = {"prores_ks": "yuv422p10le", "mjpeg": "yuvj420p", "dnxhd": "yuv422p", "gif": "pal8", "apng": "rgb24"}
ONLY_SIZES = {"h263": (176, 144), "dvvideo": (720, 576), "dnxhd": (1280, 720)}
"""Width and height of what can have no others; the first two have pixels that are not square."""


@pytest.fixture(scope="module")
def talk(driver):
    """The first frames of a person that turns the head."""
    with VideoReader(driver) as video:
        return [frame.rgb for frame in itertools.islice(video, 5)]


@pytest.fixture(scope="module")
def turned(talk, tmp_path_factory):
    """How the head turns in them, in degrees."""
    return record_driver(str(film(tmp_path_factory.mktemp("talk") / "talk.mkv", talk, codec="ffv1"))).motion.angles


def in_palette(rgb):
    """A frame in 256 colours of its own, as GIFs are made."""
    few = Image.fromarray(rgb).quantize(256)
    colours = np.array(few.getpalette(), np.uint8).reshape(-1, 3)
    palette = np.full((256, 4), 255, np.uint8)  # opacity, red, green, blue
    palette[: len(colours), 1:] = colours
    return av.VideoFrame.from_ndarray((np.asarray(few), palette), format="pal8")


def test_every_container_is_tried():
    assert {name for demuxer, _ in CONTAINERS.values() for name in demuxer.split(",")} == {*VIDEO_CONTAINERS}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_driver_in_any_container(talk, turned, tmp_path, name):
    demuxer, encoder = CONTAINERS[name]
    path, (width, height) = tmp_path / name, ONLY_SIZES.get(encoder, talk[0].shape[1::-1])
    try:
        av.Codec(encoder, "w")
    except UnknownCodecError:
        pytest.skip(f"this build of PyAV has no {encoder}")
    with av.open(str(path), "w", format=demuxer if name == "a.m4v" else None) as output:
        stream = output.add_stream(encoder, rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, PIXELS.get(encoder, "yuv420p")
        stream.bit_rate = 60_000_000 if encoder == "dnxhd" else 2_000_000
        if encoder.startswith("lib"):
            stream.codec_context.options = {"preset": "ultrafast", "deadline": "realtime"}
        for index, rgb in enumerate(talk):
            picture = cv2.resize(rgb, (width, height))
            frame = in_palette(picture) if encoder == "gif" else av.VideoFrame.from_ndarray(picture)
            frame.pts, frame.time_base = index, Fraction(1, 25)
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    with open_media(path) as container:
        assert container.format.name.startswith(demuxer)
    with VideoReader(path) as video:
        assert video.fps == pytest.approx(25, rel=0.01)
        frames = list(video)
    assert [frame.time for frame in frames] == pytest.approx(np.arange(len(talk)) / 25, abs=0.002)
    for frame, rgb in zip(frames, talk, strict=True):
        shown, given = (cv2.resize(picture, (width, height)) for picture in (frame.rgb, rgb))
        assert psnr(shown, given) > (20 if encoder == "gif" else 34)
    performance = record_driver(str(path))
    assert performance.seen.all()
    # A face drawn wide by pixels that are not square is another face.
    assert np.abs(performance.motion.angles - turned).max() < (3 if encoder in ONLY_SIZES else 0.5)
    assert np.ptp(turned[:, 0]) > 5


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts"])
@pytest.mark.parametrize("start", [0, 700])
def test_variable_rate_has_its_true_times(tmp_path, name, start):
    ticks = [0, 20, 60, 200, 210, 600, 640, 1500]
    film(tmp_path / name, scenes(8), ticks=ticks, start=start, rate=30)
    times = [frame.time for frame in VideoReader(tmp_path / name)]
    assert times == pytest.approx([tick / 1000 for tick in ticks], abs=0.0015)


def test_average_rate_of_a_variable_rate(tmp_path):
    film(tmp_path / "a.mp4", scenes(20), ticks=[*range(0, 100, 10), *range(100, 1100, 100)], rate=100, bf=0)
    assert probe_video(tmp_path / "a.mp4").fps == pytest.approx(20, rel=0.1)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), min_size=2))
def test_times_always_increase(stamps):
    clock = _Clock(0.04)
    times = [clock.read(stamp) for stamp in stamps]
    assert times[0] == 0.0
    assert (np.diff(times) > 0).all()


def test_clock_takes_time_stamps_as_they_are_where_they_make_sense():
    assert [_Clock(0.04).read(5.0)] == [0.0]
    clock = _Clock(0.04)
    given_times = [5.0, 5.1, 5.1, 5.5, None, 1.0, 1.1]
    expected = [0.0, 0.1, 0.105, 0.5, 0.54, 0.58, 0.68]
    assert [clock.read(stamp) for stamp in given_times] == pytest.approx(expected)


def test_of_several_streams_the_first_is_taken(tmp_path):
    """A film with a cover, two pictures and two sounds, as some cameras and films have them."""
    path = tmp_path / "a.mkv"
    with av.open(str(path), "w") as out:
        videos = [out.add_stream("libx264", rate=25) for _ in range(2)]
        sounds = [out.add_stream("libopus", rate=48000) for _ in range(2)]
        for stream, side in zip(videos, (64, 128), strict=True):
            stream.width = stream.height = side
            stream.pix_fmt = "yuv420p"
        for _ in range(10):
            for stream, side in zip(videos, (64, 128), strict=True):
                shade = np.full((side, side, 3), 40 if side == 64 else 200, np.uint8)
                out.mux(stream.encode(av.VideoFrame.from_ndarray(shade, "rgb24")))
        for stream, pitch in zip(sounds, (440, 880), strict=True):
            wave = np.sin(2 * np.pi * pitch * np.arange(19200) / 48000, dtype=np.float32)[None]
            frame = av.AudioFrame.from_ndarray(wave, "flt", "mono")
            frame.sample_rate = 48000
            out.mux(stream.encode(frame))
        for stream in (*videos, *sounds):
            out.mux(stream.encode())
    with VideoReader(path) as video:
        assert (video.width, video.height) == (64, 64)
        assert all(abs(frame.rgb.mean() - 40) < 4 for frame in video)
    clip = tmp_path / "b.mp4"
    with ClipWriter(clip, 64, 64, 25, Sound(path)) as writer:
        for _ in range(10):
            writer.write(np.zeros((64, 64, 3), np.uint8))
    with av.open(str(clip)) as container:
        heard = np.concatenate([frame.to_ndarray()[0] for frame in container.decode(audio=0)])
    assert np.argmax(np.abs(np.fft.rfft(heard[:16000]))) * 48000 / 16000 == pytest.approx(440, abs=10)


@pytest.mark.parametrize(("width", "height"), [(97, 65), (98, 65), (97, 66), (66, 333)])
def test_odd_sizes(tmp_path, width, height):
    film(tmp_path / "odd.mkv", scenes(3, height, width), codec="ffv1", pixels="yuv420p")
    video = VideoReader(tmp_path / "odd.mkv")
    assert (video.width, video.height) == (width, height)
    rgb = next(iter(video)).rgb
    assert rgb.shape == (height, width, 3)
    assert psnr(rgb, scene(height, width)) > 34


def test_interlaced(tmp_path):
    def bars(moment):
        rgb = np.zeros((128, 128, 3), np.uint8)
        rgb[:, 10 + 6 * moment : 50 + 6 * moment] = 255
        return rgb

    woven = []
    for index in range(6):
        rgb = bars(2 * index)
        rgb[1::2] = bars(2 * index + 1)[1::2]
        woven.append(rgb)
    film(tmp_path / "fields.mp4", woven, **{"x264-params": "tff=1"})
    frames = [frame.rgb.astype(int) for frame in VideoReader(tmp_path / "fields.mp4")]
    assert len(frames) == 6
    for rgb, comb in list(zip(frames, woven, strict=True))[1:-1]:
        assert np.abs(np.diff(rgb, axis=0)).mean() < 0.2 * np.abs(np.diff(comb.astype(int), axis=0)).mean()
    assert np.diff([f.time for f in VideoReader(tmp_path / "fields.mp4")]) == pytest.approx(0.04)


def tagged(path, levels, transfer, ten_bit_of):
    """Grey stripes in 10 bit BT.2020, by their share of full signal."""
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32 * len(levels), 64, "yuv420p10le"
        stream.codec_context.options = {"crf": "5"}
        stream.codec_context.color_trc = int(transfer)
        stream.codec_context.colorspace = 9
        stream.codec_context.color_primaries = int(ColorPrimaries.BT2020)
        stream.codec_context.color_range = int(ColorRange.MPEG)
        frame = av.VideoFrame(stream.width, 64, "yuv420p10le")
        luma = np.repeat([ten_bit_of(level) for level in levels], 32).astype(np.uint16)
        for plane, row in zip(frame.planes, (luma, *2 * [np.full(16 * len(levels), 512, np.uint16)]), strict=True):
            rows = np.zeros((plane.height, plane.line_size // 2), np.uint16)
            rows[:, : len(row)] = row
            plane.update(rows.tobytes())
        for index in range(2):
            frame.pts = index
            output.mux(stream.encode(frame))
        output.mux(stream.encode())
    return path


@pytest.mark.parametrize(("transfer", "reference_white"), [(ColorTrc.SMPTE2084, 0.58), (ColorTrc.ARIB_STD_B67, 0.75)])
def test_high_dynamic_range(tmp_path, transfer, reference_white):
    levels = (0.0, 0.2, 0.4, reference_white, 0.8, 1.0)
    path = tagged(tmp_path / "hdr.mp4", levels, transfer, lambda level: round(64 + 876 * level))
    rgb = next(iter(VideoReader(path))).rgb.astype(int)
    stripes = [rgb[32, 32 * index + 16] for index in range(len(levels))]
    assert all(np.ptp(stripe) <= 2 for stripe in stripes), "grey stays grey"
    grey = [stripe[0] for stripe in stripes]
    assert grey == sorted(grey)
    assert grey[0] <= 1
    assert grey[-1] > 250
    assert 225 < grey[3] < 248
    assert 15 < grey[1] < grey[2] < 200


def test_ten_bits_of_ordinary_range(tmp_path):
    levels = (0.0, 0.25, 0.5, 1.0)
    path = tagged(tmp_path / "ten.mp4", levels, ColorTrc.BT709, lambda level: round(64 + 876 * level))
    rgb = next(iter(VideoReader(path))).rgb
    assert [rgb[32, 32 * i + 16, 0] for i in range(4)] == pytest.approx([0, 64, 128, 255], abs=1)


@pytest.mark.parametrize(("side", "matrix"), [(256, Colorspace.ITU601), (720, Colorspace.ITU709)])
def test_untagged_colours_go_by_size(tmp_path, side, matrix):
    colour = np.tile(np.uint8((200, 60, 30)), (side, side, 1))
    with av.open(str(tmp_path / "untagged.mkv"), "w") as output:
        stream = output.add_stream("libx264", rate=25, options={"crf": "5", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        frame = av.VideoFrame.from_ndarray(colour).reformat(
            format="yuv420p", dst_colorspace=matrix, dst_color_range=ColorRange.MPEG
        )
        frame.colorspace = 2
        output.mux(stream.encode(frame))
        output.mux(stream.encode())
    rgb = next(iter(VideoReader(tmp_path / "untagged.mkv"))).rgb
    assert np.abs(rgb.mean((0, 1)) - (200, 60, 30)).max() < 3


@pytest.mark.parametrize("name", ["a.gif", "a.png", "a.webp"])
def test_animated_pictures(tmp_path, name):
    pictures = [Image.fromarray(rgb) for rgb in scenes(8)]
    options = {"lossless": True} if name == "a.webp" else {}
    pictures[0].save(
        tmp_path / name, save_all=True, append_images=pictures[1:], duration=[100] * 4 + [200] * 4, **options
    )
    video = VideoReader(tmp_path / name)
    assert (video.width, video.height, video.has_sound) == (128, 96, False)
    frames = list(video)
    assert [f.time for f in frames] == pytest.approx([0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0])
    assert all(psnr(f.rgb, rgb) > 25 for f, rgb in zip(frames, scenes(8), strict=True))
    assert next(iter(VideoReader(tmp_path / name, max_side=64))).rgb.shape == (48, 64, 3)


def test_sound_is_noticed(tmp_path, plain):
    beep_only(tmp_path / "beep.wav", "pcm_s16le")
    with (
        av.open(str(tmp_path / "both.mkv"), "w") as output,
        av.open(str(plain)) as pictures,
        av.open(str(tmp_path / "beep.wav")) as sound,
    ):
        sources = (pictures, sound)
        streams = [output.add_stream_from_template(source.streams[0]) for source in sources]
        for source, stream in zip(sources, streams, strict=True):
            for packet in source.demux():
                if packet.dts is not None:
                    packet.stream = stream
                    output.mux(packet)
    assert VideoReader(tmp_path / "both.mkv").has_sound
    assert sound_origin(tmp_path / "both.mkv") == pytest.approx(0.0, abs=0.1)
    assert sound_origin(tmp_path / "beep.wav") == 0.0
    assert sound_origin(plain) is None


@pytest.mark.parametrize("name", ["a.mp4", "a.ts", "a.mkv", "a.avi"])
def test_damage_in_the_middle_is_skipped(tmp_path, name, capfd):
    noise = np.random.default_rng(0)
    frames = [cv2.resize(noise.integers(0, 255, (9, 12, 3), np.uint8), (128, 96)) for _ in range(60)]
    film(tmp_path / name, frames, codec="mpeg4" if name == "a.avi" else "libx264", g=10)
    data = bytearray((tmp_path / name).read_bytes())
    middle = len(data) // 2
    data[middle : middle + 1500] = noise.integers(0, 255, 1500, np.uint8).tobytes()
    (tmp_path / name).write_bytes(data)
    times = [frame.time for frame in VideoReader(tmp_path / name)]
    assert len(times) >= 30
    assert times[-1] > 2.0
    assert (np.diff(times) > 0).all()
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", ["a.mkv", "a.ts"])
def test_cut_short_gives_what_is_there(tmp_path, name):
    film(tmp_path / name, scenes(60), g=10)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: len(data) * 2 // 3])
    assert 20 < len(list(VideoReader(tmp_path / name))) < 60


@pytest.mark.parametrize(("name", "share"), [("a.mp4", 0.5), ("a.mkv", 0.2), ("a.mkv", 0.02), ("a.mp4", 0.01)])
def test_cut_short_before_the_first_frame(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (96, 128, 3), np.uint8)
    film(tmp_path / name, [noise])
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(len(data) * share)])
    with pytest.raises(VideoError, match=r"damaged.*copy") as caught:
        VideoReader(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_not_a_video(tmp_path, plain, capfd):
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("I am not a video.\n" * 50)
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:1.2,\n{plain}\n#EXT-X-ENDLIST\n")
    (tmp_path / "list.mp4").write_bytes((tmp_path / "list.m3u8").read_bytes())
    (tmp_path / "list.ffconcat").write_text(f"ffconcat version 1.0\nfile '{plain}'\n")
    (tmp_path / "list.sdp").write_text("v=0\no=- 0 0 IN IP4 127.0.0.1\nm=video 5004 RTP/AVP 96\n")
    Image.fromarray(scene()).save(tmp_path / "still.jpg")
    Image.fromarray(scene()).save(tmp_path / "still.webp")
    os.mkfifo(tmp_path / "fifo.mp4")
    for name, words in {
        "missing.mp4": "does not exist",
        "empty.mp4": "is empty",
        "text.mp4": "not a video",
        "list.m3u8": "not a video",
        "list.mp4": "not a video",
        "list.ffconcat": "not a video",
        "list.sdp": "not a video",
        "still.jpg": "not a video",
        "still.webp": "is a still picture",
        "fifo.mp4": "not a regular file",
        ".": "is a folder",
        "a\0b.mp4": "check the path",
        "x" * 400: "check the path",
    }.items():
        with pytest.raises(VideoError, match=words) as caught:
            VideoReader(tmp_path / name)
        assert "\n" not in str(caught.value)
    for address in ("https://example.org/a.mp4", "rtsp://example.org/a", "concat:a.mp4|b.mp4", "pipe:0"):
        with pytest.raises(VideoError, match="not a local file"):
            VideoReader(address)
    with pytest.raises(VideoError, match="not a regular file"):
        VideoReader("/dev/null")
    assert capfd.readouterr() == ("", "")


def test_a_playlist_is_refused_before_it_opens_anything(tmp_path, plain):
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXTINF:1,\n{plain}\n#EXT-X-ENDLIST\n")
    with pytest.raises(VideoError):
        open_media(tmp_path / "list.m3u8")


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), ("a.mka", "libopus"), ("a.wav", "pcm_s16le")])
def test_sound_alone_is_not_a_video(tmp_path, name, codec):
    beep_only(tmp_path / name, codec)
    with pytest.raises(VideoError, match="not a video" if name == "a.wav" else "only sound"):
        VideoReader(tmp_path / name)


def test_names_with_colons_percents_and_spaces(tmp_path, plain, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("http:clip.mp4", "a %03d.mp4", "-i.mp4", "é ü.mp4"):
        (tmp_path / name).write_bytes(plain.read_bytes())
        assert len(list(VideoReader(name))) == 30
