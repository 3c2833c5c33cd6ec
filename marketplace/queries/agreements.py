"""What members agreed with one another: in force for clearing, and as each side sees it."""

import base64
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import numpy as np
from django.db.models import F, Q, QuerySet, Sum
from django.db.models.lookups import IsNull

from ledger.domain.documents import Document
from ledger.queries import get_answers, get_bodies
from marketplace.domain.agreement_matching import Agreements
from marketplace.domain.agreement_text import (
    KINDS,
    STAGES,
    AgreementEnd,
    AgreementKind,
    AgreementText,
    Side,
)
from marketplace.domain.rules import Rules, load_rules
from marketplace.domain.terms_document import check_signature, sha256_of
from marketplace.errors import N_, Invalid, TermsBroken
from marketplace.models import Agreement, Match, MeteringPoint, RuleSet

AGREEMENT_KIND = "agreement"
_BATCH = 1000
_LOG_KEY = re.compile(r"agreement(?:-end)?:([1-9][0-9]{0,17})", re.ASCII)
State = Literal["proposed", "agreed", "ended", "closed"]


@dataclass(frozen=True)
class AgreementLine:
    """An agreement as one of its sides sees it; the signatures were checked."""

    id: int
    text: AgreementText
    is_seller: bool
    is_mine_to_sign: bool
    own_meter: str
    other_meter: str
    state: State
    proposed_at: datetime
    agreed_at: datetime | None
    ended_at: datetime | None
    sha256: str
    is_logged: bool

    @property
    def log_key(self) -> str:
        """The document of the log that holds its hash."""
        return agreement_log_key(self.id)


def agreement_log_key(agreement_id: int) -> str:
    """Return the key of the logged document of an agreement."""
    return f"agreement:{agreement_id}"


def agreement_end_log_key(agreement_id: int) -> str:
    """Return the key of the logged document that ends an agreement."""
    return f"agreement-end:{agreement_id}"


def agreement_document(body: bytes) -> Document:
    """Return the document by which an agreement, or its end, is known in the log."""
    return Document(kind=AGREEMENT_KIND, private={"agreement": sha256_of(body)})


class AgreementsInForce:
    """A community's agreements, read once, asked for many intervals."""

    def __init__(self, *, community_id: int) -> None:
        rows = (
            Agreement.objects.filter(community_id=community_id, agreed_at__isnull=False)
            .select_related("seller_key", "buyer_key", "end_key")
            .order_by("id")
        )
        self._agreements = list(rows)
        for each in self._agreements:
            read_agreement(each)

    def at(self, starts_at: datetime) -> Agreements:
        """Return those in force for the interval that starts then, as columns."""
        live = [each for each in self._agreements if is_in_force(each, starts_at)]
        return _columns(live)


def is_in_force(agreement: Agreement, moment: datetime) -> bool:
    """Tell whether an agreement holds for an interval that starts at a moment."""
    return (
        agreement.agreed_at is not None
        and agreement.valid_from <= moment
        and (agreement.valid_until is None or moment < agreement.valid_until)
        and (agreement.ended_at is None or moment < agreement.ended_at)
    )


def _columns(agreements: Sequence[Agreement]) -> Agreements:
    def numbers(values: list[int | None]) -> np.ndarray:
        return np.array([value or 0 for value in values], dtype=np.int64)

    def flags(values: list[bool]) -> np.ndarray:
        return np.array(values, dtype=np.bool_)

    prices = [each.price_micro_per_kwh for each in agreements]
    maxima = [each.maximum_wh for each in agreements]
    return Agreements(
        ids=numbers([each.pk for each in agreements]),
        is_partner=flags([each.kind == Agreement.Kind.PARTNER for each in agreements]),
        ranks=numbers([each.rank for each in agreements]),
        seller_ids=numbers([each.seller_point_id for each in agreements]),
        buyer_ids=numbers([each.buyer_point_id for each in agreements]),
        prices=numbers(prices),
        has_price=flags([price is not None for price in prices]),
        maximum_wh=numbers(maxima),
        has_maximum=flags([maximum is not None for maximum in maxima]),
    )


def read_agreement(agreement: Agreement) -> AgreementText:
    """Return what an agreement says.

    Raises
    ------
    TermsBroken
        If its text, a signature, its end or one of its columns is not what was signed.
    """
    body = bytes(agreement.body)
    try:
        text = AgreementText.read(body)
        for signature, key in (
            (agreement.seller_signature, agreement.seller_key),
            (agreement.buyer_signature, agreement.buyer_key),
        ):
            if signature is not None:
                check_signature(
                    body=body, signature=bytes(signature), public_key=bytes(key.public_key)
                )
        is_whole = text == text_of(agreement, text.issued_at, text.currency)
        is_whole = is_whole and sha256_of(body) == agreement.sha256 and _end_is_whole(agreement)
    except (TermsBroken, Invalid) as error:
        raise _broken(agreement) from error
    if not is_whole:
        raise _broken(agreement)
    return text


