"""Statements by the month, billing runs, and why a number is what it is: who sees what."""

import csv
import io
import re
from datetime import date

from django.db.models import Q
from django.test import Client
from pypdfium2 import PdfDocument

from config.templatetags.figures import money_exact
from ledger.models import Account, Transfer
from marketplace.models import DeliveryInterval, MeteringPoint, Participant, Statement
from marketplace.queries.identity import NAME, identity_keys
from marketplace.services.billing import preview_billing
from tests.web.city import NOW, City, signed_in

MONTH = "2026-06"
OTHERS = ("bob", "charlie", "erin", "paul", "dora")


def account_of(city: City, name: str) -> Account:
    account = city.persona(name).energy_account_id
    assert account is not None
    return Account.objects.get(pk=account)


def make_final(city: City) -> str:
    """Bill the month by the operator's pages; return the address of the run."""
    olga = signed_in("olga")
    home = f"/operator/{city.participant_ids['olga']}/billing/"
    asked = olga.post(home, {"month": MONTH, "tax": "13", "tax_is_included": "on"})
    assert asked.status_code == 302, asked.content.decode()[:2000]
    address = asked.headers["Location"]
    page = olga.post(f"{address}final", follow=True).content.decode()
    assert "The run is final; its number is 1." in page
    return address


def test_a_month_from_preview_to_statement(city: City) -> None:
    alice, own = signed_in("alice"), f"/member/{city.participant_ids['alice']}/months/"
    assert "provisional" in alice.get(own).content.decode()
    assert alice.get(f"{own}{MONTH}/statement.pdf").status_code == 404
    address = make_final(city)

    page = alice.get(own, {"month": MONTH}).content.decode()
    net = account_of(city, "alice").balance
    assert money_exact(net) in page  # the statement's sum, and that of the days
    assert f'<data value="{net}" data-figure="net_micro"' in page
    assert f"{MONTH}/1-{city.participant_ids['alice']}" in page
    rows = list(csv.DictReader(io.StringIO(text_of(alice, f"{own}{MONTH}/statement.csv"))))
    assert sum(int(row["amount_micro"]) for row in rows) == net
    assert {row["line"] for row in rows} >= {"pool_sale", "grid_purchase"}

    found = alice.get("/api/v1/final-statements/", {"month": MONTH}).json()
    assert [each["participant_id"] for each in found] == [city.participant_ids["alice"]]
    assert found[0]["net_micro"] == net == sum(each["amount_micro"] for each in found[0]["items"])
    assert alice.get("/api/v1/final-statements/", {"month": "June"}).status_code == 400

    olga = signed_in("olga")
    paid = list(csv.DictReader(io.StringIO(text_of(olga, f"{address}payments.csv"))))
    minor = {int(row["participant"]): row for row in paid}
    for statement in Statement.objects.all():
        row = minor[statement.participant_id]
        assert int(row["amount_minor"]) == abs(statement.payable_minor)
        assert row["direction"] == ("pay" if statement.payable_minor > 0 else "collect")
    everything = list(csv.DictReader(io.StringIO(text_of(olga, f"{address}statements.csv"))))
    assert {row["name"] for row in everything} >= {"Alice's home", "Bob's home", "Bakery"}


def text_of(client: Client, address: str) -> str:
    answer = client.get(address)
    assert answer.status_code == 200, address
    return answer.content.decode("utf-8-sig")


def test_the_pdf_holds_chinese_as_text(city: City) -> None:
    """The name is Chinese in either language; a reader needs no font of its own."""
    alice = Participant.objects.get(pk=city.participant_ids["alice"])
    key = identity_keys().get([alice.identity_slot])[alice.identity_slot]
    alice.sealed_name = key.seal_text("爱丽丝的家", purpose=NAME)
    alice.save()
    make_final(city)
    client = signed_in("alice")
    for language, title in (("en", "Statement for June 2026"), ("zh-hans", "太阳城")):
        client.cookies["django_language"] = language
        answer = client.get(f"/member/{alice.pk}/months/{MONTH}/statement.pdf")
        assert answer.headers["Content-Type"] == "application/pdf"
        document = PdfDocument(answer.content)
        text = "".join(page.get_textpage().get_text_bounded() for page in document)
        assert "爱丽丝的家" in text and "菩提苑" in text and title in text
        assert money_exact(account_of(city, "alice").balance) in text
        assert b"/FontFile3" in answer.content


