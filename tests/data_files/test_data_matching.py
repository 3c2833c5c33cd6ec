"""When data fits a request, and which offer wins."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from marketplace.domain.data_matching import (
    PRICE_MAX_MICRO,
    DataListing,
    DataTerms,
    best_offer,
    check_price,
    fits,
)
from marketplace.errors import Invalid
from tests.data_files.people import NOW, OFFERED, WANTED

OFFER_TERMS = DataTerms.checked(OFFERED, currency="CNY", is_offer=True)
REQUEST_TERMS = DataTerms.checked(WANTED, currency="CNY", is_offer=False)
REQUEST = DataListing(1, 20, REQUEST_TERMS, 5, NOW)


def offer(number: int, price_micro: int, age_hours: int = 0, **terms: Any) -> DataListing:
    created_at = NOW - timedelta(hours=age_hours)
    return DataListing(number, 10, replace(OFFER_TERMS, **terms), price_micro, created_at)


def test_terms_survive_being_written_down() -> None:
    assert DataTerms.of(OFFER_TERMS.document()) == OFFER_TERMS
    assert DataTerms.of(REQUEST_TERMS.document()) == REQUEST_TERMS
    assert OFFER_TERMS.period_start == datetime(2026, 5, 31, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    "terms",
    [
        {"area": "  old   TOWN "},
        {"resolution_minutes": 15},
        {"period_start": REQUEST_TERMS.period_start, "period_end": REQUEST_TERMS.period_end},
    ],
)
def test_fits(terms: dict[str, Any]) -> None:
    assert fits(offer(1, 5, **terms), REQUEST)


@pytest.mark.parametrize(
    "terms",
    [
        {"area": "New Town"},
        {"kind": "traffic_counts"},
        {"resolution_minutes": 61},
        {"period_start": REQUEST_TERMS.period_start + timedelta(seconds=1)},
        {"period_end": REQUEST_TERMS.period_end - timedelta(seconds=1)},
        {"currency": "EUR"},
    ],
)
def test_does_not_fit(terms: dict[str, Any]) -> None:
    assert not fits(offer(1, 5, **terms), REQUEST)


def test_price_is_a_limit_and_nobody_sells_to_themselves() -> None:
    assert not fits(offer(1, 6), REQUEST)
    assert not fits(replace(offer(1, 5), participant_id=REQUEST.participant_id), REQUEST)


def test_cheapest_wins_then_oldest_then_first() -> None:
    offers = [offer(4, 3, 5), offer(3, 2, 1), offer(2, 2, 9), offer(1, 2, 9), offer(9, 1, area="X")]

    assert best_offer(offers, REQUEST) == offer(1, 2, 9)
    assert best_offer(offers[:2], REQUEST) == offer(3, 2, 1)
    assert best_offer([], REQUEST) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("title", ""),
        ("title", "x" * 201),
        ("title", "two\nlines"),
        ("title", "\0"),
        ("title", 7),
        ("kind", "people"),
        ("kind", None),
        ("kind", ["bike_flows"]),
        ("area", " "),
        ("period_start", "2026-06-01T00:00:00"),
        ("period_start", "yesterday"),
        ("period_start", 0),
        ("period_start", "0001-01-01T00:00:00+14:00"),
        ("period_end", "9999-12-31T23:59:59+00:00"),
        ("period_end", OFFERED["period_start"]),
        ("resolution_minutes", 0),
        ("resolution_minutes", 1.5),
        ("resolution_minutes", True),
        ("resolution_minutes", "60"),
        ("licence", ""),
        ("trips", "one line each"),
    ],
)
def test_bad_terms_name_their_field(field: str, value: object) -> None:
    with pytest.raises(Invalid) as caught:
        DataTerms.checked({**OFFERED, field: value}, currency="CNY", is_offer=True)
    assert caught.value.field == field


@pytest.mark.parametrize("price", [-1, PRICE_MAX_MICRO + 1])
def test_prices_have_bounds(price: int) -> None:
    check_price(0, field="price_micro")
    check_price(PRICE_MAX_MICRO, field="price_micro")
    with pytest.raises(Invalid):
        check_price(price, field="price_micro")
