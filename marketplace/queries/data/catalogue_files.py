"""The catalogue for other catalogues: stored fragments, who provides them, and what changed."""

import hashlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from django.db import connection, transaction
from django.db.models import Count, Max, Min

from marketplace.models import CatalogueChange, CatalogueRecord, DataProduct, Participant
from marketplace.queries.identity import names_of

CHANGES_SHOWN: Final = 50
_FETCHED: Final = 200


@dataclass(frozen=True)
class Standing:
    """How the catalogue stands: what it was begun and last changed at, and a tag of its state.

    Attributes
    ----------
    providers : dict
        Names of everybody with a listed product; empty for one who was erased.
    tag : str
        Another one whenever a record or a provider's name is another one.
    """

    record_count: int
    begun_at: datetime | None
    changed_at: datetime | None
    providers: dict[int, str]
    tag: str


@dataclass(frozen=True)
class Change:
    """One line of what happened, with the words of the product as it is now."""

    id: int
    what: int
    at: datetime
    product_id: int
    title: str
    format: str
    version: int | None
    note: str
    provider_name: str
    is_listed: bool


def get_standing() -> Standing:
    """Return how the catalogue stands."""
    sums = CatalogueRecord.objects.aggregate(
        count=Count("pk"), begun=Min("created_at"), changed=Max("changed_at")
    )
    last = CatalogueChange.objects.aggregate(last=Max("id"))["last"]
    participants = Participant.objects.filter(
        pk__in=CatalogueRecord.objects.values("product__provider").distinct()
    )
    providers = dict(sorted(names_of(participants).items()))
    state = f"{last} {sums['count']} {sums['changed']} {providers}"
    return Standing(
        record_count=sums["count"],
        begun_at=sums["begun"],
        changed_at=sums["changed"],
        providers=providers,
        tag=hashlib.sha256(state.encode()).hexdigest()[:32],
    )


def stream_fragments(*, form: Literal["turtle", "json_ld"]) -> Iterator[str]:
    """Yield the fragments of all records by id: one statement, so as of one moment, never all held.

    A generator: close it, or read it to its end.
    """
    name = {"turtle": "turtle", "json_ld": "json_ld"}[form]
    with transaction.atomic(), closing(connection.chunked_cursor()) as cursor:
        cursor.execute(
            f"SELECT {name} FROM marketplace_cataloguerecord ORDER BY product_id"  # noqa: S608 - one of two names
        )
        while rows := cursor.fetchmany(_FETCHED):
            for (fragment,) in rows:
                yield fragment


def list_changes(*, before_id: int | None = None, limit: int = CHANGES_SHOWN) -> list[Change]:
    """Return the newest changes, before one if given."""
    found = CatalogueChange.objects.order_by("-id").select_related("product__provider", "version")
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    rows = list(
        found.only(
            "what",
            "at",
            "product__title",
            "product__format",
            "product__state",
            "product__provider__identity_slot",
            "product__provider__sealed_name",
            "version__number",
            "version__note",
        )[:limit]
    )
    names = names_of(row.product.provider for row in rows)
    return [
        Change(
            id=row.pk,
            what=row.what,
            at=row.at,
            product_id=row.product_id,
            title=row.product.title,
            format=row.product.format,
            version=row.version.number if row.version else None,
            note=row.version.note if row.version else "",
            provider_name=names[row.product.provider_id],
            is_listed=row.product.state == DataProduct.State.LISTED,
        )
        for row in rows
    ]


def last_change_id() -> int:
    """Return the number of the newest change, 0 before the first."""
    return CatalogueChange.objects.aggregate(last=Max("id"))["last"] or 0
