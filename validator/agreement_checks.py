"""Agreements in the log: signed by both, ended by one, and which are in force.

References
----------
docs/market.md, "Agreements".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256

from validator.agreement_text import Agreement, read_agreement, read_end
from validator.bodies import INTEGER_MAX, DocumentBody
from validator.checks import Objected
from validator.errors import Malformed, SignatureFailed
from validator.market_archive import MarketArchive, MarketFresh
from validator.terms_checks import TermsCheck

AGREEMENT_KIND = "agreement"
_KEY = re.compile(r"agreement(-end)?:(0|[1-9][0-9]{0,18})")
_PREFIXES = ("agreement:", "agreement-end:")


def is_of_agreement(key: str, body: DocumentBody) -> bool:
    """Tell whether a document stands for an agreement or its end, which is to be read."""
    return body.kind == AGREEMENT_KIND or key.startswith(_PREFIXES)


class AgreementCheck:
    """Checks the agreements of one block.

    Parameters
    ----------
    documents : mapping
        What the block's documents stand for, by key.
    archive : MarketArchive
        What earlier blocks left behind.
    terms : TermsCheck
        Knows whose key signs.
    fresh : MarketFresh
        Where what the block adds is noted.
    """

    def __init__(
        self,
        documents: Mapping[str, bytes],
        archive: MarketArchive,
        terms: TermsCheck,
        fresh: MarketFresh,
    ) -> None:
        self._documents = documents
        self._archive = archive
        self._terms = terms
        self._fresh = fresh

    def document(self, index: int, key: str, body: DocumentBody) -> None:
        """Take in an agreement or the end of one.

        Raises
        ------
        Objected
            If its form, hash or signatures are not as they should be.
        """
        match = _KEY.fullmatch(key)
        if (
            match is None
            or body.kind != AGREEMENT_KIND
            or body.public
            or body.private.keys() != {"agreement"}
            or int(match.group(2)) > INTEGER_MAX
        ):
            raise Objected(index, "agreement", "the document of an agreement has other fields")
        is_end, number = match.group(1) is not None, int(match.group(2))
        text, *signatures = self._documents[key].removesuffix(b"\n").split(b"\n")
        if sha256(text).hexdigest() != body.private["agreement"]:
            raise Objected(index, "agreement", "the text does not hash to what the document says")
        if len(signatures) != (1 if is_end else 2):
            raise Objected(index, "agreement", "a text has another number of signatures")
        try:
            if is_end:
                self._end(index, number, text, signatures[0])
            else:
                self._agreement(index, number, text, signatures)
        except Malformed as error:
            raise Objected(index, "agreement", "the text is of no form that there is") from error
        except SignatureFailed as error:
            raise Objected(index, "agreement", "a key that it names did not sign it") from error

    def in_force(self, at: int) -> dict[int, Agreement]:
        """Return the agreements in force at a time by what was logged so far."""
        found = self._archive.in_force(at) | {
            number: one
            for number, one in self._fresh.agreements.items()
            if one.valid_from <= at and (one.valid_until is None or at < one.valid_until)
        }
        for number, issued in self._fresh.ends.items():
            if issued <= at:
                found.pop(number, None)
        return found

    def _agreement(self, index: int, number: int, text: bytes, signatures: list[bytes]) -> None:
        agreement = read_agreement(text, *signatures)
        for side in (agreement.seller, agreement.buyer):
            if not self._terms.is_in_use(side.participant, side.key):
                raise Objected(index, "agreement", "a key that signed is not the one in use")
        self._fresh.agreements[number] = agreement

    def _end(self, index: int, number: int, text: bytes, signature: bytes) -> None:
        end = read_end(text, signature)
        agreement = self._fresh.agreements.get(number) or self._archive.agreement(number)
        if agreement is None:
            if self._archive.is_whole:
                raise Objected(index, "agreement", "it ends an agreement that there is not")
        elif agreement.digest != end.ends:
            raise Objected(index, "agreement", "it ends another agreement")
        elif end.participant not in (agreement.buyer.participant, agreement.seller.participant):
            raise Objected(index, "agreement", "it is ended by somebody who is no party")
        if not self._terms.is_in_use(end.participant, end.key):
            raise Objected(index, "agreement", "the key that signed is not the one in use")
        self._fresh.ends[number] = end.issued
