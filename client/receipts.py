"""Receipts of documents: that a log's quorum has an entry, and what the entry commits to.

The format is in docs/ledger.md of the hall, "Receipts"; nothing is asked of anybody.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from client.errors import NotVerified
from client.notes import Policy
from gate.merkle import leaf_hash, root_of_path

HEADER: Final = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Logged:
    """A document of the log, as far as its receipt opens it.

    Attributes
    ----------
    public : mapping
        What everybody reads in the entry.
    fields : mapping
        Private texts that the entry commits to; ``key`` names the document.
    """

    origin: str
    index: int
    kind: str
    public: Mapping[str, str]
    fields: Mapping[str, str]


def check_receipt(text: str, policy: Policy) -> Logged:
    """Check the receipt of a document under the reader's own policy.

    Raises
    ------
    NotVerified
        At the first thing that does not hold.
    """
    index, path, note, extra = _taken_apart(text)
    checkpoint = policy.checkpoint_of(note)
    try:
        entry_text = extra["entry"]
        root = root_of_path(index, checkpoint.size, leaf_hash(entry_text.encode()), path)
        if root != checkpoint.root:
            raise NotVerified("the entry does not stand in this log")
        entry = json.loads(entry_text)
        if entry["type"] != "document":
            raise NotVerified("the entry is no document")
        fields = {
            name: _opened(entry["fields"][name], shown) for name, shown in extra["fields"].items()
        }
        return Logged(checkpoint.origin, index, str(entry["kind"]), dict(entry["public"]), fields)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotVerified(f"this is no receipt of a document: {error}") from error


def _taken_apart(text: str) -> tuple[int, list[bytes], str, dict[str, Any]]:
    head, blank, note = text.partition("\n\n")
    lines = head.split("\n")
    try:
        if not blank or lines[0] != HEADER or not lines[1].startswith("extra "):
            raise ValueError("its first lines")
        extra = json.loads(_base64(lines[1].removeprefix("extra ")))
        if not lines[2].startswith("index "):
            raise ValueError("its index")
        index = int(lines[2].removeprefix("index "))
        return index, [_base64(line) for line in lines[3:]], note, extra
    except (ValueError, IndexError) as error:
        raise NotVerified(f"this is no receipt: {error}") from error


def _opened(commitment: str, shown: Mapping[str, str]) -> str:
    """Return a private text if the entry commits to it."""
    material = _base64(shown["salt"]) + shown["text"].encode()
    if hashlib.sha256(material).digest() != _base64(commitment):
        raise NotVerified("the entry commits to another text")
    return str(shown["text"])


def _base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("it is not base64") from error
