"""Green Button XML as a stream of entries, with lines, and without anything XML could smuggle in.

A document type is refused, so there are no entities of one's own to expand or to fetch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final
from xml.parsers import expat

from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.source import Source

CHUNK_BYTES: Final = 64 * 1024
# The parser begins a tag anew with each chunk until it ends: an endless one would take for ever.
TAG_MAX_BYTES: Final = 1024 * 1024
DEPTH_MAX: Final = 40
TEXT_MAX: Final = 10_000
WAYS_MAX: Final = 1000
READING: Final = "IntervalReading"
RESOURCES: Final = frozenset({"UsagePoint", "MeterReading", "ReadingType"})


@dataclass(slots=True)
class Element:
    """An element with the texts in it by their way down; several of one way stand side by side."""

    name: str
    line: int
    texts: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Entry:
    """What the links of one Atom entry say: which resource it is, and what belongs to it."""

    self_href: str = ""
    up_href: str = ""
    related: list[str] = field(default_factory=list)


def elements(source: Source, names: frozenset[str]) -> Iterator[tuple[Entry, Element]]:
    """Yield the elements of some names, each with the entry that it stands in.

    Raises
    ------
    ReadingsInvalid
        If the file is not XML, has a document type, or nests too deep.
    """
    handler = _Handler(source.name, names)
    size = 0
    with source.open() as file:
        while True:
            chunk = file.read(CHUNK_BYTES)
            size += len(chunk)
            try:
                handler.parser.Parse(chunk, not chunk)
            except expat.ExpatError as error:
                raise ReadingsInvalid(
                    source.name,
                    error.lineno,
                    f"is not XML: {expat.ErrorString(error.code)}",
                    "send the whole file as it was downloaded",
                ) from error
            if chunk and size - handler.parser.CurrentByteIndex > TAG_MAX_BYTES + CHUNK_BYTES:
                raise handler.bad(f"a tag is longer than {TAG_MAX_BYTES} bytes")
            yield from handler.found
            handler.found.clear()
            if not chunk:
                return


class _Handler:
    """Keeps the way down to where the parser is."""

    def __init__(self, file: str, names: frozenset[str]) -> None:
        self.file = file
        self.names = names
        self.found: list[tuple[Entry, Element]] = []
        self.waiting: list[Element] = []
        self.entry = Entry()
        self.path: list[str] = []
        self.element: Element | None = None
        self.element_depth = 0
        self.text: list[str] = []
        self.text_length = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._refuse_doctype
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def bad(self, what: str) -> ReadingsInvalid:
        """Return the refusal of the file at the line that is being read."""
        return ReadingsInvalid(
            self.file, self.parser.CurrentLineNumber, what, "send a Green Button file as it came"
        )

    def _refuse_doctype(self, *_: object) -> None:
        raise self.bad("declares a document type, which no Green Button file needs")

    def _start(self, qualified: str, attributes: dict[str, str]) -> None:
        name = qualified.rpartition(" ")[2]
        self.path.append(name)
        if len(self.path) > DEPTH_MAX:
            raise self.bad(f"nests deeper than {DEPTH_MAX} elements")
        self.text.clear()
        self.text_length = 0
        if name == "entry":
            self.entry = Entry()
        elif name == "link":
            self._link(attributes)
        elif name in self.names and self.element is None:
            self.element = Element(name, self.parser.CurrentLineNumber)
            self.element_depth = len(self.path)

    def _link(self, attributes: dict[str, str]) -> None:
        rel, href = attributes.get("rel", ""), attributes.get("href", "").rstrip("/")
        if rel == "self":
            self.entry.self_href = href
        elif rel == "up":
            self.entry.up_href = href
        elif rel == "related":
            self.entry.related.append(href)

    def _characters(self, text: str) -> None:
        if self.element is None:
            return
        self.text_length += len(text)
        if self.text_length > TEXT_MAX:
            raise self.bad(f"a text is longer than {TEXT_MAX} characters")
        self.text.append(text)

    def _end(self, _: str) -> None:
        depth, name = len(self.path), self.path.pop()
        element = self.element
        if name == "entry" or not self.path:
            # Not before: the links that say whose the readings are may stand after them.
            self.found.extend((self.entry, each) for each in self.waiting)
            self.waiting.clear()
        if element is None:
            return
        if depth == self.element_depth:
            self.waiting.append(element)
            self.element = None
        else:
            # By the way within the element: "timePeriod/start" and "start" are not the same.
            way = "/".join([*self.path[self.element_depth :], name])
            text = "".join(self.text).strip()
            if way in element.texts:
                text = f"{element.texts[way]} {text}"
            if len(text) > TEXT_MAX or len(element.texts) > WAYS_MAX:
                raise self.bad(f"{element.name} holds far more than one does")
            element.texts[way] = text
        self.text.clear()
        self.text_length = 0
