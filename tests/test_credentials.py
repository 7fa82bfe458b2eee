"""What clips say of themselves: credentials, the mark, the label, and `gioconda verify`."""

from __future__ import annotations

import io
import json
import os
import shutil
import ssl
import struct
import subprocess
import sys
import threading
import zlib
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import av
import c2pa
import cv2
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from PIL import Image

from gioconda import Disclosure, Performance, Portrait, animate
from gioconda.cli import main
from gioconda.credentials.detection import THRESHOLD, detect
from gioconda.credentials.identity import _new_pem, local_identity, local_path, signing_identity
from gioconda.credentials.label import Label
from gioconda.credentials.mark import Layer, waves
from gioconda.credentials.signing import Seal, offline
from gioconda.credentials.statement import Statement
from gioconda.credentials.verification import Verdict, verify
from gioconda.errors import CredentialsError, UsageError
from gioconda.media.files import sha256_of
from gioconda.media.video import VideoReader
from gioconda.rendering.renderer import OWN_NETWORK
from gioconda.tracking import Box
from makers import acting, noise

KINDS = {
    ".mp4": "video/mp4",
    ".mov": "video/quicktime",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".apng": "image/png",
    ".webm": "video/webm",
    ".png": "image/png",
    ".jpg": "image/jpeg",
}


@pytest.fixture(scope="session")
def animation(portrait):
    return animate(portrait, acting(0.5), fps=8)


@pytest.fixture(scope="session")
def clips(animation, tmp_path_factory) -> dict[str, Path]:
    """One clip of every format."""
    folder = tmp_path_factory.mktemp("clips")
    return {suffix: animation.save(folder / f"{suffix[1:]}{suffix}") for suffix in KINDS}


@pytest.fixture
def clip(clips, tmp_path) -> Path:
    return Path(shutil.copy(clips[".mp4"], tmp_path / "clip.mp4"))


def pictures(path: Path) -> list[np.ndarray]:
    with VideoReader(path) as video:
        return [frame.rgb for frame in video]


def remuxed(source: Path, target: Path) -> Path:
    """The same pictures in a new file, without decoding them."""
    with av.open(str(source)) as old, av.open(str(target), "w") as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        for packet in old.demux(old.streams.video[0]):
            if packet.dts is not None:
                packet.stream = stream
                new.mux(packet)
    return target


# Credentials


@pytest.mark.parametrize("suffix", KINDS)
def test_the_reference_reader_accepts_every_format(suffix, clips):
    path = clips[suffix]
    beside = path.with_name(f"{path.name}.c2pa")
    assert beside.exists() == (suffix in (".webm", ".apng"))
    sidecar = beside.read_bytes() if beside.exists() else None
    with path.open("rb") as file:
        reader = c2pa.Reader(KINDS[suffix], file, sidecar, context=offline())
    assert reader.get_validation_state() == "Valid"
    report = json.loads(reader.json())
    assert [entry["code"] for entry in report["validation_status"]] == ["signingCredential.untrusted"]
    finding = verify(path)
    assert finding.verdict is Verdict.INTACT
    assert finding.credentials.this_machine
    assert not finding.credentials.trusted
    assert finding.mark.found


def test_every_picture_of_a_folder_is_signed(animation, tmp_path):
    folder = animation.save(f"{tmp_path}/frames/")
    assert sorted(p.name for p in folder.iterdir()) == [f"{i:06d}.png" for i in range(len(animation))]
    for path in folder.iterdir():
        finding = verify(path)
        assert finding.verdict is Verdict.INTACT
        assert finding.mark.found


def test_what_the_statement_says(picture, motion_file, tmp_path):
    performance = Performance.load(motion_file).trimmed(0, 0.3)
    portrait = Portrait.from_pictures([picture]).framed(crop=True)
    path = animate(portrait, performance, size=128, fps=8).save(
        tmp_path / "told.gif", disclosure=Disclosure(consent="She said yes.\nTwice.")
    )
    told = verify(path).credentials
    assert told.portraits == (sha256_of(picture),)
    assert told.performances == (sha256_of(motion_file),)
    assert told.consent == "She said yes.\nTwice."
    by_network = "warp", sha256_of(OWN_NETWORK), "compositeWithTrainedAlgorithmicMedia"
    assert (told.renderer, told.weights, told.source_type) == by_network
    for text in (picture.name, motion_file.name, str(tmp_path), os.environ.get("USER") or "no user"):
        assert text.encode() not in path.read_bytes()


