"""Canonical JSON: RFC 8785 restricted to objects, arrays, strings and null.

Numbers are decimal strings, so that no reader can take them for floats. With names in ASCII the
order of RFC 8785 (by UTF-16 units) is Python's.
"""

import json
from typing import Any


def canonical_json(document: Any) -> bytes:
    """Return the one way to write a document down."""
    return json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def text_json(text: str) -> str:
    """Return a string as it stands in canonical JSON."""
    return json.dumps(text, ensure_ascii=False)
