"""A member's own receipts: of transfers, of a balance, of a row in an interval's book.

Whoever may not act for a member finds none of these pages, and a member finds no receipt of what
they had no part in.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

import segno
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from config.log.keys import is_attested_by_the_log_alone
from config.log.receipts import Find, found_receipt
from config.templatetags.figures import NOTHING
from config.web.personas import use_persona
from config.web.receipt_words import field_words
from config.web.transfer_words import REASONS
from ledger.domain.receipt_text import link_text
from ledger.queries import Balance, TransferLine, get_balances, get_units, list_transfers
from ledger.services.receipts import (
    PublishedLog,
    Receipt,
    ReceiptState,
    Table,
    get_balance_receipt,
    get_document_receipt,
    get_row_receipt,
    get_transfer_receipt,
)
from marketplace.domain.book_rows import book_key
from marketplace.domain.transfer_codes import TransferCode
from marketplace.queries.documents import OwnRows, get_own_rows, list_own_documents
from marketplace.queries.pages import Persona

ROLES = ("household", "enterprise", "data_provider", "planner")
LINES_SHOWN = 50
# What a code of the largest size holds as bytes.
CODE_BYTES_MAX = 2_953

_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)


@dataclass(frozen=True)
class OwnAccount:
    """One of a member's accounts."""

    account_id: int
    name: str
    currency: str
    balance: Balance


@dataclass(frozen=True)
class OwnTransfer:
    """A transfer of a member's, in words."""

    line: TransferLine
    reason: str


@require_safe
def receipts(request: HttpRequest, participant_id: int) -> HttpResponse:
    """List a member's accounts and newest transfers, each with its receipt."""
    persona = use_persona(request, participant_id, *ROLES)
    asked = _NUMBER.fullmatch(request.GET.get("before", ""))
    lines = list_transfers(
        account_ids=_account_ids(persona),
        before_id=int(asked[0]) if asked else None,
        limit=LINES_SHOWN + 1,
    )
    context = {
        "accounts": _accounts(persona),
        "documents": list_own_documents(participant_id=participant_id),
        "transfers": [_worded(line) for line in lines[:LINES_SHOWN]],
        "older": lines[LINES_SHOWN - 1].id if len(lines) > LINES_SHOWN else None,
    }
    return _page(request, persona, "receipts/list.html", context)


@require_safe
@never_cache
def transfer(
    request: HttpRequest, participant_id: int, transfer_id: int, *, as_file: bool = False
) -> HttpResponse:
    """Show or hand out the receipt of one of the member's own transfers."""
    persona = use_persona(request, participant_id, *ROLES)
    own = _account_ids(persona)
    found = list_transfers(account_ids=own, before_id=transfer_id + 1, limit=1)
    if not found or found[0].id != transfer_id:
        raise Http404

    def find(log: PublishedLog) -> Receipt | None:
        return get_transfer_receipt(transfer_id=transfer_id, log=log)

    if as_file:
        return _file(request, find, f"transfer-{transfer_id}")
    context: dict[str, object] = {
        "title": _("Receipt of transfer {number}").format(number=transfer_id),
        "transfer": _worded(found[0]),
        "currencies": {account.currency for account in _accounts(persona)},
        "file_url": reverse("receipt_transfer_file", args=[participant_id, transfer_id]),
    }
    return _receipt_page(request, persona, find, context)


@require_safe
@never_cache
def balance(
    request: HttpRequest, participant_id: int, account_id: int, *, as_file: bool = False
) -> HttpResponse:
    """Show or hand out the proof of what is on one of the member's own accounts."""
    persona = use_persona(request, participant_id, *ROLES)
    found = [account for account in _accounts(persona) if account.account_id == account_id]
    if not found:
        raise Http404

    def find(log: PublishedLog) -> Receipt | None:
        return get_balance_receipt(account_id=account_id, log=log)

    if as_file:
        return _file(request, find, f"balance-{account_id}")
    context: dict[str, object] = {
        "title": _("Proof of my balance"),
        "account": found[0],
        "file_url": reverse("receipt_balance_file", args=[participant_id, account_id]),
    }
    return _receipt_page(request, persona, find, context)


@require_safe
@never_cache
def document(
    request: HttpRequest, participant_id: int, key: str, *, as_file: bool = False
) -> HttpResponse:
    """Show or hand out the receipt of a logged document that concerns the member."""
    persona = use_persona(request, participant_id, *ROLES)
    own = {each.key: each for each in list_own_documents(participant_id=participant_id)}
    if key not in own:
        raise Http404

    def find(log: PublishedLog) -> Receipt | None:
        return get_document_receipt(key=key, names=own[key].names, log=log)

    if as_file:
        return _file(request, find, key.replace(":", "-"))
    context: dict[str, object] = {
        "title": _("Receipt of a document"),
        "document": own[key],
        "file_url": reverse("receipt_document_file", args=[participant_id, key]),
    }
    return _receipt_page(request, persona, find, context)


