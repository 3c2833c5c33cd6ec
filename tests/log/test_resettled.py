"""Past days under rules of form 2, re-settled from the log by a validator: the same transfers."""

import re
from datetime import UTC, datetime
from pathlib import Path

from pytest_django.plugin import DjangoDbBlocker

from benchmarks.resettled import make_period, resettle
from ledger.models import Block
from ledger.queries import get_attested_block
from ledger.services.attestation import grant_openings
from marketplace.models import Clearing
from tests import databases
from tests.log.lying_operator import City, Operator, new_city, places_of, working_on
from tests.market.street import Street

DAYS = 2


def test_past_days_are_resettled_from_the_log(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, tmp_path: Path
) -> None:
    """``python -m benchmarks.resettled_month`` does it with a month, and with real processes."""
    now, state = datetime.now(UTC), tmp_path / "state"
    with (
        django_db_blocker.unblock(),
        new_city(f"{databases.worker_name()}_resettled", state) as name,
        working_on(name, places_of(state)),
    ):
        credential = grant_openings(name="vera", now=now)
        make_period(tmp_path, days=DAYS, now=now)
        hall = Operator(City(name, state, Street("Elsewhere"), credential), state)
        hall.publish()
        assert hall.objections() == []
        assert get_attested_block() == Block.objects.latest("number").number

        found = resettle(hall.client)
        assert found.differing == []
        assert (found.books - found.corrections, found.corrections) == (24 * DAYS, 24)
        assert found.codes >= {1, 2, 3, 4, 5, 7, 8}
        assert found.transfers > 17 * 24 * DAYS
        # One reading more than was settled, and the money of its book is other money.
        first = Clearing.objects.order_by("interval").values_list("interval_id", flat=True)[0]
        path = f"documents/book:{first}:1"
        book = hall.client.get_opening(path)
        hall.client.forged[f"openings/{path}"] = re.sub(
            rb'"import_wh":"(\d+)"', rb'"import_wh":"1\1"', book, count=1
        )
        assert resettle(hall.client).differing == [f"settle:{first}:1"]
