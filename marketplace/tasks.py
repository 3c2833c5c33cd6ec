"""Scans for due work. Celery only says when; what is due stands in the tables."""

import time

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from marketplace.queries.intervals import list_community_ids
from marketplace.services import (
    applications,
    certificates,
    credit_lines,
    forgetting,
    gate_closure,
    market_day,
    order_answers,
    pricing_comparison,
    settlement,
    sign_up,
    surveillance,
    what_if_days,
)
from marketplace.services.data import (
    catalogue,
    charge_scans,
    contract_ends,
    contracts,
    delivery_scan,
    feed_versions,
    probes,
    queries,
    service_credits,
    version_work,
    wishes,
)

# Less than from one scan to the next; and what the settlement worker takes for a block or so.
_AT_IT_S = 8.0
_BOOKING_S = 0.2
# Watching may wait: markets come first.
_WATCH_S = 20.0
_WHAT_IF_S = 20.0


@shared_task(ignore_result=True)
def advance_due_intervals(**_: object) -> None:
    """Meter, clear and settle what is due in every community. Safe twice, late, or on two hosts.

    Goes on while something moves: where credit is limited, an interval waits for the money of the
    one before, and a backlog would take a scan for each.
    """
    failures = []
    until = time.monotonic() + _AT_IT_S
    for community_id in list_community_ids():
        try:
            while market_day.advance_community(community_id=community_id, now=timezone.now()).any:
                if time.monotonic() > until:
                    break
                time.sleep(_BOOKING_S)
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("communities that could not advance", failures)


@shared_task(ignore_result=True)
def note_sealed_intervals(**_: object) -> None:
    """Note which settled intervals were attested. Safe twice, late, or on two hosts."""
    while settlement.note_sealed_intervals():
        pass


@shared_task(ignore_result=True)
def forget_old_applications(**_: object) -> None:
    """Destroy what applicants said and nobody needs any more. Safe twice, late, or on two hosts."""
    applications.forget_applications(now=timezone.now())
    sign_up.forget_old_links(now=timezone.now())


@shared_task(ignore_result=True)
def issue_due_certificates(**_: object) -> None:
    """Issue and correct the certificates of booked intervals. Safe twice, late, or on two hosts."""
    failures = []
    for community_id in list_community_ids():
        try:
            while certificates.issue_due_certificates(
                community_id=community_id, now=timezone.now()
            ):
                pass
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("communities that could not have certificates", failures)


@shared_task(ignore_result=True)
def advance_orders(**_: object) -> None:
    """Note the ledger's answers to orders, let them expire, and give back what need not be held.

    Safe twice, late, or on two hosts.
    """
    now = timezone.now()
    credit_lines.note_credit_lines()
    while order_answers.advance_orders(now=now).any:
        pass


@shared_task(ignore_result=True)
def forget_order_news(**_: object) -> None:
    """Delete news of orders that nobody comes back for. Safe twice, late, or on two hosts."""
    order_answers.forget_news(now=timezone.now())


@shared_task(ignore_result=True)
def close_due_gates(**_: object) -> None:
    """Hold the auctions of gates that have closed. Safe twice, late, or on two hosts."""
    failures = []
    for community_id in list_community_ids():
        try:
            gate_closure.close_due_gates(community_id=community_id, now=timezone.now())
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    if failures:
        raise ExceptionGroup("communities whose gates could not close", failures)


@shared_task(ignore_result=True)
def compute_asked_comparisons(**_: object) -> None:
    """Compute months again under each pricing, as asked for. Safe twice, late, or on two hosts."""
    pricing_comparison.compute_asked_comparisons(now=timezone.now())


@shared_task(ignore_result=True)
def compute_asked_what_ifs(**_: object) -> None:
    """Compute past days again under other rules, as asked for. Safe twice, late, or on two hosts.

    What is not done in time goes on with the next run.
    """
    what_if_days.compute_asked_what_ifs(now=timezone.now(), seconds=_WHAT_IF_S)


