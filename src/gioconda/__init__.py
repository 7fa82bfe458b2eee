"""Gioconda brings portraits to life: a picture or a painting moves like somebody else's face.

from gioconda import Performance, Portrait, animate

portrait = Portrait.from_pictures(["mona_lisa.jpg"])
performance = Performance.from_video("talk.mp4")
animate(portrait, performance).save("clip.mp4")
"""

__version__ = "0.1.0"  # before the imports, which look at it

from gioconda.credentials.statement import Disclosure
from gioconda.errors import GiocondaError
from gioconda.group import Group
from gioconda.performance import Motion, Performance
from gioconda.pipeline import Animation, Frame, Reel, animate
from gioconda.portrait import Portrait, View
from gioconda.retarget import Gains
from gioconda.tracking import Box

__all__ = [
    "Animation",
    "Box",
    "Disclosure",
    "Frame",
    "Gains",
    "GiocondaError",
    "Group",
    "Motion",
    "Performance",
    "Portrait",
    "Reel",
    "View",
    "animate",
]
