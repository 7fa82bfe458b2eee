"""Files made wrong on purpose: bytes, JSON, PNG and safetensors changed at random, as pure functions of a `Random`.

Whoever only flips bits is turned away at a checksum or a header. So some changes keep the outside of a format whole
and lie inside it.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

Change = Callable[[bytes, Random, Sequence[bytes]], bytes]
"""Changes the bytes of a file; the last argument are other files of its kind, to take parts from."""

_EDGES = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 2**63 - 1, 2**64 - 1)
"""Numbers at which counting goes wrong."""
ODD_VALUES: tuple[Any, ...] = (
    *(None, True, -1, 0, 0.5, 1e308, -1e308, float("nan"), float("inf"), 10**30, -(2**63)),
    *("", "\x1b[2J\x07", "../../../../etc/passwd", "/dev/zero", "\ud800", "a" * 5000, "\n", [], {}, [[]], {"": None}),
)
"""Stand-ins for any value of JSON."""


def changed_bytes(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """The file with one to sixteen changes: bits, numbers, blocks cut, doubled, moved or taken from another file."""
    out = bytearray(data)
    for _ in range(random.choice((1, 1, 1, 2, 4, 16))):
        if not out:
            break
        _one_change(out, random, others)
    return bytes(out)


def _one_change(out: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = _place(len(out), random)
    length = min(random.choice((1, 4, 16, 256, 4096)), len(out) - at)
    match random.randrange(9):
        case 0:
            out[at] ^= 1 << random.randrange(8)
        case 1:
            out[at] = random.randrange(256)
        case 2 | 3:
            width = random.choice((1, 2, 4, 8))
            order = random.choice(("little", "big"))
            out[at : at + width] = (random.choice(_EDGES) % 256**width).to_bytes(width, order)
        case 4:
            del out[at : at + length if random.random() < 0.5 else len(out)]
        case 5:
            out[at:at] = out[at : at + length] * random.choice((1, 2, 50))
        case 6:
            out[at : at + length] = random.randbytes(length)
        case 7:
            out[at : at + length] = bytes(length)
        case 8:
            other = random.choice(others) if others else bytes(out)
            start = random.randrange(len(other) + 1)
            out[at : at + length] = other[start : start + length]


def _place(length: int, random: Random) -> int:
    """Anywhere, but mostly in the first or last kilobyte: that is where headers and indexes are."""
    low, high = random.choice(
        ((0, min(64, length)), (0, min(1024, length)), (max(0, length - 1024), length), (0, length))
    )
    return random.randrange(low, high)


# JSON


def changed_json(value: Any, random: Random) -> Any:
    """A copy with one value, somewhere in it, replaced, removed, doubled or renamed."""
    whole = [json.loads(json.dumps(value))]
    places = list(_places(whole))
    holder, key = random.choice(places)
    match random.randrange(6):
        case 0 if isinstance(holder, dict):
            holder[random.choice(("", "version", "../x", str(key) * 2))] = holder.pop(key)
        case 1 if holder is not whole:
            del holder[key]
        case 2 if isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
            holder[key] = holder[key] * random.choice((-1, 2, 1000, 1e9, 1e-9)) + random.choice((0, 1, -1, 0.5))
        case 3:
            other_holder, other = random.choice(places)
            holder[key] = json.loads(json.dumps(other_holder[other]))
        case _:
            holder[key] = random.choice(ODD_VALUES)
    return whole[0]


def _places(value: Any) -> Any:
    """Every holder and key below a value."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in list(entries):
        yield value, key
        yield from _places(entry)