def test_a_network_that_paints_is_named():
    manifest = Statement("warp", weights="ab" * 32).manifest()
    actions = manifest["assertions"][0]["data"]["actions"]
    assert actions[0]["digitalSourceType"].endswith("/compositeWithTrainedAlgorithmicMedia")
    assert manifest["assertions"][1]["data"] == {"renderer": "warp", "weights_sha256": "ab" * 32}


@pytest.mark.parametrize("note", ["", "  ", "x" * 3000])
def test_a_note_on_consent_has_words(note):
    with pytest.raises(UsageError):
        Disclosure(consent=note)


# What `gioconda verify` answers


def answer(path: Path, capsys) -> tuple[int, dict]:
    code = main(["verify", str(path), "--json"])
    return code, json.loads(capsys.readouterr().out)


def test_an_intact_clip(clip, capsys):
    assert main(["verify", str(clip)]) == 0
    told = capsys.readouterr().out
    assert told.startswith(f"{clip}: made with Gioconda, unchanged since it was signed\n")
    assert "  signed by    this machine's own certificate, which nobody vouches for\n" in told
    assert told.count("vouch") == 1
    code, found = answer(clip, capsys)
    assert (code, found["verdict"], found["credentials"]["intact"]) == (0, "intact", True)


def test_a_clip_of_another_machine(clip, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert main(["verify", str(clip)]) == 0
    told = capsys.readouterr().out
    assert "  signed by    Gioconda, local certificate (nobody known here vouches for it)\n" in told
    assert told.count("vouch") == 1


def test_a_byte_changed(clip, capsys):
    data = bytearray(clip.read_bytes())
    data[-100] ^= 1
    clip.write_bytes(data)
    code, found = answer(clip, capsys)
    assert (code, found["verdict"]) == (3, "changed")
    assert "assertion.bmffHash.mismatch" in found["credentials"]["problems"]


def test_a_cut_file(clip, capsys):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 3 // 4])
    assert answer(clip, capsys)[0] == 3
    clip.write_bytes(data[:40])
    code, found = answer(clip, capsys)
    assert (code, found["verdict"]) == (2, "unreadable")
    assert found["reason"]


def test_a_remux_loses_the_credentials_and_keeps_the_mark(clip, tmp_path, capsys):
    code, found = answer(remuxed(clip, tmp_path / "again.mp4"), capsys)
    assert (code, found["verdict"], found["credentials"]) == (4, "marked", None)
    assert found["mark"]["found"]


def test_an_edited_pixel(clips, tmp_path, capsys):
    path = tmp_path / "edited.png"
    with Image.open(clips[".apng"]) as image:
        rgb = np.array(image.convert("RGB"))
    rgb[0, 0] ^= 255
    Image.fromarray(rgb).save(path)
    assert answer(path, capsys)[1]["verdict"] == "marked"


def test_an_edited_pixel_under_the_old_credentials(clips, tmp_path, capsys):
    whole, parts = clips[".png"].read_bytes(), []
    at = 8
    while at < len(whole):
        size, kind = struct.unpack_from(">I4s", whole, at)
        parts.append((kind, whole[at + 8 : at + 8 + size]))
        at += 12 + size
    pixels = bytearray(zlib.decompress(b"".join(body for kind, body in parts if kind == b"IDAT")))
    pixels[1] ^= 1
    first = next(i for i, (kind, _) in enumerate(parts) if kind == b"IDAT")
    parts = [part for part in parts if part[0] != b"IDAT"]
    parts.insert(first, (b"IDAT", zlib.compress(bytes(pixels))))
    path = tmp_path / "edited.png"
    chunks = (struct.pack(">I", len(b)) + k + b + struct.pack(">I", zlib.crc32(k + b)) for k, b in parts)
    path.write_bytes(whole[:8] + b"".join(chunks))
    code, found = answer(path, capsys)
    assert (code, found["verdict"]) == (3, "changed")


def test_a_stripped_manifest(clips, tmp_path, capsys):
    alone = shutil.copy(clips[".webm"], tmp_path / "alone.webm")
    assert answer(alone, capsys)[:1] == (4,)
    path = tmp_path / "stripped.png"
    with Image.open(clips[".apng"]) as image:
        image.convert("RGB").save(path)
    assert answer(path, capsys)[0] == 4


def test_a_sidecar_of_another_clip(clips, tmp_path, capsys):
    path = remuxed(clips[".webm"], tmp_path / "other.webm")
    shutil.copy(f"{clips['.webm']}.c2pa", tmp_path / "other.c2pa")
    assert answer(path, capsys)[0] == 3


KILLED_IN_BETWEEN = """
import os, sys
from gioconda.cli import main

placed = []

def watch(event, arguments):
    if event == "os.rename" and str(arguments[1]).endswith(("/clip.webm", "/clip.webm.c2pa")):
        if placed:
            os._exit(9)
        placed.append(arguments[1])

sys.addaudithook(watch)
main(sys.argv[1:])
"""
"""The command, killed when of a clip and its sidecar one is in its place."""


def test_a_clip_is_never_there_without_its_sidecar(picture, motion_file, tmp_path):
    clip = tmp_path / "clip.webm"
    command = ["animate", picture, "--driver", motion_file, "--end", "0.2", "--size", "64", "--out", clip]
    done = subprocess.run([sys.executable, "-c", KILLED_IN_BETWEEN, *map(str, command)], capture_output=True)
    assert done.returncode == 9
    assert not clip.exists()
    assert main([str(argument) for argument in command]) == 0
    assert verify(clip).verdict is Verdict.INTACT


def test_another_tools_manifest(tmp_path, capsys):
    path = tmp_path / "other.png"
    Image.fromarray(next(noise(1))).save(path)
    created = {
        "action": "c2pa.created",
        "digitalSourceType": "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCreation",
    }
    manifest = {
        "claim_generator_info": [{"name": "Another \x1b[31mTool", "version": "9"}],
        "assertions": [{"label": "c2pa.actions", "data": {"actions": [created]}}],
    }
    identity = local_identity()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None))
    signed = io.BytesIO()
    with path.open("rb") as file:
        c2pa.Builder.from_json(json.dumps(manifest), offline()).sign(signer, "image/png", file, signed)
    path.write_bytes(signed.getvalue())
    code, found = answer(path, capsys)
    assert (code, found["verdict"], found["credentials"]["ours"]) == (5, "foreign", False)
    assert found["credentials"]["intact"]
    main(["verify", str(path)])
    assert "\x1b" not in capsys.readouterr().out


