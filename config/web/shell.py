"""What every page needs."""

from django.http import HttpRequest


def page_shell(request: HttpRequest) -> dict[str, object]:
    """Values for the page frame."""
    return {}
