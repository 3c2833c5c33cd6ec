"""What was published: lists, texts as they are, and figures read from the newest of each month."""

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from analytics.domain.figures import Basis, Energies, EnergyBucket, Flow, SavingsSpread
from analytics.domain.published import (
    added_energies,
    read_basis,
    read_days,
    read_flows,
    read_savings,
)
from analytics.domain.shown_flows import ShownFlows, added_up
from analytics.models import Publication

_COLUMNS: Final = (
    *("id", "community_id", "month", "revision", "published_at", "sha256", "log_size"),
    "log_root",
)


@dataclass(frozen=True, slots=True)
class PublicationLine:
    """A publication without its text."""

    id: int
    community_id: int
    month: date
    revision: int
    published_at: datetime
    sha256: str
    log_size: int | None
    log_root: str

    @property
    def log_key(self) -> str:
        """Key of the document by which it stands in the log."""
        return f"figures:{self.id}"


def list_publications(*, community_id: int | None = None) -> list[PublicationLine]:
    """Return all publications, newest first; revisions are lines of their own."""
    found = Publication.objects.order_by("-month", "community_id", "-revision")
    if community_id is not None:
        found = found.filter(community_id=community_id)
    return [PublicationLine(*row) for row in found.values_list(*_COLUMNS)]


def find_publication(*, publication_id: int) -> tuple[PublicationLine, str] | None:
    """Return a publication and its text exactly as it was published."""
    row = Publication.objects.filter(id=publication_id).values_list(*_COLUMNS, "text").first()
    return None if row is None else (PublicationLine(*row[:-1]), row[-1])


def get_document(*, line: PublicationLine) -> dict[str, Any]:
    """Return a publication's text, read; it must not be changed."""
    return _document(line.id, line.sha256)


def list_newest(*, community_id: int) -> list[PublicationLine]:
    """Return the newest revision of each published month, by month."""
    found = (
        Publication.objects.filter(community_id=community_id)
        .order_by("month", "-revision")
        .distinct("month")
    )
    return [PublicationLine(*row) for row in found.values_list(*_COLUMNS)]


def get_energies(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0
) -> Energies | None:
    """Add up the published days within ``[start, end)``; None without any."""
    days = list_days(community_id=community_id, start=start, end=end, zone_id=zone_id)
    return added_energies(_scope(community_id, zone_id), [each.energies for each in days])


def list_zone_energies(*, community_id: int, start: datetime, end: datetime) -> list[Energies]:
    """Add up the published days of each zone that stands alone in any month."""
    zones = {
        int(scope.removeprefix("zone:"))
        for document in _documents(community_id, start, end)
        for scope in document["days"]
        if scope.startswith("zone:")
    }
    found = (
        get_energies(community_id=community_id, start=start, end=end, zone_id=zone)
        for zone in sorted(zones)
    )
    return [each for each in found if each is not None]


def list_days(
    *, community_id: int, start: datetime, end: datetime, zone_id: int = 0
) -> list[EnergyBucket]:
    """Return the published days within ``[start, end)``, in order."""
    scope = _scope(community_id, zone_id)
    return [
        day
        for document in _documents(community_id, start, end)
        for day in read_days(scope, document["days"].get(scope, ()))
        if start <= day.energies.start and day.energies.end <= end
    ]


def list_flows(*, community_id: int, start: datetime, end: datetime) -> list[Flow]:
    """Add up the flows of the months whose published days are all within ``[start, end)``."""
    months = []
    for document in _documents(community_id, start, end):
        days = read_days("", document["days"][_scope(community_id, 0)])
        if days and start <= days[0].energies.start and days[-1].energies.end <= end:
            groups = frozenset((zone, group) for zone, group in document["flow_groups"])
            months.append(ShownFlows(groups, tuple(read_flows(document["flows"]))))
    return added_up(months)


def list_savings(*, community_id: int, month: date) -> list[SavingsSpread]:
    """Return how a month's savings are spread, as published."""
    for line in list_newest(community_id=community_id):
        if line.month == month:
            return read_savings(month, get_document(line=line)["savings"])
    return []


def get_basis(*, community_id: int, start: datetime, end: datetime) -> Basis:
    """Return what the published months that touch ``[start, end)`` were made from."""
    parts = [read_basis(each["basis"]) for each in _documents(community_id, start, end)]
    return Basis(
        as_of=max((each.as_of for each in parts if each.as_of), default=None),
        interval_count=sum(each.interval_count for each in parts),
        settled_count=sum(each.settled_count for each in parts),
        final_count=sum(each.final_count for each in parts),
        missing_count=sum(each.missing_count for each in parts),
        rule_set_ids=tuple(sorted({rule for each in parts for rule in each.rule_set_ids})),
    )


def _scope(community_id: int, zone_id: int) -> str:
    return f"zone:{zone_id}" if zone_id else f"community:{community_id}"


def _documents(community_id: int, start: datetime, end: datetime) -> list[dict[str, Any]]:
    # A civil month begins up to a day before or after that of UTC.
    return [
        get_document(line=line)
        for line in list_newest(community_id=community_id)
        if line.month <= end.date() and (line.month.year, line.month.month + 1) >= _of(start)
    ]


def _of(moment: datetime) -> tuple[int, int]:
    return moment.year, moment.month


# A publication never changes; the hash tells those of two databases apart.
@lru_cache(maxsize=64)
def _document(publication_id: int, _sha256: str) -> dict[str, Any]:
    text = Publication.objects.values_list("text", flat=True).get(id=publication_id)
    document: dict[str, Any] = json.loads(text)
    return document