def test_a_file_that_opens_and_cannot_be_read_is_unreadable():
    memory = Path("/proc/self/mem")
    if not memory.exists():
        pytest.skip("the file that cannot be read is Linux's /proc/self/mem")
    assert verify(memory).verdict is Verdict.UNREADABLE


def test_nothing_is_fetched(tmp_path):
    asked = []

    class Server(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Server)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    path = tmp_path / "remote.png"
    Image.fromarray(next(noise(1))).save(path)
    identity = local_identity()
    signer = c2pa.Signer.from_info(c2pa.C2paSignerInfo(identity.algorithm, identity.chain, identity.key, None))
    builder = c2pa.Builder.from_json(json.dumps(Statement("flow").manifest()), offline())
    builder.set_no_embed()
    builder.set_remote_url(f"http://127.0.0.1:{server.server_port}/elsewhere.c2pa")
    signed = io.BytesIO()
    with path.open("rb") as file:
        builder.sign(signer, "image/png", file, signed)
    path.write_bytes(signed.getvalue())
    assert b"elsewhere.c2pa" in signed.getvalue()
    assert verify(path).verdict is Verdict.FOREIGN
    assert asked == []
    with path.open("rb") as file, pytest.raises(c2pa.C2paError):
        c2pa.Reader("image/png", file)  # the library's own settings fetch
    assert asked == ["/elsewhere.c2pa"]
    server.shutdown()


