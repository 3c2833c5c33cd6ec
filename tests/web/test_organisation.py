"""Several people for one participant: who may do what, up to how much, and who may not get in."""

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from django.core import mail
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from config.web import rights as pages
from marketplace.api import rights as api
from marketplace.domain.organisations import Right
from marketplace.errors import LimitExceeded
from marketplace.models import Commitment, Invitation, Membership, Offer, User
from marketplace.queries.pages import ActsAs, list_personas
from marketplace.services.organisations import committing
from marketplace.services.people import add_person
from tests.web.city import PASSWORD, City, address, signed_in
from tests.web.test_joining import SCRIPT, last_link, newcomer

# No participant is bound by what these do; feeds, files and the log have no session at all.
READS = {"GET", "HEAD", "OPTIONS"}
TEMPLATES: Final = Path(pages.__file__).parent.parent / "templates"
FORM: Final = re.compile(r'({% permitted[^%]*%})?<form\b[^>]*method="post"[^>]*>')
TARGET: Final = re.compile(r"action=\"{% url '(\w+)'")
# What somebody does for themselves, whoever they act for.
OF_A_PERSON: Final = (
    "join/confirm",
    "join/join",
    "join/state",
    "join/step",
    "join/trial",
    "notices/",
    "organisation/invitation",
    "registration/",
)


def writing_views() -> Iterator[str]:
    """Yield the name of every view that takes anything but reads."""
    for name, callback in _walk(get_resolver().url_patterns):
        view = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
        if view is not None:
            if any(hasattr(view, each) for each in ("post", "put", "patch", "delete")):
                yield name
        elif not _methods_of(callback) <= READS:
            yield name


def _walk(patterns: list[URLPattern | URLResolver]) -> Iterator[tuple[str, Any]]:
    for each in patterns:
        if isinstance(each, URLResolver):
            yield from _walk(each.url_patterns)
        else:
            yield str(each.name), each.callback


def _methods_of(callback: Any) -> set[str]:
    """Return what its decorators let through; everything where none says so."""
    while callback is not None:
        for cell in getattr(callback, "__closure__", None) or ():
            value = cell.cell_contents
            if isinstance(value, list) and value and all(isinstance(v, str) for v in value):
                return set(value)
        callback = getattr(callback, "__wrapped__", None)
    return {"ANY"}


def test_every_write_says_what_it_needs() -> None:
    """Who adds a button names its right; what nobody names only owners may do."""
    named = {*pages.RIGHTS, *pages.PERSONAL, *api.RIGHTS, *api.PERSONAL}
    assert set(writing_views()) - named == set()
    known = {name for name, _ in _walk(get_resolver().url_patterns)}
    assert named - known == set()
    assert pages.RIGHTS["signing_key"] is api.RIGHTS["api_signing_key"] is Right.MANAGE


def invite(city: City, email: str, **seat: str) -> str:
    home = f"/organisation/{city.participant_ids['erin']}/"
    said = {"email": email, "alias": f"Buying {SCRIPT}", "limit": "", "monthly_limit": "", **seat}
    answer = signed_in("erin").post(home, said)
    assert answer.status_code == 302, answer.content.decode()
    return last_link()


def seat_of(email: str) -> Membership:
    [persona] = list_personas(user_id=User.objects.get(email=email).pk)
    assert persona.membership.id is not None
    return Membership.objects.get(id=persona.membership.id)


def as_somebody(email: str) -> Client:
    client = newcomer()
    client.force_login(User.objects.get(email=email), "django.contrib.auth.backends.ModelBackend")
    return client


def test_roles_decide_on_pages_and_in_the_api(city: City) -> None:
    bakery = city.participant_ids["erin"]
    link = invite(city, "vera@heliopolis.example", role="viewer")
    vera = newcomer()
    assert SCRIPT not in vera.get(link).content.decode()
    assert vera.post(link, {"password": "flour-and-sun-9"}).status_code == 302
    page = vera.get(f"/organisation/{bakery}/").content.decode()
    assert "viewer" in page and SCRIPT not in page and "Invite somebody" not in page

    [point] = Offer.objects.filter(participant=bakery).values_list("metering_point_id", flat=True)
    rule = f"/member/{bakery}/rule/{point}/"
    form = {f"rule{point}-sell": "0.41", f"rule{point}-buy": ""}
    seat = seat_of("vera@heliopolis.example")
    body = {"sell_at_or_above_micro_per_kwh": 420_000, "buy_at_or_below_micro_per_kwh": None}

    def put() -> int:
        return vera.put(
            f"/api/v1/standing-rules/{point}/", body, content_type="application/json"
        ).status_code

    assert vera.get(rule).status_code == 200
    refused = vera.post(rule, form)
    assert refused.status_code == 403 and "Ask one of its owners" in refused.content.decode()
    assert put() == 404
    # All of it in one file is for owners to take.
    archive = f"/member/{bakery}/privacy/data.zip"
    assert vera.get(archive).status_code == 403
    assert archive not in vera.get(f"/member/{bakery}/privacy/").content.decode()
    assert signed_in("erin").get(archive).status_code == 200
    # An accountant may not trade either, a trader may; neither manages people or keys.
    for role, code, api_code in (("accountant", 403, 404), ("trader", 302, 200)):
        Membership.objects.filter(id=seat.id).update(role=role)
        assert vera.post(rule, form).status_code == code
        assert put() == api_code
        assert vera.post(f"/organisation/{bakery}/key", {"holder": "hall"}).status_code == 403
        assert vera.post(f"/organisation/{bakery}/people/{seat.id}", {}).status_code == 403
    # Leaving is everybody's own.
    assert vera.post(f"/organisation/{bakery}/leave").status_code == 302
    assert vera.get(f"/organisation/{bakery}/").status_code == 404


