"""What members signed, checked whenever it is read."""

import base64
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import OuterRef, Subquery

from ledger.domain.documents import Document
from ledger.queries import get_answers, get_bodies
from marketplace.domain.terms_document import (
    Revocation,
    TermsDocument,
    check_signature,
    sha256_of,
)
from marketplace.errors import N_, Invalid, TermsBroken
from marketplace.models import Offer, Request, SignedTerms, SigningKey

BATCH = 1000
_LOG_KEY = re.compile(r"terms:([1-9][0-9]{0,17})", re.ASCII)


@dataclass(frozen=True)
class KeyLine:
    """A key that signs for a participant."""

    id: int
    public_key: bytes
    is_own: bool
    created_at: datetime

    @property
    def public_base64(self) -> str:
        """The public key as programs exchange it."""
        return base64.b64encode(self.public_key).decode()


@dataclass(frozen=True)
class SignedLine:
    """A signed text whose signature was checked."""

    id: int
    participant_id: int
    document: TermsDocument | Revocation
    body: str
    sha256: str
    signature: str
    key: KeyLine
    created_at: datetime
    revoked_at: datetime | None
    is_logged: bool

    @property
    def log_key(self) -> str:
        """The document of the log that holds its hash."""
        return log_key(self.id)


def log_key(signed_terms_id: int) -> str:
    """Return the key of the logged document of signed terms."""
    return f"terms:{signed_terms_id}"


def signing_key_log_key(signing_key_id: int) -> str:
    """Return the key of the logged document by which a signing key begins."""
    return f"signing-key:{signing_key_id}"


def logged_document(signed: SignedTerms) -> Document:
    """Return the document by which a signed text is known in the log."""
    return Document(kind="terms", private={"terms": signed.sha256})


def logged_key(key: SigningKey) -> Document:
    """Return the document by which a key that begins to sign is known in the log."""
    hashed = sha256_of(bytes(key.public_key))
    fields = {"participant": str(key.participant_id), "public_key": hashed}
    return Document(kind="signing-key", private=fields)


def get_key_in_use(*, participant_id: int) -> KeyLine | None:
    """Return the key that signs for a participant; None before the first signature."""
    key = SigningKey.objects.filter(participant_id=participant_id, ended_at__isnull=True).first()
    return None if key is None else _key_line(key)


def find_signed(*, participant_id: int, signed_terms_id: int) -> SignedLine | None:
    """Return a participant's signed text; None if there is none.

    Raises
    ------
    TermsBroken
        If what is stored is not what was signed.
    """
    found = (
        SignedTerms.objects.select_related("key", "revocation")
        .filter(participant_id=participant_id, id=signed_terms_id)
        .first()
    )
    if found is None:
        return None
    revocation: SignedTerms | None = getattr(found, "revocation", None)
    answer = get_answers(keys=[log_key(found.id)]).get(log_key(found.id))
    return SignedLine(
        id=found.id,
        participant_id=found.participant_id,
        document=opened(found),
        body=bytes(found.body).decode(),
        sha256=found.sha256,
        signature=base64.b64encode(found.signature).decode(),
        key=_key_line(found.key),
        created_at=found.created_at,
        revoked_at=revocation.created_at if revocation else None,
        is_logged=answer is not None and answer.state == "booked",
    )


def opened(signed: SignedTerms) -> TermsDocument | Revocation:
    """Return what a signed text says.

    Raises
    ------
    TermsBroken
        If its text, hash, signature or key is not what was signed.
    """
    body = bytes(signed.body)
    try:
        check_signature(
            body=body, signature=bytes(signed.signature), public_key=bytes(signed.key.public_key)
        )
        document = TermsDocument.read(body) if signed.revokes_id is None else Revocation.read(body)
    except (TermsBroken, Invalid) as error:
        raise _broken(signed.id) from error
    if (
        sha256_of(body) != signed.sha256
        or document.public_key != bytes(signed.key.public_key)
        or document.participant_id != signed.participant_id
        or signed.key.participant_id != signed.participant_id
        or document.metering_point_id != signed.metering_point_id
    ):
        raise _broken(signed.id)
    return document


