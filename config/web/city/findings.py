"""What charts show, in one sentence each: their titles. Values in, words out; nothing is read here.

A sentence never says more than the figures it is given, and these have passed disclosure: what may
not be shown is None here, and the sentence then says only that.
"""

from collections.abc import Mapping, Sequence
from datetime import date

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from analytics.domain.carbon import Carbon
from analytics.domain.figures import (
    Energies,
    EnergyBucket,
    LinkTotals,
    MarketHealth,
    Peak,
    SavingsSpread,
)
from analytics.domain.price_statistics import ShapeHour
from config.templatetags.figures import kwh, money, price, share
from config.web.city.cards import short_day
from config.web.city.measures import kilograms, kilowatts, lasting, times_over
from marketplace.queries.data.flows_of_data import Concluded, DataFlow, DataHealth, DataPrices
from marketplace.queries.settlement_times import SettlementTimes

# Concentration as competition authorities grade it: below the first low, from the second on high.
HHI_MODERATE, HHI_HIGH = 1500, 2500


def nothing() -> str:
    """Say that there is nothing to show, whichever the reason."""
    return _("Nothing can be shown for this time: nothing is settled, or too few stand behind it")


def demand_met(energies: Energies | None) -> str:
    """Say how much of the demand neighbours met."""
    if energies is None or energies.self_sufficiency is None:
        return nothing()
    if not energies.bought_wh:
        return _("Nothing was traded among neighbours: all demand came from the grid")
    return _("Neighbours met {share} of the demand and took {used} of the surplus").format(
        share=share(energies.self_sufficiency), used=share(energies.self_consumption)
    )


def best_day(days: Sequence[tuple[date, EnergyBucket | None]]) -> str:
    """Say on which day most was traded, and how many days are missing."""
    known = [(day, each.energies.bought_wh) for day, each in days if each is not None]
    if not known or not any(wh for _day, wh in known):
        return nothing() if not known else _("Nothing was traded on any of these days")
    day, most = max(known, key=lambda pair: pair[1])
    said = _("Most was traded on {day}: {energy}").format(day=short_day(day), energy=kwh(most))
    missing = len(days) - len(known)
    if not missing:
        return said
    return said + ngettext(
        "; {number} day is missing", "; {number} days are missing", missing
    ).format(number=missing)


def price_level(
    energies: Energies | None, retail: int | None, feed_in: int | None, unit: str
) -> str:
    """Say where the mean price lay between the tariffs."""
    if energies is None or energies.price_micro_per_kwh is None:
        return nothing()
    mean = energies.price_micro_per_kwh
    if retail is None or feed_in is None:
        return _("The mean price was {price}").format(price=price(mean, unit))
    if mean > retail:
        return _("The mean price was {price}, {more} above retail").format(
            price=price(mean, unit), more=price(mean - retail, unit)
        )
    if mean < feed_in:
        return _("The mean price was {price}, {less} below the feed-in tariff").format(
            price=price(mean, unit), less=price(feed_in - mean, unit)
        )
    return _("The mean price was {price}: {less} below retail, {more} above feed-in").format(
        price=price(mean, unit), less=price(retail - mean, unit), more=price(mean - feed_in, unit)
    )


def hours_of_price(shape: Sequence[ShapeHour | None]) -> str:
    """Say at which hours energy is cheapest and dearest."""
    known = {hour: each.mean for hour, each in enumerate(shape) if each is not None}
    if not known:
        return nothing()
    low, high = min(known, key=known.__getitem__), max(known, key=known.__getitem__)
    if known[low] == known[high]:
        return _("Prices were the same at every hour of the day that had any")
    return _("Energy was cheapest around {low}:00 and dearest around {high}:00").format(
        low=f"{low:02d}", high=f"{high:02d}"
    )


def days_of_price(prices: Mapping[date, int], unit: str) -> str:
    """Say which days were cheapest and dearest."""
    if not prices:
        return nothing()
    low, high = min(prices, key=prices.__getitem__), max(prices, key=prices.__getitem__)
    if prices[low] == prices[high]:
        return _("The price was {price} on every day that had one").format(
            price=price(prices[low], unit)
        )
    return _("{low} was cheapest at {least}, {high} dearest at {most}").format(
        low=short_day(low),
        least=price(prices[low], unit),
        high=short_day(high),
        most=price(prices[high], unit),
    )


def durations(count: int, tenth: int | None, half: int | None, unit: str) -> str:
    """Say what half and a tenth of the hours with a price cost."""
    if tenth is None or half is None:
        return nothing()
    return ngettext(
        "The one hour with trades that may be shown cost {half}",
        "Of {count} hours with trades, half cost {half} or more, one in ten {tenth} or more",
        count,
    ).format(count=count, half=price(half, unit), tenth=price(tenth, unit))


