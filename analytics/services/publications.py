"""Publish months: one frozen text for each, its hash in the log, revisions in batches."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction

from analytics.domain.disclosure import TENTHS, Audience, shown_groups
from analytics.domain.figures import SavingsSpread
from analytics.domain.published import (
    FORMAT,
    canonical_text,
    day_rows,
    flow_rows,
    hour_rows,
    moment_text,
    text_hash,
)
from analytics.domain.shown_flows import added_up
from analytics.models import DayRollup, Publication, ReleasedDay
from analytics.queries import disclosed, figures
from analytics.queries.disclosed import list_shown_flows
from analytics.queries.publications import get_document, list_newest
from analytics.services.releases import MINIMUM_OF_ANY
from ledger.domain.commands import Command
from ledger.domain.documents import Document
from ledger.queries.newest_root import get_log_point
from ledger.services import submit
from marketplace.domain.civil_day import day_bounds
from marketplace.queries.pages import Place, list_places
from marketplace.queries.pages_community import list_zone_names
from marketplace.queries.rule_versions import list_rule_sets

# By then the readings of a month's last day have come, or its days are released without them.
PUBLISH_AFTER: Final = timedelta(days=5)
# A month of which some day is never settled is published without it.
PUBLISH_ANYWAY_AFTER: Final = timedelta(days=35)
BATCH_MONTHS: Final = (1, 4, 7, 10)
# In the week after that in which released days are revised.
BATCH_DAYS: Final = range(8, 15)
# Of the advisory locks; with the community it is one turn for each of them.
_TURN: Final = 7249034


def publish_due_figures(*, now: datetime, community_id: int | None = None) -> int:
    """Publish the months that are due, and in a quarter's batch the revised ones again.

    Safe to repeat, and to run twice at once.

    Returns
    -------
    int
        How many publications were made.
    """
    return sum(
        _publish_due(place, now)
        for place in list_places()
        if community_id in (None, place.community_id)
    )


@transaction.atomic
def _publish_due(place: Place, now: datetime) -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_TURN, place.community_id])
    known = {line.month: line for line in list_newest(community_id=place.community_id)}
    local = now.astimezone(place.zone)
    is_batch = local.month in BATCH_MONTHS and local.day in BATCH_DAYS
    count = 0
    for month in _released_months(place.community_id):
        line = known.get(month)
        if line is None:
            due = _is_due(place, month, now)
        else:
            released = _days_of(place, month).filter(released_at__gt=line.published_at)
            due = is_batch and released.exists()
        if due:
            before = get_document(line=line) if line else None
            count += _publish(place, month, line.revision + 1 if line else 1, before, now)
    return count


def month_bounds(month: date, place: Place) -> tuple[datetime, datetime]:
    """Return the first moment of a civil month, and the first after it."""
    following = (month.replace(day=28) + timedelta(days=4)).replace(day=1)
    return day_bounds(month, place.zone)[0], day_bounds(following, place.zone)[0]


def _released_months(community_id: int) -> list[date]:
    days = ReleasedDay.objects.filter(community_id=community_id, is_hidden=False)
    return list(days.dates("day", "month"))


def _days_of(place: Place, month: date) -> Any:
    start, end = month_bounds(month, place)
    return ReleasedDay.objects.filter(
        community_id=place.community_id, starts_at__gte=start, ends_at__lte=end
    )


def _is_due(place: Place, month: date, now: datetime) -> bool:
    start, end = month_bounds(month, place)
    if now < end + PUBLISH_AFTER:
        return False
    rolled_up = DayRollup.objects.filter(
        community_id=place.community_id, starts_at__gte=start, ends_at__lte=end, settled_count__gt=0
    )
    return _days_of(place, month).count() >= rolled_up.count() or now >= end + PUBLISH_ANYWAY_AFTER


def _publish(
    place: Place, month: date, revision: int, before: dict[str, Any] | None, now: datetime
) -> int:
    document = _document(place, month, before)
    if before is not None and _figures_of(document) == _figures_of(before):
        return 0
    point = get_log_point()
    document |= {
        "revision": revision,
        "published_at": moment_text(now),
        "log": {"size": point.size, "root": point.root} if point else None,
    }
    text = canonical_text(document)
    made = Publication.objects.create(
        community_id=place.community_id,
        month=month,
        revision=revision,
        published_at=now,
        log_size=point.size if point else None,
        log_root=point.root if point else "",
        sha256=text_hash(text),
        text=text,
    )
    submit(commands=[logged_command(made)], submitted_at=now)
    return 1


def logged_command(made: Publication) -> Command:
    """Return what the ledger logs of a publication.

    In public: anybody who has the text can compare it with what everybody was shown.
    """
    logged = Document(
        kind="figures",
        public={
            "community": str(made.community_id),
            "month": f"{made.month:%Y-%m}",
            "revision": str(made.revision),
            "sha256": made.sha256,
        },
    )
    return logged.command(f"figures:{made.pk}")


def _figures_of(document: dict[str, Any]) -> dict[str, Any]:
    about = ("revision", "published_at", "log", "basis")
    return {name: value for name, value in document.items() if name not in about}


def _document(place: Place, month: date, before: dict[str, Any] | None) -> dict[str, Any]:
    start, end = month_bounds(month, place)
    community_id = place.community_id
    audience = Audience.PLANNER
    days = {
        (f"zone:{zone}" if zone else f"community:{community_id}"): day_rows(
            disclosed.list_days(
                community_id=community_id, start=start, end=end, zone_id=zone, audience=audience
            )
        )
        for zone in (0, *list_zone_names(community_id=community_id))
    }
    hours = disclosed.list_hours(community_id=community_id, start=start, end=end, audience=audience)
    told = list_shown_flows(community_id=community_id, start=start, end=end)
    flows = added_up(told)
    basis = disclosed.get_basis(community_id=community_id, start=start, end=end, audience=audience)
    withheld = disclosed.list_withheld(community_id=community_id, start=start, end=end)
    return {
        "format": FORMAT,
        "community": {
            "id": community_id,
            "name": place.name,
            "local_name": place.local_name,
            "currency": place.currency,
            "timezone": place.timezone,
        },
        "zones": [
            {"id": zone, "name": name}
            for zone, name in list_zone_names(community_id=community_id).items()
        ],
        "month": f"{month:%Y-%m}",
        "minimum_group_size": max(_days_of(place, month).values_list("minimum", flat=True)),
        "basis": {
            "as_of": moment_text(basis.as_of or start),
            "interval_count": basis.interval_count,
            "settled_count": basis.settled_count,
            "final_count": basis.final_count,
            "missing_count": basis.missing_count,
            "rule_sets": [
                {"id": each.rule_set_id, "version": each.version, "sha256": each.sha256}
                for each in list_rule_sets(rule_set_ids=basis.rule_set_ids)
            ],
        },
        "days": {scope: rows for scope, rows in days.items() if rows},
        "hours_of_day": hour_rows(
            (each.at.astimezone(place.zone).hour, each.energies) for each in hours
        ),
        "flow_groups": sorted(
            {(flow.from_zone_id, flow.from_group) for flow in flows}
            | {(flow.to_zone_id, flow.to_group) for flow in flows}
        ),
        "flows": flow_rows(flows),
        "savings": _savings(place, month, before),
        "withheld": {
            "hidden_days": withheld.hidden_days,
            "hidden_hours": withheld.hidden_hours,
            "zone_ids": list(withheld.zone_ids),
        },
    }


def _savings(place: Place, month: date, before: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return the spread of savings over groups that may be shown.

    It is made from what is booked now: while corrections wait that are about too few members, what
    was published stays.
    """
    days = _days_of(place, month)
    if before is not None and days.filter(waits_since__isnull=False).exists():
        kept: list[dict[str, Any]] = before["savings"]
        return kept
    minimum = max(days.values_list("minimum", flat=True))
    found = figures.list_savings(community_id=place.community_id, month=month)
    return [_written(each, minimum) for each in _shown_savings(found, minimum)]


