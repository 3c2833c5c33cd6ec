"""Titles of the city's charts say what the figures say: other figures, another sentence."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from django.utils import translation

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
from config.web.city import findings
from marketplace.queries.data.flows_of_data import Concluded, DataFlow, DataHealth, DataPrices
from marketplace.queries.settlement_times import SettlementTimes

START = datetime(2026, 6, 14, 16, tzinfo=UTC)
END = START + timedelta(days=1)
DAY = date(2026, 6, 15)
ENERGIES = Energies(
    "community:1", START, END, 24, 6, 10_000, 8_000, 4_000, 4_000, 6_000, 4_000, 4_000, 1_600
)
HEALTH = MarketHealth(
    "community:1", START, END, 24, 5_000, 10_000, 4_000, 0, 1_600, 0, 0, 0, 0, 0, 900, 800, 3.0, 4.0
)  # fmt: skip
SAVINGS = SavingsSpread(DAY, "", 10, 9, 8, 2_000_000, -9_000_000, (), None)
DATA = DataHealth(0, 0, 0, None, 0, 10, 9, 8, 5, 500, 2)
TIMES = SettlementTimes(24, 24, 0, (60, 90, 7_200, 90_000), 0, 0, (30, 30))
NOTHING = "Nothing can be shown for this time: nothing is settled, or too few stand behind it"


def bucket(day: int, bought_wh: int) -> tuple[date, EnergyBucket]:
    on = DAY + timedelta(days=day)
    energies = replace(ENERGIES, bought_wh=bought_wh)
    return on, EnergyBucket(START, on, energies, 520_000, 350_000)


def peak(with_market: int) -> Peak:
    return Peak("community:1", START, END, with_market, DAY, 12_000, DAY)


def carbon(known: int) -> Carbon:
    return Carbon("community:1", START, END, 2_500_000, 0, 4_000, 0, 0, known, 0, ())


def link(minutes: int) -> LinkTotals:
    return LinkTotals("community:1", START, END, 1, 2, 900, 900, None, minutes, 3_000_000)


def data_flow(count: int | None) -> DataFlow:
    return DataFlow("gbfs", "data_provider", "enterprise", "CNY", count, count, 5, 5, 5)


def shape(prices: dict[int, int]) -> list[ShapeHour | None]:
    return [
        ShapeHour(1, prices[hour], prices[hour], prices[hour]) if hour in prices else None
        for hour in range(24)
    ]


def price(mean: int) -> str:
    energies = replace(ENERGIES, priced_micro=mean * 4_000)
    return findings.price_level(energies, 520_000, 350_000, "CNY")


CASES: list[tuple[Callable[[], str], str]] = [
    (lambda: findings.demand_met(None), NOTHING),
    (
        lambda: findings.demand_met(ENERGIES),
        "Neighbours met 40 % of the demand and took 50 % of the surplus",
    ),
    (
        lambda: findings.demand_met(replace(ENERGIES, bought_wh=0)),
        "Nothing was traded among neighbours",
    ),
    (lambda: findings.best_day([]), NOTHING),
    (
        lambda: findings.best_day([bucket(0, 5_000), bucket(1, 7_000)]),
        "Most was traded on June 16: 7.00 kWh",
    ),
    (
        lambda: findings.best_day([bucket(0, 5_000), (DAY, None)]),
        "June 15: 5.00 kWh; 1 day is missing",
    ),
    (lambda: findings.best_day([bucket(0, 0)]), "Nothing was traded on any of these days"),
    (lambda: price(400), "¥/kWh: 0.120 ¥/kWh below retail, 0.050 ¥/kWh above feed-in"),
    (lambda: price(600), "0.080 ¥/kWh above retail"),
    (lambda: price(300), "0.050 ¥/kWh below the feed-in tariff"),
    (lambda: findings.hours_of_price(shape({})), NOTHING),
    (
        lambda: findings.hours_of_price(shape({12: 3, 19: 5})),
        "cheapest around 12:00 and dearest around 19:00",
    ),
    (
        lambda: findings.hours_of_price(shape({12: 3, 19: 2})),
        "cheapest around 19:00 and dearest around 12:00",
    ),
    (lambda: findings.hours_of_price(shape({12: 3, 19: 3})), "the same at every hour"),
    (
        lambda: findings.days_of_price({DAY: 400_000}, "CNY"),
        "0.400 ¥/kWh on every day that had one",
    ),
    (
        lambda: findings.days_of_price({DAY: 1, DAY + timedelta(days=1): 0}, "CNY"),
        "June 16 was cheapest",
    ),
    (lambda: findings.durations(0, None, None, "CNY"), NOTHING),
    (
        lambda: findings.durations(9, 500_000, 400_000, "CNY"),
        "Of 9 hours with trades, half cost 0.400",
    ),
    (lambda: findings.durations(1, 500_000, 400_000, "CNY"), "The one hour with trades"),
    (
        lambda: findings.spreads(100_000, 50_000, "CNY"),
        "paid 0.100 ¥/kWh below retail, sellers got 0.050",
    ),
    (lambda: findings.spreads(-1_000, -2_000, "CNY"), "0.001 ¥/kWh above retail"),
    (lambda: findings.spreads(1_000, -2_000, "CNY"), "sellers got 0.002 ¥/kWh below feed-in"),
    (lambda: findings.zone_moves({}, "CNY"), NOTHING),
    (lambda: findings.zone_moves({"A": 1, "B": 2_000}, "CNY"), "most in B: by 0.002 ¥/kWh"),
    (lambda: findings.moves(None, {}, "CNY"), NOTHING),
    (
        lambda: findings.moves(10_000, {DAY: 10_000}, "CNY"),
        "moved by 0.010 ¥/kWh around their mean",
    ),
    (lambda: findings.zone_prices({"A": 2_000, "B": 1_000}, "CNY"), "A paid 0.002 ¥/kWh, B 0.001"),
    (lambda: findings.zone_prices({"A": 2_000, "B": 2_000}, "CNY"), "had the same mean price"),
    (lambda: findings.largest_flow([]), NOTHING),
    (lambda: findings.largest_flow([("A", "A", 7)]), "went from neighbour to neighbour"),
    (
        lambda: findings.largest_flow([("A", "B", 700), ("A", "A", 300)]),
        "from A to B: 0.70 kWh, 70 % of it",
    ),
    (
        lambda: findings.largest_flow([("A", "B", 300), ("A", "A", 700)]),
        "stayed within A: 0.70 kWh",
    ),
    (lambda: findings.congestion([], {}, "CNY"), "no link between zones that may be shown"),
    (lambda: findings.congestion([link(0)], {}, "CNY"), "No link between zones was congested"),
    (lambda: findings.congestion([link(90)], {1: "A", 2: "B"}, "CNY"), "A to B was full for 1.5 h"),
    (
        lambda: findings.exchange(ENERGIES),
        "6.00 kWh came from the grid, 2.00 kWh more than went back",
    ),
    (
        lambda: findings.exchange(replace(ENERGIES, grid_export_wh=9_000)),
        "9.00 kWh went to the grid, 3.00",
    ),
    (lambda: findings.peak_change(None), NOTHING),
    (lambda: findings.peak_change(peak(11_000)), "11.0 kW, 1.0 kW lower"),
    (lambda: findings.peak_change(peak(13_500)), "13.5 kW, 1.5 kW higher"),
    (lambda: findings.peak_change(peak(12_000)), "trade did not change it"),
    (lambda: findings.carbon_avoided(carbon(0)), "No carbon intensity is known"),
    (lambda: findings.carbon_avoided(carbon(3)), "avoided 2.5 kg"),
    (lambda: findings.savings_spread(None, "CNY"), NOTHING),
    (lambda: findings.savings_spread(SAVINGS, "CNY"), "¥2.00 better off together; 8 of 10 gained"),
    (lambda: findings.savings_spread(replace(SAVINGS, saved_micro=-1), "CNY"), "worse off"),
    (lambda: findings.participation([SAVINGS]), "9 of 10 members traded: 90 %"),
    (lambda: findings.participation([replace(SAVINGS, group="household")]), NOTHING),
    (lambda: findings.depth(HEALTH), "2.0 times the surplus offered: sun is scarce"),
    (
        lambda: findings.depth(replace(HEALTH, wanted_wh=2_500)),
        "2.0 times the demand: buyers are scarce",
    ),
    (lambda: findings.depth(replace(HEALTH, offered_wh=0)), "Nobody had a surplus"),
    (lambda: findings.unmatched(HEALTH), "60 % of the demand found no local seller"),
    (lambda: findings.concentration(HEALTH), "Not concentrated"),
    (lambda: findings.concentration(replace(HEALTH, buyer_hhi=1_500)), "Moderately concentrated"),
    (lambda: findings.concentration(replace(HEALTH, seller_hhi=2_500)), "Highly concentrated"),
    (lambda: findings.concentration(replace(HEALTH, seller_hhi=None)), NOTHING),
    (lambda: findings.completeness(24, 24, 0), "no reading is missing"),
    (
        lambda: findings.completeness(23, 24, 2),
        "23 of 24 intervals are settled; 2 readings never came",
    ),
    (lambda: findings.completeness(0, 24, 0), "Nothing is settled"),
    (lambda: findings.settling(TIMES), "within 1.5 min, nine of ten within 2.0 h"),
    (lambda: findings.settling(replace(TIMES, seconds=())), "Nothing is settled"),
    (lambda: findings.disputes(DATA), "none disputed"),
    (
        lambda: findings.disputes(replace(DATA, disputes_opened=1, charges_delivered=4)),
        "1 of 4 deliveries",
    ),
    (lambda: findings.feeds(DATA), "there in 90 % of all looks and valid in 80 %"),
    (lambda: findings.feeds(replace(DATA, look_count=0)), "No live feed"),
    (lambda: findings.data_flows([]), "No data was delivered"),
    (lambda: findings.data_flows([data_flow(None)]), "by too few sellers or to too few buyers"),
    (lambda: findings.data_flows([data_flow(4)]), "4 deliveries of data may be shown"),
    (lambda: findings.data_prices([]), "No data product is listed yet"),
    (
        lambda: findings.data_prices([DataPrices("gbfs", "CNY", 3, 2, 1, 1, 1, 1, None, 0)]),
        "3 data products",
    ),
    (lambda: findings.concluded([]), "No contract on data"),
    (lambda: findings.concluded([Concluded("gbfs", None)]), "too few parties"),
    (lambda: findings.concluded([Concluded("gbfs", 3), Concluded("gtfs", 4)]), "7 contracts"),
]


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_title_says_what_its_figures_say(number: int) -> None:
    say, expected = CASES[number]
    with translation.override("en"):
        said = say().replace("\xa0", " ")
    assert expected in said
