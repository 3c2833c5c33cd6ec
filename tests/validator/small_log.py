"""A log in memory that can tell the truth and lie, and the requests it sends to a witness."""

from collections.abc import Sequence

from tests.validator import trees
from validator.notes import LOG, Checkpoint, SigningKey, to_base64

ORIGIN = "city.example/log"
LOG_KEY = SigningKey(ORIGIN, LOG, b"l" * 32)
STRANGER = SigningKey(ORIGIN, LOG, b"s" * 32)


def leaves(count: int, *, story: str = "true") -> list[bytes]:
    """Return the first leaves of a log; another story is a fork from the fourth leaf on."""
    return [f"leaf {n}{f' of a {story} log' if n > 2 else ''}".encode() for n in range(count)]


def checkpoint(entries: Sequence[bytes], *, origin: str = ORIGIN) -> Checkpoint:
    return Checkpoint(origin, len(entries), trees.tree_hash(entries))


def signed(head: Checkpoint, *, key: SigningKey = LOG_KEY) -> str:
    return f"{head}\n{key.sign(str(head))}"


def submission(
    old_size: int,
    entries: Sequence[bytes],
    *,
    key: SigningKey = LOG_KEY,
    origin: str = ORIGIN,
    proof: Sequence[bytes] | None = None,
) -> bytes:
    """Return the body of a request that asks to cosign a log of these entries."""
    if proof is None:
        proof = trees.consistency(min(old_size, len(entries)), entries)
    lines = "".join(f"{to_base64(piece)}\n" for piece in proof)
    note = signed(checkpoint(entries, origin=origin), key=key)
    return f"old {old_size}\n{lines}\n{note}".encode()