@require_safe
@never_cache
def row(
    request: HttpRequest,
    participant_id: int,
    interval_id: int,
    revision: int,
    index: int | None = None,
    *,
    as_file: bool = False,
) -> HttpResponse:
    """Show or hand out the member's own row of an interval's book; row 0 says which interval."""
    persona = use_persona(request, participant_id, *ROLES)
    key = book_key(interval_id, revision)
    own = get_own_rows(key=key, participant_id=participant_id)
    if own is None:
        raise Http404
    at = own.positions[0] if index is None else index
    if at not in (0, *own.positions):
        raise Http404

    def find(log: PublishedLog) -> Receipt | None:
        return get_row_receipt(Table(key, own.all_rows), row=own.row(at), index=at, log=log)

    if as_file:
        return _file(request, find, f"book-{interval_id}-{revision}-row-{at}")
    arguments = [participant_id, interval_id, revision]
    context: dict[str, object] = {
        "title": _("The interval in the book") if at == 0 else _("My row of the interval's book"),
        "row": _shown_row(own.row(at), _zone(persona)),
        "rows": [(each, reverse("receipt_row", args=[*arguments, each])) for each in _all(own)],
        "at": at,
        "file_url": reverse("receipt_row_file", args=[*arguments, at]),
    }
    return _receipt_page(request, persona, find, context)


def _all(own: OwnRows) -> list[int]:
    return [0, *own.positions]


def _shown_row(row: bytes, zone: tzinfo) -> list[tuple[str, str]]:
    """Return a row as names and texts; what they mean stands in docs/rules.md."""
    written: dict[str, object] = json.loads(row)
    words = field_words()
    return [(words.get(name, name), _text(name, text, zone)) for name, text in written.items()]


def _text(name: str, text: object, zone: tzinfo) -> str:
    if text is None:
        return NOTHING
    if name in ("closes", "ends", "starts"):
        return f"{datetime.fromtimestamp(int(str(text)) // 10**6, zone):%Y-%m-%d %H:%M}"
    return text if isinstance(text, str) else json.dumps(text, ensure_ascii=False)


def _receipt_page(
    request: HttpRequest, persona: Persona, find: Find, context: dict[str, object]
) -> HttpResponse:
    found = found_receipt(find)
    if found is None:
        raise Http404
    context |= {"receipt": found, "is_attested": found.state == ReceiptState.ATTESTED}
    if found.state == ReceiptState.ATTESTED:
        link = f"{reverse('receipt_check')}#{link_text(found.text)}"
        context |= {"check_url": link, "code": _code(request.build_absolute_uri(link))}
        context["is_alone"] = is_attested_by_the_log_alone()
    return _page(request, persona, "receipts/receipt.html", context)


def _file(request: HttpRequest, find: Find, name: str) -> HttpResponse:
    """Return the receipt as a file; with every signature there is if the reader asks for all."""
    found = found_receipt(find, with_all_signatures=request.GET.get("signatures") == "all")
    if found is None or found.state != ReceiptState.ATTESTED:
        raise Http404
    answer = HttpResponse(found.text, content_type="text/plain; charset=utf-8")
    answer.headers["Content-Disposition"] = f'attachment; filename="{name}.tlog-proof"'
    return answer


def _code(url: str) -> str:
    """Return a QR code as SVG; empty where the receipt is too long for one."""
    if len(url) > CODE_BYTES_MAX:
        return ""
    code = segno.make(url, error="l", mode="byte", micro=False, boost_error=False)
    drawn: str = code.svg_inline(border=4, omitsize=True, svgclass="receipt-code", lineclass=None)
    return drawn


def _page(
    request: HttpRequest, persona: Persona, template: str, context: dict[str, object]
) -> HttpResponse:
    """Render a page in the persona's civil time."""
    with timezone.override(_zone(persona)):
        return render(request, template, {"persona": persona, **context})


def _zone(persona: Persona) -> tzinfo:
    return persona.place.zone if persona.place else UTC


def _account_ids(persona: Persona) -> list[int]:
    own = (persona.energy_account_id, persona.wallet_account_id)
    return [account_id for account_id in own if account_id is not None]


def _accounts(persona: Persona) -> list[OwnAccount]:
    own = _account_ids(persona)
    balances, units = get_balances(account_ids=own), get_units(account_ids=own)
    return [
        OwnAccount(
            each,
            _("Energy") if each == persona.energy_account_id else _("Wallet"),
            units[each].partition("/")[0],
            balances[each],
        )
        for each in own
    ]


def _worded(line: TransferLine) -> OwnTransfer:
    return OwnTransfer(line, str(REASONS[TransferCode(line.code)]))
