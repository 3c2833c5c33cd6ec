"""manage.py publish_log: sign what was sealed, have it cosigned, serve it as files."""

import os
import signal
import socket
from argparse import ArgumentParser
from datetime import UTC, datetime
from threading import Event
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import InterfaceError, OperationalError, connection

from config.log.keys import KeyMissing, make_signer, read_policy
from ledger.errors import LogBroken, PolicyInvalid
from ledger.services.log_folder import LogFolder
from ledger.services.publication import Publication
from ledger.services.publisher import LogPublisher

_STANDBY_SECONDS = 0.5
_IDLE_SECONDS = 0.1
_BACK_OFF_SECONDS = (0.1, 5.0)
# With --once: how long witnesses may take. [s]
_ONCE_SECONDS = 20.0


class Command(BaseCommand):
    """Take the turn or stand by, publish round after round, stop rather than fork."""

    help = "Publish the log. Any number may run; one publishes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what is sealed, then end")
        parser.add_argument(
            "--rebuild",
            action="store_true",
            help="first compare every byte of every file with the database",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        self._holder = f"{socket.gethostname()}:{os.getpid()}"
        self._rebuild: bool = options["rebuild"]
        self._is_open = False
        self._stop = Event()
        try:
            folder = LogFolder(settings.LOG_FOLDER)
            self._publication = Publication(
                publisher=LogPublisher(folder=folder, signer=make_signer()),
                policy=read_policy,
                holder=self._holder,
                say=self._say,
            )
            if options["once"]:
                self._publish_once()
            else:
                self._run()
        except (KeyMissing, PolicyInvalid) as error:
            raise CommandError(str(error)) from error
        except LogBroken as error:
            self._publication.stop(str(error), now=datetime.now(UTC))
            raise CommandError(f"publishing has stopped, nothing was signed: {error}") from error
        finally:
            self._publication.close()

    def _publish_once(self) -> None:
        if not self._open():
            raise CommandError("another process publishes now; it publishes what is sealed")
        give_up_at = datetime.now(UTC).timestamp() + _ONCE_SECONDS
        while True:
            self._publication.step(now=datetime.now(UTC))
            if self._publication.is_up_to_date():
                break
            if datetime.now(UTC).timestamp() > give_up_at:
                raise CommandError("no witness has answered: what is sealed was not all published")
            self._stop.wait(0.02)
        self._publication.publisher.give_turn_back()
        last = self._publication.publisher.last
        self.stdout.write(f"published {last.size} entries, up to block {last.block}")

    def _run(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        back_off = _BACK_OFF_SECONDS[0]
        while not self._stop.is_set():
            try:
                pause = self._round()
                back_off = _BACK_OFF_SECONDS[0]
            except (InterfaceError, OperationalError, OSError) as error:
                # No database, or a full disk: what was half done is done again.
                self._say(f"next try in {back_off:.1f} s: {str(error).strip()}")
                # The turn goes with the session; whoever has it then may have signed.
                connection.close()
                self._is_open = False
                pause, back_off = back_off, min(2 * back_off, _BACK_OFF_SECONDS[1])
            self._stop.wait(pause)

    def _round(self) -> float:
        """Do the next thing and return for how long to wait after it. [s]"""
        if not self._open():
            return _STANDBY_SECONDS
        signed = self._publication.step(now=datetime.now(UTC))
        return _IDLE_SECONDS if signed is None else 0.0

    def _open(self) -> bool:
        if self._is_open:
            return True
        if not self._publication.publisher.take_turn():
            return False
        self._publication.open(now=datetime.now(UTC), rebuild=self._rebuild)
        self._rebuild = False
        self._is_open = True
        self._say(f"publishes from entry {self._publication.publisher.last.size} on")
        return True

    def _end(self, number: int, frame: FrameType | None) -> None:
        self._stop.set()

    def _say(self, text: str) -> None:
        self.stderr.write(f"publisher {self._holder}: {text}")
        self.stderr.flush()
