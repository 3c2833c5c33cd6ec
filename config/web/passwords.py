"""How long a password must be, said in both languages."""

from django.contrib.auth.password_validation import MinimumLengthValidator
from django.utils.translation import ngettext


class LongEnough(MinimumLengthValidator):
    """Django's own rule; its words in Django's catalogue are those of an older version."""

    def get_error_message(self) -> str:
        """Say how long a password must be."""
        return ngettext(
            "This password is too short. It must contain at least %d character.",
            "This password is too short. It must contain at least %d characters.",
            self.min_length,
        ) % self.min_length  # fmt: skip
