"""The catalogue's entries, kept up with what products are: facet, record, and what changed.

Everything here follows from products, versions and looks, and may be done again at any time: what
is as it was is not touched. Lock order: product rows by id.
"""

import hashlib
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Final

from django.db import transaction

from ledger.domain.canonical import canonical_json
from marketplace.domain.data.catalogue_record import record_nodes
from marketplace.domain.data.facets import age_band
from marketplace.domain.data.quality import Band
from marketplace.domain.data.search_words import vector
from marketplace.domain.data.turtle import json_ld, turtle
from marketplace.domain.data.vocabularies import FORMATS, THEMES
from marketplace.models import CatalogueChange, CatalogueRecord, DataFacet, DataProduct
from marketplace.queries.data.catalogue_rows import Entry, entries_of
from marketplace.services.data import catalogue_store

State, What = DataProduct.State, CatalogueChange.What
# Products at a time: their fragments are some megabytes.
_PIECE: Final = 500


def refresh(*, product_id: int, now: datetime) -> None:
    """Bring a product's entry to what the product is now; safe to repeat."""
    refresh_many(product_ids=[product_id], now=now)


def refresh_many(*, product_ids: Collection[int], now: datetime) -> None:
    """Bring the entries of products to what the products are now, each some hundred at once.

    What is listed gets its facet and its record; what is not, loses them. Each thing that a reader
    of the catalogue would want to know becomes a change, once.
    """
    for piece in _pieces(sorted(set(product_ids))):
        _refresh_piece(piece, now)


def refresh_all(*, now: datetime) -> int:
    """Bring every entry to what its product is now; return how many products were looked at.

    After another version of the hall's programs writes records another way, or a restore.
    """
    listed = DataProduct.objects.filter(state=State.LISTED).values_list("pk", flat=True)
    known = CatalogueRecord.objects.values_list("pk", flat=True)
    ids = {*listed, *known}
    refresh_many(product_ids=ids, now=now)
    return len(ids)


@transaction.atomic
def _refresh_piece(ids: list[int], now: datetime) -> None:
    locked = DataProduct.objects.filter(pk__in=ids).order_by("pk").select_for_update(no_key=True)
    products = list(locked)
    listed = [product for product in products if product.state == State.LISTED]
    _remove([product for product in products if product.state != State.LISTED], now)

    ids = [product.pk for product in listed]
    records = CatalogueRecord.objects.defer("words").in_bulk(ids)
    bands = dict(DataFacet.objects.filter(pk__in=ids).values_list("pk", "quality_band"))
    changes: list[CatalogueChange] = []
    rows: list[tuple[object, ...]] = []
    entries = entries_of(listed, now=now)
    for entry in entries:
        old = records.get(entry.product.pk)
        changes += _changes(entry, old, bands.get(entry.product.pk), now)
        row = _record_row(entry, old, now)
        if row is not None:
            rows.append(row)
    catalogue_store.write_facets([entry.facet() for entry in entries])
    catalogue_store.write_records(rows)
    CatalogueChange.objects.bulk_create(changes)


def refresh_measured(*, now: datetime) -> int:
    """Bring age and quality of all listed products up to date; return how many changed a band.

    What only grew older is one update; an entry is written anew where a band changed.
    """
    changed = 0
    ids = list(DataFacet.objects.order_by("pk").values_list("pk", flat=True))
    for piece in _pieces(ids):
        facets = {
            pk: (age, quality)
            for pk, age, quality in DataFacet.objects.filter(pk__in=piece).values_list(
                "pk", "age_band", "quality_band"
            )
        }
        listed = DataProduct.objects.filter(pk__in=piece, state=State.LISTED)
        entries = entries_of(list(listed), now=now)
        moved = [each.product.pk for each in entries if _bands(each) != facets[each.product.pk]]
        refresh_many(product_ids=moved, now=now)
        catalogue_store.write_measures(
            [(each.product.pk, each.age_s, each.quality.whole_ppm) for each in entries]
        )
        changed += len(moved)
    return changed


def _bands(entry: Entry) -> tuple[int, int]:
    return age_band(entry.age_s), int(entry.quality.band)


def _remove(products: Sequence[DataProduct], now: datetime) -> None:
    """Take what is not listed out of the catalogue, and say so where it was in it."""
    ids = [product.pk for product in products]
    gone = CatalogueRecord.objects.filter(pk__in=ids).order_by("pk").values_list("pk", flat=True)
    changes = [CatalogueChange(product_id=pk, what=What.WITHDRAWN, at=now) for pk in gone]
    CatalogueRecord.objects.filter(pk__in=ids).delete()
    DataFacet.objects.filter(pk__in=ids).delete()
    CatalogueChange.objects.bulk_create(changes)


def _changes(
    entry: Entry, old: CatalogueRecord | None, band: int | None, now: datetime
) -> Iterator[CatalogueChange]:
    """Return what is new to a reader who knew the entry as it was."""
    product_id = entry.product.pk
    if old is None:
        yield CatalogueChange(product_id=product_id, what=What.LISTED, at=now)
        return
    newest = entry.newest.id if entry.newest else None
    if newest is not None and newest != old.version_id:
        yield CatalogueChange(product_id=product_id, version_id=newest, what=What.VERSION, at=now)
    if old.terms_sha256 != _terms_sha256(entry.product):
        yield CatalogueChange(product_id=product_id, what=What.TERMS, at=now)
    # The first measurement is no change of what was measured.
    if band not in (None, Band.NOT_MEASURED, int(entry.quality.band)):
        yield CatalogueChange(product_id=product_id, what=What.QUALITY, at=now)


def _record_row(
    entry: Entry, old: CatalogueRecord | None, now: datetime
) -> tuple[object, ...] | None:
    """Return the row of `CatalogueRecord`; None where the entry says what it said."""
    product = entry.product
    if old is not None:
        same = entry.record(changed_at=old.changed_at)
        if turtle(record_nodes(same)) == old.turtle and old.terms_sha256 == _terms_sha256(product):
            return None
    nodes = record_nodes(entry.record(changed_at=now))
    return (
        product.pk,
        entry.newest.id if entry.newest else None,
        _terms_sha256(product),
        vector(_searched(product)),
        turtle(nodes),
        json_ld(nodes),
        old.created_at if old else now,
        now,
    )


def _searched(product: DataProduct) -> str:
    """Return the texts by which a product is found; not its provider's name, which is sealed."""
    words = (FORMATS[product.format].label, THEMES.get(product.theme, ""))
    return "\n".join((product.title, product.description, *product.keywords, *words))


def _terms_sha256(product: DataProduct) -> str:
    terms = {
        "licence": product.licence,
        "policy": product.policy,
        "price": product.price,
        "service_level": product.service_level,
        "currency": product.currency,
    }
    return hashlib.sha256(canonical_json(_written(terms))).hexdigest()


def _written(value: object) -> object:
    """Return JSON values with numbers as text: canonical JSON has no others."""
    if isinstance(value, dict):
        return {key: _written(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_written(each) for each in value]
    return value if value is None or isinstance(value, str | bool) else str(value)


def _pieces(ids: list[int]) -> Iterator[list[int]]:
    return (ids[start : start + _PIECE] for start in range(0, len(ids), _PIECE))
