"""Words and places of what needs the operator."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from config.web.billing_words import month_name
from config.web.operator_pages.lights import Level, TaskState
from ledger.queries import LogStatus
from marketplace.queries.operations import VerificationLine
from marketplace.queries.operator_cases import Case
from marketplace.queries.pages import Place

# Money and proof come first to mind; what is merely to be looked at is not marked.
URGENT: Final = frozenset({"settlements", "objections", "tasks", "verification", "publishing"})


@dataclass(frozen=True)
class CaseRow:
    """A case as a row of the list."""

    text: str
    url: str
    since: datetime | None
    place: Place | None
    is_urgent: bool


def rows_of(cases: list[Case], operator_id: int) -> list[CaseRow]:
    """Return the rows of a list of cases, in its order."""
    return [
        CaseRow(_text(case), _url(case, operator_id), case.since, case.place, case.kind in URGENT)
        for case in cases
    ]


def own_cases(
    *, log: LogStatus, tasks: list[TaskState], verification: VerificationLine | None, over: int
) -> list[Case]:
    """Return the cases of the ledger, the schedule and the credit limits, which no table has."""
    cases = []
    if log.stopped_because:
        cases.append(Case("publishing", 1, None))
    if log.objection_count:
        cases.append(Case("objections", log.objection_count, None))
    failed = [task for task in tasks if task.level is Level.BAD]
    if failed:
        since = min((task.ended_at for task in failed if task.ended_at), default=None)
        cases.append(Case("tasks", len(failed), since))
    if verification is not None and verification.problem_count:
        cases.append(Case("verification", 1, verification.ended_at))
    if over:
        cases.append(Case("over_limit", over, None))
    return cases


def _text(case: Case) -> str:
    texts: Mapping[str, str] = {
        "meters": ngettext(
            "{count} meter lacks readings", "{count} meters lack readings", case.count
        ),
        "settlements": ngettext(
            "The ledger refused {count} settlement", "The ledger refused {count} settlements",
            case.count,
        ),
        "dispute": _("Dispute about “{title}” waits for your decision"),
        "dispute_unheard": _("Dispute about “{title}” waits for the seller’s answer"),
        "versions": ngettext(
            "{count} version of data is stuck on the way to the catalogue",
            "{count} versions of data are stuck on the way to the catalogue",
            case.count,
        ),
        "halt": _("Trading stands still: {reason}"),
        "billing": _("{month} is over and not billed"),
        "alerts": ngettext(
            "{count} unusual thing to look at", "{count} unusual things to look at", case.count
        ),
        "applications": ngettext(
            "{count} application waits for your answer",
            "{count} applications wait for your answer",
            case.count,
        ),
        "erasures": ngettext(
            "{count} member wants to be forgotten",
            "{count} members want to be forgotten",
            case.count,
        ),
        "mails": ngettext(
            "{count} mail was refused ten times and waits for you",
            "{count} mails were refused ten times and wait for you",
            case.count,
        ),
        "publishing": _("Publishing has stopped"),
        "objections": ngettext(
            "{count} objection of a validator", "{count} objections of validators", case.count
        ),
        "tasks": ngettext(
            "{count} scheduled task fails or is late", "{count} scheduled tasks fail or are late",
            case.count,
        ),
        "verification": _("The last verification found something that does not follow"),
        "over_limit": ngettext(
            "{count} member owes more than the credit limit",
            "{count} members owe more than the credit limit",
            case.count,
        ),
    }  # fmt: skip
    subject = dict(case.subject)
    if isinstance(month := subject.get("month"), date):
        subject["month"] = month_name(month)
    return texts[case.kind].format(count=case.count, **subject)


def _url(case: Case, operator_id: int) -> str:
    match case.kind:
        case "meters":
            assert case.place is not None
            meters = reverse("operator_meters", args=[operator_id])
            return f"{meters}?community={case.place.community_id}&show=gaps"
        case "dispute" | "dispute_unheard":
            return reverse("market_dispute", args=[case.subject["dispute"]])
        case "halt":
            return reverse("trading_halts", args=[operator_id])
        case "billing":
            return reverse("billing", args=[operator_id])
        case "alerts":
            return reverse("operator_surveillance", args=[operator_id])
        case "applications":
            return reverse("applications", args=[operator_id])
        case "erasures":
            return reverse("erasures", args=[operator_id])
        case "objections" | "publishing" | "verification" | "settlements":
            return reverse("operator_ledger", args=[operator_id])
        case "tasks":
            return "#tasks"
        case "over_limit":
            return f"{reverse('operator_credit', args=[operator_id])}?show=over"
        case "mails":
            return "#mails"
        case _:
            return ""


def age_words(since: datetime | None, now: datetime) -> str:
    """Say how long ago something was, in its largest unit; empty for nothing."""
    if since is None:
        return ""
    seconds = max(0, int((now - since).total_seconds()))
    days, hours, minutes = seconds // 86_400, seconds // 3_600, seconds // 60
    if days:
        return ngettext("{n} day", "{n} days", days).format(n=days)
    if hours:
        return ngettext("{n} hour", "{n} hours", hours).format(n=hours)
    if minutes:
        return ngettext("{n} minute", "{n} minutes", minutes).format(n=minutes)
    return pgettext("age", "under a minute")
