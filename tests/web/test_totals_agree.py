"""Pages of every persona tell the same figures of a month as the ledger, to the unit."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.conf import settings
from django.test import Client

from tests.web.city import City, signed_in
from tests.web.crawling import Page, crawl, read
from tests.web.totals_by_hand import Books
from tests.web.totals_city import RULES

STARTS: Final = {
    "alice": ("/household/{alice}/",),
    "erin": ("/enterprise/{erin}/",),
    "dora": ("/provider/{dora}/",),
    "paul": ("/planner/{paul}/",),
    "olga": ("/operator/{olga}/", "/community/{community}/"),
    "nobody": ("/", "/figures"),
}
# Files are compared in test_totals_files.py, and the data market's money there; a receipt proves
# one transfer; the rest has neither energy nor money of a time.
NOT_FOLLOWED: Final = (
    *("sign_", "password_", "mail_", "notices", "api_", "log", "join", "about", "check"),
    *("catalogue", "indicators", "market_", "receipt", "organisation", "what_if"),
    *("own_data", "statement_csv", "statement_pdf", "billing_statement", "billing_payments"),
    *("certificate_bundles", "certificate_matching_file", "city_file", "city_report"),
    *("operator_meters_csv", "operator_health"),
)
TWIN: Final = "the twin of a chart, whose file has the same values and is compared"
OWN_TOTAL: Final = "rows and sums of one interval or day, whose API and file are compared"
DATA: Final = "prices, limits and payments of the data market: each is one charge or offer"
BILL: Final = "the final bill, whose file is compared line by line"
# Pages that write energies or money without marking them, and why.
UNMARKED: Final = {
    "home": TWIN,
    "household": "sentences and the waterfall's steps, of the marked figures beside them",
    "household_day": "sentences on mean prices, and the steps of the marked figures' sums",
    "month": "the waterfall's steps between two marked figures; the bill's own lines",
    "year": TWIN,
    "statement": OWN_TOTAL,
    "statement_interval": OWN_TOTAL,
    "why": OWN_TOTAL,
    "comparison": "what other rules would have come to: nothing of it is in the ledger",
    "community": TWIN,
    "sharing": "what an agreement moved in thirty days; its trades are in the month's figures",
    "privacy": DATA,
    "expected_prices": "forecasts",
    "expected": "forecasts",
    "rule": "limits of a rule, and its preview",
    "agreement": "terms of an agreement",
    "agreements": "terms of agreements",
    "certificates": "certificates, which are bundles and no figures of a time",
    "certificate_matching": OWN_TOTAL,
    "enterprise": TWIN,
    "order_book": "orders",
    "provider": DATA,
    "market": DATA,
    "planner": TWIN,
    "city_prices": TWIN,
    "city_flows": TWIN,
    "city_equity": TWIN,
    "city_mobility": TWIN,
    "city_health": TWIN,
    "city_methods": "definitions",
    "public_figures": TWIN,
    "billing": BILL,
    "billing_run": BILL,
    "operator": BILL,
    "operator_credit": "credit limits, and what is owed at this moment, of no time",
    "operator_credit_member": "credit limits, and what is owed at this moment, of no time",
    "operator_meters": "capacities and readings of one meter",
    "operator_gaps": "capacities and readings of one meter",
    "operator_meter_gaps": "capacities and readings of one meter",
    "rule_sets": "prices of rules",
}


def test_every_page_tells_what_the_ledger_does(totals_city: City) -> None:
    """Follow links as each persona; compare marked figures, in both languages."""
    books = Books(totals_city.community_id, RULES)
    compared: Counter[str] = Counter()
    unmarked: dict[str, str] = {}
    wrong = []
    for name in STARTS:
        for page in pages_of(totals_city, name):
            wrong += differing(page, books)
            compared[name] += len(page.figures)
            if page.bare and page.kind not in UNMARKED:
                unmarked[page.kind] = f"{page.path}: {page.bare[0]}"
    assert wrong == []
    assert unmarked == {}, "mark them with {% figure %}, or say why not in UNMARKED"
    # Whoever has no energy reads figures of the community.
    assert {name for name in STARTS if compared[name]} == set(STARTS), compared
    assert sum(compared.values()) > 150


def pages_of(city: City, name: str) -> Iterator[Page]:
    """Yield a persona's pages; those with figures in Chinese as well."""
    client = Client() if name == "nobody" else signed_in(name)
    numbers = {**city.participant_ids, "community": city.community_id}
    starts = [path.format(**numbers) for path in STARTS[name]]
    found = list(crawl(client, starts, is_followed=is_followed))
    yield from found
    client.cookies[settings.LANGUAGE_COOKIE_NAME] = "zh-hans"
    for page in found:
        if page.figures:
            html = client.get(page.path, follow=True).content.decode()
            assert 'lang="zh-hans"' in html, page.path
            chinese = read(page.path, page.kind, html)
            assert chinese.figures == page.figures, page.path
            yield chinese


def is_followed(kind: str) -> bool:
    """Return whether pages of a kind may have figures."""
    return not kind.startswith(NOT_FOLLOWED)


def differing(page: Page, books: Books) -> list[str]:
    """Return what a page says otherwise than the books."""
    found = []
    for shown in page.figures:
        start, end = (datetime.fromisoformat(each) for each in (shown.start, shown.end))
        truth = books.value(shown.of, shown.figure, start, end)
        if shown.value != str(truth):
            what = f"{shown.figure} of {shown.of} from {shown.start} to {shown.end}"
            found.append(f"{page.path}: {what} is {truth}, the page says {shown.value}")
    return found
