"""What changed in the catalogue, as Atom (RFC 4287) and RSS 2.0.

Public, as the catalogue is. An entry is named by the number of its change, which is never given
again; `rel="next"` leads to older ones (RFC 5005).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Final
from xml.etree import ElementTree

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.cache import get_conditional_response
from django.views.decorators.http import require_safe

from config.web.data.catalogue_files import FORMER
from marketplace.domain.data.catalogue_frame import TITLE
from marketplace.domain.data.catalogue_record import product_path
from marketplace.domain.data.vocabularies import FORMATS
from marketplace.queries.data.catalogue_files import (
    CHANGES_SHOWN,
    Change,
    last_change_id,
    list_changes,
)

ATOM: Final = "http://www.w3.org/2005/Atom"
LONG_AGO: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Feeds are read in English: a harvester has no language chosen.
_WHAT: Final = {
    1: "Listed",
    2: "New version",
    3: "Price or licence changed",
    4: "Measured quality changed",
    5: "Withdrawn",
}
# Python's writer lets characters through that no reader of XML 1.0 accepts.
_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
ElementTree.register_namespace("atom", ATOM)


@dataclass(frozen=True)
class Feed:
    """A page of changes with the addresses around it."""

    address: str
    page: str
    older: str | None
    changes: Sequence[Change]
    base: str

    @property
    def updated(self) -> datetime:
        """The time of the newest change."""
        return self.changes[0].at if self.changes else LONG_AGO

    def link(self, change: Change) -> str:
        """The page of a change's product."""
        return f"{self.base}{product_path(change.product_id)}"


@login_not_required
@require_safe
def catalogue_atom(request: HttpRequest) -> HttpResponse:
    """Write the newest changes as Atom."""
    return _answer(request, "application/atom+xml", atom)


@login_not_required
@require_safe
def catalogue_rss(request: HttpRequest) -> HttpResponse:
    """Write the newest changes as RSS."""
    return _answer(request, "application/rss+xml", rss)


def _answer(request: HttpRequest, media_type: str, write: Callable[[Feed], bytes]) -> HttpResponse:
    asked = request.GET.get("before", "")
    before = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 19 else None
    etag = f'"{last_change_id()}-{before}-{request.get_host()}"'
    answer = get_conditional_response(request, etag=etag)
    if answer is None:
        answer = HttpResponse(write(_feed(request, before)), content_type=media_type)
    answer["ETag"] = etag
    answer["Cache-Control"] = "public, max-age=60"
    return answer


def _feed(request: HttpRequest, before: int | None) -> Feed:
    changes = list_changes(before_id=before, limit=CHANGES_SHOWN + 1)
    shown = changes[:CHANGES_SHOWN]
    address = request.build_absolute_uri(request.path)
    return Feed(
        address=address if before is None else f"{address}?before={before}",
        page=request.build_absolute_uri(reverse("catalogue")),
        older=f"{address}?before={shown[-1].id}" if len(changes) > CHANGES_SHOWN else None,
        changes=shown,
        base=request.build_absolute_uri("/"),
    )


def atom(feed: Feed) -> bytes:
    """Return a page of changes as Atom."""
    root = ElementTree.Element(f"{{{ATOM}}}feed")
    root.set("{http://www.w3.org/XML/1998/namespace}lang", "en")
    _add(root, "id", feed.address)
    _add(root, "title", f"{TITLE}: changes")
    _add(root, "updated", _moment(feed.updated))
    _add(root, "link", rel="self", type="application/atom+xml", href=feed.address)
    _add(root, "link", rel="alternate", type="text/html", href=feed.page)
    if feed.older:
        _add(root, "link", rel="next", href=feed.older)
    for change in feed.changes:
        entry = _add(root, "entry")
        _add(entry, "id", _tag(change))
        _add(entry, "title", f"{_WHAT[change.what]}: {change.title}")
        _add(entry, "updated", _moment(change.at))
        _add(_add(entry, "author"), "name", change.provider_name or FORMER)
        _add(entry, "link", rel="alternate", type="text/html", href=feed.link(change))
        _add(entry, "category", term=_WHAT[change.what])
        _add(entry, "summary", _summary(change), type="text")
    return _written(root)


def rss(feed: Feed) -> bytes:
    """Return a page of changes as RSS."""
    root = ElementTree.Element("rss", version="2.0")
    channel = ElementTree.SubElement(root, "channel")
    _plain(channel, "title", f"{TITLE}: changes")
    _plain(channel, "link", feed.page)
    _plain(channel, "description", "What changed in the catalogue.")
    _plain(channel, "lastBuildDate", format_datetime(feed.updated))
    _add(channel, "link", rel="self", type="application/rss+xml", href=feed.address)
    if feed.older:
        _add(channel, "link", rel="next", href=feed.older)
    for change in feed.changes:
        item = ElementTree.SubElement(channel, "item")
        _plain(item, "title", f"{_WHAT[change.what]}: {change.title}")
        _plain(item, "link", feed.link(change))
        _plain(item, "guid", _tag(change)).set("isPermaLink", "false")
        _plain(item, "pubDate", format_datetime(change.at))
        _plain(item, "category", _WHAT[change.what])
        _plain(item, "description", _summary(change))
    return _written(root)


def clean(text: str) -> str:
    """Return a text with what XML cannot hold replaced."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _summary(change: Change) -> str:
    format_ = FORMATS[change.format].label
    if change.version is None:
        return format_
    note = f": {change.note}" if change.note else ""
    return f"{format_}, version {change.version}{note}"


def _tag(change: Change) -> str:
    """Return a name (RFC 4151) that stays the same wherever the hall is served."""
    authority = settings.LOG_ORIGIN.partition("/")[0]
    return f"tag:{authority},2026:catalogue-change/{change.id}"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _add(
    parent: ElementTree.Element, name: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    cleaned = {key: clean(value) for key, value in attributes.items()}
    element = ElementTree.SubElement(parent, f"{{{ATOM}}}{name}", cleaned)
    if text is not None:
        element.text = clean(text)
    return element


def _plain(parent: ElementTree.Element, name: str, text: str) -> ElementTree.Element:
    element = ElementTree.SubElement(parent, name)
    element.text = clean(text)
    return element


def _written(root: ElementTree.Element) -> bytes:
    written: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return written
