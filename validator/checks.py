"""What a validator looks for, by the code its objection carries.

Every refusal goes through :class:`Objected` with a code of this table, so that a lie can be
matched with the check that catches it, and an operator reads what to look at.
"""

from __future__ import annotations

from typing import Final

from validator.errors import ValidatorError

CHECKS: Final[dict[str, str]] = {
    "fork": "the log does not extend what it signed before",
    "tile": "the bytes that are served do not hash to the checkpoint",
    "not_canonical": "a leaf or an opening is not the one canonical writing of its value",
    "leaf_type": "a leaf is of no type that there is",
    "leaf_order": "a leaf stands where none of its type may stand",
    "commitment": "an opening is not what its leaf commits to, or is missing",
    "account": "an account's number, unit, limit or salt cannot be",
    "key_reused": "a command's key was used before",
    "answer": "a command was answered otherwise than the rules say",
    "transfer": "a transfer is not the one its command books",
    "transfer_missing": "a booked command has fewer transfers than legs",
    "transfer_invented": "a transfer follows no leg of a booked command",
    "document": "a document's leaf is not what it was opened as, or is named before it is logged",
    "rules": "a command's leaf names other rules than its body",
    "block_number": "blocks are not counted without a gap",
    "leaf_count": "a block has another number of leaves than it says",
    "time": "a block's time is before that of the block before",
    "version": "a block follows a version of the protocol that this program does not know",
    "state_root": "re-execution leads to another state",
    "totals": "the sums over a unit's accounts are others",
    "rule_set": "a rule set is not the one its hash names, has no such form, or is not logged",
    "terms": "signed terms are not what the log says, what their key signed, or the next ones",
    "agreement": "an agreement is not what the log says, or what both its parties signed",
    "rows": "a book's rows are not those its document commits to, or have no such form",
    "book": "a book contradicts itself, its key, or another interval's book",
    "revision": "a book does not follow the revision before it",
    "prices": "a book's prices do not follow from its rule set",
    "matches": "what agreements moved is not what those in force give",
    "hold": "an order's margin was not held before the gate closed",
    "order": "an order stands in a book where none may stand, or without its limit",
    "auction": "price or fills are not what the auction gives",
    "limit": "an order is not one that the signed terms in force allow",
    "settlement": "the money of a book is not what follows from it",
    "settlement_missing": "a book was revised before its money was booked",
    "code": "a transfer pretends to be of a settlement",
}


class Objected(ValidatorError):
    """A leaf cannot stand: what a signed objection says of it.

    Parameters
    ----------
    leaf : int
        Index of the leaf in the log.
    code : str
        One of :data:`CHECKS`.
    explanation : str
        One line without anybody's data.
    """

    def __init__(self, leaf: int, code: str, explanation: str) -> None:
        assert code in CHECKS, code
        assert "\n" not in explanation, explanation
        super().__init__(f"leaf {leaf}: {code}: {explanation}")
        self.leaf = leaf
        self.code = code
        self.explanation = explanation
