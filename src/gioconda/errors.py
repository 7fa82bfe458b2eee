"""Everything that can go wrong for a user, as one small tree.

Each message says what is wrong, with what, and what to do about it. Each class has an ``id``
under which ``docs/errors.md`` explains it. The command line prints ``error [id]: message`` and
exits with 2; the library raises these classes and nothing else for bad input.
"""

from __future__ import annotations


class GiocondaError(Exception):
    """Base of all errors meant for the user."""

    id = "error"


class UsageError(GiocondaError):
    """Options that contradict each other or are out of range."""

    id = "usage"


class PictureError(GiocondaError):
    """A picture cannot be read: missing, empty, truncated, not a picture, too small or too large."""

    id = "bad-picture"


class VideoError(GiocondaError):
    """A video cannot be read: missing, empty, truncated, no video stream, not a local file."""

    id = "bad-video"


class MotionFileError(GiocondaError):
    """A ``.motion`` file is damaged, of a newer version, or not a ``.motion`` file."""

    id = "bad-motion"


class AvatarError(GiocondaError):
    """An ``.avatar`` file is damaged, of a newer version, or made from other weights than those given."""

    id = "bad-avatar"


class DatasetError(GiocondaError):
    """A part of a dataset folder, or a shard of one, is damaged, cut short or missing."""

    id = "bad-dataset"


class NoFaceError(GiocondaError):
    """No face, or not the one asked for, was found in a picture or video."""

    id = "no-face"


class LandmarksError(GiocondaError):
    """Landmarks given by hand are no use: a file that cannot be read, or points that are no face."""

    id = "bad-landmarks"


class OutputError(GiocondaError):
    """The output cannot be written: unknown ending, no such folder, no permission, disk full."""

    id = "bad-output"


class FileError(GiocondaError):
    """A file or folder is of no use to the system: it vanished meanwhile, its name is too long, a disk fails."""

    id = "bad-file"


class MemoryShortError(GiocondaError):
    """There is not enough memory for what was asked for."""

    id = "no-memory"


class CredentialsError(GiocondaError):
    """A certificate or key to sign clips with is missing, damaged, run out, or not one pair."""

    id = "bad-certificate"


class MissingExtraError(GiocondaError):
    """A feature needs an optional package that is not installed."""

    id = "missing-extra"
