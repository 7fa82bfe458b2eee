"""Many clips: every portrait under every driver, in processes of their own, and what became of each.

The unit of work is a plain function over a data class of paths and numbers, `make.make_clip`, so
that the same list can be worked off elsewhere. What is tracked is kept in a hidden folder inside
the output, so each portrait and each driver is tracked once; the record of what is finished is
`summary.json`, written after each clip.
"""

from gioconda.batch.make import Outcome, make_clip
from gioconda.batch.plan import Drawing, Work, drivers_in, plan, portraits_in
from gioconda.batch.run import run_batch

__all__ = ["Drawing", "Outcome", "Work", "drivers_in", "make_clip", "plan", "portraits_in", "run_batch"]
