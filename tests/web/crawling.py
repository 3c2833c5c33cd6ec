"""A visitor who follows the links of pages, and reads the figures and the numbers on them."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import urljoin, urlsplit

from django.test import Client
from django.urls import Resolver404, resolve

# Pages of one kind are made by one view: more than some of them say nothing new.
OF_A_KIND_MAX: Final = 2
_NUMBER: Final = re.compile(
    r"[¥€$]\s?[\d][\d,.]*|[\d][\d,.]*[\s\u00a0]?(?:kWh|Wh|度)(?![\w])|[\d][\d,.]*[\s\u00a0]?元"
)
_LEFT_OUT: Final = {"script", "style", "svg", "option", "textarea"}


@dataclass(frozen=True)
class Shown:
    """A marked figure on a page."""

    figure: str
    of: str
    start: str
    end: str
    value: str


@dataclass
class Page:
    """What was found on a page."""

    path: str
    kind: str
    figures: list[Shown] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    bare: list[str] = field(default_factory=list)


class _Reader(HTMLParser):
    def __init__(self, page: Page) -> None:
        super().__init__()
        self._page, self._skipped, self._in_data = page, 0, 0
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if tag in _LEFT_OUT:
            self._skipped += 1
        for name in ("href", "hx-get"):
            if found.get(name) and tag != "link":
                self._page.links.append(found[name])
        if tag == "data":
            self._in_data += 1
            self.text += " "
            if "data-figure" in found:
                names = ("data-figure", "data-of", "data-from", "data-to", "value")
                self._page.figures.append(Shown(*(found[each] for each in names)))
        elif tag not in ("span", "b", "strong", "small", "a", "abbr"):
            self.text += "\n"

    def handle_endtag(self, tag: str) -> None:
        self._skipped -= tag in _LEFT_OUT
        self._in_data -= tag == "data"

    def handle_data(self, data: str) -> None:
        if not self._skipped and not self._in_data:
            self.text += data


def read(path: str, kind: str, html: str) -> Page:
    """Read a page."""
    page = Page(path, kind)
    reader = _Reader(page)
    reader.feed(html)
    for line in reader.text.splitlines():
        if _NUMBER.search(line):
            page.bare.append(" ".join(line.split()))
    return page


def crawl(
    client: Client, starts: Sequence[str], *, is_followed: Callable[[str], bool]
) -> Iterator[Page]:
    """Follow links from some pages, a few of each kind, and return every page of HTML.

    Parameters
    ----------
    is_followed : callable
        Called with the name of an address.
    """
    waiting, seen, kinds = list(starts), set(starts), Counter[str]()
    while waiting:
        path = waiting.pop(0)
        kind = _kind(path)
        if kind is None or not is_followed(kind) or kinds[kind] >= OF_A_KIND_MAX:
            continue
        kinds[kind] += 1
        answer = client.get(path, follow=True)
        assert answer.status_code == 200, (path, answer.status_code)
        if not answer["Content-Type"].startswith("text/html"):
            continue
        page = read(path, kind, answer.content.decode())
        yield page
        for link in page.links:
            target = urlsplit(urljoin(path, link))
            following = target.path + (f"?{target.query}" if target.query else "")
            if not target.netloc and target.scheme == "" and following not in seen:
                seen.add(following)
                waiting.append(following)


def _kind(path: str) -> str | None:
    """Return the name of the address; None where there is none of ours."""
    try:
        return resolve(urlsplit(path).path).url_name
    except Resolver404:
        return None
