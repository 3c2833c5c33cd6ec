"""Cards of the data market: what it asks, what was concluded, where data went, how it was."""

from django.utils.translation import gettext as _

from config.templatetags.figures import money, share
from config.web.chart_kinds.bars import Bar, ranked_bars
from config.web.chart_kinds.sankey import End, Stream, sankey
from config.web.charts import Words
from config.web.city import findings
from config.web.city.cards import CityCard, Column, make_card
from config.web.city.look import Look
from config.web.city.measures import lasting
from config.web.data.words import FORMAT_LABELS
from config.web.shell import ROLE_NAMES
from marketplace.queries.data.flows_of_data import (
    PARTIES_AT_LEAST,
    DataHealth,
    DataPrices,
    get_data_health,
    list_concluded,
    list_data_flows,
    list_data_prices,
)

TOP_SHARE = 1_000_000


def data_prices_card() -> CityCard:
    """Show what listed products ask, by kind of data."""
    prices = list_data_prices()
    title = findings.data_prices(prices)
    bars = [
        Bar(
            _format(each.format),
            _asked(each),
            (each.median_micro or 0) / TOP_SHARE,
            "c1",
        )
        for each in prices
    ]
    svg = ranked_bars(bars, Words(title, _("Median asking price by kind of data."), ""))
    columns = [
        Column(_("Kind of data"), "kind", _format),
        Column(_("Currency"), "currency"),
        Column(_("Products"), "products"),
        Column(_("Sellers"), "sellers"),
        Column(_("Free"), "free_products"),
        Column(_("Lowest"), "lowest_micro", _amount),
        Column(_("Median"), "median_micro", _amount),
        Column(_("Highest"), "highest_micro", _amount),
        Column(_("Measured quality"), "median_quality_ppm", lambda ppm: share(ppm / TOP_SHARE)),
    ]
    rows = [
        (
            each.format,
            each.currency,
            each.product_count,
            each.seller_count,
            each.free_count,
            each.lowest_micro,
            each.median_micro,
            each.highest_micro,
            each.median_quality_ppm,
        )
        for each in prices
    ]
    note = _(
        "What the catalogue asks now, for one month or once; asking prices are public. Free"
        " products are in no price."
    )
    return make_card("data-prices", title, svg, columns, rows, note=note)


def concluded_card(look: Look) -> CityCard:
    """Show how many contracts both sides signed."""
    contracts = list_concluded(start=look.start, end=look.end)
    title = findings.concluded(contracts)
    bars = [
        Bar(
            _format(each.format),
            _("too few parties") if each.contract_count is None else str(each.contract_count),
            each.contract_count,
            "c2",
        )
        for each in contracts
    ]
    svg = ranked_bars(bars, Words(title, _("Contracts by kind of data."), ""))
    columns = [
        Column(_("Kind of data"), "kind", _format),
        Column(_("Contracts"), "contracts"),
    ]
    rows = [(each.format, each.contract_count) for each in contracts]
    return make_card("contracts", title, svg, columns, rows, note=_parties_note())


def data_flows_card(look: Look) -> CityCard:
    """Show where data went, by groups of sellers and buyers."""
    flows = list_data_flows(start=look.start, end=look.end)
    shown = [flow for flow in flows if flow.is_shown]
    title = findings.data_flows(flows)
    sources = sorted({flow.seller_group for flow in shown})
    kinds = sorted({(flow.buyer_group, flow.format) for flow in shown})
    streams = [
        Stream(
            sources.index(flow.seller_group),
            kinds.index((flow.buyer_group, flow.format)),
            flow.delivery_count or 0,
            f"{_role(flow.seller_group)} → {_role(flow.buyer_group)}, {_format(flow.format)}: "
            f"{flow.delivery_count}",
        )
        for flow in shown
    ]
    svg = sankey(
        [End(_role(name), "", "c1") for name in sources],
        [End(_role(group), _format(kind), "c2") for group, kind in kinds],
        streams,
        Words(title, _("Deliveries from groups of sellers to groups of buyers."), ""),
    )
    columns = [
        Column(_("Kind of data"), "kind", _format),
        Column(_("Sellers"), "seller_group", _role),
        Column(_("Buyers"), "buyer_group", _role),
        Column(_("Currency"), "currency"),
        Column(_("Contracts"), "contracts"),
        Column(_("Deliveries"), "deliveries"),
        Column(_("Records"), "records"),
        Column(_("Bytes"), "bytes"),
        Column(_("Paid"), "paid_micro", _amount),
    ]
    rows = [
        (
            flow.format,
            flow.seller_group,
            flow.buyer_group,
            flow.currency,
            flow.contract_count,
            flow.delivery_count,
            flow.record_count,
            flow.byte_count,
            flow.value_micro,
        )
        for flow in flows
    ]
    return make_card("data-flows", title, svg if shown else "", columns, rows, note=_parties_note())