def text_of(agreement: Agreement, issued_at: datetime, currency: str) -> AgreementText:
    """Return the text that an agreement's columns come to."""
    kinds: dict[int, Literal["contract", "gift", "partner"]] = {
        Agreement.Kind.CONTRACT: "contract",
        Agreement.Kind.GIFT: "gift",
        Agreement.Kind.PARTNER: "partner",
    }
    return AgreementText(
        kind=kinds[agreement.kind],
        community_id=agreement.community_id,
        currency=currency,
        seller=Side(
            agreement.seller_id,
            agreement.seller_point_id,
            bytes(agreement.seller_key.public_key),
        ),
        buyer=Side(
            agreement.buyer_id, agreement.buyer_point_id, bytes(agreement.buyer_key.public_key)
        ),
        price_micro_per_kwh=agreement.price_micro_per_kwh,
        maximum_wh=agreement.maximum_wh,
        rank=agreement.rank,
        valid_from=agreement.valid_from,
        valid_until=agreement.valid_until,
        issued_at=issued_at,
    )


def _end_is_whole(agreement: Agreement) -> bool:
    if agreement.ended_at is None:
        return True
    if agreement.end_body is None or agreement.end_signature is None or agreement.end_key is None:
        return False
    body, key = bytes(agreement.end_body), bytes(agreement.end_key.public_key)
    check_signature(body=body, signature=bytes(agreement.end_signature), public_key=key)
    end = AgreementEnd.read(body)
    sides = {agreement.seller_id, agreement.buyer_id}
    return (
        end.ends_sha256 == agreement.sha256
        and end.public_key == key
        and end.participant_id in sides
        and end.issued_at == agreement.ended_at
    )


def _broken(agreement: Agreement) -> TermsBroken:
    return TermsBroken(
        N_("{key} is not what was signed: restore it from a backup and verify the ledger"),
        key=agreement_log_key(agreement.pk),
    )


def find_point_by_code(*, community_id: int, code: str) -> int | None:
    """Return the metering point of a community that has a number; None if there is none."""
    points = MeteringPoint.objects.filter(community_id=community_id, code=code)
    return points.values_list("id", flat=True).first()


def get_point_codes(*, metering_point_ids: Sequence[int]) -> dict[int, str]:
    """Return what metering points are called in files, by id."""
    points = MeteringPoint.objects.filter(id__in=metering_point_ids)
    return dict(points.values_list("id", "code"))


def get_rules_now(*, community_id: int, now: datetime) -> Rules | None:
    """Return the rules in force, which say what may be agreed on; None before the first."""
    rule_sets = RuleSet.objects.filter(community_id=community_id, effective_from__lte=now)
    in_force = rule_sets.order_by("-effective_from").first()
    return load_rules(in_force.document) if in_force else None


def list_kinds_allowed(*, community_id: int, now: datetime) -> list[AgreementKind]:
    """Return which kinds of agreements the rules in force have a stage for."""
    rules = get_rules_now(community_id=community_id, now=now)
    order = rules.market.matching_order if rules else ()
    return [each for each in KINDS if STAGES[each] in order]


def list_agreements(*, participant_id: int, limit: int = 200) -> list[AgreementLine]:
    """Return a participant's agreements and proposals, the latest first.

    What was withdrawn or declined comes last: however much of it there is, it hides nothing.
    """
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    is_closed = IsNull(F("closed_at"), False).asc()
    found = list(_with_all(Agreement.objects.filter(own)).order_by(is_closed, "-id")[:limit])
    answers = get_answers(keys=[agreement_log_key(each.pk) for each in found])
    booked = {key for key, answer in answers.items() if answer.state == "booked"}
    return [_line(each, participant_id, booked) for each in found]


def find_agreement(*, participant_id: int, agreement_id: int) -> AgreementLine | None:
    """Return one agreement of a participant; None if there is none of theirs."""
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    found = _with_all(Agreement.objects.filter(own, id=agreement_id)).first()
    if found is None:
        return None
    key = agreement_log_key(found.pk)
    answer = get_answers(keys=[key]).get(key)
    return _line(found, participant_id, {key} if answer and answer.state == "booked" else set())


def get_agreed_wh(*, agreement_ids: Sequence[int], since: datetime) -> dict[int, int]:
    """Return what was delivered by each agreement in intervals that start since then. [Wh]"""
    rows = (
        Match.objects.filter(
            agreement__in=agreement_ids,
            interval__starts_at__gte=since,
            revision=F("interval__revision"),
        )
        .values_list("agreement")
        .annotate(wh=Sum("quantity"))
        .order_by()
    )
    return dict(rows)


def count_agreements(*, participant_id: int) -> int:
    """Return how many agreements of a participant are signed by both and not ended."""
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    return Agreement.objects.filter(own, agreed_at__isnull=False, ended_at__isnull=True).count()


