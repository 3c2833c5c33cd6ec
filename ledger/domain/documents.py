"""A document: named texts that the log keeps, some in public, of the others only commitments."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import PROTOCOL_VERSION, Command, Posting, decode
from ledger.errors import CommandInvalid

LEAF_BYTES_MAX = 65_535

_KIND = re.compile(r"[a-z0-9-]{1,40}")
_NAME = re.compile(r"[a-z0-9_]{1,40}")
# What a commitment takes in a leaf: 32 bytes in base64, and the quotes, colon and comma around.
_COMMITMENT_BYTES = 50


@dataclass(frozen=True)
class Document:
    """What is logged of a document.

    Parameters
    ----------
    kind : str
        The application's word for it, ``a-z``, ``0-9`` and ``-``.
    public : mapping of str to str
        Stands in the log in clear, for ever: never anything of a person.
    private : mapping of str to str
        Stands in the log as one salted commitment a name; opened to parties and validators.
    """

    kind: str
    public: Mapping[str, str] = field(default_factory=dict)
    private: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.kind, str) or not _KIND.fullmatch(self.kind):
            raise CommandInvalid(f"{self.kind!r} is no kind of document: use a-z, 0-9 and -")
        for texts in (self.public, self.private):
            for name, text in texts.items():
                if not _NAME.fullmatch(name) or not isinstance(text, str):
                    raise CommandInvalid(f"document field {name!r}: use a-z, 0-9 and _, and a text")
        if "key" in self.private:
            raise CommandInvalid("the field key is the command's own")
        size = len(canonical_json(dict(self.public))) + 400 + len(self.kind)
        size += sum(len(name) + _COMMITMENT_BYTES for name in self.private)
        if size > LEAF_BYTES_MAX:
            raise CommandInvalid(
                f"a leaf holds {LEAF_BYTES_MAX} bytes, this document would take {size}:"
                " put a hash in place of the text"
            )

    def command(self, key: str) -> Command:
        """Return the command that logs this document under ``key``."""
        return Command(key, self.body(), 0)

    def body(self) -> bytes:
        """Return the canonical bytes of the command's body."""
        written = {
            "kind": self.kind,
            "private": dict(self.private),
            "public": dict(self.public),
        }
        return canonical_json({"document": written, "version": PROTOCOL_VERSION})


def read_body(body: bytes) -> Posting | Document:
    """Read what a command says from its canonical bytes.

    Raises
    ------
    CommandInvalid
        If the bytes are not exactly the canonical form of what they say.
    """
    if not body.startswith(b'{"document":{'):
        return decode(body)
    try:
        written = json.loads(body)["document"]
        document = Document(written["kind"], written["public"], written["private"])
        if document.body() != body:
            raise CommandInvalid("document body is not canonical")
    except CommandInvalid:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CommandInvalid(f"document body cannot be read: {error}") from error
    return document
