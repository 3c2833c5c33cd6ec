"""Wishes of buyers: posted, matched with what is listed, answered by sellers, ended."""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import connection, transaction
from psycopg.types.range import Range

from ledger.queries import get_units
from marketplace.domain.data.matching import PPM, Found, match
from marketplace.domain.data.traders import check_may_buy, check_may_sell
from marketplace.domain.data.wishes import PRICE_MAX_MICRO, DemandGroup, Wish, describe
from marketplace.domain.notices import NoticeKind
from marketplace.errors import N_, Invalid, ListingClosed, NotFound, WalletMissing
from marketplace.models import (
    DataContract,
    DataProduct,
    DataWish,
    DataWishAnswer,
    DataWishMatch,
    Participant,
)
from marketplace.queries.data.demand import wishes_of_group
from marketplace.queries.data.matching_columns import listed_products, open_wishes
from marketplace.services.notices import notify

NOTE_MAX: Final = 1_000
OPEN_MAX: Final = 100
_LOCK: Final = 0x6865_6C69_6F77


@transaction.atomic
def post_wish(*, buyer_id: int, format_: str, kind: int, wish: Wish, now: datetime) -> int:
    """Post a buyer's wish and look at once for what covers it; return its id.

    Raises
    ------
    NotFound
        If there is no such participant.
    RoleNotAllowed
        If the participant's role does not buy data.
    Invalid
        If a value is not of its form, or too many of the buyer's wishes stand open.
    WalletMissing
        If the buyer has no wallet, whose currency the limit price is in.
    """
    buyer = Participant.objects.select_for_update(no_key=True).filter(id=buyer_id).first()
    if buyer is None:
        raise NotFound(N_("There is no such participant."))
    check_may_buy(buyer.role)
    wish.check(now)
    if DataWish.objects.filter(buyer=buyer, state=DataWish.State.OPEN).count() >= OPEN_MAX:
        raise Invalid(
            "title", N_("{most} of your requests stand open: end some first."), most=OPEN_MAX
        )
    posted = DataWish.objects.create(
        buyer=buyer,
        title=wish.title.strip(),
        format=format_,
        kind=kind,
        longitude=Range(wish.area.west, wish.area.east),
        latitude=Range(wish.area.south, wish.area.north),
        period=Range(wish.first_day, wish.last_day + timedelta(days=1)),
        resolution_s=wish.resolution_s,
        age_s=wish.age_s,
        minimum_group=wish.minimum_group,
        limit_price_micro=wish.limit_price_micro,
        currency=_currency(buyer),
        deadline_at=wish.deadline_at,
        posted_at=now,
    )
    match_wishes(now=now, wish_ids=[posted.id])
    return posted.id


@transaction.atomic
def end_wish(*, wish_id: int, buyer_ids: Collection[int], now: datetime) -> None:
    """End a wish of one's own; raises `NotFound` or `ListingClosed`."""
    own = DataWish.objects.filter(id=wish_id, buyer__in=buyer_ids)
    if not own.exists():
        raise NotFound(N_("There is no such request of yours."))
    if not own.filter(state=DataWish.State.OPEN).update(state=DataWish.State.ENDED, closed_at=now):
        raise ListingClosed(N_("This request has its match, or has ended."))


@transaction.atomic
def end_all_wishes(*, participant_id: int, now: datetime) -> None:
    """End the open wishes of a participant who leaves."""
    own = DataWish.objects.filter(buyer=participant_id, state=DataWish.State.OPEN)
    own.update(state=DataWish.State.ENDED, closed_at=now)


