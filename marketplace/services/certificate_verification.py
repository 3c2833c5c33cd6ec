"""Compare certificates with their events, the events with the log, all of it with the meters."""

from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from ledger.domain.documents import Document, read_body
from ledger.queries import get_answers, get_balances, get_bodies
from ledger.services.verification import one_state
from marketplace.domain.certificates.bundles import Int64Array, Move, Moves, lay_out
from marketplace.domain.certificates.check import Bundles, certified, is_same, range_fault
from marketplace.domain.certificates.rows import (
    CANCELLATION_KIND,
    KIND,
    Accounts,
    document_key,
    event_document,
    event_rows,
    event_transfers,
    transfers_key,
    unpack_moves,
)
from marketplace.errors import CertificatesDiffer
from marketplace.models import CertificateCancellation, CertificateDebt, CertificateEvent
from marketplace.queries.certificate_checks import (
    Issued,
    joined_moves,
    list_booked_exports,
    list_bundle_columns,
    list_certified_intervals,
    list_events,
    list_holdings,
    list_interval_debts,
    list_issued,
    list_issued_intervals,
    list_issued_moves,
)
from marketplace.queries.certificates import list_exports, list_sales
from marketplace.services.certificate_store import (
    accounts_of_moves,
    header_of,
    owed_field,
    units_of_moves,
)

Kind = CertificateEvent.Kind
_EVENTS_AT_ONCE: Final = 20
_INTERVALS_AT_ONCE: Final = 200
_MOVES_OF: Final = {
    Kind.ISSUE: (Move.ISSUED, Move.WITH_TRADE, Move.WITHDRAWN, Move.RETURNED),
    Kind.TRANSFER: (Move.HANDED_OVER,),
    Kind.CANCELLATION: (Move.CANCELLED,),
}


@dataclass(frozen=True)
class VerifiedCertificates:
    """How many events there are, and Wh of certificates, those that were used included."""

    events: int
    wh: int


@dataclass(frozen=True)
class _Told:
    """What the log has of some events, by key."""

    bodies: dict[str, bytes]
    waiting: set[str] = field(default_factory=set)


def verify_certificates() -> VerifiedCertificates:
    """Check every certificate: who holds it, how it came there, what was exported for it.

    Events are compared with their documents and commands, bundles with what the events left of
    them, certificates with the export and the trades of their intervals, accounts with bundles.

    Raises
    ------
    CertificatesDiffer
        The message names the first event, range or account that does not follow.
    """
    with one_state():
        return _verify()


def _verify() -> VerifiedCertificates:
    events, waiting = 0, set[int]()
    for batch in list_events(at_once=_EVENTS_AT_ONCE):
        waiting |= _check_events(batch, _told(batch))
        events += len(batch)
    used = CertificateEvent.objects.exclude(kind=Kind.ISSUE).order_by("id")
    later = joined_moves(used.values_list("id", "moves").iterator())
    wh = 0
    for interval_ids in list_certified_intervals(at_once=_INTERVALS_AT_ONCE):
        bundles = list_bundle_columns(interval_ids=interval_ids)
        moves = _check_ranges(interval_ids, bundles, later)
        wh += _check_energy(interval_ids, bundles, moves)
    _check_accounts(waiting)
    return VerifiedCertificates(events, wh)


def _told(batch: Sequence[CertificateEvent]) -> _Told:
    keys = [key for each in batch for key in (document_key(each.id), transfers_key(each.id))]
    bodies = get_bodies(keys=keys)
    answers = get_answers(keys=[key for key in keys if key not in bodies])
    return _Told(bodies, {key for key, each in answers.items() if each.state == "pending"})


