"""What a person chooses for themselves."""

from marketplace.models import User


def set_language(*, user_id: int, language: str) -> None:
    """Remember the language a person reads, for every device they sign in on."""
    User.objects.filter(pk=user_id).exclude(language=language).update(language=language)
