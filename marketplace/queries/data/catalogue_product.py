"""One product of the catalogue as everybody signed in sees it before buying."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from marketplace.domain.data.policy import Policy
from marketplace.domain.data.prices import PriceRule
from marketplace.domain.data.quality import Quality
from marketplace.domain.data.service import Measured, ServiceLevel, Shortfall, shortfalls
from marketplace.models import CatalogueChange, DataProduct, DataVersion
from marketplace.queries.data.catalogue_rows import Entry, age_limit_of, entries_of
from marketplace.queries.identity import names_of

VERSIONS_SHOWN: Final = 20
CHANGES_SHOWN: Final = 10


@dataclass(frozen=True)
class VersionLine:
    """A published version, without its contents."""

    id: int
    number: int
    published_at: datetime
    note: str
    byte_count: int
    row_count: int
    manifest_sha256: str
    gated_at_home: bool


@dataclass(frozen=True)
class Preview:
    """What can be seen of the newest version before it is bought: see `DataVersion`."""

    profile: Mapping[str, Any]
    findings: Sequence[Mapping[str, Any]]
    privacy_report: Mapping[str, Any]
    sample: Mapping[str, Any]


@dataclass(frozen=True)
class ChangeLine:
    """Something that changed, and when."""

    what: int
    at: datetime
    version: int | None


@dataclass(frozen=True)
class ProductPage:
    """A product with what was measured of it.

    ``age_limit_s`` is how old an answer may be to count as young; ``compared`` are the promises
    against the looks of the last 30 days. [s] Days are those where the data is from, the last one
    included; ``newest_day`` is of a file.
    """

    id: int
    provider_id: int
    provider_name: str
    is_feed: bool
    is_listed: bool
    format: str
    language: str
    title: str
    description: str
    keywords: Sequence[str]
    theme: str
    frequency: str
    licence: str
    currency: str
    price: PriceRule
    policy: Policy
    level: ServiceLevel
    listed_at: datetime
    quality: Quality
    measured: Measured
    compared: Sequence[Shortfall]
    age_s: int | None
    age_limit_s: int | None
    first: datetime | None
    end: datetime | None
    first_day: date | None
    last_day: date | None
    newest_day: date | None
    resolution_s: int
    versions: Sequence[VersionLine]
    version_count: int
    preview: Preview | None
    changes: Sequence[ChangeLine]

    @property
    def newest(self) -> VersionLine | None:
        """The newest version, None while there is none."""
        return self.versions[0] if self.versions else None


@dataclass(frozen=True)
class FileLine:
    """What a published version of a file was when it came: rows, findings, completeness."""

    number: int
    published_at: datetime
    row_count: int
    finding_count: int
    completeness_ppm: int | None


def get_product(*, product_id: int, now: datetime) -> ProductPage | None:
    """Return a product that is or was listed; None: there is none, or nobody saw it yet."""
    product = (
        DataProduct.objects.filter(pk=product_id, listed_at__isnull=False)
        .exclude(state=DataProduct.State.DRAFT)
        .select_related("provider")
        .first()
    )
    if product is None:
        return None
    [entry] = entries_of([product], now=now)
    ready = DataVersion.objects.filter(product=product_id, state=DataVersion.State.READY)
    versions = ready.order_by("-number").only(*VersionLine.__dataclass_fields__)
    return _page(
        product,
        entry,
        versions=[_version_line(version) for version in versions[:VERSIONS_SHOWN]],
        version_count=ready.count(),
        preview=_preview(entry),
    )


def get_quality(*, product_id: int, now: datetime) -> tuple[str, bool, Quality] | None:
    """Return title, whether it is a feed, and quality of a listed product."""
    product = DataProduct.objects.filter(pk=product_id, state=DataProduct.State.LISTED).first()
    if product is None:
        return None
    [entry] = entries_of([product], now=now)
    return product.title, entry.is_feed, entry.quality


def list_file_versions(*, product_id: int, since: date | None = None) -> list[FileLine]:
    """Return what the versions of a file were when they came, the oldest first."""
    ready = DataVersion.objects.filter(product=product_id, state=DataVersion.State.READY)
    if since is not None:
        ready = ready.filter(published_at__date__gte=since)
    rows = ready.order_by("number").values_list(
        "number", "published_at", "row_count", "findings", "profile__completeness_ppm"
    )
    return [
        FileLine(number, at, row_count, _counted(findings), complete)
        for number, at, row_count, findings, complete in rows
        if at is not None
    ]


def _counted(findings: Sequence[Mapping[str, Any]]) -> int:
    return sum(
        int(each["count"]) for each in findings if each.get("severity") in ("error", "warning")
    )


def _page(
    product: DataProduct,
    entry: Entry,
    *,
    versions: Sequence[VersionLine],
    version_count: int,
    preview: Preview | None,
) -> ProductPage:
    level = ServiceLevel.of_json(product.service_level)
    newest = entry.newest
    first_day, last_day = entry.days
    assert product.listed_at is not None  # what was never listed is not shown
    return ProductPage(
        id=product.pk,
        provider_id=product.provider_id,
        provider_name=names_of([product.provider])[product.provider_id],
        is_feed=entry.is_feed,
        is_listed=product.state == DataProduct.State.LISTED,
        format=product.format,
        language=product.language,
        title=product.title,
        description=product.description,
        keywords=product.keywords,
        theme=product.theme,
        frequency=product.frequency,
        licence=product.licence,
        currency=product.currency,
        price=entry.price,
        policy=Policy.of_json(product.policy),
        level=level,
        listed_at=product.listed_at,
        quality=entry.quality,
        measured=entry.measured,
        compared=shortfalls(level, entry.measured),
        age_s=entry.age_s,
        age_limit_s=age_limit_of(product) if entry.is_feed else None,
        first=newest.start if newest else None,
        end=newest.end if newest else None,
        first_day=first_day,
        last_day=last_day,
        newest_day=None if entry.is_feed else entry.newest_day,
        resolution_s=newest.resolution_s if newest else 0,
        versions=versions,
        version_count=version_count,
        preview=preview,
        changes=_changes(product.pk),
    )


def _version_line(version: DataVersion) -> VersionLine:
    assert version.published_at is not None  # the database holds that what is ready has it
    return VersionLine(
        version.pk,
        version.number,
        version.published_at,
        version.note,
        version.byte_count,
        version.row_count,
        version.manifest_sha256,
        version.gated_at_home,
    )


def _preview(entry: Entry) -> Preview | None:
    if entry.newest is None:
        return None
    version = DataVersion.objects.only(*Preview.__dataclass_fields__).get(pk=entry.newest.id)
    return Preview(version.profile, version.findings, version.privacy_report, version.sample)


def _changes(product_id: int) -> list[ChangeLine]:
    found = CatalogueChange.objects.filter(product=product_id).order_by("-id")
    rows = found.values_list("what", "at", "version__number")[:CHANGES_SHOWN]
    return [ChangeLine(*row) for row in rows]
