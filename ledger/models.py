"""The ledger's tables. Triggers and privileges (migration 0002) make history append-only.

Sign convention, once: a transfer moves a positive amount from its debit account to its credit
account. An account's balance is what it received less what it gave:
``credits_posted - debits_posted``.
"""

from django.db import models
from django.db.models import F, Q

from ledger.domain.commands import AMOUNT_MAX


class Head(models.Model):
    """The one row that says how far the book is written, and by whom. Key to the fence."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    epoch = models.BigIntegerField(default=0, help_text="Counts writers; a stale one is refused.")
    holder = models.TextField(default="", help_text="Name of the writing worker.")
    lease_until = models.DateTimeField(null=True, help_text="A successor may take over after it.")
    session_pid = models.IntegerField(null=True, help_text="The writer's database session.")
    session_started_at = models.DateTimeField(
        null=True, help_text="With the pid, names that session for ever."
    )
    last_block = models.BigIntegerField(default=0)
    last_transfer_id = models.BigIntegerField(default=0)
    pruned_transfer_id = models.BigIntegerField(
        default=0, help_text="Transfers up to it can be referred to no more, but for open holds."
    )
    padding = models.BinaryField(
        max_length=32, editable=False, help_text="Secret that the state map is padded with."
    )

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="head_is_one_row")]

    def __str__(self) -> str:
        return f"block {self.last_block}, epoch {self.epoch}"


class Account(models.Model):
    """Claims of one holder in one unit, as four counters that only transfers change."""

    path = models.TextField(unique=True, help_text="Name chosen by the application, for ever.")
    unit = models.TextField(help_text="Minor unit of the amounts, e.g. CNY/6.")
    overdraft_limit = models.BigIntegerField(
        null=True, help_text="How far debits may pass posted credits; NULL: no limit."
    )
    salt = models.BinaryField(
        max_length=32, editable=False, help_text="Of its leaf in the state map; random, for life."
    )
    leaf_index = models.BigIntegerField(
        null=True, help_text="Where the log opens it; NULL until its first block."
    )
    debits_pending = models.BigIntegerField(default=0, db_default=0)
    debits_posted = models.BigIntegerField(default=0, db_default=0)
    credits_pending = models.BigIntegerField(default=0, db_default=0)
    credits_posted = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    debits_pending__gte=0,
                    debits_posted__gte=0,
                    credits_pending__gte=0,
                    credits_posted__gte=0,
                ),
                name="account_counters_not_negative",
            ),
            models.CheckConstraint(
                condition=Q(overdraft_limit__isnull=True)
                | Q(
                    debits_pending__lte=F("overdraft_limit")
                    + F("credits_posted")
                    - F("debits_posted")
                ),
                name="account_within_overdraft_limit",
            ),
            models.CheckConstraint(
                condition=Q(overdraft_limit__isnull=True) | Q(overdraft_limit__gte=0),
                name="account_overdraft_limit_not_negative",
            ),
            # Sums of three of them, as in the limit above, stay inside bigint.
            models.CheckConstraint(
                condition=Q(
                    debits_pending__lte=AMOUNT_MAX,
                    debits_posted__lte=AMOUNT_MAX,
                    credits_pending__lte=AMOUNT_MAX,
                    credits_posted__lte=AMOUNT_MAX,
                )
                & (Q(overdraft_limit__isnull=True) | Q(overdraft_limit__lte=AMOUNT_MAX)),
                name="account_amounts_bounded",
            ),
        ]
        indexes = [
            # Accounts that the next block has to open.
            models.Index(fields=["id"], condition=Q(leaf_index=None), name="account_not_logged"),
        ]

    def __str__(self) -> str:
        return self.path

    @property
    def balance(self) -> int:
        """What the account received less what it gave."""
        return self.credits_posted - self.debits_posted

    @property
    def available(self) -> int | None:
        """What it may still give, holds deducted; None without a limit."""
        if self.overdraft_limit is None:
            return None
        return self.balance - self.debits_pending + self.overdraft_limit


class Block(models.Model):
    """What one commit of the settlement worker booked, and its leaves in the log."""

    number = models.BigIntegerField(primary_key=True)
    epoch = models.BigIntegerField()
    command_count = models.IntegerField()
    transfer_count = models.IntegerField()
    booked_at = models.DateTimeField()
    first_leaf = models.BigIntegerField(unique=True, help_text="Index of its first leaf.")
    leaf_count = models.IntegerField()
    entries = models.BinaryField(help_text="Its leaves, each after its length as uint16.")
    frontier = models.BinaryField(help_text="Hashes of the log's perfect subtrees after it.")
    root = models.BinaryField(max_length=32, help_text="Root of the log after it.")
    state_root = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"block {self.number}"

    @property
    def log_size(self) -> int:
        """How many leaves the log has after it."""
        return self.first_leaf + self.leaf_count


class BlockSeed(models.Model):
    """The secret that a block's salts come from; destroyed when its retention ends."""

    block = models.OneToOneField(Block, models.PROTECT, primary_key=True, related_name="seed")
    seed = models.BinaryField(max_length=32)

    def __str__(self) -> str:
        return f"seed of block {self.block_id}"


