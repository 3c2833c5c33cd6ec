"""Who wants which notices by mail, and the mails that wait to be sent.

Neither says whom a person acts for: that follows from tags only their identity key makes, and so
do the notices of a waiting mail, which are sealed under that key.
"""

from django.db import models
from django.db.models import Q

from marketplace.models.people import User


class MailPreference(models.Model):
    """What one person wants mailed, and how far their digests have come."""

    user = models.OneToOneField(
        User, models.CASCADE, primary_key=True, related_name="mail_preference"
    )
    modes = models.JSONField(default=dict, help_text="Topic to mode, where it is not the usual.")
    digest_days = models.SmallIntegerField(default=1, help_text="1: each day; 7: each week.")
    digest_due_at = models.DateTimeField(null=True, help_text="NULL: nothing waits for one.")
    digest_transaction = models.BigIntegerField(default=0)
    digest_notice_id = models.BigIntegerField(
        default=0, help_text="With the transaction: the last notice that needs no digest any more."
    )

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(digest_days__in=(1, 7)), name="digest_days_known"),
        ]
        indexes = [
            models.Index(
                fields=["digest_due_at"],
                condition=Q(digest_due_at__isnull=False),
                name="digest_due",
            ),
        ]

    def __str__(self) -> str:
        return f"mail preference of {self.user_id}"


class MailCursor(models.Model):
    """How far notices were looked at for mails: one row."""

    id = models.SmallIntegerField(primary_key=True)
    transaction = models.BigIntegerField()
    notice_id = models.BigIntegerField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="mail_cursor_single"),
        ]

    def __str__(self) -> str:
        return f"{self.transaction}-{self.notice_id}"


class NoticeMail(models.Model):
    """A mail that waits; its row goes once the mail server has taken it."""

    user = models.ForeignKey(User, models.CASCADE, related_name="+")
    sealed = models.BinaryField(help_text="Which notices, sealed under the identity key.")
    is_digest = models.BooleanField()
    created_at = models.DateTimeField()
    try_count = models.SmallIntegerField(default=0)
    next_try_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["next_try_at"], name="notice_mail_due"),
        ]

    def __str__(self) -> str:
        return f"mail {self.pk}"
