"""Accounts with e-mail sign-in, and the participants they act for."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractUser, BaseUserManager
from django.db import models


class UserManager(BaseUserManager["User"]):
    """Creates users by e-mail address; there is no other name."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create a user; without a password only a reset link lets them in."""
        user = self.model(email=self.normalize_email(email).lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractUser):
    """A person who signs in."""

    username = None  # type: ignore[assignment]  # the e-mail address is the only name
    email = models.EmailField(unique=True)
    language = models.CharField(max_length=8, default="en")
    identity_slot = models.BigIntegerField(
        null=True, unique=True, help_text="Slot of the identity key; NULL: none was needed yet."
    )

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    objects = UserManager()  # type: ignore[assignment,misc]  # AbstractUser's manager asks for a username

    def __str__(self) -> str:
        return self.email


class Participant(models.Model):
    """Who trades or watches. A person may act for several; each has one role.

    What says who they are is sealed under their identity key; see ``marketplace.domain.identity``.
    """

    class Role(models.TextChoices):
        HOUSEHOLD = "household", "household"
        ENTERPRISE = "enterprise", "enterprise"
        DATA_PROVIDER = "data_provider", "data provider"
        PLANNER = "planner", "city planner"
        OPERATOR = "operator", "operator"

    role = models.CharField(max_length=16, choices=Role)
    identity_slot = models.BigIntegerField(unique=True, help_text="Slot of the identity key.")
    sealed_name = models.BinaryField(help_text="The name, sealed under the identity key.")
    community = models.ForeignKey(
        "Community", models.PROTECT, null=True, related_name="participants"
    )
    energy_account_id = models.BigIntegerField(
        null=True, unique=True, help_text="Ledger account of metered energy; no limit."
    )
    wallet_account_id = models.BigIntegerField(
        null=True,
        unique=True,
        help_text="Ledger account that pays for data; never overdrawn.",
    )
    credit_limit_micro = models.BigIntegerField(
        null=True,
        help_text="Owing more keeps the member out of the next auction; NULL: the rules'.",
    )

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"


class Membership(models.Model):
    """A person may act for a participant.

    The person is named by a tag that only their identity key can make, so that nobody who has the
    database alone, or an old copy of it and no longer the key, can tell who it is.
    """

    user_tag = models.BinaryField()
    participant = models.ForeignKey(Participant, models.CASCADE, related_name="memberships")
    role = models.CharField(
        max_length=12, default="owner", help_text="See marketplace.domain.organisations."
    )
    limit_micro = models.BigIntegerField(
        null=True, help_text="Most that one act of theirs may cost; NULL: no limit."
    )
    monthly_limit_micro = models.BigIntegerField(null=True, help_text="Of all acts of a month.")
    sealed_alias = models.BinaryField(
        null=True, help_text="What colleagues call them, sealed under the participant's key."
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user_tag", "participant"], name="membership_once"),
        ]

    def __str__(self) -> str:
        return f"a person for {self.participant_id}"