def _shown_savings(found: Sequence[SavingsSpread], minimum: int) -> list[SavingsSpread]:
    whole = [each for each in found if not each.group and _is_large(each, minimum)]
    groups = [each for each in found if each.group]
    sizes = {
        # A group of which too few traded says what these saved: it counts as too small itself.
        place: each.member_count if _is_large(each, minimum) else min(each.member_count, 1)
        for place, each in enumerate(groups)
    }
    shown = shown_groups(sizes, minimum) if whole else frozenset()
    return whole + [each for place, each in enumerate(groups) if place in shown]


def _is_large(each: SavingsSpread, minimum: int) -> bool:
    return each.member_count >= minimum and (
        each.trading_count == 0 or each.trading_count >= MINIMUM_OF_ANY
    )


def _written(each: SavingsSpread, minimum: int) -> dict[str, Any]:
    has_tenths = each.member_count >= TENTHS * minimum
    return {
        "group": each.group,
        "member_count": each.member_count,
        "trading_count": each.trading_count,
        "gaining_count": each.gaining_count,
        "saved_micro": each.saved_micro,
        "alone_micro": each.alone_micro,
        "deciles_ppm": list(each.deciles_ppm) if has_tenths else [],
        "gini_ppm": each.gini_ppm if has_tenths else None,
    }
