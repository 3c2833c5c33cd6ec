"""A small log on paper: entries of every kind, signed and cosigned, and a receipt of each."""

import numpy as np

from ledger.domain.commands import Transfers
from ledger.domain.documents import Document
from ledger.domain.leaves import (
    base64_text,
    block_leaf,
    document_leaf,
    leaf_salt,
    transfer_leaves,
    transfer_openings,
)
from ledger.domain.merkle import Frontier, inclusion_proof, leaf_hash, perfect_root
from ledger.domain.notes import Checkpoint, KeyType, Note, Signer, cosign, sign_note
from ledger.domain.policy import Policy
from ledger.domain.receipt_text import (
    AccountState,
    Place,
    balance_receipt,
    document_receipt,
    row_receipt,
    transfer_receipt,
    with_quorum_only,
)
from ledger.domain.rows import RowTree, row_leaves, rows_root
from ledger.domain.state_map import StateMap

ORIGIN = "paper.example/log"
TIME = 1_782_000_000_000_000
SEED, ROWS_SEED = bytes(range(32)), bytes(range(32, 64))
LOG = Signer.from_seed(ORIGIN, KeyType.LOG, b"log".ljust(32, b"."))
COSIGNERS = {
    name: Signer.from_seed(f"{name}.example", KeyType.COSIGNER, name.encode().ljust(32, b"."))
    for name in ("witness", "ada", "ben", "cem", "dan")
}
POLICY_TEXT = (
    f"log {LOG.key}\n"
    + "".join(f"witness {name} {signer.key}\n" for name, signer in COSIGNERS.items())
    + "group witnesses any witness\n"
    "group validators 3 ada ben cem dan\n"
    "group both all witnesses validators\n"
    "quorum both\n"
)
POLICY = Policy.parse(POLICY_TEXT)
ALONE = Policy.parse(f"log {LOG.key}\nquorum none\n")

TRANSFERS = Transfers(
    debit=np.array([7, 8]),
    credit=np.array([8, 9]),
    amount=np.array([1_250_000, 2_000]),
    code=np.array([1, 4]),
)
ROWS = [b'{"interval":"12"}', b'{"left_out":[]}', b'{"account":"7"}', b'{"account":"8"}']
CONTRACT = Document(
    kind="contract",
    public={"sha256": "ab" * 32},
    private={"buyer": "Zoë 的合同", "seller": "Ada"},
)
ACCOUNTS = np.arange(1, 41)


class _Tree:
    def __init__(self, entries: list[bytes]) -> None:
        self._leaves = [leaf_hash(entry) for entry in entries]

    def read(self, level: int, index: int) -> bytes:
        return perfect_root(self._leaves[index << level : (index + 1) << level])


def state() -> StateMap:
    """Return forty accounts in two units, each with other counters."""
    kept = StateMap(b"p" * 32)
    kept.add(
        ids=ACCOUNTS,
        units=["CNY/6" if number % 4 else "kept" for number in ACCOUNTS.tolist()],
        limits=np.where(ACCOUNTS % 3, -1, 5_000_000),
        salts=[bytes([number]) * 32 for number in ACCOUNTS.tolist()],
        counters=np.stack([ACCOUNTS * 10**k for k in range(4)]),
    )
    return kept


def book() -> Document:
    """Return the document that stands for the rows."""
    public = {"rows": base64_text(rows_root(ROWS, ROWS_SEED))}
    return Document("table", public, {"seed": base64_text(ROWS_SEED)})


def entries() -> list[bytes]:
    """Return 57 leaves of no interest, and five that receipts are about."""
    before = [b'{"commitment":"%d","type":"account"}' % number for number in range(57)]
    openings = transfer_openings(
        TRANSFERS, first_id=31, hold_ids=[0, 0], corrects_ids=[0, 4], time=TIME
    )
    return [
        *before,
        *transfer_leaves(openings, seed=SEED, first_index=57),
        document_leaf(book(), key="book:7:1", salt=leaf_salt(SEED, 59)),
        document_leaf(CONTRACT, key="contract:4", salt=leaf_salt(SEED, 60)),
        block_leaf(block=3, leaves=61, time=TIME, state_root=state().root(), totals=b"t" * 32),
    ]


def checkpoint(names: tuple[str, ...] = tuple(COSIGNERS)) -> Note:
    """Return the signed checkpoint of all entries, cosigned by some."""
    leaves = [leaf_hash(entry) for entry in entries()]
    text = Checkpoint(ORIGIN, len(leaves), Frontier.empty().extended(leaves).root()).text()
    cosigned = [cosign(text, COSIGNERS[name], timestamp=1_782_000_007) for name in names]
    return Note(text, (sign_note(text, LOG), *cosigned))


def place(index: int, note: Note | None = None) -> Place:
    """Return where an entry stands, under a checkpoint with a quorum and no more."""
    everything = entries()
    hashes = inclusion_proof(index, len(everything), _Tree(everything))
    return Place(index, tuple(hashes), note or with_quorum_only(checkpoint(), POLICY))


def account_state(account: int) -> AccountState:
    """Return an account of the state with its path."""
    kept = state()
    path = kept.path(account)
    return AccountState(
        account=account,
        unit=path.unit,
        limit=None if account % 3 else 5_000_000,
        salt=bytes([account]) * 32,
        counters=[account * 10**k for k in range(4)],
        position=path.position,
        siblings=path.siblings,
        unit_roots=kept.unit_roots(),
    )


def row_of(index: int, note: Note | None = None) -> str:
    """Return the receipt of one row."""
    entry = entries()[59]
    return row_receipt(
        place(59, note),
        entry=entry,
        key="book:7:1",
        document=book(),
        seed=SEED,
        row=ROWS[index],
        tree=RowTree(row_leaves(ROWS, ROWS_SEED)),
        rows_seed=ROWS_SEED,
        index=index,
    )


def receipts(note: Note | None = None) -> dict[str, str]:
    """Return a receipt of every kind."""
    everything = entries()
    openings = transfer_openings(
        TRANSFERS, first_id=31, hold_ids=[0, 0], corrects_ids=[0, 4], time=TIME
    )
    return {
        "transfer": transfer_receipt(
            place(58, note), entry=everything[58], opening=openings[1], seed=SEED
        ),
        "document": document_receipt(
            place(60, note),
            entry=everything[60],
            key="contract:4",
            document=CONTRACT,
            names=["buyer"],
            seed=SEED,
        ),
        "row": row_of(2, note),
        "balance": balance_receipt(place(61, note), entry=everything[61], state=account_state(39)),
    }
