"""Zones and the links between them: what energy may cross, at which fee, with which loss.

A link has one direction. Of what is sent over it, ``loss_ppm`` millionths are lost on the way; the
fee is paid for each Wh that is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, BinaryIO, Final

HEADER: Final = "from,to,limit_wh,loss_ppm,fee"
MILLION: Final = 1_000_000
LIMIT_MAX_WH: Final = 10**12
FEE_MAX_MICRO_PER_KWH: Final = 10**9
ZONE_NAME_MAX: Final = 40
# A thousand zones joined each with each would still fit; a file that is no network does not.
FILE_MAX_BYTES: Final = 64 << 20

_INTEGER: Final = re.compile(r"-?[0-9]{1,30}")
_SHOWN_MAX: Final = 40
_NAMED_MAX: Final = 3


class NetworkInvalid(ValueError):
    """Links that are no network: ``line`` says where, counted from 1 with the header as line 1."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True)
class Link:
    """A way from one zone to another, by their places in the network."""

    from_zone: int
    to_zone: int
    limit_wh: int
    fee_micro_per_kwh: int
    loss_ppm: int = 0

    @property
    def gain(self) -> Fraction:
        """The part of what is sent that arrives, before it is rounded down."""
        return Fraction(MILLION - self.loss_ppm, MILLION)

    def received_wh(self, sent_wh: int) -> int:
        """Return what arrives of ``sent_wh``, rounded down: the rest is lost on the link. [Wh]"""
        return sent_wh * (MILLION - self.loss_ppm) // MILLION


@dataclass(frozen=True)
class Network:
    """Zones by name and links in a fixed order, which is also the order that breaks ties."""

    zones: tuple[str, ...]
    links: tuple[Link, ...]

    @property
    def is_lossless(self) -> bool:
        """Whether all that is sent arrives."""
        return all(link.loss_ppm == 0 for link in self.links)


def network_of(zones: Sequence[str], links: Sequence[Mapping[str, Any]]) -> Network:
    """Make a network from the ``zones`` and ``links`` of a rule set.

    Parameters
    ----------
    zones : sequence of str
        Names, each once.
    links : sequence of mapping
        ``from``, ``to``, ``limit_wh``, ``loss_ppm`` and ``fee_micro_per_kwh``.

    Returns
    -------
    Network
        Zones and links in the order given.

    Raises
    ------
    NetworkInvalid
        If a zone or a link is not allowed. Link ``i``, counted from 0, is line ``i + 2``.
    """
    places = {name: place for place, name in enumerate(zones)}
    if len(places) != len(zones):
        raise NetworkInvalid(1, "a zone is named twice; name each zone once")
    made: dict[tuple[int, int], Link] = {}
    for line, link in enumerate(links, start=2):
        _add_link(
            made,
            line,
            _place(line, "from", link["from"], places),
            _place(line, "to", link["to"], places),
            {
                "limit_wh": link["limit_wh"],
                "loss_ppm": link["loss_ppm"],
                "fee": link["fee_micro_per_kwh"],
            },
        )
    return _checked(tuple(zones), tuple(made.values()))


def read_links(file: BinaryIO, zones: Sequence[str]) -> Network:
    """Read ``LINKS.csv``: ``from,to,limit_wh,loss_ppm,fee``, one direction of a link a line.

    Parameters
    ----------
    file : binary file
        Zones by name; limit [Wh], loss [millionths of what is sent] and fee [micro per kWh sent]
        are whole numbers.
    zones : sequence of str
        The zones there are, each once: those of the book.

    Returns
    -------
    Network
        The zones in the order given, the links in the order of the file.

    Raises
    ------
    NetworkInvalid
        At the first line that is not a link between two of the zones, or the last line of a loop
        of negative fees.
    """
    places = {name: place for place, name in enumerate(zones)}
    made: dict[tuple[int, int], Link] = {}
    for line, text in enumerate(_lines(file), start=1):
        if line == 1:
            if text != HEADER:
                raise NetworkInvalid(
                    1, f"the header is {shown(text)}; make {HEADER} the first line"
                )
            continue
        if not text.strip():
            raise NetworkInvalid(line, "the line is empty; remove it")
        fields = text.split(",")
        if len(fields) != 5:
            raise NetworkInvalid(line, f"the line has {len(fields)} fields, not 5; write {HEADER}")
        names = ("limit_wh", "loss_ppm", "fee")
        numbers = {
            name: _number(line, name, field) for name, field in zip(names, fields[2:], strict=True)
        }
        origin = _place(line, "from", fields[0], places)
        _add_link(made, line, origin, _place(line, "to", fields[1], places), numbers)
    return _checked(tuple(zones), tuple(made.values()))


