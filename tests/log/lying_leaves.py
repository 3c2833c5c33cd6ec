"""The leaves of a block as drafts, between judging and sealing, where a liar can change them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from ledger.domain.canonical import canonical_json
from ledger.domain.documents import Document
from ledger.domain.judge import Book
from ledger.domain.leaves import (
    account_leaf,
    account_opening,
    base64_text,
    command_leaf,
    command_opening,
    commitment,
    document_leaf,
    leaf_salt,
    totals_opening,
    transfer_leaves,
    transfer_openings,
)
from ledger.domain.merkle import leaf_hash
from ledger.domain.rule_core import Answer, OpenedAccount
from ledger.domain.sealing import LogState, Sealed, month_totals, seal


@dataclass
class Leaf:
    """One leaf: what it commits to, what is told of it, and what it shows in clear."""

    kind: str
    opening: bytes = b""
    told: bytes | None = None
    key: str = ""
    rules: str | None = None
    document: Document | None = None
    raw: bytes | None = None

    def entry(self, seed: bytes, index: int) -> bytes:
        """Return the leaf as the log has it at an index."""
        salt = leaf_salt(seed, index)
        if self.raw is not None:
            return self.raw
        if self.kind == "account":
            return account_leaf(commitment(salt, self.opening))
        if self.kind == "command":
            return command_leaf(commitment(salt, self.opening), rules=self.rules)
        if self.kind == "transfer":
            return transfer_leaves([self.opening], seed=seed, first_index=index)[0]
        assert self.document is not None
        return document_leaf(self.document, key=self.key, salt=salt)

    def replace(self, old: str, new: str) -> None:
        """Commit to another opening."""
        assert old.encode() in self.opening, self.opening
        self.opening = self.opening.replace(old.encode(), new.encode(), 1)

    def tell(self, old: str, new: str) -> None:
        """Tell another opening than the one committed to."""
        assert old.encode() in self.opening, self.opening
        self.told = self.opening.replace(old.encode(), new.encode(), 1)


@dataclass
class Draft:
    """A block that was judged and is not sealed yet."""

    number: int
    first: int
    time: int
    seed: bytes
    padding: bytes
    totals: bytes
    leaves: list[Leaf]
    closing: dict[str, str] = field(default_factory=dict)
    is_changed: bool = False

    def find(self, key: str) -> int:
        """Return the place of a command's or document's leaf."""
        return next(at for at, leaf in enumerate(self.leaves) if leaf.key == key)

    def legs(self, key: str) -> slice:
        """Return the places of a command's transfers."""
        first = last = self.find(key) + 1
        while last < len(self.leaves) and self.leaves[last].kind == "transfer":
            last += 1
        return slice(first, last)

    def count(self) -> None:
        """Count the leaves again."""
        self.closing["leaves"] = str(len(self.leaves))

    def entries(self) -> list[bytes]:
        """Return every leaf, the closing one at the end."""
        found = [leaf.entry(self.seed, self.first + at) for at, leaf in enumerate(self.leaves)]
        salt = leaf_salt(self.seed, self.first + len(found))
        totals = base64_text(commitment(salt, self.totals))
        return [*found, canonical_json({**self.closing, "totals": totals})]

    def openings(self) -> bytes:
        """Return what validators are told of this block."""
        head = {
            "block": self.closing["block"],
            "first": str(self.first),
            "padding": base64_text(self.padding),
            "seed": base64_text(self.seed),
        }
        told = [
            leaf.opening if leaf.told is None else leaf.told
            for leaf in self.leaves
            if leaf.kind in ("account", "command", "document")
        ]
        return b"".join(line + b"\n" for line in (canonical_json(head), *told))


def lying_seal(
    change: Callable[[Draft], None], drafts: list[Draft], *, padding: bytes
) -> Callable[..., Sealed]:
    """Return what seals a block after ``change`` had its way with the leaves."""

    def lying(
        log: LogState,
        *,
        time: int,
        seed: bytes,
        opened: Sequence[OpenedAccount],
        answers: Sequence[Answer],
        book: Book,
    ) -> Sealed:
        frontier, totals = log.frontier, month_totals(log, time)
        honest = seal(log, time=time, seed=seed, opened=opened, answers=answers, book=book)
        leaves = [Leaf("totals", raw=raw) for raw in totals]
        leaves += [_account(each) for each in opened]
        for answer in answers:
            leaves += _answer(answer, time)
        draft = Draft(
            log.block,
            honest.first_leaf,
            time,
            seed,
            padding,
            totals_opening(log.accounts.totals()),
            leaves,
        )
        draft.closing = {
            "block": str(log.block),
            "leaves": str(len(leaves)),
            "state": base64_text(honest.state_root),
            "time": str(time),
            "type": "block",
            "version": "1",
        }
        drafts.append(draft)
        # Without a lie it is the hall's own block, byte for byte.
        assert draft.entries() == honest.entries
        change(draft)
        entries = draft.entries()
        draft.is_changed = entries != honest.entries or any(leaf.told for leaf in draft.leaves)
        log.frontier = frontier.extended([leaf_hash(entry) for entry in entries])
        return replace(honest, entries=entries, frontier=log.frontier, root=log.frontier.root())

    return lying


def _account(opened: OpenedAccount) -> Leaf:
    opening = account_opening(
        account=opened.account, unit=opened.unit, limit=opened.limit, salt=opened.salt
    )
    return Leaf("account", opening)


def _answer(answer: Answer, time: int) -> list[Leaf]:
    asked, said = answer.asked, answer.asked.said
    opening = command_opening(key=asked.key, answer=answer.code, body=asked.body)
    if isinstance(said, Document):
        return [Leaf("document", opening, key=asked.key, document=said)]
    leaf = Leaf("command", opening, key=asked.key, rules=said.rules if said else None)
    if answer.posting is None:
        return [leaf]
    openings = transfer_openings(
        answer.posting.transfers,
        first_id=answer.first_id,
        hold_ids=answer.hold_ids.tolist(),
        corrects_ids=answer.corrects_ids.tolist(),
        time=time,
    )
    return [leaf, *(Leaf("transfer", each) for each in openings)]
