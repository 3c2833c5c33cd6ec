"""Every lie about agreements, orders before delivery, and books and money of form 2."""

from tests.log import agreed_lies, forward_lies
from tests.log.agreed_lies import in_book_ahead, in_lane, in_money_ahead
from tests.log.caught import ACCEPTED, Lie
from tests.log.forward_city import ForwardOperator
from tests.log.forward_lies import in_auction

LIES_OF_FORM_2: list[Lie[ForwardOperator]] = [
    Lie(
        "sell what was a gift",
        in_book_ahead(agreed_lies.sell_a_gift),
        "matches",
        "document",
        hall_says="its match_prices are not",
    ),
    Lie(
        "leave an agreement out",
        in_lane(agreed_lies.leave_it_out),
        "matches",
        "document",
        hall_says="its match_agreements are not",
    ),
    Lie(
        "move more than an agreement says",
        in_lane(agreed_lies.move_more),
        "matches",
        "document",
        hall_says="its match_wh are not",
    ),
    Lie(
        "apply an agreement that has ended",
        agreed_lies.apply_ended,
        "matches",
        "document",
        hall_says="its match_agreements are not",
    ),
    Lie(
        "log an agreement that one side did not sign",
        agreed_lies.sign_for_the_other,
        "agreement",
        "document",
    ),
    Lie("end an agreement for both sides", agreed_lies.end_for_them, "agreement", "document"),
    # Auctions before delivery.
    Lie(
        "let an order in whose margin was held too late",
        forward_lies.hold_afterwards,
        "hold",
        "document",
        hall_says="was not booked before the gate closed",
    ),
    Lie(
        "let an order in whose margin is too small",
        forward_lies.hold_too_little,
        "hold",
        "document",
        hall_says="is less than its orders need",
    ),
    Lie(
        "sell for somebody what another offers cheaper",
        in_auction(forward_lies.prefer_bob),
        "auction",
        "document",
        hall_says="the auction gives",
    ),
    Lie(
        "change the price of a zone",
        in_auction(forward_lies.dearer_zone),
        "auction",
        "document",
        hall_says="its prices are",
    ),
    Lie(
        "send more than a link carries",
        in_auction(forward_lies.overload),
        "auction",
        "document",
        hall_says="the auction gives",
    ),
    Lie(
        "drop an order that has no minimum",
        in_auction(forward_lies.drop_without_minimum),
        "auction",
        "document",
        hall_says="the auction gives",
    ),
    Lie(
        "trade while trading is halted",
        in_auction(forward_lies.halt_and_trade),
        "auction",
        "document",
        hall_says="it was halted and traded all the same",
    ),
    Lie(
        "log an auction after its book",
        forward_lies.auction_after_book,
        "book",
        "document",
    ),
    # Books and money.
    Lie(
        "give a fill to a friend",
        in_book_ahead(agreed_lies.prefer_a_friend),
        "auction",
        "document",
        hall_says="sold_wh of metering point",
    ),
    Lie(
        "clear at another price than the auction's",
        in_book_ahead(agreed_lies.cheaper_west),
        "auction",
        "document",
        hall_says="its prices are",
    ),
    Lie(
        "change a middle price",
        in_lane(agreed_lies.dearer_middle),
        "auction",
        "document",
        hall_says="its prices are",
    ),
    Lie(
        "clear under other rules than the auction's",
        agreed_lies.book_under_other_rules,
        "book",
        "document",
        hall_says="its rows or its rules are not those in the log",
    ),
    Lie(
        "correct an hour under other rules",
        agreed_lies.correct_by_tomorrow,
        "revision",
        "document",
        hall_says="its rules are not those of the revision before",
    ),
    Lie(
        "leave the grid fees out",
        in_money_ahead(agreed_lies.without_grid_fees),
        "settlement",
        "command",
        hall_says="its settlement is not what its book comes to",
    ),
    Lie(
        "pay a friend what another is due for a deviation",
        in_money_ahead(agreed_lies.pay_a_friend),
        "settlement",
        "command",
        hall_says="its settlement is not what its book comes to",
    ),
    Lie(
        "keep the rent of a full link",
        in_money_ahead(agreed_lies.keep_the_rent),
        "settlement",
        "command",
        hall_says="its settlement is not what its book comes to",
    ),
    Lie(
        "book a deviation without a book",
        agreed_lies.deviations_elsewhere,
        "code",
        "command",
    ),
    # What no validator can know.
    Lie(
        "drop an order for its minimum where zones are joined",
        in_auction(forward_lies.drop_for_minimum),
        ACCEPTED,
        noticed_by="the member, whose order was dropped, and `verify_ledger`",
        hall_says="the auction gives",
    ),
    Lie(
        "say that trading was halted",
        forward_lies.say_halted,
        ACCEPTED,
        noticed_by="every member: their own orders, and no halt on the page",
        hall_says="no halt was ordered",
    ),
    Lie(
        "clear under rules that are not in force yet",
        agreed_lies.clear_by_tomorrow,
        ACCEPTED,
        noticed_by="the members: the book names its rules, which are public to them",
    ),
]
