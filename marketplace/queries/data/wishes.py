"""Read a buyer's wishes with what was found and answered, and a seller's products for answers."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db.models import Count, Q

from marketplace.domain.data.wishes import Area
from marketplace.models import DataProduct, DataWish, DataWishAnswer, DataWishMatch
from marketplace.queries.identity import names_of


@dataclass(frozen=True)
class WishLine:
    """A wish as its buyer sees it. [micro], [s]"""

    id: int
    title: str
    format: str
    kind: int
    area: Area
    first_day: date
    last_day: date
    resolution_s: int
    age_s: int | None
    minimum_group: int
    limit_price_micro: int
    currency: str
    state: str
    posted_at: datetime
    deadline_at: datetime
    matched_at: datetime | None
    whole_count: int
    part_count: int
    answer_count: int


@dataclass(frozen=True)
class ProductName:
    """A product that a wish was matched with or answered by."""

    id: int
    title: str
    provider_name: str


@dataclass(frozen=True)
class MatchLine:
    """What was found for a wish: a product or two, and what stays uncovered. [micro], [ppm]"""

    products: tuple[ProductName, ...]
    price_micro: int
    uncovered_ppm: int
    uncovered: Sequence[dict[str, Any]]


@dataclass(frozen=True)
class AnswerLine:
    """A seller's answer to a wish. [micro]"""

    id: int
    product: ProductName
    price_micro: int
    note: str
    state: str
    answered_at: datetime


def list_wishes(
    *, buyer_ids: Collection[int], before_id: int | None = None, limit: int = 100
) -> list[WishLine]:
    """Return the newest wishes of some buyers, before an id if given."""
    found = DataWish.objects.filter(buyer__in=buyer_ids)
    if before_id is not None:
        found = found.filter(id__lt=before_id)
    counted = found.annotate(
        whole_count=Count("matches", filter=Q(matches__uncovered_ppm=0), distinct=True),
        part_count=Count("matches", filter=Q(matches__uncovered_ppm__gt=0), distinct=True),
        answer_count=Count("answers", filter=Q(answers__state=1), distinct=True),
    )
    return [_line(wish) for wish in counted.order_by("-id")[:limit]]


def get_wish(*, wish_id: int, buyer_ids: Collection[int]) -> WishLine | None:
    """Return a wish of one of these buyers, or None."""
    found = list_wishes(buyer_ids=buyer_ids, before_id=wish_id + 1, limit=1)
    return found[0] if found and found[0].id == wish_id else None


def list_matches(*, wish_id: int) -> list[MatchLine]:
    """Return what was found for a wish, the cheapest whole cover first."""
    matches = list(
        DataWishMatch.objects.filter(wish=wish_id)
        .select_related("product__provider", "second_product__provider")
        .order_by("rank")
    )
    products = [
        [each.product, *([each.second_product] if each.second_product else [])] for each in matches
    ]
    names = names_of(product.provider for pair in products for product in pair)
    return [
        MatchLine(
            tuple(ProductName(p.id, p.title, names[p.provider_id]) for p in pair),
            each.price_micro,
            each.uncovered_ppm,
            each.uncovered,
        )
        for each, pair in zip(matches, products, strict=True)
    ]


def list_answers(*, wish_id: int) -> list[AnswerLine]:
    """Return the answers to a wish, the newest first."""
    answers = list(
        DataWishAnswer.objects.filter(wish=wish_id)
        .select_related("product__provider")
        .order_by("-answered_at", "-id")
    )
    names = names_of(each.product.provider for each in answers)
    return [
        AnswerLine(
            each.id,
            ProductName(each.product_id, each.product.title, names[each.product.provider_id]),
            each.price_micro,
            each.note,
            DataWishAnswer.State(each.state).name.lower(),
            each.answered_at,
        )
        for each in answers
    ]


def list_answerable_products(*, seller_id: int) -> list[tuple[int, str, str]]:
    """Return a seller's listed products as (id, title, format), the newest first."""
    listed = DataProduct.objects.filter(provider=seller_id, state=DataProduct.State.LISTED)
    return list(listed.order_by("-id").values_list("id", "title", "format"))


def _line(wish: Any) -> WishLine:
    return WishLine(
        id=wish.id,
        title=wish.title,
        format=wish.format,
        kind=wish.kind,
        area=Area(
            wish.longitude.lower, wish.latitude.lower, wish.longitude.upper, wish.latitude.upper
        ),
        first_day=wish.period.lower,
        last_day=wish.period.upper - timedelta(days=1),
        resolution_s=wish.resolution_s,
        age_s=wish.age_s,
        minimum_group=wish.minimum_group,
        limit_price_micro=wish.limit_price_micro,
        currency=wish.currency,
        state=DataWish.State(wish.state).name.lower(),
        posted_at=wish.posted_at,
        deadline_at=wish.deadline_at,
        matched_at=wish.matched_at,
        whole_count=wish.whole_count,
        part_count=wish.part_count,
        answer_count=wish.answer_count,
    )