def _check_events(batch: Sequence[CertificateEvent], told: _Told) -> set[int]:
    """Compare events with what the log has of them; of a pruned period nothing is left there.

    Returns
    -------
    set of int
        The accounts of those that wait for their block.
    """
    waiting = set[int]()
    ids = [each.id for each in batch]
    statements = dict(
        CertificateCancellation.objects.filter(event__in=ids).values_list(
            "event_id", "statement_sha256"
        )
    )
    owed: dict[int, list[int]] = {id_: [] for id_ in ids}
    for event_id, wh in CertificateDebt.objects.filter(event__in=ids).values_list("event_id", "wh"):
        owed[event_id].append(wh)
    issued = list_issued_intervals(event_ids=ids)
    for event in batch:
        moves = unpack_moves(bytes(event.moves))
        _check_kind(event, moves, issued[event.id])
        private = owed_field(owed[event.id])
        if event.kind == Kind.CANCELLATION:
            statement = statements.get(event.id, "")
            private = {"statement": statement, "wh": str(event.quantity_wh)}
        accounts = _accounts(event, moves)
        _check_document(event, (moves, accounts), private, told)
        _check_transfers(event, moves, accounts, told)
        if transfers_key(event.id) in told.waiting:
            waiting |= {*accounts.givers.tolist(), *accounts.receivers.tolist()}
    return waiting


def _check_kind(event: CertificateEvent, moves: Moves, intervals: set[int]) -> None:
    allowed = [int(kind) for kind in _MOVES_OF[Kind(event.kind)]]
    if not np.isin(moves.kinds, allowed).all():
        raise _differs(event, "it moves what an event of its kind does not")
    first = _MOVES_OF[Kind(event.kind)][0]
    if event.quantity_wh != int(moves.wh[moves.kinds == int(first)].sum()):
        raise _differs(event, "its quantity is not that of its moves")
    if event.kind == Kind.ISSUE and not np.isin(moves.intervals, list(intervals)).all():
        raise _differs(event, "it issues for an interval that it was not made for")
    hands = ((moves.givers, event.giver_id), (moves.receivers, event.receiver_id))
    for hand, participant_id in hands:
        if participant_id is not None and (hand != participant_id).any():
            raise _differs(event, "it moves certificates of others than its two sides")


def _accounts(event: CertificateEvent, moves: Moves) -> Accounts:
    try:
        return accounts_of_moves(moves, units_of_moves(moves, community_id=event.community_id))
    except KeyError as error:
        raise _differs(event, f"nobody has an account for its moves ({error})") from error


def _check_document(
    event: CertificateEvent, rows: tuple[Moves, Accounts], private: dict[str, str], told: _Told
) -> None:
    body = _body(event, document_key(event.id), told, "its document")
    if not body:
        return
    read = read_body(body)
    seed = b64decode(read.private.get("seed", "")) if isinstance(read, Document) else b""
    header = header_of(event, private)
    expected = event_document(
        header,
        event_rows(header, *rows),
        kind=CANCELLATION_KIND if event.kind == Kind.CANCELLATION else KIND,
        private=private,
        seed=seed,
    )
    if expected.body != body:
        raise _differs(event, "its rows are not those in the log")


def _check_transfers(
    event: CertificateEvent, moves: Moves, accounts: Accounts, told: _Told
) -> None:
    key = transfers_key(event.id)
    if not len(moves):
        if key in told.bodies:
            raise _differs(event, "the ledger moved certificates, and nothing had to move")
        return
    body = _body(event, key, told, "its command")
    if body and event_transfers(event.id, moves, accounts).body != body:
        raise _differs(event, "the ledger moved other certificates than it says")


def _body(event: CertificateEvent, key: str, told: _Told, what: str) -> bytes:
    """Return what was booked under a key; nothing where it waits, or was pruned."""
    if key not in told.bodies and key not in told.waiting:
        raise _differs(event, f"{what} was never handed to the ledger, or was refused")
    return told.bodies.get(key, b"")


def _differs(event: CertificateEvent, what: str) -> CertificatesDiffer:
    return CertificatesDiffer(f"certificate event {event.id}: {what}")


