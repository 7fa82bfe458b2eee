"""Finding faces: 478 landmarks in a still picture or, frame after frame, in a video.

`Tracker` is all the rest of the product knows of face tracking.
"""

from gioconda.tracking.tracker import Box, Face, FaceFollower, Search, Tracker, default_tracker, tracker_named

__all__ = ["Box", "Face", "FaceFollower", "Search", "Tracker", "default_tracker", "tracker_named"]