class Snapshot(models.Model):
    """The state after a block before which nothing can be opened any more.

    It is written with the removal of what it stands for, so that there is either the one or the
    other. Format: docs/ledger.md, "Pruning and erasure".
    """

    block = models.OneToOneField(Block, models.PROTECT, primary_key=True, related_name="snapshot")
    last_transfer_id = models.BigIntegerField(help_text="Of the block.")
    document_key = models.TextField(help_text="Of the document that tells validators.")
    content = models.BinaryField(help_text="Its lines, compressed with zlib.")
    made_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"snapshot after block {self.block_id}"


class InboxCommand(models.Model):
    """A command and its answer. The row is the queue: pending, then booked or refused, once."""

    class State(models.IntegerChoices):
        PENDING = 0, "pending"
        BOOKED = 1, "booked"
        REFUSED = 2, "refused"

    key = models.TextField(unique=True)
    fingerprint = models.BinaryField(
        max_length=32, help_text="See ledger.domain.commands.fingerprint."
    )
    body = models.BinaryField(help_text="Canonical bytes, see ledger.domain.commands.")
    transfer_count = models.IntegerField()
    submitted_at = models.DateTimeField()
    state = models.SmallIntegerField(choices=State, default=State.PENDING, db_default=0)
    refusal = models.TextField(default="", db_default="", help_text="Code of the refusal.")
    block = models.ForeignKey(Block, models.PROTECT, null=True, related_name="commands")
    position = models.IntegerField(null=True, help_text="Order of judgement inside the block.")
    leaf_index = models.BigIntegerField(
        null=True, help_text="Of its answer; the leaves of its transfers follow."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["block", "position"], name="inbox_judged_once"),
            models.CheckConstraint(
                condition=Q(
                    state=0,
                    block__isnull=True,
                    position__isnull=True,
                    leaf_index__isnull=True,
                    refusal="",
                )
                | Q(
                    state__in=[1, 2],
                    block__isnull=False,
                    position__isnull=False,
                    leaf_index__isnull=False,
                )
                & (Q(state=1, refusal="") | (Q(state=2) & ~Q(refusal=""))),
                name="inbox_answer_complete",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(state=0), name="inbox_pending"),
        ]

    def __str__(self) -> str:
        return self.key