@dataclass(frozen=True)
class OrderTerms:
    """What an auction is about to take from an offer or a request. [micro/kWh]"""

    signed_terms_id: int
    metering_point_id: int
    is_offer: bool
    limit_micro_per_kwh: int | None


def check_orders(orders: Iterable[OrderTerms]) -> None:
    """Return if everything that is about to be traded on is what its owner signed.

    Raises
    ------
    TermsBroken
        If something differs; names its terms.
    """
    rows = list(orders)
    if not rows:
        return
    signed = _documents(row.signed_terms_id for row in rows)
    for row in rows:
        document = signed[row.signed_terms_id]
        limit = (
            document.sell_at_or_above_micro_per_kwh
            if row.is_offer
            else document.buy_at_or_below_micro_per_kwh
        )
        if (document.metering_point_id, document.is_paused, limit) != (
            row.metering_point_id,
            False,
            row.limit_micro_per_kwh,
        ):
            raise _broken(row.signed_terms_id)


@dataclass(frozen=True)
class Signature:
    """Who signed a listing, and whether it still says what was signed."""

    signed_terms_id: int
    is_own_key: bool
    is_as_signed: bool


def list_signatures(listings: Sequence[Offer | Request]) -> dict[tuple[str, int], Signature]:
    """Return the signatures of offers and requests by kind and id; of those that have one."""
    ids = {row.signed_terms_id for row in listings if row.signed_terms_id is not None}
    if not ids:
        return {}
    rows = SignedTerms.objects.filter(id__in=ids).select_related("key")
    signed = {each.id: (each, _document_or_none(each)) for each in rows}
    found = {}
    for row in listings:
        if row.signed_terms_id is not None:
            terms, document = signed[row.signed_terms_id]
            found[row._meta.model_name or "", row.id] = Signature(
                terms.id, terms.key.is_own, document is not None and _says(row, document)
            )
    return found


