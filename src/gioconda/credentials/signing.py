"""The signed statement into a finished file. Nothing here uses the network: no time stamps, no look-ups."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.credentials.identity import Identity
from gioconda.credentials.statement import Statement
from gioconda.errors import OutputError
from gioconda.media.files import partial_path

if TYPE_CHECKING:
    from c2pa import Context

INSIDE = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
}
"""Endings of files that hold their credentials inside."""
BESIDE = {".webm": "video/webm", ".apng": "image/png"}
"""Endings of files whose credentials are held by a sidecar beside them.

C2PA knows no place inside WebM; and an APNG that holds them is no longer opened by FFmpeg.
"""


@cache
def offline(root: str | None = None) -> Context:
    """How C2PA's library is to work: it fetches nothing and makes no thumbnails. `root`, PEM, is trusted."""
    from c2pa import Context

    return Context.from_dict(
        {
            "verify": {"remote_manifest_fetch": False, "ocsp_fetch": False},
            "builder": {"thumbnail": {"enabled": False}},
            **({"trust": {"user_anchors": root}} if root else {}),
        }
    )


@dataclass(frozen=True)
class Seal:
    """Signs files with one statement."""

    statement: Statement
    identity: Identity

    def __call__(self, path: Path) -> bytes | None:
        """Sign a finished file in place; gives back the sidecar where it cannot hold its credentials itself.

        Raises:
            OutputError: the certificate is none that C2PA accepts.
            OSError: the disk is full.
        """
        from c2pa import Builder, C2paError, C2paSignerInfo, Signer

        kind = path.suffix.lower()
        signed = partial_path(path)
        try:
            signer = Signer.from_info(
                C2paSignerInfo(self.identity.algorithm, self.identity.chain, self.identity.key, None)
            )
            builder = Builder.from_json(json.dumps(self.statement.manifest()), offline())
            with signer, builder, path.open("rb") as source, signed.open("x+b") as target:
                if kind in BESIDE:
                    builder.set_no_embed()
                sidecar = builder.sign(signer, (INSIDE | BESIDE)[kind], source, target)
            if kind in BESIDE:
                return bytes(sidecar)
            signed.replace(path)
            return None
        except C2paError as error:
            raise OutputError(
                f"the clip cannot be signed ({error}); see what docs/credentials.md says of certificates"
            ) from error
        finally:
            signed.unlink(missing_ok=True)
