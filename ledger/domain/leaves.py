"""The log's entries: leaves, what they open to, and the commitments between the two.

Format: docs/ledger.md. Everything is canonical JSON; it is put together by hand where there are
thousands, since nothing in it needs JSON's escapes.
"""

from base64 import b64encode
from binascii import b2a_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from ledger.domain.canonical import canonical_json, text_json
from ledger.domain.commands import PROTOCOL_VERSION, TransferKind, Transfers
from ledger.domain.documents import Document

_KIND_NAMES = {int(kind): kind.name.lower() for kind in TransferKind}


def leaf_salt(seed: bytes, index: int) -> bytes:
    """Return the 32-byte salt of the leaf with an index, from its block's seed."""
    return sha256(seed + index.to_bytes(8, "big")).digest()


def commitment(salt: bytes, opening: bytes) -> bytes:
    """Return what a leaf says of its opening to who does not have the salt: nothing."""
    return sha256(salt + opening).digest()


def field_salt(salt: bytes, name: str) -> bytes:
    """Return the salt of one private field of a document, from its leaf's salt."""
    return sha256(salt + name.encode()).digest()


def base64_text(data: bytes) -> str:
    """Return bytes in base64, padded."""
    return b64encode(data).decode()


def account_leaf(committed: bytes) -> bytes:
    """Return the leaf that opens an account."""
    return f'{{"commitment":"{base64_text(committed)}","type":"account"}}'.encode()


def account_opening(*, account: int, unit: str, limit: int | None, salt: bytes) -> bytes:
    """Return what an account's leaf commits to."""
    return canonical_json(
        {
            "account": str(account),
            "limit": None if limit is None else str(limit),
            "salt": base64_text(salt),
            "unit": unit,
        }
    )


def command_leaf(committed: bytes, *, rules: str | None) -> bytes:
    """Return the leaf of a command's answer."""
    named = f',"rules":"{rules}"' if rules else ""
    return f'{{"commitment":"{base64_text(committed)}"{named},"type":"command"}}'.encode()


def command_opening(*, key: str, answer: str, body: bytes) -> bytes:
    """Return what a command's leaf commits to; a body that cannot be read stands in base64."""
    written = text_json(base64_text(body)).encode() if answer == "not_canonical" else body
    return b'{"answer":"%b","body":%b,"key":"%b"}' % (answer.encode(), written, key.encode())


def private_fields(document: Document, *, key: str) -> dict[str, str]:
    """Return what a document's leaf commits to field by field; its command's key is one of them."""
    return {**document.private, "key": key}


def document_leaf(document: Document, *, key: str, salt: bytes) -> bytes:
    """Return the leaf of a document: its public fields, and a commitment for each private one."""
    return canonical_json(
        {
            "fields": {
                name: base64_text(commitment(field_salt(salt, name), text.encode()))
                for name, text in private_fields(document, key=key).items()
            },
            "kind": document.kind,
            "public": dict(document.public),
            "type": "document",
        }
    )


@dataclass(frozen=True)
class UnitTotals:
    """Sums over all accounts of a unit. [minor units]"""

    unit: str
    accounts: int
    debits_pending: int
    debits_posted: int
    credits_pending: int
    credits_posted: int


def totals_opening(totals: Sequence[UnitTotals]) -> bytes:
    """Return what a block's leaf commits to as its totals, units in order of their bytes."""
    units = [
        {
            "accounts": str(each.accounts),
            "credits_pending": str(each.credits_pending),
            "credits_posted": str(each.credits_posted),
            "debits_pending": str(each.debits_pending),
            "debits_posted": str(each.debits_posted),
            "unit": each.unit,
        }
        for each in sorted(totals, key=lambda each: each.unit.encode())
    ]
    return canonical_json({"units": units})


def totals_leaf(*, month: str, unit: str, accounts: int, posted: int, pending: int) -> bytes:
    """Return the public totals of a unit at the end of a month. [minor units]"""
    return canonical_json(
        {
            "accounts": str(accounts),
            "month": month,
            "pending": str(pending),
            "posted": str(posted),
            "type": "totals",
            "unit": unit,
        }
    )


def block_leaf(*, block: int, leaves: int, time: int, state_root: bytes, totals: bytes) -> bytes:
    """Return the leaf that closes a block.

    Parameters
    ----------
    block : int
        Its number, from 1.
    leaves : int
        How many leaves of the block stand before this one.
    time : int
        [microseconds since 1970, UTC]
    state_root : bytes
        Root of the state after the block.
    totals : bytes
        Commitment to the totals.
    """
    return canonical_json(
        {
            "block": str(block),
            "leaves": str(leaves),
            "state": base64_text(state_root),
            "time": str(time),
            "totals": base64_text(totals),
            "type": "block",
            "version": PROTOCOL_VERSION,
        }
    )


def transfer_openings(
    transfers: Transfers,
    *,
    first_id: int,
    hold_ids: Sequence[int],
    corrects_ids: Sequence[int],
    time: int,
) -> list[bytes]:
    """Return what the leaves of a command's transfers commit to, in order of the legs.

    Parameters
    ----------
    transfers : Transfers
        Columns of n transfers.
    first_id : int
        Id of the first of them; the others follow.
    hold_ids, corrects_ids : sequence of int, length n
        The transfers that each refers to, 0 for none.
    time : int
        The block's. [microseconds since 1970, UTC]
    """
    n = len(transfers)
    expires = [0] * n if transfers.expires is None else transfers.expires.tolist()
    ids = range(first_id, first_id + n)
    columns = (transfers.amount, transfers.code, transfers.credit, transfers.debit, transfers.kinds)
    end = f',"time":"{time}"}}'
    openings = []
    for amount, code, credit, debit, kind, hold, corrects, expiry, id_ in zip(
        *(column.tolist() for column in columns), hold_ids, corrects_ids, expires, ids, strict=True
    ):
        openings.append(
            f'{{"amount":"{amount}","code":"{code}",'
            + (f'"corrects":"{corrects}",' if corrects else "")
            + f'"credit":"{credit}","debit":"{debit}",'
            + (f'"expires":"{expiry}",' if expiry else "")
            + (f'"hold":"{hold}",' if hold else "")
            + f'"id":"{id_}","kind":"{_KIND_NAMES[kind]}"{end}'
        )
    return [opening.encode() for opening in openings]


def transfer_leaves(openings: Sequence[bytes], *, seed: bytes, first_index: int) -> list[bytes]:
    """Return the leaves of consecutive transfers, the first one at ``first_index`` of the log."""
    return [
        b'{"commitment":"%b","type":"transfer"}'
        % b2a_base64(
            sha256(sha256(seed + index.to_bytes(8, "big")).digest() + opening).digest(),
            newline=False,
        )
        for index, opening in enumerate(openings, start=first_index)
    ]


def opened_fields(
    document: Document, names: Sequence[str], *, key: str, salt: bytes
) -> Mapping[str, object]:
    """Return some fields of a document as a receipt shows them, from its leaf's salt."""
    fields = private_fields(document, key=key)
    return {
        name: {"salt": base64_text(field_salt(salt, name)), "text": fields[name]} for name in names
    }