def list_signed_texts(*, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield by logged key each text with its signature in base64 on a line of its own."""
    ids = [int(found[1]) for key in keys if (found := _LOG_KEY.fullmatch(key))]
    for signed in SignedTerms.objects.filter(id__in=ids) if ids else ():
        signature = base64.b64encode(signed.signature)
        yield log_key(signed.id), bytes(signed.body) + b"\n" + signature + b"\n"


def verify_terms() -> int:
    """Check everything that was ever signed, against the log and the rules made of it.

    Returns
    -------
    int
        How many signed texts there are, each checked.

    Raises
    ------
    TermsBroken
        The message names the first that does not hold.
    """
    checked, last = 0, 0
    everything = SignedTerms.objects.select_related("key").order_by("id")
    while some := list(everything.filter(id__gt=last)[:BATCH]):
        batch = _Batch.of(some)
        for signed in some:
            document = opened(signed)
            batch.check_logged(signed)
            if isinstance(document, TermsDocument):
                batch.check_rows(signed, document)
        checked, last = checked + len(some), some[-1].id
    for listings in (Offer.objects, Request.objects):
        limited = listings.filter(limit_price_micro__isnull=False)
        unsigned = limited.filter(signed_terms=None).order_by("id").first()
        if unsigned is not None:
            raise unsigned_limit(unsigned.metering_point_id)
    return checked


def unsigned_limit(metering_point_id: int | None) -> TermsBroken:
    """Return the error for a limit of a standing rule that nobody signed."""
    return TermsBroken("metering point {id} has a limit that nobody signed", id=metering_point_id)


@dataclass(frozen=True)
class _Batch:
    """Signed texts, and what log and market say of them."""

    states: Mapping[str, str]
    bodies: Mapping[str, bytes]
    rows: Mapping[int, Sequence[Offer | Request]]
    next_at: Mapping[int, datetime | None]

    @classmethod
    def of(cls, some: Sequence[SignedTerms]) -> "_Batch":
        keys = [log_key(each.id) for each in some]
        keys += {signing_key_log_key(each.key_id) for each in some}
        erased = {_redaction(each.participant_id) for each in some}
        answers = get_answers(keys=[*keys, *erased])
        rows: dict[int, list[Offer | Request]] = {each.id: [] for each in some}
        for listings in (Offer.objects, Request.objects):
            for row in listings.filter(signed_terms__in=some):
                rows[row.signed_terms_id or 0].append(row)
        # Whatever was signed next for a metering point, terms or revocation, ended what was before.
        later = SignedTerms.objects.filter(
            metering_point=OuterRef("metering_point"), id__gt=OuterRef("id")
        ).order_by("id")
        next_at = SignedTerms.objects.filter(id__in=rows).annotate(
            next_at=Subquery(later.values("created_at")[:1])
        )
        return cls(
            {key: answer.state for key, answer in answers.items()},
            get_bodies(keys=keys),
            rows,
            dict(next_at.values_list("id", "next_at")),
        )

    def check_logged(self, signed: SignedTerms) -> None:
        """Refuse a text, or a key, of which the log was never told.

        A text and its key were submitted with their rows; of a pruned period the bodies are gone.
        """
        for key, document in (
            (log_key(signed.id), logged_document(signed)),
            (signing_key_log_key(signed.key_id), logged_key(signed.key)),
        ):
            if self.states.get(key) not in ("pending", "booked"):
                raise _broken(signed.id)
            logged = self.bodies.get(key)
            if logged and logged != document.body():
                raise _broken(signed.id)

    def check_rows(self, signed: SignedTerms, document: TermsDocument) -> None:
        """Refuse a rule that is not its terms', or in force when they were not."""
        rows = self.rows[signed.id]
        if sorted(type(row).__name__ for row in rows) != ["Offer", "Request"]:
            raise _broken(signed.id)
        ends = [each for each in (document.valid_until, self.next_at[signed.id]) if each]
        for row in rows:
            end = max(min(ends), row.valid_from) if ends else None
            is_cut = row.valid_until is not None and (end is None or row.valid_until < end)
            if (
                not _says(row, document)
                or row.valid_from != signed.created_at
                or (row.valid_until != end and not (is_cut and self._is_erased(signed)))
            ):
                raise _broken(signed.id)

    def _is_erased(self, signed: SignedTerms) -> bool:
        return _redaction(signed.participant_id) in self.states


def _redaction(participant_id: int) -> str:
    """Return the key of the logged document that ends a participant's terms without a signature."""
    return f"redaction:{participant_id}"


def _documents(ids: Iterable[int]) -> Mapping[int, TermsDocument]:
    found = {}
    for signed in SignedTerms.objects.filter(id__in=set(ids)).select_related("key"):
        document = opened(signed)
        if not isinstance(document, TermsDocument):
            raise _broken(signed.id)
        found[signed.id] = document
    return found


def _document_or_none(signed: SignedTerms) -> TermsDocument | None:
    try:
        document = opened(signed)
    except TermsBroken:
        return None
    return document if isinstance(document, TermsDocument) else None


def _says(row: Offer | Request, document: TermsDocument) -> bool:
    """Return whether an offer or request is what its terms say; ended early is no difference."""
    limit = (
        document.sell_at_or_above_micro_per_kwh
        if isinstance(row, Offer)
        else document.buy_at_or_below_micro_per_kwh
    )
    ends_in_time = document.valid_until is None or (
        row.valid_until is not None and row.valid_until <= document.valid_until
    )
    return ends_in_time and (
        row.metering_point_id,
        row.participant_id,
        row.version,
        row.limit_price_micro,
        row.is_paused,
    ) == (
        document.metering_point_id,
        document.participant_id,
        document.version,
        limit,
        document.is_paused,
    )


def _key_line(key: SigningKey) -> KeyLine:
    return KeyLine(key.id, bytes(key.public_key), key.is_own, key.created_at)


def _broken(signed_terms_id: int) -> TermsBroken:
    return TermsBroken(
        N_("What is stored as terms:{id} is not what was signed."), id=signed_terms_id
    )
