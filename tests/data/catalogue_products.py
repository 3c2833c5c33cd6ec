"""Listed products as rows, for tests that begin with a catalogue: synthetic, every format."""

from datetime import datetime, timedelta
from typing import Any

from marketplace.domain.data.policy import Policy
from marketplace.domain.data.prices import PriceForm, PriceRule
from marketplace.domain.data.service import ServiceLevel
from marketplace.models import DataProduct, DataVersion, ProbeResult

FEEDS = ("gtfs-rt", "gbfs")
BAY = [-122_530_000, 37_700_000, -122_350_000, 37_830_000]
LEVEL = ServiceLevel(availability_ppm=990_000, freshness_ppm=950_000, max_age_s=120)


def product(provider_id: int, format_: str = "counts", *, now: datetime, **other: Any) -> int:
    """Make a listed product with one published version; return its id. Nothing is refreshed."""
    is_feed = other.pop("is_feed", format_ in FEEDS)
    values: dict[str, Any] = {
        "state": DataProduct.State.LISTED,
        "language": "en",
        "title": f"Sample of {format_}",
        "description": "Made for a test.",
        "keywords": ["bike share"],
        "theme": "bike-sharing-availability" if format_ == "gbfs" else "traffic-volume",
        "frequency": "1MIN" if is_feed else "MONTHLY",
        "licence": "cc-by-4.0",
        "currency": "CNY",
        "price": PriceRule(
            PriceForm.SUBSCRIPTION if is_feed else PriceForm.ONE_OFF, price_micro=20_000_000
        ).document(),
        "policy": Policy().to_json(),
        "service_level": LEVEL.to_json() if is_feed else {},
        "source_url": "https://feeds.example/discovery.json" if is_feed else "",
        "created_at": now,
        "listed_at": now,
    }
    version = {"profile": other.pop("profile", profile()), **other.pop("version", {})}
    made = DataProduct.objects.create(
        provider_id=provider_id,
        kind=DataProduct.Kind.FEED if is_feed else DataProduct.Kind.FILE,
        format=format_,
        **values | other,
    )
    publish(made.pk, now=now, **version)
    return made.pk


def publish(product_id: int, *, now: datetime, **values: Any) -> int:
    """Publish another version of a product."""
    number = DataVersion.objects.filter(product_id=product_id).count() + 1
    version = DataVersion.objects.create(
        product_id=product_id,
        number=number,
        state=DataVersion.State.READY,
        manifest=b"{}",
        manifest_sha256=f"{number % 16:x}" * 64,
        byte_count=1_000,
        row_count=values.pop("row_count", 500),
        created_at=now,
        published_at=now,
        **values,
    )
    return version.pk


def profile(**values: Any) -> dict[str, Any]:
    """Return what a format's reader found: counts of an hour each, over three months."""
    found: dict[str, Any] = {
        "rows": 500,
        "columns": [
            {
                "name": "start",
                "type": "time",
                "nulls": 0,
                "min": "2014-03-01T08:00:00Z",
                "max": "2014-06-01T06:00:00Z",
                "distinct": 500,
                "meaning": "start",
            }
        ],
        "bbox": BAY,
        "start": "2014-03-01T08:00:00Z",
        "end": "2014-06-01T07:00:00Z",
        "resolution_s": 3600,
        "completeness_ppm": 985_000,
        "coverage": [
            {"cell": "872830828ffffff", "count": 70},
            {"cell": "87283082affffff", "count": 12},
        ],
        "entities": {"stations": 2},
        "gaps": [],
    }
    return found | values


def look(product_id: int, *, until: datetime, count: int = 20, **values: Any) -> None:
    """Look at a feed once a minute, the last time at ``until``."""
    found = {
        "is_up": True,
        "latency_ms": 80,
        "age_s": 30,
        "record_count": 40,
        "completeness_ppm": 1_000_000,
        "error_count": 0,
        "is_valid": True,
    }
    ProbeResult.objects.bulk_create(
        ProbeResult(product_id=product_id, at=until - timedelta(minutes=ago), **found | values)
        for ago in range(count)
    )
