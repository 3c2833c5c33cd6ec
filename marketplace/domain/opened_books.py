"""Check the books of a log that was opened: rows, rules, auctions and the money that follows."""

import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256

import numpy as np

from ledger.domain.commands import Command
from ledger.domain.documents import Document
from ledger.domain.rows import rows_root
from ledger.domain.rule_core import Answer
from marketplace.domain.book_check import Fault, check_amended_book, check_cleared_book
from marketplace.domain.book_rows import BOOK_KIND, FIRST_POSITION, RULES_KIND
from marketplace.domain.forward.auction_book import read_auction
from marketplace.domain.forward.auction_check import auction_fault
from marketplace.domain.forward.delivery import HeldAuction
from marketplace.domain.interval_book import Int64Array, IntervalBook
from marketplace.domain.interval_rules import IntervalRules
from marketplace.domain.market_check import Given
from marketplace.domain.opened_market import (
    AGREEMENT_KIND,
    OpenedAgreements,
    check_market_rows,
    moment_of,
)
from marketplace.domain.rules import Rules, RulesInvalid, load_rules
from marketplace.domain.settlement import CommunityAccounts, entries_of, transfers_between

AUCTION_PREFIX = "auction:"


@dataclass(frozen=True, eq=False)
class OpenedBook:
    """An interval's book as its rows tell it."""

    book: IntervalBook
    revision: int
    reason: str
    starts_at: datetime
    accounts: CommunityAccounts
    rules_sha256: str


class OpenedBooks:
    """Follows the documents and settlements of a log.

    Parameters
    ----------
    read_document : callable
        Returns what a document stands for by its key, None where there is nothing.
    """

    def __init__(self, read_document: Callable[[str], bytes | None]) -> None:
        self._read = read_document
        self._rules: dict[str, Rules] = {}
        self._latest: dict[str, tuple[OpenedBook | None, OpenedBook]] = {}
        self._agreements = OpenedAgreements()
        self._auctions: dict[str, HeldAuction] = {}
        self._pruned: set[str] = set()  # books whose money cannot be recomputed any more
        self.checked = 0

    def know(self, documents: Mapping[str, str]) -> Fault | None:
        """Take over what was logged before a snapshot, as keys and kinds.

        Rules come with their text, which their key is the hash of; of books nobody can say any
        more what they were.
        """
        for key, kind in documents.items():
            if kind == BOOK_KIND:
                self._pruned.add(key)
            elif kind == RULES_KIND:
                named = Document(RULES_KIND, {"sha256": key.partition(":")[2]})
                if fault := self._take_rules(key, named):
                    return fault
        return None

    def check(self, answer: Answer) -> Fault | None:
        """Check one answer of the log; None if all follows or it is none of the market's."""
        key, said = answer.asked.key, answer.asked.said
        try:
            if isinstance(said, Document) and said.kind == RULES_KIND:
                return self._take_rules(key, said)
            if isinstance(said, Document) and said.kind == AGREEMENT_KIND:
                return self._agreements.take(key, said, self._read(key))
            if isinstance(said, Document) and said.kind == BOOK_KIND:
                return self._take_rows(key, said)
        except (ValueError, KeyError, TypeError, IndexError) as error:
            return Fault(f"{key} cannot be read: {error}")
        if answer.posting is not None and key.startswith("settle:"):
            return self._check_settlement(answer)
        return None

    def _take_rules(self, key: str, document: Document) -> Fault | None:
        text = self._read(key)
        if text is None or sha256(text).hexdigest() != document.public["sha256"]:
            return Fault(f"{key} stands for a text of another hash")
        try:
            self._rules[document.public["sha256"]] = load_rules(json.loads(text))
        except RulesInvalid as error:
            return Fault(f"{key}: {error}")
        return None

    def _take_rows(self, key: str, document: Document) -> Fault | None:
        text = self._read(key)
        if text is None:
            return Fault(f"the rows of {key} are missing")
        rows = text.splitlines()
        root = rows_root(rows, b64decode(document.private["seed"]))
        if b64encode(root).decode() != document.public["rows"]:
            return Fault(f"the rows of {key} do not hash to the root in the log")
        rules = self._rules.get(document.public["rules"])
        if rules is None:
            return Fault(f"{key} names rules that were not logged before it")
        if key.startswith(AUCTION_PREFIX):
            return self._take_auction(key, rows, rules)
        opened = read_book(rows, rules_sha256=document.public["rules"])
        return self._take_book(key, rows, opened, rules)

    def _take_auction(self, key: str, rows: list[bytes], rules: Rules) -> Fault | None:
        stored = read_auction(rows)
        if what := auction_fault(stored, rules):
            return Fault(f"{key}: {what}")
        self._auctions[key] = HeldAuction.of(stored, rules.market.zones)
        return None

    def _take_book(
        self, key: str, rows: list[bytes], opened: OpenedBook, rules: Rules
    ) -> Fault | None:
        interval = key.split(":")[1]
        if opened.revision > 1 and f"book:{interval}:{opened.revision - 1}" in self._pruned:
            self._pruned.add(key)
            if opened.reason == "after_deadline":
                return None
            before = None
        else:
            before = self._latest[interval][1] if opened.revision > 1 else None
        amended = before.book if before and opened.reason == "after_deadline" else None
        if rules.market.form == 1:
            prices = rules.prices_at(opened.starts_at)
            fault = (
                check_cleared_book(opened.book, prices)
                if amended is None
                else check_amended_book(opened.book, amended, prices)
            )
        else:
            given = Given(
                rules=IntervalRules.of(rules, opened.starts_at),
                agreements=self._agreements.at(opened.starts_at),
                auction=self._auctions.get(f"{AUCTION_PREFIX}{interval}"),
            )
            book, fault = check_market_rows(rows, given, timezone=rules.timezone, before=amended)
            opened = replace(opened, book=book)
        if key not in self._pruned:
            self._latest[interval] = before, opened
            self.checked += 1
        return Fault(f"{key}: {fault.what}") if fault else None

    def _check_settlement(self, answer: Answer) -> Fault | None:
        key = answer.asked.key
        _, interval, revision = key.split(":")
        if f"book:{interval}:{revision}" in self._pruned:
            return None
        before, opened = self._latest.get(interval, (None, None))
        if opened is None or opened.revision != int(revision):
            return Fault(f"{key} settles a book that was not logged before it")
        transfers = transfers_between(
            entries_of(before.book, before.accounts) if before else None,
            entries_of(opened.book, opened.accounts),
        )
        document = f"book:{interval}:{revision}"
        if (
            transfers is None
            or answer.asked.body
            != Command.of(key, transfers, document=document, rules=opened.rules_sha256).body
        ):
            return Fault(f"{key} is not what its book comes to")
        return None


