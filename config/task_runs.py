"""Scheduled tasks say when they last went well, so that the operator sees one that does not.

A method of the task class, as Celery offers it: workers call it after each run, and who calls a
task's function by hand notes nothing.
"""

import time
from typing import Any, Final

from celery import Task
from django.utils import timezone

from marketplace.services.health import note_task_run

# Tasks run every few seconds; how many seconds ago is shown no finer than this.
NOTE_EVERY_S: Final = 5.0
_noted: dict[str, float] = {}


class NotedTask(Task):  # type: ignore[misc]  # Celery has no types
    """A task that is noted in the database when it ends."""

    def on_success(self, retval: Any, task_id: str, args: Any, kwargs: Any) -> None:
        moment = time.monotonic()
        if moment - _noted.get(self.name, -NOTE_EVERY_S) >= NOTE_EVERY_S:
            note_task_run(name=self.name, now=timezone.now())
            _noted[self.name] = moment

    def on_failure(self, exc: Exception, task_id: str, args: Any, kwargs: Any, einfo: Any) -> None:
        note_task_run(
            name=self.name,
            now=timezone.now(),
            failure=f"{type(exc).__name__}: {exc}".split("\n")[0],
        )
