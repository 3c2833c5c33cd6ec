"""What became of files of readings: what they were taken for, and what they lacked."""

from django.db import models
from django.db.models import Q

from marketplace.models.places import Community


class ReadingReport(models.Model):
    """One file that was taken in. Never edited: the same file again is another report."""

    community = models.ForeignKey(Community, models.PROTECT, related_name="reading_reports")
    source = models.TextField(help_text="File name.")
    sha256 = models.CharField(max_length=64)
    format = models.CharField(max_length=40, help_text="What the file was recognised as.")
    notes = models.JSONField(help_text="What was guessed or left aside, in English.")
    meter_count = models.IntegerField()
    first_at = models.DateTimeField()
    end_at = models.DateTimeField()
    expected_count = models.IntegerField(
        help_text="Delivery intervals between each meter's first and last moment in the file."
    )
    present_count = models.IntegerField()
    estimated_count = models.IntegerField()
    substituted_count = models.IntegerField()
    new_count = models.IntegerField()
    corrected_count = models.IntegerField()
    gaps = models.JSONField(
        help_text="Runs of missing intervals: meter, start [s], count, why; the longest ones."
    )
    received_at = models.DateTimeField()

    class Meta:
        indexes = [
            models.Index(fields=["community", "-id"], name="reading_report_of_community"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(present_count__gte=0, present_count__lte=models.F("expected_count")),
                name="reading_report_counts",
            ),
        ]

    def __str__(self) -> str:
        return self.source

    @property
    def missing_count(self) -> int:
        """Intervals between first and last without a reading."""
        return self.expected_count - self.present_count
