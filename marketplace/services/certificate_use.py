"""Hand certificates over, and cancel them: use them up for a purpose, once."""

import hashlib
import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.db import transaction

from ledger.domain.canonical import canonical_json
from marketplace.domain.certificates.bundles import CANCELLED, Held, Move, Moves, Piece, take
from marketplace.errors import N_, AlreadyErased, Invalid, NotFound, RoleNotAllowed
from marketplace.models import (
    CertificateBundle,
    CertificateCancellation,
    CertificateEvent,
    Participant,
)
from marketplace.queries.certificate_hours import list_certified_hours
from marketplace.queries.certificate_pages import STATEMENT
from marketplace.queries.identity import identity_keys
from marketplace.services.certificate_store import (
    BundlePart,
    NewEvent,
    rearrange,
    record_event,
)

STATEMENT_TYPE: Final = "heliopolis/cancellation/1"
TEXT_MAX: Final = 200
HOLDERS: Final = (Participant.Role.HOUSEHOLD, Participant.Role.ENTERPRISE)
State = CertificateBundle.State


@dataclass(frozen=True)
class Choice:
    """Which certificates: of which period, technology or bundles, and how many.

    Parameters
    ----------
    start, end : datetime
        Their intervals begin in [start, end).
    technology : str, optional
        Only of this one.
    bundle_id : int, optional
        Only of this bundle.
    wh : int, optional
        How many, the earliest first; all of them when absent. [Wh]
    by_hour : bool
        Only what covers one's own consumption of the same hour that nothing covers yet.
    """

    start: datetime
    end: datetime
    technology: str | None = None
    bundle_id: int | None = None
    wh: int | None = None
    by_hour: bool = False


@dataclass(frozen=True)
class _Bundle:
    """A held bundle with what a choice looks at."""

    held: Held
    starts_at: datetime
    ends_at: datetime
    technology: str


@transaction.atomic
def hand_over_certificates(
    *, participant_id: int, receiver_id: int, choice: Choice, now: datetime
) -> CertificateEvent:
    """Give certificates to another member of the community, and log it.

    Raises
    ------
    Invalid
        If there are not as many, or the receiver is nobody who can hold some.
    NotFound, RoleNotAllowed, AlreadyErased
        If the giver cannot hold any, or nobody is left behind the giver's number.
    CertificatesGone
        If somebody else used them in this moment.
    """
    giver = _holder(participant_id)
    receiver = Participant.objects.filter(
        id=receiver_id, community=giver.community_id, role__in=HOLDERS
    ).first()
    if receiver is None or receiver_id == participant_id or not _has_key(receiver):
        raise Invalid("receiver_id", N_("There is no other member of that number here."))
    _, pieces = _chosen(giver, choice)
    event = record_event(
        NewEvent(
            kind=CertificateEvent.Kind.TRANSFER,
            community_id=_community_of(giver),
            moves=_moves(Move.HANDED_OVER, pieces, participant_id, receiver_id),
            quantity_wh=sum(piece.wh for piece in pieces),
            giver_id=participant_id,
            receiver_id=receiver_id,
        ),
        now=now,
    )
    rearrange(_parts(pieces, giver.id, new_holder=receiver_id, state=State.ACTIVE))
    return event


@transaction.atomic
def cancel_certificates(
    *, participant_id: int, choice: Choice, purpose: str, beneficiary: str, now: datetime
) -> CertificateCancellation:
    """Use certificates up for a purpose, once and for ever, with a public statement.

    Raises
    ------
    Invalid
        If there are not as many, or purpose or beneficiary is no line of text.
    NotFound, RoleNotAllowed, AlreadyErased
        If the participant cannot hold any, or nobody is left behind its number.
    CertificatesGone
        If somebody else used them in this moment.
    """
    for field, text in (("purpose", purpose), ("beneficiary", beneficiary)):
        if not 0 < len(text.strip()) <= TEXT_MAX or not text.isprintable():
            raise Invalid(
                field, N_("One line of 1 to {maximum} characters is needed."), maximum=TEXT_MAX
            )
    holder = _holder(participant_id)
    bundles, pieces = _chosen(holder, choice)
    public_id = uuid.uuid4()
    statement = canonical_json(
        {
            **_facts(bundles, pieces),
            "beneficiary": beneficiary.strip(),
            "cancelled": now.isoformat(),
            "id": str(public_id),
            "purpose": purpose.strip(),
            "type": STATEMENT_TYPE,
        }
    )
    sha256 = hashlib.sha256(statement).hexdigest()
    total = sum(piece.wh for piece in pieces)
    event = record_event(
        NewEvent(
            kind=CertificateEvent.Kind.CANCELLATION,
            community_id=_community_of(holder),
            moves=_moves(Move.CANCELLED, pieces, participant_id, CANCELLED),
            quantity_wh=total,
            giver_id=participant_id,
            private={"statement": sha256, "wh": str(total)},
        ),
        now=now,
    )
    key = identity_keys().get([holder.identity_slot])[holder.identity_slot]
    cancellation = CertificateCancellation.objects.create(
        public_id=public_id,
        event=event,
        participant_id=participant_id,
        sealed_statement=key.seal_text(statement.decode(), purpose=STATEMENT),
        statement_sha256=sha256,
    )
    rearrange(
        _parts(pieces, holder.id, new_holder=holder.id, state=State.CANCELLED),
        cancellation_id=cancellation.id,
    )
    return cancellation


