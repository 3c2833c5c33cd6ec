"""Receipts: one entry of the log, what it commits to, and who saw it there, for checking offline.

A receipt is a C2SP tlog-proof whose extra data opens the entry. Format: docs/ledger.md, "Receipts".
What a receipt says of itself counts for nothing; `verify` believes only what follows from the
signatures of the reader's own policy.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ledger.domain.canonical import canonical_json
from ledger.domain.leaves import commitment
from ledger.domain.log_proof import LogProof
from ledger.domain.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from ledger.domain.note_text import from_base64, parse_decimal
from ledger.domain.notes import Checkpoint
from ledger.domain.policy import NONE, Policy, Verdict
from ledger.domain.receipt_text import smallest_size
from ledger.domain.rows import committed_leaf
from ledger.domain.state_map import DEPTH_MIN, account_hash, map_root, state_root
from ledger.errors import LogBroken, LogMalformed, ReceiptRefused

MAP_WIDTH = 16
MAP_DEPTH_MAX = 16
COUNTERS = ("debits_pending", "debits_posted", "credits_pending", "credits_posted")

_TRANSFER_NAMES = {"amount", "code", "credit", "debit", "id", "kind", "time"}
_TRANSFER_OPTIONAL = {"corrects", "expires", "hold"}


class ReceiptKind(StrEnum):
    """What a receipt proves."""

    TRANSFER = "transfer"
    DOCUMENT = "document"
    ROW = "row"
    BALANCE = "balance"


class Step(StrEnum):
    """The checks of a receipt, in their order; a refusal names the one that failed."""

    FORM = "form"
    LOG_SIGNATURE = "log_signature"
    COSIGNATURES = "cosignatures"
    PATH = "path"
    ENTRY = "entry"
    CONTENT = "content"


@dataclass(frozen=True)
class Cosigner:
    """Who cosigned, by the policy's name, and when by its own clock. [s since 1970]"""

    name: str
    signed_at: int


@dataclass(frozen=True)
class Verified:
    """What follows from a receipt under a policy.

    Parameters
    ----------
    kind : ReceiptKind
        What it proves.
    origin : str
        The log.
    index, size : int
        Place of the entry, and number of entries of the tree that was signed.
    entry : mapping
        The entry, as everybody can read it in the log.
    opened : mapping
        What the entry commits to: the names of a transfer's opening; of a document's fields that
        are shown, and ``index`` and ``row`` of a row; account, unit, limit and the four
        counters of a balance.
    cosigners : tuple of Cosigner
        Who of the policy cosigned.
    attested : bool
        Whether the policy asked for anybody but the log, and got them.
    """

    kind: ReceiptKind
    origin: str
    index: int
    size: int
    entry: Mapping[str, Any]
    opened: Mapping[str, str]
    cosigners: tuple[Cosigner, ...]
    attested: bool


def verify(text: bytes | str, policy: Policy) -> Verified:
    """Check a receipt without asking anybody.

    Parameters
    ----------
    text : bytes or str
        The receipt, a ``.tlog-proof`` file.
    policy : Policy
        Whom the reader trusts.

    Returns
    -------
    Verified
        What the receipt proves.

    Raises
    ------
    ReceiptRefused
        At the first step that fails, named.
    """
    proof, extra = _parsed(text)
    verdict = _judged(proof, policy)
    checkpoint = Checkpoint.parse(proof.checkpoint.text)
    entry_bytes = extra["entry"].encode()
    try:
        verify_inclusion(
            leaf_hash=leaf_hash(entry_bytes),
            index=proof.index,
            size=checkpoint.size,
            root=checkpoint.root,
            proof=proof.hashes,
        )
    except LogBroken as error:
        raise ReceiptRefused(Step.PATH, str(error)) from error
    entry = _read_canonical(entry_bytes, Step.ENTRY, "the entry")
    kind = _kind(entry, extra)
    open_entry = {
        ReceiptKind.TRANSFER: _open_transfer,
        ReceiptKind.DOCUMENT: _open_fields,
        ReceiptKind.ROW: _open_row,
        ReceiptKind.BALANCE: _open_balance,
    }[kind]
    try:
        opened = open_entry(entry, extra)
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, LogBroken) as error:
        raise ReceiptRefused(Step.CONTENT, f"what is shown is not in its form: {error}") from error
    return Verified(
        kind=kind,
        origin=checkpoint.origin,
        index=proof.index,
        size=checkpoint.size,
        entry=entry,
        opened=opened,
        cosigners=tuple(Cosigner(name, at) for name, at in verdict.timestamps.items()),
        attested=policy.quorum != NONE,
    )


