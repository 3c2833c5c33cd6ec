"""A member's money: every figure of a page is the sum of transfers of the book."""

import re
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path

from django.db.models import Q

from config.replay.pipeline import replay
from config.templatetags.figures import money, money_exact
from ledger.models import Account, Transfer
from marketplace.domain.civil_day import day_bounds
from marketplace.domain.rules import preset
from marketplace.models import DeliveryInterval, Participant
from marketplace.queries.pages import Persona
from marketplace.queries.people import find_member
from marketplace.queries.statements import list_statement_lines, total_of
from marketplace.services.people import join
from tests.web.city import DAY, MISSING_HOUR, NOW, City, readings_csv, signed_in


def account_of(persona: Persona) -> Account:
    assert persona.energy_account_id is not None
    return Account.objects.get(pk=persona.energy_account_id)


def test_the_day_comes_to_what_the_account_moved(city: City) -> None:
    for name in ("alice", "bob", "erin"):
        persona, place = city.persona(name), city.place()
        interval = DeliveryInterval.objects.earliest("starts_at")
        start, end = day_bounds(interval.starts_at.astimezone(place.zone).date(), place.zone)
        lines = list_statement_lines(persona=persona, place=place, start=start, end=end)

        assert len(lines) == 24
        assert total_of(lines).net_micro == account_of(persona).balance != 0
        assert sum(line.transfer_count for line in lines) == (
            Transfer.objects.filter(
                Q(debit_account=persona.energy_account_id)
                | Q(credit_account=persona.energy_account_id)
            ).count()
        )


def test_the_home_page_says_what_was_earned_paid_and_saved(city: City) -> None:
    persona = city.persona("alice")
    page = signed_in("alice").get("/", follow=True).content.decode()
    account = account_of(persona)

    assert money(account.credits_posted, "CNY") in page
    assert money(account.debits_posted, "CNY") in page
    saved = re.search(r"The market made you ¥([\d.]+) better off", page)
    assert saved is not None
    assert float(saved.group(1)) > 0


def test_savings_are_the_difference_to_the_grid_alone(city: City) -> None:
    """Recomputed here from prices of the rule set, apart from the code under test."""
    persona, place = city.persona("alice"), city.place()
    lines = list_statement_lines(
        persona=persona,
        place=place,
        start=DeliveryInterval.objects.earliest("starts_at").starts_at,
        end=DeliveryInterval.objects.latest("ends_at").ends_at,
    )
    alone = 0
    for hour, line in enumerate(lines):
        row = line.interval
        assert row.export_wh is not None
        assert row.import_wh is not None
        retail = 330_000 if hour < 7 or hour == 23 else 560_000
        retail = 650_000 if hour in (10, 11, 17, 18, 19, 20) else retail
        feed_in = 300_000 if hour < 7 or hour == 23 else 360_000
        # Every product is a whole number of micro-units here, as prices are multiples of 1,000.
        alone += (row.export_wh * feed_in - row.import_wh * retail) // 1000

    assert total_of(lines).saved_micro == account_of(persona).balance - alone > 0


def test_each_line_leads_to_its_transfers(city: City) -> None:
    client = signed_in("alice")
    page = client.get(f"/member/{city.participant_ids['alice']}/statement/").content.decode()
    links = re.findall(r'href="(/member/\d+/statement/\d+/)"', page)
    assert len(links) == 24
    shown = set()
    for link in links:
        whole = client.get(link).content.decode()
        fragment = client.get(link, headers={"HX-Request": "true"}).content.decode()
        assert "<html" in whole
        assert "<html" not in fragment
        for text in (whole, fragment):
            shown |= {int(number) for number in re.findall(r'<th scope="row">(\d+)\b', text)}
    account = city.persona("alice").energy_account_id
    transfers = Transfer.objects.filter(Q(debit_account=account) | Q(credit_account=account))
    assert shown == set(transfers.values_list("id", flat=True))
    assert "Community pool" in client.get(links[12]).content.decode()


