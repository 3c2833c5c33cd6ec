"""What-ifs and rule sets on pages: asked, computed, read; drafted, previewed, put in force."""

import json
from datetime import UTC, date, datetime, timedelta

from config.web.rule_sets.differences import differences
from config.web.rule_sets.words import VALUES, words_of
from ledger.models import InboxCommand
from marketplace.domain.notices import NoticeKind
from marketplace.domain.rule_schema import rules_schema
from marketplace.domain.rules import preset, preset_names
from marketplace.models import Notice, Participant, RuleDraft, RuleSet, WhatIf
from marketplace.services.what_if_days import compute_asked_what_ifs
from tests.web.city import DAY, City, signed_in
from tests.web.test_query_counts import COUNTS, counted

NOW = datetime(2026, 6, 20, 8, 0, tzinfo=UTC)
ASKED = {"first_day": DAY, "last_day": DAY, "platform_fee": "0.02", "roofs_percent": ""}


def compute() -> None:
    compute_asked_what_ifs(now=NOW, seconds=60)


def test_a_planner_asks_reads_both_sides_and_takes_the_figures(city: City) -> None:
    client, home = signed_in("paul"), f"/planner/{city.participant_ids['paul']}/what-if"
    page = client.get(home)
    assert page.status_code == 200
    assert "Asked before" in page.content.decode()
    wrong = client.post(home, {**ASKED, "feed_in_percent": "900", "rules": "{"})
    assert 'id="id_rules_error"' in wrong.content.decode()
    wrong = client.post(home, {**ASKED, "platform_fee": "", "feed_in_percent": "900"})
    assert 'id="id_feed_in_percent_error"' in wrong.content.decode()
    assert not WhatIf.objects.exists()

    asked = client.post(home, ASKED)
    assert asked.status_code == 302
    address = asked["Location"]
    waiting = client.get(address, headers={"hx-request": "true"}).content.decode()
    assert "0 of 24 intervals" in waiting and "<html" not in waiting
    compute()
    answer = client.get(address).content.decode()
    assert 'data-figure="bought_wh"' in answer
    for key in ("sides", "parties", "spread", "days"):
        assert f'id="{key}"' in answer
        table = client.get(f"{address}/{key}.csv")
        assert table.status_code == 200
        assert len(table.content.decode().splitlines()) >= 1
    parties = client.get(f"{address}/parties.csv").content.decode().splitlines()
    for column in (1, 2, 3):
        assert sum(int(line.split(",")[column]) for line in parties[1:]) == 0
    asked_id = int(address.rpartition("/")[2])
    assert counted(city, "a what-if", what_if=asked_id) == COUNTS["a what-if"]
    again = client.post(home, ASKED)
    assert again["Location"] == address

    api = "/api/v1/analytics/what-ifs/"
    listed = client.get(f"{api}?community={city.community_id}").json()["results"]
    assert [each["id"] for each in listed] == [asked_id]
    given = {"community": city.community_id, "first_day": DAY, "last_day": DAY}
    change = {"change": {"platform_fee_micro_per_kwh": 20_000}}
    posted = client.post(api, {**given, **change}, content_type="application/json")
    assert (posted.status_code, posted.json()["id"]) == (201, asked_id)
    told = client.get(f"{api}{asked_id}/").json()
    sides = told["total"]
    assert sides["actual"]["energies"] == told["days"][0]["actual"]["energies"]
    assert sides["what_if"]["money"]["platform_micro"] > sides["actual"]["money"]["platform_micro"]
    assert signed_in("alice").get(f"{api}{asked_id}/").status_code == 404

    # Of the released revisions: an operator's, of the latest ones, is none of the planner's.
    operator = signed_in("olga")
    theirs = operator.post(f"/planner/{city.participant_ids['olga']}/what-if", ASKED)["Location"]
    number = theirs.rpartition("/")[2]
    assert not address.endswith(f"/{number}")
    assert client.get(f"{home}/{number}").status_code == 404
    assert operator.get(theirs).status_code == 200
    assert signed_in("alice").get(address).status_code == 404


