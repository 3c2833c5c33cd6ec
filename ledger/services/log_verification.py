"""Compare what was published with what the blocks say: checkpoints, cosignatures, tiles, heads."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ledger.domain.growing_log import GrowingLog, TileFile, entries_in
from ledger.domain.notes import Checkpoint as CheckpointText
from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from ledger.errors import BookBroken, LogBroken
from ledger.models import Block, Checkpoint, Cosignature
from ledger.services.attestation import cosigned_note
from ledger.services.log_folder import CHECKPOINT, PENDING, LogFolder


@dataclass(frozen=True)
class VerifiedLog:
    """What was found to be as the blocks say."""

    leaves: int
    checkpoints: int
    attested: int
    cosignatures: int
    files: int


def verify_log(
    *,
    folder: LogFolder,
    policy: Policy,
    on_block: Callable[[int, int], None] | None = None,
) -> VerifiedLog:
    """Grow the log again from the blocks' leaves and compare everything that was made of it.

    Parameters
    ----------
    folder : LogFolder
        Where tiles, bundles and heads are.
    policy : Policy
        Keys of the log and of its cosigners, and the quorum.
    on_block : callable, optional
        Called with (block, last block that a checkpoint covers) after each.

    Raises
    ------
    BookBroken
        The message names the first checkpoint, cosignature or file that differs.
    """
    checkpoints = {each.block_id: each for each in Checkpoint.objects.iterator()}
    last = max(checkpoints, default=0)
    log = GrowingLog.empty()
    files = cosignatures = 0
    for number in range(1, last + 1):
        # One at a time: the leaves of a block may be megabytes.
        for file in log.append(entries_in(bytes(Block.objects.get(number=number).entries))):
            files += _compare_file(folder, file)
        if number in checkpoints:
            cosignatures += _check_checkpoint(checkpoints[number], log, policy)
        if on_block is not None:
            on_block(number, last)
    check_newest_attested(policy=policy)
    if last:
        files += sum(_compare_file(folder, file) for file in log.partials())
        files += _check_heads(folder, policy, checkpoints[last])
    attested = sum(1 for each in checkpoints.values() if each.attested_at is not None)
    return VerifiedLog(log.frontier.size, len(checkpoints), attested, cosignatures, files)


def _compare_file(folder: LogFolder, file: TileFile) -> int:
    try:
        data = folder.read_tile(file.tile)
    except LogBroken as error:
        raise BookBroken(f"the log's files: {error}; publish_log --rebuild makes it") from error
    if data != file.data:
        at = next(_differences(data, file.data))
        raise BookBroken(
            f"{file.tile.path} differs from the book at byte {at};"
            " publish_log --rebuild writes it anew"
        )
    return 1


def _differences(one: bytes, other: bytes) -> Iterator[int]:
    yield from (at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
    yield min(len(one), len(other))


def _check_checkpoint(checkpoint: Checkpoint, log: GrowingLog, policy: Policy) -> int:
    name = f"checkpoint {checkpoint.size}"
    root = log.frontier.root()
    if (checkpoint.size, bytes(checkpoint.root)) != (log.frontier.size, root):
        raise BookBroken(f"{name}: its size or root is not that of block {checkpoint.block_id}")
    note = _read_note(name, checkpoint.note, policy)
    if (note.size, note.root) != (checkpoint.size, root):
        raise BookBroken(f"{name}: what was signed is another size or root")
    names = set(Cosignature.objects.filter(checkpoint=checkpoint).values_list("name", flat=True))
    try:
        verdict = policy.verify(cosigned_note(checkpoint, policy))
    except LogBroken as error:
        raise BookBroken(f"{name}: {error}") from error
    # Who has left the policy since cannot be checked any more, and counts for nothing.
    if missing := sorted((names & policy.witnesses.keys()) - verdict.cosigned):
        raise BookBroken(f"{name}: the cosignature of {missing[0]} is not theirs")
    return len(names)


def check_newest_attested(*, policy: Policy) -> None:
    """Check that what is marked as attested is: receipts, pages and pruning go by the mark.

    Of the newest alone: it contains the others, whose cosigners may have left the policy since.

    Raises
    ------
    BookBroken
        If its cosignatures are no quorum of the policy.
    """
    newest = Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size").first()
    if newest is None:
        return
    try:
        is_quorum = policy.verify(cosigned_note(newest, policy)).satisfied
    except LogBroken as error:
        raise BookBroken(f"checkpoint {newest.size}: {error}") from error
    if not is_quorum:
        raise BookBroken(
            f"checkpoint {newest.size}: marked as attested, but its cosignatures are no quorum"
            " of the policy"
        )


def _read_note(name: str, text: str, policy: Policy) -> CheckpointText:
    """Return what a note says, once the log's signature under it was checked."""
    try:
        note = Note.parse(text)
        said = CheckpointText.parse(note.text)
        if not note.verified([log.key for log in policy.logs if log.key.name == said.origin]):
            raise BookBroken(f"{name}: the log has not signed it")
    except LogBroken as error:
        raise BookBroken(f"{name}: {error}") from error
    return said


def _check_heads(folder: LogFolder, policy: Policy, newest: Checkpoint) -> int:
    """Check ``pending`` and ``checkpoint``; a publisher at work may be ahead of what we read."""
    for path in (PENDING, CHECKPOINT):
        data = folder.read(path)
        if data is None:
            if path == PENDING:
                raise BookBroken("pending is missing; publish_log writes it")
            continue
        text = data.decode(errors="replace")
        said = _read_note(path, text, policy)
        row = Checkpoint.objects.filter(size=said.size).first()
        if row is None and said.size <= newest.size:
            raise BookBroken(f"{path}: the log was never signed at {said.size} leaves")
        if row is not None and bytes(row.root) != said.root:
            raise BookBroken(f"{path}: another root was signed for {said.size} leaves")
        if path == CHECKPOINT and not _is_attested(text, policy):
            raise BookBroken(f"{path}: its cosignatures are no quorum of the policy")
    return 2


def _is_attested(text: str, policy: Policy) -> bool:
    try:
        return policy.verify(Note.parse(text)).satisfied
    except LogBroken:
        return False
