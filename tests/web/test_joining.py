"""The way in: a link, an application, an operator's answer; what strangers can and cannot do."""

import re
from datetime import timedelta

import pytest
from django.core import mail
from django.db import connection
from django.test import Client
from django.utils import timezone

from ledger.domain.documents import read_body
from marketplace.errors import ApplicationClosed, ApplicationUnfit
from marketplace.models import (
    Application,
    EmailConfirmation,
    Membership,
    MeteringPoint,
    Offer,
    Participant,
    TextConsent,
    User,
)
from marketplace.queries.applications import find_application, list_consents
from marketplace.queries.identity import identity_keys
from marketplace.queries.pages import list_personas
from marketplace.services import admissions
from marketplace.services.admissions import approve_application
from marketplace.services.applications import forget_applications
from marketplace.services.erasure import erase_subject, plan_erasure_of_person
from tests.web.city import City, address, signed_in

SCRIPT = "<script>alert(1)</script>"
NETWORKS = iter(range(1, 10_000))


def newcomer() -> Client:
    """Return a browser of its own network, so that limits of other tests do not count."""
    number = next(NETWORKS) + id(object()) % 50_000
    return Client(REMOTE_ADDR=f"10.{number % 200}.{number // 200 % 250}.{number % 251}")


def last_link() -> str:
    found = re.search(r"https?://[^/\s]+(/\S+)", str(mail.outbox[-1].body))
    assert found is not None
    return found[1]


def signed_up(email: str) -> Client:
    client = newcomer()
    client.post("/join", {"email": email})
    answer = client.post(last_link(), {"password": "sunny-side-77"})
    assert answer["Location"] == "/join/application/site"
    return client


def apply(client: Client, city: City, *, meter: str, name: str = "Gina's home") -> None:
    place = f"{city.community_id}:main"
    said = {"role": "household", "place": place, "name": name, "label": ""}
    for step, data in (
        ("site", said),
        ("meter", {"meter": meter, "kind": "smart"}),
        ("texts", {"community-terms": "on", "privacy-notice": "on"}),
        ("rule", {"rule": "own", "sell": "0.4", "buy": ""}),
        ("send", {}),
    ):
        answer = client.post(f"/join/application/{step}", data)
        assert answer.status_code == 302, (step, answer.content.decode())
    assert answer["Location"] == "/join/state"


def application_of(email: str) -> int:
    found = find_application(user_id=User.objects.get(email=email).pk)
    assert found is not None
    return found.id


def test_from_a_link_to_a_rule_that_trades(city: City) -> None:
    gina = signed_up("gina@heliopolis.example")
    apply(gina, city, meter="G-1", name=f"Gina {SCRIPT}")
    assert "waiting for the operator" in gina.get("/join/state").content.decode()
    # Nothing of it stands in the clear, and nothing names who it is.
    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(a)::text FROM marketplace_application a")
        [(row,)] = cursor.fetchall()
    assert "Gina" not in row and "G-1" not in row and "gina@" not in row
    [slot] = Application.objects.values_list("identity_slot", flat=True)

    olga, queue = signed_in("olga"), f"/operator/{city.participant_ids['olga']}/applications/"
    page = olga.get(queue).content.decode()
    assert "G-1" in page and SCRIPT not in page
    number = application_of("gina@heliopolis.example")
    tomorrow = (timezone.now() + timedelta(days=2)).date().isoformat()
    decide = f"{queue}{number}/decide"
    mail.outbox.clear()
    past = {"act": "approve", "first_day": "2026-06-01"}
    assert olga.post(decide, past).status_code == 400
    assert olga.post(decide, {"act": "approve", "first_day": tomorrow}).status_code == 302
    # Twice is once: the second answer finds nothing that waits.
    assert olga.post(decide, {"act": "approve", "first_day": tomorrow}).status_code == 404
    assert len(mail.outbox) == 1 and "/join/state" in str(mail.outbox[0].body)

    point = MeteringPoint.objects.get(code="G-1")
    member = point.site.participant
    assert list_personas(user_id=User.objects.get(email="gina@heliopolis.example").pk)[
        0
    ].participant_id == (member.id)
    in_force = Offer.objects.filter(metering_point=point, signed_terms__isnull=False).get()
    assert in_force.limit_price_micro == 400_000
    assert point.active_from > timezone.now()
    assert "takes part from" in gina.get("/join/state").content.decode()
    # The application is gone with its key, the texts agreed to stay with the member.
    assert not Application.objects.exists()
    assert {each.slug for each in list_consents(participant_id=member.id)} == {
        "community-terms",
        "privacy-notice",
    }
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body FROM ledger_inboxcommand WHERE key = %s", [f"membership:{member.id}"]
        )
        [(body,)] = cursor.fetchall()
    logged = read_body(bytes(body))
    assert str(city.participant_ids["olga"]) in str(logged) and "Gina" not in str(logged)
    assert not TextConsent.objects.filter(application__isnull=False).exists()
    assert slot  # destroyed once the transaction commits, which a test's never does


