"""Words to search by, in every script, without a dictionary.

Chinese has no spaces, and PostgreSQL's parser takes a whole sentence for one word: its characters
are indexed in pairs, as search engines do, and a single one is found as the start of a pair. Other
words are folded (case, accents, width) and lose a plural s; what is searched for may be their
beginning. So index and query are made here, and the database only compares lexemes.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import Final

_CHINESE: Final = r"\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_RUNS: Final = re.compile(rf"(?P<chinese>[{_CHINESE}]+)|(?P<word>[^\W_{_CHINESE}]+)")
_PLURAL_LEAST: Final = 4
# Longer ones are noise, and PostgreSQL refuses lexemes of more than 2 kB.
WORD_MAX: Final = 64
WORDS_MAX: Final = 2_000
ASKED_MAX: Final = 16


def lexemes(text: str) -> list[str]:
    """Return the different lexemes of a text in order, at most `WORDS_MAX`."""
    found: set[str] = set()
    for run, is_chinese in _runs(text):
        if is_chinese:
            found.update(run[start : start + 2] for start in range(len(run)))
        else:
            found.add(_stem(run))
        if len(found) >= WORDS_MAX:
            break
    return sorted(found)[:WORDS_MAX]


def vector(text: str) -> str:
    """Return the lexemes as PostgreSQL reads a ``tsvector``; they hold no quote and no space."""
    return " ".join(f"'{lexeme}'" for lexeme in lexemes(text))


def query(text: str) -> str:
    """Return what somebody searches for as PostgreSQL reads a ``tsquery``; empty: for nothing.

    Every word must be there, each as the beginning of one.
    """
    asked: list[str] = []
    for run, is_chinese in _runs(text):
        if is_chinese and len(run) > 1:
            asked += [f"'{run[start : start + 2]}'" for start in range(len(run) - 1)]
        else:
            asked.append(f"'{run if is_chinese else _stem(run)}':*")
        if len(asked) >= ASKED_MAX:
            break
    return " & ".join(asked[:ASKED_MAX])


def _runs(text: str) -> Iterator[tuple[str, bool]]:
    decomposed = unicodedata.normalize("NFKD", text).casefold()
    bare = "".join(each for each in decomposed if not unicodedata.combining(each))
    for found in _RUNS.finditer(bare):
        yield found[0][:WORD_MAX], found["chinese"] is not None


def _stem(word: str) -> str:
    plural = len(word) >= _PLURAL_LEAST and word.endswith("s") and not word.endswith("ss")
    return word[:-1] if plural else word
