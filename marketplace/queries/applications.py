"""Read applications: the applicant's own, the operator's queue, the texts that were agreed to."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from marketplace.domain.applications import ApplicationState, Details
from marketplace.domain.identity import IdentityKey
from marketplace.models import (
    Application,
    Community,
    MeteringPoint,
    Participant,
    Reading,
    RuleSet,
    TextConsent,
    Zone,
)
from marketplace.queries.identity import find_user_key, identity_keys, names_of
from marketplace.queries.pages import Place, place_of

# Purposes of seals and tags.
APPLICATIONS: Final = "applications"
DETAILS: Final = "application details"
PROOF: Final = "application proof"
REASON: Final = "application reason"


@dataclass(frozen=True)
class ApplicationLine:
    """An application as its applicant and the operator see it.

    ``details`` is None once nothing of what was said is kept any more.
    """

    id: int
    role: str
    state: str
    community_id: int | None
    place: Place | None
    details: Details | None
    has_proof: bool
    refusal: str
    reason: str
    started_at: datetime
    submitted_at: datetime | None
    decided_at: datetime | None


@dataclass(frozen=True)
class Consent:
    """A version of a text that somebody agreed to."""

    slug: str
    version: int
    language: str
    sha256: str
    agreed_on: date


@dataclass(frozen=True)
class OpenCommunity:
    """A community that one may apply to, with codes and names of its zones."""

    place: Place
    zones: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class MeterStart:
    """A new member's metering point: from when readings are expected, and the first there was."""

    code: str
    active_from: datetime
    first_reading_at: datetime | None


def find_application(*, user_id: int) -> ApplicationLine | None:
    """Return a person's latest application; None if they have none (an approved one is gone)."""
    key = find_user_key(user_id=user_id)
    if key is None:
        return None
    rows = Application.objects.filter(user_tag=key.tag(APPLICATIONS)).select_related("community")
    found = rows.order_by("-id").first()
    return None if found is None else _lines([found])[0]


def list_queue(
    *, community_ids: Collection[int], limit: int, after_id: int = 0
) -> list[ApplicationLine]:
    """Return what waits for the operators of these communities, oldest first."""
    rows = Application.objects.filter(
        state=ApplicationState.SUBMITTED, community__in=list(community_ids), id__gt=after_id
    )
    return _lines(rows.select_related("community").order_by("submitted_at", "id")[:limit])


def count_queue(*, community_ids: Collection[int]) -> int:
    """Return how many applications wait."""
    return Application.objects.filter(
        state=ApplicationState.SUBMITTED, community__in=list(community_ids)
    ).count()


def find_submitted(
    *, application_id: int, community_ids: Collection[int]
) -> ApplicationLine | None:
    """Return an application that was sent to one of these communities; None if there is none."""
    found = (
        Application.objects.filter(id=application_id, community__in=list(community_ids))
        .exclude(state=ApplicationState.DRAFT)
        .select_related("community")
        .first()
    )
    return None if found is None else _lines([found])[0]


def find_proof(*, application_id: int, community_ids: Collection[int]) -> bytes | None:
    """Return the file that came with an application; None without one."""
    found = Application.objects.filter(
        id=application_id, community__in=list(community_ids), sealed_proof__isnull=False
    ).first()
    key = None if found is None else key_of(found)
    if found is None or key is None or found.sealed_proof is None:
        return None
    return key.unseal(bytes(found.sealed_proof), purpose=PROOF)


def list_taken_meters(*, community_id: int, codes: Iterable[str]) -> set[str]:
    """Return which of these codes are metering points of a community already."""
    points = MeteringPoint.objects.filter(community=community_id, code__in=list(codes))
    return set(points.values_list("code", flat=True))


def list_consents(*, participant_id: int) -> list[Consent]:
    """Return the texts that a participant agreed to when they joined."""
    return _consents(participant=participant_id)


def list_consents_of_application(*, application_id: int) -> list[Consent]:
    """Return the texts that an applicant agreed to so far."""
    return _consents(application=application_id)


def list_meter_starts(*, participant_id: int) -> list[MeterStart]:
    """Return from when a member's meters are expected to report, and since when they do."""
    points = MeteringPoint.objects.filter(site__participant_id=participant_id).order_by("id")
    return [
        MeterStart(
            point.code,
            point.active_from,
            Reading.objects.filter(metering_point=point)
            .order_by("interval__starts_at")
            .values_list("interval__starts_at", flat=True)
            .first(),
        )
        for point in points
    ]


def list_open_communities() -> list[OpenCommunity]:
    """Return the communities that one may apply to, by name."""
    communities = Community.objects.order_by("name").prefetch_related("zones")
    return [
        OpenCommunity(
            place_of(each),
            tuple((zone.code, zone.name) for zone in sorted(each.zones.all(), key=_by_id)),
        )
        for each in communities
    ]


def is_name_taken(*, role: str, community_id: int | None, name: str) -> bool:
    """Return whether a participant of this role and place has a name that must be its own."""
    return name in names_of(Participant.objects.filter(role=role, community=community_id)).values()


def get_rules_document(*, community_id: int, now: datetime) -> dict[str, Any] | None:
    """Return the rule set in force, or the first to come; None without any."""
    rules = RuleSet.objects.filter(community=community_id).order_by("-effective_from")
    found = rules.filter(effective_from__lte=now).first() or rules.last()
    return None if found is None else found.document


def key_of(application: Application) -> IdentityKey | None:
    """Return the key that an application is sealed under; None once it was destroyed."""
    return identity_keys().get([application.identity_slot]).get(application.identity_slot)


def _by_id(zone: Zone) -> int:
    return zone.id


def _consents(**of: int) -> list[Consent]:
    rows = TextConsent.objects.filter(**of).order_by("slug", "version")
    return [Consent(row.slug, row.version, row.language, row.sha256, row.agreed_on) for row in rows]


def _lines(applications: Iterable[Application]) -> list[ApplicationLine]:
    rows = list(applications)
    keys = identity_keys().get(each.identity_slot for each in rows)
    return [_line(each, keys.get(each.identity_slot)) for each in rows]


def _line(row: Application, key: IdentityKey | None) -> ApplicationLine:
    details, reason = None, ""
    if key is not None:
        text = key.unseal_text(bytes(row.sealed_details), purpose=DETAILS)
        details = Details.of_text(text)
        if row.sealed_reason is not None:
            reason = key.unseal_text(bytes(row.sealed_reason), purpose=REASON)
    return ApplicationLine(
        id=row.id,
        role=row.role,
        state=row.state,
        community_id=row.community_id,
        place=place_of(row.community) if row.community else None,
        details=details,
        has_proof=row.sealed_proof is not None and key is not None,
        refusal=row.refusal,
        reason=reason,
        started_at=row.started_at,
        submitted_at=row.submitted_at,
        decided_at=row.decided_at,
    )
