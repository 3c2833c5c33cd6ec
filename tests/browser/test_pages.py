"""What only a browser can tell: nothing overflows, nothing is blocked, keys suffice."""

from collections.abc import Iterator
from itertools import cycle, product
from typing import Final, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.pages import PAGES, PUBLIC
from tests.web.city import PASSWORD, City, address

pytestmark = pytest.mark.browser

LANGUAGES = ("en", "zh-hans")
PHONE, DESK = 360, 1440
SCHEMES: Final[tuple[Literal["light", "dark"], ...]] = ("light", "dark")
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"],
    "resultTypes": ["violations"],
    "preload": False,  # our sheets need no fetching again: no rule of these asks for it
    "iframes": False,
}
JUDGE = """async (options) => (await axe.run(options)).violations
  .filter((each) => ['serious', 'critical'].includes(each.impact))
  .flatMap((each) => each.nodes.slice(0, 3).map((node) =>
    `${each.id}: ${node.html.slice(0, 200)} ${node.failureSummary}`))"""
# A label, a legend or a name of its own: what a screen reader says of a field or a button.
UNNAMED = """() => [...document.querySelectorAll(`main input:not([type=hidden]), main select,
  main textarea, main button, main a, main [role=group], main [role=img]`)].filter(each =>
    !each.labels?.length && !each.getAttribute('aria-label') &&
    !each.getAttribute('aria-labelledby') && !each.textContent.trim()).map(each => each.outerHTML)
"""
# Words that end where their box does: boxes that hide what is too wide, and pictures.
CUT_OFF = """() => {
  const shown = (each) => each.checkVisibility() && !each.closest('.visually-hidden, .skip');
  const boxes = [...document.querySelectorAll('body *:not(svg, svg *)')].filter((each) =>
    ['hidden', 'clip'].includes(getComputedStyle(each).overflowX) && shown(each) &&
    each.clientWidth > 1 && each.scrollWidth > each.clientWidth + 1);
  const words = [...document.querySelectorAll('.chart svg text, svg.chart text')].filter((each) => {
    if (!shown(each) || !each.textContent) return false;
    const svg = each.closest('svg:not(.edge)');
    const isOpen = getComputedStyle(svg).overflowX === 'visible';
    const [own, room] =
      [each, isOpen ? svg.closest('.card, main') : svg].map((it) => it.getBoundingClientRect());
    return own.width > 0 && (own.left < room.left - 3 || own.right > room.right + 3);
  });
  return [...boxes, ...words].map((each) => each.outerHTML.slice(0, 200));
}"""
# What Tab should reach, one of each group of radio buttons.
REACHABLE = """() => {
  const all = document.querySelectorAll(`a[href], button, input:not([type=hidden]), select,
    textarea, summary, [tabindex="0"]`);
  const seen = new Set();
  return [...all].filter((each) => {
    if (each.disabled || !each.checkVisibility({ visibilityProperty: true })) return false;
    if (each.type !== 'radio') return true;
    const isFirst = !seen.has(each.name);
    seen.add(each.name);
    return isFirst;
  }).length;
}"""
FOCUSED = """() => {
  const at = document.activeElement;
  if (at === document.body) return null;
  at.dataset.reached = '';
  const style = getComputedStyle(at);
  const box = at.getBoundingClientRect();
  return (style.outlineStyle !== 'none' && box.width > 0 && box.bottom > 0) || at.outerHTML;
}"""


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


def places(city: City, paths: list[str]) -> Iterator[str]:
    for path in paths:
        yield path.format(community=city.community_id, **city.participant_ids)


def set_language(context: BrowserContext, site: str, language: str) -> None:
    context.add_cookies([{"name": "django_language", "value": language, "url": site}])


@pytest.mark.parametrize("name", ["nobody", *PAGES])
def test_every_page_fits_and_is_quiet(
    name: str, served_city: tuple[City, str], browser: Browser
) -> None:
    city, site = served_city
    complaints: list[str] = []
    # axe takes longer than all the rest: each page is judged once, the next in another way.
    ways = cycle(product(LANGUAGES, (PHONE, DESK), SCHEMES))
    with browser.new_context() as context:
        page = opened(context, complaints)
        if name != "nobody":
            sign_in(page, site, name)
        for where, (judged, judged_at, scheme) in zip(
            places(city, PAGES.get(name, PUBLIC)), ways, strict=False
        ):
            for language in LANGUAGES:
                set_language(context, site, language)
                answer = page.goto(site + where)
                assert answer is not None
                assert answer.status == 200, where
                assert page.locator("html").get_attribute("lang") == language
                assert page.locator("h1").count() == 1, where
                assert page.evaluate(UNNAMED) == [], where
                # What fits a desk in one language does in the other; a telephone is narrow in both.
                for width in (PHONE, DESK) if language == judged else (PHONE,):
                    page.set_viewport_size({"width": width, "height": 800})
                    assert page.evaluate("document.documentElement.scrollWidth") <= width, (
                        f"{where} in {language} is wider than {width} px"
                    )
                    assert page.evaluate(CUT_OFF) == [], f"{where} in {language} at {width} px"
                    if (language, width) == (judged, judged_at):
                        page.emulate_media(color_scheme=scheme)
                        found = serious(page)
                        assert found == [], f"{where} in {language} at {width} px, {scheme}"
    assert complaints == []


def serious(page: Page) -> list[str]:
    """Return what axe finds that keeps somebody out."""
    page.evaluate(Axe().axe_script)
    found: list[str] = page.evaluate(JUDGE, RULES)
    return found


@pytest.mark.parametrize("path", ["/household/{alice}/", "/member/{alice}/agreements/"])
def test_the_tab_key_reaches_everything_and_shows_where_it_is(
    path: str, served_city: tuple[City, str], browser: Browser
) -> None:
    city, site = served_city
    with browser.new_context(viewport={"width": PHONE, "height": 800}) as context:
        page = context.new_page()
        sign_in(page, site, "alice")
        (where,) = places(city, [path])
        page.goto(site + where)
        expected = page.evaluate(REACHABLE)
        # A date has a stop for each of its parts.
        for _ in range(expected + 8):
            page.keyboard.press("Tab")
            assert page.evaluate(FOCUSED) in (True, None)
            if page.locator("[data-reached]").count() == expected:
                break
        assert page.locator("[data-reached]").count() == expected


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
        page.locator("main a", has_text="Try or change it").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/rule/*/")
        page.locator("summary", has_text="Change the rule").focus()
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("0.45")
        page.keyboard.press("Enter")
        page.wait_for_selector(".notice.success")
        assert "0.450" in page.locator("main").inner_text()
