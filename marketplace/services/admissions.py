"""An operator's answer to an application: a new member with everything they need, or a reason.

The application's row is the lock. An approval is one transaction: whoever dies in the middle of it
leaves the application as it was. Afterwards the application is gone; that it was approved, by whom
and on which texts is a document in the log, of ids alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from random import SystemRandom
from zoneinfo import ZoneInfo

from django.db import transaction

from ledger.domain.canonical import canonical_json
from ledger.domain.documents import Document
from ledger.services import submit
from marketplace.domain.accesses import AccessKind
from marketplace.domain.applications import (
    ENERGY_ROLES,
    ApplicationState,
    ApplicationStep,
    Details,
    RefusalCode,
    next_state,
)
from marketplace.domain.notices import NoticeKind
from marketplace.errors import (
    N_,
    AlreadyErased,
    ApplicationClosed,
    ApplicationUnfit,
    Invalid,
    MarketplaceError,
    UnknownZone,
)
from marketplace.models import Application, Community, MeteringPoint, Participant, Site, TextConsent
from marketplace.queries.applications import DETAILS, REASON, key_of, list_taken_meters
from marketplace.queries.identity import NAME, identity_keys
from marketplace.queries.pages import place_of
from marketplace.services.accesses import note_access
from marketplace.services.identity import create_identities
from marketplace.services.notices import notify
from marketplace.services.people import join
from marketplace.services.places import NewMember, add_members
from marketplace.services.standing import set_standing_rule

_DECIDED = N_("This application was decided or withdrawn meanwhile.")


@dataclass(frozen=True)
class Decided:
    """Who is to be told of an answer, and where."""

    email: str
    language: str
    community_name: str
    participant_id: int | None = None


@dataclass(frozen=True)
class Failed:
    """An application of several that could not be approved, and why."""

    application_id: int
    why: MarketplaceError


@transaction.atomic
def approve_application(
    *,
    application_id: int,
    community_ids: Collection[int],
    operator_id: int,
    active_from: datetime | None = None,
    now: datetime,
) -> Decided:
    """Make a member of an applicant, with site, metering point and the rule they chose.

    Parameters
    ----------
    community_ids : collection of int
        Those the operator runs.
    active_from : datetime, optional
        From when readings are expected. None: the community's next midnight, so that no interval
        waits for a meter that is not connected yet.

    Raises
    ------
    ApplicationClosed
        If it was decided or withdrawn, or the operator runs another community.
    Invalid
        If readings would be expected from before now.
    ApplicationUnfit
        If the meter is taken by now, the zone is gone, or the applicant was erased.
    """
    row, details = _submitted(application_id, community_ids, ApplicationStep.APPROVE)
    community = row.community
    assert community is not None  # it was sent to one
    starts = active_from or next_midnight(now, community.timezone)
    if starts < now:
        # What is settled would have to wait for readings of somebody who was no member then.
        raise Invalid("first_day", N_("Choose a day that has not begun yet."))
    if row.role in ENERGY_ROLES:
        participant_id = _add_energy_member(row, details, starts, now)
    else:
        participant_id = _add_other(row, details)
    try:
        join(user_id=details.user_id, participant_id=participant_id)
    except AlreadyErased as error:
        raise ApplicationUnfit(N_("The applicant was erased meanwhile.")) from error
    texts = list(row.consents.order_by("slug", "version"))
    TextConsent.objects.filter(application=row).update(application=None, participant=participant_id)
    notify(
        participant_id=participant_id,
        kind=NoticeKind.JOINED,
        key=str(participant_id),
        subject={
            "place": community.name,
            "local_place": community.local_name,
            "participant": participant_id,
        },
        now=now,
    )
    # The operator read what the applicant said; the member finds that in their list of who looked.
    note_access(
        participant_ids=[participant_id],
        viewer_id=operator_id,
        viewer_role=Participant.Role.OPERATOR,
        what=AccessKind.APPLICATION,
        now=now,
    )
    _log_membership(participant_id, operator_id, texts, now)
    slot = row.identity_slot
    row.delete()
    transaction.on_commit(lambda: identity_keys().destroy([slot]))
    return _decided(details, community, participant_id)


def approve_applications(
    *,
    application_ids: Sequence[int],
    community_ids: Collection[int],
    operator_id: int,
    now: datetime,
) -> tuple[list[Decided], list[Failed]]:
    """Approve several, each in a transaction of its own, in an order that nobody can guess.

    In the order of their arrival, the ids of applicants and of new members would tell who is who.
    """
    shuffled = list(dict.fromkeys(application_ids))
    SystemRandom().shuffle(shuffled)
    done, failed = [], []
    for application_id in shuffled:
        try:
            done.append(
                approve_application(
                    application_id=application_id,
                    community_ids=community_ids,
                    operator_id=operator_id,
                    now=now,
                )
            )
        except MarketplaceError as error:
            failed.append(Failed(application_id, error))
    return done, failed


@transaction.atomic
def refuse_application(
    *,
    application_id: int,
    community_ids: Collection[int],
    operator_id: int,
    refusal: str,
    reason: str,
    now: datetime,
) -> Decided:
    """Refuse an application with a reason; the applicant may mend it and send it again.

    Raises
    ------
    ApplicationClosed
        If it was decided or withdrawn, or the operator runs another community.
    Invalid
        If a reason "other" comes without words.
    """
    code = RefusalCode(refusal)
    if code is RefusalCode.OTHER and not reason.strip():
        raise Invalid("reason", N_("Say why, so that the applicant can do something about it."))
    row, details = _submitted(application_id, community_ids, ApplicationStep.REFUSE)
    key = key_of(row)
    assert key is not None  # its details were just read
    row.state, row.refusal, row.decided_at = ApplicationState.REFUSED, code.value, now
    row.sealed_reason = key.seal_text(reason, purpose=REASON) if reason else None
    row.save()
    written = {"application": str(row.id), "operator": str(operator_id), "refusal": code.value}
    document = Document(kind="application", private={"decision": _text(written)})
    log_key = f"application:{row.id}:{int(now.timestamp() * 10**6)}"
    submit(commands=[document.command(log_key)], submitted_at=now)
    assert row.community is not None  # it was sent to one
    return _decided(details, row.community)


def _decided(details: Details, community: Community, participant_id: int | None = None) -> Decided:
    name = place_of(community).name_in(details.language)
    return Decided(details.email, details.language, name, participant_id)


def next_midnight(now: datetime, timezone: str) -> datetime:
    """Return when a community's next civil day begins."""
    zone = ZoneInfo(timezone)
    tomorrow = now.astimezone(zone).date() + timedelta(days=1)
    return datetime.combine(tomorrow, time(), tzinfo=zone).astimezone(UTC)