def test_anybodys_files(picture, text_video, tmp_path, capsys):
    assert answer(picture, capsys)[0] == 5
    assert answer(text_video, capsys)[0] == 2
    assert answer(tmp_path / "nowhere.mp4", capsys)[0] == 2
    assert answer(tmp_path, capsys)[0] == 2
    (tmp_path / "empty.mp4").touch()
    assert answer(tmp_path / "empty.mp4", capsys)[0] == 2


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".mov", ".webp"])
def test_damaged_files_never_crash(suffix, clips, tmp_path):
    from gioconda.credentials.reading import read_credentials

    random = np.random.default_rng(len(suffix))
    whole = clips[suffix].read_bytes()
    path = tmp_path / f"damaged{suffix}"
    for number in range(100):
        data = bytearray(whole)
        # The beginning has what tells formats and sizes, and where most of these have the credentials.
        for _ in range(random.integers(1, 12)):
            data[int(random.integers(0, min(len(data), 6000)))] = int(random.integers(0, 256))
        if number % 3 == 0:
            data = data[: int(random.integers(1, len(data)))]
        path.write_bytes(data)
        told = read_credentials(path)
        assert told is None or isinstance(told.intact, bool)
        if number % 50 == 0:
            assert verify(path).verdict in Verdict


# Who signs


def test_the_local_certificate_is_private_and_stays(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    first = local_identity()
    assert first.new
    assert first.path == local_path() == tmp_path / "gioconda" / "local.pem"
    assert first.path.stat().st_mode & 0o777 == 0o600
    again = local_identity()
    assert not again.new
    assert (again.chain, again.algorithm) == (first.chain, "es256")
    assert [p.name for p in first.path.parent.iterdir()] == ["local.pem"]


def test_processes_that_begin_together_agree(tmp_path):
    program = (
        "from gioconda.credentials.identity import local_identity; import sys; sys.stdin.readline(); "
        "sys.stdout.buffer.write(local_identity().chain)"
    )
    environment = os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
        )
        for _ in range(3)
    ]
    for process in started:
        process.stdin.write(b"go\n")
        process.stdin.flush()
    chains = [process.communicate()[0] for process in started]
    assert chains[0].startswith(b"-----BEGIN CERTIFICATE-----")
    assert len(set(chains)) == 1


def test_a_folder_that_cannot_be_written(monkeypatch, tmp_path):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    identity = local_identity()
    assert identity.new
    assert identity.path is None


def test_a_damaged_local_certificate(monkeypatch, tmp_path, clip, capsys):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "gioconda").mkdir()
    local_path().write_text("rubbish")
    with pytest.raises(CredentialsError, match="delete it"):
        local_identity()
    assert answer(clip, capsys)[0] == 0


