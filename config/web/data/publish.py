"""The form that brings files: they go into quarantine as they come, past every temporary folder."""

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from config.web.data.acting import own_ids, seller_of
from config.web.data.product_forms import UploadForm
from config.web.data.products import own_product
from config.web.data.upload_handler import QuarantinedFile, QuarantineUploadHandler
from marketplace.errors import MarketplaceError
from marketplace.services.data import intake
from marketplace.services.data.quotas import upload_turn

# Beside the files a form has a few lines of its own.
_FORM_BYTES = 64 * 1024


@csrf_exempt  # _take asks for the token, once the body has somewhere to go
@require_http_methods(["GET", "POST"])
def upload(request: HttpRequest, product_id: int) -> HttpResponse:
    """Let a provider send the files of a version."""
    seller_of(request)
    own_product(request, product_id)
    if request.method == "GET":
        return _take(request, product_id, None)
    try:
        # Who may not, or not now, need not send a gigabyte to hear it.
        intake.check_may_upload(product_id=product_id, participant_ids=own_ids(request))
    except MarketplaceError as error:
        messages.error(request, _(error.text).format(**error.params))
        return redirect("market_product", product_id)
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.DATA_UPLOAD_MAX_BYTES + _FORM_BYTES:
        messages.error(
            request,
            _("At most {maximum} bytes are taken in.").format(
                maximum=settings.DATA_UPLOAD_MAX_BYTES
            ),
        )
        return redirect("market_upload", product_id)
    handler = QuarantineUploadHandler(request)
    request.upload_handlers = [handler]
    try:
        with upload_turn(product_id=product_id, participant_ids=own_ids(request)):
            return _take(request, product_id, handler)
    except MarketplaceError as error:
        messages.error(request, _(error.text).format(**error.params))
        return redirect("market_upload", product_id)
    finally:
        handler.discard_rest()


@csrf_protect
def _take(
    request: HttpRequest, product_id: int, handler: QuarantineUploadHandler | None
) -> HttpResponse:
    persona = seller_of(request)
    line = own_product(request, product_id)
    form = UploadForm(None if handler is None else request.POST)
    if handler is not None and form.is_valid():
        if not isinstance(request.FILES.get("data"), QuarantinedFile):
            form.add_error(None, _("Choose the file with the data."))
        else:
            version_id = _add(request, product_id, handler, form.cleaned_data["note"])
            return redirect("market_version", version_id)
    return render(
        request,
        "market/publish.html",
        {
            "persona": persona,
            "product": line,
            "form": form,
            "step": 2,
            "wants_stations": line.format in ("trips", "counts"),
            "maximum_mib": settings.DATA_UPLOAD_MAX_BYTES // 2**20,
        },
        status=400 if form.errors else 200,
    )


def _add(request: HttpRequest, product_id: int, handler: QuarantineUploadHandler, note: str) -> int:
    """Note what came: the table of places first, the data last, with which the work begins."""
    version_id = 0
    for role in ("stations", "data"):
        file = request.FILES.get(role)
        if not isinstance(file, QuarantinedFile):
            continue
        version_id = intake.add_upload(
            product_id=product_id,
            participant_ids=own_ids(request),
            upload=file.upload,
            file_name=file.name or role,
            role=role,
            note=note,
            now=timezone.now(),
        )
        handler.keep(file.upload)
    return version_id
