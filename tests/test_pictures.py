import struct
import warnings
import zlib
from pathlib import Path

import cv2
import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms

from gioconda.errors import OutputError, PictureError
from gioconda.media.pictures import read_picture, write_png

pillow_heif.register_heif_opener()


def scene(height=96, width=128):
    """Something smooth with four corners that can be told apart."""
    y, x = np.mgrid[0:height, 0:width]
    rgb = np.stack((x * 255 / width, y * 255 / height, 255 - x * 255 / width), axis=2)
    return rgb.astype(np.uint8)


def psnr(a, b):
    return 10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2)))


def png_header(width, height):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64))


@pytest.mark.parametrize(
    ("name", "options", "quality"),
    [
        ("a.jpg", {"quality": 95, "subsampling": 0}, 36),
        ("a.png", {}, 100),
        ("a.webp", {"lossless": True}, 100),
        ("a.avif", {"quality": 90, "subsampling": "4:4:4"}, 36),
        ("a.tiff", {"compression": "tiff_lzw"}, 100),
        ("a.heic", {"quality": 90, "chroma": 444}, 34),
        ("a.gif", {}, 25),
        ("a.bmp", {}, 100),
    ],
)
def test_formats(tmp_path, name, options, quality):
    Image.fromarray(scene()).save(tmp_path / name, **options)
    picture = read_picture(tmp_path / name)
    assert picture.rgb.shape == (96, 128, 3)
    assert picture.rgb.dtype == np.uint8
    assert picture.rgb.flags.writeable
    assert picture.alpha is None
    assert psnr(picture.rgb, scene()) > quality


def test_a_wrong_ending_does_not_matter(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert (read_picture(str(tmp_path / "a.jpg")).rgb == scene()).all()


@pytest.mark.parametrize("name", ["a.jpg", "a.webp", "a.png", "a.tiff", "a.avif", "a.heic"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation(tmp_path, name, orientation):
    upright = scene()
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    if name == "a.heic":
        pytest.importorskip("pillow_heif").register_heif_opener()
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / name, exif=exif.tobytes())
    assert psnr(read_picture(tmp_path / name).rgb, upright) > 25


def test_first_frame_of_an_animation(tmp_path):
    frames = [Image.fromarray(scene()), Image.fromarray(255 - scene())]
    for name in ("a.gif", "a.webp", "a.png"):
        frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:])
        assert psnr(read_picture(tmp_path / name).rgb, scene()) > 25


def test_grey_and_bilevel(tmp_path):
    grey = scene()[..., 0]
    Image.fromarray(grey).save(tmp_path / "grey.png")
    assert (read_picture(tmp_path / "grey.png").rgb == grey[..., None]).all()
    Image.fromarray(grey > 99).save(tmp_path / "bilevel.png")
    assert (read_picture(tmp_path / "bilevel.png").rgb == np.where(grey > 99, 255, 0)[..., None]).all()


@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_sixteen_bits(tmp_path, name):
    grey = np.linspace(0, 65535, 128 * 96).reshape(96, 128).astype(np.uint16)
    cv2.imwrite(str(tmp_path / name), grey)
    assert np.abs(read_picture(tmp_path / name).rgb - (grey / 257.0)[..., None]).max() < 1
    colour = scene().astype(np.uint16) * 257
    cv2.imwrite(str(tmp_path / name), colour[..., ::-1])
    assert np.abs(read_picture(tmp_path / name).rgb.astype(int) - scene()).max() <= 1


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_floating_point(tmp_path, white):
    ramp = np.linspace(0, white, 128 * 96, dtype=np.float32).reshape(96, 128)
    Image.fromarray(ramp).save(tmp_path / "a.tiff")
    assert np.abs(read_picture(tmp_path / "a.tiff").rgb - (ramp * 255 / white)[..., None]).max() <= 1


@pytest.mark.parametrize("name", ["a.jpg", "a.tiff"])
def test_cmyk(tmp_path, name):
    Image.fromarray(scene()).convert("CMYK").save(tmp_path / name)
    assert psnr(read_picture(tmp_path / name).rgb, scene()) > 25