def rsa_pair(folder: Path, days: int = 10, password: bytes | None = None) -> tuple[Path, Path]:
    """A certificate that somebody signed for somebody, and its key."""
    issuer, key = (rsa.generate_private_key(65537, 2048) for _ in range(2))
    now = datetime.now(UTC)
    names = [
        x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, n), x509.NameAttribute(NameOID.COMMON_NAME, n)])
        for n in ("An Issuer", "A Studio")
    ]

    def built(subject: int, public, usage: tuple[bool, ...], ca: bool) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(names[subject])
            .issuer_name(names[0])
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=20))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca, None), True)
            .add_extension(x509.KeyUsage(*usage), True)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key()), False)
        )

    from cryptography.hazmat.primitives import hashes

    root = built(0, issuer.public_key(), (False,) * 5 + (True, True, False, False), True).sign(issuer, hashes.SHA256())
    leaf = (
        built(1, key.public_key(), (True,) + (False,) * 8, False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False)
        .sign(issuer, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    lock = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    (folder / "chain.pem").write_bytes(leaf.public_bytes(pem) + root.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, lock))
    return folder / "chain.pem", folder / "key.pem"


def test_the_users_own_certificate(animation, tmp_path, monkeypatch):
    chain, key = rsa_pair(tmp_path)
    identity = signing_identity(chain, key)
    assert (identity.algorithm, identity.local) == ("ps256", False)
    told = verify(animation.save(tmp_path / "own.gif", disclosure=Disclosure(identity=identity))).credentials
    assert told.signer.startswith("A Studio")
    assert told.intact
    assert not told.this_machine
    monkeypatch.setenv("GIOCONDA_CERTIFICATE", str(chain))
    with pytest.raises(CredentialsError, match="give both"):
        signing_identity()
    monkeypatch.setenv("GIOCONDA_KEY", str(key))
    assert signing_identity() == identity


def test_a_certificate_with_the_same_names_and_number_is_not_this_machines(animation, tmp_path, monkeypatch):
    own = verify(animation.save(tmp_path / "own.gif")).credentials
    assert own.this_machine
    number = x509.load_pem_x509_certificates(local_path().read_bytes())[0].serial_number
    monkeypatch.setattr(x509, "random_serial_number", lambda: number)
    forged = tmp_path / "forged.pem"
    forged.write_bytes(_new_pem())
    other = Disclosure(identity=signing_identity(forged, forged))
    told = verify(animation.save(tmp_path / "forged.gif", disclosure=other)).credentials
    assert (told.signer, told.intact) == (own.signer, True)
    assert not told.this_machine


def test_certificates_that_are_of_no_use(tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    chain, key = rsa_pair(tmp_path)
    _, foreign = rsa_pair(other)
    with pytest.raises(CredentialsError, match="not the certificate's"):
        signing_identity(chain, foreign)
    with pytest.raises(CredentialsError, match="cannot be read"):
        signing_identity(tmp_path / "nowhere.pem", key)
    with pytest.raises(CredentialsError, match="not a PEM"):
        signing_identity(key, key)
    with pytest.raises(CredentialsError, match="run out"):
        signing_identity(*rsa_pair(other, days=-1))
    with pytest.raises(CredentialsError, match="password"):
        signing_identity(*rsa_pair(other, password=b"secret"))
    own, end, issuer = chain.read_text().partition("-----END CERTIFICATE-----\n")
    body = ssl.PEM_cert_to_DER_cert(own + end)
    assert b"\xa0\x03\x02\x01\x02" in body
    body = body.replace(b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x11", 1)  # of version 18
    chain.write_text(ssl.DER_cert_to_PEM_cert(body) + issuer)
    with pytest.raises(CredentialsError, match="not a PEM"):
        signing_identity(chain, key)


def test_a_clip_that_cannot_be_signed_does_not_appear(animation, picture, motion_file, tmp_path, capsys):
    code = main(
        f"animate {picture} --driver {motion_file} --out {tmp_path}/x.gif --key {picture}".split()  # no certificate
    )
    assert code == 2
    assert "bad-certificate" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_sealing_leaves_no_other_file(tmp_path):
    path = tmp_path / "a.png"
    Image.fromarray(next(noise(1))).save(path)
    assert Seal(Statement("flow"), local_identity())(path) is None
    assert list(tmp_path.iterdir()) == [path]


# The mark


def textured(side: int = 384, seed: int = 5) -> np.ndarray:
    """Something between paint and noise, uint8 (side, side, 3)."""
    grey = cv2.GaussianBlur(np.random.default_rng(seed).normal(0, 1, (side, side)).astype(np.float32), (0, 0), 2)
    smooth = cv2.GaussianBlur(grey, (0, 0), 20)
    picture = 128 + 25 * grey / grey.std() + 30 * smooth / smooth.std()
    return np.repeat(np.clip(picture, 0, 255).astype(np.uint8)[..., None], 3, 2)


def test_the_pattern_is_the_documented_one():
    import hashlib

    spectrum = waves()
    used = [
        (down, right)
        for down in [*range(32), *range(-32, 0)]
        for right in range(33)
        if right > 0 and 36 <= down * down + right * right <= 484
    ]
    drawn = hashlib.shake_256(b"gioconda mark 1").digest(4 * len(used))
    for number, (down, right) in enumerate(used):
        phase = 2 * np.pi * int.from_bytes(drawn[4 * number : 4 * number + 4], "little") / 2**32
        assert spectrum[down, right] == pytest.approx(np.exp(1j * phase))
    assert np.count_nonzero(spectrum) == len(used)


@pytest.mark.parametrize("side", [256, 384, 900])
def test_the_mark_is_faint_and_found(side):
    rgb = textured(side)
    marked = Layer.of(rgb).on(rgb)
    error = np.mean((marked.astype(float) - rgb) ** 2)
    assert 10 * np.log10(255**2 / error) > 42
    assert detect([rgb]).score < THRESHOLD
    assert detect([marked]).found
    assert np.array_equal(marked, Layer.of(rgb).on(rgb))


def test_flat_paint_stays_clean():
    rgb = np.full((384, 384, 3), (150, 170, 200), np.uint8)
    rgb[:, 200:] = 20
    change = Layer.of(rgb).on(rgb).astype(int) - rgb
    assert np.abs(change).max() <= 2
    assert np.sqrt((change**2).mean()) < 0.75


def test_only_the_region_is_marked():
    rgb = textured()
    box = Box(60, 40, 200, 220)
    change = Layer.of(rgb, [box]).on(rgb) != rgb
    change[40:260, 60:260] = False
    assert not change.any()


@pytest.mark.parametrize("factor", [0.5, 0.83, 1.37])
def test_the_mark_outlives_scaling_and_cropping(factor):
    rgb = textured(512)
    marked = cv2.resize(Layer.of(rgb).on(rgb)[30:440, 71:481], None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    assert detect([marked]).found


@pytest.mark.parametrize(("scale", "crf"), [(1.0, 28), (0.5, 18)])
def test_the_mark_outlives_another_encoding(portrait, tmp_path, scale, crf):
    clip = animate(portrait.framed(size=512), acting(0.5), fps=8).save(tmp_path / "clip.mp4", sound=False)
    again = tmp_path / "again.mp4"
    with av.open(str(again), "w") as output:
        side = round(512 * scale)
        stream = output.add_stream("libx264", rate=8)
        stream.width, stream.height, stream.pix_fmt = side, side, "yuv420p"
        stream.codec_context.options = {"crf": str(crf)}
        for rgb in pictures(clip):
            small = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
            output.mux(stream.encode(av.VideoFrame.from_ndarray(small, format="rgb24")))
        output.mux(stream.encode())
    assert verify(again).verdict is Verdict.MARKED


def test_nothing_to_look_at():
    assert not detect([]).found
    assert detect([np.zeros((300, 300, 3), np.uint8)]).score < THRESHOLD
    assert detect([np.full((1, 3, 3), 9, np.uint8)]).score < THRESHOLD


def test_the_same_command_gives_the_same_pixels(animation, clips, tmp_path):
    again = animation.save(tmp_path / "again.mp4")
    for one, other in zip(pictures(again), pictures(clips[".mp4"]), strict=True):
        assert np.array_equal(one, other)


def test_frames_in_the_library_are_not_marked(animation):
    frame = next(iter(animation))
    assert detect([frame.rgb]).score < THRESHOLD


# The label


def test_the_label_is_drawn_only_when_asked_for(animation, clips, tmp_path):
    labelled = pictures(animation.save(tmp_path / "labelled.mp4", disclosure=Disclosure(label=True)))[0].astype(int)
    plain = pictures(clips[".mp4"])[0].astype(int)
    change = np.abs(labelled - plain).max(axis=2) > 40
    rows, columns = np.nonzero(change)
    assert rows.min() > 200
    assert columns.max() < 250
    assert change.sum() > 300


@pytest.mark.parametrize("size", [(64, 64), (640, 360), (360, 2000)])
def test_the_label_fits(size):
    width, height = size
    rgb, alpha = Label.of(width, height).on(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8))
    assert rgb.shape == (height, width, 3)
    assert rgb.max() > 150
    assert alpha.max() > 240
