"""Being forgotten from the page: asked for, taken back, carried out once nothing is owed."""

import pytest
from django.test import Client

from marketplace.models import ErasureRequest, User
from marketplace.queries.pages import find_persona
from marketplace.services.people import add_participant, add_person, join
from tests.api.conftest import signed_in
from tests.town import Town, build_town, rows_of_hour, run_market, send


@pytest.fixture
def town(db: None) -> Town:
    town = build_town()
    send(town, [row for hour in range(3) for row in rows_of_hour(hour)])
    run_market(town)
    return town


def operator(town: Town) -> tuple[Client, int]:
    office = add_participant(role="operator", name="Hall office")
    user_id = add_person(email="hall@heliopolis.example", password="x")
    join(user_id=user_id, participant_id=office)
    return signed_in(User.objects.get(pk=user_id)), office


def is_forgotten(participant_id: int) -> bool:
    persona = find_persona(participant_id=participant_id)
    assert persona is not None
    return persona.name == ""


def test_whoever_is_owed_is_settled_with_first(town: Town) -> None:
    alice, home = signed_in(town.alice), town.participant("alice-1").id
    hall, office = operator(town)
    own, queue = f"/member/{home}/privacy/", f"/operator/{office}/erasures/"

    wrong = alice.post(f"{own}forget", {"number": str(home + 1)}).content.decode()
    assert f"Your member number is {home}." in wrong and not ErasureRequest.objects.exists()
    page = alice.post(f"{own}forget", {"number": str(home)}, follow=True).content.decode()
    assert "You asked for it on" in page and not is_forgotten(home)
    assert "Alice-1" in hall.get(queue).content.decode()
    alice.post(f"{own}keep")
    assert "Alice-1" not in hall.get(queue).content.decode()
    # What was taken back is nobody's to carry out, nor what another number was typed for.
    hall.post(queue, {"who": str(home), "number": str(home)})
    alice.post(f"{own}forget", {"number": str(home)})
    hall.post(queue, {"who": str(home), "number": str(home + 1)})
    assert not is_forgotten(home) and alice.get(own).status_code == 200

    hall.post(queue, {"who": str(home), "number": str(home)})
    assert is_forgotten(home)
    assert alice.get(own).status_code == 302  # to sign in
    town.alice.refresh_from_db()
    assert not town.alice.is_active
    assert list(ErasureRequest.objects.order_by("id").values_list("is_done", flat=True)) == [
        False,
        True,
    ]
    # Who was not asked by the member cannot be erased from there.
    bob = town.participant("bob-1").id
    hall.post(queue, {"who": str(bob), "number": str(bob)})
    assert not is_forgotten(bob)


def test_who_is_owed_nothing_is_forgotten_at_once(town: Town) -> None:
    planner = add_participant(role="planner", name="Planning office")
    user_id = add_person(email="plan@heliopolis.example", password="x")
    join(user_id=user_id, participant_id=planner)
    client = signed_in(User.objects.get(pk=user_id))
    page = client.post(f"/member/{planner}/privacy/forget", {"number": str(planner)})
    assert "You are forgotten." in page.content.decode() and is_forgotten(planner)
    assert ErasureRequest.objects.get().is_done
