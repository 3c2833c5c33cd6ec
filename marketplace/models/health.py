"""What the hall notes about itself: scheduled tasks, and verifications of the whole book."""

from django.db import models


class TaskRun(models.Model):
    """When a scheduled task last went well, and when it last failed."""

    name = models.TextField(primary_key=True)
    ended_at = models.DateTimeField(null=True, help_text="Last time that it went well.")
    failed_at = models.DateTimeField(null=True)
    failure = models.TextField(default="", help_text="What went wrong last, in one line.")

    def __str__(self) -> str:
        return self.name


class Verification(models.Model):
    """One run of ``verify_ledger`` over this hall's own database."""

    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()
    last_block = models.BigIntegerField()
    problem_count = models.IntegerField()
    first_problem = models.TextField(default="")

    class Meta:
        indexes = [models.Index(fields=["-ended_at"], name="verification_latest")]

    def __str__(self) -> str:
        return f"verification of {self.ended_at:%Y-%m-%dT%H:%MZ}"
