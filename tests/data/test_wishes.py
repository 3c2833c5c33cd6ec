"""Wishes: posted, matched with what is listed, answered, fulfilled; and what sellers learn."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from psycopg.types.range import Range

from marketplace.domain.data.wishes import Area, Wish
from marketplace.errors import Invalid, ListingClosed, NotFound, RoleNotAllowed, WalletMissing
from marketplace.models import (
    DataFacet,
    DataProduct,
    DataWish,
    DataWishAnswer,
    DataWishMatch,
    Notice,
)
from marketplace.queries.data.demand import list_open_demand
from marketplace.services.data.wishes import (
    answer_demand,
    close_due_wishes,
    end_wish,
    match_wishes,
    post_wish,
)
from marketplace.services.people import add_participant
from marketplace.services.wallets import open_wallet

NOW = datetime(2026, 6, 10, 8, 0, tzinfo=UTC)
KIND = DataProduct.Kind.FILE
BAY = Area(-123_000_000, 37_000_000, -121_000_000, 38_000_000)


def trader(name: str, role: str = "enterprise") -> int:
    participant_id = add_participant(role=role, name=name)
    if role != "operator":
        open_wallet(participant_id=participant_id, currency="EUR")
    return participant_id


def listed(
    provider_id: int, *, months: tuple[int, int], price_micro: int, minimum_group: int = 10
) -> DataProduct:
    """List a file of trips of some months of 2014; ``months`` half-open."""
    product = DataProduct.objects.create(
        provider_id=provider_id,
        kind=KIND,
        format="trips",
        state=DataProduct.State.LISTED,
        title=f"Flows {months}",
        theme="sharing-and-hiring-services",
        frequency="MONTHLY",
        licence="cc-by-4.0",
        currency="EUR",
        price={"form": "one_off", "price_micro": price_micro},
        policy={},
        privacy_policy={"minimum_group": minimum_group},
        created_at=NOW,
        listed_at=NOW,
    )
    DataFacet.objects.create(
        product=product,
        longitude=Range(BAY.west, BAY.east),
        latitude=Range(BAY.south, BAY.north),
        period=Range(date(2014, months[0], 1), date(2014, months[1], 1)),
        resolution_s=3600,
        kind=KIND,
        format=0,
        age_band=0,
        price_band=0,
        quality_band=0,
        price_micro=price_micro,
        currency="EUR",
        updated_at=NOW,
    )
    return product


def wish(**other: object) -> Wish:
    values: dict[str, object] = {
        "title": "bike flows, March to May",
        "area": Area(-122_500_000, 37_300_000, -121_800_000, 37_900_000),
        "first_day": date(2014, 3, 1),
        "last_day": date(2014, 5, 31),
        "resolution_s": 3600,
        "age_s": None,
        "minimum_group": 10,
        "limit_price_micro": 50_000_000,
        "deadline_at": NOW + timedelta(days=30),
    }
    return Wish(**{**values, **other})  # type: ignore[arg-type]  # each test names fields it means


def post(buyer_id: int, **other: object) -> DataWish:
    id_ = post_wish(buyer_id=buyer_id, format_="trips", kind=KIND, wish=wish(**other), now=NOW)
    return DataWish.objects.get(id=id_)


def found(of: DataWish) -> list[tuple[int, int | None, int, int]]:
    matches = DataWishMatch.objects.filter(wish=of).order_by("rank")
    return [
        (each.product_id, each.second_product_id, each.price_micro, each.uncovered_ppm)
        for each in matches
    ]


@pytest.mark.django_db
def test_a_wish_finds_what_covers_it_and_both_sides_are_told_once() -> None:
    seller, buyer = trader("Bikes", "data_provider"), trader("Bakery")
    spring = listed(seller, months=(3, 6), price_micro=40_000_000)
    posted = post(buyer)
    assert found(posted) == [(spring.id, None, 40_000_000, 0)]
    told = set(Notice.objects.values_list("participant_id", "kind"))
    assert told == {(buyer, "wish_matched"), (seller, "demand_matched")}
    match_wishes(now=NOW + timedelta(minutes=1))
    assert Notice.objects.count() == 2


@pytest.mark.django_db
def test_what_is_listed_later_is_found_and_two_together_where_they_are_cheaper() -> None:
    seller, buyer = trader("Bikes", "data_provider"), trader("Bakery")
    april = listed(seller, months=(3, 5), price_micro=10_000_000)
    posted = post(buyer)
    assert found(posted) == [(april.id, None, 10_000_000, 336_956)]
    [part] = DataWishMatch.objects.filter(wish=posted)
    assert [(box["first_day"], box["last_day"]) for box in part.uncovered] == [
        ("2014-05-01", "2014-05-31")
    ]
    may = listed(seller, months=(5, 7), price_micro=9_000_000)
    whole = listed(seller, months=(1, 10), price_micro=45_000_000)
    assert match_wishes(now=NOW) == 1
    assert found(posted) == [
        (april.id, may.id, 19_000_000, 0),
        (whole.id, None, 45_000_000, 0),
    ]
    assert match_wishes(now=NOW) == 0
    DataFacet.objects.filter(product=whole).update(price_micro=44_000_000)
    assert match_wishes(now=NOW) == 1
    assert found(posted)[1] == (whole.id, None, 44_000_000, 0)
    DataProduct.objects.filter(id=whole.id).update(state=3, withdrawn_at=NOW)
    assert match_wishes(now=NOW) == 1
    assert len(found(posted)) == 1


@pytest.mark.django_db
def test_what_is_not_wished_for_is_not_found() -> None:
    seller, buyer = trader("Bikes", "data_provider"), trader("Bakery")
    listed(seller, months=(3, 6), price_micro=60_000_000)
    listed(seller, months=(3, 6), price_micro=1, minimum_group=5)
    listed(buyer, months=(3, 6), price_micro=1)
    assert found(post(buyer)) == []


@pytest.mark.django_db
def test_sellers_see_figures_of_three_buyers_and_answer_without_learning_more() -> None:
    seller = trader("Bikes", "data_provider")
    buyers = [trader(name) for name in ("A", "B", "C")]
    first = post(buyers[0], limit_price_micro=30_000_000)
    post(buyers[0], limit_price_micro=10_000_000)
    post(buyers[1], limit_price_micro=20_000_000)
    [line] = list_open_demand()
    assert (line.buyer_count, line.median_limit_micro, line.finest_s) == (None, None, None)
    product = listed(seller, months=(1, 3), price_micro=1_000_000)
    answer_demand(
        seller_id=seller,
        product_id=product.id,
        group=line.group,
        price_micro=900_000,
        note="January and February for you",
        now=NOW,
    )
    assert DataWishAnswer.objects.count() == 3
    post(buyers[2], limit_price_micro=25_000_000)
    [line] = list_open_demand()
    assert (line.buyer_count, line.median_limit_micro, line.finest_s) == (3, 25_000_000, 3600)
    assert line.group.area.west <= first.longitude.upper
    with pytest.raises(NotFound):
        answer_demand(
            seller_id=buyers[0],
            product_id=product.id,
            group=line.group,
            price_micro=1,
            note="",
            now=NOW,
        )


@pytest.mark.django_db
def test_a_wish_ends_by_its_buyer_or_by_its_deadline() -> None:
    buyer, other = trader("Bakery"), trader("Mill")
    posted, left = post(buyer), post(buyer)
    with pytest.raises(NotFound):
        end_wish(wish_id=posted.id, buyer_ids=[other], now=NOW)
    end_wish(wish_id=posted.id, buyer_ids=[buyer], now=NOW)
    with pytest.raises(ListingClosed):
        end_wish(wish_id=posted.id, buyer_ids=[buyer], now=NOW)
    assert close_due_wishes(now=NOW + timedelta(days=29)) == 0
    assert close_due_wishes(now=NOW + timedelta(days=30)) == 1
    left.refresh_from_db()
    assert left.state == DataWish.State.ENDED


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", " "),
        ("last_day", date(2014, 2, 1)),
        ("last_day", date(2034, 2, 1)),
        ("resolution_s", -1),
        ("age_s", 0),
        ("minimum_group", 1_001),
        ("limit_price_micro", -1),
        ("deadline_at", NOW),
    ],
)
def test_a_wish_that_nobody_could_meet_is_refused(field: str, value: object) -> None:
    with pytest.raises(Invalid) as refused:
        post(trader("Bakery"), **{field: value})
    assert refused.value.field == field
    assert not DataWish.objects.exists()


@pytest.mark.parametrize(
    ("edges", "field"),
    [
        ((0, 0, 0, 1), "east"),
        ((0, 1, 1, 1), "north"),
        ((-181_000_000, 0, 1, 1), "west"),
        ((0, 0, 1, 91_000_000), "north"),
    ],
)
def test_an_area_is_a_box_on_the_globe(edges: tuple[int, int, int, int], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        Area(*edges)
    assert refused.value.field == field


@pytest.mark.django_db
def test_operators_and_households_wish_for_nothing_and_a_wallet_is_needed() -> None:
    with pytest.raises(RoleNotAllowed):
        post(trader("Hall", "operator"))
    with pytest.raises(WalletMissing):
        post(add_participant(role="planner", name="Planning"))
    with pytest.raises(NotFound):
        post(10**9)
    posted = post(trader("Bakery"))
    with pytest.raises(IntegrityError, match="cannot be buyer_id"), transaction.atomic():
        DataWish.objects.filter(id=posted.id).update(buyer=trader("Hall 2", "operator"))
