"""A stranger's JSON: bounded in size and depth, without the numbers that JSON doesn't have."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from gate.errors import Refused, gettext_noop
from gate.limits import MIB, Limits

DIGITS_MAX = 30


def read_document(path: Path, *, name: str, limits: Limits) -> dict[str, Any]:
    """Read one JSON object.

    Raises
    ------
    Refused
        Too large, too deep, no JSON, or no object.
    """
    if path.stat().st_size > limits.json_bytes:
        raise Refused(
            "json-large",
            gettext_noop("more than {mib} MiB of JSON"),
            name,
            gettext_noop("Split the feed, or ask the hall for a higher limit."),
            mib=limits.json_bytes // MIB,
        )
    return parsed(path.read_bytes(), name=name)


def parsed(data: bytes, *, name: str) -> dict[str, Any]:
    """Parse one JSON object; see `read_document`."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as e:
        raise _no_json(name, "it is not UTF-8") from e
    try:
        said = json.loads(text, parse_constant=_refuse, parse_int=_integer)
    except json.JSONDecodeError as e:
        raise _no_json(f"{name}, line {e.lineno}", e.msg) from e
    except (ValueError, RecursionError) as e:  # the parser bounds its depth by itself
        raise _no_json(name, "a number or nesting that JSON doesn't have") from e
    if not isinstance(said, dict):
        raise _no_json(name, "not an object")
    return said


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def _integer(digits: str) -> int:
    if len(digits) > DIGITS_MAX:
        raise ValueError("a number of too many digits")
    return int(digits)


def _no_json(place: str, detail: str) -> Refused:
    return Refused(
        "json-broken",
        gettext_noop("this is no JSON the hall can read ({detail})"),
        place,
        gettext_noop("Publish the file again as a whole, in UTF-8."),
        detail=detail,
    )