def count_proposals_to_sign(*, participant_id: int) -> int:
    """Return how many proposals wait for a participant's own signature."""
    to_sell = Q(seller_id=participant_id, seller_signature__isnull=True)
    to_buy = Q(buyer_id=participant_id, buyer_signature__isnull=True)
    return Agreement.objects.filter(
        to_sell | to_buy, agreed_at__isnull=True, closed_at__isnull=True
    ).count()


def _with_all(agreements: QuerySet[Agreement]) -> QuerySet[Agreement]:
    return agreements.select_related(
        "seller_key", "buyer_key", "end_key", "seller_point", "buyer_point"
    )


def _line(agreement: Agreement, participant_id: int, booked: set[str]) -> AgreementLine:
    is_seller = agreement.seller_id == participant_id
    own, other = agreement.seller_point, agreement.buyer_point
    signed = agreement.seller_signature if is_seller else agreement.buyer_signature
    state = _state(agreement)
    return AgreementLine(
        id=agreement.pk,
        text=read_agreement(agreement),
        is_seller=is_seller,
        is_mine_to_sign=state == "proposed" and signed is None,
        own_meter=own.code if is_seller else other.code,
        other_meter=other.code if is_seller else own.code,
        state=state,
        proposed_at=agreement.proposed_at,
        agreed_at=agreement.agreed_at,
        ended_at=agreement.ended_at,
        sha256=agreement.sha256,
        is_logged=agreement_log_key(agreement.pk) in booked,
    )


def _state(agreement: Agreement) -> State:
    if agreement.ended_at is not None:
        return "ended"
    if agreement.agreed_at is not None:
        return "agreed"
    return "closed" if agreement.closed_at is not None else "proposed"


def agreement_lines(agreement: Agreement) -> bytes:
    """Return what the logged document of an agreement stands for: text and both signatures."""
    signatures = (agreement.seller_signature, agreement.buyer_signature)
    lines = [bytes(agreement.body), *(base64.b64encode(bytes(each or b"")) for each in signatures)]
    return b"".join(line + b"\n" for line in lines)


def agreement_end_lines(agreement: Agreement) -> bytes:
    """Return what the logged end of an agreement stands for: text and signature."""
    signature = base64.b64encode(bytes(agreement.end_signature or b""))
    return bytes(agreement.end_body or b"") + b"\n" + signature + b"\n"


def list_logged_agreements(*, participant_id: int) -> list[tuple[str, datetime]]:
    """Return the logged keys of a participant's agreements and their ends, and since when."""
    own = Q(seller_id=participant_id) | Q(buyer_id=participant_id)
    agreed = Agreement.objects.filter(own, agreed_at__isnull=False).order_by("-id")
    found = []
    for number, agreed_at, ended_at in agreed.values_list("id", "agreed_at", "ended_at"):
        if ended_at is not None:
            found.append((agreement_end_log_key(number), ended_at))
        if agreed_at is not None:
            found.append((agreement_log_key(number), agreed_at))
    return found


def list_agreement_texts(*, keys: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Yield by logged key what agreements and their ends stand for."""
    numbers = {key: int(named[1]) for key in keys if (named := _LOG_KEY.fullmatch(key))}
    found = Agreement.objects.in_bulk(set(numbers.values())) if numbers else {}
    for key, number in numbers.items():
        agreement = found.get(number)
        if agreement is None or agreement.agreed_at is None:
            continue
        if key == agreement_log_key(number):
            yield key, agreement_lines(agreement)
        elif agreement.ended_at is not None:
            yield key, agreement_end_lines(agreement)


def verify_agreements() -> int:
    """Check every agreement: text, signatures, end, and what the log was told of them.

    Returns
    -------
    int
        How many agreements there are, each checked.

    Raises
    ------
    TermsBroken
        The message names the first that does not hold.
    """
    checked, last = 0, 0
    agreed = Agreement.objects.filter(agreed_at__isnull=False).select_related(
        "seller_key", "buyer_key", "end_key"
    )
    while some := list(agreed.filter(id__gt=last).order_by("id")[:_BATCH]):
        documents = {
            key: document for each in some for key, document in _logged_documents(each).items()
        }
        answers = get_answers(keys=list(documents))
        bodies = get_bodies(keys=list(documents))
        for each in some:
            read_agreement(each)
            for key, document in _logged_documents(each).items():
                # Of a pruned period the bodies are gone.
                if key not in answers or answers[key].state == "refused":
                    raise _broken(each)
                if bodies.get(key) and bodies[key] != document.body():
                    raise _broken(each)
        checked, last = checked + len(some), some[-1].pk
    return checked


def _logged_documents(agreement: Agreement) -> dict[str, Document]:
    documents = {agreement_log_key(agreement.pk): agreement_document(bytes(agreement.body))}
    if agreement.ended_at is not None:
        end = agreement_document(bytes(agreement.end_body or b""))
        documents[agreement_end_log_key(agreement.pk)] = end
    return documents