def test_nobody_sees_anothers_statement_or_run(city: City) -> None:
    address = make_final(city)
    alice, olga = (city.participant_ids[name] for name in ("alice", "olga"))
    browsers = {name: signed_in(name) for name in ("alice", "bob", "charlie", "olga", "paul")}
    own = (
        f"/member/{alice}/months/",
        f"/member/{alice}/months/{MONTH}/statement.pdf",
        f"/member/{alice}/months/{MONTH}/statement.csv",
    )
    runs = (
        f"/operator/{olga}/billing/",
        address,
        f"{address}statements.csv",
        f"{address}payments.csv",
        f"{address}statements/{alice}",
    )
    for paths, owner in ((own, "alice"), (runs, "olga")):
        for path in paths:
            for name, browser in browsers.items():
                expected = 200 if name == owner else 404
                assert browser.get(path).status_code == expected, (name, path)
    for name in ("alice", "bob", "charlie", "paul"):
        assert browsers[name].post(f"{address}final").status_code == 404


def test_every_figure_of_an_interval_is_explained(city: City) -> None:
    interval = DeliveryInterval.objects.get(starts_at__hour=4)  # noon in Shanghai
    point = MeteringPoint.objects.get(code="m0")
    page = signed_in("alice").get(f"/why/{interval.pk}/{point.pk}/").content.decode()

    account = account_of(city, "alice")
    transfers = Transfer.objects.filter(command__key=f"settle:{interval.pk}:1").filter(
        Q(debit_account=account) | Q(credit_account=account)
    )
    assert transfers
    for each in transfers:
        assert f"transfer {each.pk} in block " in page
        assert f"/receipts/transfer/{each.pk}/" in page
    assert "Meter m0: 0.904 kWh sent out, 0.000 kWh drawn." in page
    assert "It was measured." in page and "Of 3 offers, " in page
    assert interval.rule_set.sha256 in page
    assert f"/receipts/book/{interval.pk}/1/" in page
    fragment = signed_in("alice").get(
        f"/why/{interval.pk}/{point.pk}/", headers={"HX-Request": "true"}
    )
    assert "<html" not in fragment.content.decode()


def test_only_the_member_and_the_operator_may_ask_why(city: City) -> None:
    interval = DeliveryInterval.objects.earliest("starts_at").pk
    point = MeteringPoint.objects.get(code="m0").pk
    path = f"/why/{interval}/{point}/"
    for name in ("alice", "olga"):
        assert signed_in(name).get(path).status_code == 200, name
    for name in OTHERS:
        assert signed_in(name).get(path).status_code == 404, name
    assert Client().get(path).status_code == 302
    assert signed_in("alice").get(f"/why/{interval + 10_000}/{point}/").status_code == 404
    links = re.findall(r'href="/why/\d+/(\d+)/"', statement_page(city))
    assert set(links) == {str(point)}


def statement_page(city: City) -> str:
    own = f"/member/{city.participant_ids['alice']}/statement/"
    return signed_in("alice").get(own).content.decode()


def test_a_preview_says_which_statements_changed(city: City) -> None:
    for tax in (0, 130_000):
        run = preview_billing(
            community_id=city.community_id,
            month=date(2026, 6, 1),
            tax_ppm=tax,
            tax_is_included=False,
            now=NOW,
        )
    page = signed_in("olga").get(f"/operator/{city.participant_ids['olga']}/billing/{run}/")
    text = page.content.decode()
    assert "6 statements differ." in text
    assert "Tax of 13 %" in text
