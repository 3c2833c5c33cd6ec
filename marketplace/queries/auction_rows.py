"""What the document of an auction stands for: its rows, as they were logged."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from marketplace.domain.forward.auction_book import (
    FIRST_ORDER,
    auction_key,
    read_auction,
    unpack_rows,
)
from marketplace.models import Auction, MeteringPoint

_KEY: Final = re.compile(r"auction:([1-9][0-9]{0,17})")


def list_auction_rows(*, keys: Sequence[str]) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the rows of auctions by the key of their document; keys of others are left out."""
    wanted = [int(found[1]) for key in keys if (found := _KEY.fullmatch(key))]
    if not wanted:
        return
    for auction in Auction.objects.filter(interval__in=wanted).iterator(chunk_size=20):
        yield auction_key(auction.interval_id), unpack_rows(bytes(auction.book))


def get_own_auction_rows(*, key: str, participant_id: int) -> tuple[list[bytes], list[int]] | None:
    """Return an auction's rows and where a participant's orders stand; None without any."""
    found = next(list_auction_rows(keys=[key]), None)
    if found is None:
        return None
    rows = found[1]
    points = MeteringPoint.objects.filter(site__participant_id=participant_id)
    own = np.array(list(points.values_list("id", flat=True)), dtype=np.int64)
    mine = np.isin(read_auction(rows).orders.metering_point_ids, own)
    places = (np.flatnonzero(mine) + FIRST_ORDER).tolist()
    return (rows, places) if places else None
