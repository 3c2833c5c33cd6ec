"""What strangers type into addresses and forms: no page breaks, and nobody sees another's."""

from datetime import UTC, date, datetime

import pytest

from marketplace.domain.agreement_text import AgreementText, Side
from marketplace.models import Agreement, MeteringPoint
from marketplace.services.billing import preview_billing
from tests.web.city import NOW, City, signed_in

SLIPS = ("0001-01-01", "9999-12-31")
ODD_JSON = ("[" * 9_999, '{"mode": ' * 900 + "1" + "}" * 900, '{"mode": NaN}', "[]", "\0")
MONTHS = ("month=0001-01", "month=9999-12", "month=%00")
# Each page with what somebody may write behind its question mark.
MEMBER_PAGES: dict[str, tuple[str, ...]] = {
    "/member/{alice}/agreements/": (),
    "/member/{alice}/certificates/": MONTHS,
    "/member/{alice}/certificates/matching/": (),
    "/member/{alice}/certificates/bundles.csv": (),
    "/member/{alice}/expected/": (),
    "/member/{alice}/gaps/": MONTHS,
    "/member/{alice}/months/": MONTHS,
    "/participant/{alice}/comparison/": MONTHS,
}
OPERATOR_PAGES: dict[str, tuple[str, ...]] = {
    "/operator/{olga}/billing/": (),
    "/operator/{olga}/billing/{run}/": (),
    "/operator/{olga}/billing/{run}/statements.csv": (),
    "/operator/{olga}/gaps/{community}/": (*MONTHS, "after=%00"),
    "/operator/{olga}/halts/": (),
    "/operator/{olga}/entries/": ("meter=%00",),
    "/operator/{olga}/ledger/": (),
    "/operator/{olga}/meters/": ("search=%00&after=%00", f"search={2**80}", "show=%00"),
    "/operator/{olga}/meters.csv": ("search=%00",),
    "/operator/{olga}/surveillance/": (f"before={2**64}", "state=%00&rule=%00", "before=%00"),
    "/participant/{olga}/comparison/": ("community=%00", f"community={2**64}"),
}


# Who fills a form in, where, rightly, and what they change in it.
Form = tuple[str, str, dict[str, str], tuple[dict[str, str], ...]]


def post_all(forms: tuple[Form, ...]) -> None:
    for who, path, form, changes in forms:
        client = signed_in(who)
        for change in changes:
            assert client.post(path, {**form, **change}).status_code == 200, (path, change)


@pytest.fixture
def numbers(city: City) -> dict[str, int]:
    run = preview_billing(
        community_id=city.community_id,
        month=date(2026, 6, 1),
        tax_ppm=0,
        tax_is_included=False,
        now=NOW,
    )
    return {**city.participant_ids, "run": run, "community": city.community_id}


def test_pages_open_to_their_owner_whatever_is_asked_and_to_nobody_else(
    numbers: dict[str, int],
) -> None:
    people = {name: signed_in(name) for name in ("alice", "bob", "charlie", "olga", "paul")}
    for owner, pages in (("alice", MEMBER_PAGES), ("olga", OPERATOR_PAGES)):
        for page, queries in pages.items():
            path = page.format(**numbers)
            for query in ("", *queries):
                assert people[owner].get(f"{path}?{query}").status_code == 200, (path, query)
            for other in people.keys() - {owner}:
                assert people[other].get(path).status_code == 404, (other, path)
    # Numbers beyond every table are those of nobody.
    for path in (
        f"/why/{2**64}/1/",
        f"/why/1/{2**64}/",
        f"/operator/{numbers['olga']}/billing/{2**64}/payments.csv",
        f"/operator/{numbers['olga']}/gaps/{2**64}/",
    ):
        assert people["olga"].get(path).status_code == 404, path


