"""Who wants to join: links that confirm an address, applications, and the texts agreed to."""

from django.db import models
from django.db.models import Q

from marketplace.models.people import Participant
from marketplace.models.places import Community


class EmailConfirmation(models.Model):
    """A link that was mailed; neither its secret nor its address can be read from here."""

    token_sha256 = models.BinaryField(unique=True)
    sealed_address = models.BinaryField(help_text="Sealed under the link's own secret.")
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"a link until {self.expires_at}"


class Application(models.Model):
    """Somebody wants to join a community in a role.

    Names its person by a tag, and holds what they say sealed under an identity key of its own,
    which is destroyed as soon as nothing of it is needed any more. Once approved it is gone: a row
    that named both would join the person to the participant they became.
    """

    user_tag = models.BinaryField(db_index=True)
    role = models.CharField(max_length=16, choices=Participant.Role)
    community = models.ForeignKey(Community, models.PROTECT, null=True)
    state = models.CharField(max_length=12, help_text="See marketplace.domain.applications.")
    identity_slot = models.BigIntegerField(unique=True, help_text="Slot of the identity key.")
    sealed_details = models.BinaryField()
    sealed_proof = models.BinaryField(null=True)
    refusal = models.CharField(max_length=16, blank=True, default="")
    sealed_reason = models.BinaryField(null=True, help_text="The operator's words.")
    started_at = models.DateTimeField()
    submitted_at = models.DateTimeField(null=True)
    decided_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user_tag"],
                condition=Q(state__in=["draft", "submitted"]),
                name="application_one_open",
            ),
        ]
        indexes = [
            models.Index(
                fields=["community", "submitted_at"],
                condition=Q(state="submitted"),
                name="application_queue",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.state} application {self.pk}"


class TextConsent(models.Model):
    """An applicant, or the participant they became, agreed to a version of a text."""

    application = models.ForeignKey(Application, models.CASCADE, null=True, related_name="consents")
    participant = models.ForeignKey(Participant, models.PROTECT, null=True)
    slug = models.CharField(max_length=40)
    version = models.IntegerField()
    language = models.CharField(max_length=8)
    sha256 = models.CharField(max_length=64, help_text="Of the text as it was shown.")
    agreed_on = models.DateField(help_text="UTC. A day, since a moment would tell who it was.")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["application", "slug", "version"], name="text_consent_once"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.slug} {self.version}"
