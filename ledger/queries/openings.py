"""What validators alone may read: the openings of blocks, and snapshots of what was pruned."""

import zlib
from collections.abc import Iterator

from ledger.domain.canonical import canonical_json
from ledger.domain.leaves import account_opening, base64_text, command_opening
from ledger.models import Account, Block, BlockSeed, Head, InboxCommand, Snapshot

_OPENINGS_AT_ONCE = 1_000
_PACKED_AT_ONCE = 64 * 1024


def iterate_openings(*, block: int) -> Iterator[bytes] | None:
    """Return the openings of a block line by line, None where there is no such block or no more.

    Format: docs/ledger.md. Nothing of it may reach anybody but validators.
    """
    found = Block.objects.defer("entries").filter(number=block).first()
    seed = BlockSeed.objects.filter(block_id=block).values_list("seed", flat=True).first()
    if found is None or seed is None:
        return None
    padding = bytes(Head.objects.values_list("padding", flat=True).get())
    head = {
        "block": str(block),
        "first": str(found.first_leaf),
        "padding": base64_text(padding),
        "seed": base64_text(bytes(seed)),
    }
    return _openings(canonical_json(head), found)


def _openings(head: bytes, block: Block) -> Iterator[bytes]:
    yield head + b"\n"
    opened = Account.objects.filter(
        leaf_index__gte=block.first_leaf, leaf_index__lt=block.log_size
    ).order_by("leaf_index")
    for account in opened.iterator(chunk_size=5_000):
        opening = account_opening(
            account=account.id,
            unit=account.unit,
            limit=account.overdraft_limit,
            salt=bytes(account.salt),
        )
        yield opening + b"\n"
    # In pieces: a server-side cursor would need a transaction that lasts as long as the reader.
    for first in range(0, block.command_count, _OPENINGS_AT_ONCE):
        commands = InboxCommand.objects.filter(
            block=block, position__gte=first, position__lt=first + _OPENINGS_AT_ONCE
        ).order_by("position")
        for key, refusal, body in commands.values_list("key", "refusal", "body"):
            yield command_opening(key=key, answer=refusal or "booked", body=bytes(body)) + b"\n"


def iterate_snapshot() -> Iterator[bytes] | None:
    """Return the newest snapshot in pieces, None when nothing was pruned.

    Format: docs/ledger.md. Nothing of it may reach anybody but validators.
    """
    content = Snapshot.objects.order_by("-block").values_list("content", flat=True).first()
    return None if content is None else _unpacked(bytes(content))


def _unpacked(content: bytes) -> Iterator[bytes]:
    unpacking = zlib.decompressobj()
    for at in range(0, len(content), _PACKED_AT_ONCE):
        yield unpacking.decompress(content[at : at + _PACKED_AT_ONCE])
    yield unpacking.flush()