def test_lab(tmp_path):
    profile = ImageCms.createProfile("LAB")
    lab = ImageCms.profileToProfile(Image.fromarray(scene()), ImageCms.createProfile("sRGB"), profile, outputMode="LAB")
    lab.save(tmp_path / "a.tiff")
    assert psnr(read_picture(tmp_path / "a.tiff").rgb, scene()) > 25


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_alpha(tmp_path, mode):
    alpha = scene()[..., 1]
    image = Image.fromarray(scene()).convert(mode[:-1])
    expected = np.asarray(image.convert("RGB"))
    image.putalpha(Image.fromarray(alpha))
    for name in ("a.png", "a.webp", "a.tiff"):
        image.save(tmp_path / name, **({"lossless": True, "exact": True} if name == "a.webp" else {}))
        picture = read_picture(tmp_path / name)
        assert (picture.alpha == alpha).all()
        assert (picture.rgb == expected).all()


def test_alpha_that_hides_nothing_is_none(tmp_path):
    Image.fromarray(scene()).convert("RGBA").save(tmp_path / "a.png")
    assert read_picture(tmp_path / "a.png").alpha is None


@pytest.mark.parametrize("name", ["a.png", "a.gif"])
def test_palette_with_transparency(tmp_path, name):
    codes = np.zeros((96, 128), np.uint8)
    codes[:, 64:] = 1
    image = Image.fromarray(codes).convert("P")
    image.putpalette([200, 30, 40, 10, 220, 60])
    image.info["transparency"] = 1
    image.save(tmp_path / name, transparency=1)
    picture = read_picture(tmp_path / name)
    assert (picture.rgb[:, :64] == (200, 30, 40)).all()
    assert (picture.alpha == np.where(codes, 0, 255)).all()


def test_single_transparent_colour(tmp_path):
    rgb = scene()
    rgb[:10] = (1, 2, 3)
    Image.fromarray(rgb).save(tmp_path / "a.png", transparency=(1, 2, 3))
    picture = read_picture(tmp_path / "a.png")
    assert not picture.alpha[:10].any()
    assert picture.alpha[10:].all()


def profile_with_red_and_green_exchanged():
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"xXYZ", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"xXYZ", b"gXYZ", 1)
    return profile.replace("sRGB".encode("utf-16-be"), "test".encode("utf-16-be"))


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp", "a.avif", "a.heic", "a.tiff"])
def test_embedded_profile_is_obeyed(tmp_path, name):
    options = {"subsampling": 0} if name == "a.jpg" else {}
    Image.fromarray(scene()).save(tmp_path / name, icc_profile=profile_with_red_and_green_exchanged(), **options)
    assert psnr(read_picture(tmp_path / name).rgb, scene()[..., [1, 0, 2]]) > 25


def test_profile_leaves_alpha_alone(tmp_path):
    image = Image.fromarray(scene())
    image.putalpha(Image.fromarray(scene()[..., 1]))
    image.save(tmp_path / "a.png", icc_profile=profile_with_red_and_green_exchanged())
    picture = read_picture(tmp_path / "a.png")
    assert psnr(picture.rgb, scene()[..., [1, 0, 2]]) > 25
    assert (picture.alpha == scene()[..., 1]).all()


def icc_profile(kind, channels, connection, tags):
    """An ICC profile, version 2: its class, its colours and those it leads to, and its tags."""
    text = b"made by hand"
    tags = {
        b"desc": b"desc" + struct.pack(">II", 0, len(text) + 1) + text + b"\0" * 79,
        b"cprt": b"text" + bytes(4) + b"nobody's\0",
        b"wtpt": b"XYZ " + bytes(4) + struct.pack(">3i", *(round(v * 65536) for v in (0.9642, 1.0, 0.8249))),
        **tags,
    }
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    white = struct.pack(">3i", 63190, 65536, 54061)
    head = struct.pack(">4sI4s4s4s12s4s", b"none", 0x02400000, kind, channels, connection, bytes(12), b"acsp")
    head += bytes(28) + white
    whole = head + bytes(124 - len(head)) + table + body
    return struct.pack(">I", len(whole) + 4) + whole