def spreads(to_retail: int | None, to_feed_in: int | None, unit: str) -> str:
    """Say what buyers and sellers were better off by per unit, before fees."""
    if to_retail is None or to_feed_in is None:
        return nothing()
    buyers = (
        _("{price} below retail").format(price=price(to_retail, unit))
        if to_retail >= 0
        else _("{price} above retail").format(price=price(-to_retail, unit))
    )
    sellers = (
        _("{price} above feed-in").format(price=price(to_feed_in, unit))
        if to_feed_in >= 0
        else _("{price} below feed-in").format(price=price(-to_feed_in, unit))
    )
    return _("Before fees, buyers paid {buyers}, sellers got {sellers}").format(
        buyers=buyers, sellers=sellers
    )


def moves(mean: int | None, days: Mapping[date, int], unit: str) -> str:
    """Say how far prices move within a day."""
    if mean is None or not days:
        return nothing()
    day = max(days, key=days.__getitem__)
    return _("Within a day prices moved by {mean} around their mean, most on {day}").format(
        mean=price(mean, unit), day=short_day(day)
    )


def zone_prices(prices: Mapping[str, int], unit: str) -> str:
    """Say whether zones had prices of their own."""
    if not prices:
        return nothing()
    low, high = min(prices, key=prices.__getitem__), max(prices, key=prices.__getitem__)
    if prices[low] == prices[high]:
        return _("All zones that may be shown had the same mean price: {price}").format(
            price=price(prices[low], unit)
        )
    return _("{high} paid {most}, {low} {least}: zones had prices of their own").format(
        high=high, most=price(prices[high], unit), low=low, least=price(prices[low], unit)
    )


def zone_moves(spans: Mapping[str, int], unit: str) -> str:
    """Say in which zone the price changed most from day to day."""
    if not spans:
        return nothing()
    name = max(spans, key=spans.__getitem__)
    return _("Prices changed most in {zone}: by {span} between its days").format(
        zone=name, span=price(spans[name], unit)
    )


def largest_flow(streams: Sequence[tuple[str, str, int]]) -> str:
    """Say which flow among neighbours was largest; each is source, sink and energy."""
    if not any(wh for _source, _sink, wh in streams):
        return nothing()
    source, sink, most = max(streams, key=lambda stream: stream[2])
    total = sum(wh for _source, _sink, wh in streams)
    if len(streams) == 1:
        return _("{energy} went from neighbour to neighbour").format(energy=kwh(most))
    if source == sink:
        return _("Most local energy stayed within {name}: {energy}, {share} of it").format(
            name=source, energy=kwh(most), share=share(most / total)
        )
    return _("Most local energy went from {source} to {sink}: {energy}, {share} of it").format(
        source=source, sink=sink, energy=kwh(most), share=share(most / total)
    )


def congestion(links: Sequence[LinkTotals], names: Mapping[int, str], currency: str) -> str:
    """Say which link was tightest, and what that earned."""
    if not links:
        return _("There is no link between zones that may be shown")
    tight = [link for link in links if link.congested_minutes]
    if not tight:
        return _("No link between zones was congested")
    top = max(tight, key=lambda link: link.congested_minutes)
    rent = sum(link.rent_micro for link in links)
    return _("{source} to {sink} was full for {hours} h; congestion rent was {rent}").format(
        source=names.get(top.from_zone_id, ""),
        sink=names.get(top.to_zone_id, ""),
        hours=times_over(top.congested_minutes / 60),
        rent=money(rent, currency),
    )


def exchange(energies: Energies | None) -> str:
    """Say which way the grid was used."""
    if energies is None:
        return nothing()
    drawn, fed = energies.grid_import_wh, energies.grid_export_wh
    if drawn >= fed:
        return _("{drawn} came from the grid, {net} more than went back").format(
            drawn=kwh(drawn), net=kwh(drawn - fed)
        )
    return _("{fed} went to the grid, {net} more than came from it").format(
        fed=kwh(fed), net=kwh(fed - drawn)
    )


def peak_change(peak: Peak | None) -> str:
    """Say what the market made of the highest power from the grid."""
    if peak is None:
        return nothing()
    words = {"power": kilowatts(peak.import_w), "change": kilowatts(abs(peak.change_w))}
    if not peak.change_w:
        return _("The peak from the grid was {power}: trade did not change it").format(**words)
    said = (
        _("The peak from the grid was {power}, {change} lower than without trade")
        if peak.change_w < 0
        else _("The peak from the grid was {power}, {change} higher than without trade")
    )
    return said.format(**words)


def carbon_avoided(carbon: Carbon) -> str:
    """Say what local energy spared the air."""
    if not carbon.known_hours:
        return _("No carbon intensity is known for these hours: nothing can be said of carbon")
    return _("Trading among neighbours avoided {mass} of CO₂-equivalent").format(
        mass=kilograms(carbon.avoided_mg)
    )


def savings_spread(spread: SavingsSpread | None, currency: str) -> str:
    """Say what members saved, and how many of them."""
    if spread is None or not spread.member_count:
        return nothing()
    words = (
        _("Members were {money} better off together; {gaining} of {all} gained")
        if spread.saved_micro >= 0
        else _("Members were {money} worse off together; {gaining} of {all} gained")
    )
    return words.format(
        money=money(abs(spread.saved_micro), currency),
        gaining=spread.gaining_count,
        all=spread.member_count,
    )


