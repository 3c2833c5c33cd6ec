"""The sandbox: a stranger's month against the average day, read in a child, and nothing kept."""

import gzip
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from analytics.models import ReleasedDay, ReleasedEnergies
from marketplace.domain.rules import load_rules, preset
from marketplace.domain.trial import CommunityHour, day_shape, try_month
from marketplace.errors import Invalid
from marketplace.services.strangers_file import MOST_BYTES, read_hours
from tests.web.city import City
from tests.web.test_joining import newcomer

MONDAY = datetime(2026, 6, 15, tzinfo=UTC)


def community_day(day: datetime, *, import_wh: int = 100_000) -> list[CommunityHour]:
    return [
        CommunityHour(
            starts_at=day + timedelta(hours=hour),
            import_wh=import_wh,
            export_wh=50_000,
            bought_wh=40_000,
            sold_wh=40_000,
            priced_wh=40_000,
            priced_micro=40 * 500_000,
        )
        for hour in range(24)
    ]


def test_a_price_taker_gains_what_can_be_reckoned_by_hand() -> None:
    rules = load_rules(preset("demo"))
    shape = day_shape(community_day(MONDAY), rules)
    assert shape is not None and shape.hour_count == 24
    noon = MONDAY + timedelta(hours=4)  # noon in the community
    prices = rules.prices_at(noon)
    retail, feed_in = prices.retail_micro_per_kwh, prices.feed_in_micro_per_kwh
    fee = prices.platform_fee_micro_per_kwh
    assert feed_in < 500_000 < retail - fee
    found = try_month(
        starts=[noon, noon + timedelta(hours=1)],
        import_wh=[10_000, 0],
        export_wh=[0, 10_000],
        shape=shape,
        rules=rules,
    )
    # 40 % of what is used comes from neighbours, 80 % of what is given goes to them.
    assert (found.bought_wh, found.sold_wh) == (4_000, 8_000)
    assert found.alone_micro == 10 * feed_in - 10 * retail
    assert found.saved_micro == 4 * (retail - 500_000 - fee) + 8 * (500_000 - feed_in)


def test_made_up_files_learn_no_more_than_a_page_would_show() -> None:
    """A member more or less, a few hundred Wh: the average day that answers does not move."""
    rules = load_rules(preset("demo"))
    days = [MONDAY + timedelta(days=number) for number in range(5)]
    before = [each for day in days for each in community_day(day)]
    after = [each for day in days for each in community_day(day, import_wh=100_700)]
    one, other = day_shape(before, rules), day_shape(after, rules)
    assert one is not None and other is not None
    assert (one.bought_percent == other.bought_percent).all()
    assert (one.price == other.price).all()


def own_csv(hours: int = 48) -> bytes:
    lines = ["meter,start,minutes,import_wh,export_wh"]
    for hour in range(hours):
        start = MONDAY + timedelta(hours=hour)
        lines.append(f"mine,{start.isoformat()},60,{1000 + hour},0")
    return ("\n".join(lines) + "\n").encode()


NEM12 = b"100,NEM12,202606150000,MDP,RET\n200,NMI0000001,E1,E1,E1,,M1,KWH,60,\n300,20260615," + (
    b"1.0," * 24 + b"A,,,20260616000000,\n900\n"
)


def test_files_of_strangers_are_read_or_refused_with_a_reason() -> None:
    for content, hours in ((own_csv(), 48), (gzip.compress(own_csv()), 48), (NEM12, 24)):
        assert len(read_hours(content=content, timezone="Asia/Shanghai").start_s) == hours
    two = own_csv() + own_csv().split(b"\n", 1)[1].replace(b"mine", b"yours")
    bomb = gzip.compress(b"0" * 60_000_000)
    for content, why in (
        (two, "2 meters"),
        (b"\x00" * 100, "file"),
        (b"", "empty"),
        (bomb, "file"),
        (b"x" * (MOST_BYTES + 1), "3 MB"),
        (own_csv().replace(b",1000,", b",999999999,"), "10,000 kWh"),
    ):
        with pytest.raises(Invalid) as refused:
            read_hours(content=content, timezone="Asia/Shanghai")
        message = refused.value.text.format(**refused.value.params)
        assert why in message and "trial-" not in message


def release(city: City) -> None:
    day = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    released = ReleasedDay.objects.create(
        community_id=city.community_id,
        day=day.date(),
        starts_at=day,
        ends_at=day + timedelta(days=1),
        released_at=day,
        minimum=5,
        is_hidden=False,
        interval_count=24,
        settled_count=24,
        final_count=24,
        missing_count=0,
    )
    ReleasedEnergies.objects.bulk_create(
        ReleasedEnergies(
            release=released,
            community_id=city.community_id,
            zone_id=0,
            day=day.date(),
            starts_at=each.starts_at,
            ends_at=each.starts_at + timedelta(hours=1),
            is_hour=True,
            interval_count=1,
            meters_min=6,
            import_wh=each.import_wh,
            export_wh=each.export_wh,
            bought_wh=each.bought_wh,
            sold_wh=each.sold_wh,
            grid_import_wh=60_000,
            grid_export_wh=10_000,
            priced_wh=each.priced_wh,
            priced_micro=each.priced_micro,
            retail_micro_per_kwh=900_000,
            feed_in_micro_per_kwh=300_000,
        )
        for each in community_day(day)
    )


def sent(client: Client, city: City, content: bytes) -> tuple[int, str]:
    file = SimpleUploadedFile("month.csv", content)
    answer = client.post("/join/try", {"community": city.community_id, "file": file})
    return answer.status_code, answer.content.decode()


def test_the_page_shows_a_month_and_bounds_what_strangers_may_do(city: City) -> None:
    client = newcomer()
    # The newest released days answer, however long ago they were.
    assert "no figures yet" not in sent(client, city, own_csv())[1]
    ReleasedDay.objects.filter(community_id=city.community_id).delete()
    assert "no figures yet" in sent(client, city, own_csv())[1]
    release(city)
    code, page = sent(client, city, own_csv())
    assert code == 200 and "With neighbours" in page and "not those of the community" in page
    assert sent(client, city, b"meter,start\n<script>,1\n")[0] == 400
    assert "<script>" not in sent(client, city, b"<script>,1\n")[1].partition("</head>")[2]
    assert sent(client, city, b"0" * (MOST_BYTES + 50_000))[0] == 413
    # A form of another site is refused, and so is the thirteenth try of a day.
    strict = Client(enforce_csrf_checks=True)
    assert sent(strict, city, own_csv())[0] == 403
    texts = [sent(client, city, b"x")[1] for _ in range(8)]
    assert "Too many tries" in texts[-1] and "Too many tries" not in texts[0]
