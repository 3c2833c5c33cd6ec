"""A signed objection: which leaf cannot stand, under which checkpoint, and why.

References
----------
docs/ledger.md, "Objections".
"""

from __future__ import annotations

from validator.checks import Objected
from validator.notes import LOG, Checkpoint, Note, SigningKey, to_base64

TITLE = "heliopolis objection v1"


def signed_objection(objected: Objected, checkpoint: Checkpoint, key: SigningKey) -> bytes:
    """Return an objection as a note that the validator's key has signed.

    Parameters
    ----------
    objected : Objected
        What is wrong with which leaf.
    checkpoint : Checkpoint
        The checkpoint that was followed: who signed it has signed the leaf.
    key : SigningKey
        The validator's cosigning key. Here it signs a plain note (type 0x01), whose text no
        checkpoint can have.
    """
    text = "".join(
        line + "\n"
        for line in (
            TITLE,
            checkpoint.origin,
            str(checkpoint.size),
            to_base64(checkpoint.root),
            str(objected.leaf),
            objected.code,
            objected.explanation,
        )
    )
    return str(Note(text, (SigningKey(key.name, LOG, key.seed).sign(text),))).encode()