def test_an_invitation_is_its_readers_alone_and_holds_once(city: City) -> None:
    add_person(email="walt@heliopolis.example", password=PASSWORD)
    link = invite(city, "walt@heliopolis.example", role="trader")
    # Who finds the mail and is somebody else, or nobody yet, gets nowhere.
    assert signed_in("charlie").post(link).status_code == 404
    assert newcomer().post(link, {"password": "stolen-sun-5"}).status_code == 404
    assert User.objects.get(email="walt@heliopolis.example").check_password(PASSWORD)
    walt = as_somebody("walt@heliopolis.example")
    assert walt.post(link).status_code == 302 and walt.post(link).status_code == 404
    assert seat_of("walt@heliopolis.example").role == "trader"
    # Nothing of an invitation stands in the clear, and an old one does not hold.
    late = invite(city, "xeni@heliopolis.example", role="owner")
    row = Invitation.objects.values().get()
    assert b"xeni" not in bytes(row["sealed_address"]) and late.rpartition("/")[2] not in str(row)
    Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert newcomer().get(late).status_code == 404
    assert len(mail.outbox) == 2
    # Another organisation's owner changes nothing here.
    seat = seat_of("walt@heliopolis.example")
    bikes = city.participant_ids["dora"]
    remove = {"act": "remove"}
    assert signed_in("dora").post(
        f"/organisation/{bikes}/people/{seat.id}", remove
    ).status_code in (
        302,
        404,
    )
    assert Membership.objects.filter(id=seat.id).exists()


def test_the_last_owner_stays(city: City) -> None:
    bakery = city.participant_ids["erin"]
    erin, seat = signed_in("erin"), seat_of(address("erin"))
    for path, data in (
        (f"/organisation/{bakery}/leave", {}),
        (f"/organisation/{bakery}/people/{seat.id}", {"act": "remove"}),
        (f"/organisation/{bakery}/people/{seat.id}", {f"p{seat.id}-role": "viewer"}),
    ):
        page = erin.post(path, data, follow=True)
        assert "keeps at least one owner" in page.content.decode()
        seat.refresh_from_db()
        assert seat.role == "owner"


def test_limits_count_what_was_done_and_nothing_that_failed(city: City) -> None:
    seat = seat_of(address("erin"))
    Membership.objects.filter(id=seat.id).update(limit_micro=100, monthly_limit_micro=150)
    acts, now = ActsAs("trader", seat.id, 100, 150), timezone.now()

    def commit(key: str, amount: int) -> None:
        with committing(acts_as=acts, key=key, amount_micro=amount, now=now):
            pass

    with pytest.raises(LimitExceeded):
        commit("much", 101)
    commit("a", 100)
    commit("a", 100)  # the same act again
    with pytest.raises(LimitExceeded):
        commit("b", 51)
    with (
        pytest.raises(ZeroDivisionError),
        committing(acts_as=acts, key="c", amount_micro=50, now=now),
    ):
        raise ZeroDivisionError
    commit("d", 50)
    assert sum(Commitment.objects.values_list("amount_micro", flat=True)) == 150
    # A new month begins at nothing.
    later = now + timedelta(days=32)
    with committing(acts_as=acts, key="e", amount_micro=100, now=later) as counted:
        counted.amount_micro = 0  # nothing came of it
    assert Commitment.objects.count() == 2


def test_every_form_is_for_those_who_may_send_it() -> None:
    """A form that is offered to whoever may not send it ends in a refusal."""
    offered = []
    for path in sorted(TEMPLATES.rglob("*.html")):
        name = str(path.relative_to(TEMPLATES))
        for form in FORM.finditer(path.read_text()):
            target = TARGET.search(form.group())
            tag = f'permitted "{target.group(1)}"' if target else "permitted"
            if tag not in (form.group(1) or "") and not (
                name.startswith(OF_A_PERSON) or (target and target.group(1) in pages.PERSONAL)
            ):
                offered.append(f"{name}: {form.group()}")
    assert offered == []


@pytest.mark.parametrize(
    ("name", "page", "deed"),
    [
        ("erin", "/market/requests", "Post the request"),
        ("dora", "/market/products/new", '<button class="main">'),
        ("olga", "/operator/{id}/rules", "Keep as a draft"),
    ],
)
def test_nobody_is_offered_what_they_may_not_do(
    city: City, name: str, page: str, deed: str
) -> None:
    client, page = signed_in(name), page.format(id=city.participant_ids[name])
    assert deed in client.get(page).content.decode()
    Membership.objects.filter(id=seat_of(address(name)).id).update(role="viewer")
    offered = client.get(page).content.decode()
    assert deed not in offered and "your role here is viewer" in offered
