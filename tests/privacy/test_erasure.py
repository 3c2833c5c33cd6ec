"""Erasure: nobody can join a person to an account any more, and the books stay whole."""

from datetime import timedelta
from io import StringIO
from random import Random

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.authtoken.models import Token

from ledger.services import verify_book
from marketplace.domain.identity import IdentityKeys
from marketplace.errors import AlreadyErased
from marketplace.models import MeteringPoint, Offer, Participant, Request, User
from marketplace.queries.identity import identity_keys
from marketplace.queries.pages import find_persona, list_personas
from marketplace.services import erasure
from marketplace.services.erasure import (
    erase_subject,
    plan_erasure_of_participant,
    plan_erasure_of_person,
)
from marketplace.services.people import add_participant, add_person, join
from marketplace.services.tokens import renew_token
from tests.api.conftest import send_json, signed_in
from tests.privacy.attacker import Attacker, take_backup
from tests.town import NOW, Town, build_town, rows_of_hour, run_market, send


@pytest.fixture
def town(db: None) -> Town:
    town = build_town()
    send(town, [row for hour in range(3) for row in rows_of_hour(hour)])
    run_market(town)
    return town


def erase_person(user: User) -> None:
    erase_subject(plan=plan_erasure_of_person(email=user.email), now=NOW)


def test_a_backup_from_before_says_nothing_after(town: Town) -> None:
    alice, bob = town.participant("alice-1"), town.participant("bob-1")
    point = town.point("alice-1")
    # Writes leave traces too: a session with a role in use, an answer kept for a repeat.
    assert signed_in(town.alice).get(f"/household/{alice.id}/").status_code == 200
    rule = {"sell_at_or_above_micro_per_kwh": None, "buy_at_or_below_micro_per_kwh": None}
    path = f"standing-rules/{point.id}/"
    assert send_json(signed_in(town.alice), "PUT", path, rule, key="k1").status_code == 200
    attacker = Attacker(take_backup(), identity_keys())
    numbers = {alice.id, point.id, alice.energy_account_id or 0}

    # With all keys the attack works,
    assert (town.alice.email, alice.id) in attacker.links()
    assert attacker.names()[alice.id] == "Alice-1"
    assert attacker.traces(numbers) >= {"marketplace_membership"}
    # and what it finds stands nowhere in the clear.
    assert attacker.mentions("Alice-1") == set()
    assert attacker.mentions(town.alice.email) <= {"marketplace_user", "axes_accesslog"}

    erase_person(town.alice)

    assert attacker.links() == {(town.bob.email, bob.id)} | {
        link for link in attacker.links() if link[0].startswith(("operator", "planner"))
    }
    assert alice.id not in attacker.names()
    assert attacker.names()[bob.id] == "Bob-1"
    assert attacker.traces(numbers) == set()
    later = Attacker(take_backup(), identity_keys())
    assert later.mentions(town.alice.email) == set()
    assert later.mentions("Alice-1") == set()
    assert alice.id not in {participant_id for _, participant_id in later.links()}


def test_who_counts_rows_learns_nothing_of_roles_given_in_another_order(db: None) -> None:
    homes = [add_participant(role="planner", name=f"Planner {number}") for number in range(12)]
    people = [add_person(email=f"p{n}@heliopolis.example", password="x") for n in range(12)]
    acting = dict(zip(people, homes, strict=True))
    for person in Random(7).sample(people, len(people)):
        join(user_id=person, participant_id=acting[person])

    backup = take_backup()
    users = [row for row in backup["marketplace_user"] if row["identity_slot"]]
    users.sort(key=lambda row: row["identity_slot"])
    members = sorted(backup["marketplace_membership"], key=lambda row: row["id"])
    guessed = zip(users, members, strict=True)
    right = [acting[user["id"]] == member["participant_id"] for user, member in guessed]
    assert sum(right) <= 3


