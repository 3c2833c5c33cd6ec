"""The state of the log that a quorum stands for, to name beside what was made from the book."""

from dataclasses import dataclass
from datetime import datetime

from ledger.models import Checkpoint


@dataclass(frozen=True)
class AttestedCheckpoint:
    """A checkpoint with enough cosignatures: ``root`` is the Merkle root over ``size`` leaves."""

    origin: str
    size: int
    root: bytes
    attested_at: datetime


def find_attested_checkpoint() -> AttestedCheckpoint | None:
    """Return the newest checkpoint that a quorum has cosigned; None before the first."""
    newest = Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size").first()
    if newest is None or newest.attested_at is None:
        return None
    origin = newest.note.partition("\n")[0]
    return AttestedCheckpoint(origin, newest.size, bytes(newest.root), newest.attested_at)
