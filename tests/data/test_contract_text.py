"""The contract as one text: one way to write it, and nothing in it that nobody knows."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft201909Validator
from referencing import Registry, Resource

from ledger.domain.canonical import canonical_json
from marketplace.domain.data import policy as policies
from marketplace.domain.data.contract import (
    MONTHS_MAX,
    TIMES,
    ContractText,
    DeliveryTimes,
    Party,
    after_months,
)
from marketplace.domain.data.policy import DUTIES, PROHIBITIONS, PURPOSES, Policy, offer
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.domain.data.shares import Share
from marketplace.errors import Invalid
from tests.data.trading import PROMISE

AT = datetime(2026, 11, 20, 9, 30, 15, 250_000, tzinfo=UTC)
TEXT = ContractText(
    seller=Party(7, bytes(range(32))),
    buyer=Party(9, bytes(range(1, 33))),
    product_id=12,
    kind="feed",
    format="gbfs",
    version_number=3,
    manifest_sha256="ab" * 32,
    licence="contract",
    currency="EUR",
    price=PriceRule(PriceForm.PER_REQUEST, price_micro=250_000, cap_micro=9_000_000, free_units=10),
    shares=(Share(21, 100_000), Share(20, 50_000)),
    service=PROMISE,
    privacy_budget_micro_epsilon=2_000_000,
    times=TIMES["feed"],
    policy=Policy.of(
        purposes=["transport-planning", "research"],
        duties=["delete", "attribute"],
        delete_after_days=30,
    ),
    months=3,
    valid_from=AT.replace(microsecond=0),
    issued_at=AT,
)


def codes(of: Any) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(sorted(of)), unique=True)


@st.composite
def some_policies(draw: st.DrawFn) -> Policy:
    duties = draw(codes(DUTIES))
    return Policy.of(
        purposes=draw(codes(PURPOSES)),
        prohibitions=draw(codes(PROHIBITIONS)),
        duties=duties,
        delete_after_days=draw(st.integers(0, 3650)) if "delete" in duties else None,
    )


@given(policy=some_policies(), months=st.integers(1, MONTHS_MAX), is_free=st.booleans())
def test_what_is_written_is_read_back(policy: Policy, months: int, is_free: bool) -> None:
    price = PriceRule(PriceForm.FREE) if is_free else TEXT.price
    text = replace(TEXT, policy=policy, months=months, price=price)
    assert ContractText.read(text.body()) == text
    assert Policy.of_json(json.loads(canonical_json(policy.to_json()))) == policy


def _shuffled(value: Any, luck: random.Random) -> Any:
    if isinstance(value, dict):
        names = list(value)
        luck.shuffle(names)
        return {name: _shuffled(value[name], luck) for name in names}
    return [_shuffled(each, luck) for each in value] if isinstance(value, list) else value


def test_the_order_of_names_does_not_matter_but_only_one_is_the_text() -> None:
    written = _shuffled(json.loads(TEXT.body()), random.Random(5))
    assert canonical_json(written) == TEXT.body()
    with pytest.raises(Invalid):
        ContractText.read(json.dumps(written).encode())


def _permission(written: Any) -> Any:
    return written["policy"]["permission"][0]


def _delete_duty(written: Any) -> Any:
    return next(each for each in written["policy"]["obligation"] if each["action"] == "delete")


LIES: dict[str, Callable[[Any], object]] = {
    "unknown name": lambda w: w.update(note="x"),
    "name missing": lambda w: w.pop("licence"),
    "number for text": lambda w: w.update(months=3),
    "zero in front": lambda w: w.update(months="03"),
    "end that is not the months'": lambda w: w.update(valid_until=w["issued"]),
    "months beyond all": lambda w: w.update(months="999999"),
    "unknown kind": lambda w: w.update(kind="tape"),
    "unknown action": lambda w: _permission(w).update(action="play"),
    "unknown operand": lambda w: _permission(w)["constraint"][0].update(leftOperand="spatial"),
    "unknown purpose": lambda w: w["policy"]["permission"][0]["constraint"][2][
        "rightOperand"
    ].append("x"),
    "second permission": lambda w: w["policy"]["permission"].append(_permission(w)),
    "prohibition twice": lambda w: w["policy"]["prohibition"].append(w["policy"]["prohibition"][0]),
    "prohibitions in another order": lambda w: w["policy"]["prohibition"].reverse(),
    "no conflict rule": lambda w: w["policy"].pop("conflict"),
    "other context": lambda w: w["policy"].update({"@context": ["https://evil.example/c"]}),
    "other target": lambda w: w["policy"].update(target="tag:x"),
    "other assignee": lambda w: w["policy"].update(assignee=w["policy"]["assigner"]),
    "more to pay": lambda w: _permission(w)["duty"][0]["constraint"][0]["rightOperand"].update(
        {"@value": "1"}
    ),
    "deletion at another time of day": lambda w: _delete_duty(w)["constraint"][0][
        "rightOperand"
    ].update({"@value": "2027-03-22T09:30:16Z"}),
    "consequence left out": lambda w: w["revocation"]["seller"]["any_time"].pop(),
    "share of more than all": lambda w: w["shares"][0].update(ppm="999999"),
    "step before the one before": lambda w: w["delivery"].update(offer_s="9"),
    "unknown promise": lambda w: w["service_level"].update(speed="1"),
}


@pytest.mark.parametrize("lie", LIES)
def test_one_unknown_term_is_enough(lie: str) -> None:
    written = json.loads(TEXT.body())
    LIES[lie](written)
    assert canonical_json(written) != TEXT.body()
    with pytest.raises(Invalid):
        ContractText.read(canonical_json(written))


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"type":"heliopolis/agreement/1"}'])
def test_what_is_no_contract_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        ContractText.read(body)


def test_a_contract_runs_for_as_many_months_as_may_be() -> None:
    assert ContractText.read(replace(TEXT, months=MONTHS_MAX).body())
    for months in (0, MONTHS_MAX + 1):
        with pytest.raises(Invalid):
            ContractText.read(replace(TEXT, months=months).body())


def test_a_policy_is_closed_also_when_it_is_read_alone() -> None:
    rules = TEXT.odrl()
    assert policies.read_agreement(rules, TEXT.bound) == TEXT.policy
    for other in ({**rules, "spatial": "x"}, {**rules, "timestamp": "2026-11-20T09:30:16Z"}):
        with pytest.raises(Invalid):
            policies.read_agreement(other, TEXT.bound)


def test_lists_of_the_policy_have_one_order() -> None:
    rules = TEXT.odrl()
    for name in ("prohibition", "obligation"):
        assert rules[name] == sorted(rules[name], key=canonical_json)
    constraints = rules["permission"][0]["constraint"]
    assert constraints == sorted(constraints, key=canonical_json)


def test_months_end_on_a_day_that_is() -> None:
    assert after_months(datetime(2027, 1, 31, 8, tzinfo=UTC), 1).day == 28
    assert after_months(datetime(2026, 12, 1, tzinfo=UTC), 12) == datetime(2027, 12, 1, tzinfo=UTC)
    with pytest.raises(Invalid):
        DeliveryTimes(offer_s=5, receive_s=5, key_s=9, window_s=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"purposes": ["espionage"]},
        {"prohibitions": ["breathe"]},
        {"duties": ["delete"]},
        {"delete_after_days": 3},
        {"duties": ["delete"], "delete_after_days": 99_999},
    ],
)
def test_a_policy_of_other_terms_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Policy.of(**wrong)


@pytest.mark.parametrize(
    "document",
    [
        {"type": "x"},
        {**Policy().to_json(), "purposes": "research"},
        {**Policy().to_json(), "duties": ["delete"], "delete_after_days": "007"},
        {**Policy().to_json(), "type": "heliopolis/data-policy/2"},
    ],
)
def test_a_product_policy_is_exactly_of_its_form(document: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        Policy.of_json(document)


@pytest.fixture
def dataspace(real_data: Path) -> Callable[[str, dict[str, Any]], list[str]]:
    """Return a check by the schemas of the Dataspace Protocol; nothing is fetched."""
    registry: Registry[Any] = Registry()
    folder = real_data.parent / "standards" / "dataspace-protocol"
    if not folder.is_dir():
        pytest.skip("the schemas of the Dataspace Protocol do not lie beside the real data")
    for file in folder.rglob("*-schema.json"):
        # Three references of the published schemas lack a slash.
        schema = json.loads(file.read_text().replace("json#definitions/", "json#/definitions/"))
        registry = registry.with_resource(schema["$id"], Resource.from_contents(schema))
    home = "https://w3id.org/dspace/2025/1/negotiation/contract-schema.json#/definitions/"

    def check(what: str, document: dict[str, Any]) -> list[str]:
        schema = {"$schema": "https://json-schema.org/draft/2019-09/schema", "$ref": home + what}
        found = Draft201909Validator(schema, registry=registry).iter_errors(document)
        return [error.message for error in found]

    return check


def test_policies_are_of_the_dataspace_protocol(
    dataspace: Callable[[str, dict[str, Any]], list[str]],
) -> None:
    for policy in (TEXT.policy, Policy(), Policy.of(prohibitions=[], duties=[])):
        assert dataspace("Agreement", replace(TEXT, policy=policy).odrl()) == []
        assert dataspace("Offer", offer(policy, product_id=12)) == []
    free = replace(TEXT, price=PriceRule(PriceForm.FREE))
    assert dataspace("Agreement", free.odrl()) == []
    # Not everything passes.
    wrong = {**TEXT.odrl(), "timestamp": "yesterday"}
    assert dataspace("Agreement", wrong)
    assert TEXT.odrl()["profile"] == policies.PROFILE