def test_an_operator_drafts_previews_and_puts_rules_in_force_once(city: City) -> None:
    client, olga = signed_in("olga"), city.participant_ids["olga"]
    home = f"/operator/{olga}/rules"
    assert client.get(home).status_code == 200
    document = RuleSet.objects.get(community=city.community_id).document
    bad = {**document, "feed_in_tariff": document["retail_tariff"]}
    refused = client.post(home, {"document": json.dumps(bad)}).content.decode()
    assert 'id="id_document_error"' in refused and "feed_in_tariff" in refused
    keys = {
        "name": "Dearer",
        "platform_fee_micro_per_kwh": "0.02",
        "readings_deadline_minutes": "1440",
        "correction_deadline_days": "30",
        "minimum_group_size": "5",
    }
    dear = client.post(home, {**keys, "platform_fee_micro_per_kwh": "0.5"})
    assert "would pay more than buying costs" in dear.content.decode()
    assert client.post(home, keys).status_code == 302
    draft = RuleDraft.objects.get()
    assert draft.document["platform_fee_micro_per_kwh"] == 20_000
    step = f"{home}/{draft.pk}"
    assert client.post(f"{step}/effect").status_code == 302
    compute()
    page = client.get(home).content.decode()
    assert 'id="spread"' in page and "Platform fee" in page

    day = datetime.now(UTC).date() + timedelta(days=2)
    for given in (
        {"day": date(2026, 6, 14), "sha256": draft.sha256},
        {"day": day, "sha256": "0" * 64},
    ):
        client.post(f"{step}/force", given)
        assert RuleSet.objects.filter(community=city.community_id).count() == 1
    client.post(f"{step}/force", {"day": day, "sha256": draft.sha256})
    newest = RuleSet.objects.filter(community=city.community_id).latest("version")
    assert newest.version == 2 and newest.document == draft.document
    assert newest.effective_from.astimezone(city.place().zone).date() == day
    assert InboxCommand.objects.filter(key=f"rules:{newest.sha256}").exists()
    members = Participant.objects.filter(
        community=city.community_id, energy_account_id__isnull=False
    )
    told = Notice.objects.filter(kind=NoticeKind.RULES_CHANGE)
    assert told.count() == members.count() > 3
    client.post(f"{step}/force", {"day": day + timedelta(days=1), "sha256": draft.sha256})
    assert RuleSet.objects.filter(community=city.community_id).count() == 2
    assert 'id="compared"' in client.get(home).content.decode()
    assert signed_in("paul").get(home).status_code == 404


def test_every_key_and_value_of_the_schema_has_words() -> None:
    """And between any two presets every key that differs says so on both sides."""
    schema = rules_schema(2)
    seen: set[str] = set()

    def walk(node: object, path: str) -> None:
        if isinstance(node, list):
            for each in node:
                walk(each, path)
            return
        if not isinstance(node, dict):
            return
        if "$ref" in node:
            walk(schema["$defs"][node["$ref"].rpartition("/")[2]], path)
        for value in node.get("enum", []):
            for each in value if isinstance(value, list) else [value]:
                assert isinstance(each, int) or each in VALUES, (path, each)
        for key, below in node.get("properties", {}).items():
            inner = f"{path}.{key}" if path else key
            seen.add(inner)
            walk(below, inner)
        for key in ("items", "oneOf", "anyOf"):
            walk(node.get(key), path)

    walk({"properties": schema["properties"]}, "")
    assert len(seen) > 50
    for path in sorted(seen):
        words = words_of(path)
        assert str(words.name) and str(words.explanation).endswith("."), path
    documents = [preset(name) for name in preset_names()]
    for before in documents:
        assert differences(before, before, "CNY") == []
        for after in documents:
            for each in differences(before, after, "CNY"):
                assert each.before or each.after
                assert each.before != each.after, each.key
