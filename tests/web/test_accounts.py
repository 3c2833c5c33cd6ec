"""Sign-in, its limit, reset of a password, languages, roles."""

import re
from typing import Any

import pytest
from django.core import mail
from django.test import Client

from marketplace.models import User
from marketplace.services.people import join
from tests.web.city import PASSWORD, City, address, signed_in


def sign_in(client: Client, email: str, password: str = PASSWORD) -> Any:
    return client.post("/accounts/sign-in", {"username": email, "password": password})


def test_the_address_may_be_written_in_any_case(city: City) -> None:
    client = Client()
    answer = sign_in(client, "Alice@Heliopolis.Example")
    assert (answer.status_code, answer["Location"]) == (302, "/")
    assert client.get("/")["Location"] == f"/household/{city.participant_ids['alice']}/"


def test_ten_wrong_passwords_lock_this_account_from_here(city: City) -> None:
    client = Client()
    codes = [sign_in(client, address("alice"), "wrong").status_code for _ in range(10)]
    assert codes == [200] * 9 + [429]
    locked = sign_in(client, address("alice"))
    assert locked.status_code == 429
    assert "Too many attempts" in locked.content.decode()
    assert sign_in(client, address("bob")).status_code == 302
    assert Client(REMOTE_ADDR="192.0.2.7").get("/accounts/sign-in").status_code == 200


def test_the_lock_ignores_how_the_address_is_written(city: City) -> None:
    client = Client()
    for _ in range(10):
        sign_in(client, address("alice").upper(), "wrong")
    assert sign_in(client, address("alice")).status_code == 429


def test_a_password_is_reset_by_mail(city: City) -> None:
    client = Client()
    client.post("/accounts/password", {"email": address("bob")})
    link = re.search(r"http://testserver(/accounts/password/\S+)", str(mail.outbox[0].body))
    assert link is not None
    form = client.get(link.group(1), follow=True)
    client.post(
        form.redirect_chain[-1][0],
        {"new_password1": "another-sun-88", "new_password2": "another-sun-88"},
    )
    assert sign_in(client, address("bob"), "another-sun-88").status_code == 302
    assert "does not work any more" in Client().get(link.group(1), follow=True).content.decode()


def test_a_reset_does_not_tell_who_has_an_account(city: City) -> None:
    known = Client().post("/accounts/password", {"email": address("bob")}, follow=True)
    unknown = Client().post("/accounts/password", {"email": "nobody@x.example"}, follow=True)
    assert known.redirect_chain == unknown.redirect_chain
    assert len(mail.outbox) == 1


def test_the_language_stays_with_the_person(city: City) -> None:
    client = signed_in("alice")
    assert 'lang="en"' in client.get("/", follow=True).content.decode()
    client.post("/language", {"language": "zh-hans", "next": "/"})
    assert "退出登录" in client.get("/", follow=True).content.decode()
    assert User.objects.get(email=address("alice")).language == "zh-hans"

    elsewhere = Client()
    sign_in(elsewhere, address("alice"))
    assert "退出登录" in elsewhere.get("/", follow=True).content.decode()


def test_a_language_nobody_speaks_changes_nothing(city: City) -> None:
    client = signed_in("alice")
    client.post("/language", {"language": "xx", "next": "https://evil.example/"})
    assert User.objects.get(email=address("alice")).language == "en"
    answer = client.post("/language", {"language": "en", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


def test_without_a_role_there_is_a_word_of_welcome(city: City) -> None:
    page = signed_in("charlie").get("/").content.decode()
    assert "has no role in a community yet" in page
    assert "Statement" not in page


def test_a_person_with_two_roles_switches(city: City) -> None:
    join(
        user_id=User.objects.get(email=address("alice")).pk,
        participant_id=city.participant_ids["olga"],
    )
    client = signed_in("alice")
    assert "Act as" in client.get("/", follow=True).content.decode()
    operator = f"/operator/{city.participant_ids['olga']}/"
    assert client.get(operator).status_code == 200
    assert client.get("/")["Location"] == operator
    assert "Act as" not in signed_in("bob").get("/", follow=True).content.decode()


@pytest.mark.parametrize("method", ["get", "head"])
def test_signing_out_takes_a_post(city: City, method: str) -> None:
    client = signed_in("alice")
    assert getattr(client, method)("/accounts/sign-out").status_code == 405
    assert client.post("/accounts/sign-out")["Location"] == "/accounts/sign-in"
    own = f"/household/{city.participant_ids['alice']}/"
    assert client.get(own)["Location"] == f"/accounts/sign-in?next={own}"
    assert client.get("/").status_code == 200
