"""A key made in a real browser: it signs there, and cannot be taken out."""

import json
from base64 import b64decode
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from playwright.sync_api import Browser, Page

from tests.browser.test_pages import UNNAMED, opened, sign_in
from tests.web.city import City

pytestmark = pytest.mark.browser

STORED = """async () => {
  const database = await new Promise(done => {
    const opening = indexedDB.open('heliopolis');
    opening.onsuccess = () => done(opening.result); });
  const rows = await new Promise(done => {
    const asked = database.transaction('signing keys').objectStore('signing keys').getAll();
    asked.onsuccess = () => done(asked.result); });
  const taken = await Promise.allSettled(rows.map(key => crypto.subtle.exportKey('pkcs8', key)));
  return rows.map((key, at) => [key.extractable, key.type, taken[at].status]);
}"""


@pytest.mark.parametrize(("language", "width"), [("en", 1440), ("zh-hans", 360)])
def test_a_key_of_ones_own(
    served_city: tuple[City, str], browser: Browser, language: str, width: int, tmp_path: Path
) -> None:
    name = "alice" if language == "en" else "bob"  # each has a first key to make
    city, site = served_city
    context = browser.new_context(viewport={"width": width, "height": 900})
    complaints: list[str] = []
    page = opened(context, complaints)
    sign_in(page, site, name)
    page.click(f"[name=language][value={language}]")
    page.goto(f"{site}/household/{city.participant_ids[name]}/")
    page.click("main a[href*='/rule/']")
    page.click("a[href$='#key']")
    looks_right(page, tmp_path / "rule.png")

    page.click("form[data-make-key] button")
    page.wait_for_selector(".notice.success")
    assert page.evaluate(STORED) == [[False, "private", "rejected"]]

    page.click("main details:has(input[name$=sell]) > summary")
    page.fill("input[name$=sell]", "0.41")
    page.click("form:has(input[name$=sell]) button")
    page.wait_for_selector("form[data-sign]")
    looks_right(page, tmp_path / "sign.png")
    page.click("form[data-sign] button")
    page.wait_for_selector(".notice.success")
    page.click("a[href*='/terms/']")
    page.wait_for_selector("[data-holds]:visible")
    looks_right(page, tmp_path / "terms.png")

    body = page.inner_text("[data-text]")
    key = page.get_attribute("[data-check]", "data-key")
    signature = page.get_attribute("[data-check]", "data-signature")
    assert key and signature and json.loads(body)["key"] == key
    Ed25519PublicKey.from_public_bytes(b64decode(key)).verify(b64decode(signature), body.encode())

    # In a browser without the key nothing is signed, and the page says so.
    other = opened(browser.new_context(), complaints)
    sign_in(other, site, name)
    other.goto(page.url)
    other.click("main a[href*='/rule/']")
    other.click("section:has(#revoke) button")
    other.wait_for_selector("form[data-sign]")
    other.click("form[data-sign] button")
    other.wait_for_selector("[data-unable]:visible")
    assert complaints == []
    context.close()


def looks_right(page: Page, picture: Path) -> None:
    """Nothing is wider than the window, and everything to press has a name."""
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    assert page.evaluate(UNNAMED) == []
    page.screenshot(path=picture, full_page=True)
