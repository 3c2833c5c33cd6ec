"""Many at once: the cap holds to the unit, a revocation is final, a feed is looked at by one."""

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone
from pytest_django.fixtures import Settings

from marketplace.domain.data.feed_meter import Answer
from marketplace.models import DataCharge, DataContract, FeedCredential, FeedUse, ProbeResult
from marketplace.services.data import feeds, probes, service_credits
from marketplace.services.data.credentials import revoke_credential
from tests.conftest import CommittedDatabase
from tests.data.feed_source import running_source
from tests.data.feeding import METERED, buy_feed, make_secret
from tests.data.trading import Trade, build_trade

pytestmark = pytest.mark.usefixtures("stopped_clock")

CLIENTS = 50


@pytest.fixture
def trade(committed_db: CommittedDatabase, settings: Settings) -> Trade:
    settings.FETCH_ALLOWS_LOOPBACK = True
    return build_trade()


def at_once(count: int, act: Callable[[int], object]) -> list[object]:
    """Do something in threads that begin together, each with a connection of its own."""
    start = threading.Barrier(count)

    def run(number: int) -> object:
        try:
            start.wait(30)
            return act(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(max_workers=count) as pool:
        return list(pool.map(run, range(count)))


def test_fifty_clients_at_once_do_not_exceed_the_cap(trade: Trade) -> None:
    now = timezone.now()
    # A cap of one thousand records: twenty-five times forty stations.
    contract = buy_feed(trade, now, price={**METERED, "cap_micro": 1_000_000})
    hashes = [feeds.secret_hash(make_secret(contract, now)) for _ in range(5)]

    def ask(number: int) -> list[Answer]:
        return [
            feeds.take(
                secret_sha256=hashes[number % len(hashes)],
                product_id=contract.product_id,
                name="station_status.json",
                now=now,
            ).answer
            for _ in range(2)
        ]

    answers: Counter[Answer] = Counter()
    for each in at_once(CLIENTS, ask):
        assert isinstance(each, list)
        answers.update(each)
    use = FeedUse.objects.get()
    assert answers == {Answer.SERVED: 25, Answer.CAP_REACHED: 2 * CLIENTS - 25}
    assert (use.request_count, use.record_count, use.record_limit) == (25, 1000, 1000)


def test_nothing_is_given_or_counted_once_revoked_or_closed(trade: Trade) -> None:
    now = timezone.now()
    contract = buy_feed(trade, now)
    secret = feeds.secret_hash(make_secret(contract, now))
    other = feeds.secret_hash(make_secret(contract, now))
    credential = FeedCredential.objects.order_by("id")[0]
    revoked_at: list[float] = []
    over = DataCharge.objects.get().period_end

    def act(number: int) -> list[tuple[float, Answer]]:
        if number == 0:
            time.sleep(0.2)
            revoke_credential(credential_id=credential.pk, participant_ids=[trade.bob], now=now)
            revoked_at.append(time.monotonic())
            service_credits.close_due_months(now=over)
            return []
        seen = []
        ends_at = time.monotonic() + 0.5
        while time.monotonic() < ends_at:
            asked_at = time.monotonic()
            taken = feeds.take(
                secret_sha256=secret if number % 2 else other,
                product_id=contract.product_id,
                name="gbfs.json",
                now=now,
            )
            seen.append((asked_at, taken.answer))
        return seen

    results = [each for each in at_once(9, act) if isinstance(each, list)]
    by_revoked = [pair for each in results[1::2] for pair in each]
    assert Answer.SERVED in {answer for _, answer in by_revoked}
    assert {answer for at, answer in by_revoked if at > revoked_at[0]} == {Answer.REVOKED}
    served = sum(answer is Answer.SERVED for each in results for _, answer in each)
    use = FeedUse.objects.get()
    # What was billed is exactly what was given, whoever came first.
    assert (use.request_count, use.closed_at) == (served, over)
    assert DataContract.objects.get().charges.get().state == DataCharge.State.DELIVERING


def test_two_workers_do_not_look_at_the_same_feed(trade: Trade) -> None:
    now = timezone.now()
    with running_source() as source:
        source.put_stations(3, now)
        products = [trade.product(is_feed=True, source_url=source.url("gbfs")).pk for _ in range(3)]
        probes.watch_listed_feeds(now=now)
        looked = at_once(4, lambda _: probes.look_at_due_feeds(now=now))
        assert sum(int(str(each)) for each in looked) == len(products)
        assert sorted(ProbeResult.objects.values_list("product", flat=True)) == products
        assert source.asked.count("/gbfs") == len(products)

        # One that takes longer than its rhythm is not joined by a second look.
        source.hangs.set()
        slow = threading.Thread(target=lambda: _look_and_close(now + timedelta(minutes=2)))
        slow.start()
        while source.asked.count("/gbfs") < 2 * len(products):
            time.sleep(0.01)
        assert probes.look_at_due_feeds(now=now + timedelta(minutes=4)) == 0
        source.over.set()
        slow.join()


def _look_and_close(now: datetime) -> None:
    try:
        probes.look_at_due_feeds(now=now)
    finally:
        connection.close()
