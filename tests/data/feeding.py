"""A feed of bikes that Bob has a contract for, with bytes as the hall would have fetched them."""

import json
from datetime import datetime
from typing import Any

from django.test import Client

from marketplace.domain.data import feed_files
from marketplace.models import DataContract, DataProduct, FeedState
from marketplace.services.data import feed_copies
from marketplace.services.data.credentials import make_credential
from tests.data.charged import settle
from tests.data.trading import Trade

DISCOVERY: dict[str, Any] = {
    "last_updated": 1,
    "ttl": 60,
    "version": "2.3",
    "data": {
        "en": {
            "feeds": [
                {"name": name, "url": f"https://feed.example/{name}.json"}
                for name in ("station_status", "free_bike_status")
            ]
        }
    },
}
STATIONS = {"data": {"stations": [{"station_id": str(n)} for n in range(40)]}}
BIKES = {
    "data": {
        "bikes": [
            {"bike_id": f"bike-{n}", "rental_uris": {"web": f"https://feed.example/{n}"}}
            for n in range(5)
        ]
    }
}
METERED = {"form": "per_record", "price_micro": 1_000_000, "cap_micro": 100_000}


def store_files(product: DataProduct, now: datetime) -> None:
    """Store a discovery file, forty stations and five bikes."""
    found = feed_files.read_discovery(json.dumps(DISCOVERY).encode())
    bodies = {
        "gbfs": feed_files.served_discovery(found, found.urls),
        "station_status": json.dumps(STATIONS).encode(),
        "free_bike_status": json.dumps(BIKES).encode(),
    }
    for name, body in bodies.items():
        FeedState.objects.create(
            product=product,
            name=f"{name}.json",
            sha256=feed_copies.store(product_id=product.pk, body=body),
            record_count=feed_files.record_count(name, body),
            fetched_at=now,
            changed_at=now,
        )


def buy_feed(trade: Trade, now: datetime, **terms: Any) -> DataContract:
    """Let Bob agree on a feed of Alice's, with its first month's money held."""
    product = trade.product(is_feed=True, **terms)
    contract = trade.agree(product, now=now)
    settle(now)
    store_files(product, now)
    return contract


def make_secret(contract: DataContract, now: datetime) -> str:
    """Make a credential of Bob's."""
    made = make_credential(
        contract_id=contract.pk, participant_ids=[contract.buyer_id], label="", now=now
    )
    return made.secret


def ask(contract: DataContract, secret: str, name: str, **headers: str) -> Any:
    """Ask the proxy for a file, as a program does."""
    address = f"/feeds/{contract.product_id}/{name}"
    return Client().get(address, headers={"Authorization": f"Bearer {secret}", **headers})
