"""A hall with many listed products, made by a seeded generator, and one signed-in person.

    python -m benchmarks.catalogue_hall PRODUCTS

Prints as one line of JSON what a client needs, how long the catalogue's entries took to write, and
what search and a single read take without HTTP.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, Final

PROVIDERS: Final = 40
SEED: Final = 1605
ASKED: Final = 200
TOWNS: Final = ((-122.4, 37.7), (145.1, -37.8), (145.7, -16.9), (121.4, 31.2), (13.4, 52.5))
_THINGS: Final = ("Bike flows", "Loop counts", "Timetables", "Scooters", "公交 到站", "共享单车")


def build(products: int) -> dict[str, Any]:
    """List the products, write their entries, and sign somebody in."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore
    from django.db import connection
    from django.utils import timezone

    from marketplace.models import User
    from marketplace.services.people import add_participant, add_person, join

    ids, written_s = list_products(products, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")

    user = User.objects.get(pk=add_person(email="maps@bench.example", password="sunny-day-37"))  # noqa: S106 - of a hall that lives for a minute
    buyer = add_participant(role="enterprise", name="Maps")
    join(user_id=user.pk, participant_id=buyer)
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    return {
        "ids": ids,
        "session": session.session_key,
        "written_s": written_s,
        **_without_http(ids),
    }


def list_products(count: int, *, now: datetime) -> tuple[list[int], float]:
    """List products of a seeded generator; return their ids and what their entries took. [s]"""
    from marketplace.models import DataProduct, DataVersion
    from marketplace.services.data.catalogue import refresh_many
    from marketplace.services.people import add_participant

    providers = [
        add_participant(role="data_provider", name=f"Provider {number}")
        for number in range(PROVIDERS)
    ]
    random = Random(SEED)
    made = DataProduct.objects.bulk_create(
        [_product(random, providers, now) for _ in range(count)], batch_size=1_000
    )
    DataVersion.objects.bulk_create(
        [_version(random, product, now) for product in made], batch_size=500
    )
    _look_at_feeds(now)
    ids = [product.pk for product in made]
    started = time.perf_counter()
    refresh_many(product_ids=ids, now=now)
    return ids, time.perf_counter() - started


def searches(random: Random) -> Iterator[dict[str, str]]:
    """Yield what people search for, in turns: nothing, facets, boxes and periods, words."""
    while True:
        west, south = (edge + random.uniform(-0.3, 0.2) for edge in random.choice(TOWNS))
        size = random.choice((0.05, 0.2, 2.0))
        box = {"west": west, "south": south, "east": west + size, "north": south + size}
        edges = {name: f"{value:.4f}" for name, value in box.items()}
        first = date(2023, 1, 1) + timedelta(days=random.randrange(1_000))
        days = {"from": str(first), "to": str(first + timedelta(days=90))}
        yield {}
        yield {"kind": str(random.randrange(2)), "format": str(random.randrange(6))}
        yield edges
        yield {**edges, **days, "price": "1", "quality": "3"}
        yield {
            "q": random.choice(("bike", "loop counts", "单车", "timetable 7")),
            "sort": "quality",
        }
        yield {"sort": "newest", "page": str(random.randrange(1, 40))}


def _product(random: Random, providers: list[int], now: datetime) -> Any:
    from marketplace.domain.data.policy import Policy
    from marketplace.domain.data.prices import PriceForm, PriceRule
    from marketplace.domain.data.vocabularies import THEMES
    from marketplace.models import DataProduct

    format_ = random.choice(("trips", "counts", "gtfs", "gtfs-rt", "gbfs", "datex"))
    is_feed = format_ in ("gtfs-rt", "gbfs")
    price = PriceRule(
        PriceForm.SUBSCRIPTION if is_feed else PriceForm.ONE_OFF,
        price_micro=random.randrange(1, 2_000) * 10**6,
    )
    if random.random() < 0.2:
        price = PriceRule(PriceForm.FREE)
    number = random.randrange(10_000)
    listed_at = now - timedelta(hours=random.randrange(1, 5_000))
    return DataProduct(
        provider_id=random.choice(providers),
        kind=DataProduct.Kind.FEED if is_feed else DataProduct.Kind.FILE,
        format=format_,
        state=DataProduct.State.LISTED,
        title=f"{random.choice(_THINGS)} {number}",
        description="Synthetic, of a seeded generator. " * 6,
        keywords=["synthetic", f"series {number % 50}"],
        theme=random.choice(sorted(THEMES)),
        frequency="1MIN" if is_feed else random.choice(("DAILY", "MONTHLY", "IRREG")),
        licence="cc-by-4.0",
        currency="EUR",
        price=price.document(),
        policy=Policy().to_json(),
        source_url="https://feed.example/" if is_feed else "",
        created_at=listed_at,
        listed_at=listed_at,
    )


def _version(random: Random, product: Any, now: datetime) -> Any:
    from marketplace.models import DataVersion

    town = random.choice(TOWNS)
    west, south = (round((edge + random.uniform(-0.4, 0.4)) * 10**6) for edge in town)
    wide, tall = (round(random.random() ** 2 * 400_000) for _ in range(2))
    start = datetime(2022, 1, 1) + timedelta(days=random.randrange(1_400))  # noqa: DTZ001 - text
    end = start + timedelta(days=1 + int(random.random() ** 2 * 600))
    return DataVersion(
        product=product,
        number=1,
        state=DataVersion.State.READY,
        manifest=b"{}",
        manifest_sha256=f"{product.pk:064x}",
        byte_count=10**6,
        row_count=10_000,
        profile={
            "bbox": [west, south, west + wide, south + tall],
            "start": f"{start.isoformat()}Z",
            "end": f"{end.isoformat()}Z",
            "resolution_s": random.choice((0, 60, 900, 3_600)),
            "completeness_ppm": 1_000_000 - int(random.random() ** 3 * 300_000),
            "columns": [{"name": name, "type": "text", "nulls": 0} for name in ("a", "b", "c")],
            "coverage": [{"cell": f"87283082{n:x}ffffff", "count": n} for n in range(1, 7)],
        },
        created_at=product.listed_at,
        published_at=min(now, product.listed_at + timedelta(hours=random.randrange(1_000))),
    )


def _look_at_feeds(now: datetime) -> None:
    """Look at every feed twenty times, some of them better than others."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO marketplace_proberesult (product_id, at, is_up, latency_ms, age_s,
                completeness_ppm, error_count, is_valid, findings, problem)
            SELECT p.id, %s - n * interval '1 minute', (p.id + n) %% 97 > 3, 80, (p.id * n) %% 150,
                1000000, 0, (p.id * 7 + n) %% 31 > 1, '[]', ''
            FROM marketplace_dataproduct p CROSS JOIN generate_series(1, 20) n WHERE p.kind = 2
            """,
            [now],
        )


def _without_http(ids: list[int]) -> dict[str, list[float]]:
    """Time search and a single read by key in this process, in turns. [s]"""
    from django.http import QueryDict

    from config.web.data.catalogue_form import read_filters
    from marketplace.models import DataProduct
    from marketplace.queries.data.catalogue import search

    random = Random(SEED + 1)
    asked = searches(random)
    found: list[float] = []
    read: list[float] = []
    for _ in range(ASKED):
        query = QueryDict(mutable=True)
        query.update(next(asked))
        filters = read_filters(query).filters
        found.append(_seconds(lambda filters=filters: search(filters=filters)))  # type: ignore[misc]  # bound now
        key = random.choice(ids)
        read.append(_seconds(lambda key=key: DataProduct.objects.get(pk=key)))  # type: ignore[misc]  # bound now
    return {"search_s": found, "read_s": read}


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


if __name__ == "__main__":
    import django

    django.setup()
    print(json.dumps(build(int(sys.argv[1]))))
