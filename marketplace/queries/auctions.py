"""What was traded before delivery, as clearing needs it."""

from collections.abc import Iterator, Mapping

from marketplace.domain.forward.auction_book import read_auction, unpack_rows
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.rules import Rules
from marketplace.models import Auction


def list_held_auctions(*, rules_of: Mapping[int, Rules]) -> Iterator[tuple[int, HeldAuction]]:
    """Yield the auctions of intervals, given with their rules; one book in memory at a time."""
    auctions = Auction.objects.filter(interval__in=list(rules_of)).only("book")
    for auction in auctions.iterator(chunk_size=50):
        stored = read_auction(unpack_rows(bytes(auction.book)))
        yield (
            auction.interval_id,
            HeldAuction.of(stored, rules_of[auction.interval_id].market.zones),
        )


def get_held_auction(*, interval_id: int, rules: Rules) -> HeldAuction | None:
    """Return the auction of an interval; None where nothing was traded ahead."""
    found = dict(list_held_auctions(rules_of={interval_id: rules}))
    return found.get(interval_id)