def _submitted(
    application_id: int, community_ids: Collection[int], step: ApplicationStep
) -> tuple[Application, Details]:
    """Return an application that waits, locked, with what it says."""
    rows = Application.objects.select_for_update(of=("self",)).select_related("community")
    row = rows.filter(id=application_id, community__in=list(community_ids)).first()
    if row is None or next_state(row.state, step) is None:
        raise ApplicationClosed(_DECIDED)
    key = key_of(row)
    if key is None:
        raise ApplicationUnfit(N_("The applicant was erased meanwhile."))
    return row, Details.of_text(key.unseal_text(bytes(row.sealed_details), purpose=DETAILS))


def _add_energy_member(
    row: Application, details: Details, active_from: datetime, now: datetime
) -> int:
    # Whoever adds members has this lock: nobody takes the meter from here on.
    assert row.community_id is not None  # it was sent to one
    community = Community.objects.select_for_update(no_key=True).get(id=row.community_id)
    if list_taken_meters(community_id=community.id, codes=[details.meter]):
        raise ApplicationUnfit(N_("This metering point belongs to a member already."))
    member = NewMember(meter=details.meter, name=details.name, role=row.role, zone=details.zone)
    try:
        add_members(community_id=community.id, members=[member], active_from=active_from, now=now)
    except UnknownZone as error:
        raise ApplicationUnfit(N_("The zone they chose does not exist any more.")) from error
    points = MeteringPoint.objects.select_related("site")
    point = points.get(community=community, code=details.meter)
    Site.objects.filter(id=point.site_id).update(label=details.label)
    set_standing_rule(
        metering_point_id=point.id,
        sell_at_or_above_micro_per_kwh=details.sell_micro,
        buy_at_or_below_micro_per_kwh=details.buy_micro,
        is_paused=details.rule == "paused",
        valid_until=None,
        now=now,
    )
    return point.site.participant_id


def _add_other(row: Application, details: Details) -> int:
    """Make a participant without a metering point: a new one, whatever its name.

    `add_participant` finds one by its name, which an applicant chooses: they would get in there.
    """
    [(slot, key)] = create_identities(count=1)
    return Participant.objects.create(
        role=row.role,
        community=row.community,
        identity_slot=slot,
        sealed_name=key.seal_text(details.name, purpose=NAME),
    ).id


def _log_membership(
    participant_id: int, operator_id: int, texts: Sequence[TextConsent], now: datetime
) -> None:
    written = {
        "operator": str(operator_id),
        "participant": str(participant_id),
        "texts": [[each.slug, str(each.version), each.language, each.sha256] for each in texts],
    }
    document = Document(kind="membership", private={"membership": _text(written)})
    submit(commands=[document.command(f"membership:{participant_id}")], submitted_at=now)


def _text(written: Mapping[str, object]) -> str:
    return canonical_json(written).decode()
