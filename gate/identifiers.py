"""Pseudonyms of vehicles: the same id looks different every day, or to every buyer.

They are keyed hashes. A hash without a key is no pseudonym: a fleet has a thousand ids, and whoever
hashes them all has the list. Keys are the provider's or the hall's; a destroyed key makes its
pseudonyms unlinkable for good.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from datetime import date
from typing import Final

from gate.policy import IDENTIFIERS

KEY_BYTES_MIN: Final = 32
# 80 bits: in a fleet of a million two pseudonyms of a day meet with a chance of 4 in 10**13.
PSEUDONYM_BYTES: Final = 10


class Pseudonyms:
    """Turns identifiers into pseudonyms of one scope.

    Parameters
    ----------
    key : bytes
        Of the product, random, at least 32 bytes.
    scope : bytes
        What the pseudonyms are the same within: a day, a contract.
    """

    def __init__(self, key: bytes, scope: bytes) -> None:
        if len(key) < KEY_BYTES_MIN:
            raise ValueError(f"a key of pseudonyms has at least {KEY_BYTES_MIN} bytes")
        context = b"heliopolis/pseudonym/1\0" + scope
        self._key = hmac.digest(key, context, hashlib.sha256)
        self._known: dict[str, str] = {}

    @classmethod
    def of_day(cls, key: bytes, day: date) -> Pseudonyms:
        """Return pseudonyms that rotate daily; ``day`` is the product's civil day."""
        return cls(key, b"day\0" + day.isoformat().encode())

    @classmethod
    def of_buyer(cls, key: bytes, contract: str, day: date | None = None) -> Pseudonyms:
        """Return pseudonyms of one contract; two buyers cannot join their data by them.

        With a day they rotate as well.
        """
        scope = b"contract\0" + contract.encode()
        if day is not None:
            scope += b"\0day\0" + day.isoformat().encode()
        return cls(key, scope)

    @classmethod
    def by_policy(cls, identifiers: str, key: bytes, *, contract: str, day: date) -> Pseudonyms:
        """Return what a policy's ``identifiers`` asks for: "rotate-daily" or "per-buyer"."""
        if identifiers not in IDENTIFIERS[1:]:
            raise ValueError(f"no pseudonyms under {identifiers!r}: identifiers are dropped")
        return (
            cls.of_day(key, day) if identifiers == "rotate-daily" else cls.of_buyer(key, contract)
        )

    def of(self, identifier: str) -> str:
        """Return the pseudonym of one identifier: 20 hexadecimal digits."""
        found = self._known.get(identifier)
        if found is None:
            digest = hmac.digest(self._key, identifier.encode(), hashlib.sha256)
            found = self._known[identifier] = digest[:PSEUDONYM_BYTES].hex()
        return found

    def of_all(self, identifiers: Iterable[str]) -> list[str]:
        """Return the pseudonyms of many; each distinct one is hashed once."""
        return [self.of(each) for each in identifiers]
