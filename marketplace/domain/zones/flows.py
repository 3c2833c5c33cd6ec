"""Flows between coupled zones at prices that are known: which of the optimal ones it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from marketplace.domain.zones.book import ZoneBook
from marketplace.domain.zones.flow_graph import FlowGraph
from marketplace.domain.zones.network import Network


@dataclass(frozen=True)
class Flows:
    """What each link carries, and what each zone buys and sells. [Wh]"""

    sent: tuple[int, ...]
    received: tuple[int, ...]
    bought: tuple[int, ...]
    sold: tuple[int, ...]


def chosen_flows(network: Network, books: Sequence[ZoneBook], prices: Sequence[int]) -> Flows:
    """Choose among all optimal fills and flows of a network without losses.

    Parameters
    ----------
    network : Network
        Without losses.
    books : sequence of ZoneBook
        The orders of each zone.
    prices : sequence of int
        Any optimal prices; they do not change the choice. [micro/kWh]

    Returns
    -------
    Flows
        Of the optimal ones that with the most energy bought, of these that with the least energy
        sent over all links, of these that whose flows, in the order of the links, are the
        smallest in the order of lists: there is only one.

    Notes
    -----
    At optimal prices, orders with a better limit trade, those with a worse one do not, a link
    that gains is full and one that loses is empty. What is left open is a small problem: a hub
    stands for the orders at the price, a bid that is not served costs more than all links of a
    path, a link costs 1.
    """
    zones = len(books)
    hub = zones
    weight = zones + 1
    graph = FlowGraph(zones + 1)
    excess = [0] * (zones + 1)
    margins = []
    for zone, (book, price) in enumerate(zip(books, prices, strict=True)):
        must_buy, may_buy = (book.bids.wanted(price, and_at=at) for at in (False, True))
        must_sell, may_sell = (book.offers.wanted(price, and_at=at) for at in (False, True))
        offers = graph.add(hub, zone, may_sell - must_sell)
        # Starts out served, so that no arc with anything left has a negative cost.
        bids = graph.add(zone, hub, may_buy - must_buy, -weight, may_buy - must_buy)
        margins.append((must_buy, bids, must_sell, offers))
        excess[zone] += must_sell - may_buy
        excess[hub] += may_buy - must_sell
    sent = [0] * len(network.links)
    free: dict[int, int] = {}
    for number, link in enumerate(network.links):
        apart = prices[link.to_zone] - prices[link.from_zone] - link.fee_micro_per_kwh
        if apart > 0:
            sent[number] = link.limit_wh
            excess[link.from_zone] -= link.limit_wh
            excess[link.to_zone] += link.limit_wh
        elif apart == 0 and link.limit_wh:
            free[number] = graph.add(link.from_zone, link.to_zone, link.limit_wh, 1)
    graph.balance(excess)
    _lower_in_order(graph, list(free.values()))
    for number, arc in free.items():
        sent[number] = graph.flow(arc)
    return Flows(
        tuple(sent),
        tuple(sent),
        tuple(must + graph.flow(arc) for must, arc, _, _ in margins),
        tuple(must + graph.flow(arc) for _, _, must, arc in margins),
    )


def _lower_in_order(graph: FlowGraph, links: Sequence[int]) -> None:
    """Lower the flows one after the other, as far as the cost and those before it allow."""
    potentials = graph.potentials()
    ends = [(graph.head[arc ^ 1], graph.head[arc]) for arc in range(len(graph.head))]
    # Flow that moves along these arcs only costs nothing; along others it costs something.
    usable = {
        arc
        for arc, (tail, head) in enumerate(ends)
        if graph.cost[arc] + potentials[tail] - potentials[head] == 0
    }
    for arc in links:
        is_usable = arc in usable
        usable -= {arc, arc ^ 1}
        flow = graph.flow(arc)
        if is_usable and flow:
            around = graph.push_most(*ends[arc], at_most=flow, among=usable)
            graph.push([arc ^ 1], around)
