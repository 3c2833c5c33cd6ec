"""A provider's products: the list, one product, its terms, its way into the catalogue."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from config.web.data.acting import accepted, act_and_go, own_ids, seller_of
from config.web.data.catalogue_words import price_words
from config.web.data.product_forms import NewProductForm
from config.web.data.terms_form import TermsForm, terms_as_written
from config.web.data.words import FORMAT_LABELS
from marketplace.domain.data.prices import PriceRule
from marketplace.errors import MarketplaceError
from marketplace.queries.data.products import (
    ProductTermsLine,
    get_product,
    list_products,
    list_versions,
)
from marketplace.services.data import products as service
from marketplace.services.data.feed_versions import begin_feed_version


@require_GET
def products(request: HttpRequest) -> HttpResponse:
    """Show a provider's products with what they brought."""
    persona = seller_of(request)
    lines = list_products(participant_ids=[persona.participant_id])
    rows = [
        (line, FORMAT_LABELS[line.format], price_words(PriceRule.of(line.price), line.currency))
        for line in lines
    ]
    return render(request, "market/products.html", {"persona": persona, "rows": rows})


@require_http_methods(["GET", "POST"])
def new_product(request: HttpRequest) -> HttpResponse:
    """Let a provider say what it is that they publish: the first step."""
    persona = seller_of(request)
    form = NewProductForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made: list[int] = []

        def make() -> None:
            made.append(
                service.create_product(
                    provider_id=persona.participant_id,
                    is_feed=form.is_feed,
                    format_=form.format,
                    terms=form.terms(),
                    source_url=form.cleaned_data["source_url"],
                    now=timezone.now(),
                )
            )

        if accepted(request, form, make):
            if not made:
                return redirect("market_products")
            if form.is_feed:
                return fetch(request, made[0])
            return redirect("market_upload", made[0])
    return render(
        request,
        "market/products_new.html",
        {"persona": persona, "form": form, "step": 1},
        status=400 if form.is_bound and form.errors else 200,
    )


@require_GET
def product(request: HttpRequest, product_id: int) -> HttpResponse:
    """Show one product to its provider: where it stands, its versions, what comes next."""
    persona = seller_of(request)
    line = own_product(request, product_id)
    versions = list_versions(product_id=product_id, participant_ids=own_ids(request))
    summary = next(
        each
        for each in list_products(
            participant_ids=own_ids(request), before_id=product_id + 1, limit=1
        )
    )
    return render(
        request,
        "market/products_page.html",
        {
            "persona": persona,
            "product": line,
            "summary": summary,
            "versions": versions,
            "working": next((each for each in versions if each.state == "working"), None),
            "has_ready": any(each.state == "ready" for each in versions),
            "format": FORMAT_LABELS[line.format],
            "price": price_words(PriceRule.of(line.terms["price"]), line.currency),
        },
    )


@require_http_methods(["GET", "POST"])
def terms(request: HttpRequest, product_id: int) -> HttpResponse:
    """Let a provider set price, licence and promises: the last step before listing."""
    persona = seller_of(request)
    line = own_product(request, product_id)
    own, now = own_ids(request), timezone.now()
    form = TermsForm(
        request.POST or None, is_feed=line.is_feed, initial=terms_as_written(line.terms)
    )
    if request.method == "POST" and form.is_valid():

        def change() -> None:
            service.change_terms(
                product_id=product_id,
                participant_ids=own,
                terms=form.terms(line.terms),
                now=now,
            )
            if "list" in request.POST:
                service.list_product(product_id=product_id, participant_ids=own, now=now)

        if accepted(request, form, change):
            done = _("It is in the catalogue now.") if "list" in request.POST else _("Saved.")
            messages.success(request, done)
            return redirect("market_product", product_id)
    versions = list_versions(product_id=product_id, participant_ids=own)
    return render(
        request,
        "market/products_terms.html",
        {
            "persona": persona,
            "product": line,
            "form": form,
            "step": 4,
            "may_list": line.state == "draft" and any(v.state == "ready" for v in versions),
        },
        status=400 if form.is_bound and form.errors else 200,
    )


@require_POST
def fetch(request: HttpRequest, product_id: int) -> HttpResponse:
    """Let the hall fetch and validate a feed for its next version."""
    own_product(request, product_id)
    try:
        version_id = begin_feed_version(
            product_id=product_id, participant_ids=own_ids(request), now=timezone.now()
        )
    except MarketplaceError as error:
        messages.error(request, _(error.text).format(**error.params))
        return redirect("market_product", product_id)
    return redirect("market_version", version_id)


@require_POST
def withdraw(request: HttpRequest, product_id: int) -> HttpResponse:
    """Take a product out of the catalogue for good."""
    return act_and_go(
        request,
        lambda: service.withdraw_product(
            product_id=product_id, participant_ids=own_ids(request), now=timezone.now()
        ),
        done=_("Withdrawn. Contracts that were signed go on."),
        to="market_products",
    )


def own_product(request: HttpRequest, product_id: int) -> ProductTermsLine:
    """Return a product of the person's; a stranger does not learn that there is one."""
    line = get_product(product_id=product_id, participant_ids=own_ids(request))
    if line is None:
        raise Http404
    return line
