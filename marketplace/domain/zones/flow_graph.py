"""Flows in a small directed graph: the most that fits through, and the cheapest that balances.

Whole numbers of any size. Nodes and arcs are counted from 0; which of several answers comes out
depends on their order only.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Sequence
from typing import Final

_UNREACHED: Final = -1


class FlowGraph:
    """A graph with capacities and costs. Arc ``a`` has its reverse at ``a ^ 1``."""

    def __init__(self, nodes: int) -> None:
        self.nodes = nodes
        self.arcs_from: list[list[int]] = [[] for _ in range(nodes)]
        self.head: list[int] = []
        self.residual: list[int] = []
        self.cost: list[int] = []

    def add(self, origin: int, target: int, capacity: int, cost: int = 0, flow: int = 0) -> int:
        """Add an arc that already carries ``flow`` and return its number."""
        arc = len(self.head)
        for tail, head, residual, price in (
            (origin, target, capacity - flow, cost),
            (target, origin, flow, -cost),
        ):
            self.arcs_from[tail].append(len(self.head))
            self.head.append(head)
            self.residual.append(residual)
            self.cost.append(price)
        return arc

    def flow(self, arc: int) -> int:
        """Return what an arc carries."""
        return self.residual[arc ^ 1]

    def push(self, arcs: Sequence[int], amount: int) -> None:
        """Send more along arcs."""
        for arc in arcs:
            self.residual[arc] -= amount
            self.residual[arc ^ 1] += amount

    def push_most(
        self,
        source: int,
        sink: int,
        *,
        at_most: int | None = None,
        among: Container[int] | None = None,
    ) -> int:
        """Send as much as fits, or ``at_most``, from source to sink, and return how much it is.

        Parameters
        ----------
        source, sink : int
            Two different nodes.
        at_most : int, optional
            Stop there. Default: what fits.
        among : container of int, optional
            The arcs that may be used. Default: all.

        Returns
        -------
        int
            The flow that was added.

        Notes
        -----
        Dinic's algorithm: O(nodes**2 * arcs), in small graphs of few kinks far less.
        """
        sent = 0
        while at_most is None or sent < at_most:
            levels = self._levels(source, among)
            if levels[sink] == _UNREACHED:
                break
            next_arc = [0] * self.nodes
            while path := self._path(source, sink, levels, next_arc, among):
                amount = min(self.residual[arc] for arc in path)
                if at_most is not None:
                    amount = min(amount, at_most - sent)
                if amount == 0:
                    break
                self.push(path, amount)
                sent += amount
        return sent

    def reached_from(self, source: int) -> list[bool]:
        """Return the nodes that more could be sent to: the source side of the smallest cut."""
        return [level != _UNREACHED for level in self._levels(source, None)]

    def balance(self, excess: Sequence[int]) -> None:
        """Send each node's excess to the nodes that lack, at the least cost.

        Parameters
        ----------
        excess : sequence of int
            What each node has too much, or too little if negative. Sums to 0 and can be balanced.

        Notes
        -----
        Successive shortest paths (Bellman-Ford with a queue), for graphs without a residual loop of
        negative cost; none comes up on the way.
        """
        left = list(excess)
        while any(amount > 0 for amount in left):
            distance, arrived_by = self._cheapest_from(
                [node for node, amount in enumerate(left) if amount > 0]
            )
            reached = [
                (there, node)
                for node, there in enumerate(distance)
                if there is not None and left[node] < 0
            ]
            assert reached, "the excess has nowhere to go"  # the prices promised that it has
            end = node = min(reached)[1]
            path = []
            while (arc := arrived_by[node]) is not None:
                path.append(arc)
                node = self.head[arc ^ 1]
            amount = min(left[node], -left[end], *(self.residual[arc] for arc in path))
            self.push(path, amount)
            left[node] -= amount
            left[end] += amount

    def potentials(self) -> list[int]:
        """Return distances under which no arc that is not full has a negative reduced cost."""
        distance, _ = self._cheapest_from(range(self.nodes))
        return [there if there is not None else 0 for there in distance]

    def _levels(self, source: int, among: Container[int] | None) -> list[int]:
        levels = [_UNREACHED] * self.nodes
        levels[source] = 0
        queue = deque([source])
        while queue:
            node = queue.popleft()
            for arc in self.arcs_from[node]:
                head = self.head[arc]
                if self.residual[arc] and levels[head] == _UNREACHED:
                    if among is not None and arc not in among:
                        continue
                    levels[head] = levels[node] + 1
                    queue.append(head)
        return levels

    def _path(
        self,
        source: int,
        sink: int,
        levels: Sequence[int],
        next_arc: list[int],
        among: Container[int] | None,
    ) -> list[int]:
        """Return arcs from source to sink that climb the levels, none if there is no such way."""
        path: list[int] = []
        node = source
        while node != sink:
            if next_arc[node] < len(self.arcs_from[node]):
                arc = self.arcs_from[node][next_arc[node]]
                climbs = self.residual[arc] and levels[self.head[arc]] == levels[node] + 1
                if climbs and (among is None or arc in among):
                    path.append(arc)
                    node = self.head[arc]
                else:
                    next_arc[node] += 1
            elif path:
                node = self.head[path.pop() ^ 1]
                next_arc[node] += 1
            else:
                return []
        return path

    def _cheapest_from(self, sources: Sequence[int]) -> tuple[list[int | None], list[int | None]]:
        """Return each node's distance from the sources and the arc it is reached by."""
        distance: list[int | None] = [None] * self.nodes
        arrived_by: list[int | None] = [None] * self.nodes
        queue = deque(sources)
        waiting = [False] * self.nodes
        for source in sources:
            distance[source] = 0
            waiting[source] = True
        while queue:
            node = queue.popleft()
            waiting[node] = False
            here = distance[node]
            assert here is not None
            for arc in self.arcs_from[node]:
                head, through = self.head[arc], here + self.cost[arc]
                there = distance[head]
                if self.residual[arc] and (there is None or through < there):
                    distance[head], arrived_by[head] = through, arc
                    if not waiting[head]:
                        waiting[head] = True
                        queue.append(head)
        return distance, arrived_by
