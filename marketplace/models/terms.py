"""Keys that members sign with, and what they signed."""

from django.db import models
from django.db.models import Q

from marketplace.models.people import Participant


class SigningKey(models.Model):
    """An Ed25519 key of a participant; the one that has not ended signs."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="signing_keys")
    public_key = models.BinaryField()
    sealed_private = models.BinaryField(
        null=True,
        help_text="Held by the hall, sealed under the identity key. NULL: the member's own.",
    )
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["participant"],
                condition=Q(ended_at__isnull=True),
                name="signing_key_in_use",
            ),
        ]

    def __str__(self) -> str:
        return f"key {self.pk} of {self.participant_id}"

    @property
    def is_own(self) -> bool:
        """Whether only the member can sign with it."""
        return self.sealed_private is None


class SignedTerms(models.Model):
    """A signed text: standing terms, or their revocation. Never edited; its hash is logged."""

    participant = models.ForeignKey(Participant, models.PROTECT, related_name="signed_terms")
    metering_point = models.ForeignKey("MeteringPoint", models.PROTECT, related_name="signed_terms")
    key = models.ForeignKey(SigningKey, models.PROTECT, related_name="+")
    revokes = models.OneToOneField(
        "self", models.PROTECT, null=True, related_name="revocation", help_text="NULL: terms."
    )
    body = models.BinaryField(help_text="Canonical JSON, see marketplace.domain.terms_document.")
    sha256 = models.CharField(max_length=64, unique=True)
    signature = models.BinaryField()
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"terms:{self.pk}"
