"""A video that another program is writing just now, on standard input, as a stream of frames."""

from __future__ import annotations

from collections.abc import Iterator

import av
import numpy as np

from gioconda.errors import VideoError
from gioconda.media.video import MAX_VIDEO_PIXELS, VIDEO_CONTAINERS, VideoFrame


def read_stream(address: str = "pipe:0") -> Iterator[VideoFrame]:
    """Frames in their own size as they come, without waiting for any that follow; the first is at time 0.

    `address` is that of a pipe: `pipe:` and the number of a file descriptor.

    Raises:
        VideoError: what comes is not a video.
    """
    options = {
        "protocol_whitelist": "pipe",
        "format_whitelist": ",".join(VIDEO_CONTAINERS),
        "fflags": "nobuffer",
        "analyzeduration": "500000",  # microseconds of it that are looked at first, and not kept
    }
    try:
        with av.open(address, mode="r", options=options) as container:
            if not container.streams.video:
                raise VideoError("standard input: there are no pictures in what comes; pipe a video in")
            stream = container.streams.video[0]
            if stream.codec_context is None:
                raise VideoError("standard input: what comes is coded in a way that is not known here; use H.264")
            if stream.width * stream.height > MAX_VIDEO_PIXELS:
                raise VideoError(
                    f"standard input: {stream.width} x {stream.height} pixels are too large; use less than 8192 x 8192"
                )
            # Threads that decode a frame each hold frames back.
            stream.thread_type = "SLICE"
            origin = None
            for frame in container.decode(stream):
                origin = frame.time if origin is None else origin
                time = (frame.time or 0.0) - (origin or 0.0)
                yield VideoFrame(time, np.asarray(frame.to_ndarray(format="rgb24"), np.uint8))
    except (av.FFmpegError, ValueError) as error:
        raise VideoError(
            f"standard input: what comes is not a video that can be read ({error}); "
            "pipe in NUT, Y4M, Matroska or MPEG-TS"
        ) from error
