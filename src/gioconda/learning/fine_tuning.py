"""How far to fine-tune: until pictures that were held out get no better.

Too little leaves somebody else's face, too much a face that has forgotten to move.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from gioconda.errors import UsageError
from gioconda.progress import Progress

MOST_FIDELITY = 3.0

State = dict[str, Tensor]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Pace:
    """When to look at the held-out pictures, and when it is enough.

    Attributes:
        check_every: steps from one look to the next.
        patience: looks without improvement after which it is enough.
        most: steps that are never exceeded.
    """

    check_every: int = 10
    patience: int = 8
    most: int = 600


@dataclass(frozen=True)
class Look:
    """One look at the held-out pictures.

    Attributes:
        step: of the fine-tuning.
        error: of the held-out pictures: the less, the better.
        sample: uint8 (s, 2 s, 3), one of them, and beside it what the network paints.
    """

    step: int
    error: float
    sample: NDArray[np.uint8]


Watch = Callable[[Look], object]
"""Is shown every look."""


def unwatched(look: Look) -> None:
    """Nobody looks."""


class Person(Protocol):
    """Networks as they take up a person. `step` counts the steps."""

    step: int

    def learn(self) -> None:
        """One step."""
        ...

    def error(self) -> float:
        """Of the held-out pictures."""
        ...

    def sample(self) -> NDArray[np.uint8]:
        """As in `Look`."""
        ...

    def state(self) -> State:
        """A copy of what an avatar keeps."""
        ...


def check_fidelity(fidelity: float) -> None:
    """Raises UsageError where it is out of range."""
    if not 0 <= fidelity <= MOST_FIDELITY:
        raise UsageError(f"fidelity {fidelity:g}: use 0 to {MOST_FIDELITY:g}")


def fine_tuned(person: Person, fidelity: float, pace: Pace, progress: Progress, watch: Watch) -> tuple[int, State]:
    """Fine-tune, and give back the steps that are taken over and the networks after them.

    Args:
        person: whom to.
        fidelity: 1 stops where the held-out pictures are best; 0 does not fine-tune at all, 0.5 stops half way there,
            2 goes on for as long again, up to the most steps.
        pace: when to look and when to stop.
        progress: told about every step.
        watch: shown every look.
    """
    kept = {0: person.state()}
    errors = {0: person.error()}
    watch(Look(0, errors[0], person.sample()))
    with progress("personalising", pace.most if fidelity else 0) as tick:
        while fidelity and person.step < pace.most:
            person.learn()
            tick()
            if person.step % pace.check_every:
                continue
            kept[person.step], errors[person.step] = person.state(), person.error()
            watch(Look(person.step, errors[person.step], person.sample()))
            best = min(errors, key=lambda step: errors[step])
            # The best step only ever moves on: what lies before the wanted one now is never wanted again.
            kept = {step: state for step, state in kept.items() if step >= _nearest(kept, fidelity * best)}
            if person.step >= max(best + pace.patience * pace.check_every, fidelity * best):
                break
    best = min(errors, key=lambda step: errors[step])
    taken = _nearest(kept, fidelity * best)
    return taken, kept[taken]


def _nearest(steps: Iterable[int], wanted: float) -> int:
    return min(steps, key=lambda step: abs(step - wanted))


def spread(values: Sequence[_Item], most: int) -> list[_Item]:
    """Some of them, at most so many, evenly."""
    return [values[int(i)] for i in np.unique(np.linspace(0, len(values) - 1, most).round())] if values else []
