"""Sealed: settled, and a quorum has attested the block that the money is in."""

import pytest
from pytest_django import DjangoAssertNumQueries

from analytics.services import roll_up_settled
from ledger.models import InboxCommand
from marketplace.models import DeliveryInterval, Settlement
from marketplace.queries.pages import place_of
from marketplace.queries.pages_operator import list_state_counts
from marketplace.queries.period import count_settled
from marketplace.services.settlement import note_sealed_intervals
from marketplace.tasks import note_sealed_intervals as scheduled
from tests.market.street import Street, at

pytestmark = pytest.mark.django_db

State = DeliveryInterval.State
FLOWS = {"alice": (0, 1000), "bob": (0, 500), "charlie": (1000, 0), "dora": (500, 0)}
NOTHING = dict.fromkeys(FLOWS, (0, 0))


def settled(*hours: int) -> Street:
    street = Street()
    for hour in hours:
        street.send(FLOWS, hour=hour)
    street.run(at(max(hours) + 1))
    return street


def states(street: Street) -> list[int]:
    return list(street.community.intervals.order_by("starts_at").values_list("state", flat=True))


def test_an_interval_is_sealed_once_its_block_is_attested() -> None:
    street = settled(0)
    assert note_sealed_intervals() == 0
    street.attest()
    street.send(FLOWS, hour=1)
    street.run(at(2))

    assert note_sealed_intervals() == 1

    # The second hour's block is younger than what was attested.
    assert states(street) == [State.SEALED, State.SETTLED]
    assert note_sealed_intervals() == 0
    street.attest()
    scheduled()
    assert states(street) == [State.SEALED, State.SEALED]


def test_where_nothing_moved_the_book_is_what_is_attested() -> None:
    street = Street()
    street.send(NOTHING)
    street.run(at(1))
    assert Settlement.objects.get().command_key is None
    assert InboxCommand.objects.filter(key__startswith="book:").exists()

    street.attest()
    assert note_sealed_intervals() == 1


def test_a_correction_opens_a_sealed_interval_again() -> None:
    street = settled(0)
    street.attest()
    assert note_sealed_intervals() == 1

    street.send({"alice": (0, 200)}, now=at(5))
    assert street.interval().has_news
    street.run(at(6))

    assert (street.interval().state, street.interval().revision) == (State.SETTLED, 2)
    assert note_sealed_intervals() == 0
    street.attest()
    assert note_sealed_intervals() == 1
    assert street.interval().state == State.SEALED


def test_what_has_news_is_cleared_before_it_is_sealed() -> None:
    street = settled(0)
    street.attest()
    street.send({"alice": (0, 200)}, now=at(5))

    assert note_sealed_intervals() == 0
    assert street.interval().state == State.SETTLED


def test_a_sealed_interval_counts_as_settled_everywhere() -> None:
    street = settled(0, 1)
    street.attest()
    assert note_sealed_intervals(limit=1) == 1

    assert count_settled(community_id=street.community.id) == (2, 2)
    assert roll_up_settled(community_id=street.community.id) == 2
    [counts] = list_state_counts(places=[place_of(street.community)], now=at(2))
    assert (counts.settled, counts.sealed, counts.late) == (1, 1, 0)


def test_sealing_asks_as_often_for_many_as_for_one(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    street = settled(*range(6))
    street.attest()
    # A savepoint and its end, what is attested, intervals, clearings, blocks, the update.
    with django_assert_num_queries(7):
        assert note_sealed_intervals() == 6
