"""Where the log stands: what a document of figures names, so that its time can be checked."""

from dataclasses import dataclass

from ledger.models import Block


@dataclass(frozen=True, slots=True)
class LogPoint:
    """The log after a block: its size in leaves and its root as hexadecimal digits."""

    size: int
    root: str


def get_log_point() -> LogPoint | None:
    """Return the log as it is booked now; None before its first block."""
    block = Block.objects.order_by("-number").defer("entries").first()
    return LogPoint(block.log_size, bytes(block.root).hex()) if block else None
