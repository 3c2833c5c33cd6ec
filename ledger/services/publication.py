"""One publisher at work: sign, ask witnesses, collect, attest, in rounds that never wait.

Order of publication: the database's commit, tiles, the signature, ``pending``, cosigners,
``checkpoint``. A new checkpoint is signed when the one before is attested or has had its time;
that time doubles while nothing is attested, so that slow cosigners can meet at one checkpoint.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from queue import Empty, SimpleQueue

from ledger.domain.notes import Note
from ledger.domain.policy import Policy
from ledger.errors import HeadBroken, LogBroken, NoteRefused
from ledger.models import Block, Checkpoint, Cosignature, CosignerState, PublisherState
from ledger.services.attestation import attest_checkpoint, cosigned_note, take_cosignatures
from ledger.services.cosigning import Heard, WitnessClient, WitnessThread
from ledger.services.log_folder import CHECKPOINT, PENDING
from ledger.services.publisher import LogPublisher, Signed

# How long a checkpoint is left alone to be attested before the next one is signed. [s]
PATIENCE_SECONDS = (5.0, 60.0)


class Publication:
    """Publishes while it has its turn.

    Parameters
    ----------
    publisher : LogPublisher
        Tiles and signatures.
    policy : callable
        Returns the policy in force.
    holder : str
        Name of this process, for the operator's page.
    say : callable
        Takes a line for the process's log.
    """

    def __init__(
        self,
        *,
        publisher: LogPublisher,
        policy: Callable[[], Policy],
        holder: str,
        say: Callable[[str], None],
    ) -> None:
        self.publisher, self.holder, self._say = publisher, holder, say
        self._read_policy = policy
        self._policy: Policy | None = None
        self._heard: SimpleQueue[Heard] = SimpleQueue()
        self._threads: dict[str, WitnessThread] = {}
        self._problems: dict[str, str] = {}
        self._is_vouched = False
        self._patience = PATIENCE_SECONDS[0]
        self._written: dict[str, tuple[int, int]] = {}

    def open(self, *, now: datetime, rebuild: bool = False) -> None:
        """Begin a turn: mend the files, then ask witnesses about what was signed last.

        Raises
        ------
        HeadBroken
            If what was signed last is not what database and folder hold.
        """
        for path in self.publisher.open(rebuild=rebuild):
            self._say(f"{path} was missing or wrong on disk; written again from the database")
        self.close()
        self._policy = None
        self._use_policy()
        # No signature before a witness has said that it knows no later past than ours.
        self._is_vouched = not self._threads
        PublisherState.objects.filter(id=1).update(
            holder=self.holder, stopped_because="", changed_at=now
        )

    def step(self, *, now: datetime) -> Signed | None:
        """Do what there is to do now; return the checkpoint if one was signed.

        Raises
        ------
        HeadBroken
            If going on would fork the log. Nothing more may be published.
        """
        self._use_policy()
        self._listen(now=now)
        signed = None
        if self._is_vouched:
            self.publisher.prepare_new()
            if self._is_time(now):
                signed = self.publisher.publish_new(now=now)
            if signed is not None:
                self._ask_witnesses(signed)
        self._attest(now=now)
        self._write_heads()
        return signed

    def is_up_to_date(self) -> bool:
        """Tell whether everything that is sealed is published."""
        newest = Block.objects.order_by("-number").values_list("number", flat=True).first()
        return (newest or 0) == self.publisher.last.block

    def stop(self, reason: str, *, now: datetime) -> None:
        """Say for everybody to see why nothing is published any more."""
        PublisherState.objects.filter(id=1).update(
            holder=self.holder, stopped_because=reason, changed_at=now
        )

    def close(self) -> None:
        """End the turn's threads."""
        for thread in self._threads.values():
            thread.end()
        self._threads.clear()

    def _use_policy(self) -> None:
        """Take up the policy, anew when its file has changed."""
        policy = self._read_policy()
        if policy is self._policy:
            return
        if self.publisher.signer.key not in [log.key for log in policy.logs]:
            raise HeadBroken(f"the policy does not name this log's key {self.publisher.signer.key}")
        self._policy = policy
        self._written.clear()
        self.close()
        for witness in policy.witnesses.values():
            if witness.url is not None:
                client = WitnessClient(witness=witness, folder=self.publisher.folder)
                self._threads[witness.name] = WitnessThread(client=client, heard=self._heard)
                self._threads[witness.name].start()
        self._ask_witnesses(self.publisher.last)

    def _ask_witnesses(self, signed: Signed) -> None:
        for thread in self._threads.values():
            thread.ask_for(signed)

    def _is_time(self, now: datetime) -> bool:
        """Tell whether the last checkpoint is attested, or has had its time."""
        last = self.publisher.last
        row = Checkpoint.objects.filter(size=last.size).first()
        if row is None or row.attested_at is not None:
            self._patience = PATIENCE_SECONDS[0]
            return True
        if (now - row.signed_at).total_seconds() < self._patience:
            return False
        self._patience = min(2 * self._patience, PATIENCE_SECONDS[1])
        return True

    def _listen(self, *, now: datetime) -> None:
        with suppress(Empty):
            while True:
                self._hear(self._heard.get_nowait(), now=now)

    def _hear(self, heard: Heard, *, now: datetime) -> None:
        assert self._policy is not None
        if heard.witness not in self._policy.witnesses:
            return  # asked under a policy that is no longer
        if heard.is_fork and heard.size >= self._newest_size():
            raise HeadBroken(
                heard.problem + " (a witness that is wrong: take it out of the policy)"
            )
        problem = heard.problem
        if heard.note is not None:
            try:
                self._take(heard.note, heard, now=now)
            except LogBroken as error:
                problem = f"its answer is ignored: {error}"
            else:
                self._is_vouched = True
        if problem and self._problems.get(heard.witness) != problem:
            self._say(f"witness {heard.witness}: {problem}")
        self._problems[heard.witness] = problem
        CosignerState.objects.update_or_create(
            name=heard.witness, defaults={"asked_at": now, "problem": problem}
        )

    def _take(self, note: Note, heard: Heard, *, now: datetime) -> None:
        assert self._policy is not None
        if heard.size:
            take_cosignatures(note=note, policy=self._policy, among=[heard.witness], now=now)
        elif not note.verified([self._policy.witnesses[heard.witness].key]):
            raise NoteRefused("it signed with another key than the policy's")

    @staticmethod
    def _newest_size() -> int:
        newest = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first()
        return newest or 0

    def _attest(self, *, now: datetime) -> None:
        """Attest the last checkpoint where the policy asks for nobody's cosignature."""
        assert self._policy is not None
        if self.publisher.last.size and self._policy.is_quorum(frozenset()):
            attest_checkpoint(size=self.publisher.last.size, policy=self._policy, now=now)

    def _write_heads(self) -> None:
        """Bring ``pending`` and ``checkpoint`` up to what the database says, whoever signed."""
        assert self._policy is not None
        newest = Checkpoint.objects.order_by("-size").first()
        if newest is not None:
            self._write(PENDING, newest.size, 0, newest.note)
        attested = Checkpoint.objects.filter(attested_at__isnull=False).order_by("-size").first()
        if attested is not None:
            count = Cosignature.objects.filter(checkpoint=attested).count()
            if self._written.get(CHECKPOINT) != (attested.size, count):
                self._write_attested(attested, count)

    def _write_attested(self, attested: Checkpoint, count: int) -> None:
        assert self._policy is not None
        note = cosigned_note(attested, self._policy)
        try:
            is_quorum = self._policy.verify(note).satisfied
        except LogBroken as error:
            raise HeadBroken(
                f"the database holds another checkpoint {attested.size} than was cosigned: {error}"
            ) from error
        if is_quorum:
            self._write(CHECKPOINT, attested.size, count, str(note))
        else:
            # Attested under an older policy: what is served keeps the quorum of its time.
            self._written[CHECKPOINT] = (attested.size, count)

    def _write(self, path: str, size: int, count: int, note: str) -> None:
        if self._written.get(path) == (size, count):
            return
        if self.publisher.folder.read(path) != note.encode():
            self.publisher.folder.write(path, note.encode())
        self._written[path] = (size, count)
