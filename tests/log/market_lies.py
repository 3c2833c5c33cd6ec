"""What a lying operator does to books of intervals, their documents and their money."""

import base64
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from unittest import mock

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.domain.commands import Command, Int64Array, decode
from ledger.domain.documents import Document
from ledger.models import InboxCommand
from ledger.services import submit
from marketplace.domain.book_rows import rules_document
from marketplace.domain.interval_book import IntervalBook
from marketplace.models import SignedTerms
from marketplace.services.standing import revoke_standing_rule
from tests.log.lies import honestly
from tests.log.lying_operator import FLOWS, Operator
from tests.market.street import CORRECTIONS, at


def in_book(change: Callable[[IntervalBook], IntervalBook]) -> Callable[[Operator], None]:
    """Change a cleared hour's book before it is sealed; its document and its money follow."""

    def do(hall: Operator) -> None:
        hall.clear()
        hall.rewrite_book(change)
        hall.settle()
        hall.seal()

    return do


def settlement(hall: Operator, *, hour: int = 1, revision: int = 1) -> str:
    return f"settle:{hall.street.interval(hour).id}:{revision}"


def edit_command(hall: Operator) -> None:
    """Charge a member a micro more: the command, its transfers and the state agree."""
    hall.clear()
    hall.settle()
    rewrite_settlement(hall, lambda amount: np.where(amount == amount.max(), amount + 1, amount))
    hall.seal()


def rewrite_settlement(
    hall: Operator, change: Callable[[Int64Array], Int64Array], rules: str | None = None
) -> None:
    key = settlement(hall)
    said = decode(bytes(InboxCommand.objects.get(key=key).body))
    moved = replace(said.transfers, amount=change(said.transfers.amount))
    command = Command.of(key, moved, document=said.document, rules=rules or said.rules)
    hall.rewrite_command(command, was=key)


def settle_under_other_rules(hall: Operator) -> None:
    hall.clear()
    hall.settle()
    rewrite_settlement(hall, lambda amount: amount, rules="ab" * 32)
    hall.seal()


def settle_twice(hall: Operator) -> None:
    """Book the first hour's money once more, under a key of its own."""
    said = decode(bytes(InboxCommand.objects.get(key=settlement(hall, hour=0)).body))
    submit(commands=[Command.of("again", said.transfers)], submitted_at=hall.now)
    hall.seal()


def leave_without_money(hall: Operator) -> None:
    hall.clear()
    hall.seal()


def skip_settlement(hall: Operator) -> None:
    hall.clear()
    hall.seal()
    hall.own("UPDATE marketplace_deliveryinterval SET state = 4 WHERE state = 3")
    hall.clear(flows={"alice": (0, 10)}, now=at(3))
    hall.seal()


def skip_revision(hall: Operator) -> None:
    interval = hall.street.interval(0)
    hall.clear(hour=0, flows={"alice": (0, 10)}, now=at(2))
    hall.own("UPDATE marketplace_clearing SET revision = 3 WHERE revision = 2")
    hall.own("UPDATE marketplace_deliveryinterval SET revision = 3 WHERE revision = 2")
    interval.refresh_from_db()
    hall.rewrite_book(lambda book: book, interval=interval, was=f"book:{interval.id}:2")
    hall.seal()


def amend_fills(hall: Operator) -> None:
    hall.clear(hour=0, flows={"alice": (0, 10)}, now=at(1) + CORRECTIONS + timedelta(hours=1))
    hall.rewrite_book(
        lambda book: replace(book, sold_wh=book.sold_wh[::-1], bought_wh=book.bought_wh[::-1]),
        interval=hall.street.interval(0),
    )
    hall.seal()


# The book.


def cheaper(book: IntervalBook) -> IntervalBook:
    assert book.price is not None
    return replace(book, price=book.price - 1000)


def changed(name: str, row: int, by: int) -> Callable[[IntervalBook], IntervalBook]:
    def change(book: IntervalBook) -> IntervalBook:
        column = getattr(book, name).copy()
        column[row] += by
        return replace(book, **{name: column})

    return change


def dearer_fee(book: IntervalBook) -> IntervalBook:
    return replace(book, platform_fee=book.platform_fee + 1)


def move_fill(book: IntervalBook) -> IntervalBook:
    sold = book.sold_wh.copy()
    sold[0], sold[1] = sold[0] - 5, sold[1] + 5
    return replace(book, sold_wh=sold)


