#!/usr/bin/env python3
"""Django's commands, on the servers of this checkout unless the environment names others."""

import os
import signal
import sys
from contextlib import ExitStack
from types import FrameType
from urllib.parse import unquote, urlsplit

# Commands that look at files only.
WITHOUT_SERVERS = {
    "check",
    "collectstatic",
    "compilemessages",
    "help",
    "makemessages",
    "messages",
    "spectacular",
    "templates",
    "verify_receipt",
    "version",
}
# Commands that must see the database as it is, before pending migrations.
WITHOUT_MIGRATIONS = {"makemigrations", "migrate", "showmigrations", "sqlmigrate"}
AS_OWNER = {"makemigrations", "migrate", "prune"}


def main(argv: list[str]) -> int:
    """Run one command of ``manage.py``."""
    words = [word for word in argv[1:] if not word.startswith("-")]
    command = words[0] if words else "help"
    if command == "clear":
        # A book from a file needs neither a database nor Django's start-up time.
        from marketplace.management import clear_book

        return clear_book.main(argv[argv.index("clear") + 1 :])
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    try:
        from django.core.management import execute_from_command_line

        from config.embedded import checkout
    except ImportError as error:
        return _complain(f"{error}: run ./dev env, then .venv/bin/python manage.py")
    with ExitStack() as stack:
        state = checkout.state_folder()
        checkout.ensure_secret_key(state)
        asks_for_help = "--help" in argv or "-h" in argv or "--version" in argv
        if command not in WITHOUT_SERVERS and not asks_for_help:
            if not checkout.uses_own_servers():
                # The end of this process must stop what it started.
                for number in (signal.SIGTERM, signal.SIGHUP):
                    signal.signal(number, _leave)
                stack.enter_context(
                    checkout.servers(state, migrate=command not in WITHOUT_MIGRATIONS)
                )
            if command in AS_OWNER and os.environ.get("DATABASE_OWNER_URL"):
                _become_owner()
        execute_from_command_line(argv)
    return 0


def _become_owner() -> None:
    """Let migrations run as the owner, and know whom they grant the application's rights to."""
    application = urlsplit(os.environ["DATABASE_URL"]).username or ""
    os.environ.setdefault("HELIOPOLIS_APP_ROLE", unquote(application))
    os.environ["DATABASE_URL"] = os.environ["DATABASE_OWNER_URL"]


def _leave(number: int, frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _complain(text: str) -> int:
    print(text, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv))
