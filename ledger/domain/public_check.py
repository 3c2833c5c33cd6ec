"""Check somebody's log with what everybody can fetch: form, tree, consistency, signatures, quorum.

What this cannot show: that the leaves follow from the rules, which takes their openings.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from ledger.domain.canonical import canonical_json
from ledger.domain.commands import PROTOCOL_VERSION
from ledger.domain.growing_log import GrowingLog, TileFile
from ledger.domain.notes import Checkpoint, Note
from ledger.domain.policy import Policy
from ledger.domain.tiles import TILE_WIDTH, Tile, entries_of
from ledger.errors import LogBroken

_NUMBER = r"0|[1-9][0-9]*"
_HASH = r"[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]="
_ANY = r"(?s:.*)"
# Names and texts of each type of leaf; a name with "?" may be absent.
_FORMS: dict[str, dict[str, str]] = {
    "account": {"commitment": _HASH},
    "command": {"commitment": _HASH, "rules?": r"[0-9a-f]{64}"},
    "transfer": {"commitment": _HASH},
    "totals": {
        "accounts": _NUMBER,
        "month": r"[0-9]{4}-(0[1-9]|1[0-2])",
        "pending": _NUMBER,
        "posted": _NUMBER,
        "unit": r".+",
    },
    "block": {
        "block": _NUMBER,
        "leaves": _NUMBER,
        "state": _HASH,
        "time": _NUMBER,
        "totals": _HASH,
        "version": re.escape(PROTOCOL_VERSION),
    },
}
# Which type of leaf may follow on which; "" is the beginning of a block.
_MAY_FOLLOW = {
    "totals": {"", "totals"},
    "account": {"", "totals", "account"},
    "command": {"", "totals", "account", "command", "transfer", "document"},
    "document": {"", "totals", "account", "command", "transfer", "document"},
    "transfer": {"command", "transfer"},
    "block": {"totals", "account", "command", "transfer", "document"},
}


@dataclass(frozen=True)
class PublicBlock:
    """A block as the public sees it."""

    number: int
    first_leaf: int
    time: int
    entries: list[bytes]


@dataclass
class PublicLog:
    """What was found."""

    attested_size: int = 0
    size: int = 0
    blocks: int = 0
    leaves: dict[str, int] = field(default_factory=dict)
    files: int = 0
    cosigners: list[str] = field(default_factory=list)


def check_public_log(
    *,
    read: Callable[[str], bytes | None],
    policy: Policy,
    on_block: Callable[[PublicBlock], None] | None = None,
) -> PublicLog:
    """Fetch a whole log and check it.

    Parameters
    ----------
    read : callable
        Returns a file of the log by its path below the log's address, None where there is none.
    policy : Policy
        Keys and quorum, from somebody who is trusted.
    on_block : callable, optional
        Is given every block in order, and may raise for what it knows better.

    Raises
    ------
    LogBroken
        The message names the first leaf, file or head that is wrong.
    """
    attested, found = _read_heads(read, policy)
    heads = {each.size: each.root for each in (attested, _pending(read, policy)) if each}
    if attested is not None and heads.get(attested.size) != attested.root:
        raise LogBroken("pending and checkpoint have the same size and different roots: a fork")
    found.size = max(heads, default=0)
    log, walk = GrowingLog.empty(), _Walk(found)
    for entries in _bundles(read, found.size):
        for part in _parts(entries, log.frontier.size, heads):
            for file in log.append(part):
                found.files += _compare(read, file)
            root = heads.get(log.frontier.size)
            if root is not None and log.frontier.root() != root:
                raise LogBroken(
                    f"the entries do not hash to the root signed at {log.frontier.size}"
                )
        for block in walk.take(entries):
            if on_block is not None:
                on_block(block)
    found.files += sum(_compare(read, file) for file in log.partials())
    walk.end()
    return found


def _read_heads(
    read: Callable[[str], bytes | None], policy: Policy
) -> tuple[Checkpoint | None, PublicLog]:
    data = read("checkpoint")
    if data is None:
        return None, PublicLog()
    note = Note.parse(data)
    verdict = policy.verify(note)
    if not verdict.satisfied:
        raise LogBroken("checkpoint: its cosignatures are no quorum of your policy")
    said = Checkpoint.parse(note.text)
    return said, PublicLog(attested_size=said.size, cosigners=sorted(verdict.cosigned))


def _pending(read: Callable[[str], bytes | None], policy: Policy) -> Checkpoint | None:
    data = read("pending")
    if data is None:
        return None
    note = Note.parse(data)
    said = Checkpoint.parse(note.text)
    if not note.verified([log.key for log in policy.logs if log.key.name == said.origin]):
        raise LogBroken("pending: no log of your policy has signed it")
    return said


def _bundles(read: Callable[[str], bytes | None], size: int) -> Iterator[list[bytes]]:
    for index in range(-(-size // TILE_WIDTH)):
        tile = Tile("entries", index, min(TILE_WIDTH, size - index * TILE_WIDTH))
        yield entries_of(_fetch(read, tile), width=tile.width)


def _fetch(read: Callable[[str], bytes | None], tile: Tile) -> bytes:
    data = read(tile.path)
    if data is None:
        raise LogBroken(f"{tile.path} is missing")
    return data


def _parts(entries: list[bytes], at: int, heads: dict[int, bytes]) -> Iterator[list[bytes]]:
    """Cut entries where a head's size falls among them, so that its root can be compared."""
    cuts = sorted(size - at for size in heads if at < size < at + len(entries))
    for begin, end in zip([0, *cuts], [*cuts, len(entries)], strict=True):
        yield entries[begin:end]


