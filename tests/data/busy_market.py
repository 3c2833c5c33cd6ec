"""A busy data market: a buyer asks, buys a feed and files, complains of one and pays for one."""

from datetime import datetime, timedelta

from marketplace.models import DataCharge, DataDispute, DataInvoice, DataProduct
from marketplace.services.data.catalogue import refresh_many
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.credentials import make_credential
from marketplace.services.data.delivery_custody import receive_in_custody
from marketplace.services.data.disputes import open_dispute
from tests.data import catalogue_products
from tests.data.exchanging import Exchange, Trader, agree, go_on, publish_file
from tests.data.feeding import store_files
from tests.data.test_wishes import post

WINDOW = timedelta(days=30)


def trade(ada: Trader, ben: Trader, now: datetime) -> dict[str, int]:
    """Let Ben ask for data, buy a feed, a file that he disputes, and one that is paid for."""
    wish = post(ben.participant_id)
    disputed, paid = (bought(ada, ben, now) for _ in range(2))
    open_dispute(
        charge_id=disputed.row.charge_id,
        participant_ids=[ben.participant_id],
        reason="other",
        statement="Half of it is missing.",
        now=now,
    )
    feed = catalogue_products.product(ada.participant_id, "gbfs", now=now)
    catalogue_products.look(feed, until=now)
    text = draft_contract(
        product_id=feed, buyer_id=ben.participant_id, choice=Choice(months=3), now=now
    )
    contract = propose_contract(
        text=text, participant_id=ben.participant_id, signature=None, now=now
    )
    accept_contract(
        contract_id=contract.pk, participant_id=ada.participant_id, signature=None, now=now
    )
    go_on(now)
    store_files(DataProduct.objects.get(pk=feed), now)
    make_credential(
        contract_id=contract.pk, participant_ids=[ben.participant_id], label="", now=now
    )
    product = paid.contract.product_id
    refresh_many(product_ids=[feed, product], now=now)
    go_on(now + WINDOW)  # who was not complained of is paid
    return {
        "wish": wish.pk,
        "product": product,
        "feed": feed,
        "subscribed": contract.pk,
        "contract": paid.contract.pk,
        "delivery": paid.id,
        "version": paid.contract.version_id,
        "dispute": DataDispute.objects.latest("id").pk,
        "charge": DataCharge.objects.latest("id").pk,
        "invoice": DataInvoice.objects.latest("id").pk,
    }


def bought(ada: Trader, ben: Trader, now: datetime) -> Exchange:
    """Let Ben buy a file and have its key."""
    version = publish_file(ada, content=b"day,trips\n2026-03-01,12\n")
    each = Exchange(ada, ben, agree(version, ada, ben, now).pk)
    go_on(now)
    receive_in_custody(delivery_id=each.id, participant_ids=[ben.participant_id], now=now)
    go_on(now)
    assert each.state == "KEY_OUT"
    return each