def _parsed(text: bytes | str) -> tuple[LogProof, dict[str, Any]]:
    try:
        proof = LogProof.parse(text)
        Checkpoint.parse(proof.checkpoint.text)
    except LogMalformed as error:
        raise ReceiptRefused(Step.FORM, str(error)) from error
    if proof.extra is None:
        raise ReceiptRefused(Step.FORM, "it does not say what the entry stands for")
    extra = _read_canonical(proof.extra, Step.FORM, "the extra data")
    if not isinstance(extra, dict) or not isinstance(extra.get("entry"), str):
        raise ReceiptRefused(Step.FORM, "the extra data does not hold the entry")
    return proof, extra


def _judged(proof: LogProof, policy: Policy) -> Verdict:
    """Check the signatures: first the log's, so that a refusal says whose does not hold."""
    note = proof.checkpoint
    origin = Checkpoint.parse(note.text).origin
    try:
        signed = note.verified(log.key for log in policy.logs)
    except LogBroken as error:
        raise ReceiptRefused(Step.LOG_SIGNATURE, str(error)) from error
    if not any(key.name == origin for key in signed):
        raise ReceiptRefused(Step.LOG_SIGNATURE, f"no log of the policy signed for {origin!r}")
    try:
        verdict = policy.verify(note)
    except LogBroken as error:
        raise ReceiptRefused(Step.COSIGNATURES, str(error)) from error
    if not verdict.satisfied:
        names = ", ".join(sorted(verdict.cosigned)) or "nobody"
        raise ReceiptRefused(
            Step.COSIGNATURES, f"{names} of the policy cosigned, which is no quorum"
        )
    return verdict


def _kind(entry: Any, extra: dict[str, Any]) -> ReceiptKind:
    """Return what the receipt proves; the names in its extra data and the entry must agree."""
    forms = {
        ("transfer", frozenset({"entry", "opening", "salt"})): ReceiptKind.TRANSFER,
        ("document", frozenset({"entry", "fields"})): ReceiptKind.DOCUMENT,
        ("document", frozenset({"entry", "fields", "row"})): ReceiptKind.ROW,
        ("block", frozenset({"entry", "balance"})): ReceiptKind.BALANCE,
    }
    leaf_type = entry.get("type") if isinstance(entry, dict) else None
    kind = forms.get((str(leaf_type), frozenset(extra)))
    if kind is None:
        raise ReceiptRefused(
            Step.ENTRY, f"an entry of type {leaf_type!r} is not proved by {', '.join(extra)}"
        )
    return kind


def _open_transfer(entry: dict[str, Any], extra: dict[str, Any]) -> dict[str, str]:
    opening = extra["opening"].encode()
    if commitment(_hash(extra["salt"]), opening) != _hash(entry["commitment"]):
        raise ReceiptRefused(Step.CONTENT, "the entry does not commit to this transfer")
    opened = _read_canonical(opening, Step.CONTENT, "the opening")
    _check_texts(opened)
    if not _TRANSFER_NAMES <= set(opened) <= _TRANSFER_NAMES | _TRANSFER_OPTIONAL:
        raise ReceiptRefused(Step.CONTENT, "the opening is not that of a transfer")
    return dict(opened)


def _open_fields(entry: dict[str, Any], extra: dict[str, Any]) -> dict[str, str]:
    opened = {}
    for name, shown in extra["fields"].items():
        if set(shown) != {"salt", "text"}:
            raise ReceiptRefused(Step.CONTENT, f"field {name!r} is not a salt and a text")
        committed = _hash(entry["fields"][name])
        if commitment(_hash(shown["salt"]), shown["text"].encode()) != committed:
            raise ReceiptRefused(Step.CONTENT, f"the entry does not commit to this {name!r}")
        opened[name] = shown["text"]
    return opened