def test_the_statement_shows_every_micro_unit(city: City) -> None:
    persona = city.persona("bob")
    page = signed_in("bob").get(f"/member/{persona.participant_id}/statement/").content.decode()
    assert money_exact(account_of(persona).balance) in page


def test_a_missing_reading_is_missing_and_not_zero(city: City) -> None:
    from marketplace.models import User

    sixth = find_member(meter="m5")
    user = User.objects.create_user("sixth@heliopolis.example", "sunny-day-37")
    join(user_id=user.pk, participant_id=sixth)
    page = signed_in("sixth").get(f"/household/{sixth}/day/{DAY}/").content.decode()
    row = page[page.index(f">{MISSING_HOUR}:00<") :]
    assert "reading missing" in row[: row.index("</tr>")]
    assert 'fill="url(#held)"' in page


def test_only_the_owner_sees_it(city: City) -> None:
    alice = city.participant_ids["alice"]
    link = f"/member/{alice}/statement/"
    interval = DeliveryInterval.objects.earliest("starts_at").pk
    paths = (f"/household/{alice}/", link, f"{link}{interval}/")
    for path in paths:
        assert signed_in("alice").get(path).status_code == 200
        for name in ("bob", "charlie", "erin", "olga", "paul", "dora"):
            assert signed_in(name).get(path).status_code == 404, (name, path)


def test_a_correction_is_added_and_shown_as_one(city: City, tmp_path: Path) -> None:
    """Alice's noon was read wrong: the interval is cleared again and differences are posted."""
    later = tmp_path / "later.csv"
    later.write_text(f"meter,start,minutes,import_wh,export_wh\nm0,{DAY}T12:00:00+08:00,60,0,100\n")
    persona, place = city.persona("alice"), city.place()
    replay(
        later,
        community_name=place.name,
        rules_document=preset("demo"),
        timezone=None,
        now=NOW + timedelta(hours=1),
    )
    interval = DeliveryInterval.objects.get(starts_at__hour=4)  # noon in Shanghai
    assert interval.revision == 2
    start, end = day_bounds(date.fromisoformat(DAY), place.zone)
    lines = list_statement_lines(persona=persona, place=place, start=start, end=end)
    noon = next(line for line in lines if line.interval.interval_id == interval.pk)

    assert (noon.interval.export_wh, noon.interval.sold_wh) == (100, 100)
    assert noon.transfer_count > 1
    assert noon.interval.price_micro_per_kwh is not None
    assert noon.pool_sale_micro == round(Fraction(noon.interval.price_micro_per_kwh, 10))
    assert total_of(lines).net_micro == account_of(persona).balance
    link = f"/member/{persona.participant_id}/statement/{interval.pk}/"
    assert "correction, revision 2" in signed_in("alice").get(link).content.decode()


def test_a_member_over_the_limit_is_told_so(city: City, tmp_path: Path) -> None:
    """Bob owes for the first day; the next day's auctions are without him."""
    Participant.objects.filter(pk=city.participant_ids["bob"]).update(credit_limit_micro=0)
    next_day = tmp_path / "next.csv"
    next_day.write_text(readings_csv(6).replace(DAY, "2026-06-16"))
    replay(
        next_day,
        community_name=city.place().name,
        rules_document=preset("demo"),
        timezone=None,
        now=NOW,
    )
    bob = signed_in("bob").get("/", follow=True).content.decode()
    assert "You owe more than your credit limit" in bob
    day = f"/household/{city.participant_ids['bob']}/day/2026-06-16/"
    told = "In 24 intervals you owed more than your credit limit"
    assert told in signed_in("bob").get(day).content.decode()
    assert "credit limit" not in signed_in("alice").get("/", follow=True).content.decode()
    page = signed_in("alice").get(f"/community/{city.community_id}/").content.decode()
    assert "1 meter is over its credit limit" in page
    assert "Bob" not in page
    operator = signed_in("olga").get("/", follow=True).content.decode()
    assert "1 member owes more than the credit limit" in operator
