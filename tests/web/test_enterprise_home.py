"""The enterprise's home: its load by source agrees with the book, and data alone is enough."""

import re
from datetime import UTC, datetime

from analytics.services import roll_up_settled
from marketplace.models import Match, MeteringPoint
from marketplace.queries.pages import find_persona
from marketplace.queries.procurement import list_load, sum_by_source
from marketplace.queries.statements import list_statement_lines, total_of
from marketplace.services.people import add_participant, join
from tests.web.city import NOW, City, signed_in

START, END = datetime(2026, 6, 14, 16, tzinfo=UTC), datetime(2026, 6, 15, 16, tzinfo=UTC)


def test_the_load_by_source_is_that_of_the_statement(city: City) -> None:
    own = MeteringPoint.objects.get(code="m5").site.participant_id
    slots = list_load(
        participant_id=own, zone="Asia/Shanghai", start=START, end=END, bucket="hour", now=NOW
    )
    persona = find_persona(participant_id=own)
    assert persona is not None
    lines = list_statement_lines(persona=persona, place=city.place(), start=START, end=END)
    totals = total_of(lines)

    assert len(slots) == 24
    assert sum(slot.import_wh for slot in slots) == totals.import_wh
    bought = sum_by_source(slots)
    assert set(bought) == {"pool"}
    assert bought["pool"].wh == totals.bought_wh > 0
    assert sum(slot.grid_wh or 0 for slot in slots) == totals.import_wh - totals.bought_wh
    trades = Match.objects.filter(buyer_point__site__participant=own)
    assert bought["pool"].value == sum(each.quantity * each.price_micro for each in trades)


def test_an_hour_without_its_reading_is_missing_not_zero(city: City) -> None:
    own = MeteringPoint.objects.get(code="m5").site.participant_id
    slots = list_load(
        participant_id=own, zone="Asia/Shanghai", start=START, end=END, bucket="hour", now=NOW
    )
    assert [slot.is_missing for slot in slots] == [False] * 23 + [True]
    assert slots[23].grid_wh is None


def test_the_home_shows_day_week_and_month(city: City) -> None:
    roll_up_settled()
    own = city.participant_ids["erin"]
    client = signed_in("erin")
    pages = {
        span: client.get(f"/enterprise/{own}/", {"span": span}).content.decode()
        for span in ("day", "week", "month")
    }
    bought = {
        span: re.search(rf'value="(\d+)" data-figure="import_wh" data-of="member:{own}"', page)
        for span, page in pages.items()
    }
    values = {found.group(1) for found in bought.values() if found}
    assert len(values) == 1  # one settled day, whatever the span
    assert values != {"0"}
    assert "<h2>The next days</h2>" in pages["day"]
    for span in ("week", "month"):
        assert "data-from" in pages[span]


def test_an_enterprise_of_data_alone_has_a_home(city: City) -> None:
    from marketplace.models import User

    user = User.objects.create_user("works@heliopolis.example", "sunny-day-37")
    own = add_participant(role="enterprise", name="Data works")
    join(user_id=user.pk, participant_id=own)
    page = signed_in("works").get("/", follow=True)
    assert page.status_code == 200
    assert page.redirect_chain[-1][0] == f"/enterprise/{own}/"
    text = page.content.decode()
    assert "You act in the data market alone." in text
    assert "/statement/" not in text


def test_a_provider_has_a_home_of_their_own(city: City) -> None:
    page = signed_in("dora").get("/", follow=True)
    own = city.participant_ids["dora"]
    assert page.redirect_chain[-1][0] == f"/provider/{own}/"
    assert "You offer nothing yet." in page.content.decode()
    assert signed_in("erin").get(f"/provider/{own}/").status_code == 404
