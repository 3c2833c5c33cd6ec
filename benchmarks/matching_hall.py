"""A hall with many listed products and open wishes, and the time the matcher takes for all of them.

    python -m benchmarks.matching_hall PRODUCTS WISHES

Prints one line of JSON: seconds for a look at all wishes, and for as many indexed queries of one
product each, in turns; how many wishes were covered by one product, by two, in part.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any, Final

from benchmarks.catalogue_hall import SEED, TOWNS, list_products

TURNS: Final = 5


def build(products: int, wishes: int) -> list[int]:
    """List products, post wishes, return the products' ids."""
    from django.db import connection
    from django.utils import timezone
    from psycopg.types.range import Range

    from marketplace.models import DataProduct, DataWish
    from marketplace.services.people import add_participant

    now = timezone.now()
    ids, _written_s = list_products(products, now=now)
    buyers = [add_participant(role="enterprise", name=f"Buyer {n}") for n in range(20)]
    random = Random(SEED)

    def wish() -> Any:
        format_ = random.choice(("trips", "counts", "gtfs", "gtfs-rt", "gbfs", "datex"))
        is_feed = format_ in ("gtfs-rt", "gbfs")
        west, south = (
            round((edge + random.uniform(-0.2, 0.2)) * 10**6) for edge in random.choice(TOWNS)
        )
        first = date(2022, 6, 1) + timedelta(days=random.randrange(1_200))
        days = 1 + int(random.random() ** 2 * 100)
        return DataWish(
            buyer_id=random.choice(buyers),
            title="Synthetic",
            format=format_,
            kind=DataProduct.Kind.FEED if is_feed else DataProduct.Kind.FILE,
            longitude=Range(west, west + random.randrange(1_000, 60_000)),
            latitude=Range(south, south + random.randrange(1_000, 60_000)),
            period=Range(first, first + timedelta(days=days)),
            resolution_s=random.choice((900, 3_600, 86_400)),
            limit_price_micro=random.randrange(100, 4_000) * 10**6,
            currency="EUR",
            deadline_at=now + timedelta(days=30),
            posted_at=now,
        )

    DataWish.objects.bulk_create([wish() for _ in range(wishes)], batch_size=1_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
    return ids


def measure(ids: list[int], wishes: int) -> dict[str, Any]:
    """Match everything, and read as many single products, in turns. [s]"""
    from django.db import connection

    from marketplace.domain.data.matching import match
    from marketplace.queries.data.matching_columns import listed_products, open_wishes

    random = Random(SEED + 2)
    chosen = [random.choice(ids) for _ in range(wishes)]

    def read_all() -> None:
        with connection.cursor() as cursor:
            for id_ in chosen:
                cursor.execute(
                    "SELECT * FROM marketplace_dataproduct p JOIN marketplace_datafacet f"
                    " ON f.product_id = p.id WHERE p.id = %s",
                    [id_],
                )
                cursor.fetchone()

    found = match(listed_products(), open_wishes())
    matched, read = [], []
    for _ in range(TURNS):
        matched.append(_seconds(lambda: match(listed_products(), open_wishes())))
        read.append(_seconds(read_all))
    return {
        "match_s": min(matched),
        "read_s": min(read),
        "single": sum(bool(each.single_ids) for each in found),
        "pair": sum(each.pair is not None for each in found),
        "part": sum(each.part is not None for each in found),
    }


def _seconds(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def main(argv: list[str]) -> int:
    """Build, measure, print."""
    import django

    django.setup()
    products, wishes = int(argv[1]), int(argv[2])
    print(json.dumps(measure(build(products, wishes), wishes)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
