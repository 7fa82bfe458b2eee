"""Pictures in and out: any ordinary still picture becomes 8-bit sRGB, and back to PNG."""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from gioconda.errors import MissingExtraError, OutputError, PictureError
from gioconda.media.files import spoken_os_error, whole_file
from gioconda.parts import bands

__all__ = ["MAX_PIXELS", "MIN_SIDE", "PICTURE_SUFFIXES", "Picture", "is_still", "read_picture", "write_png"]

MAX_PIXELS = 100_000_000
MIN_SIDE = 64
PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".avif", ".tif", ".tiff", ".heic", ".heif", ".gif", ".bmp")
"""Endings by which the pictures of a folder are known."""

# Only plain pixel formats: some of Pillow's other readers start external programs.
_FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "GIF", "BMP", "PPM", "JPEG2000")
HEIC_SUFFIXES = (".heic", ".heif")
_MOVING = ("GIF", "PNG", "WEBP")
_FORMATS_SPOKEN = "JPEG, PNG, WebP, AVIF, TIFF, HEIC or GIF"

_STRIP_PIXELS = 4_000_000
"""Pixels that are converted at once: a picture of 100 megapixels is never in memory more than twice."""

_PILLOW_LIMIT_LOCK = threading.Lock()


@dataclass(frozen=True)
class Picture:
    """A still picture, upright.

    ``rgb``: uint8 (H, W, 3), sRGB. ``alpha``: uint8 (H, W), 255 is opaque; None where the whole
    picture is opaque.
    """

    rgb: NDArray[np.uint8]
    alpha: NDArray[np.uint8] | None = None


def read_picture(path: str | Path, max_pixels: int = MAX_PIXELS) -> Picture:
    """Read a picture file as upright 8-bit sRGB.

    Of an animation the first frame is taken, of a TIFF the first page. The size is looked up in the
    file's header, so that a picture of more than ``max_pixels`` is refused before it takes memory.

    Raises PictureError: missing, not a file, empty, not a picture, damaged, larger than
    ``max_pixels``, or smaller than ``MIN_SIDE`` pixels on a side.
    """
    path = Path(path)
    _check_file(path)
    try:
        with quiet_pillow(), Image.open(path, formats=_formats()) as image:
            _check_size(path, image.size, max_pixels)
            image.load()
            return _to_picture(image)
    except PictureError:
        raise
    except UnidentifiedImageError:
        if path.suffix.lower() in HEIC_SUFFIXES and "HEIF" not in _formats():
            raise MissingExtraError(
                f"{path}: HEIC pictures need an extra: pip install 'gioconda[heic]'; or save it as JPEG or PNG"
            ) from None
        raise PictureError(f"{path} is not a picture that can be read; use {_FORMATS_SPOKEN}.") from None
    except PermissionError:
        raise PictureError(f"{path} cannot be opened: permission denied; change its permissions.") from None
    except (TypeError, AttributeError):
        raise  # a fault of this program, not of the file
    except Exception as error:  # damaged files make the decoders raise nearly anything
        raise PictureError(
            f"{path} is damaged or cut short and cannot be decoded; copy or download it again."
        ) from error


def is_still(path: Path) -> bool:
    """Whether a file is a still picture, and not a video, an animation, or nothing that can be read."""
    try:
        with quiet_pillow(), Image.open(path, formats=_formats()) as image:
            return image.format not in _MOVING or getattr(image, "n_frames", 1) == 1
    except Exception:  # damaged files make the decoders raise nearly anything
        return path.suffix.lower() in HEIC_SUFFIXES


def write_png(
    path: str | Path, rgb: NDArray[np.uint8], alpha: NDArray[np.uint8] | None = None, effort: int = 3
) -> None:
    """Write ``rgb`` (uint8, (H, W, 3)) and perhaps ``alpha`` (uint8, (H, W)) as a PNG.

    The file appears under its name only when it is complete. ``effort`` is zlib's level, 0 to 9.
    Raises OutputError: no such folder, no permission, disk full.
    """
    path = Path(path)
    pixels = rgb if alpha is None else np.dstack((rgb, alpha))
    try:
        with whole_file(path) as file:
            Image.fromarray(pixels).save(file, "PNG", compress_level=effort)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {spoken_os_error(error)}") from error


