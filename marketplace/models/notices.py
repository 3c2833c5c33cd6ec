"""What a participant is told: something happened that they wait for or should know."""

from django.db import models
from django.db.models import Q
from django.db.models.expressions import RawSQL

from marketplace.models.people import Participant


class Notice(models.Model):
    """One notice to one participant; its words are made of kind and subject when it is read."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="notices")
    key = models.TextField(help_text="Once for each participant: telling twice tells once.")
    kind = models.CharField(max_length=40, help_text="See marketplace.domain.notices.")
    subject = models.JSONField(default=dict, help_text="Ids and titles that the words name.")
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True)
    # Mails follow notices in this order, in which none can come in later before another.
    transaction_number = models.BigIntegerField(
        db_default=RawSQL("pg_current_xact_id()::text::bigint", []), editable=False
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["participant", "key"], name="notice_once"),
        ]
        indexes = [
            models.Index(fields=["participant", "-id"], name="notice_latest"),
            models.Index(fields=["transaction_number", "id"], name="notice_in_order"),
            models.Index(
                fields=["participant"], condition=Q(read_at__isnull=True), name="notice_unread"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.participant_id}"
