"""EDIFACT as a stream of segments, however long the interchange."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from marketplace.domain.readings.columns import ReadingsInvalid
from marketplace.domain.readings.formats.source import Source

CHUNK_BYTES: Final = 64 * 1024
SEGMENT_MAX: Final = 20_000
# Component, data and segment separator, release sign: what holds without a UNA segment.
COMPONENT, DATA, RELEASE, SEGMENT = ":", "+", "?", "'"


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment: ``elements[i][j]`` is component j of element i, both from 0."""

    tag: str
    elements: tuple[tuple[str, ...], ...]
    number: int

    def part(self, element: int, component: int = 0) -> str:
        """Return a component, "" where the segment does not go so far."""
        if element >= len(self.elements) or component >= len(self.elements[element]):
            return ""
        return self.elements[element][component]


@dataclass(frozen=True, slots=True)
class _Signs:
    component: str = COMPONENT
    data: str = DATA
    release: str = RELEASE
    segment: str = SEGMENT


def segments(source: Source) -> Iterator[Segment]:
    """Yield the segments of an interchange with their numbers: most are written on one line.

    Raises
    ------
    ReadingsInvalid
        If a segment does not end.
    """
    with source.open() as file:
        text = file.read(CHUNK_BYTES).decode("latin-1").removeprefix("\xef\xbb\xbf").lstrip()
        signs = _Signs()
        if text.startswith("UNA"):
            signs = _Signs(text[3], text[4], text[6], text[8])
            text = text[9:]
        number = 1
        while True:
            end = _end_of_segment(text, signs)
            if end >= 0:
                raw, text = text[:end].lstrip(), text[end + 1 :]
                if raw:
                    yield _segment(raw, signs, number)
                    number += 1
                continue
            more = file.read(CHUNK_BYTES).decode("latin-1") if len(text) <= SEGMENT_MAX else ""
            if not more:
                break
            text += more
        if text.strip():
            raise ReadingsInvalid(
                source.name, number, "this segment does not end", "send a whole interchange"
            )


def _end_of_segment(text: str, signs: _Signs) -> int:
    end = text.find(signs.segment)
    while end > 0 and _is_released(text, end, signs):
        end = text.find(signs.segment, end + 1)
    return end


def _is_released(text: str, at: int, signs: _Signs) -> bool:
    count = 0
    while at - count > 0 and text[at - count - 1] == signs.release:
        count += 1
    return count % 2 == 1


def _segment(raw: str, signs: _Signs, number: int) -> Segment:
    tag, *elements = _split(raw, signs.data, signs)
    return Segment(
        tag.strip(),
        tuple(
            tuple(_unreleased(part, signs) for part in _split(element, signs.component, signs))
            for element in elements
        ),
        number,
    )


def _split(raw: str, separator: str, signs: _Signs) -> list[str]:
    if signs.release not in raw:
        return raw.split(separator)
    parts, begun = [], 0
    for at, letter in enumerate(raw):
        if letter == separator and not _is_released(raw, at, signs):
            parts.append(raw[begun:at])
            begun = at + 1
    return [*parts, raw[begun:]]


def _unreleased(part: str, signs: _Signs) -> str:
    if signs.release not in part:
        return part
    kept, is_released = [], False
    for letter in part:
        if letter == signs.release and not is_released:
            is_released = True
            continue
        kept.append(letter)
        is_released = False
    return "".join(kept)
