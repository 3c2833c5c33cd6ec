"""Questions about data on people, answered with noise, and what they are answered from."""

from django.db import models
from django.db.models import Q

from marketplace.models.data_contracts import DataContract
from marketplace.models.data_products import DataVersion


class DataQueryStore(models.Model):
    """What a version keeps for questions: when and between which areas, sealed; never who."""

    version = models.OneToOneField(DataVersion, models.PROTECT, related_name="query_store")
    sealed_key = models.BinaryField(help_text="Sealed to the hall's deposit key (HPKE).")
    manifest = models.BinaryField(help_text="Of the sealed rows, as gate.manifest writes it.")
    areas = models.BinaryField(help_text="Table of areas, as the version's package has it.")
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"rows for questions about version {self.version_id}"


class DataQuery(models.Model):
    """One question; its price is taken from the product's and the contract's privacy budget.

    The ledger's answer to `command_key` decides whether there is an answer at all; what was drawn
    once is never drawn again.
    """

    class State(models.IntegerChoices):
        SUBMITTED = 1, "submitted"
        ANSWERED = 2, "answered"
        REFUSED = 3, "refused"

    contract = models.ForeignKey(DataContract, models.PROTECT, related_name="queries")
    version = models.ForeignKey(DataVersion, models.PROTECT, related_name="queries")
    same_as = models.ForeignKey(
        "self",
        models.PROTECT,
        null=True,
        related_name="repeated",
        help_text="The same was asked before: its answer costs nothing more.",
    )
    question = models.JSONField(help_text="See gate.queries.Question.")
    question_sha256 = models.CharField(max_length=64)
    cost_micro_epsilon = models.BigIntegerField()
    state = models.SmallIntegerField(choices=State, default=State.SUBMITTED)
    refusal = models.CharField(max_length=40, default="")
    counts = models.JSONField(null=True, help_text="With noise, by cell of the lattice.")
    bar = models.BigIntegerField(null=True, help_text="95 of 100 counts are as near as this.")
    asked_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name_plural = "data queries"
        constraints = [
            models.UniqueConstraint(
                fields=["version", "question_sha256", "cost_micro_epsilon"],
                condition=Q(same_as__isnull=True) & ~Q(state=3),
                name="data_query_drawn_once",
            ),
            models.CheckConstraint(
                condition=~Q(state=2)
                | Q(same_as__isnull=False)
                | Q(counts__isnull=False, bar__isnull=False, answered_at__isnull=False),
                name="data_query_answered",
            ),
            models.CheckConstraint(
                condition=Q(same_as__isnull=True, cost_micro_epsilon__gt=0)
                | Q(same_as__isnull=False, cost_micro_epsilon=0, state=2),
                name="data_query_cost",
            ),
        ]
        indexes = [
            models.Index(fields=["contract", "-id"], name="data_query_of_contract"),
            models.Index(fields=["id"], condition=Q(state=1), name="data_query_waiting"),
        ]

    def __str__(self) -> str:
        return f"data query {self.pk}"
