"""What a city report says: the sections of the planner's pages over one community and its days.

It has no figure of its own. Cards come from `config.web.city`, which reads what planners may see.
"""

import hashlib
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.utils.formats import date_format
from django.utils.translation import get_language, override, to_locale
from django.utils.translation import gettext as _

from config.web.city import equity, flows, health, mobility, prices
from config.web.city.cards import CityCard, Section, moment_words
from config.web.city.chosen import Chosen
from config.web.city.look import Look
from config.web.city.methods import list_definitions
from ledger.queries.checkpoints import AttestedCheckpoint, find_attested_checkpoint
from marketplace.queries.pages import MarketDays, Place

# Findings of these stand on the first page, where they exist.
FIRST: Final = (
    "community-sufficiency",
    "prices-hourly",
    "flows-groups",
    "flows-peak",
    "community-carbon",
    "community-savings",
    "health-concentration",
)


@dataclass(frozen=True)
class Part:
    """A page of the planner's, as a part of the report."""

    key: str
    heading: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Report:
    """A report in the reader's language, ready to be set.

    Attributes
    ----------
    facts : sequence of (str, str)
        What it was made from: community, time, rules, ledger checkpoint, data version.
    findings : sequence of str
        What stands on the first page.
    tables : mapping of str to CityCard
        What the files are made of, by their names; their words are English.
    sha256 : str
        Over the tables of all cards as CSV, in order: the data version.
    """

    title: str
    period: str
    language: str
    made_at: datetime
    facts: Sequence[tuple[str, str]]
    findings: Sequence[str]
    parts: Sequence[Part]
    tables: Mapping[str, CityCard]
    methods: Sequence[tuple[str, str]]
    sha256: str

    @property
    def version(self) -> str:
        """The data version, as much of it as people compare."""
        return _("data version {hash}").format(hash=self.sha256[:12])


def make_report(
    place: Place, first: date, last: date, *, known: MarketDays, now: datetime
) -> Report:
    """Return the report of civil days of a community, both included.

    The language is the one in force; call it under ``override``.
    """
    look = Look(place, Chosen([place], place, "own", first, last, known), now)
    # Some tables have words in them: files and version have the same ones for every reader.
    with override("en"):
        tables = _cards_of(_parts(look))
    parts = _parts(look)
    cards = _cards_of(parts)
    sha256 = data_version(tables)
    language = get_language() or "en"
    return Report(
        title=_("City report: {place}").format(place=place.name_in(language)),
        period=_period(first, last),
        language=to_locale(language).replace("_", "-"),
        made_at=now,
        facts=_facts(look, sha256),
        findings=[cards[key].chart.title for key in FIRST if key in cards],
        parts=parts,
        tables=tables,
        methods=list_definitions(look),
        sha256=sha256,
    )


def _parts(look: Look) -> list[Part]:
    return [
        Part("community", _("Community"), equity.sections(look)),
        Part("prices", _("Prices"), prices.sections(look)),
        Part("flows", _("Flows"), flows.sections(look)),
        Part("mobility", _("Mobility"), mobility.sections(look)),
        Part("health", _("Market health"), health.sections(look)),
    ]


def data_version(cards: Mapping[str, CityCard]) -> str:
    """Return the SHA-256 over the tables, each with its name before it."""
    digest = hashlib.sha256()
    for name, card in cards.items():
        digest.update(f"{name}.csv\n".encode())
        digest.update(card.as_csv().encode())
    return digest.hexdigest()


def _cards_of(parts: Sequence[Part]) -> dict[str, CityCard]:
    return {
        f"{part.key}-{card.key}": card
        for part in parts
        for section in part.sections
        for card in section.cards
    }


def _facts(look: Look, sha256: str) -> list[tuple[str, str]]:
    basis = look.basis
    rules = ", ".join(f"{each.version} ({each.sha256[:12]})" for each in look.rule_sets)
    as_of = moment_words(look.local(basis.as_of)) if basis.as_of else _("nothing settled yet")
    return [
        (_("Community"), f"{look.place.name} {look.place.local_name}".strip()),
        (_("Time zone"), look.place.timezone),
        (_("Figures as of"), as_of),
        (
            _("Settled intervals"),
            _("{settled} of {all}, {final} of them final; {missing} readings missing").format(
                settled=basis.settled_count,
                all=basis.interval_count,
                final=basis.final_count,
                missing=basis.missing_count,
            ),
        ),
        (_("Rules"), rules or "–"),
        (_("Minimum group"), str(look.minimum)),
        (_("Ledger checkpoint"), _checkpoint(look, find_attested_checkpoint())),
        (_("Data version (SHA-256)"), sha256),
        (_("Made"), moment_words(look.local(look.now))),
    ]


def _checkpoint(look: Look, checkpoint: AttestedCheckpoint | None) -> str:
    if checkpoint is None:
        return _("none is attested yet")
    return _("{origin}, {size} leaves, root {root}, attested {at}").format(
        origin=checkpoint.origin,
        size=checkpoint.size,
        root=b64encode(checkpoint.root).decode(),
        at=moment_words(look.local(checkpoint.attested_at)),
    )


def _period(first: date, last: date) -> str:
    if first == last:
        return date_format(first, "DATE_FORMAT")
    return f"{date_format(first, 'DATE_FORMAT')} \N{EN DASH} {date_format(last, 'DATE_FORMAT')}"