def participation(spreads: Sequence[SavingsSpread]) -> str:
    """Say how many members took part."""
    whole = next((each for each in spreads if not each.group), None)
    if whole is None or not whole.member_count:
        return nothing()
    return _("{trading} of {all} members traded: {share}").format(
        trading=whole.trading_count,
        all=whole.member_count,
        share=share(whole.trading_count / whole.member_count),
    )


def depth(health: MarketHealth | None) -> str:
    """Say whether surplus or demand was short."""
    if health is None or not health.interval_count:
        return nothing()
    if not health.offered_wh:
        return _("Nobody had a surplus to offer")
    ratio = health.wanted_wh / health.offered_wh
    if ratio >= 1:
        return _("Demand was {times} times the surplus offered: sun is scarce").format(
            times=times_over(ratio)
        )
    return _("The surplus offered was {times} times the demand: buyers are scarce").format(
        times=times_over(1 / ratio) if ratio else "∞"
    )


def unmatched(health: MarketHealth | None) -> str:
    """Say how much demand the market left to the grid."""
    if health is None or not health.wanted_wh:
        return nothing()
    return _("{share} of the demand found no local seller: {energy}").format(
        share=share(health.unmatched_wh / health.wanted_wh), energy=kwh(health.unmatched_wh)
    )


def concentration(health: MarketHealth | None) -> str:
    """Say whether few sellers or buyers make up the market."""
    if health is None or health.seller_hhi is None or health.buyer_hhi is None:
        return nothing()
    most = max(health.seller_hhi, health.buyer_hhi)
    if most >= HHI_HIGH:
        said = _("Highly concentrated: HHI {sellers} of sellers, {buyers} of buyers")
    elif most >= HHI_MODERATE:
        said = _("Moderately concentrated: HHI {sellers} of sellers, {buyers} of buyers")
    else:
        said = _("Not concentrated: HHI {sellers} of sellers, {buyers} of buyers")
    return said.format(sellers=health.seller_hhi, buyers=health.buyer_hhi)


def completeness(settled: int, all_intervals: int, missing: int) -> str:
    """Say how complete what was measured is."""
    if not settled:
        return _("Nothing is settled in this time yet")
    if settled == all_intervals and not missing:
        return _("All {count} intervals are settled and no reading is missing").format(
            count=all_intervals
        )
    return _("{settled} of {all} intervals are settled; {missing} readings never came").format(
        settled=settled, all=all_intervals, missing=missing
    )


def settling(times: SettlementTimes) -> str:
    """Say how soon intervals are settled."""
    if not times.seconds:
        return _("Nothing is settled in this time yet")
    return _("Half of the intervals were settled within {half}, nine of ten within {most}").format(
        half=lasting(times.seconds[1]), most=lasting(times.seconds[2])
    )


def disputes(health: DataHealth) -> str:
    """Say how many deliveries of data were disputed."""
    if not health.charges_delivered and not health.disputes_opened:
        return _("No data was delivered in this time, and none disputed")
    return ngettext(
        "{disputed} of {count} delivery of data was disputed",
        "{disputed} of {count} deliveries of data were disputed",
        health.charges_delivered,
    ).format(disputed=health.disputes_opened, count=health.charges_delivered)


def feeds(health: DataHealth) -> str:
    """Say how live data did as measured."""
    if health.up_share is None:
        return _("No live feed was measured in this time")
    return _("Live feeds were there in {up} of all looks and valid in {valid}").format(
        up=share(health.up_share), valid=share(health.valid_share)
    )


def data_flows(flows: Sequence[DataFlow]) -> str:
    """Say what kinds of data moved."""
    if not flows:
        return _("No data was delivered in this time")
    shown = [flow for flow in flows if flow.is_shown]
    if not shown:
        return _("Data was delivered, but by too few sellers or to too few buyers to say more")
    return ngettext(
        "{count} delivery of data may be shown",
        "{count} deliveries of data may be shown",
        sum(flow.delivery_count or 0 for flow in shown),
    ).format(count=sum(flow.delivery_count or 0 for flow in shown))


def data_prices(prices: Sequence[DataPrices]) -> str:
    """Say what the catalogue has."""
    if not prices:
        return _("No data product is listed yet")
    listed = sum(each.product_count for each in prices)
    free = sum(each.free_count for each in prices)
    return ngettext(
        "{count} data product is listed, {free} of them free",
        "{count} data products are listed, {free} of them free",
        listed,
    ).format(count=listed, free=free)


def concluded(contracts: Sequence[Concluded]) -> str:
    """Say how many contracts of data were concluded."""
    if not contracts:
        return _("No contract on data was concluded in this time")
    known = [each.contract_count for each in contracts if each.contract_count is not None]
    if len(known) < len(contracts):
        return _("Contracts on data were concluded, some by too few parties to be counted")
    return ngettext(
        "{count} contract on data was concluded",
        "{count} contracts on data were concluded",
        sum(known),
    ).format(count=sum(known))
