"""Whole flows and prices for networks that lose energy on the way.

The linear programme has no whole optimum then. Its flows are rounded to Wh and what does not meet
any more is put right: along links that are neither empty nor full, towards zones whose orders at
the price leave room, and where there is no such room by serving a little less.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from marketplace.domain.zones.book import ZoneBook
from marketplace.domain.zones.flows import Flows
from marketplace.domain.zones.network import MILLION, Link, Network
from marketplace.domain.zones.welfare_programme import Optimum


def rounded_flows(
    network: Network, books: Sequence[ZoneBook], prices: Sequence[int | None], optimum: Optimum
) -> Flows:
    """Round an optimum to whole Wh that balance in every zone.

    Parameters
    ----------
    network : Network
        Zones and links.
    books : sequence of ZoneBook
        The orders of each zone.
    prices : sequence of int or None
        The prices, None where there is no order: nobody trades beyond their limit at these.
        [micro/kWh]
    optimum : Optimum
        What the solver found.

    Returns
    -------
    Flows
        What arrives is what is sent less the loss, rounded down. Given the flows, each zone trades
        as much as its orders allow at its price.
    """
    rounding = _Rounding(network, books, prices, optimum)
    rounding.carry_to_slack()
    rounding.reduce()
    return rounding.flows()


class _Rounding:
    """Flows on their way from nearly balanced to balanced."""

    def __init__(
        self,
        network: Network,
        books: Sequence[ZoneBook],
        prices: Sequence[int | None],
        optimum: Optimum,
    ) -> None:
        self.links = network.links
        self.sent = [
            min(link.limit_wh, max(0, round(flow)))
            for link, flow in zip(network.links, optimum.sent, strict=True)
        ]
        # Energy that orders with a better limit, and with one as good, want to buy and to sell.
        self.must_buy, self.may_buy, self.must_sell, self.may_sell = (
            [
                0 if price is None else side.wanted(price, and_at=and_at)
                for side, price in zip(sides, prices, strict=True)
            ]
            for sides in ([book.bids for book in books], [book.offers for book in books])
            for and_at in (False, True)
        )
        self.exported = [0] * len(books)
        for link, sent in zip(self.links, self.sent, strict=True):
            self.exported[link.from_zone] += sent
            self.exported[link.to_zone] -= link.received_wh(sent)

    def carry_to_slack(self) -> None:
        """Move what does not meet along links with room, zone by zone, to where there is slack."""
        for zone, number in self._towards_slack():
            excess = self._misfit(zone)
            link, sent = self.links[number], self.sent[number]
            if excess and zone == link.from_zone:
                self._set(number, sent - excess)
            elif excess:
                self._set(number, _sent_for(link, link.received_wh(sent) + excess))

    def reduce(self) -> None:
        """Lower flows until no zone sends more than it can have, or gets more than it can use."""
        queue = deque(range(len(self.exported)))
        while queue:
            zone = queue.popleft()
            for number, link in enumerate(self.links):
                too_much = self.exported[zone] - self.may_sell[zone]
                unused = -self.may_buy[zone] - self.exported[zone]
                if too_much > 0 and link.from_zone == zone and self.sent[number]:
                    self._set(number, self.sent[number] - too_much)
                    queue.append(link.to_zone)
                elif unused > 0 and link.to_zone == zone and self.sent[number]:
                    received = link.received_wh(self.sent[number])
                    self._set(number, _sent_for(link, received - unused))
                    queue.append(link.from_zone)

    def flows(self) -> Flows:
        """Return the flows, and the most that each zone buys and sells with them."""
        bought = [
            min(may_buy, may_sell - exported)
            for may_buy, may_sell, exported in zip(
                self.may_buy, self.may_sell, self.exported, strict=True
            )
        ]
        return Flows(
            tuple(self.sent),
            tuple(link.received_wh(sent) for link, sent in zip(self.links, self.sent, strict=True)),
            tuple(bought),
            tuple(buys + net for buys, net in zip(bought, self.exported, strict=True)),
        )

    def _misfit(self, zone: int) -> int:
        """Return what a zone exports beyond what its orders allow, below 0 what it lacks."""
        exported = self.exported[zone]
        most = self.may_sell[zone] - self.must_buy[zone]
        least = self.must_sell[zone] - self.may_buy[zone]
        return exported - min(max(exported, least), most)

    def _slack(self, zone: int) -> int:
        """Return how far a zone's export may move either way, and its orders still fit."""
        exported = self.exported[zone]
        return min(
            self.may_sell[zone] - self.must_buy[zone] - exported,
            exported - self.must_sell[zone] + self.may_buy[zone],
        )

    def _set(self, number: int, sent: int) -> None:
        link, before = self.links[number], self.sent[number]
        after = min(link.limit_wh, max(0, sent))
        self.exported[link.from_zone] += after - before
        self.exported[link.to_zone] -= link.received_wh(after) - link.received_wh(before)
        self.sent[number] = after

    def _towards_slack(self) -> list[tuple[int, int]]:
        """Return zones, the farthest first, each with its link towards a zone with slack."""
        joined: list[list[tuple[int, int]]] = [[] for _ in self.exported]
        for number, link in enumerate(self.links):
            if 0 < self.sent[number] < link.limit_wh:
                joined[link.from_zone].append((link.to_zone, number))
                joined[link.to_zone].append((link.from_zone, number))
        order: list[tuple[int, int]] = []
        seen = [False] * len(self.exported)
        for root in sorted(range(len(seen)), key=lambda zone: (-self._slack(zone), zone)):
            if seen[root]:
                continue
            seen[root] = True
            queue = deque([root])
            while queue:
                for zone, number in joined[queue.popleft()]:
                    if not seen[zone]:
                        seen[zone] = True
                        order.append((zone, number))
                        queue.append(zone)
        return order[::-1]


def _sent_for(link: Link, received: int) -> int:
    """Return the least that must be sent for ``received`` to arrive."""
    return -(-max(0, received) * MILLION // (MILLION - link.loss_ppm))
