"""What a clip says of itself: made by an algorithm, by which, from what. The form is C2PA's (Content Credentials)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gioconda
from gioconda.credentials.identity import Identity
from gioconda.errors import UsageError

PROGRAM = "Gioconda"
ASSERTION = "gioconda.clip"
"""Label of what C2PA has no words for."""
HASH = "sha256:"
"""Before a hash in an ingredient's `instance_id`."""
_IPTC = "http://cv.iptc.org/newscodes/digitalsourcetype/"
WITHOUT_NETWORK = _IPTC + "compositeSynthetic"
"""A mix of elements, at least one of which is synthetic: a moved picture, no network changed its pixels."""
WITH_NETWORK = _IPTC + "compositeWithTrainedAlgorithmicMedia"
"""The same where a trained network changed or painted some of it."""
_LONGEST_NOTE = 2000


@dataclass(frozen=True)
class Disclosure:
    """What the user adds to what every clip says of itself.

    Attributes:
        label: whether a small visible label is drawn on every frame.
        consent: a note on who agreed to the clip; it stands in the signed statement for everybody to read.
        identity: who signs; None for whoever is configured (`signing_identity`).
    """

    label: bool = False
    consent: str | None = None
    identity: Identity | None = None

    def __post_init__(self) -> None:
        if self.consent is not None and not 0 < len(self.consent.strip()) <= _LONGEST_NOTE:
            raise UsageError(f"the note on consent is empty or too long; use 1 to {_LONGEST_NOTE} characters")


@dataclass(frozen=True)
class Statement:
    """What goes into a clip's credentials. Files are named by the SHA-256 of their contents only.

    Attributes:
        renderer: what drew the face.
        weights: SHA-256 of its network's file, where it has one.
        portraits: of the files of the portrait, as far as it came from files.
        performances: of the files of the performances.
        consent: the user's note.
    """

    renderer: str
    weights: str | None = None
    portraits: tuple[str, ...] = ()
    performances: tuple[str, ...] = ()
    consent: str | None = None

    def manifest(self) -> dict[str, Any]:
        """The manifest as C2PA's library takes it."""
        program = {"name": PROGRAM, "version": gioconda.__version__}
        sources = [("portrait", h) for h in self.portraits] + [("performance", h) for h in self.performances]
        ingredients = [
            {"title": role, "relationship": "inputTo", "instance_id": HASH + value, "label": f"{role}-{number}"}
            for number, (role, value) in enumerate(sources)
        ]
        created = {
            "action": "c2pa.created",
            "digitalSourceType": WITHOUT_NETWORK if self.renderer == "flow" else WITH_NETWORK,
            "softwareAgent": program,
            "parameters": {"ingredientIds": [ingredient["label"] for ingredient in ingredients]},
        }
        own = {"renderer": self.renderer, "weights_sha256": self.weights, "consent": self.consent}
        return {
            "claim_generator_info": [program],
            "ingredients": ingredients,
            "assertions": [
                {
                    "label": "c2pa.actions.v2",
                    "data": {"actions": [created, {"action": "c2pa.watermarked.unbound", "softwareAgent": program}]},
                },
                {"label": ASSERTION, "data": {key: value for key, value in own.items() if value is not None}},
            ],
        }
