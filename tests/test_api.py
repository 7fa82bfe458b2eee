"""The public API is what tests/api.json says. After a wanted change: python tests/test_api.py --write."""

from __future__ import annotations

import dataclasses
import inspect
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

import gioconda
from gioconda import errors

SNAPSHOT = Path(__file__).with_name("api.json")
ERRORS = [value for value in vars(errors).values() if inspect.isclass(value)]


def public_members(cls: type) -> dict[str, Any]:
    """Methods and properties a class defines itself; fields are in its signature."""
    fields = {f.name for f in dataclasses.fields(cls)} if dataclasses.is_dataclass(cls) else set()
    kept = ("__iter__", "__len__")
    return {
        name: value
        for name, value in vars(cls).items()
        if name not in fields and (name in kept or not name.startswith("_"))
    }


def signature(function: Any) -> str:
    """Without the addresses of functions that are defaults."""
    return re.sub(r" at 0x[0-9a-f]+", "", str(inspect.signature(function)))


def described(value: Any) -> Any:
    """Signatures all the way down."""
    if isinstance(value, staticmethod | classmethod):
        return f"static {signature(value.__func__)}"
    if isinstance(value, property):
        return f"property{signature(value.fget)}"
    if inspect.isclass(value):
        entry = {name: described(member) for name, member in sorted(public_members(value).items())}
        if dataclasses.is_dataclass(value):
            entry["()"] = signature(value)
        return entry
    if inspect.isfunction(value):
        return signature(value)
    return repr(value)


def current() -> dict[str, Any]:
    api = {name: described(getattr(gioconda, name)) for name in sorted(gioconda.__all__)}
    return api | {"errors": {error.__name__: error.id for error in ERRORS}}


def test_the_public_api_is_as_agreed():
    assert current() == json.loads(SNAPSHOT.read_text()), "run: python tests/test_api.py --write"


def test_all_is_sorted_and_complete():
    assert list(gioconda.__all__) == sorted(gioconda.__all__)
    loaded = {n for n, v in vars(gioconda).items() if not n.startswith("_") and not inspect.ismodule(v)}
    assert loaded == set(gioconda.__all__)


@pytest.mark.parametrize("name", gioconda.__all__)
def test_every_public_name_is_explained(name):
    value = getattr(gioconda, name)
    assert explained(value), name
    if inspect.isclass(value):
        for member, content in public_members(value).items():
            function = getattr(content, "__func__", getattr(content, "fget", content))
            if callable(function):
                assert explained(function), f"{name}.{member}"


def explained(value: Any) -> bool:
    text = value.__doc__ or ""
    # A data class without a docstring is given its signature.
    return len(text) > 10 and not text.startswith(f"{value.__name__}(")


@pytest.mark.parametrize("error", ERRORS)
def test_every_error_is_one_of_ours_with_an_id_of_its_own(error):
    assert issubclass(error, gioconda.GiocondaError)
    assert explained(error)
    assert [other.id for other in ERRORS].count(error.id) == 1


def test_the_version_is_that_of_the_package():
    from importlib.metadata import version

    assert gioconda.__version__ == version("gioconda")


if __name__ == "__main__" and "--write" in sys.argv:
    SNAPSHOT.write_text(json.dumps(current(), indent=1) + "\n")