def jpeg(rgb: NDArray[np.uint8], quality: int) -> bytes:
    """A picture, (H, W, 3), as a JPEG file for a page; ``quality`` is 1 to 100."""
    _, data = cv2.imencode(".jpg", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def _formats() -> tuple[str, ...]:
    """Formats to try. HEIC comes with an extra, because its library is under the GPL."""
    try:
        import pillow_heif
    except ImportError:
        return _FORMATS
    pillow_heif.register_heif_opener()
    return (*_FORMATS, "HEIF")


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise PictureError(f"{path} is a folder; give the picture inside it.")
        if not path.exists():
            raise PictureError(f"{path} does not exist; check the path.")
        if not path.is_file():
            raise PictureError(f"{path} is not a regular file; give a picture file.")
        if path.stat().st_size == 0:
            raise PictureError(f"{path} is empty; copy or download it again.")
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} cannot be opened: {error}; check the path.") from None


def _check_size(path: Path, size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise PictureError(
            f"{path} has {width * height} pixels ({width} x {height}), more than {max_pixels}; "
            f"make it smaller, or raise the limit with --max-pixels {width * height}."
        )
    if min(size) < MIN_SIDE:
        raise PictureError(
            f"{path} is {width} x {height} pixels, too small; use one of at least {MIN_SIDE} on each side."
        )


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Pillow without its warnings and its own size limit, which the caller replaces.

    Both are settings of the whole process, hence the lock.
    """
    with _PILLOW_LIMIT_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit = Image.MAX_IMAGE_PIXELS
        Image.MAX_IMAGE_PIXELS = None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _to_picture(image: Image.Image) -> Picture:
    """Strip by strip: beside the decoded picture, only the result is ever whole in memory."""
    profile = image.info.get("icc_profile")
    ImageOps.exif_transpose(image, in_place=True)
    white = _white(image)
    width, height = image.size
    rgb = np.empty((height, width, 3), np.uint8)
    alpha = np.empty((height, width), np.uint8) if image.has_transparency_data else None
    for rows in bands(height, width, _STRIP_PIXELS):
        strip = _to_eight_bits(image.crop((0, rows.start, width, rows.stop)), white)
        if alpha is not None:
            # Grey stays grey: its profile is of one channel.
            strip = strip.convert("LA" if strip.mode in ("L", "LA", "La") else "RGBA")
            alpha[rows] = np.asarray(strip.getchannel("A"))
            strip = strip.convert(strip.mode[:-1])
        elif strip.mode in ("P", "1", "PA"):
            strip = strip.convert("RGB")
        rgb[rows] = np.asarray(_to_srgb(strip, profile))
    return Picture(rgb, None if alpha is None or alpha.min() == 255 else alpha)


def _white(image: Image.Image) -> float | None:
    """The sample that is white in a mode of more than 8 bits, which does not say; None in the others."""
    if not image.mode.startswith(("I", "F")):
        return None
    if image.mode.startswith("I;16"):
        return 65535.0
    # Take the smallest customary white that fits.
    highest = float(np.nan_to_num(np.asarray(image)).max())
    customary = (1.0, 255.0, 65535.0) if image.mode == "F" else (65535.0,)
    return next((value for value in customary if highest <= value), highest)


def _to_eight_bits(image: Image.Image, white: float | None) -> Image.Image:
    """Scale wider samples to 8 bits; Pillow's own conversion clips them instead."""
    if white is None:
        return image
    samples = np.nan_to_num(np.asarray(image, dtype=np.float32))
    return Image.fromarray(np.clip(samples * (255.0 / white) + 0.5, 0.0, 255.0).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """Convert mode L, RGB, CMYK, YCbCr or LAB to sRGB, by the embedded profile where it is usable."""
    if image.mode == "LAB":
        return _through_profile(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if profile:
        try:
            source = ImageCms.getOpenProfile(io.BytesIO(profile))
            if not ImageCms.getProfileDescription(source).startswith("sRGB"):
                return _through_profile(image, source)
        except (ImageCms.PyCMSError, OSError):
            pass  # a profile that is broken or for other channels: most programs ignore it, too
    return image.convert("RGB")


def _through_profile(image: Image.Image, source: ImageCms.ImageCmsProfile) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # it is None only when converting in place
    return converted
