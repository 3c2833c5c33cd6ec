"""What a lying operator does to a forward market: orders, their holds, auctions."""

import json
from collections.abc import Callable

import numpy as np

from ledger.domain.commands import Command, Transfers
from ledger.models import InboxCommand
from ledger.services import submit
from marketplace.models import Auction
from tests.log.forward_city import LIMIT_WH, ForwardOperator, Rows

HOLD, MARGIN_CODE = 1, 22
NO_PRICES = '{"east": null, "west": null}'


def trade_ahead(hall: ForwardOperator) -> None:
    """Tell no lie: the auction, the book and its money, and an hour of the lane."""
    hall.clear_ahead()
    hall.settle_ahead()
    hall.clear()
    hall.settle()
    hall.seal()


def in_auction(
    change: Callable[[ForwardOperator, Rows], None],
) -> Callable[[ForwardOperator], None]:
    def do(hall: ForwardOperator) -> None:
        hall.close_gate()
        hall.rewrite_auction(lambda rows: change(hall, rows))
        hall.seal()

    return do


def fill(hall: ForwardOperator, rows: Rows, meter: str, more: int) -> None:
    row = hall.row_of(rows, meter)
    row["filled"] = str(int(row["filled"]) + more)


def prefer_bob(hall: ForwardOperator, rows: Rows) -> None:
    """Sell for Bob what Alice offers cheaper."""
    fill(hall, rows, "alice", -10)
    fill(hall, rows, "bob", 10)


def overload(hall: ForwardOperator, rows: Rows) -> None:
    """Send a Wh more than the link carries, and sell it."""
    fill(hall, rows, "alice", 1)
    fill(hall, rows, "charlie", 1)
    rows[0]["links"] = [{"received": str(LIMIT_WH + 1), "sent": str(LIMIT_WH + 1)}]


def dearer_zone(hall: ForwardOperator, rows: Rows) -> None:
    """Let the east pay a micro more, and keep it as congestion rent."""
    rows[0]["prices"]["east"] = str(int(rows[0]["prices"]["east"]) + 1)


def drop(hall: ForwardOperator, rows: Rows, meter: str) -> None:
    """Leave a buyer of the west out, as if a minimum had not been reached."""
    row = hall.row_of(rows, meter)
    fill(hall, rows, "alice", -int(row["filled"]))
    row |= {"dropped": "1", "filled": "0"}


def drop_without_minimum(hall: ForwardOperator, rows: Rows) -> None:
    hall.row_of(rows, "dora")["minimum"] = "0"
    drop(hall, rows, "dora")


def drop_for_minimum(hall: ForwardOperator, rows: Rows) -> None:
    drop(hall, rows, "dora")


def halt_and_trade(hall: ForwardOperator, rows: Rows) -> None:
    rows[0]["reason"] = "halted"


def say_halted(hall: ForwardOperator) -> None:
    """Say that trading stood still when the gate closed, wherever it is said."""
    hall.close_gate()
    hall.rewrite_auction(halt)
    hall.own("UPDATE marketplace_auction SET reason = 2, volume_wh = 0, prices = %s", NO_PRICES)
    hall.own("UPDATE marketplace_order SET filled_wh = 0")
    hall.seal()


def halt(rows: Rows) -> None:
    rows[0] |= {
        "links": [{"received": "0", "sent": "0"}],
        "prices": json.loads(NO_PRICES),
        "reason": "halted",
    }
    for row in rows[1:]:
        row["filled"] = "0"


def hold_afterwards(hall: ForwardOperator) -> None:
    """Let an order take part whose margin is held when the gate has closed."""
    hold(hall, 10**9)
    hall.seal()
    put_under_other_hold(hall)


def hold_too_little(hall: ForwardOperator) -> None:
    """Let an order take part whose margin is a micro, though in time."""
    hold(hall, 1)
    hall.seal(now=hall.before_gate)
    put_under_other_hold(hall)


def hold(hall: ForwardOperator, micro: int) -> None:
    guest, till = hall.pair()
    leg = [np.array([each], dtype=np.int64) for each in (guest, till, micro, MARGIN_CODE, HOLD)]
    held = Transfers(leg[0], leg[1], leg[2], leg[3], kind=leg[4])
    submit(commands=[Command.of("orders:999", held)], submitted_at=hall.now)


def put_under_other_hold(hall: ForwardOperator) -> None:
    hall.close_gate()
    hall.rewrite_auction(lambda rows: hall.row_of(rows, "bob").update(hold="orders:999"))
    hall.seal()


def auction_after_book(hall: ForwardOperator) -> None:
    """Log first what was delivered, then what had been traded."""
    later = InboxCommand.objects.get(key=hall.clear_ahead()).id
    sooner = InboxCommand.objects.get(key=Auction.objects.get().document_key).id
    hall.own("UPDATE ledger_inboxcommand SET id = -id WHERE id IN (%s, %s)", sooner, later)
    hall.own("UPDATE ledger_inboxcommand SET id = %s + id WHERE id < 0", sooner + later)
    hall.seal()
