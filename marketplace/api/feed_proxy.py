"""The files of live feeds, for who shows a contract's credential; docs/data.md, "Feeds".

No session and no sign-in: the credential is all there is, and every request is judged and counted
by the database itself, so that a revoked one opens nothing from then on.
"""

import json
import re
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from marketplace.api.streams import places
from marketplace.domain.data.feed_files import DISCOVERY, MAIN_FILES, at_address, media_type
from marketplace.domain.data.feed_meter import Answer
from marketplace.errors import FileDamaged
from marketplace.queries.data.feeds import find_main_file, is_open, list_news
from marketplace.services.data import feed_copies, feed_rate
from marketplace.services.data.feeds import Taken, give_back, secret_hash, take

STREAM_SECONDS: Final = 20.0
LOOK_SECONDS: Final = 0.5
RETRY_MILLISECONDS: Final = 2000
_HASH = re.compile(r'"([0-9a-f]{64})"')
_STATUS: Final = {
    Answer.UNKNOWN_CREDENTIAL: (401, "Show a credential of your contract: Authorization: Bearer …"),
    Answer.REVOKED: (403, "This credential was revoked; make a new one on the feed's page."),
    Answer.OTHER_FEED: (404, "This credential opens another feed."),
    Answer.NOT_IN_FORCE: (403, "The contract is not in force."),
    Answer.PAYMENT_PENDING: (503, "The month's money is being held; ask again in a moment."),
    Answer.NOT_PAID: (402, "No money is held for this month; see the contract's charges."),
    Answer.NO_FILE: (404, "The feed has no such file, or it was not fetched yet."),
    Answer.CAP_REACHED: (402, "The month's cap is reached; nothing more is given out, or charged."),
    Answer.TOO_FAST: (429, "You ask too fast."),
}


@login_not_required
@require_safe
def feed_file(request: HttpRequest, product_id: int, name: str) -> HttpResponseBase:
    """Give a file of a feed to a buyer; a copy that the buyer has costs no records."""
    known = _HASH.findall(request.headers.get("If-None-Match", ""))
    if not name.isprintable():
        name = ""  # no file's; the database does not even take a NUL to ask
    taken = _taken(request, product_id, name, known, takes_records=request.method == "GET")
    if isinstance(taken, HttpResponse):
        return taken
    if taken.answer is Answer.UNCHANGED:
        return _with_headers(HttpResponse(status=304), taken)
    try:
        copy = feed_copies.copy_for(
            product_id=product_id, contract_id=taken.contract_id, name=name, sha256=taken.sha256
        )
    except FileDamaged as error:
        give_back(taken=taken, now=timezone.now())
        return _refused(503, error.code, str(error))
    body, is_packed = copy.body, False
    if name == MAIN_FILES[DISCOVERY]:
        body = at_address(body, request.build_absolute_uri(f"/feeds/{product_id}/"))
    elif copy.packed and _takes_gzip(request):
        body, is_packed = copy.packed, True
    answer = HttpResponse(body, content_type=media_type(name))
    if is_packed:
        answer["Content-Encoding"] = "gzip"
    return _with_headers(answer, taken)


@login_not_required
@require_safe
def feed_events(request: HttpRequest, product_id: int) -> HttpResponseBase:
    """Stream which files of a feed changed; opening the stream counts as one request.

    The stream ends by itself and is opened again with the number of the last event. When too many
    are open, it tells what there is and ends at once.
    """
    main = find_main_file(product_id=product_id)
    taken = _taken(request, product_id, main, [], takes_records=False)
    if isinstance(taken, HttpResponse):
        return taken
    after = _position(request.headers.get("Last-Event-ID", ""))
    events = _stream(product_id, taken.credential_id, after)
    answer = StreamingHttpResponse(events, content_type="text/event-stream")
    answer["Cache-Control"] = "no-store"
    answer["X-Accel-Buffering"] = "no"
    return answer


def _taken(
    request: HttpRequest, product_id: int, name: str, known: list[str], *, takes_records: bool
) -> Taken | HttpResponse:
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not secret:
        return _turned_away(Answer.UNKNOWN_CREDENTIAL)
    hashed = secret_hash(secret.strip())
    wait_ms = feed_rate.wait_ms(whose=hashed)
    if wait_ms:
        answer = _turned_away(Answer.TOO_FAST)
        answer["Retry-After"] = str(-(-wait_ms // 1000))
        return answer
    taken = take(
        secret_sha256=hashed,
        product_id=product_id,
        name=name,
        known=known,
        takes_records=takes_records,
        now=timezone.now(),
    )
    if taken.answer in (Answer.SERVED, Answer.UNCHANGED):
        return taken
    return _turned_away(taken.answer)


def _turned_away(answer: Answer) -> HttpResponse:
    status, message = _STATUS[answer]
    response = _refused(status, answer.value, message)
    if answer is Answer.UNKNOWN_CREDENTIAL:
        response["WWW-Authenticate"] = "Bearer"
    elif answer is Answer.PAYMENT_PENDING:
        response["Retry-After"] = "5"
    return response


def _refused(status: int, code: str, message: str) -> HttpResponse:
    body = json.dumps({"code": code, "message": message}, ensure_ascii=False)
    answer = HttpResponse(body, content_type="application/json", status=status)
    answer["Cache-Control"] = "no-store"
    return answer


def _with_headers(answer: HttpResponse, taken: Taken) -> HttpResponse:
    # Weak: the same records, packed or not, and at whichever address of the hall.
    answer["ETag"] = f'W/"{taken.sha256}"'
    answer["Cache-Control"] = "private, no-cache"
    answer["Vary"] = "Authorization, Accept-Encoding"
    if taken.fetched_at is not None:
        answer["Last-Modified"] = http_date(taken.fetched_at.timestamp())
    return answer


def _takes_gzip(request: HttpRequest) -> bool:
    for part in request.headers.get("Accept-Encoding", "").lower().split(","):
        coding, _, weight = part.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _position(text: str) -> datetime | None:
    try:
        position = datetime.fromisoformat(text)
    except ValueError:
        return None
    return position if position.tzinfo else None


def _stream(product_id: int, credential_id: int, after: datetime | None) -> Iterator[bytes]:
    position = timezone.now() if after is None else after
    yield _event("hello", position, {}, retry=f"retry: {RETRY_MILLISECONDS}\n")
    with places.take(("feed", credential_id)) as stays:
        ends_at = time.monotonic() + (STREAM_SECONDS if stays else 0)
        while True:
            if not is_open(credential_id=credential_id, now=timezone.now()):
                yield _event("closed", position, {"code": Answer.REVOKED.value})
                return
            for name, sha256, changed_at in list_news(product_id=product_id, after=position):
                position = max(position, changed_at)
                yield _event("changed", position, {"file": name, "etag": f'W/"{sha256}"'})
            if time.monotonic() >= ends_at:
                return
            time.sleep(LOOK_SECONDS)
            yield b": still here\n\n"  # fails where nobody listens any more, and ends the stream


def _event(kind: str, position: datetime, data: dict[str, str], *, retry: str = "") -> bytes:
    written = json.dumps(data, ensure_ascii=False)
    return f"{retry}id: {position.isoformat()}\nevent: {kind}\ndata: {written}\n\n".encode()
