"""Django's migrate, then the privileges of the application's role."""

from typing import Any

from django.core.management.commands import migrate
from django.db import connections

from config.privileges import grant_privileges


class Command(migrate.Command):
    """Migrate as the owner and grant the application's role what it needs, no more."""

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        grant_privileges(connections[options["database"]])
