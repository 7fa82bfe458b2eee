"""Requests that Schemathesis makes up from the studio's own description of its API (the extra `dev`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from requests import Request

from served import Visitor

_SENT = ("method", "url", "headers", "files", "data", "params", "json", "cookies")


def from_schema(visitor: Visitor, files: list[dict[str, Any]], most: int) -> Iterator[tuple[str, bytes]]:
    """Operations, and requests for them: `most` for each, half of them as the schema wants them, half otherwise.

    The visitor's files but the first may be named in them: a picture of somebody's would be rendered at great length.
    """
    described = json.loads(visitor.ask("/gradio_api/openapi.json")[1])
    schema = schemathesis.openapi.from_dict(_with_files(described, files[1:]))
    for found in schema.get_all_operations():
        operation = found.ok()
        for mode in schemathesis.GenerationMode:
            for request in _made_up(visitor, operation.as_strategy(generation_mode=mode), most // 2):
                yield f"{operation.method.upper()} {operation.path}", request


def _made_up(visitor: Visitor, strategy: Any, most: int) -> list[bytes]:
    """At most so many requests of a kind; none where nothing about an operation can be wrong."""
    made: list[bytes] = []

    @settings(
        max_examples=most,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=strategy)
    def make(case: Any) -> None:
        options = case.as_transport_kwargs(base_url=visitor.served.address.rstrip("/"))
        made.append(_bytes_of(visitor, {name: value for name, value in options.items() if name in _SENT}))

    try:
        make()
    except Unsatisfiable:
        return []
    return made


def _bytes_of(visitor: Visitor, options: dict[str, Any]) -> bytes:
    """What the library 'requests' would send, as the visitor's."""
    sent = Request(**options).prepare()
    body = sent.body if isinstance(sent.body, bytes) else (sent.body or "").encode("utf-8", "replace")
    ours = {"Host": urlsplit(visitor.served.address).netloc, "Connection": "close", **visitor.headers}
    headers = {**sent.headers, **ours, **({"Content-Length": str(len(body))} if body else {})}
    lines = [f"{sent.method} {sent.path_url} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body


def _with_files(described: Any, files: list[dict[str, Any]]) -> Any:
    """The schema with files where Gradio's has the kind or format 'filepath', which no schema knows."""
    if isinstance(described, list):
        return [_with_files(value, files) for value in described]
    if not isinstance(described, dict):
        return described
    if "filepath" in (described.get("type"), described.get("format")):
        any_file = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
        return {"anyOf": [{"enum": files}, any_file]}
    return {name: _with_files(value, files) for name, value in described.items()}
