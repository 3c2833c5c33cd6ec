"""Whoever runs the hall neither sells nor buys in it: no service does it, no row can say it."""

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from marketplace.domain.data import traders
from marketplace.errors import RoleNotAllowed
from marketplace.models import DataProduct, Participant
from marketplace.services.people import add_participant
from tests.data.trading import build_trade

ROLES = [role.value for role in Participant.Role]


def a_product(provider_id: int) -> DataProduct:
    return DataProduct.objects.create(
        provider_id=provider_id,
        kind=DataProduct.Kind.FILE,
        format="counts",
        title="Counts",
        theme="traffic-counts",
        frequency="DAILY",
        licence="contract",
        currency="EUR",
        price={},
        policy={},
        created_at=timezone.now(),
    )


@pytest.mark.parametrize("role", ROLES)
def test_the_database_refuses_a_seller_of_another_role(role: str, db: None) -> None:
    someone = add_participant(role=role, name=role)
    if traders.may_sell(role):
        a_product(someone)
        with pytest.raises(IntegrityError, match="trades data"), transaction.atomic():
            Participant.objects.filter(id=someone).update(role="operator")
        return
    with pytest.raises(IntegrityError, match=f"of role {role} cannot be provider_id"):
        a_product(someone)


def test_roles() -> None:
    assert {role for role in ROLES if traders.may_sell(role)} == {"data_provider", "enterprise"}
    buyers = {"data_provider", "enterprise", "planner"}
    assert {role for role in ROLES if traders.may_buy(role)} == buyers
    for refuse in (traders.check_may_sell, traders.check_may_buy, traders.check_may_share):
        with pytest.raises(RoleNotAllowed):
            refuse("operator")
    with pytest.raises(RoleNotAllowed):
        traders.check_two(7, 7)


@pytest.mark.parametrize("table", ["seller", "buyer"])
def test_the_database_refuses_a_contract_of_the_operator(table: str, db: None) -> None:
    trade = build_trade()
    contract = trade.propose(trade.product())
    operator = add_participant(role="operator", name="Operator")
    contract.pk, contract.sha256 = None, "0" * 64
    setattr(contract, f"{table}_id", operator)
    with pytest.raises(IntegrityError, match="of role operator cannot be"), transaction.atomic():
        contract.save(force_insert=True)
    with pytest.raises(IntegrityError, match="cannot become operator"), transaction.atomic():
        Participant.objects.filter(id=trade.bob).update(role="operator")
