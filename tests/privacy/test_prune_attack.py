"""Who knows all but the amount tries a million of them on what a pruned period left behind."""

import re
import zlib
from base64 import b64decode
from collections.abc import Iterator
from hashlib import sha256

import psycopg
from psycopg import sql

from ledger.domain.commands import fingerprint
from ledger.domain.leaves import base64_text
from ledger.domain.sealing import unpacked_entries
from ledger.models import Block, InboxCommand
from ledger.services.log_state import microseconds
from tests.ledger.bookkeeping import NOW, command
from tests.log.hall import Hall
from tests.privacy.pruned_story import CODE, foreign, tell

GIFT = 123_456  # what Alice gave Bob as transfer 3
CANDIDATES = 1_000_000
_BASE64 = re.compile(rb'"([A-Za-z0-9+/]{43}=)"')


def secrets_left(owner: psycopg.Connection) -> set[bytes]:
    """Return everything of 32 bytes that stands in any table, or in a snapshot."""
    found = set()
    columns = owner.execute(
        "SELECT table_name, column_name FROM information_schema.columns"
        " WHERE table_schema = 'public' AND data_type = 'bytea'"
    ).fetchall()
    for names in columns:
        table, column = map(sql.Identifier, names)
        for (value,) in owner.execute(sql.SQL("SELECT {} FROM {}").format(column, table)):
            if value is not None and len(value) == 32:
                found.add(bytes(value))
    for (content,) in owner.execute("SELECT content FROM ledger_snapshot"):
        found |= {b64decode(text) for text in _BASE64.findall(zlib.decompress(content))}
    return found


def amounts(count: int) -> Iterator[int]:
    """Yield amounts around the right one."""
    return iter(range(max(1, GIFT - count // 2), GIFT + count // 2 + 1))


def confirmed_by_leaves(secrets: set[bytes]) -> list[int]:
    """Return the amounts for which some secret, as seed or as salt, gives a leaf of the log."""
    block = Block.objects.get(number=1)
    public = set(unpacked_entries(bytes(block.entries)))
    gift = InboxCommand.objects.get(key="gifts")
    assert gift.leaf_index is not None
    index = gift.leaf_index + 2  # its second transfer
    time = microseconds(NOW)
    rest = f'","code":"{CODE}","credit":"3","debit":"2","id":"3","kind":"posted","time":"{time}"}}'
    openings = [
        (amount, f'{{"amount":"{amount}{rest}'.encode())
        for amount in amounts(CANDIDATES // len(secrets))
    ]
    committed = {
        b64decode(text)
        for entry in public
        for text in re.findall(rb'"commitment":"([^"]+)"', entry)
    }
    return [
        amount
        for secret in secrets
        for salt in (secret, sha256(secret + index.to_bytes(8, "big")).digest())
        for amount, opening in openings
        if sha256(salt + opening).digest() in committed
    ]


def confirmed_by_fingerprints() -> list[int]:
    """Return the amounts for which the command's body has its fingerprint."""
    kept = bytes(InboxCommand.objects.get(key="gifts").fingerprint)
    body = foreign(command("gifts", (2, 3, 10), (2, 3, GIFT))).body
    before, after = body.split(str(GIFT).encode())
    return [
        amount
        for amount in amounts(CANDIDATES)
        if fingerprint("gifts", before + str(amount).encode() + after) == kept
    ]


def confirmed_by_fields(secrets: set[bytes]) -> bool:
    """Tell whether some secret opens the text of the first day's document."""
    paper = InboxCommand.objects.get(key="paper:1")
    assert paper.leaf_index is not None
    public = bytes(Block.objects.get(number=2).entries)
    for secret in secrets:
        for salt in (secret, sha256(secret + paper.leaf_index.to_bytes(8, "big")).digest()):
            for field in (salt, sha256(salt + b"text").digest()):
                digest = sha256(field + "from Ada to Zoë".encode()).digest()
                if base64_text(digest).encode() in public:
                    return True
    return False


def test_nothing_that_is_left_confirms_anything_of_the_period(hall: Hall) -> None:
    story = tell(hall)
    with psycopg.connect(hall.database.owner_url) as owner:
        before = secrets_left(owner)
    assert confirmed_by_leaves(before) == [GIFT]
    assert confirmed_by_fingerprints() == [GIFT]
    assert confirmed_by_fields(before)

    story.prune_wholly()

    with psycopg.connect(hall.database.owner_url) as owner:
        left = secrets_left(owner)
        assert left
        assert confirmed_by_leaves(left) == []
        assert confirmed_by_fingerprints() == []
        assert not confirmed_by_fields(left)
