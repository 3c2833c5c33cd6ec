"""What validators send in: cosignatures and objections. Anybody may post; only signatures count."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST

from config.log.files import text
from config.log.keys import KeyMissing, read_policy
from ledger.domain.notes import Note
from ledger.errors import LedgerError, LogBroken, LogMalformed, PolicyInvalid
from ledger.queries import list_objections
from ledger.services.attestation import take_cosignatures, take_objection, validator_names

BODY_BYTES_MAX = 64 * 1024

log = logging.getLogger(__name__)


@login_not_required
@csrf_exempt  # nothing here rests on who is signed in
@require_POST
def cosignatures(request: HttpRequest) -> HttpResponse:
    """Take a validator's cosignature; handing it in again changes nothing."""
    return _taken(request, _take_cosignature)


@login_not_required
@csrf_exempt  # nothing here rests on who is signed in
@require_http_methods(["GET", "HEAD", "POST"])
def objections(request: HttpRequest) -> HttpResponse:
    """Show the signed objections, newest first, or take one."""
    if request.method == "POST":
        return _taken(request, _take_objection)
    return text("\n".join(each.note for each in list_objections()), cache="public, max-age=2")


def _take_cosignature(note: Note, now: datetime) -> str:
    policy = read_policy()
    names = take_cosignatures(note=note, policy=policy, among=validator_names(policy), now=now)
    return f"kept: {', '.join(names)}\n"


def _take_objection(note: Note, now: datetime) -> str:
    take_objection(note=note, policy=read_policy(), now=now)
    log.warning("a validator objects: %s", note.text.replace("\n", " | "))
    return "kept\n"


def _taken(request: HttpRequest, take: Callable[[Note, datetime], str]) -> HttpResponse:
    if int(request.META.get("CONTENT_LENGTH") or 0) > BODY_BYTES_MAX:
        return text(f"too_large: at most {BODY_BYTES_MAX} bytes\n", status=413)
    try:
        return text(take(Note.parse(request.body), datetime.now(UTC)))
    except LogMalformed as error:
        return _refused(error, 400)
    except LogBroken as error:
        return _refused(error, 403)
    except (PolicyInvalid, KeyMissing) as error:
        log.error("a cosignature cannot be judged: %s", error)
        return text("unavailable: this hall's policy cannot be read\n", status=503)


def _refused(error: LedgerError, status: int) -> HttpResponse:
    return text(f"{error.code}: {error}\n", status=status)
