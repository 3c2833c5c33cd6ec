"""Who looked at a member's own data, and what a member asked to have forgotten."""

from django.db import models
from django.db.models import Q

from marketplace.models.people import Participant


class Access(models.Model):
    """Somebody else looked at a member's own data: one row a day, and how often.

    It names the office that looked, not the person: who acts for it is joined to nobody's row.
    """

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="accesses")
    viewer = models.ForeignKey(Participant, models.PROTECT, db_index=False, related_name="+")
    viewer_role = models.CharField(max_length=16, help_text="The role in which they looked.")
    what = models.CharField(max_length=20, help_text="See marketplace.domain.accesses.")
    way = models.CharField(max_length=8, help_text="page, file or api")
    day = models.DateField(help_text="Of UTC.")
    count = models.IntegerField(default=1)
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant", "viewer", "what", "way", "day"], name="access_once_a_day"
            ),
            models.CheckConstraint(condition=Q(count__gte=1), name="access_count"),
        ]
        indexes = [
            models.Index(fields=["participant", "-last_at"], name="access_latest"),
        ]

    def __str__(self) -> str:
        return f"{self.what} of {self.participant_id} seen by {self.viewer_id} on {self.day}"


class ErasureRequest(models.Model):
    """A member asked that nobody shall know who they were; the operator settles and erases."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="erasure_requests")
    asked_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    is_done = models.BooleanField(default=False, help_text="Erased; else taken back.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant"],
                condition=Q(closed_at__isnull=True),
                name="erasure_asked_once",
            ),
            models.CheckConstraint(
                condition=Q(is_done=False) | Q(closed_at__isnull=False),
                name="erasure_done_is_closed",
            ),
        ]

    def __str__(self) -> str:
        return f"erasure of {self.participant_id}"
