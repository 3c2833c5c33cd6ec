"""The document that makes everybody forget: which transfers nothing may refer to any more.

Rule: docs/ledger.md, "Rules", document.
"""

import re
from dataclasses import dataclass

from ledger.domain.documents import Document

KIND = "pruned"
_INTEGER = re.compile(r"0|[1-9][0-9]{0,18}")
_INTEGER_MAX = 2**63 - 1


@dataclass(frozen=True)
class Pruned:
    """A period that ends with a block, and its last transfer (0 when it has none)."""

    block: int
    transfer_id: int

    @property
    def key(self) -> str:
        """The document's key."""
        return f"pruned:{self.block}"

    @property
    def document(self) -> Document:
        """What is logged."""
        return Document(KIND, {"block": str(self.block), "transfer": str(self.transfer_id)})


def read_pruned(document: Document, *, next_transfer_id: int) -> Pruned | None:
    """Return what a document prunes; None for one of another kind, or that says it otherwise.

    Parameters
    ----------
    document : Document
        Any document.
    next_transfer_id : int
        Where the book stands: nothing that is not booked yet can be forgotten.
    """
    if document.kind != KIND or document.public.keys() != {"block", "transfer"}:
        return None
    texts = document.public["block"], document.public["transfer"]
    if not all(_INTEGER.fullmatch(text) for text in texts):
        return None
    block, transfer_id = map(int, texts)
    if not 1 <= block <= _INTEGER_MAX or transfer_id >= next_transfer_id:
        return None
    return Pruned(block, transfer_id)
