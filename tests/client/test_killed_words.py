"""Client and web killed around every word that is signed, from the contract to the complaint."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from client.hall import Hall
from marketplace.models import DataCharge, DataContract, DataDelivery, DataRewrap, DataVersion
from marketplace.services.data import charges, contracts, deliveries
from marketplace.services.data.contract_drafts import Choice, draft_contract
from marketplace.services.data.contracts import accept_contract, propose_contract
from marketplace.services.data.products import list_product
from tests.client.bad_chunk import with_bad_chunk
from tests.client.conftest import Market
from tests.client.served import KILLED, Death, ended, fork
from tests.data.exchanging import CONTENT, PRICE_MICRO, Exchange, agree, publish_file
from tests.data.publishing import product_of, stations_csv, trips_csv

NOT_SENT, NOT_READ = Death(Hall, "post", before=True), Death(Hall, "post")
BROKEN_PROMISE, WAITS = 5, 6


def test_contract_and_origin_are_signed_once(market: Market, tmp_path: Path) -> None:
    hall, ann, ben = market.hall, market.ann, market.ben
    version, before = publish_file(ann), ben.balance
    # The first question is for the text, the second brings it signed.
    drafted = [NOT_READ, Death(Hall, "post", call=2, before=True), Death(Hall, "post", call=2)]
    buy = ("buy", str(version.product_id), "--months", "3")
    for death in drafted:
        assert hall.client(ben, *buy, death=death) == KILLED, death
    assert hall.client(ben, *buy) == 0
    contract = DataContract.objects.get(version=version)
    for death in (NOT_SENT, NOT_READ):
        assert hall.client(ann, "sign", str(contract.pk), death=death) == KILLED, death
    assert hall.client(ann, "sign", str(contract.pk)) == 0
    assert hall.client(ben, *buy) == 0
    hall.go_on()
    for death in (NOT_SENT, NOT_READ):
        assert hall.client(ann, "sell", death=death) == KILLED, death
    assert hall.client(ann, "sell") == 0
    sold = Exchange(ann, ben, DataDelivery.objects.get(contract__version=version).pk)
    origin = sold.row.origin_body
    assert (sold.state, sold.money) == ("OFFERED", "HELD")

    # The folder is lost with its key, and the client is killed while it asks for another.
    assert hall.client(ben, "receive", str(sold.id), "--into", str(tmp_path / "lost")) == WAITS
    hall.go_on()
    again = (str(sold.id), "--into", str(tmp_path / "again"))
    assert hall.client(ben, "receive", *again) == 1
    for death in (NOT_SENT, NOT_READ):
        assert hall.client(ben, "rewrap", *again, death=death) == KILLED, death
    assert hall.client(ben, "rewrap", *again) == 0
    assert hall.client(ben, "receive", *again) == 0
    assert (tmp_path / "again" / "counts.csv").read_bytes() == CONTENT
    hall.go_on()
    assert DataRewrap.objects.filter(delivery=sold.id).count() == 2
    assert (sold.state, sold.row.origin_body) == ("ACCEPTED", origin)
    assert before - ben.balance == PRICE_MICRO


def test_a_complaint_is_heard_once(market: Market, tmp_path: Path) -> None:
    hall, ben = market.hall, market.ben
    version, before = with_bad_chunk(publish_file(market.ada), index=1), ben.balance
    sold = Exchange(market.ada, ben, agree(version, market.ada, ben, hall.now).pk)
    hall.go_on()
    into = (str(sold.id), "--into", str(tmp_path))
    assert hall.client(ben, "receive", *into) == WAITS
    hall.go_on()
    assert hall.client(ben, "receive", *into) == BROKEN_PROMISE
    for death in (NOT_SENT, NOT_READ):
        assert hall.client(ben, "complain", *into, death=death) == KILLED, death
    assert hall.client(ben, "complain", *into) == 0
    hall.go_on()
    assert (sold.state, sold.money, ben.balance) == ("ENDED", "REFUNDED", before)
    assert hall.client(ben, "complain", *into) == 0
    assert ben.balance == before


def test_a_home_package_is_published_once(
    market: Market, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hall, ann = market.hall, market.ann
    monkeypatch.chdir(tmp_path)
    Path("trips.csv").write_bytes(trips_csv())
    Path("stations.csv").write_bytes(stations_csv())
    theme = "bike-sharing-availability"
    product_id = product_of(ann.participant_id, format_="trips", theme=theme)
    told = ("--format", "trips", "--stations", "stations.csv", "--out", "gated")
    assert hall.client(ann, "gate", "trips.csv", *told) == 0
    sent = [NOT_SENT, NOT_READ, Death(Hall, "send", before=True), Death(Hall, "send")]
    for death in sent:
        assert hall.client(ann, "publish", str(product_id), "gated", death=death) == KILLED, death
    assert hall.client(ann, "publish", str(product_id), "gated") == WAITS
    hall.go_on()
    assert hall.client(ann, "publish", str(product_id), "gated") == 0
    version = DataVersion.objects.get(product=product_id)
    assert (version.state, version.gated_at_home) == (DataVersion.State.READY, True)
    list_product(product_id=product_id, participant_ids=[ann.participant_id], now=hall.now)


def test_a_web_server_killed_inside_each_transaction(market: Market) -> None:
    hall, ada, ben = market.hall, market.ada, market.ben
    version, before = publish_file(ada, automatic=False), ben.balance
    text = draft_contract(
        product_id=version.product_id,
        buyer_id=ben.participant_id,
        choice=Choice(),
        now=hall.now,
    )
    assert ben.own_key is not None
    propose = partial(
        propose_contract,
        text=text,
        participant_id=ben.participant_id,
        signature=ben.own_key.sign(text.body()),
        now=hall.now,
    )
    dies(Death(contracts, "tell"), propose)
    assert not DataContract.objects.filter(version=version).exists()
    contract = propose()
    accept = partial(
        accept_contract,
        contract_id=contract.pk,
        participant_id=ada.participant_id,
        signature=None,
        now=hall.now,
    )
    for death in (
        Death(contracts, "submit"),
        Death(charges, "open_first_charge"),
        Death(deliveries, "begin"),
    ):
        dies(death, accept)
        assert not DataCharge.objects.filter(contract=contract).exists()
    accept()
    sold = Exchange(ada, ben, DataDelivery.objects.get(contract=contract).pk)
    hall.go_on()
    dies(Death(deliveries, "log_step"), partial(sold.offer, hall.now))
    assert (sold.state, sold.row.origin_body) == ("HELD", None)
    sold.offer(hall.now)
    sold.receive(now=hall.now)
    hall.go_on()
    assert (sold.state, before - ben.balance) == ("KEY_OUT", PRICE_MICRO)
    word = sold.acceptance(hall.now)
    say = partial(
        deliveries.accept,
        delivery_id=sold.id,
        participant_ids=[ben.participant_id],
        body=word.body(),
        signature=ben.sign(word),
        now=hall.now,
    )
    dies(Death(deliveries, "log_step"), say)
    assert (sold.state, sold.row.outcome_body) == ("KEY_OUT", None)
    say()
    hall.go_on()
    assert (sold.state, sold.money, before - ben.balance) == ("ACCEPTED", "IN_WINDOW", PRICE_MICRO)


def dies(death: Death, act: Callable[[], object]) -> None:
    """Do it in a process that is killed on the way."""

    def dying() -> int:
        death.prepare()
        act()
        return os.EX_OK

    assert ended(fork(dying)) == KILLED, death
