"""A version while it is made and afterwards, and what changed between two of them."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_POST

from config.web.data.acting import act_and_go, own_ids, seller_of
from config.web.data.product_forms import GateForm
from config.web.data.products import own_product
from config.web.data.version_changes import changes_between
from config.web.data.version_words import (
    STEPS,
    order_of,
    percent_of,
    refusal_words,
    report_words,
)
from marketplace.queries.data.products import VersionLine, get_version, list_published
from marketplace.services.data import intake
from marketplace.services.data.products import change_privacy_policy

FINDINGS_SHOWN = 20


@require_GET
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show a version: how far it is, what remains after the gate, or what was published."""
    persona = seller_of(request)
    line = _own_version(request, version_id)
    product = own_product(request, line.product_id)
    return render(
        request,
        "market/versions_page.html",
        {
            **_standing(line),
            "persona": persona,
            "product": product,
            "report": report_words(line.privacy_report),
            "findings": line.findings[:FINDINGS_SHOWN],
            "gate_form": _gate_form(product.privacy_policy) if line.step == "preview" else None,
            "before": _before(line),
            "step": 3,
        },
    )


@require_GET
def progress(request: HttpRequest, version_id: int) -> HttpResponse:
    """Return how far a version is, for a page that asks again; a new state loads the page anew."""
    line = _own_version(request, version_id)
    context = _standing(line)
    response = render(request, "market/versions_progress.html", context)
    if not context["is_moving"]:
        response["HX-Refresh"] = "true"
    return response


@require_POST
def confirm(request: HttpRequest, version_id: int) -> HttpResponse:
    """Publish what remains after the gate."""
    return _step(
        request,
        version_id,
        lambda: intake.confirm_version(
            version_id=version_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        _("It is being packaged and encrypted."),
    )


@require_POST
def abandon(request: HttpRequest, version_id: int) -> HttpResponse:
    """Give a version up; what was uploaded is destroyed."""
    return _step(
        request,
        version_id,
        lambda: intake.abandon_version(
            version_id=version_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        _("Given up. What you uploaded is destroyed."),
    )


@require_POST
def gate_again(request: HttpRequest, version_id: int) -> HttpResponse:
    """Put a version through the gate again, under another policy."""
    line = _own_version(request, version_id)
    product = own_product(request, line.product_id)
    form = GateForm(request.POST)
    if not form.is_valid():
        return render(
            request,
            "market/versions_page.html",
            {
                **_standing(line),
                "persona": seller_of(request),
                "product": product,
                "report": report_words(line.privacy_report),
                "gate_form": form,
                "step": 3,
            },
            status=400,
        )

    def again() -> None:
        own = own_ids(request)
        change_privacy_policy(
            product_id=product.id,
            participant_ids=own,
            policy=form.policy(product.privacy_policy),
        )
        intake.look_again(version_id=version_id, participant_ids=own)

    return _step(request, version_id, again, _("It goes through the gate again."))


@require_GET
def changes(request: HttpRequest, version_id: int) -> HttpResponse:
    """Show what changed from the version before, or from one that is named."""
    persona = seller_of(request)
    line = _own_version(request, version_id)
    published = list_published(product_id=line.product_id)
    asked = request.GET.get("against", "")
    others = [each for each in published if each.number < line.number]
    old = next((each for each in others if str(each.number) == asked), None) or next(
        iter(others), None
    )
    if line.state != "ready" or old is None:
        raise Http404
    return render(
        request,
        "market/versions_changes.html",
        {
            "persona": persona,
            "product": own_product(request, line.product_id),
            "new": line,
            "old": old,
            "others": others,
            "changes": changes_between(old, line),
        },
    )


def _standing(line: VersionLine) -> dict[str, object]:
    place, text, remedy = refusal_words(line.refusal)
    order = order_of(line.step)
    now = order.index(line.step) if line.step in order else -1
    return {
        "version": line,
        "is_moving": line.state == "working" and line.step not in ("", "preview"),
        "step_words": STEPS.get(line.step, line.step),
        "steps": [(STEPS[each], number < now, number == now) for number, each in enumerate(order)],
        "percent": percent_of(line.progress),
        "refusal_place": place,
        "refusal_text": text,
        "refusal_remedy": remedy,
    }


def _gate_form(policy: object) -> GateForm:
    assert isinstance(policy, dict)
    return GateForm(
        initial={
            "minimum_group": policy["minimum_group"],
            "minimum_distinct": policy["minimum_distinct"]["n"],
            "dominance_percent": policy["dominance_percent"],
        }
    )


def _before(line: VersionLine) -> VersionLine | None:
    if line.state != "ready":
        return None
    published = list_published(product_id=line.product_id)
    return next((each for each in published if each.number < line.number), None)


def _step(request: HttpRequest, version_id: int, act: object, done: str) -> HttpResponse:
    _own_version(request, version_id)
    assert callable(act)
    return act_and_go(request, act, done=done, to="market_version", version_id=version_id)


def _own_version(request: HttpRequest, version_id: int) -> VersionLine:
    line = get_version(version_id=version_id, participant_ids=own_ids(request))
    if line is None:
        raise Http404
    return line
