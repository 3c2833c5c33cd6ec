"""A hall with one feed, one buyer's credential and one signed-in person, for `bench_feed`.

    python -m benchmarks.feed_hall BYTES

Prints what a client needs as one line of JSON. As settings (``DJANGO_SETTINGS_MODULE``) this module
is the hall's, with one view more: it gives the same bytes to whoever is signed in.
"""

# ruff: noqa: F403 - settings that are the hall's but for one

from __future__ import annotations

import hashlib
import json
import os
import sys
from datetime import datetime
from typing import Any

from config.settings import *

ROOT_URLCONF = "benchmarks.feed_hall_urls"
ALLOWED_HOSTS = ["127.0.0.1"]


def build(size: int) -> dict[str, Any]:
    """List a feed, sell it, store a file of so many bytes, and sign somebody in."""
    from django.utils import timezone

    from marketplace.models import FeedState
    from marketplace.services.data import feed_copies
    from marketplace.services.data.credentials import make_credential

    now = timezone.now()
    product_id, contract_id, buyer = _sold(now)
    FeedState.objects.create(
        product_id=product_id,
        name="station_status.json",
        sha256=feed_copies.store(product_id=product_id, body=body_of(size)),
        record_count=size // 200,
        fetched_at=now,
        changed_at=now,
    )
    made = make_credential(contract_id=contract_id, participant_ids=[buyer], label="", now=now)
    return {"product": product_id, "secret": made.secret, "session": _session()}


def _sold(now: datetime) -> tuple[int, int, int]:
    """Sell a feed, with the month's money held; return product, contract and buyer."""
    from ledger.services import SettlementWorker
    from marketplace.services.data.charge_scans import advance_charges
    from marketplace.services.data.contract_drafts import Choice, draft_contract
    from marketplace.services.data.contracts import accept_contract, propose_contract
    from marketplace.services.people import add_participant
    from marketplace.services.wallets import open_wallet, post_deposit

    seller = add_participant(role="data_provider", name="Bikes")
    buyer = add_participant(role="enterprise", name="Maps")
    for each in (seller, buyer):
        open_wallet(participant_id=each, currency="EUR")
    post_deposit(participant_id=buyer, amount_micro=10**12, reference="bench", now=now)
    product_id = _product(seller, now)
    text = draft_contract(product_id=product_id, buyer_id=buyer, choice=Choice(months=1), now=now)
    contract = propose_contract(text=text, participant_id=buyer, signature=None, now=now)
    accept_contract(contract_id=contract.pk, participant_id=seller, signature=None, now=now)
    worker = SettlementWorker(holder="bench")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()
    advance_charges(now=now)
    return product_id, contract.pk, buyer


def _product(seller: int, now: datetime) -> int:
    from marketplace.domain.data.policy import Policy
    from marketplace.models import DataProduct, DataVersion

    product = DataProduct.objects.create(
        provider_id=seller,
        kind=DataProduct.Kind.FEED,
        format="gbfs",
        state=DataProduct.State.LISTED,
        title="Bikes at stations",
        theme="sharing-and-hiring-services",
        frequency="CONT",
        licence="heliopolis-1",
        currency="EUR",
        price={"form": "per_request", "price_micro": 1000, "cap_micro": 10**11},
        policy=Policy.of(purposes=["research"]).to_json(),
        source_url="https://feed.example/gbfs.json",
        created_at=now,
        listed_at=now,
    )
    DataVersion.objects.create(
        product=product,
        number=1,
        state=DataVersion.State.READY,
        manifest=b"{}",
        manifest_sha256=hashlib.sha256(b"{}").hexdigest(),
        created_at=now,
        published_at=now,
    )
    return product.pk


def _session() -> str:
    """Sign somebody in; return what the browser's cookie says."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from marketplace.models import User

    user = User.objects.create_user("maps@bench.example")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    key: str = session.session_key or ""
    return key


def body_of(size: int) -> bytes:
    """Return a file of about so many bytes, as both views give it."""
    stations = [
        {"station_id": str(number), "num_bikes_available": number % 20, "note": "x" * 140}
        for number in range(size // 200)
    ]
    return json.dumps({"data": {"stations": stations}}).encode()


if __name__ == "__main__":
    import django

    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.feed_hall"
    django.setup()
    print(json.dumps(build(int(sys.argv[1]))))
