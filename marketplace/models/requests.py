"""Writes that were answered once, so that a client may repeat them."""

from django.db import models


class IdempotencyKey(models.Model):
    """The first answer to a write, given again when the same request comes back."""

    # What a person changed would join them to a participant: they are named as in a membership.
    user_tag = models.BinaryField()
    key = models.CharField(max_length=200)
    fingerprint = models.CharField(max_length=64, help_text="SHA-256 of method, path and body.")
    status = models.SmallIntegerField(help_text="HTTP status; 0 until it is answered.")
    body = models.JSONField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_tag", "key"], name="idempotency_key_of_user"),
        ]

    def __str__(self) -> str:
        return self.key
