"""An area is drawn on the catalogue's map, or written by keys alone, also without a script."""

import re

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.test_pages import opened, sign_in
from tests.web.city import City

pytestmark = pytest.mark.browser

FEED = "Bikes of Cairns"
FILE = "Loop counts of the harbour"
BOUGHT = "Sample of gbfs"


def test_an_area_is_drawn_on_the_map(served_city: tuple[City, str], browser: Browser) -> None:
    _city, site = served_city
    complaints: list[str] = []
    with browser.new_context(viewport={"width": 1280, "height": 900}) as context:
        page = opened(context, complaints)
        sign_in(page, site, "erin")
        page.goto(f"{site}/catalogue")
        titles = page.locator(".products h2")
        expect(titles).to_have_count(4)
        box = page.locator("svg.map").bounding_box()
        assert box is not None
        # Cairns is in the lower right corner of a map of both.
        page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] - 2, steps=4)
        page.mouse.up()
        expect(titles).to_have_text([FEED])
        assert re.search(r"west=\d+\.\d+&south=-\d+\.\d+&east=", page.url)

        # A facet narrows further, and stays in hand once the list is exchanged.
        page.evaluate(
            "document.body.addEventListener('htmx:afterSettle',"
            " () => { document.documentElement.dataset.settled = 'yes'; })"
        )
        page.locator("label[for=kind-1]").click()
        page.wait_for_url("**kind=1**")
        # The page's own policy forbids what Playwright would ask a condition by.
        page.wait_for_selector("html[data-settled=yes]")
        expect(titles).to_have_text([FEED])
        assert page.evaluate("document.activeElement.id") == "kind-1"
        page.keyboard.press("Space")
        expect(page).not_to_have_url(re.compile("kind=1"))
        # A name takes the place of what was drawn.
        page.select_option("#place", "san-francisco-bay")
        expect(titles).to_have_text([FILE, BOUGHT])
    assert complaints == []


def test_search_needs_no_script_and_no_mouse(
    served_city: tuple[City, str], browser: Browser
) -> None:
    _city, site = served_city
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        sign_in(page, site, "erin")
        page.goto(f"{site}/catalogue")
        page.locator("#edges summary").focus()
        page.keyboard.press("Enter")
        for edge in ("145", "-17.5", "146", "-16"):
            page.keyboard.press("Tab")
            page.keyboard.type(edge)
        page.keyboard.press("Enter")
        page.wait_for_url("**west=145**")
        assert page.locator(".products h2").all_inner_texts() == [FEED]
        page.locator(".products h2 a").focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/catalogue/*")
        assert page.locator("h1").inner_text() == FEED