def grey_profile(gamma):
    return icc_profile(
        b"mntr", b"GRAY", b"XYZ ", {b"kTRC": b"curv" + struct.pack(">IIH", 0, 1, round(gamma * 256)) + bytes(2)}
    )


def cmyk_profile():
    """Inks that multiply, the first absorbing green and the second red: the other way about than cyan and magenta."""
    grid = 9
    m, c, y, k = 1 - np.stack(np.meshgrid(*[np.linspace(0, 1, grid)] * 4, indexing="ij"))
    seen = np.rint(255 * np.stack([c * k, m * k, y * k], axis=-1)).astype(np.uint8)
    lab = ImageCms.profileToProfile(
        Image.fromarray(seen.reshape(-1, grid, 3)),
        ImageCms.createProfile("sRGB"),
        ImageCms.createProfile("LAB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="LAB",
    )
    codes = np.asarray(lab).astype(float)
    codes[..., 1:] = (codes[..., 1:] + 128) % 256  # Pillow keeps a and b as signed bytes
    sixteen = np.rint(codes * [65280 / 255, 256, 256]).clip(0, 65535).astype(">u2")
    ramp = struct.pack(">2H", 0, 65535)
    table = b"mft2" + struct.pack(">I4B", 0, 4, 3, grid, 0)
    table += struct.pack(">9i", *(65536 * v for v in (1, 0, 0, 0, 1, 0, 0, 0, 1))) + struct.pack(">2H", 2, 2)
    table += 4 * ramp + sixteen.tobytes() + 3 * ramp
    return icc_profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table})


def inks(rgb):
    """A picture in the inks of `cmyk_profile`."""
    red, green, blue = np.moveaxis(rgb / 255, -1, 0)
    light = np.maximum(np.maximum(red, green), blue)
    cover = np.stack([1 - green / light, 1 - red / light, 1 - blue / light, 1 - light], axis=-1)
    return Image.fromarray(np.rint(255 * cover).astype(np.uint8), "CMYK")


@pytest.mark.parametrize(("name", "options"), [("a.jpg", {"quality": 98, "subsampling": 0}), ("a.tiff", {})])
def test_cmyk_goes_by_its_profile(tmp_path, name, options):
    inks(scene()).save(tmp_path / name, icc_profile=cmyk_profile(), **options)
    with Image.open(tmp_path / name) as image:
        assert (image.mode, image.info["icc_profile"]) == ("CMYK", cmyk_profile())
    assert psnr(read_picture(tmp_path / name).rgb, scene()) > 32


def test_profiles_of_other_channels_are_ignored(tmp_path):
    for profile in (profile_with_red_and_green_exchanged(), grey_profile(1.0)):
        inks(scene()).save(tmp_path / "a.tiff", icc_profile=profile)
        assert psnr(read_picture(tmp_path / "a.tiff").rgb, scene()[..., [1, 0, 2]]) > 32
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=cmyk_profile())
    assert (read_picture(tmp_path / "a.png").rgb == scene()).all()


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tiff", "alpha.png", "clear.png", "deep.png"])
def test_grey_goes_by_its_profile(tmp_path, name):
    """As it was on the first Macs: darker where it is shown without its profile."""
    grey = np.tile(np.arange(1, 255, dtype=np.uint8), (64, 1))
    light = (grey / 255) ** 1.8
    expected = 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)
    image, options = Image.fromarray(grey), {}
    if name == "alpha.png":
        image.putalpha(Image.fromarray(scene(64, 254)[..., 1]))
    elif name == "clear.png":
        options = {"transparency": 200}
    elif name == "deep.png":
        image = Image.fromarray(grey.astype(np.uint16) * 257)
    image.save(tmp_path / name, icc_profile=grey_profile(1.8), **options)
    picture = read_picture(tmp_path / name)
    assert np.abs(picture.rgb - expected[..., None]).max() < (6 if name == "a.jpg" else 2)
    assert np.abs(picture.rgb - grey[..., None].astype(int)).max() > 15
    if name == "alpha.png":
        assert (picture.alpha == scene(64, 254)[..., 1]).all()
    elif name == "clear.png":
        assert (picture.alpha == np.where(grey == 200, 0, 255)).all()
    else:
        assert picture.alpha is None