class Transfer(models.Model):
    """One movement. Foreign keys are checked per statement by the trigger, not row by row."""

    class Kind(models.IntegerChoices):
        POSTED = 0, "posted"
        HOLD = 1, "hold"
        POST = 2, "post"
        RELEASE = 3, "release"

    id = models.BigIntegerField(primary_key=True, help_text="Gapless, in order of booking.")
    command = models.ForeignKey(
        InboxCommand,
        models.PROTECT,
        db_constraint=False,
        db_index=False,
        related_name="transfers",
    )
    leg = models.IntegerField(help_text="Position inside the command.")
    kind = models.SmallIntegerField(choices=Kind)
    debit_account = models.ForeignKey(
        Account, models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    credit_account = models.ForeignKey(
        Account, models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    amount = models.BigIntegerField()
    code = models.SmallIntegerField(help_text="The application's reason.")
    hold = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    corrects = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    expires = models.BigIntegerField(
        null=True,
        help_text="When a hold can no longer be posted. [microseconds since 1970, UTC]",
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expires__isnull=True) | Q(kind=1, expires__gt=0),
                name="transfer_only_holds_expire",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="transfer_amount_positive"),
            models.CheckConstraint(
                condition=~Q(debit_account=F("credit_account")),
                name="transfer_two_accounts",
            ),
            models.CheckConstraint(
                condition=Q(kind__in=[0, 1], hold__isnull=True)
                | Q(kind__in=[2, 3], hold__isnull=False),
                name="transfer_names_its_hold",
            ),
            models.UniqueConstraint(
                fields=["hold"],
                condition=Q(hold__isnull=False),
                name="hold_resolved_once",
            ),
            models.UniqueConstraint(fields=["command", "leg"], name="transfer_of_command_once"),
        ]
        indexes = [
            # A statement reads one account's transfers in order of booking.
            models.Index(fields=["debit_account", "id"], name="transfer_by_debit"),
            models.Index(fields=["credit_account", "id"], name="transfer_by_credit"),
            models.Index(
                fields=["expires"], condition=Q(expires__isnull=False), name="transfer_expiring"
            ),
        ]

    def __str__(self) -> str:
        return f"transfer {self.id}"


class Checkpoint(models.Model):
    """A state of the log that the log has signed; each extends all before it."""

    size = models.BigIntegerField(primary_key=True, help_text="Number of leaves.")
    block = models.OneToOneField(Block, models.PROTECT, related_name="checkpoint")
    root = models.BinaryField(max_length=32)
    note = models.TextField(help_text="The text with the log's signature.")
    signed_at = models.DateTimeField()
    attested_at = models.DateTimeField(null=True, help_text="When a quorum had cosigned.")

    class Meta:
        indexes = [
            models.Index(
                fields=["size"], condition=Q(attested_at__isnull=False), name="checkpoint_attested"
            )
        ]

    def __str__(self) -> str:
        return f"checkpoint {self.size}"


class Cosignature(models.Model):
    """A signature of a witness or validator under a checkpoint, verified when it came."""

    checkpoint = models.ForeignKey(Checkpoint, models.PROTECT, related_name="cosignatures")
    name = models.TextField(help_text="Of the cosigner, in the policy of that time.")
    line = models.TextField(help_text="The signature's line of the note.")
    timestamp = models.BigIntegerField(help_text="By the cosigner's clock. [s since 1970, UTC]")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["checkpoint", "name"], name="cosigned_once"),
        ]
        indexes = [models.Index(fields=["name", "-checkpoint"], name="cosignature_newest")]

    def __str__(self) -> str:
        return f"{self.name} at {self.checkpoint_id}"


class Objection(models.Model):
    """What a validator says is wrong, under its signature."""

    name = models.TextField(help_text="Of the validator, in the policy of that time.")
    size = models.BigIntegerField(help_text="Of the checkpoint that it followed.")
    leaf_index = models.BigIntegerField()
    code = models.TextField()
    note = models.TextField(help_text="The signed text.")
    received_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["name", "size", "leaf_index", "code"], name="objected_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name}: {self.code} at leaf {self.leaf_index}"


class OpeningsCredential(models.Model):
    """A validator's right to read what leaves commit to."""

    name = models.TextField(unique=True)
    token_hash = models.BinaryField(max_length=32, unique=True, help_text="SHA-256 of the token.")
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class CosignerState(models.Model):
    """What became of the last time a cosigner was asked; for the operator, proves nothing."""

    name = models.TextField(primary_key=True)
    asked_at = models.DateTimeField()
    problem = models.TextField(default="", help_text="Empty when it answered as it should.")

    def __str__(self) -> str:
        return f"{self.name}: {self.problem or 'fine'}"


class PublisherState(models.Model):
    """The one row that says who publishes the log, or why nobody may."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    holder = models.TextField(default="")
    stopped_because = models.TextField(default="", help_text="Empty while it publishes.")
    changed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="publisher_is_one_row")]

    def __str__(self) -> str:
        return self.stopped_because or self.holder