@transaction.atomic
def match_wishes(*, now: datetime, wish_ids: Collection[int] | None = None) -> int:
    """Look again at what covers the open wishes; return how many have something new.

    Safe twice, late, or on two hosts: what was found is written anew only where it changed, and
    both sides are told once of each product.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
    found = match(listed_products(), open_wishes(wish_ids=wish_ids))
    known = _known([each.wish_id for each in found])
    rows = {each.wish_id: _rows(each) for each in found}
    changed = [id_ for id_, wanted in rows.items() if wanted != known.get(id_, [])]
    DataWishMatch.objects.filter(wish__in=changed).delete()
    prices = dict(
        DataProduct.objects.filter(
            id__in={row[0] for id_ in changed for row in rows[id_]}
        ).values_list("id", "facet__price_micro")
    )
    DataWishMatch.objects.bulk_create(
        DataWishMatch(
            wish_id=id_,
            rank=rank,
            product_id=first,
            second_product_id=second,
            price_micro=prices[first] if price is None else price,
            uncovered_ppm=uncovered_ppm,
            uncovered=uncovered,
            found_at=now,
        )
        for id_ in changed
        for rank, (first, second, price, uncovered_ppm, uncovered) in enumerate(rows[id_])
    )
    DataWish.objects.filter(id__in=[each.wish_id for each in found]).update(matched_at=now)
    _tell(changed, now)
    return len(changed)


@transaction.atomic
def close_due_wishes(*, now: datetime) -> int:
    """End wishes whose deadline is over or that a contract has met; return how many."""
    is_open = DataWish.objects.filter(state=DataWish.State.OPEN)
    count = is_open.filter(deadline_at__lte=now).update(state=DataWish.State.ENDED, closed_at=now)
    return count + is_open.filter(id__in=_fulfilled(is_open)).update(
        state=DataWish.State.FULFILLED, closed_at=now
    )


@transaction.atomic
def answer_demand(
    *,
    seller_id: int,
    product_id: int,
    group: DemandGroup,
    price_micro: int,
    note: str,
    now: datetime,
) -> None:
    """Offer a product, at a price of its own, to everybody behind a group of open wishes.

    How many that are, nobody is told: where they are few, the number says too much.

    Raises
    ------
    NotFound
        If there is no such listed product of the seller's.
    RoleNotAllowed
        If the seller's role does not sell data.
    Invalid
        If the product is of another sort, or the price or note is not of its form.
    """
    check_may_sell(Participant.objects.get(id=seller_id).role)
    own = DataProduct.objects.filter(provider=seller_id, state=DataProduct.State.LISTED)
    product = own.filter(id=product_id).first()
    if product is None:
        raise NotFound(N_("There is no such listed product of yours."))
    if (product.format, product.kind, product.currency) != (
        group.format,
        group.kind,
        group.currency,
    ):
        raise Invalid("product", N_("This product is of another sort than what is asked for."))
    if not 0 <= price_micro <= PRICE_MAX_MICRO:
        raise Invalid("price_micro", N_("The price lies out of bounds."))
    if len(note) > NOTE_MAX:
        raise Invalid("note", N_("At most {most} characters."), most=NOTE_MAX)
    for wish in wishes_of_group(group).exclude(buyer=seller_id):
        answer, _ = DataWishAnswer.objects.update_or_create(
            wish=wish,
            product=product,
            state=DataWishAnswer.State.OPEN,
            defaults={"price_micro": price_micro, "note": note, "answered_at": now},
        )
        notify(
            participant_id=wish.buyer_id,
            kind=NoticeKind.WISH_ANSWERED,
            # Once a day, however often the price changes: notices are nobody's advertising.
            key=f"{answer.id}:{now.astimezone(UTC).date()}",
            subject={"wish": wish.id, "title": wish.title, "product": product.id},
            now=now,
        )


def _currency(buyer: Participant) -> str:
    account_id = buyer.wallet_account_id
    if account_id is None:
        raise WalletMissing(N_("This participant has no wallet; open one first."))
    return get_units(account_ids=[account_id])[account_id].partition("/")[0]


_Row = tuple[int, int | None, int | None, int, list[dict[str, object]]]


def _rows(found: Found) -> list[_Row]:
    """Return what is kept of a result: a pair stands first, since it is the cheapest.

    Each is (product, second product, price of a pair, uncovered [ppm], uncovered boxes).
    """
    rows: list[_Row] = []
    if found.pair is not None:
        pair = found.pair
        rows.append((pair.first_id, pair.second_id, pair.price_micro, 0, []))
    rows += [(id_, None, None, 0, []) for id_ in found.single_ids]
    if found.part is not None:
        boxes = [dict(describe(box)) for box in found.part.uncovered]
        rows.append((found.part.id, None, None, PPM - found.part.covered_ppm, boxes))
    return rows


def _known(wish_ids: Sequence[int]) -> dict[int, list[_Row]]:
    """Return what was found the last time, with a single product's price as it is today."""
    known: dict[int, list[_Row]] = {}
    matches = DataWishMatch.objects.filter(wish__in=wish_ids).select_related("product__facet")
    for each in matches.order_by("wish", "rank"):
        is_pair = each.second_product_id is not None
        is_same = is_pair or each.price_micro == each.product.facet.price_micro
        price = each.price_micro if is_pair or not is_same else None
        known.setdefault(each.wish_id, []).append(
            (each.product_id, each.second_product_id, price, each.uncovered_ppm, each.uncovered)
        )
    return known


def _tell(wish_ids: Collection[int], now: datetime) -> None:
    """Tell buyers what was found, and sellers that their product was, once each."""
    matches = DataWishMatch.objects.filter(wish__in=wish_ids).select_related(
        "wish", "product", "second_product"
    )
    for each in matches:
        subject = {"wish": each.wish_id, "title": each.wish.title}
        for product in (each.product, each.second_product):
            if product is None:
                continue
            notify(
                participant_id=each.wish.buyer_id,
                kind=NoticeKind.WISH_MATCHED,
                key=f"{each.wish_id}:{product.id}",
                subject={**subject, "product": product.id, "product_title": product.title},
                now=now,
            )
            # Once a month and product, or the number of notices would count the buyers.
            month = now.astimezone(UTC).strftime("%Y-%m")
            notify(
                participant_id=product.provider_id,
                kind=NoticeKind.DEMAND_MATCHED,
                key=f"{product.id}:{month}",
                subject={"product": product.id, "title": product.title},
                now=now,
            )


def _fulfilled(wishes: Iterable[DataWish]) -> list[int]:
    """Return the wishes whose buyer has since signed for a whole match of them."""
    by_id = {wish.id: wish for wish in wishes}
    bought: dict[int, dict[int, datetime]] = {}
    agreed = DataContract.objects.filter(
        buyer__in={wish.buyer_id for wish in by_id.values()}, agreed_at__isnull=False
    )
    for buyer_id, product_id, at in agreed.values_list("buyer_id", "product_id", "agreed_at"):
        if at is not None:
            bought.setdefault(buyer_id, {})[product_id] = at
    met = set()
    for each in DataWishMatch.objects.filter(wish__in=by_id, uncovered_ppm=0):
        wish = by_id[each.wish_id]
        own = bought.get(wish.buyer_id, {})
        needed = {each.product_id, each.second_product_id} - {None}
        if all(id_ in own and own[id_] >= wish.posted_at for id_ in needed):
            met.add(wish.id)
    return sorted(met)
