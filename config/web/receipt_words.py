"""What the page "check it yourself" says; its script has no words of its own."""

from django.utils.translation import gettext as _

from config.web.transfer_words import REASONS


def receipt_words() -> dict[str, object]:
    """Return every sentence of the page in the reader's language; ``{name}`` is filled in there."""
    return {
        "holds": _("The receipt holds."),
        "holds_alone": _("The receipt holds, but on the hall's word alone."),
        "refused": _("Refused. This receipt proves nothing."),
        "empty": _("There is nothing to check yet."),
        "unreadable": _("This cannot be read as a receipt."),
        "bad_policy": _("The policy cannot be used. Correct it, or take another."),
        "no_ed25519": _(
            "This browser cannot check signatures here. Use a current browser, or the command line."
        ),
        "insecure": _("This page came without TLS: browsers do no cryptography on such pages."),
        "steps_heading": _("What was checked"),
        "skipped": _("Not checked: an earlier step failed."),
        "nobody": _("Your policy asks for nobody but the log itself: nobody else attests this."),
        "smallest": _("{amount} smallest units; of money, millionths"),
        "place": _("{index} of {size} entries, counted from 0"),
        "kinds": {
            "transfer": _("A transfer of the book"),
            "document": _("A document"),
            "row": _("One row of a table"),
            "balance": _("The balance of an account"),
        },
        "moves": {
            "posted": _("booked"),
            "hold": _("reserved"),
            "post": _("booked from a reservation"),
            "release": _("reservation ended"),
        },
        "reasons": {str(int(code)): str(reason) for code, reason in REASONS.items()},
        **_step_words(),
        "labels": _labels(),
        "fields": field_words(),
    }


def field_words() -> dict[str, str]:
    """Return what the names in a book's rows and in documents mean; others stand as they are."""
    return {
        "account": _("Account"),
        "bought_wh": _("Bought from neighbours [Wh]"),
        "buy_limit": _("Buys at or below [millionths per kWh]"),
        "community": _("Community"),
        "ends": _("Ends"),
        "export_wh": _("Export [Wh]"),
        "feed_in": _("Feed-in tariff [millionths per kWh]"),
        "import_wh": _("Import [Wh]"),
        "interval": _("Interval"),
        "key": _("Key of the document"),
        "meter": _("Metering point"),
        "offer": _("Offer"),
        "owed_wh": _("Owed by devices, changed by [Wh]"),
        "parties": _("Accounts of the community's parties"),
        "participant": _("Member"),
        "platform_fee": _("Platform fee [millionths per kWh]"),
        "price": _("Clearing price [millionths per kWh]"),
        "public_key": _("SHA-256 of the public key"),
        "reason": _("Cleared because of"),
        "request": _("Request"),
        "retail": _("Retail tariff [millionths per kWh]"),
        "revision": _("Revision"),
        "rows": _("Root of all rows"),
        "rules": _("SHA-256 of the rule set"),
        "sell_limit": _("Sells at or above [millionths per kWh]"),
        "sold_wh": _("Sold to neighbours [Wh]"),
        "starts": _("Begins"),
        "statement": _("SHA-256 of the statement"),
        "terms": _("SHA-256 of the signed text"),
        "timezone": _("Time zone"),
        "wh": _("Energy [Wh]"),
        **_market_words(),
        **_data_words(),
    }


def _market_words() -> dict[str, str]:
    # What books and auctions of form 2 say besides; docs/market.md has their meaning.
    return {
        "agreement": _("Agreement"),
        "auction": _("Key of the auction"),
        "buyer": _("Buyer's metering point"),
        "closes": _("Gate closes at"),
        "dropped": _("Its minimum was not reached"),
        "estimated": _("Reading is an estimate"),
        "filled": _("Filled by the auction [Wh]"),
        "form": _("Form of the rules"),
        "hold": _("Key of the hold"),
        "level": _("Voltage level"),
        "limit": _("Limit price [millionths per kWh]"),
        "links": _("Sent and received over links [Wh]"),
        "matches": _("Rows of agreements"),
        "minimum": _("Least fill [Wh]"),
        "order": _("Order"),
        "orders": _("Rows of orders"),
        "positions": _("Rows of metering points"),
        "prices": _("Clearing prices by zone [millionths per kWh]"),
        "seller": _("Seller's metering point"),
        "side": _("Buys or sells"),
        "weight": _("Weight of its share"),
        "zone": _("Zone"),
    }


def _data_words() -> dict[str, str]:
    # What documents of the data market say; docs/data.md has their meaning.
    return {
        "buyer_signature": _("Signature of the buyer"),
        "contract": _("SHA-256 of the signed contract"),
        "revocation": _("SHA-256 of the signed revocation"),
        "seller_signature": _("Signature of the seller"),
        "signature": _("Signature"),
    }


def _step_words() -> dict[str, dict[str, str]]:
    """Return per step its name and what it means that it held or failed."""
    return {
        "names": {
            "form": _("Form"),
            "log_signature": _("Signature of the log"),
            "cosignatures": _("Witnesses and validators"),
            "path": _("Place in the log"),
            "entry": _("Entry"),
            "content": _("Content"),
        },
        "done": {
            "form": _("It is a whole receipt, written in the one way it can be written."),
            "log_signature": _("{origin} signed the state of its log with {size} entries."),
            "cosignatures": _("Enough others signed the same state: {count} of your policy."),
            "path": _("The entry stands in that log, at place {index}."),
            "entry": _("The entry is of the kind that this receipt says it is."),
            "content": _("What is shown here is exactly what the entry commits to."),
        },
        "failed": {
            "form": _("It is not a whole receipt: something is missing, added or changed."),
            "log_signature": _("The log's signature is missing, or does not belong to this text."),
            "cosignatures": _("A cosignature is false, or too few of your policy signed."),
            "path": _("This entry does not stand at this place of the log."),
            "entry": _("The entry is not of the kind that this receipt says it is."),
            "content": _("The entry stands in the log, but says something else than shown."),
        },
    }


def _labels() -> dict[str, str]:
    return {
        "what": _("What it proves"),
        "place": _("Place in the log"),
        "number": _("Number"),
        "amount": _("Amount"),
        "move": _("Kind"),
        "reason": _("Reason"),
        "from": _("From account"),
        "to": _("To account"),
        "time": _("Booked at"),
        "corrects": _("Corrects transfer"),
        "hold": _("Ends reservation"),
        "account": _("Account"),
        "balance": _("Balance"),
        "came_in": _("Received in all"),
        "went_out": _("Given in all"),
        "reserved": _("Reserved"),
        "limit": _("Credit limit"),
        "block": _("After block"),
        "document": _("Kind of document"),
        "row": _("Row"),
    }
