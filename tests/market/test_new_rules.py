"""New rules, also ones dated back, change nothing that was cleared: all of it recomputes."""

from typing import Any

import pytest

from ledger.services import verify_book
from marketplace.domain.rules import preset
from marketplace.models import Clearing
from marketplace.services.places import add_rule_set
from marketplace.services.verification import verify_clearings
from tests.market.street import Flows, Street, at, flat_rules

HOURS = 3
FLOWS: Flows = {"alice": (0, 1003), "bob": (0, 507), "charlie": (1009, 0), "dora": (411, 0)}
OTHERS: Flows = {**FLOWS, "alice": (0, 1400), "dora": (611, 0)}
KEYS_OF_FORM_2: dict[str, Any] = {
    key: each for key, each in preset("demo-agreements").items() if key not in flat_rules()
}
SHARED = {**KEYS_OF_FORM_2, "pricing": "mid_market"}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("old", "new"), [({}, SHARED), (SHARED, {"platform_fee_micro_per_kwh": 0})], ids=["1", "2"]
)
def test_new_rules_never_alter_a_past_interval(old: dict[str, Any], new: dict[str, Any]) -> None:
    street = Street(**old)
    for hour in range(HOURS):
        street.send(FLOWS, hour=hour)
    street.run(at(HOURS))
    booked, [rules] = street.balances(), street.community.rule_sets.all()

    # In force from the second hour on, which is settled already.
    changed = flat_rules(retail_tariff=preset("demo")["retail_tariff"], **new)
    now = at(HOURS)
    added = add_rule_set(
        community_id=street.community.id, document=changed, effective_from=at(1), now=now
    )
    street.run(now)
    assert verify_clearings() == HOURS
    # Corrected and taken back, each interval has the book that it had, and everybody their money.
    for flows in (OTHERS, FLOWS):
        for hour in range(HOURS):
            street.send(flows, hour=hour, now=now)
        street.run(now)
        assert (street.balances() == booked) == (flows is FLOWS)
    for hour in range(HOURS):
        first, second, third = street.clearings(hour)
        assert first.book_sha256 == third.book_sha256 != second.book_sha256
        assert {each.rule_set_id for each in (first, second, third)} == {rules.id}
    assert verify_clearings() == 3 * HOURS

    # What comes now goes by the new ones, and is other money.
    street.send(FLOWS, hour=HOURS, now=at(HOURS + 1))
    street.run(at(HOURS + 1))
    latest = Clearing.objects.get(interval=street.interval(HOURS))
    assert latest.rule_set_id == added.id
    assert latest.book_sha256 != first.book_sha256
    assert verify_clearings() == 3 * HOURS + 1
    assert verify_book().refused == 0
