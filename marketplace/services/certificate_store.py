"""Write what befell certificates: event, ledger commands, bundles; joins the caller's transaction.

Lock order: the issuing of a community (advisory), its interval rows, then bundle rows by id.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from django.db import connection

from ledger.domain.copy_format import HEADER, TRAILER, copy_rows
from ledger.services import open_accounts, submit
from marketplace.domain.certificates.bundles import Int64Array, Moves
from marketplace.domain.certificates.rows import (
    CANCELLATION_KIND,
    KIND,
    PARTIES,
    TRADED,
    Accounts,
    EventHeader,
    event_document,
    event_rows,
    event_transfers,
    pack_moves,
    unit_of,
)
from marketplace.errors import N_, CertificatesGone
from marketplace.models import (
    CertificateAccount,
    CertificateBundle,
    CertificateEvent,
    Community,
    DeliveryInterval,
    ProductionDevice,
)

Kind = CertificateEvent.Kind


@dataclass(frozen=True)
class NewEvent:
    """An event to record. ``private`` are fields of its document, ``more`` of its first row."""

    kind: CertificateEvent.Kind
    community_id: int
    moves: Moves
    quantity_wh: int
    giver_id: int | None = None
    receiver_id: int | None = None
    private: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class BundlePart:
    """A range after its bundle was split; ``bundle_id`` keeps that row, 0 makes a new one."""

    bundle_id: int
    interval_id: int
    device_id: int
    holder_id: int
    first_wh: int
    last_wh: int
    state: CertificateBundle.State


_KEEP = """
UPDATE marketplace_certificatebundle b
SET holder_id = p.holder, first_wh = p.first_wh, last_wh = p.last_wh, state = p.state,
    cancellation_id = CASE WHEN p.state = 2 THEN %(cancellation)s::bigint END
FROM unnest(%(ids)s::bigint[], %(holders)s::bigint[], %(firsts)s::bigint[], %(lasts)s::bigint[],
    %(states)s::smallint[]) AS p(id, holder, first_wh, last_wh, state)
WHERE b.id = p.id AND b.state = 1
"""
_ADD = """
INSERT INTO marketplace_certificatebundle
    (interval_id, device_id, holder_id, first_wh, last_wh, state, cancellation_id)
SELECT p.*, CASE WHEN p.state = 2 THEN %(cancellation)s::bigint END
FROM unnest(%(intervals)s::bigint[], %(devices)s::bigint[], %(holders)s::bigint[],
    %(firsts)s::bigint[], %(lasts)s::bigint[], %(states)s::smallint[])
    AS p(interval_id, device_id, holder_id, first_wh, last_wh, state)
"""


def record_event(event: NewEvent, *, now: datetime) -> CertificateEvent:
    """Keep an event, and submit its document and its transfers to the ledger."""
    recorded = CertificateEvent.objects.create(
        kind=event.kind,
        community_id=event.community_id,
        giver_id=event.giver_id,
        receiver_id=event.receiver_id,
        quantity_wh=event.quantity_wh,
        moves=pack_moves(event.moves),
        recorded_at=now,
    )
    units = units_of_moves(event.moves, community_id=event.community_id)
    _open_missing(event.moves, units)
    accounts = accounts_of_moves(event.moves, units)
    header = header_of(recorded, event.private)
    rows = event_rows(header, event.moves, accounts)
    document = event_document(
        header,
        rows,
        kind=CANCELLATION_KIND if event.kind == Kind.CANCELLATION else KIND,
        private=event.private,
        # Known to the ledger alone, like every document's.
        seed=os.urandom(32),
    )
    commands = [document]
    if len(event.moves):
        commands.append(event_transfers(recorded.id, event.moves, accounts))
    submit(commands=commands, submitted_at=now)
    return recorded


def owed_field(entries: Sequence[int]) -> dict[str, str]:
    """Return what an issue's document says of debts: their sum, where there are any. [Wh]"""
    return {"owed_wh": str(sum(entries))} if entries else {}


def rearrange(parts: Sequence[BundlePart], *, cancellation_id: int | None = None) -> None:
    """Split and hand on bundles: first what keeps a row shrinks, then the rest is added.

    Raises
    ------
    CertificatesGone
        If a bundle is not active any more. Nothing may be committed then.
    """
    kept = [part for part in parts if part.bundle_id]
    with connection.cursor() as cursor:
        columns = {"cancellation": cancellation_id, **_columns(kept)}
        cursor.execute(_KEEP, {**columns, "ids": [part.bundle_id for part in kept]})
        if cursor.rowcount != len(kept):
            raise CertificatesGone(N_("Certificates were used or handed on meanwhile; look again."))
        new = _columns([part for part in parts if not part.bundle_id])
        cursor.execute(_ADD, {"cancellation": cancellation_id, **new})


def _columns(parts: Iterable[BundlePart]) -> dict[str, list[int]]:
    listed = list(parts)
    return {
        "intervals": [part.interval_id for part in listed],
        "devices": [part.device_id for part in listed],
        "holders": [part.holder_id for part in listed],
        "firsts": [part.first_wh for part in listed],
        "lasts": [part.last_wh for part in listed],
        "states": [int(part.state) for part in listed],
    }


