"""The log's static files at ``/log/``, as C2SP tlog-tiles wants them served.

A city lets its web server serve the folder itself; these views are for everybody else.
"""

import gzip

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

from config.log.keys import KeyMissing, policy_text
from ledger.domain.tiles import parse_tile_path
from ledger.errors import LogMalformed
from ledger.services.log_folder import CHECKPOINT, PENDING, LogFolder

TEXT = "text/plain; charset=utf-8"
NEVER = "no-store"
FOR_EVER = "public, max-age=31536000, immutable"


@login_not_required
@require_safe
def pending(request: HttpRequest) -> HttpResponse:
    """Serve the newest checkpoint with the log's signature alone."""
    return _head(PENDING, cache=NEVER)


@login_not_required
@require_safe
def checkpoint(request: HttpRequest) -> HttpResponse:
    """Serve the newest checkpoint that a quorum has cosigned."""
    return _head(CHECKPOINT, cache="public, max-age=2")


@login_not_required
@require_safe
def tile(request: HttpRequest, path: str) -> HttpResponse:
    """Serve a tile or an entry bundle, partial or full."""
    try:
        wanted = parse_tile_path(f"tile/{path}")
        data = LogFolder(settings.LOG_FOLDER).read_tile(wanted)
    except LogMalformed as error:
        return text(f"{error}\n", status=404)
    answer = HttpResponse(data, content_type="application/octet-stream")
    answer["Cache-Control"] = FOR_EVER
    if wanted.level == "entries":
        answer["Vary"] = "Accept-Encoding"
        if accepts_gzip(request):
            answer.content = gzip.compress(data, compresslevel=6, mtime=0)
            answer["Content-Encoding"] = "gzip"
    return answer


@login_not_required
@require_safe
def policy(request: HttpRequest) -> HttpResponse:
    """Serve the policy; whoever checks us gets theirs from somebody they trust."""
    try:
        return text(policy_text(), cache="public, max-age=60")
    except KeyMissing:
        return text("there is no log yet\n", status=404)


def text(body: str | bytes, *, status: int = 200, cache: str = NEVER) -> HttpResponse:
    """Answer with a text."""
    answer = HttpResponse(body, content_type=TEXT, status=status)
    answer["Cache-Control"] = cache
    return answer


def accepts_gzip(request: HttpRequest) -> bool:
    """Tell whether the client takes gzip and does not refuse it by weight 0."""
    for part in request.headers.get("Accept-Encoding", "").split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _head(path: str, *, cache: str) -> HttpResponse:
    data = LogFolder(settings.LOG_FOLDER).read(path)
    if data is None:
        return text(f"there is no {path} yet\n", status=404)
    return text(data, cache=cache)
