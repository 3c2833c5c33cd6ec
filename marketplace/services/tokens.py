"""Tokens: how a program of a person signs in."""

from django.db import transaction
from rest_framework.authtoken.models import Token

from marketplace.models import User


@transaction.atomic
def renew_token(*, user_id: int) -> str:
    """Make a person's token anew; whoever holds the old one is signed out."""
    # The person's row is the lock: a person has one token.
    user = User.objects.select_for_update(no_key=True).get(pk=user_id)
    Token.objects.filter(user=user).delete()
    return str(Token.objects.create(user=user).key)
