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
from typing import Any

from config.settings import *

ROOT_URLCONF = "benchmarks.feed_hall_urls"
ALLOWED_HOSTS = ["127.0.0.1"]


def build(size: int) -> dict[str, Any]:
    """List a feed, sell it, store a file of so many bytes, and sign somebody in."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.utils import timezone

    from ledger.services import SettlementWorker
    from marketplace.domain.data.policy import Policy
    from marketplace.models import DataProduct, DataVersion, FeedState, User
    from marketplace.services.data import feed_copies
    from marketplace.services.data.charge_scans import advance_charges
    from marketplace.services.data.contract_drafts import Choice, draft_contract
    from marketplace.services.data.contracts import accept_contract, propose_contract
    from marketplace.services.data.credentials import make_credential
    from marketplace.services.people import add_participant, add_person
    from marketplace.services.wallets import open_wallet, post_deposit

    now = timezone.now()
    seller = add_participant(role="data_provider", name="Bikes")
    buyer = add_participant(role="enterprise", name="Maps")
    for each in (seller, buyer):
        open_wallet(participant_id=each, currency="EUR")
    post_deposit(participant_id=buyer, amount_micro=10**12, reference="bench", now=now)
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
    text = draft_contract(product_id=product.pk, buyer_id=buyer, choice=Choice(months=1), now=now)
    contract = propose_contract(text=text, participant_id=buyer, signature=None, now=now)
    accept_contract(contract_id=contract.pk, participant_id=seller, signature=None, now=now)
    worker = SettlementWorker(holder="bench")
    assert worker.take_head()
    worker.settle_inbox(now=now)
    worker.give_back()
    advance_charges(now=now)
    FeedState.objects.create(
        product=product,
        name="station_status.json",
        sha256=feed_copies.store(product_id=product.pk, body=body_of(size)),
        record_count=size // 200,
        fetched_at=now,
        changed_at=now,
    )
    made = make_credential(contract_id=contract.pk, participant_ids=[buyer], label="", now=now)
    user = User.objects.get(pk=add_person(email="maps@bench.example", password="sunny-day-37"))  # noqa: S106
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {"product": product.pk, "secret": made.secret, "session": session.session_key}


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