def read_book(rows: list[bytes], *, rules_sha256: str) -> OpenedBook:
    """Read a book back from its rows."""
    header, exceptions = json.loads(rows[0]), json.loads(rows[1])
    count = int(header.get("positions", len(rows)))
    positions = [json.loads(row) for row in rows[FIRST_POSITION : FIRST_POSITION + count]]

    def column(name: str) -> Int64Array:
        return np.array([int(each[name] or 0) for each in positions], dtype=np.int64)

    book = IntervalBook(
        # Form 2 has prices by zone, which are computed again with the rest of such a book.
        price=None if header.get("price") is None else int(header["price"]),
        retail=int(header["retail"]),
        feed_in=int(header["feed_in"]),
        platform_fee=int(header["platform_fee"]),
        metering_point_ids=column("meter"),
        account_ids=column("account"),
        import_wh=column("import_wh"),
        export_wh=column("export_wh"),
        offer_ids=column("offer"),
        request_ids=column("request"),
        sell_limits=column("sell_limit"),
        buy_limits=column("buy_limit"),
        sold_wh=column("sold_wh"),
        bought_wh=column("bought_wh"),
        left_out_ids=np.array(list(map(int, exceptions["left_out"])), dtype=np.int64),
        missing_ids=np.array(list(map(int, exceptions["missing"])), dtype=np.int64),
    )
    parties = header["parties"]
    return OpenedBook(
        book=book,
        revision=int(header["revision"]),
        reason=header["reason"],
        starts_at=moment_of(header["starts"]),
        accounts=CommunityAccounts(
            pool=int(parties["pool"]),
            supplier=int(parties["supplier"]),
            platform=int(parties["platform"]),
            rounding=int(parties["rounding"]),
            grid=int(parties.get("grid", 0)),
        ),
        rules_sha256=rules_sha256,
    )