def shown(text: str) -> str:
    """Quote a text of somebody else's for an error message, cut where it is long."""
    quoted = ascii(text)
    return quoted if len(quoted) <= _SHOWN_MAX else f"{quoted[:_SHOWN_MAX]}..."


def _lines(file: BinaryIO) -> list[str]:
    content = file.read(FILE_MAX_BYTES + 1)
    if len(content) > FILE_MAX_BYTES:
        raise NetworkInvalid(
            1, f"the file is larger than {FILE_MAX_BYTES} bytes; name a file of links"
        )
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise NetworkInvalid(
            line, "the line is not text; save the links as CSV in UTF-8"
        ) from error
    if not text:
        raise NetworkInvalid(1, f"the file is empty; make {HEADER} the first line")
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")]


def _number(line: int, name: str, field: str) -> int:
    if not _INTEGER.fullmatch(field):
        raise NetworkInvalid(line, f"the {name} {shown(field)} is not a whole number; write digits")
    return int(field)


def _place(line: int, end: str, name: str, places: Mapping[str, int]) -> int:
    if name not in places:
        known = ", ".join(shown(zone) for zone in list(places)[:_NAMED_MAX]) or "none"
        raise NetworkInvalid(
            line, f"{end} is {shown(name)}, an unknown zone; name one with orders or rules: {known}"
        )
    return places[name]


def _add_link(
    links: dict[tuple[int, int], Link],
    line: int,
    origin: int,
    target: int,
    numbers: Mapping[str, int],
) -> None:
    """Check one link against the bounds and those before it, and keep it."""
    for name, low, high in (
        ("limit_wh", 0, LIMIT_MAX_WH),
        ("loss_ppm", 0, MILLION - 1),
        ("fee", -FEE_MAX_MICRO_PER_KWH, FEE_MAX_MICRO_PER_KWH),
    ):
        if not low <= numbers[name] <= high:
            raise NetworkInvalid(
                line, f"the {name} is {numbers[name]}; write a number from {low} to {high}"
            )
    if origin == target:
        raise NetworkInvalid(line, "the link leads from a zone to itself; remove it")
    if (origin, target) in links:
        raise NetworkInvalid(
            line, "these two zones have a link in this direction; add the limits up"
        )
    links[origin, target] = Link(
        origin, target, numbers["limit_wh"], numbers["fee"], numbers["loss_ppm"]
    )


def _checked(zones: tuple[str, ...], links: tuple[Link, ...]) -> Network:
    """Refuse loops whose fees sum to less than nothing: energy would run around for money."""
    paid = [0] * len(zones)
    arrived_by: list[int | None] = [None] * len(zones)
    changed: int | None = None
    for _ in range(len(zones) + 1):
        changed = None
        for number, link in enumerate(links):
            through = paid[link.from_zone] + link.fee_micro_per_kwh
            if through < paid[link.to_zone]:
                paid[link.to_zone] = through
                arrived_by[link.to_zone] = number
                changed = link.to_zone
        if changed is None:
            return Network(zones, links)
    assert changed is not None
    loop = _loop_through(links, arrived_by, changed)
    names = " > ".join(ascii(zones[links[number].from_zone])[1:-1] for number in loop[:8])
    raise NetworkInvalid(
        max(loop) + 2,
        f"the fees around {names} sum to less than 0; raise one of them, or remove a link",
    )


def _loop_through(links: Sequence[Link], arrived_by: Sequence[int | None], zone: int) -> list[int]:
    """Return the links of the loop that lies behind a zone which gets cheaper for ever."""

    def step_back(at: int) -> tuple[int, int]:
        number = arrived_by[at]
        assert number is not None
        return links[number].from_zone, number

    for _ in arrived_by:  # after as many steps as there are zones one stands on the loop itself
        zone = step_back(zone)[0]
    loop: list[int] = []
    at = zone
    while not loop or at != zone:
        at, number = step_back(at)
        loop.append(number)
    return loop[::-1]
