"""manage.py refresh_catalogue: make the catalogue's entries anew from what products are."""

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from marketplace.services.data.catalogue import refresh_all


class Command(BaseCommand):
    """Write entries that are not what they should be; what is right is not touched."""

    help = "Bring the data market's catalogue up to date; safe at any time, and twice."

    def handle(self, *args: Any, **options: Any) -> None:
        """Refresh, and say how many products that were."""
        count = refresh_all(now=timezone.now())
        self.stdout.write(f"{count} products are in the catalogue as they should be")
