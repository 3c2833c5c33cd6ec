"""A member's receipts in a real browser: from the statement to a checked receipt."""

import os
import re

import pytest
from playwright.sync_api import Browser

from tests.browser.test_pages import UNNAMED, opened, sign_in
from tests.web.city import City

pytestmark = pytest.mark.browser


def test_from_the_statement_to_a_checked_receipt(
    served_city: tuple[City, str], browser: Browser
) -> None:
    city, site = served_city
    complaints: list[str] = []
    folder = os.environ.get("SCREENSHOTS")
    alice = city.participant_ids["alice"]
    with browser.new_context() as context:
        page = opened(context, complaints)
        sign_in(page, site, "alice")
        page.goto(f"{site}/member/{alice}/statement/")
        page.locator("tbody a[hx-get]").nth(12).click()
        page.locator("tr.detail th a").first.click()
        page.wait_for_selector("svg.receipt-code")
        receipt = page.url
        page.goto(f"{site}/member/{alice}/receipts/")
        page.get_by_role("link", name="Prove my balance").first.click()
        page.wait_for_selector("svg.receipt-code, .tag.good")
        balance = page.url
        row = re.sub(r"transfer/\d+/$", "book/13/1/", receipt)
        pages = {"list": f"/member/{alice}/receipts/", "transfer": receipt, "balance": balance}
        for language in ("en", "zh-hans"):
            context.add_cookies([{"name": "django_language", "value": language, "url": site}])
            for name, where in {**pages, "row": row}.items():
                answer = page.goto(where if where.startswith("http") else site + where)
                assert answer is not None
                assert answer.status == 200, where
                assert page.locator("h1").count() == 1
                assert page.evaluate(UNNAMED) == []
                for width in (360, 1440):
                    page.set_viewport_size({"width": width, "height": 800})
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, name
                    if folder:
                        path = f"{folder}/{name}-{language}-{width}.png"
                        page.screenshot(path=path, full_page=True)
        context.add_cookies([{"name": "django_language", "value": "en", "url": site}])
        for where in (receipt, balance, row):
            page.goto(where)
            page.get_by_role("link", name="Check it yourself").click()
            page.wait_for_selector("#result h2")
            verdict = page.locator("#result h2").inner_text()
            assert verdict == "✓ The receipt holds, but on the hall's word alone.", where
    assert complaints == []
