"""Several importers, clearers and settlers at once: no effect beyond the first."""

from collections.abc import Callable
from threading import Barrier, Thread

from django.db import connection

from ledger.services import verify_book
from marketplace import tasks
from marketplace.models import Clearing, Match, Reading, Settlement
from marketplace.services.clearing import clear_due_intervals, meter_intervals
from marketplace.services.settlement import note_booked_settlements, settle_clearings
from tests.conftest import CommittedDatabase
from tests.market.street import DEADLINE, Street, at

HOURS = 12
THREADS = 4
FLOWS = {"alice": (0, 3000), "bob": (0, 1001), "charlie": (2500, 0), "dora": (1000, 0)}


def together(*works: Callable[[], object]) -> None:
    """Run works in threads that start at the same moment; fail with the first that fails."""
    barrier, failures = Barrier(len(works)), list[BaseException]()

    def run(work: Callable[[], object]) -> None:
        try:
            barrier.wait(30)
            work()
        except BaseException as failure:
            failures.append(failure)
        finally:
            connection.close()

    threads = [Thread(target=run, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if failures:
        raise failures[0]


def test_importers_at_once_number_their_versions_and_lose_nothing(
    committed_db: CommittedDatabase,
) -> None:
    street = Street()
    batches = [
        {meter: (100 * number + place, 0) for place, meter in enumerate(street.meters)}
        for number in range(1, THREADS + 1)
    ]

    together(*(lambda batch=batch: street.send(batch) for batch in batches))

    for meter in street.meters:
        stored = Reading.objects.filter(metering_point=street.point(meter)).order_by("version")
        assert [each.version for each in stored] == [1, 2, 3, 4]
        assert {each.import_wh for each in stored} == {batch[meter][0] for batch in batches}


def test_everything_at_once_has_the_effect_of_one(committed_db: CommittedDatabase) -> None:
    street = Street()
    for hour in range(HOURS):
        street.send(FLOWS, hour=hour)
    alone = Street("Alone")
    for hour in range(HOURS):
        alone.send(FLOWS, hour=hour)
    alone.run(at(HOURS))
    community_id, now = street.community.id, at(HOURS)

    def advance() -> None:
        for _ in range(HOURS):
            meter_intervals(community_id=community_id, now=now)
            clear_due_intervals(community_id=community_id, now=now, limit=3)
            settle_clearings(community_id=community_id, now=now, limit=3)
            note_booked_settlements()

    together(*[advance] * THREADS)
    street.run(now)

    assert Clearing.objects.filter(interval__community=street.community).count() == HOURS
    settlements = Settlement.objects.filter(clearing__interval__community=street.community)
    assert settlements.count() == HOURS
    assert Match.objects.filter(interval__community=street.community).count() == sum(
        len(street.trades(hour)) for hour in range(HOURS)
    )
    assert street.balances() == alone.balances()
    verify_book()


def test_a_task_delivered_twice_or_at_once_does_nothing_more(
    committed_db: CommittedDatabase,
) -> None:
    street = Street()
    street.send(FLOWS)
    together(*[tasks.advance_due_intervals] * THREADS)
    street.run(at(1) + DEADLINE)
    before = street.balances(), street.transfers().tolist()

    tasks.advance_due_intervals()
    tasks.advance_due_intervals()
    street.run(at(1) + DEADLINE)

    assert (street.balances(), street.transfers().tolist()) == before
    assert len(street.clearings()) == 1


def test_a_reading_that_comes_while_its_interval_is_cleared_is_not_lost(
    committed_db: CommittedDatabase,
) -> None:
    street, alone = Street(), Street("Alone")
    corrected = {**FLOWS, "alice": (0, 2)}
    for hour in range(HOURS):
        street.send(FLOWS, hour=hour)
        alone.send(corrected, hour=hour)

    def correct() -> None:
        for hour in range(HOURS):
            street.send({"alice": (0, 2)}, hour=hour)

    def clear() -> None:
        for _ in range(HOURS):
            meter_intervals(community_id=street.community.id, now=at(HOURS))
            clear_due_intervals(community_id=street.community.id, now=at(HOURS), limit=1)

    together(correct, clear)
    street.run(at(HOURS))
    alone.run(at(HOURS))

    assert street.balances() == alone.balances()
