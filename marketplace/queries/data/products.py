"""A provider's products and their versions, as their own pages and API show them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import Count, OuterRef, Q, Subquery, Sum
from django.db.models.functions import Coalesce

from marketplace.models import DataCharge, DataContract, DataProduct, DataVersion

PAGE_ROWS: Final = 100
KIND_NAMES: Final = {DataProduct.Kind.FILE: "file", DataProduct.Kind.FEED: "feed"}
STATE_NAMES: Final = {
    DataProduct.State.DRAFT: "draft",
    DataProduct.State.LISTED: "listed",
    DataProduct.State.WITHDRAWN: "withdrawn",
}
VERSION_STATES: Final = {
    DataVersion.State.WORKING: "working",
    DataVersion.State.READY: "ready",
    DataVersion.State.REFUSED: "refused",
}


@dataclass(frozen=True)
class ProductLine:
    """A product in a list of its provider's.

    ``revenue_micro`` is what was paid for it, before shares and after refunds.
    """

    id: int
    title: str
    kind: str
    format: str
    state: str
    currency: str
    price: Mapping[str, Any]
    ready_count: int
    contract_count: int
    revenue_micro: int
    working_id: int | None
    created_at: datetime


@dataclass(frozen=True)
class ProductTermsLine:
    """Everything of a product that its provider may see or change."""

    id: int
    provider_id: int
    kind: str
    format: str
    state: str
    currency: str
    source_url: str
    terms: Mapping[str, Any]
    privacy_policy: Mapping[str, Any]
    created_at: datetime
    listed_at: datetime | None
    withdrawn_at: datetime | None

    @property
    def is_feed(self) -> bool:
        """Whether the hall fetches it."""
        return self.kind == "feed"


@dataclass(frozen=True)
class VersionLine:
    """A version as its provider sees it; figures are those of what was, or will be, published."""

    id: int
    product_id: int
    number: int
    state: str
    note: str
    refusal: Mapping[str, Any]
    progress: Mapping[str, Any]
    manifest: bytes
    manifest_sha256: str
    byte_count: int
    row_count: int
    profile: Mapping[str, Any]
    privacy_report: Mapping[str, Any]
    findings: tuple[Mapping[str, Any], ...]
    sample: Mapping[str, Any]
    gated_at_home: bool
    raw_deleted_at: datetime | None
    created_at: datetime
    published_at: datetime | None

    @property
    def step(self) -> str:
        """What is being done, of a version that is being made."""
        return str(self.progress.get("step", ""))


def list_products(
    *,
    participant_ids: Collection[int],
    before_id: int | None = None,
    limit: int = PAGE_ROWS,
) -> list[ProductLine]:
    """Return products of participants, newest first."""
    own = DataProduct.objects.filter(provider__in=participant_ids)
    if before_id is not None:
        own = own.filter(id__lt=before_id)
    versions = DataVersion.objects.filter(product=OuterRef("pk")).order_by()
    ready = versions.filter(state=DataVersion.State.READY).values("product")
    working = versions.filter(state=DataVersion.State.WORKING).values("id")[:1]
    paid = (
        DataCharge.objects.filter(
            contract__product=OuterRef("pk"),
            state__in=(DataCharge.State.PAID, DataCharge.State.SPLIT),
        )
        .order_by()
        .values("contract__product")
    )
    agreed = Q(contracts__state__in=(DataContract.State.AGREED, DataContract.State.ENDED))
    rows = own.annotate(
        ready_count=Coalesce(Subquery(ready.annotate(n=Count("*")).values("n")), 0),
        working_id=Subquery(working),
        contract_count=Count("contracts", filter=agreed),
        due_micro=Coalesce(Subquery(paid.annotate(n=Sum("due_micro")).values("n")), 0),
        credit_micro=Coalesce(Subquery(paid.annotate(n=Sum("credit_micro")).values("n")), 0),
        refund_micro=Coalesce(Subquery(paid.annotate(n=Sum("refund_micro")).values("n")), 0),
    ).order_by("-id")[:limit]
    return [
        ProductLine(
            id=row.id,
            title=row.title,
            kind=KIND_NAMES[DataProduct.Kind(row.kind)],
            format=row.format,
            state=STATE_NAMES[DataProduct.State(row.state)],
            currency=row.currency,
            price=row.price,
            ready_count=row.ready_count,
            contract_count=row.contract_count,
            revenue_micro=int(row.due_micro - row.credit_micro - row.refund_micro),
            working_id=row.working_id,
            created_at=row.created_at,
        )
        for row in rows
    ]


def get_product(*, product_id: int, participant_ids: Collection[int]) -> ProductTermsLine | None:
    """Return a product with its terms, if it is of these participants."""
    row = DataProduct.objects.filter(id=product_id, provider__in=participant_ids).first()
    if row is None:
        return None
    named = (
        *("title", "description", "language", "keywords", "theme", "frequency", "licence"),
        *("price", "shares", "policy", "service_level", "reading"),
        *("query_budget_micro_epsilon", "accepts_automatically", "is_for_planning"),
    )
    return ProductTermsLine(
        id=row.id,
        provider_id=row.provider_id,
        kind=KIND_NAMES[DataProduct.Kind(row.kind)],
        format=row.format,
        state=STATE_NAMES[DataProduct.State(row.state)],
        currency=row.currency,
        source_url=row.source_url,
        terms={name: getattr(row, name) for name in named},
        privacy_policy=row.privacy_policy,
        created_at=row.created_at,
        listed_at=row.listed_at,
        withdrawn_at=row.withdrawn_at,
    )


def list_versions(
    *,
    product_id: int,
    participant_ids: Collection[int],
    before_id: int | None = None,
    limit: int = PAGE_ROWS,
) -> list[VersionLine]:
    """Return the versions of somebody's product, newest first."""
    own = DataVersion.objects.filter(product=product_id, product__provider__in=participant_ids)
    if before_id is not None:
        own = own.filter(id__lt=before_id)
    return [_line(row) for row in own.order_by("-id")[:limit]]


def get_version(*, version_id: int, participant_ids: Collection[int]) -> VersionLine | None:
    """Return a version, if it is of a product of these participants."""
    own = DataVersion.objects.filter(id=version_id, product__provider__in=participant_ids)
    row = own.first()
    return None if row is None else _line(row)


def list_published(*, product_id: int) -> list[VersionLine]:
    """Return the ready versions of a product, newest first, for whoever may see the product."""
    ready = DataVersion.objects.filter(product=product_id, state=DataVersion.State.READY)
    return [_line(row) for row in ready.order_by("-number")]


def _line(row: Any) -> VersionLine:
    return VersionLine(
        id=row.id,
        product_id=row.product_id,
        number=row.number,
        state=VERSION_STATES[DataVersion.State(row.state)],
        note=row.note,
        refusal=row.refusal,
        progress=row.progress,
        manifest=b"" if row.manifest is None else bytes(row.manifest),
        manifest_sha256=row.manifest_sha256,
        byte_count=row.byte_count,
        row_count=row.row_count,
        profile=row.profile,
        privacy_report=row.privacy_report,
        findings=tuple(row.findings),
        sample=row.sample,
        gated_at_home=row.gated_at_home,
        raw_deleted_at=row.raw_deleted_at,
        created_at=row.created_at,
        published_at=row.published_at,
    )