@pytest.mark.parametrize("transparent", [False, True])
@pytest.mark.parametrize("name", ["a.png", "a.tiff"])
def test_a_palette_goes_by_its_profile(tmp_path, name, transparent):
    codes = np.repeat(np.arange(8, dtype=np.uint8), 16)[None].repeat(96, axis=0)
    palette = np.array([[200, 30, 40], [10, 220, 60], [90, 90, 250], [255, 255, 0]] * 2, np.uint8)
    image = Image.fromarray(codes).convert("P")
    image.putpalette(palette.tobytes())
    options = {"transparency": 3} if transparent and name == "a.png" else {}
    image.save(tmp_path / name, icc_profile=profile_with_red_and_green_exchanged(), **options)
    assert Image.open(tmp_path / name).mode == "P"
    picture = read_picture(tmp_path / name)
    assert np.abs(picture.rgb.astype(int) - palette[codes][..., [1, 0, 2]]).max() <= 3
    assert (picture.alpha is not None) == bool(options)


def test_srgb_profile_changes_nothing(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=profile)
    assert (read_picture(tmp_path / "a.png").rgb == scene()).all()


def test_broken_profile_is_ignored(tmp_path):
    Image.fromarray(scene()).save(tmp_path / "a.png", icc_profile=b"nonsense" * 30)
    assert (read_picture(tmp_path / "a.png").rgb == scene()).all()


@pytest.mark.parametrize(("width", "height"), [(10_000, 10_001), (30_000, 30_000), (60_000, 60_000)])
def test_too_many_pixels_are_refused_without_decoding(tmp_path, width, height):
    (tmp_path / "a.png").write_bytes(png_header(width, height))
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureError, match=rf"{width * height} pixels .*--max-pixels {width * height}"):
            read_picture(tmp_path / "a.png")
    assert limit == Image.MAX_IMAGE_PIXELS


def test_max_pixels_is_the_only_limit(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    Image.fromarray(scene()).save(tmp_path / "a.png")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_picture(tmp_path / "a.png", max_pixels=96 * 128).rgb.shape == (96, 128, 3)
    with pytest.raises(PictureError, match="max-pixels 12288"):
        read_picture(tmp_path / "a.png", max_pixels=96 * 128 - 1)


def test_too_small(tmp_path):
    Image.fromarray(scene(63, 200)).save(tmp_path / "a.png")
    with pytest.raises(PictureError, match=r"200 x 63 pixels, too small.*64"):
        read_picture(tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a.png", "a.webp", "a.avif", "a.heic", "a.tiff"])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_truncated(tmp_path, name, share):
    noise = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(noise).save(tmp_path / name)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(PictureError, match=name) as caught:
        read_picture(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_not_a_picture(tmp_path):
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.png").write_text("I am not a picture.\n" * 20)
    (tmp_path / "a.eps").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 200 200\nshowpage\n")
    for name, words in {
        "missing.png": "does not exist",
        "empty.png": "is empty",
        "text.png": "not a picture",
        "a.eps": "not a picture",
        ".": "is a folder",
        "a\0b.png": "check the path",
        "x" * 400 + ".png": "check the path",
    }.items():
        with pytest.raises(PictureError, match=words):
            read_picture(tmp_path / name)
    with pytest.raises(PictureError, match="not a regular file"):
        read_picture("/dev/null")


def test_write_png(tmp_path):
    alpha = scene()[..., 0]
    write_png(tmp_path / "a.png", scene())
    write_png(str(tmp_path / "b.png"), scene()[::2, ::2], alpha[::2, ::2])
    assert (read_picture(tmp_path / "a.png").rgb == scene()).all()
    both = np.asarray(Image.open(tmp_path / "b.png"))
    assert (both == np.dstack((scene(), alpha))[::2, ::2]).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.png", "b.png"]


def test_write_png_where_it_cannot_be(tmp_path):
    with pytest.raises(OutputError, match="no such folder"):
        write_png(tmp_path / "missing" / "a.png", scene())
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(OutputError, match=r"folder\.png"):
        write_png(tmp_path / "folder.png", scene())
    assert [p.name for p in Path(tmp_path).iterdir()] == ["folder.png"]
