"""Who signs: the user's own certificate, or a local one that is made when it is first needed.

The local one is a root, whose key is thrown away at once, and a leaf signed by it. It shows that
two clips came from the same installation and that nothing was changed since; it says nothing about
who sits there, and nobody vouches for it.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from gioconda.errors import CredentialsError

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

CERTIFICATE_VARIABLE, KEY_VARIABLE = "GIOCONDA_CERTIFICATE", "GIOCONDA_KEY"
"""Environment variables that name the files of the user's own certificate and key."""
_YEARS = 10
_ISSUER = "local certificate"


@dataclass(frozen=True)
class Identity:
    """What a clip is signed with.

    Attributes:
        algorithm: of the signature, as C2PA names it.
        chain: PEM certificates, the signer's own first.
        key: PEM private key.
        local: whether it is one that was made here.
        path: where the local one is kept; None where it could not be kept, and for the user's own.
        new: whether the local one has just been made.
    """

    algorithm: str
    chain: bytes
    key: bytes
    local: bool
    path: Path | None = None
    new: bool = False


def signing_identity(certificate: Path | None = None, key: Path | None = None) -> Identity:
    """Who signs: the files given, or those that the environment names, or else the local certificate.

    Raises:
        CredentialsError: one file without the other, files that are of no use, or a damaged local certificate.
    """
    if not certificate and not key:
        named = [os.environ.get(name) for name in (CERTIFICATE_VARIABLE, KEY_VARIABLE)]
        certificate, key = (Path(name) if name else None for name in named)
    if not certificate and not key:
        return local_identity()
    if not certificate or not key:
        raise CredentialsError(
            "a certificate needs its key and a key its certificate: give both with --certificate and --key, "
            f"or with {CERTIFICATE_VARIABLE} and {KEY_VARIABLE}"
        )
    return _checked(_read(certificate), _read(key), f"{certificate} and {key}", "give the PEM files of one pair")


def local_path() -> Path:
    """Where the local certificate is kept, whether it is there or not."""
    base = os.environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path("~/.config").expanduser()) / "gioconda" / "local.pem"


def local_identity() -> Identity:
    """The local certificate, made if there is none. Of processes that make one at a time, one's is kept.

    Raises:
        CredentialsError: it is damaged or has run out.
    """
    path = local_path()
    if not path.exists():
        pem = _new_pem()
        try:
            new = _kept(path, pem)
        except OSError:
            return Identity("es256", _certificates(pem), _key(pem), local=True, new=True)
        if new:
            return Identity("es256", _certificates(pem), _key(pem), local=True, path=path, new=True)
    pem = _read(path)
    found = _checked(pem, pem, str(path), "delete it, and the next clip makes another")
    return Identity(found.algorithm, found.chain, found.key, local=True, path=path)


def local_root() -> str | None:
    """The root, PEM, above the certificate that this machine signs with, if it has one that can be read."""
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import Encoding

    try:
        return x509.load_pem_x509_certificates(local_path().read_bytes())[-1].public_bytes(Encoding.PEM).decode()
    except (OSError, ValueError):
        return None


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CredentialsError(f"{path}: cannot be read ({error.strerror}); check the path") from None


def _kept(path: Path, pem: bytes) -> bool:
    """Write the file, for the user's eyes only; False where somebody else was quicker. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part-{secrets.token_hex(4)}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(pem)
        os.link(part, path)  # unlike a renaming, it never replaces what another process has put there
        return True
    except FileExistsError:
        return False
    finally:
        part.unlink(missing_ok=True)


def _new_pem() -> bytes:
    """A key, its certificate and the root, PEM one after the other."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    leaf, root = _certificate(key, root_key), _certificate(root_key, root_key)
    return secret + leaf.public_bytes(pem) + root.public_bytes(pem)


def _certificate(key: EllipticCurvePrivateKey, root_key: EllipticCurvePrivateKey) -> x509.Certificate:
    """The root's certificate where both keys are one, else the leaf's (C2PA 2.2, 14.5: certificate profile)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    def name(text: str) -> x509.Name:
        pairs = ((NameOID.ORGANIZATION_NAME, _ISSUER), (NameOID.COMMON_NAME, text))
        return x509.Name([x509.NameAttribute(kind, value) for kind, value in pairs])

    root = key is root_key
    now = datetime.now(UTC)
    use = x509.KeyUsage(
        digital_signature=not root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=root,
        crl_sign=root,
        encipher_only=False,
        decipher_only=False,
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name("Gioconda local root" if root else "Gioconda"))
        .issuer_name(name("Gioconda local root"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))  # clocks differ
        .not_valid_after(now + timedelta(days=365 * _YEARS))
        .add_extension(x509.BasicConstraints(ca=root, path_length=0 if root else None), critical=True)
        .add_extension(use, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
    )
    if not root:
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), critical=False)
    return builder.sign(root_key, hashes.SHA256())


def _checked(certificates: bytes, key: bytes, named: str, remedy: str) -> Identity:
    """The identity of some PEM texts; raises `CredentialsError` where they are of no use."""
    from cryptography import x509
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization

    try:
        leaf = x509.load_pem_x509_certificates(certificates)[0]
        secret = serialization.load_pem_private_key(_key(key), password=None)
        paired = secret.public_key() == leaf.public_key()
        valid = leaf.not_valid_before_utc <= datetime.now(UTC) < leaf.not_valid_after_utc
    except (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion):
        reason = "it has a password, take that off" if b"ENCRYPTED" in key else "not a PEM certificate and a PEM key"
        raise CredentialsError(f"{named}: {reason}; {remedy}") from None
    if not paired:
        raise CredentialsError(f"{named}: the key is not the certificate's; {remedy}")
    if not valid:
        raise CredentialsError(f"{named}: the certificate has run out or is not valid yet; {remedy}")
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    text = secret.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    return Identity(_algorithm(secret, named), _certificates(certificates), text, local=False)


def _algorithm(key: PrivateKeyTypes, named: str) -> str:
    """What C2PA calls the signatures of a key; raises `CredentialsError` for one that it does not take."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

    if isinstance(key, ed25519.Ed25519PrivateKey):
        return "ed25519"
    if isinstance(key, ec.EllipticCurvePrivateKey) and key.curve.name in ("secp256r1", "secp384r1", "secp521r1"):
        return {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}[key.curve.name]
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size >= 2048:
        return "ps256"
    raise CredentialsError(f"{named}: a kind of key that Content Credentials do not take; use P-256 or Ed25519")


def _certificates(pem: bytes) -> bytes:
    """The certificates of a PEM text, without the key."""
    return pem[pem.index(b"-----BEGIN CERTIFICATE-----") :] if b"-----BEGIN CERTIFICATE-----" in pem else pem


def _key(pem: bytes) -> bytes:
    """The key of a PEM text, without certificates before it."""
    start = pem.find(b"-----BEGIN CERTIFICATE-----")
    return pem[:start] if start > 0 else pem