def _check_ranges(
    interval_ids: Sequence[int], bundles: Bundles, later: tuple[Moves, Int64Array]
) -> Moves:
    """Follow certificates of intervals from hand to hand; return what issues moved of them."""
    issued, issuing = list_issued_moves(interval_ids=interval_ids)
    own = np.isin(later[0].intervals, interval_ids)
    moves = Moves.joined([issued, later[0].only(own)])
    events = np.concatenate([issuing, later[1][own]])
    order = np.argsort(events, kind="stable")
    if fault := range_fault(moves.only(order), events[order], bundles):
        raise CertificatesDiffer(fault)
    return issued


def _check_energy(interval_ids: Sequence[int], bundles: Bundles, moves: Moves) -> int:
    """Compare certificates with export and trades; return how many stand. [Wh]"""
    issued = list_issued(interval_ids=interval_ids)
    debts = list_interval_debts(interval_ids=interval_ids)
    intervals, devices, sums = certified(bundles)
    stands = dict(
        zip(zip(intervals.tolist(), devices.tolist(), strict=True), sums.tolist(), strict=True)
    )
    # A reading that waits has changed the export, and nothing has followed from it yet.
    current = [id_ for id_, each in issued.items() if each.is_current]
    exports = list_exports(interval_ids=current)
    pairs = zip(exports.intervals.tolist(), exports.devices.tolist(), strict=True)
    metered = dict(zip(pairs, exports.wh.tolist(), strict=True))
    booked = list_booked_exports(
        revisions={id_: each.revision for id_, each in issued.items()},
        device_ids=sorted({device for _, device in stands}),
    )
    for pair in sorted(stands.keys() | debts.keys() | metered.keys()):
        wh = stands.get(pair, 0) - debts.get(pair, 0)
        of_book = booked.get(pair, 0)
        is_current = pair[0] in issued and issued[pair[0]].is_current
        if wh > of_book or (is_current and wh != metered.get(pair, 0)):
            raise CertificatesDiffer(
                f"interval {pair[0]}: {wh} Wh of device {pair[1]} are certified,"
                f" {metered.get(pair, 0) if is_current else of_book} Wh of its metered export"
                f" may be, {of_book} Wh are in the book"
            )
    _check_trades(issued, {interval for interval, _ in debts}, moves)
    return int(sums.sum())


def _check_trades(issued: dict[int, Issued], in_debt: set[int], moves: Moves) -> None:
    """Lay out again what was issued once and never corrected: to whom each Wh went."""
    # What a correction leaves, or a debt, depends on who held what at that moment.
    plain = [
        id_
        for id_, each in issued.items()
        if each.is_first and each.is_current and id_ not in in_debt
    ]
    ids = sorted(plain)
    layout = lay_out(list_exports(interval_ids=ids), list_sales(interval_ids=ids), {})
    for id_ in _different(layout.moves, moves.only(np.isin(moves.intervals, ids))):
        raise CertificatesDiffer(
            f"interval {id_}: its certificates did not go with its export and its trades"
        )


def _different(wanted: Moves, moves: Moves) -> list[int]:
    """Return the intervals in which moves are not those that are wanted."""
    if is_same(wanted, moves):
        return []
    ids = np.union1d(wanted.intervals, moves.intervals).tolist()
    return [
        id_
        for id_ in ids
        if not is_same(wanted.only(wanted.intervals == id_), moves.only(moves.intervals == id_))
    ]


def _check_accounts(waiting: set[int]) -> None:
    """Compare what members hold in the ledger with their bundles, but for what waits there."""
    holdings = [each for each in list_holdings() if each.account_id not in waiting]
    balances = get_balances(account_ids=[each.account_id for each in holdings if each.account_id])
    for each in holdings:
        posted = balances[each.account_id].posted if each.account_id in balances else 0
        if posted != each.wh:
            raise CertificatesDiffer(
                f"account {each.account_id} of {each.unit} holds {posted} Wh in the ledger and"
                f" {each.wh} Wh in bundles"
            )
