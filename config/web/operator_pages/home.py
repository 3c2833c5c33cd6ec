"""The operator's home: is everything in order, and if not, what waits for whom since when."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from config.log.keys import KeyMissing, read_policy
from config.web.kept import kept
from config.web.operator_pages import lights
from config.web.operator_pages.case_words import CaseRow, own_cases, rows_of
from config.web.operator_pages.lights import Level, Light, TaskState
from config.web.personas import use_persona
from ledger.errors import PolicyInvalid
from ledger.queries import LogStatus, get_log_status, get_worker_health
from ledger.queries.progress import get_unattested_since
from marketplace.queries import operations, pages_operator
from marketplace.queries.operator_cases import list_cases
from marketplace.queries.pages import Persona, Place, list_places
from marketplace.services.notice_mails import try_mails_again

# Every member's balance is looked at: once a minute, whoever asks.
_OVER_LIMIT_S: Final = 60


@dataclass(frozen=True)
class Health:
    """What the live part of the page shows."""

    lights: list[Light]
    cases: list[CaseRow]
    queues: list[operations.Queue]
    tasks: list[TaskState]
    refused_mails: int
    now: datetime

    @property
    def wrong_tasks(self) -> list[TaskState]:
        """Tasks that are not as they should be."""
        return [task for task in self.tasks if task.level is not Level.GOOD]

    @property
    def good_tasks(self) -> list[TaskState]:
        """All others."""
        return [task for task in self.tasks if task.level is Level.GOOD]

    @property
    def level(self) -> Level:
        """The worst of all lights."""
        return max((light.level for light in self.lights), key=list(Level).index)

    @property
    def summary(self) -> str:
        """One sentence, spoken where it changes."""
        wrong = [light.name for light in self.lights if light.level is Level.BAD]
        need = len(self.cases)
        words = ngettext("{count} thing needs you.", "{count} things need you.", need)
        return " ".join([words.format(count=need), *(f"{name}!" for name in wrong)])

    @property
    def fingerprint(self) -> str:
        """Changes when something but the clock does."""
        seen = [[light.level, light.figure, light.words] for light in self.lights]
        text = json.dumps([seen, [case.text for case in self.cases]])
        return hashlib.sha256(text.encode()).hexdigest()[:16]


@require_safe
def operator(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Show lights, what needs somebody, queues and tasks, intervals by state, what came in."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    places = places_of(persona)
    context = {
        "persona": persona,
        "health": _health(persona, places, now),
        "counts": pages_operator.list_state_counts(places=places, now=now),
        "gaps": pages_operator.list_gaps(places=places, now=now),
        "batches": pages_operator.list_reading_batches(),
    }
    return render(request, "operator/home.html", context)


@require_safe
def operator_health(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Return the live part of the home as a fragment; nothing where nothing has changed."""
    persona = use_persona(request, participant_id, "operator")
    now = timezone.now()
    health = _health(persona, places_of(persona), now)
    seen = request.GET.get("seen", "")
    # Ages go on though nothing changes: once a minute the whole strip is sent again.
    if seen == health.fingerprint and now.second >= 10:
        return HttpResponse(status=204)
    context = {"persona": persona, "health": health, "has_news": seen != health.fingerprint}
    return render(request, "operator/live.html", context)


@require_POST
def operator_mails(request: HttpRequest, participant_id: int) -> HttpResponse:
    """Let mails be tried again that the mail server refused until they were given up."""
    use_persona(request, participant_id, "operator")
    count = try_mails_again(now=timezone.now())
    words = ngettext("{count} mail is tried again.", "{count} mails are tried again.", count)
    messages.success(request, words.format(count=count))
    return redirect("operator", participant_id)


def places_of(persona: Persona) -> Sequence[Place]:
    """Return the communities an operator runs: their own, or all of a hall's."""
    return [persona.place] if persona.place else list_places()


def _health(persona: Persona, places: Sequence[Place], now: datetime) -> Health:
    log = _log_status()
    tasks = lights.task_states(operations.list_task_runs(), now)
    queues = operations.list_queues(places=places, now=now)
    ledger_url = reverse("operator_ledger", args=[persona.participant_id])
    meters_url = reverse("operator_meters", args=[persona.participant_id])
    since = get_unattested_since() if log.booked_block > log.attested_block else None
    cases = own_cases(
        log=log,
        tasks=tasks,
        verification=operations.get_last_verification(),
        over=_count_over_limit(persona, places, now),
    )
    cases += list_cases(places=places, now=now)
    refused_mails = sum(case.count for case in cases if case.kind == "mails")
    oldest = sorted(cases, key=lambda case: case.since or now - timedelta(days=3650))
    return Health(
        [
            lights.worker_light(get_worker_health(), now, ledger_url),
            lights.finality_light(log, since, now, ledger_url),
            lights.gaps_light(operations.get_meter_gaps(places=places), meters_url),
            lights.queues_light(queues, now),
            lights.feeds_light(operations.get_feeds(), now),
            lights.tasks_light(tasks),
            lights.mail_light(refused_mails),
        ],
        rows_of(oldest, persona.participant_id),
        queues,
        tasks,
        refused_mails,
        now,
    )


def _log_status() -> LogStatus:
    try:
        return get_log_status(policy=read_policy())
    except (KeyMissing, PolicyInvalid):
        return get_log_status()


def _count_over_limit(persona: Persona, places: Sequence[Place], now: datetime) -> int:
    return kept(
        "over-limit",
        persona.place.community_id if persona.place else 0,
        seconds=_OVER_LIMIT_S,
        make=lambda: pages_operator.count_members_over_limit(places=places, now=now),
    )
