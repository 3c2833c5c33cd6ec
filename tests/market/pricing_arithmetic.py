"""What each pricing comes to, from docs/rules.md and docs/market.md alone: slow, plain, and ours
only in name. Readings in, money by member and party out; nothing of the hall is imported.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

PRICINGS = (
    "uniform",
    "pay_as_bid",
    "mid_market",
    "supply_demand_ratio",
    "sharing_static",
    "sharing_dynamic",
)
Energies = dict[str, int]
Readings = Mapping[str, tuple[int, int]]


@dataclass(frozen=True)
class Prices:
    """Retail, feed-in and fee of an interval, and what follows from them. [micro/kWh]"""

    retail: int
    feed_in: int
    fee: int

    @property
    def ceiling(self) -> int:
        """What a buyer saves up to."""
        return self.retail - self.fee

    @property
    def middle(self) -> int:
        """Half way between selling to the grid and buying from it."""
        return (self.feed_in + self.ceiling) // 2


@dataclass
class Outcome:
    """Money by member and party, and what flowed inside the community. [micro]"""

    nets: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    buyers_paid: int = 0
    sellers_got: int = 0

    def settle(
        self,
        readings: Readings,
        prices: Prices,
        trades: Sequence[tuple[str, str, int, int]],
    ) -> None:
        """Settle an interval: trades are (buyer, seller, Wh, price), either side may be ""."""
        bought: Energies = defaultdict(int)
        sold: Energies = defaultdict(int)
        paid: Energies = defaultdict(int)
        earned: Energies = defaultdict(int)
        for buyer, seller, wh, price in trades:
            bought[buyer] += wh
            sold[seller] += wh
            paid[buyer] += amount(wh, price)
            earned[seller] += amount(wh, price)
        for meter, (drawn, fed) in readings.items():
            fee = amount(bought[meter], prices.fee)
            supplied = amount(drawn - bought[meter], prices.retail)
            taken = amount(fed - sold[meter], prices.feed_in)
            self.nets[meter] += earned[meter] + taken - paid[meter] - fee - supplied
            self.nets["supplier"] += supplied - taken
            self.nets["platform"] += fee
            self.nets["rounding"] += paid[meter] - earned[meter]
            self.buyers_paid += paid[meter] + fee
            self.sellers_got += earned[meter]


def amount(wh: int, price: int) -> int:
    """Round half to even. [micro]"""
    whole, rest = divmod(wh * price, 1000)
    return whole + (rest > 500 or (rest == 500 and whole % 2 == 1))


def settle_under_all(outcomes: Mapping[str, Outcome], readings: Readings, prices: Prices) -> None:
    """Add an interval to the outcome of every pricing, and of the grid alone."""
    draws = {meter: drawn for meter, (drawn, _) in readings.items() if drawn}
    feeds = {meter: fed for meter, (_, fed) in readings.items() if fed}
    supply, demand = sum(feeds.values()), sum(draws.values())
    middle, feed_in, ceiling = prices.middle, prices.feed_in, prices.ceiling
    ratio = feed_in
    if supply < demand:
        ratio = feed_in * ceiling * demand // ((ceiling - feed_in) * supply + feed_in * demand)
    traded = min(supply, demand)
    sales, buys = pro_rata(feeds, traded), pro_rata(draws, traded)
    outcomes["grid_only"].settle(readings, prices, [])
    for pricing, price, bought in (
        ("mid_market", middle, buys),
        ("supply_demand_ratio", ratio, buys),
        ("sharing_static", middle, equal_shares(draws, traded)),
        ("sharing_dynamic", middle, buys),
    ):
        outcomes[pricing].settle(readings, prices, both_sides(bought, sales, price))
    bids = {meter: (bid_limit(meter, prices), wh) for meter, wh in draws.items()}
    asks = {meter: (ask_limit(meter, prices), wh) for meter, wh in feeds.items()}
    price, bought, sold = auction(bids, asks)
    outcomes["uniform"].settle(readings, prices, both_sides(bought, sold, price))
    outcomes["pay_as_bid"].settle(readings, prices, pairs(bids, asks, bought, sold))


def both_sides(bought: Energies, sold: Energies, price: int) -> list[tuple[str, str, int, int]]:
    """Return trades with the pool, at one price."""
    return [
        *((meter, "", wh, price) for meter, wh in bought.items()),
        *(("", meter, wh, price) for meter, wh in sold.items()),
    ]


def pro_rata(energies: Energies, total: int) -> Energies:
    """Share a total by size; the largest remainders, then the lower ranks, get what is over."""
    whole = sum(energies.values())
    if not whole:
        return {}
    shares = {meter: wh * total // whole for meter, wh in energies.items()}
    by_remainder = sorted(energies, key=lambda meter: (-(energies[meter] * total % whole), meter))
    for meter in by_remainder[: total - sum(shares.values())]:
        shares[meter] += 1
    return shares


def equal_shares(energies: Energies, total: int) -> Energies:
    """Share a total among all alike, again and again among those who have room."""
    shares = dict.fromkeys(sorted(energies), 0)
    while total:
        lacking = [meter for meter in shares if shares[meter] < energies[meter]]
        each = total // len(lacking)
        if not each:
            for meter in lacking[:total]:
                shares[meter] += 1
            break
        for meter in lacking:
            step = min(each, energies[meter] - shares[meter])
            shares[meter] += step
            total -= step
    return shares


def _hashed(meter: str) -> tuple[int, int]:
    return divmod(int.from_bytes(sha256(meter.encode()).digest()[:8], "big"), 2**32)


def ask_limit(meter: str, prices: Prices) -> int:
    """Return the default limit of a seller: feed-in price to middle."""
    width = prices.middle - prices.feed_in + 1
    return prices.feed_in + _hashed(meter)[0] * width // 2**32


def bid_limit(meter: str, prices: Prices) -> int:
    """Return the default limit of a buyer: middle to ceiling."""
    width = prices.ceiling - prices.middle + 1
    return prices.middle + _hashed(meter)[1] * width // 2**32


def auction(
    bids: Mapping[str, tuple[int, int]], asks: Mapping[str, tuple[int, int]]
) -> tuple[int, Energies, Energies]:
    """Clear Wh by Wh: price, what each bought and what each sold."""
    bid_curve = sorted((limit for limit, wh in bids.values() for _ in range(wh)), reverse=True)
    ask_curve = sorted(limit for limit, wh in asks.values() for _ in range(wh))
    volume = sum(bid >= ask for bid, ask in zip(bid_curve, ask_curve, strict=False))
    if not volume:
        return 0, {}, {}
    low = max(ask_curve[volume - 1], *bid_curve[volume : volume + 1], -(10**9))
    high = min(bid_curve[volume - 1], *ask_curve[volume : volume + 1], 10**9)
    return (
        (low + high) // 2,
        filled(bids, volume, bid_curve[volume - 1], lambda limit, last: limit > last),
        filled(asks, volume, ask_curve[volume - 1], lambda limit, last: limit < last),
    )


def filled(
    orders: Mapping[str, tuple[int, int]],
    volume: int,
    last: int,
    is_eager: Callable[[int, int], bool],
) -> Energies:
    """Fill the eager wholly, and share what is left among those at the last limit."""
    fills = {meter: wh for meter, (limit, wh) in orders.items() if is_eager(limit, last)}
    marginal = {meter: wh for meter, (limit, wh) in orders.items() if limit == last}
    return fills | pro_rata(marginal, volume - sum(fills.values()))


def pairs(
    bids: Mapping[str, tuple[int, int]],
    asks: Mapping[str, tuple[int, int]],
    bought: Energies,
    sold: Energies,
) -> list[tuple[str, str, int, int]]:
    """Walk the dearest bids and the cheapest offers together; a trade costs its bid's limit."""
    wanted, offered = dict(bought), dict(sold)
    trades = []
    for buyer in sorted(bought, key=lambda meter: (-bids[meter][0], meter)):
        for seller in sorted(sold, key=lambda meter: (asks[meter][0], meter)):
            wh = min(wanted[buyer], offered[seller])
            wanted[buyer] -= wh
            offered[seller] -= wh
            trades.append((buyer, seller, wh, bids[buyer][0]))
    return trades
