"""Why a buyer may dispute a charge, what speaks for it, and when who may act."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Any, Final

# The seller is heard: until they answered, or for so long, nobody decides.
ANSWER_TIME: Final = timedelta(days=3)
TEXT_MAX: Final = 4000
EVIDENCE_BYTES_MAX: Final = 2 * 1024 * 1024
# What stands before a verdict that nobody had to think about; the rest is a code.
BY_MACHINE: Final = "machine:"
KEY_LOST: Final = "key_lost"
CONCEDED: Final = "conceded"


class Reason(StrEnum):
    """What a buyer says went wrong."""

    BAD_CHUNK = "bad_chunk"
    NOT_DELIVERED = "not_delivered"
    WRONG_CONTENT = "wrong_content"
    STALE_FEED = "stale_feed"
    BROKEN_FEED = "broken_feed"
    OTHER = "other"


OF_FILES: Final = (
    Reason.NOT_DELIVERED,
    Reason.WRONG_CONTENT,
    Reason.BAD_CHUNK,
    Reason.OTHER,
)
OF_FEEDS: Final = (
    Reason.STALE_FEED,
    Reason.BROKEN_FEED,
    Reason.NOT_DELIVERED,
    Reason.WRONG_CONTENT,
    Reason.OTHER,
)


class EvidenceKind(StrEnum):
    """What kind of thing speaks for one side; pages have words for each."""

    PROBES = "probes"
    USE = "use"
    DELIVERY = "delivery"
    VERSION = "version"
    CHUNK = "chunk"


@dataclass(frozen=True)
class Evidence:
    """Something measured or logged, as it stood when the dispute was opened.

    Attributes
    ----------
    figures : dict
        Plain JSON values by name.
    sha256 : str
        Of the file or document behind it, where there is one.
    """

    kind: EvidenceKind
    figures: dict[str, Any]
    sha256: str = ""

    def document(self) -> dict[str, Any]:
        """Return it as plain JSON values."""
        return {"kind": self.kind.value, "figures": self.figures, "sha256": self.sha256}


def dispute_key(dispute_id: int) -> str:
    """Return the key of the document that says that a charge is disputed."""
    return f"data-dispute:{dispute_id}"


def verdict_key(dispute_id: int) -> str:
    """Return the key of the document that says how a dispute ended."""
    return f"data-verdict:{dispute_id}"
