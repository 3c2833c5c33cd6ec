"""Canonical JSON (RFC 8785) of objects, arrays, strings and null, and nothing else.

Numbers are written as strings, so that no reader rounds them; true and false do not occur.
One value has one writing: bytes that say the same in another way are refused, not repaired.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import NoReturn, TypeAlias

from validator.errors import NotCanonical

Json: TypeAlias = "str | list[Json] | dict[str, Json] | None"

LEAF_BYTES_MAX = 0xFFFF
DEPTH_MAX = 64


def read(data: bytes, *, bytes_max: int | None = LEAF_BYTES_MAX) -> Json:
    """Read a value from its canonical bytes.

    Parameters
    ----------
    data : bytes
        The whole document.
    bytes_max : int or None
        Longest document accepted; a leaf's limit if not told otherwise.

    Raises
    ------
    NotCanonical
        If ``data`` is anything but the canonical writing of a value made of objects, arrays,
        strings and null: also for a repeated or misplaced key, white space, a needless escape,
        half of a surrogate pair, or nesting beyond ``DEPTH_MAX``.
    """
    if bytes_max is not None and len(data) > bytes_max:
        raise NotCanonical(f"{len(data)} bytes are more than {bytes_max}")
    try:
        value = _DECODER.decode(data.decode("utf-8"))
        again = _ENCODER.encode(value).encode("utf-8")
    except (UnicodeDecodeError, UnicodeEncodeError) as error:
        raise NotCanonical(f"not Unicode: {error.reason}") from error
    except RecursionError as error:
        raise NotCanonical("nested too deeply") from error
    except json.JSONDecodeError as error:
        raise NotCanonical(f"not JSON: {error.msg} at character {error.pos}") from error
    if again != data:
        raise NotCanonical("white space or a needless escape")
    _require_plain([value], depth=0)
    return value  # type: ignore[no-any-return]  # what _require_plain lets pass is Json


def read_object(data: bytes, *, bytes_max: int | None = LEAF_BYTES_MAX) -> dict[str, Json]:
    """Read an object from its canonical bytes; see :func:`read`."""
    value = read(data, bytes_max=bytes_max)
    if not isinstance(value, dict):
        raise NotCanonical("not an object")
    return value


def write(value: Json) -> bytes:
    """Return the canonical bytes of a value."""
    _require_plain([value], depth=0)
    try:
        return _ENCODER.encode(_sorted(value)).encode("utf-8")
    except UnicodeEncodeError as error:
        raise NotCanonical(f"not Unicode: {error.reason}") from error


def _sorted(value: Json) -> Json:
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value, key=_sort_key)}
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _sort_key(key: str) -> bytes:
    """Order keys by their UTF-16 code units, as RFC 8785 has it from ECMAScript."""
    return key.encode("utf-16-be", "surrogatepass")


def _object(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    """Make an object, unless a key is repeated or out of order."""
    before: bytes | None = None
    for key, _ in pairs:
        here = _sort_key(key)
        if before is not None and here <= before:
            raise NotCanonical(f"key {key!r} is repeated or out of order")
        before = here
    return dict(pairs)


def _refuse_number(text: str) -> NoReturn:
    raise NotCanonical(f"a number, {text[:40]}, is not written as a string")


def _require_plain(values: Iterable[object], *, depth: int) -> None:
    if depth > DEPTH_MAX:
        raise NotCanonical("nested too deeply")
    for value in values:
        if isinstance(value, dict):
            if not all(isinstance(key, str) for key in value):
                raise NotCanonical("a key is not a string")
            _require_plain(value.values(), depth=depth + 1)
        elif isinstance(value, list):
            _require_plain(value, depth=depth + 1)
        elif value is not None and not isinstance(value, str):
            raise NotCanonical(f"{value!r} is neither object, array, string nor null")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_int=_refuse_number,
    parse_float=_refuse_number,
    parse_constant=_refuse_number,
)
# Escapes exactly what RFC 8785 escapes: quotes, backslashes and control characters, and in the
# same spelling. Keys stay as they stand: a reader has checked their order, the writer made it.
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
