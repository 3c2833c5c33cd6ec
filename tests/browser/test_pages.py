"""What only a browser can tell: nothing overflows, nothing is blocked, keys suffice."""

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.web.city import PASSWORD, City, address

pytestmark = pytest.mark.browser

PAGES = {
    "alice": [
        "/household/{alice}/",
        "/member/{alice}/statement/",
        "/member/{alice}/gaps/",
        "/member/{alice}/expected/",
        "/community/{community}/",
    ],
    "erin": [
        "/enterprise/{erin}/",
        "/catalogue",
        "/catalogue/1",
        "/catalogue/2",
        "/catalogue/2/quality",
        "/market",
        "/market/requests",
        "/market/requests/1",
        "/market/contracts",
        "/market/contracts/new?product=1",
        "/market/contracts/1",
        "/market/contracts/1/revoke",
        "/market/deliveries",
        "/market/deliveries/1",
        "/market/feeds",
        "/market/feeds/3",
        "/market/charges",
        "/market/disputes",
        "/market/disputes/1",
        "/market/invoices",
        "/market/invoices/1",
        "/notices",
    ],
    "dora": [
        "/market/demand",
        "/market/disputes/1",
        "/market/products",
        "/market/products/new",
        "/market/products/3",
        "/market/products/3/terms",
        "/market/versions/3",
    ],
    "paul": ["/planner/{paul}/", "/indicators"],
    "olga": [
        "/operator/{olga}/",
        "/operator/{olga}/gaps/{community}/",
        "/market/disputes",
        "/market/disputes/1",
    ],
}
LANGUAGES = ("en", "zh-hans")
WIDTHS = (360, 1280)
# A label, a legend or a name of its own: what a screen reader says of a field or a button.
UNNAMED = """() => [...document.querySelectorAll(`main input:not([type=hidden]), main select,
  main textarea, main button, main a, main [role=group], main [role=img]`)].filter(each =>
    !each.labels?.length && !each.getAttribute('aria-label') &&
    !each.getAttribute('aria-labelledby') && !each.textContent.trim()).map(each => each.outerHTML)
"""


def opened(context: BrowserContext, complaints: list[str]) -> Page:
    page = context.new_page()
    page.on(
        "console",
        lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None,
    )
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def sign_in(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}/accounts/sign-in")
    page.fill("#id_username", address(name))
    page.fill("#id_password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector(".persona")


def test_every_page_fits_and_is_quiet(served_city: tuple[City, str], browser: Browser) -> None:
    city, site = served_city
    complaints: list[str] = []
    for name, paths in PAGES.items():
        with browser.new_context() as context:
            page = opened(context, complaints)
            sign_in(page, site, name)
            for language in LANGUAGES:
                context.add_cookies([{"name": "django_language", "value": language, "url": site}])
                for path in paths:
                    where = path.format(community=city.community_id, **city.participant_ids)
                    answer = page.goto(site + where)
                    assert answer is not None
                    assert answer.status == 200, where
                    assert page.locator("html").get_attribute("lang") == language
                    assert page.locator("h1").count() == 1, where
                    assert page.evaluate(UNNAMED) == [], where
                    for width in WIDTHS:
                        page.set_viewport_size({"width": width, "height": 800})
                        assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                            f"{where} in {language} is wider than {width} px"
                        )
    assert complaints == []


def test_a_line_of_the_statement_opens_in_place(
    served_city: tuple[City, str], browser: Browser
) -> None:
    city, site = served_city
    complaints: list[str] = []
    with browser.new_context() as context:
        page = opened(context, complaints)
        sign_in(page, site, "alice")
        statement = f"{site}/member/{city.participant_ids['alice']}/statement/"
        page.goto(statement)
        page.locator("tbody a[hx-get]").nth(12).focus()
        page.keyboard.press("Enter")
        page.wait_for_selector("tr.detail table")
        assert page.url == statement
        assert page.locator("tr.detail caption").inner_text() == "Transfers of the book"
    assert complaints == []


def test_a_rule_is_changed_without_a_mouse_or_a_script(
    served_city: tuple[City, str], browser: Browser
) -> None:
    city, site = served_city
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, site, "alice")
        page.goto(f"{site}/household/{city.participant_ids['alice']}/")
        page.locator("summary", has_text="Change the rule").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("0.45")
        page.keyboard.press("Enter")
        page.wait_for_selector(".notice.success")
        assert "0.450" in page.locator("main").inner_text()
