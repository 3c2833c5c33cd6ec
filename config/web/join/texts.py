"""The texts that members agree to: files of the repository, one a version and language."""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from django.utils.translation import get_language

from marketplace.domain.applications import TextVersion

FOLDER: Final = Path(__file__).resolve().parent.parent.parent / "agreements_texts"
_NAME: Final = re.compile(r"([a-z-]+)\.([1-9][0-9]*)\.txt")
_FOLDERS: Final = {"en": "en", "zh-hans": "zh"}


@dataclass(frozen=True)
class Part:
    """A heading, empty before the first one, and the paragraphs below it."""

    heading: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class MemberText:
    """A version of a text in one language, as it is shown and as it is agreed to."""

    named: TextVersion
    title: str
    parts: tuple[Part, ...]


def texts_in_force() -> list[MemberText]:
    """Return the newest version of every text in the reader's language."""
    return list(_newest(_FOLDERS.get(get_language() or "en", "en")))


def find_text(slug: str, version: int) -> MemberText | None:
    """Return a version of a text in the reader's language; old ones stay readable."""
    folder = _FOLDERS.get(get_language() or "en", "en")
    return next(
        (text for text in _all(folder) if (text.named.slug, text.named.version) == (slug, version)),
        None,
    )


@cache
def _newest(folder: str) -> tuple[MemberText, ...]:
    newest: dict[str, MemberText] = {}
    for text in _all(folder):
        newest[text.named.slug] = text
    return tuple(newest.values())


@cache
def _all(folder: str) -> tuple[MemberText, ...]:
    found = [_read(path, folder) for path in (FOLDER / folder).iterdir()]
    return tuple(sorted(found, key=lambda text: (text.named.slug, text.named.version)))


def _read(path: Path, folder: str) -> MemberText:
    name = _NAME.fullmatch(path.name)
    if name is None:
        raise ValueError(f"{path}: name it slug.version.txt")
    content = path.read_bytes()
    blocks = [
        " ".join(block.split()) if folder == "en" else "".join(block.split("\n"))
        for block in content.decode().strip().split("\n\n")
    ]
    title, *rest = blocks
    parts: list[tuple[str, list[str]]] = [("", [])]
    for block in rest:
        if block.startswith("## "):
            parts.append((block[3:], []))
        else:
            parts[-1][1].append(block)
    named = TextVersion(
        slug=name[1],
        version=int(name[2]),
        language=folder,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    shown = tuple(Part(heading, tuple(lines)) for heading, lines in parts if heading or lines)
    return MemberText(named, title.removeprefix("# "), shown)