@shared_task(ignore_result=True)
def advance_contracts(**_: object) -> None:
    """End contracts whose time is over, and sign for sellers. Safe twice, late, on two hosts."""
    now = timezone.now()
    contract_ends.end_due(now=now)
    contracts.accept_waiting(now=now)


@shared_task(ignore_result=True)
def advance_charges(**_: object) -> None:
    """Note the ledger's answers to charges, pay, give back, open months. Safe twice or late."""
    while charge_scans.advance_charges(now=timezone.now()).any:
        pass


@shared_task(ignore_result=True)
def advance_deliveries(**_: object) -> None:
    """Sign for sellers, take money, give keys, end what is late. Safe twice, late, on two hosts."""
    now = timezone.now()
    delivery_scan.advance_deliveries(now=now)
    delivery_scan.sign_waiting(now=now)


@shared_task(ignore_result=True)
def match_wishes(**_: object) -> None:
    """End wishes that are met or late, and look for what covers the others. Safe twice or late."""
    now = timezone.now()
    wishes.close_due_wishes(now=now)
    wishes.match_wishes(now=now)


@shared_task(ignore_result=True)
def work_waiting_versions(**_: object) -> None:
    """Check, gate and package what providers sent in. Safe twice, late, or on two hosts."""
    version_work.work_waiting_versions(now=timezone.now())


@shared_task(ignore_result=True)
def sweep_stray_uploads(**_: object) -> None:
    """Remove files of uploads that no row tells of. Safe twice, late, or on two hosts."""
    version_work.sweep_strays()


@shared_task(ignore_result=True)
def look_at_feeds(**_: object) -> None:
    """Take new feeds in, and look at those that are due. Safe twice, late, or on two hosts."""
    feed_versions.work_waiting_feeds(now=timezone.now())
    while probes.look_at_due_feeds(now=timezone.now()):
        pass


@shared_task(ignore_result=True)
def close_feed_months(**_: object) -> None:
    """Bill feeds whose month or contract is over. Safe twice, late, or on two hosts."""
    while service_credits.close_due_months(now=timezone.now()):
        pass


@shared_task(ignore_result=True)
def forget_old_looks(**_: object) -> None:
    """Delete looks at feeds that no dispute can need. Safe twice, late, or on two hosts."""
    probes.forget_old_looks(now=timezone.now())


@shared_task(ignore_result=True)
def prune_notices(**_: object) -> None:
    """Delete old notices and looks at members' data. Safe twice, late, or on two hosts."""
    now, until = timezone.now(), time.monotonic() + _WATCH_S
    for forget, kept in (
        (forgetting.forget_old_notices, settings.KEEP_NOTICES),
        (forgetting.forget_old_accesses, settings.KEEP_ACCESSES),
    ):
        while forget(now=now, kept=kept) == forgetting.AT_ONCE and time.monotonic() < until:
            pass


@shared_task(ignore_result=True)
def answer_questions(**_: object) -> None:
    """Draw the answers whose price in privacy is booked. Safe twice, late, or on two hosts."""
    while queries.answer_waiting(now=timezone.now()):
        pass


@shared_task(ignore_result=True)
def refresh_catalogue(**_: object) -> None:
    """Bring ages and badges of what is listed up to date. Safe twice, late, or on two hosts."""
    catalogue.refresh_measured(now=timezone.now())


@shared_task(ignore_result=True)
def watch_market(**_: object) -> None:
    """Look at days that changed: gaps, unusual things. Safe twice, late, or on two hosts."""
    until = time.monotonic() + _WATCH_S
    failures = []
    for community_id in list_community_ids():
        try:
            while surveillance.watch_community(
                community_id=community_id, now=timezone.now(), limit=1
            ):
                if time.monotonic() > until:
                    break
        except Exception as failure:  # one bad community must not hold up the others
            failures.append(failure)
    surveillance.watch_feeds(now=timezone.now())
    if failures:
        raise ExceptionGroup("communities that could not be watched", failures)
