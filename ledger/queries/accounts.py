"""Find accounts by the paths that the application gave them."""

from collections.abc import Iterable

from ledger.models import Account


def find_accounts(*, paths: Iterable[str]) -> dict[str, int]:
    """Return the ids of accounts by path; one that was never opened is absent."""
    return dict(Account.objects.filter(path__in=list(paths)).values_list("path", "id"))
