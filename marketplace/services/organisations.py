"""Several people for one participant: invited, given a role and limits, leaving."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Sum

from marketplace.domain.applications import new_token, token_key, token_sha256
from marketplace.domain.identity import IdentityKey
from marketplace.domain.organisations import (
    INVITATION_LASTS,
    LIMIT_MAX_MICRO,
    PEOPLE_MAX,
    OrgRole,
    is_within,
    month_start,
)
from marketplace.errors import (
    N_,
    AlreadyErased,
    Invalid,
    LastOwner,
    LimitExceeded,
    NotFound,
    TooManyPeople,
)
from marketplace.models import Commitment, Invitation, Membership, Participant, User
from marketplace.queries.identity import MEMBERSHIPS, NAME, identity_keys
from marketplace.queries.organisations import ALIAS
from marketplace.queries.pages import ActsAs
from marketplace.services.identity import create_identities, get_user_key
from marketplace.services.people import add_person

INVITED: str = "address of an invitation"
_GONE = N_("This invitation does not hold any more. Ask for a new one.")


@dataclass(frozen=True)
class Seat:
    """What somebody is to be among those who act for a participant. [micro]"""

    role: str
    limit_micro: int | None = None
    monthly_limit_micro: int | None = None

    def checked(self) -> "Seat":
        """Return it if it is possible; raises `Invalid`."""
        if self.role not in set(OrgRole):
            raise Invalid("role", N_("There is no such role."))
        for field in ("limit_micro", "monthly_limit_micro"):
            limit = getattr(self, field)
            if limit is not None and not 0 <= limit <= LIMIT_MAX_MICRO:
                raise Invalid(field, N_("A limit is an amount that is not negative."))
        return self


@dataclass(frozen=True)
class Invited:
    """An invitation as whoever holds its link sees it."""

    participant_id: int
    organisation: str
    email: str
    role: str
    has_account: bool


@transaction.atomic
def invite(*, participant_id: int, email: str, alias: str, seat: Seat, now: datetime) -> str:
    """Invite an address to act for a participant; return the secret of the link to mail.

    Parameters
    ----------
    alias : str
        What colleagues call them: sealed under the participant's key, gone when they leave.

    Raises
    ------
    Invalid
        If there is no such role, or a limit is negative.
    TooManyPeople
        If as many act for the participant, or are invited to, as may.
    """
    seat = seat.checked()
    key = _locked_key(participant_id)
    Invitation.objects.filter(participant=participant_id, expires_at__lte=now).delete()
    people = Membership.objects.filter(participant=participant_id).count()
    if people + Invitation.objects.filter(participant=participant_id).count() >= PEOPLE_MAX:
        raise TooManyPeople(
            N_("At most {most} people can act for one organisation."), most=PEOPLE_MAX
        )
    token = new_token()
    Invitation.objects.create(
        participant_id=participant_id,
        token_sha256=token_sha256(token),
        sealed_address=IdentityKey(token_key(token)).seal_text(email.lower(), purpose=INVITED),
        sealed_alias=key.seal_text(alias, purpose=ALIAS),
        role=seat.role,
        limit_micro=seat.limit_micro,
        monthly_limit_micro=seat.monthly_limit_micro,
        expires_at=now + INVITATION_LASTS,
    )
    return token


@transaction.atomic
def invite_planning_office(
    *, name: str, email: str, community_id: int | None, now: datetime
) -> str:
    """Make a planning office, which nobody applies for, and invite its first owner."""
    [(slot, key)] = create_identities(count=1)
    office = Participant.objects.create(
        role=Participant.Role.PLANNER,
        community_id=community_id,
        identity_slot=slot,
        sealed_name=key.seal_text(name, purpose=NAME),
    )
    seat = Seat(OrgRole.OWNER)
    return invite(participant_id=office.id, email=email, alias=email, seat=seat, now=now)


def find_invitation(*, token: str, now: datetime) -> Invited | None:
    """Return what a link invites to; None if it is none, or not any more."""
    row = Invitation.objects.filter(token_sha256=token_sha256(token), expires_at__gt=now).first()
    if row is None:
        return None
    key = _find_key(row.participant_id)
    if key is None:
        return None
    participant = Participant.objects.get(id=row.participant_id)
    email = _address(row, token)
    return Invited(
        row.participant_id,
        key.unseal_text(bytes(participant.sealed_name), purpose=NAME),
        email,
        row.role,
        User.objects.filter(email=email).exists(),
    )


@transaction.atomic
def accept_invitation(
    *, token: str, user_id: int | None, password: str = "", language: str = "en", now: datetime
) -> tuple[int, int]:
    """Take a seat; return the person and the participant.

    Parameters
    ----------
    user_id : int or None
        Who is signed in. None: a new person signs in by the invited address and this password.

    Raises
    ------
    NotFound
        If the link was used, is too old or never was, or went to another address.
    """
    rows = Invitation.objects.select_for_update()
    row = rows.filter(token_sha256=token_sha256(token), expires_at__gt=now).first()
    if row is None:
        raise NotFound(_GONE)
    address = _address(row, token)
    found = User.objects.filter(email=address).first()
    if user_id is None and found is None and password:
        user_id = add_person(email=address, password=password, language=language)
        joined = now.replace(hour=0, minute=0, second=0, microsecond=0)
        User.objects.filter(pk=user_id).update(date_joined=joined)
    elif user_id is None or found is None or found.pk != user_id:
        # Whoever finds somebody else's mail gets no further than its reader's sign-in.
        raise NotFound(N_("This invitation was sent to another address."))
    if _find_key(row.participant_id) is None:
        raise NotFound(_GONE)
    tag = get_user_key(user_id=user_id).tag(MEMBERSHIPS)
    Membership.objects.get_or_create(
        user_tag=tag,
        participant_id=row.participant_id,
        defaults={
            "role": row.role,
            "limit_micro": row.limit_micro,
            "monthly_limit_micro": row.monthly_limit_micro,
            "sealed_alias": bytes(row.sealed_alias),
        },
    )
    participant_id = row.participant_id
    row.delete()
    return user_id, participant_id


@transaction.atomic
def uninvite(*, participant_id: int, invitation_id: int) -> None:
    """Take an invitation back; repeated, it changes nothing."""
    Invitation.objects.filter(id=invitation_id, participant=participant_id).delete()


@transaction.atomic
def change_seat(*, participant_id: int, membership_id: int, seat: Seat) -> None:
    """Give one of a participant's people another role or other limits.

    Raises
    ------
    Invalid
        If there is no such role, or a limit is negative.
    LastOwner
        If nobody would be left to manage it.
    NotFound
        If they do not act for it.
    """
    seat = seat.checked()
    row = _locked_seats(participant_id, membership_id)
    if seat.role != OrgRole.OWNER:
        _check_owner_stays(row)
    row.role = seat.role
    row.limit_micro, row.monthly_limit_micro = seat.limit_micro, seat.monthly_limit_micro
    row.save()


@transaction.atomic
def leave(*, participant_id: int, membership_id: int) -> None:
    """End somebody's acting for a participant, their alias and their limits.

    Raises
    ------
    LastOwner
        If nobody would be left to manage it.
    NotFound
        If they do not act for it.
    """
    row = _locked_seats(participant_id, membership_id)
    _check_owner_stays(row)
    row.delete()


@dataclass
class Counted:
    """What an act counts for; whoever does it lowers the amount where less came of it. [micro]"""

    amount_micro: int


@contextmanager
def committing(*, acts_as: ActsAs, key: str, amount_micro: int, now: datetime) -> Iterator[Counted]:
    """Count what an act commits a participant to against its person's limits, and do it.

    Count and act are one transaction: an act that fails counts nothing, and two at once take
    turns. Without limits nothing is counted.

    Parameters
    ----------
    key : str
        What makes the act itself: the same one again counts once.
    amount_micro : int
        What it costs at most; what brings money in costs 0. [micro]

    Raises
    ------
    LimitExceeded
        If it is more than the person may commit the participant to, at once or in this month.
    """
    counted = Counted(max(amount_micro, 0))
    if not acts_as.is_limited or acts_as.id is None:
        yield counted
        return
    with transaction.atomic():
        seat = Membership.objects.select_for_update().get(id=acts_as.id)
        known = Commitment.objects.filter(membership=seat).exclude(key=key)
        spent = known.filter(at__gte=month_start(now)).aggregate(sum=Sum("amount_micro"))["sum"]
        if not is_within(
            amount_micro=counted.amount_micro,
            limit_micro=seat.limit_micro,
            spent_micro=spent or 0,
            monthly_limit_micro=seat.monthly_limit_micro,
        ):
            raise LimitExceeded(
                N_("This is above your limit in this organisation. Ask one of its owners.")
            )
        yield counted
        if counted.amount_micro:
            Commitment.objects.get_or_create(
                membership=seat, key=key, defaults={"amount_micro": counted.amount_micro, "at": now}
            )


def _locked_seats(participant_id: int, membership_id: int) -> Membership:
    """Lock all seats of a participant, in one order, and return one of them."""
    rows = Membership.objects.select_for_update().filter(participant=participant_id).order_by("id")
    found = next((row for row in rows if row.id == membership_id), None)
    if found is None:
        raise NotFound(N_("This person does not act for the organisation."))
    return found


def _check_owner_stays(row: Membership) -> None:
    others = Membership.objects.filter(participant=row.participant_id, role=OrgRole.OWNER)
    if row.role == OrgRole.OWNER and not others.exclude(id=row.id).exists():
        raise LastOwner(N_("An organisation keeps at least one owner: name another one first."))


def _locked_key(participant_id: int) -> IdentityKey:
    Participant.objects.select_for_update(no_key=True).get(id=participant_id)
    key = _find_key(participant_id)
    if key is None:
        raise AlreadyErased(N_("This member was erased."))
    return key


def _find_key(participant_id: int) -> IdentityKey | None:
    slot = Participant.objects.values_list("identity_slot", flat=True).get(id=participant_id)
    return identity_keys().get([slot]).get(slot)


def _address(invitation: Invitation, token: str) -> str:
    key = IdentityKey(token_key(token))
    return key.unseal_text(bytes(invitation.sealed_address), purpose=INVITED)
