"""Signed terms in the log, and whether the orders of a book are what they allow.

References
----------
docs/terms.md, "What a validator checks".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Protocol

from validator.bodies import DocumentBody
from validator.checks import Objected
from validator.errors import Malformed, SignatureFailed
from validator.interval_book import Book, Position
from validator.terms_text import SignedText, read_signed_text

TERMS_KIND, KEY_KIND = "terms", "signing-key"
# The hall takes a text in no later than this after it was issued.
TAKEN_IN_WITHIN_MICROSECONDS = 600 * 1_000_000
_TERMS_KEY = re.compile(r"terms:(0|[1-9][0-9]{0,18})")
_SIGNING_KEY = re.compile(r"signing-key:(0|[1-9][0-9]{0,18})")
_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")

# The limits that a rule set can draw, of offers and of bids. [micro per kWh]
Drawn = tuple[range, range]


class TermsArchive(Protocol):
    """Signed texts and keys of earlier blocks."""

    @property
    def is_whole(self) -> bool:
        """Tell whether every text since the first leaf was followed."""

    def signed(self, points: Collection[int]) -> dict[int, list[SignedText]]:
        """Return what was signed for metering points, each in the order of the log."""

    def key_in_use(self, participant: int) -> str | None:
        """Return the hash of the key that began to sign last for a participant."""


@dataclass(slots=True)
class TermsFresh:
    """What a block adds."""

    signed: dict[int, list[SignedText]] = field(default_factory=dict)
    keys: dict[int, str] = field(default_factory=dict)


def is_of_terms(key: str, body: DocumentBody) -> bool:
    """Tell whether a document stands for a signed text, which is to be read."""
    return body.kind == TERMS_KIND or key.startswith("terms:")


class TermsCheck:
    """Checks the signed texts of one block, and its books against them.

    Parameters
    ----------
    documents : mapping
        What the block's documents stand for, by key.
    archive : TermsArchive
        What earlier blocks left behind.
    """

    def __init__(self, documents: Mapping[str, bytes], archive: TermsArchive) -> None:
        self.fresh = TermsFresh()
        self._documents = documents
        self._archive = archive

    def document(self, index: int, key: str, body: DocumentBody) -> None:
        """Take in a signed text or a key that begins to sign; other documents are passed over."""
        if is_of_terms(key, body):
            self._text(index, key, body)
        elif body.kind == KEY_KIND or key.startswith("signing-key:"):
            self._key(index, key, body)

    def require_limits(self, index: int, book: Book, drawn: Callable[[Position], Drawn]) -> None:
        """Check that every order of a book is one that the terms in force can have made.

        Parameters
        ----------
        index : int
            The book's leaf.
        book : Book
            The book.
        drawn : callable
            Returns what the rule set can draw for a position's offer and bid.

        Raises
        ------
        Objected
            If no terms that can be in force when the interval starts allow an order.
        """
        starts = book.header.starts
        ordered = [one for one in book.positions if one.offer or one.request]
        known = self._signed([one.meter for one in ordered])
        for one in ordered:
            possible = _possible(known.get(one.meter, []), starts)
            sells, buys = drawn(one)
            for limit, is_offer, range_ in (
                (one.sell_limit, True, sells),
                (one.buy_limit, False, buys),
            ):
                if limit is not None and not any(
                    self._allow(terms, limit, range_, is_offer=is_offer, starts=starts)
                    for terms in possible
                ):
                    raise Objected(index, "limit", "the terms in force do not allow an order")

    def is_in_use(self, participant: int, key: str) -> bool:
        """Tell whether a key, by its hash, is the one that began last; or none is known."""
        in_use = self.fresh.keys.get(participant) or self._archive.key_in_use(participant)
        return in_use == key or (in_use is None and not self._archive.is_whole)

    def _text(self, index: int, key: str, body: DocumentBody) -> None:
        if (
            not _TERMS_KEY.fullmatch(key)
            or body.kind != TERMS_KIND
            or body.public
            or body.private.keys() != {"terms"}
        ):
            raise Objected(index, "terms", "the document of signed terms has other fields")
        text, _, signature = self._documents[key].removesuffix(b"\n").partition(b"\n")
        if sha256(text).hexdigest() != body.private["terms"]:
            raise Objected(index, "terms", "the text does not hash to what the document says")
        try:
            signed = read_signed_text(text, signature)
        except Malformed as error:
            raise Objected(index, "terms", "the text is of no form that there is") from error
        except SignatureFailed as error:
            raise Objected(index, "terms", "the key that the text names did not sign it") from error
        if not self.is_in_use(signed.participant, signed.key):
            raise Objected(index, "terms", "the key that signed is not the one in use")
        self._require_next(index, signed)
        self.fresh.signed.setdefault(signed.point, []).append(signed)

    def _require_next(self, index: int, signed: SignedText) -> None:
        before = self._signed([signed.point]).get(signed.point, [])
        if signed.version is not None:
            if signed.version <= max((one.version or 0 for one in before), default=0):
                raise Objected(index, "terms", "the version is not a new one")
        elif before or self._archive.is_whole:
            last = before[-1] if before else None
            if last is None or last.version is None or last.digest != signed.revokes:
                raise Objected(index, "terms", "it revokes other terms than the last ones")

    def _key(self, index: int, key: str, body: DocumentBody) -> None:
        private = body.private
        if (
            not _SIGNING_KEY.fullmatch(key)
            or body.kind != KEY_KIND
            or body.public
            or private.keys() != {"participant", "public_key"}
            or not _NUMBER.fullmatch(private["participant"])
        ):
            raise Objected(index, "terms", "the document of a signing key has other fields")
        self.fresh.keys[int(private["participant"])] = private["public_key"]

    def _signed(self, points: Collection[int]) -> dict[int, list[SignedText]]:
        found = self._archive.signed(points)
        fresh = self.fresh.signed
        if fresh:
            for point in points:
                if point in fresh:
                    found[point] = [*found.get(point, []), *fresh[point]]
        return found

    def _allow(
        self, terms: SignedText | None, limit: int, drawn: range, *, is_offer: bool, starts: int
    ) -> bool:
        """Tell whether terms, or None for what was before the first ones, allow an order."""
        if terms is None:
            return limit in drawn or not self._archive.is_whole
        has_ended = terms.valid_until is not None and terms.valid_until <= starts
        if terms.version is None or terms.is_paused or has_ended:
            return False
        own = terms.sell if is_offer else terms.buy
        return limit in drawn if own is None else limit == own


def _possible(signed: list[SignedText], starts: int) -> list[SignedText | None]:
    """Return what can be in force at a moment: when a text was taken in is known roughly."""
    possible: list[SignedText | None] = []
    for one in reversed(signed):
        if one.issued <= starts:
            possible.append(one)
        if one.issued + TAKEN_IN_WITHIN_MICROSECONDS <= starts:
            return possible
    return [*possible, None]