def changed_json_text(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """A file of JSON, or of a line of JSON each, changed in its values, in its bytes, or nested beyond measure."""
    kind = random.random()
    if kind < 0.2:
        return changed_bytes(data, random, others)
    if kind < 0.23:
        opening = random.choice((b"[", b'{"a":'))
        return opening * random.choice((900, 100_000))
    lines = data.splitlines() if _is_lines(data) else [data]
    number = random.randrange(len(lines))
    try:
        for _ in range(random.choice((1, 1, 2, 5))):
            lines[number] = json.dumps(changed_json(json.loads(lines[number]), random)).encode()
    except ValueError:
        return changed_bytes(data, random, others)
    return b"\n".join(lines) + b"\n"


def _is_lines(data: bytes) -> bool:
    first = data.split(b"\n", 1)[0].strip()
    return first.startswith(b"{") and first.endswith(b"}")


# Tables


def changed_table(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """A CSV file changed in its cells, rows and columns, or in its bytes."""
    if random.random() < 0.2:
        return changed_bytes(data, random, others)
    rows = [line.split(b",") for line in data.splitlines()]
    for _ in range(random.choice((1, 1, 3))):
        row = random.choice((rows[0], random.choice(rows)))
        match random.randrange(5):
            case 0:
                rows.remove(row) if len(rows) > 1 else None
            case 1:
                rows.insert(random.randrange(len(rows)), list(row))
            case 2 if row:
                del row[random.randrange(len(row))]
            case _ if row:
                odd = (b"", b"nan", b"1e400", b"-1e308", b'"', b"\x00", b"1_000", b"\xff", "٣".encode(), b"x" * 200_000)
                row[random.randrange(len(row))] = random.choice(odd)
    return b"\n".join(b",".join(row) for row in rows)


# Formats with lengths and checksums


def changed_png(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """A PNG (or APNG) changed inside a chunk whose checksum is made right again, or in its bytes."""
    if random.random() < 0.4 or data[:4] != b"\x89PNG":
        return changed_bytes(data, random, others)
    chunks, at = [], 8
    while at + 12 <= len(data):
        (length,) = struct.unpack_from(">I", data, at)
        chunks.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    number = random.randrange(len(chunks))
    kind, content = chunks[number]
    if random.random() < 0.2:
        chunks.insert(random.randrange(len(chunks)), chunks[number])
    elif kind == b"IDAT" and random.random() < 0.5:
        chunks[number] = kind, zlib.compress(random.randbytes(2000) + bytes(random.choice((0, 5_000_000))))
    else:
        chunks[number] = kind, changed_bytes(content, random, others)
    return data[:8] + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )


def changed_safetensors(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """A safetensors file changed in its header, in the JSON that lies in there, in its numbers, or in its bytes."""
    if random.random() < 0.25:
        return changed_bytes(data, random, others)
    (length,) = struct.unpack_from("<Q", data)
    header, numbers = json.loads(data[8 : 8 + length]), data[8 + length :]
    about = header.get("__metadata__", {})
    match random.randrange(4):
        case 0:
            header = changed_json(header, random)
        case 1 if about:
            key = random.choice(sorted(about))
            try:
                about[key] = json.dumps(changed_json(json.loads(about[key]), random))
            except ValueError:
                about[key] = random.choice(("", "nan", "-1", "[" * 5000, "{}"))
        case 2:
            names = [name for name in header if name != "__metadata__"]
            one, other = random.choice(names), random.choice(names)
            header[one], header[other] = header[other], header[one]
        case _:
            whole = bytearray(numbers)
            for _ in range(random.choice((1, 10))):
                at = random.randrange(max(1, len(whole) - 4))
                whole[at : at + 4] = struct.pack("<f", random.choice((float("nan"), float("inf"), 3e38, -3e38, 1e-40)))
            numbers = bytes(whole)
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


_BOXES = (
    *(b"mvhd", b"tkhd", b"mdhd", b"hdlr", b"stsd", b"stts", b"ctts", b"stsc", b"stsz", b"stco", b"stss", b"elst"),
    *(
        b"dref",
        b"avc1",
        b"avcC",
        b"mp4a",
        b"esds",
        b"udta",
        b"ftyp",
        b"moov",
        b"trak",
        b"mdia",
        b"minf",
        b"stbl",
        b"edts",
    ),
)


def changed_movie(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """An MP4 or MOV file with numbers changed in the boxes that describe it; any other film in its bytes."""
    found = [at for box in _BOXES if (at := data.find(box)) > 0]
    if not found or random.random() < 0.35:
        return changed_bytes(data, random, others)
    out = bytearray(data)
    for _ in range(random.choice((1, 2, 6))):
        at = random.choice(found) + random.randrange(-4, 64)
        width = random.choice((1, 2, 4))
        number = random.choice((*_EDGES, random.getrandbits(32))) % 256**width
        out[at : at + width] = number.to_bytes(width, "big")
    return bytes(out)


# Requests

_ODD_ADDRESSES = (
    b"/../../etc/passwd",
    b"/%2e%2e/x",
    b"//",
    b"?a=1",
    b"/%00",
    b"/\xff",
    b"?" + b"a=1&" * 5000,
    b"/x" * 900,
)
_ODD_LENGTHS = (b"9" * 5000, b"-1", b"+5", b"1e3", "٣".encode(), b"0", b"65536", b"65537", b"0x10")
_ODD_METHODS = (b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"X" * 70_000, b"\xff\x00")
_ODD_HEADERS = (
    *(b"X: " + b"y" * 70_000, b"Transfer-Encoding: chunked", b"Expect: 100-continue", b"Range: bytes=5-1,9-"),
    *(b"Content-Type: multipart/form-data", b"Content-Type: text/plain", b"Cookie: \xff=\xfe; ;;=", b"Accept: \xff"),
    *(b"Origin: null", b"Host: ", b"Content-Encoding: gzip", b"If-Modified-Since: x", b"X-Forwarded-For: \xff, ,"),
)


def changed_request(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """A request of HTTP changed in its method, address, length, headers or body, or in its bytes."""
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.split(b"\r\n")
    method, _, rest = lines[0].partition(b" ")
    address, _, version = rest.rpartition(b" ")
    match random.randrange(10):
        case 0 | 1:
            return changed_bytes(data, random, others)
        case 2:
            start = address[: random.randrange(len(address) + 1)]
            lines[0] = b" ".join((method, start + random.choice(_ODD_ADDRESSES), version))
        case 3:
            lines = [*_without_length(lines), b"Content-Length: " + random.choice(_ODD_LENGTHS)]
        case 4:
            lines[0] = b" ".join((random.choice(_ODD_METHODS), rest))
        case 5:
            lines += [random.choice(_ODD_HEADERS)] * random.choice((1, 3))
        case _:
            body = changed_json_text(body, random) if body else b"{}"
            lines = [*_without_length(lines), b"Content-Length: %d" % len(body)]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _without_length(lines: list[bytes]) -> list[bytes]:
    return [line for line in lines if not line.startswith(b"Content-Length")]


# Networks


def changed_network(data: bytes, random: Random, others: Sequence[bytes] = ()) -> bytes:
    """An ONNX file that is still one, with another operation, shape, number or output; or changed in its bytes."""
    import onnx

    if random.random() < 0.4:
        return changed_bytes(data, random, others)
    model = onnx.ModelProto.FromString(data)
    graph = model.graph
    for _ in range(random.choice((1, 1, 3))):
        match random.randrange(6):
            case 0 if graph.initializer:
                tensor = random.choice(graph.initializer)
                if tensor.dims:
                    tensor.dims[random.randrange(len(tensor.dims))] = random.choice((0, 1, 2, 3, 77, -1, 2**40))
            case 1 if graph.initializer:
                _other_numbers(random.choice(graph.initializer), random)
            case 2:
                node = random.choice(graph.node)
                node.op_type = random.choice(("Identity", "Neg", "Log", "Shape", "Exp", "ReduceMax", "Transpose", "x"))
            case 3:
                node, other = random.choice(graph.node), random.choice(graph.node)
                if node.input and other.input:
                    node.input[0] = other.input[-1]
            case 4:
                graph.output.append(random.choice(graph.output))
                del graph.output[random.randrange(len(graph.output))]
            case _:
                # The last operation's result, in another shape, under the name of what comes out.
                name = random.choice(graph.output).name
                for node in graph.node:
                    node.output[:] = [f"{name}." if out == name else out for out in node.output]
                kind = random.choice(("Flatten", "Transpose", "ReduceSum", "Log", "Shape", "ReduceL2", "Exp"))
                graph.node.append(onnx.helper.make_node(kind, [f"{name}."], [name]))
                for out in graph.output:
                    out.type.tensor_type.ClearField("shape")
    return model.SerializeToString()


def _other_numbers(tensor: Any, random: Random) -> None:
    """Give a tensor of an ONNX network numbers that none has."""
    odd = struct.pack("<f", random.choice((float("nan"), float("inf"), -3e38, 0.0, 1e-40)))
    for numbers in ("float_data", "int64_data"):
        if held := getattr(tensor, numbers):
            held[random.randrange(len(held))] = -1 if numbers == "int64_data" else struct.unpack("<f", odd)[0]
    if tensor.raw_data:
        raw = bytearray(tensor.raw_data)
        times = random.choice((1, 10, len(raw) // 4))
        for _ in range(times):
            at = 4 * random.randrange(max(1, len(raw) // 4))
            raw[at : at + 4] = odd[: len(raw) - at]
        tensor.raw_data = bytes(raw)
