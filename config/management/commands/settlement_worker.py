"""manage.py settlement_worker: book what waits, as the one writer or standing by for it."""

import os
import signal
import socket
import time
from argparse import ArgumentParser
from datetime import UTC, datetime, timedelta
from threading import Event
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import Error, InterfaceError, OperationalError, connection

from ledger.errors import StaleWriter
from ledger.queries import has_waiting_commands
from ledger.services import SettlementWorker, release_expired_holds

_STANDBY_SECONDS = 0.5
_IDLE_SECONDS = 0.2
_BACK_OFF_SECONDS = (0.1, 5.0)
_EXPIRY_EVERY = timedelta(seconds=1)
_EXPIRY_LOOK_BACK = timedelta(hours=1)


class Command(BaseCommand):
    """Take the head or stand by, book block after block, give the head back at the end."""

    help = "Run the ledger's settlement worker. Any number may run; one writes."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="book what waits, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        self._worker = SettlementWorker(holder=f"{socket.gethostname()}:{os.getpid()}")
        self._renew_at = 0.0
        self._expired_until: datetime | None = None
        if options["once"]:
            self._settle_once()
            return
        stop = Event()

        def end(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, end)
        self._run(stop)

    def _settle_once(self) -> None:
        if not self._worker.take_head():
            raise CommandError("another settlement worker writes now; it books what waits")
        try:
            blocks = self._worker.settle_inbox(now=datetime.now(UTC))
        finally:
            self._worker.give_back()
        self.stdout.write(
            f"booked {sum(block.transfers for block in blocks)} transfers in {len(blocks)} blocks"
        )

    def _run(self, stop: Event) -> None:
        back_off = _BACK_OFF_SECONDS[0]
        while not stop.is_set():
            try:
                pause = self._step()
                back_off = _BACK_OFF_SECONDS[0]
            except (InterfaceError, OperationalError) as error:
                self._say(f"no database, next try in {back_off:.1f} s ({str(error).strip()})")
                connection.close()
                # A new session has to be told to the head before the next block.
                self._renew_at = 0.0
                pause, back_off = back_off, min(2 * back_off, _BACK_OFF_SECONDS[1])
            stop.wait(pause)
        self._leave()

    def _step(self) -> float:
        """Do the next thing and return for how long to wait after it. [s]"""
        if not self._hold_head():
            return _STANDBY_SECONDS
        self._release_expired()
        if not has_waiting_commands():
            return _IDLE_SECONDS
        try:
            self._worker.settle_block(now=datetime.now(UTC))
        except StaleWriter as error:
            self._say(f"lost the head: {error}")
            self._worker.epoch = None
            return _STANDBY_SECONDS
        return 0.0

    def _release_expired(self) -> None:
        now = datetime.now(UTC)
        if self._expired_until and now - self._expired_until < _EXPIRY_EVERY:
            return
        # A hold booked since the last look may expire before it: look back a little further.
        since = self._expired_until and self._expired_until - _EXPIRY_LOOK_BACK
        release_expired_holds(now=now, since=since)
        self._expired_until = now

    def _hold_head(self) -> bool:
        before = self._worker.epoch
        if before is not None and time.monotonic() < self._renew_at:
            return True
        holds = self._worker.take_head()
        self._renew_at = time.monotonic() + self._worker.lease_seconds / 3
        if self._worker.epoch != before:
            epoch = self._worker.epoch
            self._say(f"took the head, epoch {epoch}" if holds else f"lost the head ({before})")
        return holds

    def _leave(self) -> None:
        if self._worker.epoch is None:
            return
        try:
            self._worker.give_back()
        except Error as error:
            # The lease runs out by itself.
            self._say(f"could not give the head back ({str(error).strip()})")
        else:
            self._say("gave the head back")

    def _say(self, text: str) -> None:
        self.stderr.write(f"settlement worker {self._worker.holder}: {text}")
        self.stderr.flush()