def _open_row(entry: dict[str, Any], extra: dict[str, Any]) -> dict[str, str]:
    shown = extra["row"]
    if set(shown) != {"index", "path", "row", "rows", "salt"}:
        raise ReceiptRefused(Step.CONTENT, "a row has an index, a path, a salt and a table")
    row = shown["row"].encode()
    index, size = parse_decimal(shown["index"]), parse_decimal(shown["rows"])
    if size != smallest_size(index, size):
        raise ReceiptRefused(Step.CONTENT, "the size of the table is not the smallest that fits")
    try:
        verify_inclusion(
            leaf_hash=committed_leaf(row, _hash(shown["salt"])),
            index=index,
            size=size,
            root=_hash(entry["public"]["rows"]),
            proof=[_hash(each) for each in shown["path"]],
        )
    except LogMalformed:
        raise
    except LogBroken as error:
        raise ReceiptRefused(Step.CONTENT, f"the document has no such row: {error}") from error
    _read_canonical(row, Step.CONTENT, "the row")
    return _open_fields(entry, extra) | {"index": shown["index"], "row": shown["row"]}


def _open_balance(entry: dict[str, Any], extra: dict[str, Any]) -> dict[str, str]:
    shown = extra["balance"]
    if set(shown) != {"account", "counters", "limit", "path", "position", "salt", "unit", "units"}:
        raise ReceiptRefused(Step.CONTENT, "a balance has an account and its path")
    counters = [parse_decimal(each) for each in shown["counters"]]
    if len(counters) != len(COUNTERS):
        raise ReceiptRefused(Step.CONTENT, f"an account has {len(COUNTERS)} counters")
    leaf = account_hash(
        account=parse_decimal(shown["account"]),
        limit=None if shown["limit"] is None else parse_decimal(shown["limit"]),
        salt=_hash(shown["salt"]),
        counters=counters,
    )
    siblings = [[_hash(each) for each in level] for level in shown["path"]]
    root = _map_root(leaf, parse_decimal(shown["position"]), siblings)
    roots = [(unit, _hash(text)) for unit, text in shown["units"]]
    if sorted({unit.encode() for unit, _ in roots}) != [unit.encode() for unit, _ in roots]:
        raise ReceiptRefused(Step.CONTENT, "the units are not in their order")
    if (shown["unit"], root) not in roots:
        raise ReceiptRefused(Step.CONTENT, "the account does not lead to the root of its unit")
    if state_root(roots) != _hash(entry["state"]):
        raise ReceiptRefused(Step.CONTENT, "the units do not lead to the block's state root")
    opened = {"account": shown["account"], "unit": shown["unit"]}
    if shown["limit"] is not None:
        opened["limit"] = shown["limit"]
    return opened | dict(zip(COUNTERS, shown["counters"], strict=True))


def _map_root(leaf: bytes, position: int, siblings: list[list[bytes]]) -> bytes:
    """Return the root of a 16-ary map that an account and, level by level, 15 others lead to."""
    depth = len(siblings)
    if not DEPTH_MIN <= depth <= MAP_DEPTH_MAX or position >> 4 * depth:
        raise ReceiptRefused(Step.CONTENT, "the path has a wrong number of levels")
    if any(len(level) != MAP_WIDTH - 1 for level in siblings):
        raise ReceiptRefused(Step.CONTENT, f"a level has {MAP_WIDTH - 1} other children")
    return map_root(leaf, position, siblings)


def _hash(text: str) -> bytes:
    data = from_base64(text)
    if len(data) != HASH_BYTES:
        raise LogMalformed(f"a hash has {HASH_BYTES} bytes")
    return data


def _read_canonical(data: bytes, step: Step, what: str) -> Any:
    """Read canonical JSON of objects, arrays, strings and null."""
    try:
        document = json.loads(data)
        is_canonical = _is_plain(document) and canonical_json(document) == data
    # Lone surrogates cannot be encoded, and brackets nested too deep cannot be read.
    except (ValueError, RecursionError) as error:
        raise ReceiptRefused(step, f"{what} cannot be read: {error}") from error
    if not is_canonical:
        raise ReceiptRefused(step, f"{what} is not canonical JSON")
    return document


def _is_plain(document: Any) -> bool:
    """Tell whether there is nothing but objects, arrays, strings and null."""
    if isinstance(document, dict):
        return all(map(_is_plain, document.values()))
    if isinstance(document, list):
        return all(map(_is_plain, document))
    return document is None or isinstance(document, str)


def _check_texts(opened: Any) -> None:
    if not isinstance(opened, dict) or not all(isinstance(text, str) for text in opened.values()):
        raise ReceiptRefused(Step.CONTENT, "the opening is not made of names and texts")