def _compare(read: Callable[[str], bytes | None], file: TileFile) -> int:
    if file.tile.level != "entries" and _fetch(read, file.tile) != file.data:
        raise LogBroken(f"{file.tile.path} does not follow from the entries")
    return 1


class _Walk:
    """Reads leaves in order and gathers them into blocks."""

    def __init__(self, found: PublicLog) -> None:
        self._found, self._entries = found, list[bytes]()
        self._before, self._at, self._time = "", 0, 0

    def take(self, entries: list[bytes]) -> Iterator[PublicBlock]:
        for entry in entries:
            leaf = read_leaf(entry, self._at)
            kind = leaf["type"]
            if self._before not in _MAY_FOLLOW[kind]:
                raise LogBroken(
                    f"leaf {self._at}: a {kind} cannot follow a {self._before or 'block'}"
                )
            self._found.leaves[kind] = self._found.leaves.get(kind, 0) + 1
            self._entries.append(entry)
            self._before = kind
            if kind == "block":
                yield self._close(leaf)
            self._at += 1

    def _close(self, leaf: dict[str, str]) -> PublicBlock:
        number, time = int(leaf["block"]), int(leaf["time"])
        for name, is_, says in (
            ("block", number, self._found.blocks + 1),
            ("leaves", int(leaf["leaves"]), len(self._entries) - 1),
        ):
            if is_ != says:
                raise LogBroken(f"leaf {self._at}: {name} is {is_}, it closes {says}")
        if time < self._time:
            raise LogBroken(f"leaf {self._at}: its time is before the block before")
        block = PublicBlock(number, self._at - len(self._entries) + 1, time, self._entries)
        self._found.blocks, self._entries, self._before, self._time = number, [], "", time
        return block

    def end(self) -> None:
        if self._entries:
            raise LogBroken(f"the log ends at leaf {self._at - 1}, which closes no block")


def read_leaf(entry: bytes, index: int) -> dict[str, str]:
    """Return a leaf's names and texts, if it has exactly the form of its type.

    Raises
    ------
    LogBroken
        The message names the leaf by its index.
    """
    try:
        leaf = json.loads(entry)
        if canonical_json(leaf) != entry:
            raise ValueError("it is not canonical")
        if leaf["type"] == "document":
            _check_document(leaf)
            return {"type": "document"}
        form = _FORMS[leaf["type"]]
        needed = {name for name in form if not name.endswith("?")} | {"type"}
        allowed = needed | {name.removesuffix("?") for name in form}
        if not needed <= leaf.keys() <= allowed:
            raise ValueError("its names are not those of its type")
        for name, text in leaf.items():
            pattern = form.get(name, form.get(f"{name}?", _ANY))
            if not isinstance(text, str) or not re.fullmatch(pattern, text):
                raise ValueError(f"{name} is not in form")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise LogBroken(f"leaf {index}: {error}") from error
    return {name: str(text) for name, text in leaf.items()}


def _check_document(leaf: dict[str, object]) -> None:
    fields, public = leaf["fields"], leaf["public"]
    if leaf.keys() != {"fields", "kind", "public", "type"}:
        raise ValueError("its names are not those of a document")
    if not isinstance(fields, dict) or "key" not in fields or not isinstance(public, dict):
        raise ValueError("a document has fields, among them key, and public texts")
    if not all(isinstance(each, str) and re.fullmatch(_HASH, each) for each in fields.values()):
        raise ValueError("a field is no commitment")
    if not all(isinstance(each, str) for each in public.values()):
        raise ValueError("a public text is none")
