"""A hash of passwords that protects nobody: signing in is tested, not its slowness."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """Turns once. A server beside the tests, with the usual hashers, can check it too."""

    iterations = 1
