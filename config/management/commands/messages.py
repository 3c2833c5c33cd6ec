"""Collect the words of pages for translation, and compile them, without GNU gettext.

Babel finds and compiles; it comes with the development tools. The catalogue and its compiled form
are both committed, so a running hall needs neither.
"""

import io
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation.template import templatize

LOCALE = "zh_Hans"
SOURCES = ("config", "analytics", "marketplace", "ledger", "gate")
KEYWORDS: dict[str, tuple[int | tuple[int, str], ...] | None] = {
    "_": None,
    "N_": None,
    "gettext": None,
    "gettext_lazy": None,
    "gettext_noop": None,
    "ngettext": (1, 2),
    "ngettext_lazy": (1, 2),
    "pgettext": ((1, "c"), 2),
    "pgettext_lazy": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
}

Key = tuple[str | tuple[str, ...], str | None]


class Command(BaseCommand):
    """``manage.py messages [--check]``"""

    help = "Bring the Chinese catalogue up to date with the source, and compile it."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Add ``--check``."""
        parser.add_argument(
            "--check", action="store_true", help="Change nothing; fail when something is missing."
        )

    def handle(self, *, check: bool, **options: object) -> None:
        """Update and compile, or only compare."""
        root = Path(settings.BASE_DIR)
        po = Path(settings.LOCALE_PATHS[0]) / LOCALE / "LC_MESSAGES" / "django.po"
        found = list(messages_of(root))
        catalog = read_catalog(po)
        if not check:
            catalog = updated(catalog, found)
            po.parent.mkdir(parents=True, exist_ok=True)
            po.write_bytes(po_bytes(catalog))
            po.with_suffix(".mo").write_bytes(mo_bytes(catalog))
        wrong = list(complaints(catalog, found, po))
        for line in wrong:
            self.stderr.write(line)
        if wrong and check:
            raise CommandError(f"{len(wrong)} messages need work: run manage.py messages")
        self.stdout.write(f"{len(found)} messages, {len(wrong)} need work")


def messages_of(root: Path) -> Iterator[tuple[Key, str]]:
    """Return each text for translation once, with the first file that has it."""
    seen: set[Key] = set()
    for path in _source_files(root):
        name = path.relative_to(root).as_posix()
        for _line, text, _comments, context in extract(
            "python", io.BytesIO(_as_python(path, name)), keywords=KEYWORDS
        ):
            key: Key = (tuple(text) if isinstance(text, (tuple, list)) else text, context)
            if key not in seen:
                seen.add(key)
                yield key, name


def _source_files(root: Path) -> Iterator[Path]:
    for app in SOURCES:
        for path in sorted((root / app).rglob("*")):
            if path.suffix in (".py", ".html", ".txt") and "migrations" not in path.parts:
                yield path


def _as_python(path: Path, name: str) -> bytes:
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        return text.encode()
    # Inside brackets the reader of Python minds no indentation, of which a template is full.
    return f"({templatize(text, origin=name)})".encode()


def read_catalog(po: Path) -> Catalog:
    """Return the committed catalogue; an empty one before the first run."""
    if not po.exists():
        return Catalog(locale=LOCALE, project="Heliopolis", fuzzy=False)
    with po.open("rb") as file:
        return read_po(file, locale=LOCALE)


def updated(old: Catalog, found: list[tuple[Key, str]]) -> Catalog:
    """Return a catalogue of exactly the texts found, with the translations known so far."""
    new = Catalog(
        locale=LOCALE,
        project="Heliopolis",
        fuzzy=False,
        creation_date=old.creation_date,
        revision_date=old.revision_date,
    )
    for (text, context), name in found:
        known = old.get(text, context)
        new.add(
            text,
            known.string if known else None,
            locations=[(name, 1)],
            flags=known.flags if known else (),
            context=context,
        )
    return new


def complaints(catalog: Catalog, found: list[tuple[Key, str]], po: Path) -> Iterator[str]:
    """Say what keeps the catalogue from being complete."""
    wanted = {key for key, _name in found}
    for (text, context), name in found:
        message = catalog.get(text, context)
        if message is None:
            yield f"{name}: not in the catalogue: {text!r}"
        elif message.fuzzy:
            yield f"{name}: fuzzy: {text!r}"
        elif not message.string or (
            isinstance(message.string, (tuple, list)) and not all(message.string)
        ):
            yield f"{name}: not translated: {text!r}"
        else:
            for error in message.check(catalog):
                yield f"{name}: {error}: {text!r}"
    for message in catalog:
        key: Key = (
            tuple(message.id) if isinstance(message.id, (tuple, list)) else message.id,
            message.context,
        )
        if message.id and key not in wanted:
            yield f"no longer used: {message.id!r}"
    mo = po.with_suffix(".mo")
    if not mo.exists() or mo.read_bytes() != mo_bytes(catalog):
        yield f"{mo.name} is older than {po.name}"


def po_bytes(catalog: Catalog) -> bytes:
    """Write the catalogue in order of its texts, so that two branches seldom touch one line."""
    file = io.BytesIO()
    write_po(file, catalog, width=100, sort_output=True, include_lineno=False)
    return file.getvalue()


def mo_bytes(catalog: Catalog) -> bytes:
    """Compile the catalogue."""
    file = io.BytesIO()
    write_mo(file, catalog)
    return file.getvalue()
