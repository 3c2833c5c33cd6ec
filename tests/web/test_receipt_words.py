"""A member reads their own rows of a book or an auction in words, whatever the rules' form."""

import json
from pathlib import Path

import pytest
from django.utils import translation

from config.web.receipt_words import field_words

PROJECT = Path(__file__).resolve().parents[2]
# Row 1 of a book, the metering points without a position, is shown to nobody.
EXCEPTIONS = {"left_out", "missing"}


def names_in_examples() -> set[str]:
    cases = json.loads((PROJECT / "docs/examples/market_books.json").read_text("utf-8"))
    rows = [row for case in cases for row in case["auction"]]
    rows += [row for case in cases for each in case["revisions"] for row in each["rows"]]
    return {name for row in rows for name in json.loads(row)} - EXCEPTIONS


@pytest.mark.parametrize("language", ["en", "zh-hans"])
def test_every_name_of_a_row_has_a_word(language: str) -> None:
    with translation.override(language):
        words = {name: str(word) for name, word in field_words().items()}

    names = names_in_examples()
    assert {"auction", "filled", "weight"} <= names
    assert sorted(names - words.keys()) == []
    if language == "zh-hans":
        untranslated = [name for name in names if words[name].isascii()]
        assert untranslated == []