def copy_bundles(bundles: Int64Array) -> None:
    """Add new bundles: interval, device, holder, first, last, 1 if withdrawn, as columns."""
    intervals, devices, holders, firsts, lasts, is_withdrawn = bundles
    state = CertificateBundle.State
    states = np.where(is_withdrawn == 1, int(state.WITHDRAWN), int(state.ACTIVE))
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY marketplace_certificatebundle (interval_id, device_id, holder_id, first_wh,"
            " last_wh, state) FROM STDIN (FORMAT BINARY)"
        ) as copy,
    ):
        copy.write(HEADER)
        copy.write(
            copy_rows(
                [
                    ("int8", intervals),
                    ("int8", devices),
                    ("int8", holders),
                    ("int8", firsts),
                    ("int8", lasts),
                    ("int2", states),
                ],
                rows=len(states),
            )
        )
        copy.write(TRAILER)


def header_of(event: CertificateEvent, private: Mapping[str, str]) -> EventHeader:
    """Return the first row of an event's document; its private fields stand there too."""
    kind = Kind(event.kind).label
    return EventHeader(event.id, event.community_id, kind, event.recorded_at, private)


def units_of_moves(moves: Moves, *, community_id: int) -> list[str]:
    """Return the ledger's unit of every move: its device's technology, its interval's month."""
    zone = ZoneInfo(Community.objects.values_list("timezone", flat=True).get(id=community_id))
    intervals, interval_at = np.unique(moves.intervals, return_inverse=True)
    devices, device_at = np.unique(moves.devices, return_inverse=True)
    starts = DeliveryInterval.objects.filter(id__in=intervals.tolist())
    months = {
        id_: f"{start.astimezone(zone):%Y-%m}"
        for id_, start in starts.values_list("id", "starts_at")
    }
    technologies = dict(
        ProductionDevice.objects.filter(id__in=devices.tolist()).values_list("id", "technology")
    )
    month_of = [months[id_] for id_ in intervals.tolist()]
    technology_of = [technologies[id_] for id_ in devices.tolist()]
    names: dict[tuple[str, str], str] = {}
    return [
        names.setdefault(pair, unit_of(*pair))
        for pair in zip(
            [technology_of[at] for at in device_at.reshape(-1).tolist()],
            [month_of[at] for at in interval_at.reshape(-1).tolist()],
            strict=True,
        )
    ]


def _open_missing(moves: Moves, units: Sequence[str]) -> None:
    """Open the accounts that moves need and nobody has yet."""
    names, at = np.unique(np.array(units, dtype=np.str_), return_inverse=True)
    for index, unit in enumerate(names.tolist()):
        own = moves.only(at.reshape(-1) == index)
        hands = set(np.unique(np.concatenate([own.givers, own.receivers])).tolist())
        wanted = {hand for hand in hands if hand > 0}
        known = CertificateAccount.objects.filter(unit=unit)
        missing = wanted - set(
            known.filter(participant__in=wanted).values_list("participant_id", flat=True)
        )
        name = unit.partition("/")[0]
        paths = {hand: f"participant:{hand}:{name}" for hand in sorted(missing)}
        # None gives what it does not have: what is held stands in the ledger as in the bundles.
        accounts = open_accounts(paths=list(paths.values()), unit=unit, overdraft_limit=0)
        rows = [
            CertificateAccount(unit=unit, participant_id=hand, account_id=accounts[path])
            for hand, path in paths.items()
        ]
        if known.filter(participant=None).count() < len(PARTIES):
            parties = {party: f"certificates:{party}:{name}" for party in PARTIES.values()}
            opened = open_accounts(paths=list(parties.values()), unit=unit)
            rows += [
                CertificateAccount(unit=unit, party=party, account_id=opened[path])
                for party, path in parties.items()
            ]
        CertificateAccount.objects.bulk_create(rows, ignore_conflicts=True)


def accounts_of_moves(moves: Moves, units: Sequence[str]) -> Accounts:
    """Return the ledger accounts that moves go between."""
    names, at = np.unique(np.array(units, dtype=np.str_), return_inverse=True)
    at = at.reshape(-1)
    found = CertificateAccount.objects.filter(unit__in=names.tolist())
    hands = {party: hand for hand, party in PARTIES.items()}
    known = {
        (unit, participant or hands[party]): account
        for unit, participant, party, account in found.values_list(
            "unit", "participant_id", "party", "account_id"
        )
    }

    def accounts(of: Int64Array) -> Int64Array:
        pairs, place = np.unique(np.stack([at, of]), axis=1, return_inverse=True)
        mine = [known[names[unit], hand] for unit, hand in pairs.T.tolist()]
        return np.array(mine, dtype=np.int64)[place.reshape(-1)]

    return Accounts(
        accounts(moves.givers), accounts(moves.receivers), accounts(np.full_like(at, TRADED))
    )