def test_the_answer_does_not_tell_who_has_an_account(city: City) -> None:
    client = newcomer()
    known = client.post("/join", {"email": address("bob").upper()})
    unknown = client.post("/join", {"email": "nobody@x.example"})
    words = [
        answer.content.decode().replace(email, "")
        for answer, email in ((known, address("bob")), (unknown, "nobody@x.example"))
    ]
    same = [re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", each) for each in words]
    assert same[0] == same[1] and len(mail.outbox) == 2
    assert EmailConfirmation.objects.count() == 1
    assert not User.objects.filter(email="nobody@x.example").exists()
    # The fourth mail of a day to one address is not sent, and the page does not say so.
    for _ in range(4):
        again = newcomer().post("/join", {"email": "nobody@x.example"})
        assert again.status_code == 200
    assert len([each for each in mail.outbox if each.to == ["nobody@x.example"]]) == 3


def test_a_link_works_once_and_for_a_day_and_opening_it_uses_nothing_up(city: City) -> None:
    client = newcomer()
    client.post("/join", {"email": "hugo@heliopolis.example"})
    link = last_link()
    assert client.get(link).status_code == client.get(link).status_code == 200
    assert client.post(link, {"password": "short"}).status_code == 400
    assert client.get(link[:-1] + ("A" if link[-1] != "A" else "B")).status_code == 404
    assert client.post(link, {"password": "sunny-side-77"}).status_code == 302
    assert newcomer().post(link, {"password": "another-77-sun"}).status_code == 404
    assert User.objects.get(email="hugo@heliopolis.example").check_password("sunny-side-77")

    client.post("/accounts/sign-out")
    client.post("/join", {"email": "ida@heliopolis.example"})
    EmailConfirmation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert client.get(last_link()).status_code == 404


def test_a_member_cannot_be_reached_by_their_meter_or_their_name(city: City) -> None:
    mona = signed_up("mona@heliopolis.example")
    place = f"{city.community_id}:main"
    mona.post(
        "/join/application/site",
        {"role": "household", "place": place, "name": "Mona", "label": ""},
    )
    taken = mona.post("/join/application/meter", {"meter": "m0", "kind": "smart"})
    assert taken.status_code == 400 and "belongs to a member" in taken.content.decode()
    # A provider's name is not a way into the provider's account.
    named = {"role": "data_provider", "place": place, "name": "City bikes", "label": ""}
    assert mona.post("/join/application/site", named).status_code == 400
    planner = {**named, "role": "planner"}
    assert mona.post("/join/application/site", planner).status_code == 400
    # Nor is the operator's page one of hers, and nothing is sent with steps missing.
    assert mona.get(f"/operator/{city.participant_ids['olga']}/applications/").status_code == 404
    assert mona.post("/join/application/send", {}).status_code == 400
    bad = {"meter": "\x00", "kind": "smart"}
    assert mona.post("/join/application/meter", bad).status_code == 400


def test_a_refusal_says_why_and_can_be_mended(city: City) -> None:
    nina = signed_up("nina@heliopolis.example")
    apply(nina, city, meter="N-1")
    queue = f"/operator/{city.participant_ids['olga']}/applications/"
    number = application_of("nina@heliopolis.example")
    olga = signed_in("olga")
    silent = olga.post(f"{queue}{number}/decide", {"act": "refuse", "refusal": "other"})
    assert silent.status_code == 400
    olga.post(
        f"{queue}{number}/decide",
        {"act": "refuse", "refusal": "outside", "reason": f"Ask the north. {SCRIPT}"},
    )
    page = nina.get("/join/state").content.decode()
    assert "outside of this community" in page and "Ask the north." in page and SCRIPT not in page
    assert nina.post("/join/state", {"act": "revise"})["Location"] == "/join/application/site"
    apply(nina, city, meter="N-2")
    nina.post("/join/state", {"act": "withdraw"})
    with pytest.raises(ApplicationClosed):
        approve(number, city)
    assert forget_applications(now=timezone.now()) == 1
    assert not Application.objects.exists()


def approve(number: int, city: City) -> None:
    approve_application(
        application_id=number,
        community_ids=[city.community_id],
        operator_id=city.participant_ids["olga"],
        now=timezone.now(),
    )


def test_killed_in_the_middle_nothing_changes(city: City, monkeypatch: pytest.MonkeyPatch) -> None:
    apply(signed_up("otto@heliopolis.example"), city, meter="O-1")
    apply(signed_up("pia@heliopolis.example"), city, meter="O-1")
    first = application_of("otto@heliopolis.example")
    second = application_of("pia@heliopolis.example")
    counts = Participant.objects.count(), Membership.objects.count()

    def die(**_: object) -> None:
        raise RuntimeError("the machine stops here")

    with monkeypatch.context() as stopped:
        stopped.setattr(admissions, "set_standing_rule", die)
        with pytest.raises(RuntimeError):
            approve(first, city)
    assert (Participant.objects.count(), Membership.objects.count()) == counts
    assert Application.objects.get(id=first).state == "submitted"
    approve(first, city)
    # Two applied for one meter: the second is told, and is nobody's member.
    with pytest.raises(ApplicationUnfit):
        approve(second, city)
    # Another community's operator finds nothing at all.
    with pytest.raises(ApplicationClosed):
        approve_application(
            application_id=second,
            community_ids=[city.community_id + 1],
            operator_id=1,
            now=timezone.now(),
        )


def test_whoever_is_erased_leaves_no_application(city: City) -> None:
    apply(signed_up("rosa@heliopolis.example"), city, meter="R-1")
    [slot] = Application.objects.values_list("identity_slot", flat=True)
    assert identity_keys().get([slot])
    plan = plan_erasure_of_person(email="rosa@heliopolis.example")
    erase_subject(plan=plan, now=timezone.now())
    assert not Application.objects.exists() and not identity_keys().get([slot])
