"""What providers send in, until it is published or refused: ciphertext only, and not for long."""

from django.db import models
from django.db.models import Q

from marketplace.models.data_products import DataVersion


class DataUpload(models.Model):
    """The bytes that a version is being made of, in the hall's quarantine.

    A raw upload is encrypted as it comes in, under a key of its own that stands here sealed to the
    hall's deposit key. A package gated at home comes as its provider encrypted it, with its key
    sealed to the hall. When the version is ready or refused, file and key are destroyed.
    """

    class Role(models.TextChoices):
        DATA = "data", "the data"
        STATIONS = "stations", "the places that trips or counts name"

    version = models.ForeignKey(DataVersion, models.PROTECT, related_name="uploads")
    role = models.CharField(max_length=16, choices=Role, default=Role.DATA)
    token = models.CharField(max_length=64, unique=True, help_text="Name of the file; hex.")
    file_name = models.CharField(max_length=200)
    sealed_key = models.BinaryField(null=True, help_text="NULL: destroyed.")
    byte_count = models.BigIntegerField(help_text="What is to come, or what came.")
    is_complete = models.BooleanField(help_text="Only then may a worker begin.")
    home_manifest = models.BinaryField(null=True, help_text="Of a package gated at home.")
    received_at = models.DateTimeField()
    destroyed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["version", "role"], name="data_upload_role_once"),
            models.CheckConstraint(
                condition=Q(byte_count__gte=0), name="data_upload_size_not_negative"
            ),
            models.CheckConstraint(
                condition=Q(destroyed_at__isnull=True) | Q(sealed_key__isnull=True),
                name="data_upload_destroyed_with_key",
            ),
        ]

    def __str__(self) -> str:
        return f"upload of version {self.version_id}"