def test_a_session_does_not_say_for_whom_somebody_acts(town: Town) -> None:
    client, home = signed_in(town.alice), town.participant("alice-1")
    assert client.get(f"/household/{home.id}/").status_code == 200
    kept = dict(client.session)
    handle = list_personas(user_id=town.alice.pk)[0].handle
    assert kept.pop("persona") == handle and len(handle) == 64
    assert set(kept) == {"_auth_user_id", "_auth_user_backend", "_auth_user_hash"}


def test_no_table_joins_people_to_what_they_do(db: None) -> None:
    """Who adds a reference to the person's row breaks this: use the person's tag instead."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conrelid::regclass::text FROM pg_constraint"
            " WHERE contype = 'f' AND confrelid = 'marketplace_user'::regclass"
        )
        tables = {name for (name,) in cursor.fetchall()}
    assert tables == {
        "authtoken_token",
        # What somebody wants mailed, and what waits: its notices are sealed under their key.
        "marketplace_mailpreference",
        "marketplace_noticemail",
        "marketplace_user_groups",
        "marketplace_user_user_permissions",
    }


def test_the_person_is_signed_out_everywhere(town: Town) -> None:
    client = signed_in(town.alice)
    token = {"Authorization": f"Token {renew_token(user_id=town.alice.pk)}"}
    assert client.get("/api/v1/me/").status_code == 200
    erase_person(town.alice)
    assert client.get("/api/v1/me/").status_code in (401, 403)
    assert client.get("/api/v1/me/", headers=token).status_code in (401, 403)
    assert not Token.objects.exists()
    town.alice.refresh_from_db()
    assert not town.alice.is_active and not town.alice.has_usable_password()
    assert town.alice.email == f"erased-{town.alice.pk}@erased.invalid"
    assert list_personas(user_id=town.alice.pk) == []


def test_rules_and_meters_end_and_the_books_stay_whole(town: Town) -> None:
    alice = town.participant("alice-1")
    erase_person(town.alice)
    assert find_persona(participant_id=alice.id).name == ""  # type: ignore[union-attr]  # it stays
    for listing in (Offer, Request):
        rows = listing._default_manager.filter(participant=alice)
        assert [row.valid_until for row in rows] == [NOW]
    assert [
        point.active_until for point in MeteringPoint.objects.filter(site__participant=alice)
    ] == [NOW]
    run_market(town, NOW + timedelta(hours=1))
    assert verify_book().transfers > 0
    # Bob, who traded with her, reads his statement as before.
    bob = town.participant("bob-1")
    assert signed_in(town.bob).get(f"/member/{bob.id}/statement/").status_code == 200


def test_a_late_reading_of_somebody_erased_settles_again(town: Town) -> None:
    erase_person(town.alice)
    late = [row for row in rows_of_hour(3) if row.meter != "bob-1"]
    send(town, late)
    run_market(town, NOW + timedelta(hours=1))
    send(town, [row for row in rows_of_hour(3) if row.meter == "bob-1"])
    run_market(town, NOW + timedelta(hours=1))
    assert verify_book().transfers > 0


def test_a_household_of_two_outlives_one(town: Town) -> None:
    home = town.participant("alice-1")
    join(user_id=town.charlie.pk, participant_id=home.id)
    before = Attacker(take_backup(), identity_keys())
    erase_person(town.alice)
    assert [each.name for each in list_personas(user_id=town.charlie.pk)] == ["Alice-1"]
    assert not any(email == town.alice.email for email, _ in before.links())
    erase_person(town.charlie)
    assert home.id not in before.names()


def test_nobody_follows_a_former_member(town: Town) -> None:
    home = town.participant("alice-1")
    erase_person(town.alice)
    with pytest.raises(AlreadyErased):
        join(user_id=town.charlie.pk, participant_id=home.id)
    assert list_personas(user_id=town.charlie.pk) == []


def test_a_company_outlives_whoever_signs_in_for_it(town: Town) -> None:
    shop = add_participant(role="enterprise", name="Corner shop", community_id=town.community.id)
    join(user_id=town.alice.pk, participant_id=shop)
    erase_person(town.alice)
    assert find_persona(participant_id=shop).name == "Corner shop"  # type: ignore[union-attr]  # it stays


def test_a_participant_goes_and_people_with_other_roles_stay(town: Town) -> None:
    home = town.participant("alice-1")
    shop = add_participant(role="enterprise", name="Corner shop", community_id=town.community.id)
    join(user_id=town.alice.pk, participant_id=shop)
    join(user_id=town.charlie.pk, participant_id=home.id)
    before = Attacker(take_backup(), identity_keys())
    plan = plan_erasure_of_participant(participant_id=home.id)
    assert (plan.user_ids, plan.rekeyed_user_ids) == ((town.charlie.pk,), (town.alice.pk,))
    erase_subject(plan=plan, now=NOW)
    assert [each.name for each in list_personas(user_id=town.alice.pk)] == ["Corner shop"]
    # The old copy no longer knows for whom she acts, of what stays or of what went.
    assert not any(email == town.alice.email for email, _ in before.links())
    assert home.id not in before.names()
    with pytest.raises(AlreadyErased):
        plan_erasure_of_participant(participant_id=home.id)


@pytest.mark.parametrize("step", ["_end_participation", "destroy", "_end_sign_in", "last destroy"])
def test_an_erasure_that_was_cut_off_is_finished_by_the_next(
    town: Town, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, email = town.participant("alice-1"), town.alice.email
    before = Attacker(take_backup(), identity_keys())
    calls = 0

    def fail(*args: object, **kwargs: object) -> None:
        raise KeyboardInterrupt

    def destroy_and_fail(keys: IdentityKeys, slots: list[int]) -> None:
        nonlocal calls
        calls += 1
        real(keys, slots)
        if calls == (1 if step == "destroy" else 2):
            raise KeyboardInterrupt

    real = IdentityKeys.destroy
    with monkeypatch.context() as patch:
        if step.startswith("_"):
            patch.setattr(erasure, step, fail)
        else:
            patch.setattr(IdentityKeys, "destroy", destroy_and_fail)
        with pytest.raises(KeyboardInterrupt):
            erase_person(town.alice)
    erase_subject(plan=plan_erasure_of_person(email=email), now=NOW)
    assert home.id not in before.names()
    assert not any(address == email for address, _ in before.links())
    assert not User.objects.filter(email=email).exists()
    with pytest.raises(AlreadyErased):
        plan_erasure_of_person(email=email)


def test_its_cost_does_not_depend_on_what_was_booked(town: Town) -> None:
    with CaptureQueriesContext(connection) as short:
        erase_person(town.alice)
    for hour in range(3, 9):
        send(town, [row for row in rows_of_hour(hour) if row.meter != "alice-1"])
    run_market(town)
    with CaptureQueriesContext(connection) as long:
        erase_person(town.bob)
    assert len(short) == len(long)
    statements = " ".join(query["sql"] for query in [*short, *long])
    for table in ("ledger_transfer", "ledger_block", "marketplace_reading", "marketplace_clearing"):
        assert table not in statements


def test_the_command_asks_first_and_says_what_stays(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter(["no", "erase"])
    monkeypatch.setattr("builtins.input", lambda prompt: next(answers))
    with pytest.raises(CommandError, match="nothing was erased"):
        call_command("erase_subject", town.alice.email, stdout=StringIO())
    assert list_personas(user_id=town.alice.pk) != []
    said = StringIO()
    call_command("erase_subject", town.alice.email, stdout=said)
    assert f"household {town.participant('alice-1').id}" in said.getvalue()
    assert "What stays" in said.getvalue() and "CNY/6 stay" in said.getvalue()
    with pytest.raises(CommandError, match="erased already"):
        call_command("erase_subject", "nobody@heliopolis.example", "--yes", stdout=StringIO())
    bob = town.participant("bob-1")
    call_command("erase_subject", str(bob.id), "--yes", stdout=StringIO())
    assert find_persona(participant_id=bob.id).name == ""  # type: ignore[union-attr]  # it stays
    assert not User.objects.filter(email=town.bob.email).exists()
    assert Participant.objects.filter(id=bob.id).exists()
