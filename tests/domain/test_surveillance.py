"""Detectors: each finds what it is for, and leaves alone what only looks like it."""

from dataclasses import replace

from marketplace.domain.surveillance import (
    AlertRule,
    Cancelling,
    Finding,
    HourPrice,
    MeterFigures,
    Trades,
    find_concentration,
    find_disagreeing_feeds,
    find_late_cancelling,
    find_odd_readings,
    find_pairs,
    find_price_spikes,
)

USUAL = [400_000, 404_000, 396_000, 402_000, 398_000] * 4
METER = MeterFigures(
    metering_point_id=1,
    participant_id=2,
    reading_count=96,
    distinct_count=70,
    total_wh=12_000,
    peak_w=4_000,
    past_peaks_w=[3_000] * 10,
    night_export_wh=0,
    works_at_night=False,
)


def rules(findings: list[Finding]) -> list[AlertRule]:
    return [finding.rule for finding in findings]


def test_a_price_is_unusual_against_its_own_hour() -> None:
    past = {("A", 12): USUAL, ("A", 18): [price * 2 for price in USUAL]}
    found = find_price_spikes(
        [HourPrice("A", 12, 800_000), HourPrice("A", 18, 800_000), HourPrice("A", 12, 700_000)],
        past,
    )
    assert [dict(each.figures) for each in found] == [
        {
            "price": 800_000,
            "usual": 400_000,
            "hour": 12,
            # Half of the prices are within 2,000 of the middle: the least deviation counts.
            "deviations": 80,
            "intervals": 2,
            "threshold": 6,
            "zone": "A",
        }
    ]
    below = find_price_spikes([HourPrice("A", 12, 40_000)], past)
    assert rules(below) == [AlertRule.PRICE_SPIKE]
    # Far by deviations, but no matter to a bill; and too few prices to know.
    assert not find_price_spikes([HourPrice("A", 12, 440_000)], past)
    assert not find_price_spikes([HourPrice("A", 12, 800_000)], {("A", 12): USUAL[:13]})


def test_few_hands_are_told_from_few_neighbours() -> None:
    one_large = {1: 820, **dict.fromkeys(range(2, 11), 20)}
    (found,) = find_concentration(Trades(sold=one_large, bought=dict.fromkeys(range(12), 100)))
    assert found.participant_id == 1
    assert found.figures["side"] == "sellers"
    assert found.figures["hhi"] == 10_000 * (820**2 + 9 * 20**2) // 1_000**2
    assert not find_concentration(Trades(sold={1: 820, **dict.fromkeys(range(2, 10), 20)}))


def test_back_and_forth_is_told_from_neighbours_who_both_have_roofs() -> None:
    sold = {1: 10_000, 2: 9_000, 3: 50_000, 4: 50_000}
    bought = {1: 9_000, 2: 10_000, 3: 50_000, 4: 50_000}
    pairs = [(1, 2, 10_000, 9_000), (3, 4, 5_000, 5_000), (5, 5, 700, 700)]
    found = find_pairs(Trades(sold, bought, pairs))
    assert [(each.rule, each.participant_id, each.other_id) for each in found] == [
        (AlertRule.WASH_PAIR, 1, 2),
        (AlertRule.SELF_TRADE, 5, None),
    ]
    one_way = [(1, 2, 10_000, 500)]
    assert not find_pairs(Trades(sold, bought, one_way))


def test_a_book_is_emptied_before_its_gate() -> None:
    many = Cancelling(1, 7, order_count=3, cancelled_wh=200, book_wh=1_000)
    assert rules(find_late_cancelling([many])) == [AlertRule.LATE_CANCELLING]
    assert not find_late_cancelling([replace(many, order_count=2), replace(many, cancelled_wh=199)])


def test_odd_readings_each_by_its_own_rule() -> None:
    odd = {
        AlertRule.READINGS_COPIED: replace(METER, copied_from="m7"),
        AlertRule.READINGS_CONSTANT: replace(METER, distinct_count=1),
        AlertRule.READINGS_IMPLAUSIBLE: replace(METER, peak_w=30_000),
        AlertRule.NIGHT_EXPORT: replace(METER, night_export_wh=500),
    }
    for rule, meter in odd.items():
        assert rules(find_odd_readings([meter])) == [rule]
    ordinary = [
        METER,
        replace(METER, copied_from="m7", distinct_count=3),  # an empty flat is like another
        replace(METER, distinct_count=1, total_wh=0),
        replace(METER, peak_w=9_999, past_peaks_w=[1] * 10),
        replace(METER, peak_w=30_000, past_peaks_w=[1] * 6),
        replace(METER, night_export_wh=9_000, works_at_night=True),
    ]
    assert not find_odd_readings(ordinary)


def test_looks_disagree_where_neither_answer_is_rare() -> None:
    days = [(1, 10, 8), (2, 10, 2), (3, 10, 9), (4, 9, 4), (5, 10, 0)]
    assert [each.product_id for each in find_disagreeing_feeds(days)] == [1, 2]
