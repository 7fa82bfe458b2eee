"""The Content Credentials of a file, anybody's: what they say, who signed, whether the file is still as it was."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gioconda.credentials.identity import local_root
from gioconda.credentials.signing import offline
from gioconda.credentials.statement import ASSERTION, HASH, PROGRAM

UNTRUSTED = "signingCredential.untrusted"
"""Nobody vouches for the signer: said of every local certificate, and no sign of a change."""
SIGNATURE = ("signingCredential.", "claimSignature.")
"""How C2PA's codes begin that find fault with a signature or with whoever made it."""


@dataclass(frozen=True)
class Credentials:
    """What a file's credentials say. All texts are the file's own: anybody may have written them.

    Attributes:
        program: what made the file, with its version.
        ours: whether they say that it was this program.
        intact: whether the signature holds and the file is as it was when it was signed.
        problems: C2PA's codes for what does not hold.
        signer: the certificate's names.
        this_machine: whether it is the local certificate of this machine.
        trusted: whether somebody known vouches for the certificate.
        within: programs named by statements that this one includes, oldest last.
        source_type: IPTC's word for what kind of picture it is.
        renderer, weights, consent: as in `Statement`.
        portraits, performances: SHA-256 of the files it was made from.
        sidecar: the file beside it in which they were found; None where they are inside.
    """

    program: str
    ours: bool
    intact: bool
    problems: tuple[str, ...]
    signer: str
    this_machine: bool
    trusted: bool
    within: tuple[str, ...]
    source_type: str | None
    renderer: str | None
    weights: str | None
    consent: str | None
    portraits: tuple[str, ...]
    performances: tuple[str, ...]
    sidecar: Path | None


def read_credentials(path: Path) -> Credentials | None:
    """The credentials in a file or in the sidecar beside it; None where there are none that can be read.

    Raises:
        OSError: the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(64)
    kind = _kind(head)
    if kind is not None and (found := _read(path, kind, None)) is not None:
        return found
    for beside in (path.with_name(f"{path.name}.c2pa"), path.with_suffix(".c2pa")):
        if beside != path and beside.is_file():
            return _read(path, kind or "video/webm", beside)
    return None


def _kind(head: bytes) -> str | None:
    """The MIME type that a file's first bytes tell, of those that hold credentials inside."""
    for start, kind in ((b"\x89PNG", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif")):
        if head.startswith(start):
            return kind
    if head[:4] == b"RIFF":
        return {b"WEBP": "image/webp", b"AVI ": "video/avi", b"WAVE": "audio/wav"}.get(head[8:12])
    if head[4:8] == b"ftyp":
        return {b"qt  ": "video/quicktime", b"avif": "image/avif", b"heic": "image/heic"}.get(head[8:12], "video/mp4")
    if head[:4] in (b"II*\x00", b"MM\x00*"):
        return "image/tiff"
    return None


def _read(path: Path, kind: str, sidecar: Path | None) -> Credentials | None:
    told = _report(path, kind, sidecar)
    if told is None:
        return None
    # A name and a serial number are anybody's to write: this machine's is what its own root alone vouches for.
    root = local_root() if UNTRUSTED in _codes(told) else None
    anchored = _report(path, kind, sidecar, root) if root else None
    mine = anchored is not None and not any(code.startswith(SIGNATURE) for code in _codes(anchored))
    return _understood(told, sidecar, this_machine=mine)


def _report(path: Path, kind: str, sidecar: Path | None, root: str | None = None) -> dict[str, Any] | None:
    """What C2PA's library says of a file; None where it finds nothing. `root` is trusted beside the known ones."""
    from c2pa import C2paError, Reader

    try:
        manifests = sidecar.read_bytes() if sidecar else None
        with path.open("rb") as file, Reader(kind, file, manifests, context=offline(root)) as reader:
            return _dict(json.loads(reader.json()))
    except (C2paError, OSError, ValueError):
        return None


def _codes(store: dict[str, Any]) -> list[str]:
    """What C2PA's library finds fault with, each once."""
    return list(dict.fromkeys(str(entry.get("code")) for entry in _dicts(store.get("validation_status"))))


def _understood(store: dict[str, Any], sidecar: Path | None, *, this_machine: bool) -> Credentials | None:
    """What C2PA's report means; None where it has no statement in it."""
    manifests = _dict(store.get("manifests"))
    active = manifests.get(str(store.get("active_manifest")))
    if not isinstance(active, dict):
        return None
    problems = tuple(code for code in _codes(store) if code != UNTRUSTED)
    state = store.get("validation_state")
    signature = _dict(active.get("signature_info"))
    names = [signature.get(key) for key in ("common_name", "issuer")]
    assertions = {entry.get("label"): _dict(entry.get("data")) for entry in _dicts(active.get("assertions"))}
    actions = [
        action
        for label, data in assertions.items()
        if str(label).startswith("c2pa.actions")
        for action in _dicts(data.get("actions"))
    ]
    own = assertions.get(ASSERTION, {})
    return Credentials(
        program=_program(active),
        ours=_is_ours(active),
        intact=not problems and state in ("Valid", "Trusted"),
        problems=problems,
        signer=", ".join(str(name) for name in names if name) or "nobody that is named",
        this_machine=this_machine,
        trusted=state == "Trusted",
        within=tuple(_program(m) for m in manifests.values() if isinstance(m, dict) and m is not active),
        source_type=next((_last(a["digitalSourceType"]) for a in actions if a.get("digitalSourceType")), None),
        renderer=_text(own.get("renderer")),
        weights=_text(own.get("weights_sha256")),
        consent=_text(own.get("consent")),
        portraits=_sources(active, "portrait"),
        performances=_sources(active, "performance"),
        sidecar=sidecar,
    )


def _program(manifest: dict[str, Any]) -> str:
    programs = _dicts(manifest.get("claim_generator_info"))
    if programs:
        return " ".join(str(programs[0][key]) for key in ("name", "version") if programs[0].get(key))
    return str(manifest.get("claim_generator") or "a program without a name")


def _is_ours(manifest: dict[str, Any]) -> bool:
    named = any(program.get("name") == PROGRAM for program in _dicts(manifest.get("claim_generator_info")))
    return named and any(entry.get("label") == ASSERTION for entry in _dicts(manifest.get("assertions")))


def _sources(manifest: dict[str, Any], role: str) -> tuple[str, ...]:
    found = (i.get("instance_id") for i in _dicts(manifest.get("ingredients")) if i.get("title") == role)
    return tuple(value.removeprefix(HASH) for value in found if isinstance(value, str) and value.startswith(HASH))


def _last(address: object) -> str:
    return str(address).rsplit("/", 1)[-1]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _dicts(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
