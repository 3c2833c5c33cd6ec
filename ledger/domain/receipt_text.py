"""Write receipts: the tlog-proof of an entry, and in its extra data what the entry commits to.

Format: docs/ledger.md, "Receipts". `ledger.domain.receipts` checks what is written here.
"""

import zlib
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ledger.domain.canonical import canonical_json
from ledger.domain.documents import Document
from ledger.domain.leaves import base64_text, leaf_salt, opened_fields
from ledger.domain.log_proof import LogProof
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from ledger.domain.rows import RowTree, row_salt


@dataclass(frozen=True)
class Place:
    """Where an entry stands, and who says so.

    Parameters
    ----------
    index : int
        Place of the entry in the log.
    hashes : tuple of bytes
        Its path to the root of the checkpoint's tree.
    checkpoint : Note
        The signed and cosigned checkpoint.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: Note

    def receipt(self, extra: Mapping[str, object]) -> str:
        """Return the text of the receipt that shows ``extra`` of the entry here."""
        data = canonical_json(dict(extra))
        return str(LogProof(self.index, self.hashes, self.checkpoint, data))


@dataclass(frozen=True)
class AccountState:
    """An account in the state of a block, with its way to the state root.

    Parameters
    ----------
    account : int
        Its number.
    unit : str
        Its unit.
    limit : int or None
        How far its debits may pass its posted credits. [minor units]
    salt : bytes
        Of its leaf in the state map.
    counters : sequence of int, length 4
        Debits pending, debits posted, credits pending, credits posted. [minor units]
    position : int
        Its place in the map of its unit.
    siblings : sequence of sequence of bytes
        Per level from the leaves, the other fifteen children.
    unit_roots : sequence of (str, bytes)
        The map roots of all units, in order of the units' bytes.
    """

    account: int
    unit: str
    limit: int | None
    salt: bytes
    counters: Sequence[int]
    position: int
    siblings: Sequence[Sequence[bytes]]
    unit_roots: Sequence[tuple[str, bytes]]


def transfer_receipt(place: Place, *, entry: bytes, opening: bytes, seed: bytes) -> str:
    """Return the receipt of a transfer; ``seed`` is that of its block."""
    salt = base64_text(leaf_salt(seed, place.index))
    return place.receipt({"entry": entry.decode(), "opening": opening.decode(), "salt": salt})


def document_receipt(
    place: Place,
    *,
    entry: bytes,
    key: str,
    document: Document,
    names: Sequence[str],
    seed: bytes,
) -> str:
    """Return the receipt of a document that shows some fields; ``key`` is its command's."""
    salt = leaf_salt(seed, place.index)
    return place.receipt(
        {"entry": entry.decode(), "fields": opened_fields(document, names, key=key, salt=salt)}
    )


def row_receipt(
    place: Place,
    *,
    entry: bytes,
    key: str,
    document: Document,
    seed: bytes,
    row: bytes,
    tree: RowTree,
    rows_seed: bytes,
    index: int,
) -> str:
    """Return the receipt of one row of the table that a document stands for.

    Parameters
    ----------
    place : Place
        Of the document's leaf.
    entry : bytes
        The document's leaf.
    key : str
        The document's; shown, since it says what the table is about.
    document : Document
        The document.
    seed : bytes
        The seed of the leaf's block.
    row : bytes
        The row that is shown.
    tree : RowTree
        Of the whole table.
    rows_seed : bytes
        The seed of the table's salts.
    index : int
        Which row it is.
    """
    shown = {
        "index": str(index),
        "path": [base64_text(each) for each in tree.path(index)],
        "row": row.decode(),
        "rows": str(smallest_size(index, tree.size)),
        "salt": base64_text(row_salt(rows_seed, index)),
    }
    salt = leaf_salt(seed, place.index)
    fields = opened_fields(document, ["key"], key=key, salt=salt)
    return place.receipt({"entry": entry.decode(), "fields": fields, "row": shown})


def balance_receipt(place: Place, *, entry: bytes, state: AccountState) -> str:
    """Return the receipt of a balance under the state root of the block leaf ``entry``."""
    balance = {
        "account": str(state.account),
        "counters": [str(each) for each in state.counters],
        "limit": None if state.limit is None else str(state.limit),
        "path": [[base64_text(each) for each in level] for level in state.siblings],
        "position": str(state.position),
        "salt": base64_text(state.salt),
        "unit": state.unit,
        "units": [[unit, base64_text(root)] for unit, root in state.unit_roots],
    }
    return place.receipt({"entry": entry.decode(), "balance": balance})


def smallest_size(index: int, size: int) -> int:
    """Return the size of the smallest tree in which the path of leaf ``index`` has the same form.

    Nothing signs how many rows a table has. Written so, a receipt has one form only, and whoever
    gets a row does not learn how many others there are.
    """
    inner = (index ^ (size - 1)).bit_length()
    return index + 1 if inner == 0 else (index >> inner << inner | 1 << inner - 1) + 1


def with_quorum_only(note: Note, policy: Policy) -> Note:
    """Return a checkpoint with no more signatures than the policy needs.

    A receipt then fits a QR code, and no character of it can change without being noticed: of a
    signature that nobody needs a reader could not tell.
    """
    key_of = {witness.name: witness.key for witness in policy.witnesses.values()}
    kept = set(policy.verify(note).cosigned)
    for name in sorted(kept, reverse=True):
        if policy.is_quorum(frozenset(kept - {name})):
            kept.discard(name)
    keys = {(key.name, key.key_id) for key in (key_of[name] for name in kept)}
    keys |= {(log.key.name, log.key.key_id) for log in policy.logs}
    return Note(note.text, tuple(one for one in note.signatures if (one.name, one.key_id) in keys))


def link_text(receipt: str) -> str:
    """Return a receipt as it stands behind ``#`` in a link: compressed, in URL-safe base64."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(receipt.encode()) + packer.flush()
    return urlsafe_b64encode(packed).rstrip(b"=").decode()
