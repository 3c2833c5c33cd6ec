"""Who trades with whom in coupled zones, where a link buys in one zone and sells in the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from marketplace.domain.clearing import Int64Array
from marketplace.domain.pairing import pair_fills
from marketplace.domain.zones.clearing import CoupledClearing
from marketplace.domain.zones.network import Network

NOBODY: Final = -1


@dataclass(frozen=True, eq=False)
class ZoneTrades:
    """Trades of one zone as columns: row of the book or number of the link on either side.

    On each side one of the two is ``NOBODY``. ``to_link`` takes the energy out of the zone,
    ``from_link`` brought it.
    """

    bid_row: Int64Array
    offer_row: Int64Array
    quantity_wh: Int64Array
    to_link: Int64Array
    from_link: Int64Array


def pair_in_zones(network: Network, clearing: CoupledClearing) -> list[ZoneTrades]:
    """Pair buyers with sellers zone by zone, both sides walked together.

    Parameters
    ----------
    network : Network
        The network that was cleared.
    clearing : CoupledClearing
        The result.

    Returns
    -------
    list of ZoneTrades
        One a zone. On each side the orders come first, most eager first, then the links in their
        order, so that neighbours trade with each other before they trade with other zones. The
        quantities of an order sum to its fill, those of a link to what it takes or brings.
    """
    rows = len(clearing.fills)
    taken = np.concatenate((clearing.fills, np.array(clearing.sent, dtype=np.int64)))
    brought = np.concatenate((clearing.fills, np.array(clearing.received, dtype=np.int64)))
    leaving: list[list[int]] = [[] for _ in network.zones]
    coming: list[list[int]] = [[] for _ in network.zones]
    for number, link in enumerate(network.links):
        if clearing.sent[number]:
            leaving[link.from_zone].append(rows + number)
        if clearing.received[number]:
            coming[link.to_zone].append(rows + number)
    trades = []
    for zone in range(len(network.zones)):
        buying = np.array(leaving[zone], dtype=np.int64)
        selling = np.array(coming[zone], dtype=np.int64)
        pairs = pair_fills(
            np.concatenate((clearing.bid_sequences[zone], buying)),
            taken,
            np.concatenate((clearing.offer_sequences[zone], selling)),
            brought,
        )
        by_link, of_link = pairs.bid_index >= rows, pairs.offer_index >= rows
        trades.append(
            ZoneTrades(
                np.where(by_link, NOBODY, pairs.bid_index),
                np.where(of_link, NOBODY, pairs.offer_index),
                pairs.quantity_wh,
                np.where(by_link, pairs.bid_index - rows, NOBODY),
                np.where(of_link, pairs.offer_index - rows, NOBODY),
            )
        )
    return trades