def _holder(participant_id: int) -> Participant:
    participant = Participant.objects.select_related("community").filter(id=participant_id).first()
    if participant is None:
        raise NotFound(N_("There is no such participant."))
    if participant.role not in HOLDERS or participant.community is None:
        raise RoleNotAllowed(N_("The participant's role does not do this."))
    if not _has_key(participant):
        raise AlreadyErased(N_("Nobody is left behind this number."))
    return participant


def _has_key(participant: Participant) -> bool:
    return bool(identity_keys().get([participant.identity_slot]))


def _community_of(participant: Participant) -> int:
    assert participant.community_id is not None, participant  # holders have one
    return participant.community_id


def _chosen(holder: Participant, choice: Choice) -> tuple[dict[int, _Bundle], list[Piece]]:
    """Lock a holder's bundles of a choice, and take of them what it asks for."""
    if choice.wh is not None and choice.wh <= 0:
        raise Invalid("wh", N_("The quantity must be above 0 Wh."))
    found = CertificateBundle.objects.select_for_update(no_key=True, of=("self",)).filter(
        holder=holder,
        state=State.ACTIVE,
        interval__starts_at__gte=choice.start,
        interval__starts_at__lt=choice.end,
    )
    if choice.technology is not None:
        found = found.filter(device__technology=choice.technology)
    if choice.bundle_id is not None:
        found = found.filter(id=choice.bundle_id)
    bundles = {
        each.id: _Bundle(
            Held(each.id, each.interval_id, each.device_id, each.first_wh, each.last_wh),
            each.interval.starts_at,
            each.interval.ends_at,
            each.device.technology,
        )
        for each in found.select_related("interval", "device").order_by("id")
    }
    in_time = sorted(bundles.values(), key=lambda each: (each.starts_at, each.held.first_wh))
    pieces = _by_hour(holder, choice, in_time) if choice.by_hour else _plainly(choice, in_time)
    if not pieces:
        raise Invalid("wh", N_("You hold no certificates of this choice."))
    return bundles, pieces


def _plainly(choice: Choice, bundles: Sequence[_Bundle]) -> list[Piece]:
    pieces = take([each.held for each in bundles], choice.wh)
    taken = sum(piece.wh for piece in pieces)
    if choice.wh is not None and taken < choice.wh:
        raise Invalid("wh", N_("You hold {held} Wh of this choice; ask for no more."), held=taken)
    return pieces


def _by_hour(holder: Participant, choice: Choice, bundles: Sequence[_Bundle]) -> list[Piece]:
    """Take what covers the holder's own consumption, hour by hour, up to the asked sum."""
    assert holder.community is not None, holder  # holders have one
    zone = ZoneInfo(holder.community.timezone)
    # Whole hours around the choice: what covers an hour may lie on both sides of its ends.
    hours = list_certified_hours(
        participant_id=holder.id,
        zone=holder.community.timezone,
        start=_hour_of(choice.start, zone),
        end=choice.end + timedelta(hours=1),
    )
    of_hour: dict[datetime, list[Held]] = defaultdict(list)
    for each in bundles:
        of_hour[_hour_of(each.starts_at, zone)].append(each.held)
    left, pieces = choice.wh, list[Piece]()
    for hour in hours:
        wanted = hour.missing_wh if left is None else min(hour.missing_wh, left)
        taken = take(of_hour.get(hour.starts_at, []), wanted)
        pieces += taken
        left = None if left is None else left - sum(piece.wh for piece in taken)
    return pieces


def _hour_of(moment: datetime, zone: ZoneInfo) -> datetime:
    """Return the start of the civil hour, as an instant: two hours of one name stay two."""
    local = moment.astimezone(zone)
    return moment - timedelta(
        minutes=local.minute, seconds=local.second, microseconds=local.microsecond
    )


def _moves(kind: Move, pieces: Sequence[Piece], giver: int, receiver: int) -> Moves:
    return Moves.of_rows(
        (
            int(kind),
            piece.bundle.interval_id,
            piece.bundle.device_id,
            giver,
            receiver,
            piece.bundle.first_wh,
            piece.end_wh,
        )
        for piece in pieces
    )


def _parts(
    pieces: Sequence[Piece], holder_id: int, *, new_holder: int, state: CertificateBundle.State
) -> list[BundlePart]:
    """Return what becomes of the bundles: the piece changes hands, a rest keeps its row."""
    parts = []
    for piece in pieces:
        of = piece.bundle
        own_row = of.bundle_id if piece.is_whole else 0
        parts.append(
            BundlePart(
                own_row, of.interval_id, of.device_id, new_holder, of.first_wh, piece.end_wh, state
            )
        )
        if not piece.is_whole:
            parts.append(
                BundlePart(
                    of.bundle_id,
                    of.interval_id,
                    of.device_id,
                    holder_id,
                    piece.end_wh,
                    of.last_wh,
                    State.ACTIVE,
                )
            )
    return parts


def _facts(bundles: dict[int, _Bundle], pieces: Sequence[Piece]) -> dict[str, object]:
    """Return what a statement says of the certificates: how many, from when, of what."""
    by_technology: dict[str, int] = defaultdict(int)
    for piece in pieces:
        by_technology[bundles[piece.bundle.bundle_id].technology] += piece.wh
    used = [bundles[piece.bundle.bundle_id] for piece in pieces]
    return {
        "ends": max(each.ends_at for each in used).isoformat(),
        "starts": min(each.starts_at for each in used).isoformat(),
        "technologies": {name: str(wh) for name, wh in sorted(by_technology.items())},
        "wh": str(sum(piece.wh for piece in pieces)),
    }
