"""The worked examples of docs/examples/market_books.json, each told as a log and recomputed."""

import json
from typing import Any

import pytest

from tests.databases import PROJECT
from tests.validator.agreeing_members import Members
from tests.validator.interval_story import SEED, Auction, Revision, Story, logged, objection_to
from tests.validator.ledger_twin import base64

EXAMPLES: list[dict[str, Any]] = json.loads(
    (PROJECT / "docs" / "examples" / "market_books.json").read_text(encoding="utf-8")
)
DAY = 86_400_000_000


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example["name"]))
def test_an_example_is_recomputed(example: dict[str, Any]) -> None:
    story = told(example)

    # The limits of the examples stand in no text: as if they had been signed long ago.
    assert objection_to(story, from_the_start=False) is None
    entries = b"".join(logged(story)[0].entries)
    for revision in example["revisions"]:
        assert f'"rows":"{revision["rows_root"]}"'.encode() in entries

    # Of whatever revision, a micro more or less is another settlement.
    for at, revision in enumerate(story.revisions):
        if revision.body is not None:
            amounts = revision.body["transfers"]["amount"]
            amounts[-1] = str(int(amounts[-1]) + 1)
            found = objection_to(story, from_the_start=False)
            assert found == (f"settle:7:{at + 1}", "settlement")
            amounts[-1] = str(int(amounts[-1]) - 1)


def test_the_page_shows_the_first_revision_of_one() -> None:
    (example,) = (each for each in EXAMPLES if each["name"] == "mid_market")
    first = example["revisions"][0]
    page = (PROJECT / "docs" / "market.md").read_text(encoding="utf-8")

    shown = ("\n".join(first["rows"]), first["command_body"])
    assert all(f"```json\n{each}\n```\n" in page for each in shown)
    assert first["rows_root"] in page and example["rules_sha256"] in page


def told(example: dict[str, Any]) -> Story:
    """Return an example as a story, its agreements signed by both."""
    assert example["seed"] == base64(SEED)
    starts = json.loads(example["revisions"][0]["rows"][0])["starts"]
    members = Members(6)
    for row in example["agreements"]:
        members.agree(
            row["id"],
            row["kind"],
            int(row["seller"]),
            int(row["buyer"]),
            None,
            price_micro_per_kwh=None if row["price"] is None else str(row["price"]),
            maximum_wh=None if row["maximum_wh"] is None else str(row["maximum_wh"]),
            rank=str(row["rank"]) if row["kind"] == "partner" else None,
            valid_from=starts,
        )
    rows = [json.loads(row) for row in example["auction"]]
    return Story(
        rules=example["rules"],
        signed=members.documents,
        auctions=[Auction(rows)] if rows else [],
        revisions=[
            Revision(
                [json.loads(row) for row in revision["rows"]],
                json.loads(revision["command_body"]) if revision["command_body"] else None,
                number=number,
                rules=example["rules"],
            )
            for number, revision in enumerate(example["revisions"], start=1)
        ],
        begins=int(starts) - DAY,
        accounts=[*range(1, 31), *range(100, 110)],
    )