def test_forms_answer_whatever_is_typed(city: City) -> None:
    ids = city.participant_ids
    own = MeteringPoint.objects.get(site__participant_id=ids["alice"])
    agreed = {"kind": "gift", "side": "seller", "own_point": str(own.pk), "other_meter": "m1"}
    agreed |= {"rank": "1", "first_day": "2099-01-01"}
    used = {"cancel-purpose": "x", "cancel-beneficiary": "y", "cancel-token": "no token"}
    halted = {"community": str(city.community_id), f"{city.community_id}-reason": "a wrong tariff"}
    until = f"{city.community_id}-until"
    pages: tuple[Form, ...] = (
        (
            "alice",
            f"/member/{ids['alice']}/agreements/",
            agreed,
            (
                *({"first_day": day} for day in ("0001-01-01", "9999-12-31")),
                {"last_day": "9999-12-30"},
                *({"price": number} for number in ("NaN", "Infinity", "1e99999")),
                {"own_point": "9" * 40},
                {"other_meter": "\0"},
            ),
        ),
        (
            "alice",
            f"/member/{ids['alice']}/certificates/",
            used,
            ({"cancel-kwh": "NaN"}, {"cancel-kwh": "1e400"}, {"cancel-purpose": "a\nb"}),
        ),
        (
            "olga",
            f"/operator/{ids['olga']}/billing/",
            {"tax": "0"},
            ({"month": "0001-01"}, {"month": "9999-12"}, {"month": "2026-06", "tax": "NaN"}),
        ),
        (
            "olga",
            f"/operator/{ids['olga']}/halts/",
            halted,
            ({until: "0001-01-01T00:00"}, {until: "9999-12-31T23:59"}),
        ),
    )
    post_all(pages)
    # Texts to sign that nobody here wrote.
    strange = AgreementText(
        "gift",
        city.community_id,
        "EUR",
        Side(ids["alice"], 2**70, b"1"),
        Side(1, 2**71, b"2"),
        *(0, None, None),
        datetime(2099, 1, 1, tzinfo=UTC),
        None,
        NOW,
    )
    for body in ("", "[]", "[" * 9_999, strange.body().decode()):
        propose = f"/member/{ids['alice']}/agreements/propose"
        answer = signed_in("alice").post(propose, {"body": body, "signature": "AAAA"})
        assert answer.status_code == 302
    assert not Agreement.objects.exists()


def test_the_api_of_analytics_answers_whatever_is_asked(city: City) -> None:
    paul, community = signed_in("paul"), str(city.community_id)
    for day in SLIPS:
        asked = {"community": community, "first": day, "last": day}
        assert paul.get("/api/v1/analytics/energies/", asked).status_code == 400, day
        change = {"community": city.community_id, "first_day": day, "last_day": day, "change": {}}
        told = paul.post("/api/v1/analytics/what-ifs/", change, content_type="application/json")
        assert told.status_code == 400, day
    for number in (2**64, 0):
        asked = {"community": str(number), "first": "2026-06-15", "last": "2026-06-15"}
        assert paul.get("/api/v1/analytics/energies/", asked).status_code in {400, 404}
    for path in (f"what-ifs/{2**64}/", f"what-ifs/?community={2**64}"):
        assert paul.get(f"/api/v1/analytics/{path}").status_code in {400, 404}, path
    for path in (f"publications/{2**64}/", f"communities/{2**64}/days.csv"):
        assert paul.get(f"/api/v1/open/{path}").status_code == 404, path


def test_rules_and_entries_answer_whatever_is_typed(city: City) -> None:
    ids = city.participant_ids
    pages: tuple[Form, ...] = (
        *(
            (
                who,
                f"/planner/{ids[who]}/what-if",
                {"first_day": "2026-06-15", "last_day": "2026-06-15"},
                (
                    *({"first_day": day, "last_day": day} for day in SLIPS),
                    {"feed_in_percent": "NaN"},
                    {"platform_fee": "1e400"},
                    *({"rules": text} for text in ODD_JSON),
                ),
            )
            for who in ("paul", "olga")
        ),
        (
            "olga",
            f"/operator/{ids['olga']}/rules",
            {},
            tuple({"document": text} for text in ODD_JSON),
        ),
        (
            "olga",
            f"/operator/{ids['olga']}/entries/",
            {
                "what": "device",
                "device-community": str(city.community_id),
                "device-meter": "m1",
                "device-technology": "solar",
                "device-capacity": "5",
                "device-commissioned_on": "2026-01-01",
                "device-certified_from": "2099-01-01",
            },
            (
                *({"device-certified_from": day} for day in SLIPS),
                *({"device-commissioned_on": day} for day in SLIPS),
                {"device-capacity": "NaN"},
                {"device-meter": "\0"},
            ),
        ),
    )
    post_all(pages)
