"""What the ledger's rules read and change: accounts with four counters, holds, keys, sums.

Accounts lie in compact arrays, in the order of their leaves. What only old references need
(the keys of all commands, holds that ended) is left to an :class:`Archive`.

References
----------
docs/ledger.md, "Rules" and "State root".
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256
from struct import Struct
from typing import Protocol

from validator import canonical
from validator.state_map import UnitMap, state_root

NO_LIMIT = -1
COUNTERS = 4
DEBITS_PENDING, DEBITS_POSTED, CREDITS_PENDING, CREDITS_POSTED = range(COUNTERS)
_COUNTERS = Struct(">4Q")
_ACCOUNT = Struct(">Qq")


class Archive(Protocol):
    """What happened in earlier blocks and is only rarely asked for."""

    def known(self, keys: Iterable[str]) -> set[str]:
        """Return which of these keys were used."""

    def command(self, key: str) -> tuple[int, int] | None:
        """Return the first transfer and number of legs of a command; no legs when not booked."""

    def ended_hold(self, reference: str) -> bool:
        """Tell whether this names a hold that was posted or released."""

    def document(self, key: str) -> bool:
        """Tell whether a document was logged under this key."""


@dataclass(frozen=True, slots=True)
class Hold:
    """An open hold; debit and credit are places of accounts, ``expires`` 0 is never."""

    id: int
    debit: int
    credit: int
    amount: int
    expires: int


@dataclass(slots=True)
class Unit:
    """One unit's accounts: their map, their places by position, and sums of pending and posted."""

    name: str
    map: UnitMap
    members: array[int] = field(default_factory=lambda: array("q"))
    pending: int = 0
    posted: int = 0


@dataclass(slots=True)
class Fresh:
    """What the blocks since the last save have added: it goes to the archive with the save."""

    accounts_from: int = 0
    touched: set[int] = field(default_factory=set)
    commands: dict[str, tuple[int, int]] = field(default_factory=dict)
    documents: dict[str, str] = field(default_factory=dict)
    holds: dict[str, Hold] = field(default_factory=dict)
    ended: set[str] = field(default_factory=set)


class State:
    """The state after a block, and the state within one while it is followed.

    Parameters
    ----------
    archive : Archive
        What earlier blocks left behind.
    padding : bytes
        The ledger's secret behind which maps hide their number of accounts.
    """

    def __init__(self, archive: Archive, padding: bytes) -> None:
        self.archive = archive
        self.padding = padding
        self.block = 0
        self.time = 0
        self.next_transfer = 1
        # The last transfer id whose origin everybody has forgotten.
        self.pruned = 0
        self.places: dict[int, int] = {}
        self.numbers = array("q")
        self.limits = array("q")
        self.unit_of = array("q")
        self.positions = array("q")
        self.salts = bytearray()
        self.counters = array("q")
        self.units: list[Unit] = []
        self.holds: dict[str, Hold] = {}
        self.fresh = Fresh()
        self._prefixes: list[bytes] = []
        self._unit_places: dict[str, int] = {}
        self._touched: set[int] = set()

    def open_account(
        self,
        *,
        number: int,
        limit: int,
        salt: bytes,
        unit: str,
        counters: Iterable[int] = (0, 0, 0, 0),
    ) -> int:
        """Add an account behind all others and return its place.

        Parameters
        ----------
        number : int
            The account's number, which must be new.
        limit : int
            How far debits may pass posted credits, or ``NO_LIMIT``.
        salt : bytes
            Its 32-byte state salt.
        unit : str
            What it counts.
        counters : iterable of int
            Debits pending and posted, credits pending and posted.
        """
        place = len(self.numbers)
        assert number not in self.places, number
        if unit not in self._unit_places:
            self._unit_places[unit] = len(self.units)
            self.units.append(Unit(unit, UnitMap(unit, self.padding)))
        at = self._unit_places[unit]
        home = self.units[at]
        self.places[number] = place
        self.numbers.append(number)
        self.limits.append(limit)
        self.unit_of.append(at)
        self.positions.append(len(home.members))
        home.members.append(place)
        self.salts += salt
        self._prefixes.append(b"\x00" + salt + _ACCOUNT.pack(number, limit))
        four = array("q", counters)
        assert len(four) == COUNTERS, four
        self.counters.extend(four)
        home.pending += four[CREDITS_PENDING]
        home.posted += four[CREDITS_POSTED]
        self._touched.add(place)
        return place

    def touch(self, places: Iterable[int]) -> None:
        """Note that these accounts' counters have changed."""
        self._touched.update(places)

    def root(self) -> bytes:
        """Return the state root, after hashing again what was touched since the last time."""
        counters, prefixes, positions = self.counters, self._prefixes, self.positions
        maps = [unit.map for unit in self.units]
        unit_of, pack = self.unit_of, _COUNTERS.pack
        # In order of places, so that new accounts come in order of their positions.
        for place in sorted(self._touched):
            at = place * COUNTERS
            maps[unit_of[place]].put(
                positions[place],
                sha256(prefixes[place] + pack(*counters[at : at + COUNTERS])).digest(),
            )
        self.fresh.touched |= self._touched
        self._touched = set()
        return state_root((unit.name, unit.map.root()) for unit in self.units)

    def totals_opening(self) -> bytes:
        """Return what a block's leaf commits to as its totals."""
        units = sorted(self.units, key=lambda unit: unit.name.encode())
        return b'{"units":[%b]}' % b",".join(
            (
                f'{{"accounts":"{len(unit.members)}","credits_pending":"{unit.pending}",'
                f'"credits_posted":"{unit.posted}","debits_pending":"{unit.pending}",'
                f'"debits_posted":"{unit.posted}","unit":'
            ).encode()
            + canonical.write(unit.name)
            + b"}"
            for unit in units
        )

    def accounts_used(self, unit: Unit) -> int:
        """Return how many accounts of a unit have ever had a posted transfer."""
        counters = self.counters
        return sum(
            1
            for place in unit.members
            if counters[place * COUNTERS + DEBITS_POSTED]
            or counters[place * COUNTERS + CREDITS_POSTED]
        )

    def find_command(self, key: str) -> tuple[int, int] | None:
        """Return first transfer and number of legs of an earlier command, if there is one."""
        return self.fresh.commands.get(key) or self.archive.command(key)

    def is_ended_hold(self, reference: str) -> bool:
        """Tell whether a reference names a hold that has ended."""
        return reference in self.fresh.ended or self.archive.ended_hold(reference)

    def is_document(self, key: str) -> bool:
        """Tell whether a document stands in the log under this key."""
        return key in self.fresh.documents or self.archive.document(key)
