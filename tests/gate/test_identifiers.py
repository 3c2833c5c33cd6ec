"""Pseudonyms are the same within their scope, and nothing leads from one scope to another."""

import itertools
from datetime import date

import pytest

from gate.identifiers import Pseudonyms

KEY, OTHER = bytes(range(32)), bytes(32)
TODAY, TOMORROW = date(2026, 3, 28), date(2026, 3, 29)
FLEET = [f"bike-{number}" for number in range(687)]


def test_scopes_share_no_pseudonym() -> None:
    scopes = [
        Pseudonyms.of_day(KEY, TODAY),
        Pseudonyms.of_day(KEY, TOMORROW),
        Pseudonyms.of_day(OTHER, TODAY),
        Pseudonyms.of_buyer(KEY, "contract-1"),
        Pseudonyms.of_buyer(KEY, "contract-2"),
        Pseudonyms.of_buyer(KEY, "contract-1", TODAY),
    ]
    lists = [scope.of_all(FLEET) for scope in scopes]

    assert all(len(set(names)) == len(FLEET) for names in lists)
    for one, other in itertools.combinations(lists, 2):
        assert not set(one) & set(other)
    assert Pseudonyms.of_day(KEY, TODAY).of_all(FLEET) == lists[0]
    assert not {"bike", "687"} & set("".join(lists[0]).split("-"))


def test_a_policy_names_its_scope() -> None:
    daily = Pseudonyms.by_policy("rotate-daily", KEY, contract="c", day=TODAY)
    assert daily.of("B1") == Pseudonyms.of_day(KEY, TODAY).of("B1")
    buyer = Pseudonyms.by_policy("per-buyer", KEY, contract="c", day=TODAY)
    assert buyer.of("B1") == Pseudonyms.of_buyer(KEY, "c").of("B1")
    # For a second implementation.
    assert daily.of("B1") == "e5c34401ddadccacbe63"
    with pytest.raises(ValueError, match="dropped"):
        Pseudonyms.by_policy("drop", KEY, contract="c", day=TODAY)
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonyms.of_day(b"short", TODAY)
