"""The operator's credit limits: what is in use, what another would mean, who set it and why."""

import pytest
from django.db import transaction
from django.db.utils import ProgrammingError

from marketplace.models import Access, CreditLimitChange, Notice, Participant
from marketplace.queries.pages import list_places
from marketplace.queries.pages_operator import count_members_over_limit
from tests.web.city import NOW, City, signed_in


def test_a_limit_is_tried_and_then_set_with_its_reason(city: City) -> None:
    olga, erin = city.participant_ids["olga"], city.participant_ids["erin"]
    path = f"/operator/{olga}/credit/{erin}/"
    client = signed_in("olga")

    def post(limit: str, reason: str, act: str = "set") -> str:
        answer = client.post(path, {"limit": limit, "reason": reason, "act": act}, follow=True)
        assert answer.status_code == 200
        return answer.content.decode()

    assert "Nobody has changed it" in client.get(path).content.decode()
    for limit, reason, field in (
        ("-1", "Owes since May", "limit"),
        ("1000000001", "Owes since May", "limit"),
        ("0.0000001", "Owes since May", "limit"),
        ("many", "Owes since May", "limit"),
        ("", "As the rules say", "limit"),  # which is what it is
        ("1", " ", "reason"),
        ("1", "x" * 501, "reason"),
    ):
        text = post(limit, reason)
        assert f'id="id_{field}_error"' in text, (limit, reason)
        assert "The limit is set" not in text
    text = post("0.01", "Owes since May", "preview")
    assert "would be left out of the next auction" in text and "Nothing is set yet" in text
    assert not CreditLimitChange.objects.exists()
    assert Participant.objects.get(id=erin).credit_limit_micro is None
    assert count_members_over_limit(places=list_places(), now=NOW) == 0

    text = post("0.01", "Owes since May")
    assert "The limit is set; the member is told." in text and "Owes since May" in text
    [change] = CreditLimitChange.objects.all()
    assert (change.participant_id, change.operator_id) == (erin, olga)
    assert (change.before_micro, change.after_micro) == (None, 10_000)
    assert Participant.objects.get(id=erin).credit_limit_micro == 10_000
    assert count_members_over_limit(places=list_places(), now=NOW) == 1
    told = Notice.objects.get(participant=erin, kind="credit_limit")
    assert told.subject["reason"] == "Owes since May"
    assert "changed: Owes since May" in signed_in("erin").get("/notices").content.decode()
    assert Access.objects.filter(participant=erin, what="credit", viewer=olga).exists()
    assert "take part in the next auction again" in post("999", "Has paid", "preview")
    assert "The limit is set" in post("", "Has paid")
    assert Participant.objects.get(id=erin).credit_limit_micro is None
    with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        CreditLimitChange.objects.update(reason="")


def test_members_are_found_and_only_by_their_operator(city: City) -> None:
    olga, erin = city.participant_ids["olga"], city.participant_ids["erin"]
    path = f"/operator/{olga}/credit/"
    client = signed_in("olga")

    def found(query: str) -> set[int]:
        text = client.get(f"{path}?{query}").content.decode()
        members = Participant.objects.values_list("id", flat=True)
        return {each for each in members if f"{path}{each}/" in text}

    everybody = found("")
    assert erin in everybody and olga not in everybody
    assert erin in found(f"search={erin}") < everybody  # its number, or a part of a code
    assert found("search=m1") < everybody and found("search=%00zzz") == set()
    assert found("show=own") == found("show=over") == set()
    assert found(f"after={max(everybody)}") == set() and found("after=-1&show=x") == everybody
    Participant.objects.filter(id=erin).update(credit_limit_micro=0)
    assert found("show=own") == found("show=over") == {erin}
    for reader, code in (("erin", 404), ("paul", 404)):
        assert signed_in(reader).get(f"{path}{erin}/").status_code == code
        assert signed_in(reader).post(f"{path}{erin}/", {"reason": "x"}).status_code == code
    assert client.get(f"{path}{olga}/").status_code == 404
    assert client.get(f"{path}{city.participant_ids['dora']}/").status_code == 404