def data_disputes_card(look: Look) -> CityCard:
    """Show how many deliveries were disputed, and how long that took."""
    health = _health(look)
    title = findings.disputes(health)
    rows: list[tuple[str, int | None, str]] = [
        (_("Deliveries billed"), health.charges_delivered, ""),
        (_("Disputes opened"), health.disputes_opened, ""),
        (_("Disputes decided"), health.disputes_decided, ""),
        (_("Open now"), health.disputes_open, ""),
    ]
    bars = [Bar(name, str(value), value, "c3") for name, value, _unit in rows]
    svg = ranked_bars(bars, Words(title, _("Deliveries and disputes of data."), ""))
    columns = [Column(_("What"), "what"), Column(_("Count"), "count")]
    note = (
        _("Half of the decided ones were decided within {time}.").format(
            time=lasting(health.median_dispute_s)
        )
        if health.median_dispute_s is not None
        else _("None was decided in this time.")
    )
    values = [(name, value) for name, value, _unit in rows]
    return make_card("disputes", title, svg, columns, values, note=note)


def feeds_card(look: Look) -> CityCard:
    """Show how live data did as the market itself measured it."""
    health = _health(look)
    title = findings.feeds(health)
    rows = [("up", health.up_share), ("valid", health.valid_share)]
    names = {"up": _("There"), "valid": _("Valid by its format")}
    bars = [
        Bar(
            names[code],
            share(value) if value is not None else _("missing"),
            value and value * 100,
            "c4",
        )
        for code, value in rows
    ]
    svg = ranked_bars(bars, Words(title, _("Share of all looks."), "%"), whole=100)
    columns = [
        Column(_("What"), "what", names.__getitem__),
        Column(_("Share of looks"), "share", share),
    ]
    note = _("{looks} looks at {products} products by the market itself.").format(
        looks=health.look_count, products=health.product_count
    )
    if health.mean_age_s is not None:
        note += " " + _("Data was {age} old on average.").format(age=lasting(health.mean_age_s))
    return make_card("feeds", title, svg, columns, rows, note=note)


def _asked(prices: DataPrices) -> str:
    """Say what products of a kind ask."""
    priced = prices.product_count - prices.free_count
    if not priced:
        return _("free")
    median = money(prices.median_micro, prices.currency)
    if priced == prices.product_count == 1:
        return median
    if not prices.free_count:
        return _("{price} at the median of {count}").format(price=median, count=priced)
    return _("{price} at the median of {count}, {free} free").format(
        price=median, count=priced, free=prices.free_count
    )


def _health(look: Look) -> DataHealth:
    return get_data_health(start=look.start, end=look.end)


def _parties_note() -> str:
    return _(
        "Counted only where at least {minimum} sellers and {minimum} buyers stand behind it; no"
        " total is given, so that what is missing does not follow."
    ).format(minimum=PARTIES_AT_LEAST)


def _format(code: str) -> str:
    return str(FORMAT_LABELS[code])


def _role(code: str) -> str:
    return str(ROLE_NAMES[code])


def _amount(amount_micro: int) -> str:
    return money(amount_micro, "").strip()