def twice(book: IntervalBook) -> IntervalBook:
    points = book.metering_point_ids.copy()
    points[1] = points[0]
    return replace(book, metering_point_ids=points)


def left_out(book: IntervalBook) -> IntervalBook:
    return replace(book, left_out_ids=book.metering_point_ids[:1])


def more_than_any_meter(hall: Operator) -> None:
    hall.clear()
    hall.rewrite_book(changed("import_wh", -1, 2 * 10**9))
    hall.seal()


def call_it_a_correction(hall: Operator) -> None:
    hall.clear()
    hall.own(
        "UPDATE marketplace_clearing SET reason = 3 WHERE interval_id = %s",
        hall.street.interval(1).id,
    )
    hall.rewrite_book(lambda book: book)
    hall.settle()
    hall.seal()


def edit_kept_book(hall: Operator) -> None:
    """Tell validators another reading than the one that was logged and paid for."""
    honestly(hall)
    hall.rewrite_book(changed("import_wh", -1, 100), logs=False)


def unlogged_rules(hall: Operator) -> None:
    hall.clear()
    hall.rewrite_document(f"book:{hall.street.interval(1).id}:1", rules="ab" * 32)
    hall.seal()


def forged_rules(hall: Operator) -> None:
    digest = "ab" * 32
    submit(commands=[rules_document(digest)], submitted_at=hall.now)
    hall.client.forged[f"openings/documents/rules:{digest}"] = b"{}"
    hall.seal()


def another_key(hall: Operator) -> None:
    """Book a settlement's money under a name that no book has."""
    hall.clear()
    hall.settle()
    key = settlement(hall)
    said = decode(bytes(InboxCommand.objects.get(key=key).body))
    hall.rewrite_command(Command.of("fees-1", said.transfers), was=key)
    hall.seal()


def no_rows(hall: Operator) -> None:
    honestly(hall)
    hall.client.forged[f"openings/documents/book:{hall.street.interval(1).id}:1"] = None


# Signed terms.


def sign(hall: Operator) -> SignedTerms:
    """Have Alice sign a limit, so early that the next hour surely follows it."""
    hall.street.set_rule("alice", sell=300_000, now=at(0) + timedelta(minutes=30))
    return SignedTerms.objects.get()


def on_anything() -> AbstractContextManager[object]:
    """Let the hall clear on whatever its tables say, as a liar's program does."""
    return mock.patch("marketplace.queries.terms.check_orders")


def other_limit(hall: Operator) -> None:
    """Put a price on Alice's energy that she did not: auction, fills and money are made of it."""
    sign(hall)
    hall.own("UPDATE marketplace_offer SET limit_price_micro = 310000 WHERE signed_terms_id > 0")
    with on_anything():
        hall.clear()
    hall.settle()
    hall.seal()


def trade_all_the_same(hall: Operator) -> None:
    sign(hall)
    alice = hall.street.point("alice").id
    revoke_standing_rule(metering_point_id=alice, now=at(0) + timedelta(minutes=40))
    hall.own("UPDATE marketplace_offer SET valid_until = NULL WHERE signed_terms_id > 0")
    with on_anything():
        hall.clear()
    hall.settle()
    hall.seal()


def unsigned_text(hall: Operator) -> None:
    """Log and tell other terms under the signature of what Alice signed."""
    signed = sign(hall)
    body = bytes(signed.body).replace(b'"300000"', b'"310000"')
    log_text(hall, signed, body, bytes(signed.signature))


def unknown_key(hall: Operator) -> None:
    """Write other terms for Alice, and sign them by a key that never began to be hers."""
    signed = sign(hall)
    key = Ed25519PrivateKey.generate()
    own = base64.b64encode(bytes(signed.key.public_key))
    other = base64.b64encode(key.public_key().public_bytes_raw())
    body = bytes(signed.body).replace(own, other)
    log_text(hall, signed, body, key.sign(body))


def log_text(hall: Operator, signed: SignedTerms, body: bytes, signature: bytes) -> None:
    name = f"terms:{signed.id}"
    document = Document(kind="terms", private={"terms": sha256(body).hexdigest()})
    hall.rewrite_command(document.command(name), was=name)
    told = body + b"\n" + base64.b64encode(signature) + b"\n"
    hall.client.forged[f"openings/documents/{name}"] = told
    hall.seal()


def another_reading(hall: Operator) -> None:
    """Change a reading on its way in, before anything is cleared."""
    hall.clear(flows={**FLOWS, "hanna": (10_000, 0)})
    hall.settle()
    hall.seal()
