"""What tests publish: made-up counts and trips, small, and a provider with a product of each."""

import gzip
from datetime import datetime, timedelta
from typing import Any

from marketplace.services.data.intake import add_upload
from marketplace.services.data.products import create_product
from marketplace.services.data.storage import take_in
from tests.data.trading import NOW

PIECE = 64 * 1024
TERMS: dict[str, Any] = {
    "title": "Cars on the ring road",
    "description": "Loops on all lanes.",
    "theme": "traffic-volume",
    "frequency": "DAILY",
    "licence": "contract",
    "price": {"form": "one_off", "price_micro": 5_000_000},
}
ZIP_CODE = b"94107"


def counts_csv(*, hours: int = 48, sites: int = 3) -> bytes:
    """Return hourly counts of a few detectors."""
    start = datetime(2026, 3, 1)  # noqa: DTZ001 - local time, as such files have it
    rows = [b"detector_id,ts_local,volume"]
    for site in range(sites):
        for hour in range(hours):
            at = start + timedelta(hours=hour)
            rows.append(b"D%03d,%s,%d" % (site, at.isoformat(" ").encode(), 20 + hour % 24 + site))
    return b"\n".join(rows) + b"\n"


def trips_csv(*, count: int = 600) -> bytes:
    """Return trips between four stations in a few hours, most of them in company."""
    start = datetime(2026, 3, 2, 8)  # noqa: DTZ001 - local time, as such files have it
    rows = [b"trip_id,start_local,start_terminal,end_local,end_terminal,bike_id,zip_code"]
    for number in range(count):
        begin = start + timedelta(seconds=45 * (number // 4))
        end = begin + timedelta(minutes=5 + number % 9)
        zip_code = ZIP_CODE if number % 7 == 0 else b"94%03d" % (number % 40)
        rows.append(
            b"%d,%s,%d,%s,%d,%d,%s"
            % (
                *(number, begin.isoformat(" ").encode(), 1 + number % 2),
                *(end.isoformat(" ").encode(), 3 + number % 2, number % 50, zip_code),
            )
        )
    return b"\n".join(rows) + b"\n"


def stations_csv() -> bytes:
    """Return the four stations, two in each of two quarters."""
    south = [(37.7765, -122.3950), (37.7770, -122.3960)]
    places = [*south, (37.7950, -122.4040), (37.7955, -122.4050)]
    rows = [b"station_id,name,lat,long"]
    rows += [b"%d,Station %d,%f,%f" % (n, n, *at) for n, at in enumerate(places, start=1)]
    return b"\n".join(rows) + b"\n"


def product_of(provider_id: int, *, format_: str = "counts", **terms: Any) -> int:
    """Make a draft of a product."""
    return create_product(
        provider_id=provider_id, is_feed=False, format_=format_, terms={**TERMS, **terms}, now=NOW
    )


def upload(
    product_id: int,
    provider_id: int,
    content: bytes,
    *,
    name: str = "file.csv",
    **options: Any,
) -> int:
    """Send a file in for a version, as pages and API do."""
    pieces = (content[at : at + PIECE] for at in range(0, len(content), PIECE))
    return add_upload(
        product_id=product_id,
        participant_ids=[provider_id],
        upload=take_in(pieces),
        file_name=name,
        now=NOW,
        **options,
    )


def packed(content: bytes) -> bytes:
    """Return a file as gzip has it, the same bytes every time."""
    return gzip.compress(content, mtime=0)
