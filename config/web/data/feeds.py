"""The page of a live feed: the buyer's credentials, what was taken, what was promised and measured.

A credential is shown in the answer to the form that makes it, and never again.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import uuid4

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from config.web.data.acting import accepted, act_and_go, own_ids
from config.web.data.catalogue_words import PROMISE_LABELS, percent, price_words
from config.web.data.contract_words import STATE_LABELS
from config.web.data.contracts import trader_or_404
from config.web.data.money_words import CHARGE_STATES
from config.web.data.words import FORMAT_LABELS, duration
from marketplace.domain.data.feed_files import MAIN_FILES
from marketplace.domain.data.service import FRESHNESS, Measured, credit_ppm, shortfalls
from marketplace.errors import Invalid
from marketplace.queries.data.feeds import (
    FeedLine,
    FileLine,
    UseLine,
    find_feed,
    list_credentials,
    list_feeds,
    list_files,
    list_uses,
)
from marketplace.queries.data.probes import get_measured
from marketplace.services.data import credentials
from marketplace.services.data.credentials import LABEL_MAX, NewCredential


class CredentialForm(forms.Form):
    """What a new credential is for."""

    token = forms.UUIDField(widget=forms.HiddenInput, initial=uuid4)
    label = forms.CharField(
        label=gettext_lazy("What it is for"),
        max_length=LABEL_MAX,
        required=False,
        help_text=gettext_lazy("For example the program or the machine that will use it."),
    )

    def complain(self, error: Invalid) -> None:
        """Show an error of a service beside its field."""
        self.add_error(error.field, _(error.text).format(**error.params))


@dataclass(frozen=True)
class UseRow:
    """What was taken in a period, with its words."""

    line: UseLine
    state: str
    share: float | None
    shortfalls: tuple["PromiseRow", ...]


@dataclass(frozen=True)
class PromiseRow:
    """A promise beside what was measured of it."""

    label: str
    promised: str
    measured: str
    is_missed: bool


@dataclass(frozen=True)
class FileRow:
    """A file of the feed, and how old it is."""

    line: FileLine
    age: str


@require_safe
def feed_list(request: HttpRequest) -> HttpResponse:
    """Show the live feeds that a trader buys and sells."""
    persona = trader_or_404(request)
    lines = list_feeds(participant_ids=[persona.participant_id])
    rows = [
        (line, FORMAT_LABELS[line.format], STATE_LABELS[line.state], _price(line)) for line in lines
    ]
    return render(request, "market/feeds.html", {"persona": persona, "rows": rows})


@require_http_methods(["GET", "HEAD", "POST"])
def feed(request: HttpRequest, contract_id: int) -> HttpResponse:
    """Show one feed to its buyer or seller; let the buyer make a credential."""
    line = _line_or_404(request, contract_id)
    now = timezone.now()
    form = CredentialForm(request.POST or None)
    made: list[NewCredential] = []
    if request.method == "POST":
        if line.side != "buyer":
            raise Http404
        if form.is_valid():
            label = form.cleaned_data["label"]

            def make() -> None:
                made.append(
                    credentials.make_credential(
                        contract_id=contract_id,
                        participant_ids=own_ids(request),
                        label=label,
                        now=now,
                    )
                )

            if accepted(request, form, make):
                if not made:
                    messages.info(request, _("This credential was shown once already."))
                    return redirect("market_feed", contract_id)
                form = CredentialForm()
    answer = render(
        request,
        "market/feed.html",
        {**_page(request, line, now), "form": form, "made": made[0] if made else None},
        status=400 if form.is_bound and form.errors else 200,
    )
    answer["Cache-Control"] = "private, no-store"
    return answer


@require_POST
def revoke(request: HttpRequest, contract_id: int, credential_id: int) -> HttpResponse:
    """Revoke a credential for good."""
    return act_and_go(
        request,
        lambda: credentials.revoke_credential(
            credential_id=credential_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("Revoked: nobody takes anything with it any more."),
        to="market_feed",
        contract_id=contract_id,
    )


def _line_or_404(request: HttpRequest, contract_id: int) -> FeedLine:
    line = find_feed(contract_id=contract_id, participant_ids=own_ids(request))
    if line is None:
        raise Http404
    return line


def _page(request: HttpRequest, line: FeedLine, now: datetime) -> dict[str, object]:
    uses = [_use_row(each) for each in list_uses(contract_id=line.contract_id)]
    current = next(
        (each for each in uses if each.line.period_start <= now < each.line.period_end), None
    )
    measured = Measured()
    if current is not None:
        measured = get_measured(
            product_id=line.product_id,
            start=current.line.period_start,
            end=now,
            max_age_s=line.level.max_age_s,
        )
    files = list_files(product_id=line.product_id)
    address = request.build_absolute_uri(f"/feeds/{line.product_id}/")
    return {
        "line": line,
        "format": FORMAT_LABELS[line.format],
        "state": STATE_LABELS[line.state],
        "is_open": line.state == "agreed" and now < line.valid_until,
        "price": _price(line),
        "credentials": list_credentials(contract_id=line.contract_id),
        "current": current,
        "uses": [each for each in uses if each is not current],
        "files": [FileRow(each, _age(each, now)) for each in files],
        "address": address,
        "main": f"{address}{MAIN_FILES[line.format]}",
        "promises": _promise_rows(line, measured),
        "promised_age": duration(line.level.max_age_s) if line.level.max_age_s else "",
        "look_count": measured.look_count,
        "credit": percent(credit_ppm(line.level, measured)),
    }


def _use_row(line: UseLine) -> UseRow:
    share = None if not line.limit else min(100.0, 100 * line.taken / line.limit)
    rows = tuple(
        PromiseRow(
            str(PROMISE_LABELS[each.promise]),
            percent(each.promised_ppm),
            percent(each.measured_ppm),
            each.missed_ppm > 0,
        )
        for each in line.shortfalls
    )
    return UseRow(line, str(CHARGE_STATES[line.charge_state]), share, rows)


def _promise_rows(line: FeedLine, measured: Measured) -> list[PromiseRow]:
    rows = []
    for each in shortfalls(line.level, measured):
        label = str(PROMISE_LABELS[each.promise])
        if each.promise == FRESHNESS:
            label = _("{label}: at most {age} old").format(
                label=label, age=duration(line.level.max_age_s)
            )
        promised, found = percent(each.promised_ppm), percent(each.measured_ppm)
        rows.append(PromiseRow(label, promised, found, each.missed_ppm > 0))
    return rows


def _price(line: FeedLine) -> str:
    return price_words(line.price, line.currency)


def _age(file: FileLine, now: datetime) -> str:
    made_at = file.source_time or file.fetched_at
    seconds = max(0, int((now - made_at).total_seconds()))
    # The largest unit that fits: nobody needs the seconds of yesterday.
    length = next((each for each in (86_400, 3_600, 60) if seconds >= each), 1)
    return duration(seconds // length * length)
